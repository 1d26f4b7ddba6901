// The path templates of google.api.http: text to segments and variables, and back.
//
//   Template  = "/" Segments [ Verb ] ;            google/api/http.proto, "Path template syntax"
//   Segments  = Segment { "/" Segment } ;
//   Segment   = "*" | "**" | LITERAL | Variable ;
//   Variable  = "{" FieldPath [ "=" Segments ] "}" ;
//   FieldPath = IDENT { "." IDENT } ;
//   Verb      = ":" LITERAL ;
//
// "**" takes zero or more segments and must be last before the verb; a variable holds no variable.
import { PathTemplateError, PathTemplateScanner } from "./path-template-scanner.ts";

/**
 * A variable takes the segments from `start` up to, not including, `end`; `**` takes all to the path's end.
 */
export interface TemplateVariable {
  /** The request field, dotted: `name`, `book.name`. */
  fieldPath: string;
  start: number;
  end: number;
}

/** A parsed template. */
export interface PathTemplate {
  /** Each is `*`, `**` or a literal, which is compared with the request's path as it is, escapes and all. */
  segments: readonly string[];
  /** In the order of the path. */
  variables: readonly TemplateVariable[];
  /** Without its colon; "" for none. */
  verb: string;
}

interface Draft {
  segments: string[];
  variables: TemplateVariable[];
}

/**
 * Parses a template. Throws a PathTemplateError that names the column: "column 7: '**' must be the last
 * segment".
 */
export function parsePathTemplate(text: string): PathTemplate {
  const scanner = new PathTemplateScanner(text);
  const draft: Draft = { segments: [], variables: [] };
  scanner.expect("/");
  parseSegments(scanner, draft, false);
  const verb = scanner.accept(":") ? scanner.literal("a verb") : "";
  if (!scanner.atEnd) scanner.unexpected();
  return { ...draft, verb };
}

function parseSegments(scanner: PathTemplateScanner, draft: Draft, inVariable: boolean): void {
  for (;;) {
    parseSegment(scanner, draft, inVariable);
    const { column } = scanner;
    if (!scanner.accept("/")) return;
    if (draft.segments.at(-1) === "**") throw new PathTemplateError(column, "'**' must be the last segment");
  }
}

function parseSegment(scanner: PathTemplateScanner, draft: Draft, inVariable: boolean): void {
  const { column } = scanner;
  if (scanner.accept("**")) draft.segments.push("**");
  else if (scanner.accept("*")) draft.segments.push("*");
  else if (!scanner.accept("{")) draft.segments.push(scanner.literal("a segment"));
  else if (inVariable) throw new PathTemplateError(column, "a variable cannot hold a variable");
  else parseVariable(scanner, draft);
}

function parseVariable(scanner: PathTemplateScanner, draft: Draft): void {
  const { column } = scanner;
  let fieldPath = scanner.identifier();
  while (scanner.accept(".")) fieldPath += `.${scanner.identifier()}`;
  if (draft.variables.some((variable) => variable.fieldPath === fieldPath)) {
    throw new PathTemplateError(column, `the field '${fieldPath}' is bound twice`);
  }
  const start = draft.segments.length;
  if (scanner.accept("=")) parseSegments(scanner, draft, true);
  else draft.segments.push("*");
  scanner.expect("}");
  draft.variables.push({ fieldPath, start, end: draft.segments.length });
}

/** The text of a template, in its shortest form: `{v=*}` is `{v}`. */
export function printPathTemplate(template: PathTemplate): string {
  const parts: string[] = [];
  for (let i = 0; i < template.segments.length; ) {
    const variable = template.variables.find(({ start }) => start === i);
    if (!variable) {
      parts.push(template.segments[i++] as string);
      continue;
    }
    const inner = template.segments.slice(variable.start, variable.end).join("/");
    parts.push(inner === "*" ? `{${variable.fieldPath}}` : `{${variable.fieldPath}=${inner}}`);
    i = variable.end;
  }
  return `/${parts.join("/")}${template.verb && `:${template.verb}`}`;
}

/** True if the variable may take several segments: then an escaped slash in its value stays escaped. */
export function isMultiSegment(template: PathTemplate, variable: TemplateVariable): boolean {
  return variable.end - variable.start !== 1 || template.segments[variable.start] === "**";
}
