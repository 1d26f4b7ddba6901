// What `belay tls` tells its user: how the server takes the certificate, and how each kind of client trusts the CA.
import type { TlsFolder } from "./tls-folder.ts";

/** How one kind of client is told to trust the CA. */
export interface ClientSetting {
  client: string;
  setting: string;
}

/** One line a client. `ca` is the CA's path. */
export function clientSettings(ca: string): readonly ClientSetting[] {
  const path = shellWord(ca);
  return [
    {
      client: "gRPC for Node.js, Python, C++, Ruby",
      setting: `export GRPC_DEFAULT_SSL_ROOTS_FILE_PATH=${path}`,
    },
    { client: "Node.js: fetch, https, REST clients", setting: `export NODE_EXTRA_CA_CERTS=${path}` },
    { client: "Go, Ruby, Python ssl", setting: `export SSL_CERT_FILE=${path}` },
    { client: "Python requests", setting: `export REQUESTS_CA_BUNDLE=${path}` },
    { client: "Python httplib2, googleapiclient", setting: `export HTTPLIB2_CA_CERTS=${path}` },
    { client: "curl", setting: `curl --cacert ${path} https://localhost:8080/healthz` },
    {
      client: "Python SDK of Yandex Cloud",
      setting: `SDK(root_certificates=open(${JSON.stringify(ca)}, "rb").read(), ...)`,
    },
  ];
}

/** The line of belay.yaml that makes a server use the certificate. */
export function serverSetting({ certFile, keyFile }: Pick<TlsFolder, "certFile" | "keyFile">): string {
  return `tls: { certFile: ${yamlText(certFile)}, keyFile: ${yamlText(keyFile)} }`;
}

/** JSON's strings are YAML's, too. */
function yamlText(text: string): string {
  return /^[/\w][\w./+=-]*$/.test(text) ? text : JSON.stringify(text);
}

function shellWord(text: string): string {
  return /^[\w./@%+=:,-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
