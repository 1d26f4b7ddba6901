// Reads the working tree for the tidy tests: which files belong to the repository, and the parsed form of ours.
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";

/** The repository's folder. */
export const root: string = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/** A parsed TypeScript file. */
export interface SourceFile {
  /** Relative to the repository, with `/`. */
  path: string;
  text: string;
  lines: number;
  tree: ts.SourceFile;
}

/** An import or re-export of another file of the repository. */
export interface FileImport {
  from: string;
  to: string;
  /** `import type`: erased, so it loads nothing. */
  isType: boolean;
}

/** Files that are tracked, or would be: what .gitignore names is left out. */
export function repositoryFiles(): string[] {
  const list = execFileSync("git", ["ls-files", "--cached", "--others", "--exclude-standard", "-z"], {
    cwd: root,
    encoding: "utf8",
    maxBuffer: 64 * 1024 * 1024,
  });
  const paths = list.split("\0").filter((path) => path !== "" && existsSync(join(root, path)));
  return [...new Set(paths)].sort();
}

export function readText(path: string): string {
  return readFileSync(join(root, path), "utf8");
}

/** Our TypeScript below a folder ("" for all of the repository). */
export function sourceFiles(folder: string): SourceFile[] {
  return repositoryFiles()
    .filter((path) => path.startsWith(folder) && path.endsWith(".ts"))
    .map((path) => parse(path, readText(path)));
}

/** Parses a text as if it stood at the path. */
export function parse(path: string, text: string): SourceFile {
  const tree = ts.createSourceFile(path, text, ts.ScriptTarget.ESNext, true, ts.ScriptKind.TS);
  return { path, text, lines: text.split("\n").length - (text.endsWith("\n") ? 1 : 0), tree };
}

/** Calls for every node of the file. */
export function visit(file: SourceFile, callback: (node: ts.Node) => void): void {
  const walk = (node: ts.Node): void => {
    callback(node);
    ts.forEachChild(node, walk);
  };
  walk(file.tree);
}

/** `path:line` of a node. */
export function place(file: SourceFile, node: ts.Node): string {
  return `${file.path}:${file.tree.getLineAndCharacterOfPosition(node.getStart(file.tree)).line + 1}`;
}

/** A module specifier with its kind. */
interface Specifier {
  text: string;
  isType: boolean;
}

function textOf(node: ts.Node | undefined): string | undefined {
  return node && ts.isStringLiteral(node) ? node.text : undefined;
}

/** The specifier of an import, re-export, `import()` or import type; undefined for other nodes. */
function specifierOf(node: ts.Node): Specifier | undefined {
  let text: string | undefined;
  let isType = false;
  if (ts.isImportDeclaration(node)) {
    text = textOf(node.moduleSpecifier);
    isType = node.importClause?.phaseModifier === ts.SyntaxKind.TypeKeyword;
  } else if (ts.isExportDeclaration(node)) {
    text = textOf(node.moduleSpecifier);
    isType = node.isTypeOnly;
  } else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
    text = textOf(node.arguments[0]);
  } else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) {
    text = textOf(node.argument.literal);
    isType = true;
  }
  return text === undefined ? undefined : { text, isType };
}

/** Every module specifier of the file, in order. */
export function specifiers(file: SourceFile): Specifier[] {
  const found: Specifier[] = [];
  visit(file, (node) => {
    const specifier = specifierOf(node);
    if (specifier) found.push(specifier);
  });
  return found;
}

/** The file's imports of other files, by relative specifier. */
export function fileImports(file: SourceFile): FileImport[] {
  return specifiers(file)
    .filter(({ text }) => text.startsWith("."))
    .map(({ text, isType }) => ({
      from: file.path,
      to: relative(root, join(root, dirname(file.path), text)),
      isType,
    }));
}
