import assert from "node:assert/strict";
import test from "node:test";
import { clientConfig, parsePostgresUrl } from "./postgres-url.ts";

test("a URL names one server, or several", () => {
  const one = parsePostgresUrl("postgres://ada:secret@db.example/belay?sslmode=require");
  assert.deepEqual(one.endpoints, [{ host: "db.example", port: 5432 }]);
  assert.equal(one.urlOf(one.endpoints[0]!), "postgres://ada:secret@db.example:5432/belay?sslmode=require");

  const three = parsePostgresUrl(
    "postgresql://ada@a:5433,b,[::1]:6000/belay?target_session_attrs=read-write",
  );
  assert.deepEqual(three.endpoints, [
    { host: "a", port: 5433 },
    { host: "b", port: 5432 },
    { host: "[::1]", port: 6000 },
  ]);
  assert.equal(three.urlOf(three.endpoints[1]!), "postgresql://ada@b:5432/belay");
});

test("what is told to people holds no user and no password", () => {
  assert.equal(parsePostgresUrl("postgres://ada:secret@a,b/belay").label, "a,b/belay");
});

test("what is no URL of a database is refused without repeating it", () => {
  for (const url of ["", "mysql://a/b", "postgres://ada:secret@a:port/b"]) {
    assert.throws(
      () => parsePostgresUrl(url),
      (error: Error) => !error.message.includes("secret"),
      url,
    );
  }
});

test("a client is told the server and the name of the application", () => {
  const address = parsePostgresUrl("postgres://ada@a/belay");
  const config = clientConfig(address, address.endpoints[0]!, "belay test");
  assert.equal(config.connectionString, "postgres://ada@a:5432/belay");
  assert.equal(config.application_name, "belay test");
});
