// Finds the page images of a document. Nothing that a caller sends becomes part of a path: a name only selects among
// the folders that are there.
import { readdirSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { FieldViolation, JsonObject } from "belayd/worker";

/** Where the documents are, unless a caller says otherwise. */
export const documentsFolder: string = fileURLToPath(new URL("./documents", import.meta.url));

const pageName = /^page-(\d+)\.png$/;

/** google.rpc.Code.NOT_FOUND: the operation fails with it. */
const NOT_FOUND = 5;

/** The payload names no document; the message lists those that there are. */
export class UnknownDocument extends Error {
  override name = "UnknownDocument";
  readonly code = NOT_FOUND;

  constructor(name: unknown, known: readonly string[]) {
    super(`there is no document ${JSON.stringify(name)}; there are: ${known.join(", ")}`);
  }
}

/** The check of ocr.recognize: the payload names a document that is there. */
export function checkDocument({ document = null }: JsonObject): FieldViolation[] {
  try {
    findDocument(documentsFolder, document);
    return [];
  } catch (error) {
    if (!(error instanceof UnknownDocument)) throw error;
    return [{ field: "document", description: error.message }];
  }
}

function findDocument(folder: string, document: unknown): string {
  const known = readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name)
    .sort();
  const name = known.find((each) => each === document);
  if (name === undefined) throw new UnknownDocument(document, known);
  return name;
}

/** The paths of a document's pages, in order. Links are not followed, so that every page lies in the folder. */
export async function listPages(folder: string, document: unknown): Promise<string[]> {
  const name = findDocument(folder, document);
  const files = await readdir(join(folder, name), { withFileTypes: true });
  return files
    .filter((file) => file.isFile() && pageName.test(file.name))
    .map((file) => ({ path: join(folder, name, file.name), page: Number(pageName.exec(file.name)?.[1]) }))
    .sort((a, b) => a.page - b.page)
    .map(({ path }) => path);
}
