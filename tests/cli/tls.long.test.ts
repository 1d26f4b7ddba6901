// `belay tls` as a process, and a server with what it made, trusted in the ways that it prints.
import assert from "node:assert/strict";
import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { BelayProcess, belayCommand, runBelay, temporaryFolder } from "./belay-process.ts";

test("belay tls makes a CA and a certificate in the data folder, and says how to use them", async (t) => {
  const cwd = temporaryFolder(t);
  const { code, stdout, stderr } = await runBelay(["tls"], { cwd });
  assert.equal(code, 0, stderr);
  const folder = join(cwd, "belay-data/tls");
  const ca = join(folder, "ca.pem");
  assert.ok(stdout.startsWith(`authority    ${ca} (new, until 20`), stdout);
  for (const file of ["ca.pem", "ca-key.pem", "server.pem", "server-key.pem"]) {
    assert.equal(statSync(join(folder, file)).mode & 0o077, file.includes("key") ? 0 : 0o044, file);
  }
  assert.match(stdout, /^names +localhost, 127\.0\.0\.1, ::1, vault\.localhost, .*yandex\.localhost$/m);
  const wanted = [
    "server       belay serve on this data folder takes it when it starts",
    `export GRPC_DEFAULT_SSL_ROOTS_FILE_PATH=${ca}`,
    `export NODE_EXTRA_CA_CERTS=${ca}`,
    `export SSL_CERT_FILE=${ca}`,
    `curl --cacert ${ca} https://localhost:8080/healthz`,
    `SDK(root_certificates=open("${ca}", "rb").read(), ...)`,
  ];
  for (const text of wanted) assert.ok(stdout.includes(text), text);
  assert.equal(stderr, "");
});

test("belay tls --out prints the line for belay.yaml", async (t) => {
  const cwd = temporaryFolder(t);
  const { stdout } = await runBelay(["tls", "--out", "./a b"], { cwd });
  const [cert, key] = [join(cwd, "a b/server.pem"), join(cwd, "a b/server-key.pem")];
  const line = `tls: { certFile: ${JSON.stringify(cert)}, keyFile: ${JSON.stringify(key)} }`;
  assert.ok(stdout.includes(`\nbelay.yaml   ${line}\n`), stdout);
  writeFileSync(join(cwd, "belay.yaml"), line);
  const { code, stderr } = await runBelay(["tls"], { cwd });
  assert.equal(code, 0, stderr);
});

test("a second run keeps the CA, and --json tells what there is", async (t) => {
  const cwd = temporaryFolder(t);
  const run = async (...args: string[]): Promise<Record<string, unknown>> => {
    const { code, stdout, stderr } = await runBelay(["tls", "--json", "--out", "./a b", ...args], { cwd });
    assert.equal(code, 0, stderr);
    return JSON.parse(stdout);
  };
  const first = await run("--host", "vault.example", "--yandex");
  const ca = readFileSync(join(cwd, "a b/ca.pem"), "utf8");
  assert.equal(first["caIsNew"], true);
  assert.equal(first["certFile"], join(cwd, "a b/server.pem"));
  const second = await run("--host", "operation.api.cloud.yandex.net");
  assert.equal(second["caIsNew"], false);
  assert.equal(readFileSync(join(cwd, "a b/ca.pem"), "utf8"), ca);
  // The wildcard covers what was asked for.
  assert.deepEqual(new Set(second["names"] as string[]), new Set(first["names"] as string[]));
});

test("the hosts of the services in the configuration file are names of the certificate, and its data folder is taken", async (t) => {
  const cwd = temporaryFolder(t);
  writeFileSync(
    join(cwd, "belay.yaml"),
    "data: ./elsewhere\nservices:\n  - id: vault\n    hosts: [vault.example]\n",
  );
  const { code, stdout, stderr } = await runBelay(["tls", "--json"], { cwd });
  assert.equal(code, 0, stderr);
  const { names, certFile } = JSON.parse(stdout);
  assert.equal(certFile, join(cwd, "elsewhere/tls/server.pem"));
  assert.ok(names.includes("vault.example") && names.includes("vault.googleapis.com"), names);
  // Of a service that the file does not name, what leads to this machine only.
  assert.ok(names.includes("dai.localhost") && !names.includes("dai.googleapis.com"), names);
});

const refused: readonly [what: string, args: readonly string[], message: RegExp][] = [
  ["a name that is none", ["--host", "a b"], /^belay: "a b" is neither a host name nor an address\n$/],
  ["a URL", ["--host", "https://a.example"], /is neither a host name nor an address\n$/],
  [
    "a name that the CA may not vouch for",
    ["--host", "b.example"],
    /may not vouch for b\.example; --new-ca makes a new one/,
  ],
];

