import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { startMethodsOf } from "../../services/declared/start-methods.ts";
import { ConfigError } from "./config-error.ts";
import { loadConfig } from "./load-config.ts";

const root = fileURLToPath(new URL("../../..", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "belay-guide-"));
after(() => rmSync(folder, { recursive: true, force: true }));

/** The texts of the code blocks of a page in a language. */
function blocks(page: string, language: string): string[] {
  const text = readFileSync(join(root, page), "utf8");
  return [...text.matchAll(/^```(\w+)\n([\s\S]*?)^```/gm)].flatMap(([, name, block]) =>
    name === language ? [block ?? ""] : [],
  );
}

test("the worked example of docs/guide/services.md loads: proto, descriptors and belay.yaml", () => {
  const page = "docs/guide/services.md";
  const [proto = ""] = blocks(page, "proto");
  const [operations = ""] = blocks(page, "ts");
  const [config = ""] = blocks(page, "yaml");
  writeFileSync(join(folder, "reports.proto"), proto);
  writeFileSync(join(folder, "reports.ts"), operations);
  writeFileSync(join(folder, "belay.yaml"), config);
  writeFileSync(join(folder, "buf.yaml"), "version: v2\n");
  cpSync(join(root, ".proto/google"), join(folder, "google"), { recursive: true });
  const buf = spawnSync(join(root, "node_modules/.bin/buf"), ["build", "-o", "reports.binpb"], {
    cwd: folder,
    encoding: "utf8",
    env: { ...process.env, PATH: `${dirname(process.execPath)}:${process.env["PATH"]}` },
  });
  assert.equal(buf.status, 0, buf.stderr);

  const { services, operationFiles } = loadConfig(join(folder, "belay.yaml"));
  assert.deepEqual(operationFiles, [join(folder, "reports.ts")]);
  const reports = services.find(({ id }) => id === "reports");
  assert.ok(reports);
  assert.deepEqual(
    startMethodsOf(reports).map(({ type, response, metadata }) => [
      type,
      response.typeName,
      metadata?.typeName,
    ]),
    [["reports.build", "acme.reports.v1.Report", "acme.reports.v1.BuildReportMetadata"]],
  );
});

/** Loads a file; files that it names and that are not there are made, empty. */
function loadWithFiles(file: string): void {
  for (;;) {
    try {
      loadConfig(file);
      return;
    } catch (error) {
      const [, missing] =
        /there is no file (\S+?)$/m.exec(error instanceof ConfigError ? error.message : "") ?? [];
      if (missing === undefined) throw error;
      mkdirSync(dirname(missing), { recursive: true });
      writeFileSync(missing, "");
    }
  }
}

/** What Prometheus and Patroni read; everything else is belay.yaml. */
const isForeign = (block: string): boolean => /^(?:scrape_configs:|groups:|# patroni\.yml)/.test(block);

const guides = readdirSync(join(root, "docs/guide")).filter((name) => name !== "services.md");

for (const name of guides.sort()) {
  for (const [index, block] of blocks(`docs/guide/${name}`, "yaml").entries()) {
    if (isForeign(block)) continue;
    test(`YAML ${index + 1} of docs/guide/${name} is a configuration`, () => {
      const file = join(folder, `${name}-${index}.yaml`);
      writeFileSync(file, block);
      loadWithFiles(file);
    });
  }
}
