// For operations.test.ts: a worker in a process of its own that ingests a video, so that it can be killed as a whole.
// Usage: node ingest-worker.fixture.ts MEDIA OUTPUT SOURCE
import { ExampleRun } from "../example-worker.fixture.ts";
import { ingestOperations } from "./operations.ts";

const [media = "", output = "", source = ""] = process.argv.slice(2);
const run = new ExampleRun();
await run.start(ingestOperations({ media, output }), { type: "dai.ingest", input: { source } });
await run.reported("complete");