test("what cannot be done is one line, and changes nothing", async (t) => {
  const cwd = temporaryFolder(t);
  await runBelay(["tls", "--out", "."], { cwd });
  const before = readFileSync(join(cwd, "server.pem"), "utf8");
  for (const [what, args, message] of refused) {
    await t.test(what, async () => {
      const { code, stdout, stderr } = await runBelay(["tls", "--out", ".", ...args], { cwd });
      assert.deepEqual([code, stdout], [1, ""]);
      assert.match(stderr, message);
      assert.equal(readFileSync(join(cwd, "server.pem"), "utf8"), before);
    });
  }
  await t.test("a CA of somebody else, even with --new-ca", async () => {
    writeFileSync(join(cwd, "ca.pem"), before);
    const { code, stderr } = await runBelay(["tls", "--out", ".", "--new-ca"], { cwd });
    assert.equal(code, 1);
    assert.match(stderr, /ca\.pem was not made by belay tls and stays as it is/);
    assert.equal(readFileSync(join(cwd, "ca.pem"), "utf8"), before);
    assert.ok(!existsSync(join(cwd, "ca.pem.new")));
  });
});

/** A client in a process of its own: trust by environment is read at its start. */
const clients: readonly [what: string, variable: string, program: string][] = [
  [
    "fetch",
    "NODE_EXTRA_CA_CERTS",
    `const reply = await fetch("https://localhost:" + process.argv[1] + "/healthz"); console.log(reply.status);`,
  ],
  [
    "grpc-js",
    "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH",
    `const { Client, credentials } = await import("@grpc/grpc-js");
     const client = new Client("localhost:" + process.argv[1], credentials.createSsl());
     const id = (bytes) => bytes;
     client.makeUnaryRequest("/grpc.health.v1.Health/Check", id, id, Buffer.alloc(0), (error, reply) => {
       console.log(error ? error.message : reply[1] === 1 ? 200 : 503);
       client.close();
     });`,
  ],
];

test("a server on the data folder has the certificate, and is trusted by clients that are told so by the printed variables", async (t) => {
  const cwd = temporaryFolder(t);
  await runBelay(["tls"], { cwd });
  const folder = join(cwd, "belay-data/tls");
  const server = new BelayProcess([...belayCommand, "serve", "--port", "0"], { cwd });
  t.after(async () => {
    server.child.kill("SIGKILL");
    await server.end();
  });
  const [, port = ""] = await server.says("stdout", /serving on https?:\/\/127\.0\.0\.1:(\d+) /);
  for (const [what, variable, program] of clients) {
    await t.test(`${what} by ${variable}`, async () => {
      const script = [process.execPath, "--input-type=module", "-e", program, port] as const;
      const env = { [variable]: join(folder, "ca.pem") };
      assert.equal((await new BelayProcess(script, { env }).end()).stdout, "200\n");
    });
  }
  await t.test("cleartext on the same port of this machine, as the commands speak it", async () => {
    const { code, stderr } = await runBelay(["list", "--server", `127.0.0.1:${port}`]);
    assert.equal(code, 0, stderr);
  });
  await t.test("the commands, by an https:// address", async () => {
    const args = ["list", "--server", `https://localhost:${port}`];
    const trusting = { GRPC_DEFAULT_SSL_ROOTS_FILE_PATH: join(folder, "ca.pem") };
    assert.equal((await runBelay(args, { env: trusting })).code, 0);
    const { code, stderr } = await runBelay(args, {
      env: { GRPC_DEFAULT_SSL_ROOTS_FILE_PATH: join(folder, "server.pem") },
    });
    assert.equal(code, 5);
    assert.match(stderr, /^belay: cannot reach localhost:\d+: its certificate is not trusted here/);
  });
  await t.test("a renewed certificate is taken while it runs", async () => {
    await runBelay(["tls"], { cwd });
    await server.says("stderr", /the certificate was renewed/);
  });
});

test("a server whose certificate does not fit its key does not start, and says why in one line", async (t) => {
  const cwd = temporaryFolder(t);
  await runBelay(["tls", "--out", "."], { cwd });
  writeFileSync(join(cwd, "belay.yaml"), "tls: { certFile: server.pem, keyFile: ca-key.pem }\n");
  const { code, stderr } = await runBelay(["serve", "--port", "0"], { cwd });
  assert.equal(code, 1);
  assert.match(stderr, /^belay: key \S+ca-key\.pem does not belong to certificate \S+server\.pem$/m);
});
