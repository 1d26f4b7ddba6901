// What the playlists say of the renditions. That ffmpeg makes them so is seen in operations.test.ts.
import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { masterPlaylist, peakBandwidth, readRendition } from "./renditions.ts";

const rendition = { name: "360p", width: 640, height: 360, videoRate: 800, audioRate: 96 };

test("the peak is that of segments which last about as long as a whole one", () => {
  const whole = { seconds: 4, bytes: 1_000 };
  assert.equal(peakBandwidth([whole, whole]), 2_000);
  assert.equal(peakBandwidth([whole, { seconds: 4, bytes: 1_500 }, whole]), 3_000);
  // One frame at the end counts together with what is before it.
  assert.equal(peakBandwidth([whole, { seconds: 0.04, bytes: 500 }]), Math.ceil(12_000 / 4.04));
  assert.equal(peakBandwidth([{ seconds: 0.04, bytes: 500 }]), 0);
});

test("a rendition is read from its playlist, and one that is not whole is refused", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "belay-renditions-"));
  t.after(() => rm(folder, { recursive: true }));
  await mkdir(join(folder, "360p"));
  await writeFile(join(folder, "360p/00000.ts"), Buffer.alloc(1_000));
  await writeFile(join(folder, "360p/00001.ts"), Buffer.alloc(100));
  const lines = [
    "#EXTM3U",
    "#EXTINF:4.000000,",
    "00000.ts",
    "#EXTINF:0.500000,",
    "00001.ts",
    "#EXT-X-ENDLIST",
    "",
  ];
  await writeFile(join(folder, "360p/index.m3u8"), lines.join("\n"));
  const made = await readRendition(folder, rendition);
  assert.deepEqual(made, {
    ...{ name: "360p", playlist: "360p/index.m3u8", width: 640, height: 360 },
    ...{ segments: 2, seconds: 4.5, bytes: 1_100, bandwidth: 2_000, averageBandwidth: 1_956 },
  });
  assert.equal(
    masterPlaylist([made], false),
    "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-STREAM-INF:BANDWIDTH=2000,AVERAGE-BANDWIDTH=1956,RESOLUTION=640x360," +
      'CODECS="avc1.4d401f"\n360p/index.m3u8\n',
  );
  await writeFile(join(folder, "360p/index.m3u8"), lines.slice(0, 5).join("\n"));
  await assert.rejects(readRendition(folder, rendition), { message: "the playlist of 360p is not whole" });
});
