// docs/reference/cli.md and config.md say what the code says.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { cliReferencePath, renderCliReference } from "../../scripts/write-cli-reference.ts";
import { policyLimits } from "../../src/base/policy-limits.ts";
import { createProgram } from "../../src/cli/program.ts";
import { payloadLimits } from "../../src/protocol/json-limits.ts";
import { defaultLimits } from "../../src/server/config.ts";

const configReference = readFileSync(new URL("../../docs/reference/config.md", import.meta.url), "utf8");

test("docs/reference/cli.md is what scripts/write-cli-reference.ts writes", async () => {
  assert.equal(readFileSync(cliReferencePath, "utf8"), await renderCliReference());
});

for (const [name, limit] of Object.entries(policyLimits)) {
  test(`docs/reference/config.md has the default and limits of ${name}`, () => {
    const row = `| \`${name}\` | ${limit.default} | ${limit.min} - ${limit.max} | `;
    assert.ok(configReference.includes(row), row);
  });
}

for (const [name, value] of Object.entries(defaultLimits)) {
  test(`docs/reference/config.md has the server's ${name}`, () => {
    assert.ok(configReference.includes(`| \`${name}\` | ${value} | `), `${name} ${value}`);
  });
}

for (const value of Object.values(payloadLimits)) {
  test(`docs/reference/config.md has the payload limit ${value}`, () => {
    assert.match(configReference, new RegExp(`^\\| payload, [^|]+\\| ${value}\\b`, "m"));
  });
}

test("docs/reference/config.md has every environment variable of the commands", async () => {
  const program = await createProgram(() => true);
  const variables = program.commands.flatMap((command) => command.options.map((option) => option.envVar));
  for (const variable of new Set(variables)) {
    if (variable) assert.ok(configReference.includes(`| \`${variable}\` |`), variable);
  }
});
