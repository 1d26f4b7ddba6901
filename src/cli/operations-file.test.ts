import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { loadOperationsFile } from "./operations-file.ts";

const folder = mkdtempSync(join(tmpdir(), "belay-operations-"));
after(() => rmSync(folder, { recursive: true, force: true }));

const place = "belay.yaml:3:14: operations[0]:";

const wrong: readonly (readonly [name: string, text: string | null, problem: RegExp])[] = [
  ["none.ts", "export const a = 1;", / does not export `operations`, an array of defineOperation\(\.\.\.\)$/],
  ["other.ts", 'export const operations = [{ type: "a" }];', / does not export `operations`, an array of /],
  ["broken.ts", 'import "./nothing.ts";', / cannot be loaded: Cannot find module /],
  ["throws.ts", 'throw new Error("no ffmpeg here");', / cannot be loaded: no ffmpeg here$/],
  ["gone.ts", null, /: there is no such file$/],
];

for (const [name, text, problem] of wrong) {
  test(`${name} is refused with the place that named it, and the file`, async () => {
    const file = join(folder, name);
    if (text !== null) writeFileSync(file, text);
    for (const [told, arguments_] of [
      [place, [place]],
      ["--operations", []],
    ] as const) {
      await assert.rejects(loadOperationsFile(file, ...arguments_), (error: Error) => {
        assert.ok(error.message.startsWith(`${told} ${file}`), error.message);
        assert.match(error.message, problem);
        return true;
      });
    }
  });
}
