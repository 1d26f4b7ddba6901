// The version of a client as it is installed: each test says which one it drove.
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** For instance `google-gax 6.17.0`; the folder is the package's name below node_modules. */
export function clientVersion(folder: string): string {
  const path = fileURLToPath(new URL(`./node_modules/${folder}/package.json`, import.meta.url));
  const { name, version } = JSON.parse(readFileSync(path, "utf8")) as { name: string; version: string };
  return `${name} ${version}`;
}
