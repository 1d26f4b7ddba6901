// Bugs of the yandex dialect, of the GET that cancels, and at the door of TLS.
import { byStart, byYandexErrors, byYandexService } from "./killers.ts";
import type { Killer, Mutant } from "./run-mutant.ts";

const GUARD = "src/server/guard.ts";
const PROJECTION = "src/services/yandex/projection.ts";
const RESULT = "src/services/operation-result.ts";
const SERVICE = "src/services/yandex/operation-service.ts";
const LIST = "src/services/declared/list-operations.ts";
const REQUEST_ID = "src/services/declared/start-request-id.ts";

function byGuard(title: string): Killer {
  return { file: "src/server/guard.test.ts", title, says: "AssertionError" };
}

function byProjection(title: string): Killer {
  return { file: "src/services/yandex/projection.test.ts", title, says: "AssertionError" };
}

function byTls(title: string, says = "AssertionError"): Killer {
  return { file: "src/server/tls/tls-port.test.ts", title, says };
}

const getCancels: readonly Mutant[] = [
  {
    name: "HEAD cancels",
    breaks: "R21",
    edits: [
      {
        file: "src/server/rest-routes.ts",
        find: "const options = { safe: readOnly };",
        replace: "const options = { safe: true || readOnly };",
      },
    ],
    killers: [
      {
        file: "src/server/bound-method.test.ts",
        title: "only a GET whose method changes nothing takes HEAD",
        says: "AssertionError",
      },
    ],
  },
  {
    name: "GET cancels although it is switched off",
    breaks: "R21",
    edits: [{ file: "src/services/yandex/http-rules.ts", find: "if (getCancels) ", replace: "" }],
    killers: [
      {
        file: "src/services/yandex/http-rules.test.ts",
        title: "with GET switched off POST is left",
        says: "AssertionError",
      },
    ],
  },
  {
    name: "a prefetch is served",
    breaks: "R21",
    edits: [
      {
        file: GUARD,
        find: 'if (secPurpose !== undefined && SPECULATIVE.test(secPurpose)) throw new RpcError("PREFETCH_REFUSED");',
        replace: "",
      },
    ],
    killers: [byGuard("a prefetch is refused")],
  },
  {
    name: "only Sec-Purpose is read, which browsers of yesterday do not send",
    breaks: "R21",
    edits: [
      {
        file: GUARD,
        find: '["sec-purpose", "purpose", "x-purpose", "x-moz"]',
        replace: '["sec-purpose"]',
      },
    ],
    killers: [byGuard("say the purpose")],
  },
  {
    name: "REST does not tell the guard what a request is for",
    breaks: "R21",
    edits: [
      {
        file: "src/server/rest-listener.ts",
        find: "      secPurpose: purposeOf(request.headers),\n",
        replace: "      secPurpose: purposeOf({}),\n",
      },
    ],
    killers: [
      {
        file: "tests/conformance/yandex/rest-paths.test.ts",
        title: "the GET that cancels refuses Sec-Purpose: prefetch",
        says: "AssertionError",
      },
    ],
  },
  {
    name: "over TLS a page of any site may call",
    breaks: "T7",
    edits: [
      {
        file: GUARD,
        find: "if (origin?.toLowerCase() !== own)",
        replace: "if (!isTls && origin?.toLowerCase() !== own)",
      },
    ],
    killers: [byGuard("the same host in cleartext")],
  },
  {
    name: "a page in cleartext is the same site as one over TLS",
    breaks: "T7",
    edits: [
      {
        file: GUARD,
        find: "if (origin?.toLowerCase() !== own)",
        replace: 'if (origin?.toLowerCase().replace("https:", "http:") !== own?.replace("https:", "http:"))',
      },
    ],
    killers: [byGuard("the same host over TLS")],
  },
];

const shape: readonly Mutant[] = [
  {
    name: "an operation that is being cancelled shows its error before it is done",
    breaks: "R22",
    edits: [
      {
        file: RESULT,
        find: "  if (!result.done) return result;\n",
        replace:
          '  if (record.state === "CANCELLING") result.error = { code: 1, message: "", details: [] };\n  if (!result.done) return result;\n',
      },
    ],
    killers: [byProjection("an unfinished operation")],
  },
  {
    name: "done is left out of the JSON while it is false",
    breaks: "R20",
    edits: [
      {
        file: "src/protocol/yandex-operation-encoder.ts",
        find: '"modifiedAt":"${instantText(view.modifiedAt)}","done":${view.done}`;',
        replace: '"modifiedAt":"${instantText(view.modifiedAt)}"${view.done ? \',"done":true\' : ""}`;',
      },
    ],
    killers: [byProjection("bytes and text tell the same operation")],
  },
  {
    name: "modifiedAt is the time of the answer",
    breaks: "R14",
    edits: [
      {
        file: PROJECTION,
        find: "modifiedAt: record.updateTime,",
        replace: "modifiedAt: Math.floor(performance.now() * 1000),",
      },
    ],
    killers: [byProjection("bytes and text tell the same operation")],
  },
  {
    name: "error.details reach clients that throw on them",
    breaks: "R54",
    edits: [
      {
        file: RESULT,
        find: "message: outcome.status.message, details: [] };",
        replace: "message: outcome.status.message, details: outcome.status.details };",
      },
    ],
    killers: [byProjection("a cancelled operation")],
  },
  {
    name: "cancel of a done operation is an error",
    breaks: "R50",
    edits: [
      {
        file: SERVICE,
        find: "        context.setTrailer(CANCEL_VERDICT, verdict);\n",
        replace:
          '        context.setTrailer(CANCEL_VERDICT, verdict);\n        if (verdict === "ALREADY_CANCELLED") throw new RpcError("OPERATION_NOT_CANCELLABLE", { name: key.name, type: "" });\n',
      },
    ],
    killers: [byYandexService("Cancel answers the operation as it then is")],
  },
];

