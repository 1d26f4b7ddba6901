// belay.yaml's form as JSON Schema, for editors: docs/reference/belay.schema.json is this text. It knows keys and types;
// what is finer (names of hosts, what fits together) only `belay serve` tells.
import { z } from "zod";
import { configSchema } from "./config-schema.ts";

/** Lines are as long as everywhere in the repository. */
const WIDTH = 110;

/** The schema as text. Lists of texts are on one line where they fit. */
export function configJsonSchema(): string {
  const { $schema, ...schema } = z.toJSONSchema(configSchema("."), { io: "input" });
  const document = {
    $schema,
    title: "belay.yaml",
    description: "The configuration of belay serve.",
    ...schema,
  };
  const lines = JSON.stringify(document, null, 2);
  const lists = /^(.*)\[\n((?: +"[^"\n]*",?\n)+) *\](,?)$/gm;
  const folded = lines.replace(lists, (whole, start: string, list: string, comma: string) => {
    const line = `${start}[${list.trim().replaceAll(/\n +/g, " ")}]${comma}`;
    return line.length <= WIDTH ? line : whole;
  });
  return `${folded}\n`;
}
