import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { defaultLimits } from "../../server/config.ts";
import { configJsonSchema } from "./config-json-schema.ts";

const page = readFileSync(new URL("../../../docs/reference/config.md", import.meta.url), "utf8");

interface Schema {
  properties?: Record<string, Schema>;
  items?: Schema;
  anyOf?: Schema[];
}

/** Every key of a schema: `tls.certFile`, `services[].hosts`. Those of `limits` have a table of their own. */
function keysOf({ properties = {}, items, anyOf = [] }: Schema, path: string): string[] {
  const own = Object.entries(properties).flatMap(([name, inner]) => {
    const key = path === "" ? name : `${path}.${name}`;
    return key === "limits" ? [key] : [key, ...keysOf(inner, key)];
  });
  const inItems = items ? keysOf(items, `${path}[]`) : [];
  return [...own, ...inItems, ...anyOf.flatMap((one) => keysOf(one, path))];
}

test("docs/reference/config.md has a row for every key of belay.yaml, and no other", () => {
  const schema = JSON.parse(configJsonSchema()) as Schema;
  const keys = [...new Set(keysOf(schema, ""))].filter((key) => !key.startsWith("services[].scopes."));
  const section = page.slice(page.indexOf("## belay.yaml"), page.indexOf("## The data folder"));
  const rows = [...section.matchAll(/^\| `([^`]+)` \|/gm)].map(([, key]) => key ?? "");
  assert.deepEqual(rows.toSorted(), keys.toSorted());
});

test("docs/reference/config.md tells the defaults of the server's limits", () => {
  const section = page.slice(page.indexOf("## Limits of the server"));
  const rows = [...section.matchAll(/^\| `(\w+)` \| (\d+) \|/gm)].map(([, name, value]) => [
    name,
    Number(value),
  ]);
  assert.deepEqual(Object.fromEntries(rows), defaultLimits);
});
