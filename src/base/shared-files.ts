// Small documents that all server processes of one store share: identity keys, revoked tokens, receipt keys. The port, and
// what every user of it needs; where they lie is the store's matter.

export interface SharedFile {
  readonly text: string;
  /** Grows with each write; 1 or more. */
  readonly revision: number;
}

/** Paths are as of files: `identity/iam-keys.json`. */
export interface SharedFiles {
  read(path: string): Promise<SharedFile | undefined>;
  /** The revisions of all whose path begins so. */
  list(prefix: string): Promise<ReadonlyMap<string, number>>;
  /**
   * Compare and set: writes it if its revision is still this one; 0: if it is not there. False: somebody else was first.
   * Durable when it resolves.
   */
  write(path: string, text: string, revision: number): Promise<boolean>;
  remove(path: string): Promise<void>;
}

/** Changes a document until nobody comes in between; answers what it is then. `change` may answer what it was given. */
export async function changeSharedFile(
  files: SharedFiles,
  path: string,
  change: (text: string | undefined) => string,
): Promise<SharedFile> {
  for (;;) {
    const known = await files.read(path);
    const text = change(known?.text);
    if (known?.text === text) return known;
    const revision = known?.revision ?? 0;
    if (await files.write(path, text, revision)) return { text, revision: revision + 1 };
  }
}
