// Exits with 0 if the node in this container is ready. BELAY_PORT as for `belay serve`; BELAY_READY_URL where the node
// takes TLS only, for instance https://node-1.example.com:8080/readyz.
const { BELAY_PORT = "8080", BELAY_READY_URL = `http://127.0.0.1:${BELAY_PORT}/readyz` } = process.env;

try {
  const { ok } = await fetch(BELAY_READY_URL, { signal: AbortSignal.timeout(3000) });
  process.exitCode = ok ? 0 : 1;
} catch {
  process.exitCode = 1;
}
