// Prepares a fresh database for a peer, in a process of its own: nothing of a peer is loaded where the measuring is done.
import { tellReady } from "../child.ts";
import type { PeerAdapter, PeerContext } from "./adapter.ts";

const { adapter: script, context } = JSON.parse(process.argv[2] ?? "{}") as {
  adapter: string;
  context: PeerContext;
};
const { adapter } = (await import(script)) as { adapter: PeerAdapter };
await adapter.prepare(context);
tellReady({});