const errors: readonly Mutant[] = [
  {
    name: "initial metadata goes out before it is known that there is no error",
    breaks: "R22",
    edits: [
      {
        file: "src/server/grpc-call.ts",
        find: "    this.#headers ??= new Metadata();\n    this.#headers.set(name, value);\n",
        replace:
          "    const headers = new Metadata();\n    headers.set(name, value);\n    this.#call.sendMetadata(headers);\n",
      },
    ],
    killers: [byYandexErrors("gRPC: Get of an absent id is one HEADERS frame")],
  },
  {
    name: "a yandex error does not name its request",
    breaks: "R31",
    edits: [
      {
        file: "src/transcoding/error-body.ts",
        find: "details: [...details, requestInfo] }),",
        replace: "details: requestInfo ? details : [] }),",
      },
    ],
    killers: [{ file: "src/transcoding/error-body.test.ts", title: "the bare form", says: "AssertionError" }],
  },
  {
    name: "a yandex error has google's wrapper",
    breaks: "R29",
    edits: [
      {
        file: "src/server/rest-call.ts",
        find: "replyTo(error, this.method.declaration.dialect, this.requestId)",
        replace: 'replyTo(error, "google", this.requestId)',
      },
    ],
    killers: [byYandexErrors("REST: Get of an absent id")],
  },
  {
    name: "what reaches no method is refused in google's form on a yandex host",
    breaks: "R29",
    edits: [
      {
        file: "src/server/rest-listener.ts",
        find: "replyTo(error, this.#router.dialectOf(request.headers.host), id, httpStatus)",
        replace: 'replyTo(error, "google", id, httpStatus)',
      },
    ],
    killers: [byYandexErrors("REST: a path that is not served")],
  },
  {
    name: "a yandex id that the caller may not see is PERMISSION_DENIED",
    breaks: "R33",
    edits: [
      {
        file: SERVICE,
        find: 'if (!reaches(principal, name)) throw new RpcError("OPERATION_NOT_FOUND", { name });',
        replace:
          'if (!reaches(principal, name)) throw new RpcError("IAM_PERMISSION_DENIED", { permission: "operations.get", resource: name });',
      },
    ],
    killers: [byYandexService("get: an unknown, a malformed and a foreign id")],
  },
];

const starts: readonly Mutant[] = [
  {
    name: "Idempotency-Key is not read",
    breaks: "R23",
    edits: [
      {
        file: REQUEST_ID,
        find: 'return id === "" && dialect === "yandex" ? idempotencyKeyOf(context) : id;',
        replace: "return id;",
      },
    ],
    killers: [byStart("Yandex's Idempotency-Key is the request id")],
  },
  {
    name: "Idempotency-Key counts for google's methods, too",
    breaks: "R47",
    edits: [{ file: REQUEST_ID, find: 'id === "" && dialect === "yandex"', replace: 'id === ""' }],
    killers: [byStart("google methods take no Idempotency-Key")],
  },
  {
    name: "ListOperations of a resource lists all",
    breaks: "R23",
    edits: [
      {
        file: LIST,
        find: 'return asked === "" ? ofResource : `${ofResource} AND ${asked}`;',
        replace: 'return asked === "" ? "" : asked;',
      },
    ],
    killers: [byStart("ListOperations lists the operations of one resource")],
  },
  {
    name: "a resource's id is read as a filter",
    breaks: "T17",
    edits: [
      {
        file: LIST,
        find: "`labels.${id.name} = ${quoted(resource)}`",
        replace: '`labels.${id.name} = "${resource}"`',
      },
    ],
    killers: [{ ...byStart("ListOperations lists the operations of one resource"), says: "INVALID_FILTER" }],
  },
];

const tls: readonly Mutant[] = [
  {
    name: "a key that is not the certificate's is found by the first client",
    breaks: "R2",
    edits: [
      {
        file: "src/server/tls/certificate.ts",
        find: "if (!x509.checkPrivateKey(privateKey)) {",
        replace: "if (!privateKey) {",
      },
    ],
    killers: [
      { file: "src/server/tls/certificate.test.ts", title: "a CertificateError", says: "AssertionError" },
    ],
  },
  {
    name: "TLS 1.2 is refused",
    breaks: "R2",
    edits: [
      {
        file: "src/server/tls/tls-acceptor.ts",
        find: 'const MIN_VERSION = "TLSv1.2";',
        replace: 'const MIN_VERSION = "TLSv1.3";',
      },
    ],
    killers: [byTls("TLSv1.2 is spoken", "protocol version")],
  },
  {
    name: "a client that offers both protocols gets the other one",
    breaks: "R2",
    edits: [
      {
        file: "src/server/tls/tls-acceptor.ts",
        find: "const order = [preference, otherProtocol[preference]];",
        replace: "const order = [otherProtocol[preference], preference];",
      },
    ],
    killers: [byTls("the preference of the server holds")],
  },
  {
    name: "cleartext is taken on an address that others reach",
    breaks: "T6",
    edits: [
      {
        file: "src/server/one-port-listener.ts",
        find: "tls.options.cleartext ?? isLoopbackHost(host));",
        replace: "tls.options.cleartext ?? true);",
      },
    ],
    killers: [byTls("cleartext refused on an address that others reach")],
  },
];

export const yandexMutants: readonly Mutant[] = [...getCancels, ...shape, ...errors, ...starts, ...tls];
