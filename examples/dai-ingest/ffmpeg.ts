// Finds the ffmpeg that dai.ingest runs: the one in PATH, else that of the optional package @ffmpeg-installer/ffmpeg.
// Imports nothing but Node's own modules, so that asking whether it is there costs nothing at a start.
import { accessSync, chmodSync, constants, existsSync } from "node:fs";
import { createRequire } from "node:module";
import { delimiter, dirname, isAbsolute, join } from "node:path";

/** The program's path, or null if there is none that can be run. */
export function findFfmpeg(path: string = process.env["PATH"] ?? ""): string | null {
  // A relative entry of PATH would mean another program in another working directory.
  const folders = path.split(delimiter).filter(isAbsolute);
  return folders.map((folder) => join(folder, "ffmpeg")).find(isExecutable) ?? installedFfmpeg();
}

/** What is missing for dai.ingest and how to get it, in one line; null if nothing is. */
export function missing(): string | null {
  if (findFfmpeg() !== null) return null;
  return "dai.ingest is left out: there is no ffmpeg; apt-get install ffmpeg, brew install ffmpeg, or npm install gets it";
}

function installedFfmpeg(): string | null {
  let program: string;
  try {
    const installed = `@ffmpeg-installer/${process.platform}-${process.arch}/package.json`;
    const folder = dirname(createRequire(import.meta.url).resolve(installed));
    program = join(folder, process.platform === "win32" ? "ffmpeg.exe" : "ffmpeg");
  } catch {
    return null; // not installed, or there is none for this platform
  }
  // The package makes it executable in an install script, which npm runs for nobody who has not allowed it.
  if (existsSync(program) && !isExecutable(program)) {
    try {
      chmodSync(program, 0o755);
    } catch {
      return null; // somebody else's file
    }
  }
  return isExecutable(program) ? program : null;
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
