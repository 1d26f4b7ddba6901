import assert from "node:assert/strict";
import { test } from "node:test";
import { RpcError } from "../base/rpc-error.ts";
import { errorReply } from "./error-body.ts";
import { wwwAuthenticate } from "./www-authenticate.ts";

const scopes = "https://x/a, https://x/b";

const challenges: [error: RpcError, challenge: string | undefined][] = [
  [new RpcError("CREDENTIALS_MISSING"), 'Bearer realm="belay"'],
  [new RpcError("ACCESS_TOKEN_TYPE_UNSUPPORTED", { scheme: "Basic" }), 'Bearer realm="belay"'],
  [new RpcError("ACCESS_TOKEN_INVALID", { problem: "x" }), 'Bearer realm="belay", error="invalid_token"'],
  [new RpcError("ACCESS_TOKEN_EXPIRED"), 'Bearer realm="belay", error="invalid_token"'],
  [
    new RpcError("ACCESS_TOKEN_SCOPE_INSUFFICIENT", { method: "m", scopes, service: "s" }),
    'Bearer realm="belay", error="insufficient_scope", scope="https://x/a https://x/b"',
  ],
  [
    new RpcError("ACCESS_TOKEN_SCOPE_INSUFFICIENT", { method: "m", scopes: 'a"\r\nb\\', service: "s" }),
    'Bearer realm="belay", error="insufficient_scope", scope="ab"',
  ],
  [new RpcError("IAM_PERMISSION_DENIED", { permission: "p", resource: "r" }), undefined],
  [new RpcError("OPERATION_NOT_FOUND", { name: "x" }), undefined],
];

for (const [error, challenge] of challenges) {
  test(`the challenge of ${error.reason} is ${challenge}`, () => {
    assert.equal(wwwAuthenticate(error), challenge);
    assert.equal(errorReply(error).headers["www-authenticate"], challenge);
  });
}
