// Which ffmpeg is taken.
import assert from "node:assert/strict";
import { chmod, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { test } from "node:test";
import { findFfmpeg, missing } from "./ffmpeg.ts";

test("the first ffmpeg in PATH that can be run is taken, and the package's where there is none", async (t) => {
  const top = await mkdtemp(join(tmpdir(), "belay-ffmpeg-"));
  t.after(() => rm(top, { recursive: true }));
  for (const name of ["text", "program", "later"]) {
    await mkdir(join(top, name));
    await writeFile(join(top, name, "ffmpeg"), "#!/bin/sh\n");
    if (name !== "text") await chmod(join(top, name, "ffmpeg"), 0o755);
  }
  const path = ["absent", "text", "program", "later"].map((name) => join(top, name)).join(delimiter);
  assert.equal(findFfmpeg(path), join(top, "program/ffmpeg"));
  assert.equal(findFfmpeg("."), findFfmpeg(""));
  const packaged = findFfmpeg("");
  assert.ok(packaged === null || packaged.includes("@ffmpeg-installer"), String(packaged));
  assert.match(
    missing() ?? "",
    findFfmpeg() === null ? /^dai.ingest is left out: there is no ffmpeg; / : /^$/,
  );
});
