// Where a stand-alone worker keeps the records of its running commands, unless it is told.
import { lstatSync, mkdirSync } from "node:fs";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";

/**
 * A folder of this user and worker name below the system's temporary folder; made if it is not there. Throws if
 * somebody else's is in its place: what a record names is killed, so nobody else may write there.
 */
export function defaultProcessFolder(worker: string): string {
  const { uid } = userInfo();
  const own = join(tmpdir(), `belay-${uid}`);
  mkdirSync(own, { recursive: true, mode: 0o700 });
  const found = lstatSync(own);
  const isOwn = found.isDirectory() && (uid === -1 || (found.uid === uid && (found.mode & 0o022) === 0));
  if (!isOwn) throw new Error(`${own} is not a folder that only this user writes to; name a processFolder`);
  return join(own, `worker-${encodeURIComponent(worker).slice(0, 128)}`);
}
