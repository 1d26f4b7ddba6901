// The patterns of a service's parents: "", "projects/*/locations/*", "**".

/** True if a well-formed parent fits one of the patterns. */
export function fitsParents(parent: string, patterns: readonly string[]): boolean {
  const segments = parent === "" ? [] : parent.split("/");
  return patterns.some((pattern) => {
    if (pattern === "**") return true;
    const wanted = pattern === "" ? [] : pattern.split("/");
    return (
      wanted.length === segments.length && wanted.every((word, i) => word === "*" || word === segments[i])
    );
  });
}

/** A pattern as an error message shows it. */
export function parentForm(pattern: string): string {
  return pattern === "" ? "empty" : pattern;
}
