// The real `googleapis` package, as far as the tests use it. Its own types are not imported: they describe every API of
// Google, and checking them takes longer than the tests.

/** An operation in JSON. */
export interface Operation {
  name: string;
  done?: boolean;
  metadata?: { "@type": string };
  error?: { code: number; message: string; details?: unknown[] };
  response?: { "@type": string; totalCount?: string };
}

interface Answer<T> {
  status: number;
  data: T;
}

/** A generated or discovered `operations` resource. */
export interface OperationsResource {
  cancel(params: { name: string; requestBody?: object }): Promise<Answer<object>>;
  get(params: { name: string; fields?: string; quotaUser?: string }): Promise<Answer<Operation>>;
  list(params: {
    name: string;
    filter?: string;
    pageSize?: number;
    pageToken?: string;
  }): Promise<Answer<{ operations?: Operation[]; nextPageToken?: string }>>;
  delete(params: { name: string }): Promise<Answer<object>>;
}

/** What `google.vault("v1")` has. */
export interface Vault {
  operations: OperationsResource;
  matters: { count(params: { matterId: string; requestBody: object }): Promise<Answer<Operation>> };
}

/** A service account that signs for itself. */
export interface JwtAuth {
  useJWTAccessWithScope: boolean;
}

/** The default export's namespace `google`. */
export interface Google {
  vault(options: { version: "v1"; rootUrl: string; auth?: JwtAuth }): Vault;
  auth: { JWT: new (options: { email: string; key: string; keyId: string; scopes: string[] }) => JwtAuth };
  discoverAPI(url: string): Promise<Record<string, OperationsResource>>;
}

/** What the calls reject with. */
export interface GaxiosError extends Error {
  status?: number;
  response?: { data: { error: { code: number; status: string; details: { reason?: string }[] } } };
}

/** Loads the package; it takes about a second. */
export async function loadGoogle(): Promise<Google> {
  // Not a literal: its types stay unread.
  const name: string = "googleapis";
  return ((await import(name)) as { google: Google }).google;
}

/** Polls until the operation is done, as users of these clients do. */
export async function untilDone(operations: OperationsResource, name: string): Promise<Operation> {
  const end = performance.now() + 15_000;
  while (performance.now() < end) {
    const { data } = await operations.get({ name });
    if (data.done) return data;
  }
  throw new Error(`${name} is not done`);
}
