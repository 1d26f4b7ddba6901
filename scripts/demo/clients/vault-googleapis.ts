// Google's own `googleapis`, unchanged, as a client of Vault: matters.count, operations.cancel and operations.get.
import { load, serveActions, settings } from "./client-program.ts";

interface Answer<Data> {
  status: number;
  headers: { get(name: string): string | null };
  data: Data;
}

interface Vault {
  matters: { count(params: object): Promise<Answer<{ name: string }>> };
  operations: {
    cancel(params: object): Promise<Answer<object>>;
    get(params: object): Promise<Answer<object>>;
  };
}

interface Package {
  google: { vault(options: { version: "v1"; rootUrl: string }): Vault };
}

const { port, request } = settings<{ port: number; request: object }>();
const { google } = load("googleapis") as Package;
const vault = google.vault({ version: "v1", rootUrl: `http://127.0.0.1:${port}/` });

await serveActions({
  async start() {
    const { data } = await vault.matters.count({ matterId: "m1", requestBody: request });
    return data.name;
  },
  async cancel(name) {
    const { status, headers, data } = await vault.operations.cancel({ name });
    const verdict = headers.get("belay-cancel-verdict");
    return { status, verdict, data };
  },
  async get(name) {
    return (await vault.operations.get({ name })).data;
  },
});
