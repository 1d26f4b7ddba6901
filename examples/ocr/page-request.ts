// Prints the body of a recognition request for one of the documents here, for curl and the like:
//   node examples/ocr/page-request.ts notice > request.json
//   node examples/ocr/page-request.ts letter --pages 5 > request.json
// Several pages become one tall image, which takes as long as they would: time enough to cancel it.
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { listPages } from "./documents.ts";
import { stackPages } from "./stack-pages.ts";

const documents = fileURLToPath(new URL("./documents", import.meta.url));

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: { pages: { type: "string", default: "1" } },
});
const [document = "notice"] = positionals;
const count = Number(values.pages);
const paths = (await listPages(documents, document)).slice(0, count);
const image = stackPages(await Promise.all(paths.map((path) => readFile(path))));
const request = { content: image.toString("base64"), mimeType: "PNG", languageCodes: ["en"], model: "page" };
console.log(JSON.stringify(request));
