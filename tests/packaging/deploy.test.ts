// deploy/: there is no container engine and no running systemd here, so the files are read by parsers and held against the code
// that they name, and what they run is run by hand: the entry point, the readiness probe, the unit's command.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import type { Command } from "commander";
import { parse } from "yaml";
import { loadConfig } from "../../src/cli/config/load-config.ts";
import type { ServerConfig } from "../../src/cli/config/server-config.ts";
import { parseDuration } from "../../src/cli/duration.ts";
import { exitCodes } from "../../src/cli/exit-codes.ts";
import { createProgram } from "../../src/cli/program.ts";
import { BelayProcess, belayCommand, startServer } from "../cli/belay-process.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const deploy = join(root, "deploy");
const read = (file: string): string => readFileSync(join(deploy, file), "utf8");

/** A copy of deploy/ in which prepare.sh has run. */
let folder: string;
let config: ServerConfig;
before(() => {
  folder = mkdtempSync(join(tmpdir(), "belay-deploy-"));
  cpSync(deploy, folder, { recursive: true, filter: (path) => !path.endsWith("/local") });
  const { status, stderr } = spawnSync("sh", [join(folder, "prepare.sh")], { encoding: "utf8" });
  assert.deepEqual([status, stderr], [0, ""]);
  config = loadConfig(join(folder, "local/belay.yaml"));
});
after(() => rmSync(folder, { recursive: true, force: true }));

/** How long a node with the configuration of deploy/ may take to stop, in milliseconds: 5 s are for calls in flight. */
function stopMs({ shutdownDelay = 0, shutdownGrace = 0 }: ServerConfig): number {
  return shutdownDelay + shutdownGrace + 5000;
}

/** Throws unless the command and each of its flags exist. */
async function checkCommandLine(words: readonly string[]): Promise<void> {
  const program = await createProgram(() => true);
  const command = program.commands.find((one: Command) => one.name() === words[0]);
  assert.ok(command, `belay ${words[0]} does not exist`);
  for (const word of words.filter((one) => one.startsWith("--"))) {
    assert.ok(
      command.options.some(({ long }) => long === word.split("=")[0]),
      `belay ${words[0]} has no ${word}`,
    );
  }
}

test("prepare.sh makes secrets that others cannot reach, and leaves them as they are", () => {
  const local = join(folder, "local");
  assert.equal(statSync(local).mode & 0o777, 0o700);
  const files = ["postgres-password", "caller-token", "worker-token", "belay.yaml"];
  const first = files.map((file) => readFileSync(join(local, file), "utf8"));
  for (const text of first.slice(0, 3)) assert.match(text, /^[0-9a-f]{48}$/);
  assert.equal(spawnSync("sh", [join(folder, "prepare.sh")]).status, 0);
  assert.deepEqual(
    files.map((file) => readFileSync(join(local, file), "utf8")),
    first,
  );
});

test("the node's configuration is one that belay takes, with a caller and a worker", () => {
  assert.deepEqual([config.host, config.port], ["0.0.0.0", 8080]);
  const [caller, worker] = config.auth?.staticTokens ?? [];
  assert.deepEqual([caller?.worker ?? null, worker?.worker], [null, { types: ["*"] }]);
});

// compose.yaml

interface ComposeService {
  [key: string]: unknown;
  image: string;
  command?: string[];
  environment?: Record<string, string>;
  secrets?: string[];
  configs?: { source: string; target: string }[];
  volumes?: string[];
  ports?: string[];
  depends_on?: Record<string, { condition: string }>;
  healthcheck?: { disable?: boolean; test?: string[] };
  build?: { context: string; dockerfile: string };
  stop_grace_period?: string;
}

interface Compose {
  services: Record<string, ComposeService>;
  volumes: Record<string, null>;
  configs: Record<string, { file: string }>;
  secrets: Record<string, { file: string }>;
}

const compose = parse(read("compose.yaml"), { merge: true, strict: true }) as Compose;

/** Of the Compose specification: what the file uses of it. */
const serviceKeys = new Set(
  `image build command environment secrets configs volumes ports networks depends_on healthcheck init read_only tmpfs
   cap_drop security_opt restart stop_grace_period hostname shm_size`.split(/\s+/),
);

test("compose.yaml has one database, two nodes and two workers, and only keys of the specification", () => {
  assert.deepEqual(Object.keys(compose.services), [
    ...["postgres", "migrate", "node-1", "node-2", "worker-1", "worker-2"],
  ]);
  for (const [name, service] of Object.entries(compose.services)) {
    const unknown = Object.keys(service).filter((key) => !serviceKeys.has(key));
    assert.deepEqual(unknown, [], name);
  }
  const top = Object.keys(compose).filter((key) => !key.startsWith("x-"));
  assert.deepEqual(top, ["name", "services", "volumes", "configs", "secrets"]);
});

test("compose.yaml names nothing that it does not define, and no file that is not there", () => {
  for (const [name, service] of Object.entries(compose.services)) {
    for (const secret of service.secrets ?? []) assert.ok(secret in compose.secrets, `${name}: ${secret}`);
    for (const { source } of service.configs ?? [])
      assert.ok(source in compose.configs, `${name}: ${source}`);
    for (const other of Object.keys(service.depends_on ?? {})) assert.ok(other in compose.services, other);
    for (const volume of service.volumes ?? []) {
      const [from = ""] = volume.split(":");
      if (from.startsWith(".")) assert.ok(existsSync(join(folder, from)), `${name}: ${from}`);
      else assert.ok(from in compose.volumes, `${name}: ${from}`);
    }
  }
  for (const { file } of [...Object.values(compose.secrets), ...Object.values(compose.configs)]) {
    assert.ok(existsSync(join(folder, file)), file);
  }
});

test("who waits for a healthy service waits for one with a health check", () => {
  for (const { depends_on: wanted = {} } of Object.values(compose.services)) {
    for (const [other, { condition }] of Object.entries(wanted)) {
      if (condition !== "service_healthy") continue;
      const service = compose.services[other];
      assert.ok(
        service?.healthcheck?.test ?? (service?.image === "belay" && !service.healthcheck?.disable),
        other,
      );
    }
  }
});

test("the services of compose.yaml run commands that exist, with what the image has, and time to stop", async () => {
  for (const [name, service] of Object.entries(compose.services)) {
    if (service.image !== "belay") continue;
    await checkCommandLine(service.command ?? []);
    for (const word of service.command ?? []) {
      if (word.startsWith("/run/secrets/"))
        assert.ok(service.secrets?.includes(word.slice(13)), `${name}: ${word}`);
      if (word.startsWith("/app/"))
        assert.ok(
          service.volumes?.some((volume) => volume.split(":")[1] === word),
          `${name}: ${word}`,
        );
    }
    const stop = parseDuration(service.stop_grace_period ?? "10s") ?? 0;
    const drain = parseDuration(service.command?.[service.command.indexOf("--drain-grace") + 1] ?? "") ?? 0;
    if (service.command?.[0] === "serve") assert.ok(stop > stopMs(config), name);
    if (service.command?.[0] === "work") assert.ok(stop > drain, name);
  }
});

test("no port of compose.yaml is open to other machines, and no secret is in it", () => {
  const ports = Object.values(compose.services).flatMap((service) => service.ports ?? []);
  assert.deepEqual(ports, ["127.0.0.1:8081:8080", "127.0.0.1:8082:8080"]);
  for (const { environment = {} } of Object.values(compose.services)) {
    for (const [name, value] of Object.entries(environment)) {
      if (/PASSWORD|TOKEN/.test(name)) assert.match(value, /^\/run\/secrets\//);
      assert.doesNotMatch(value, /:\/\/[^/@]*:[^/@]*@/);
    }
  }
});

// Containerfile

interface Instruction {
  name: string;
  rest: string;
}

/** The instructions of a Containerfile, with continued lines joined, by stage. */
function stagesOf(text: string): { from: string; as: string | null; instructions: Instruction[] }[] {
  const joined = text.replace(/^#.*\n/gm, "").replace(/\\\n\s*/g, "");
  const stages: { from: string; as: string | null; instructions: Instruction[] }[] = [];
  for (const line of joined.split("\n").filter((one) => one.trim() !== "")) {
    const [, name = "", rest = ""] = /^([A-Z]+) (.+)$/.exec(line) ?? assert.fail(`no instruction: ${line}`);
    if (name === "FROM") {
      const [, from = "", as = null] = /^(\S+)(?: AS (\w+))?$/.exec(rest) ?? [];
      stages.push({ from, as, instructions: [] });
    } else stages.at(-1)?.instructions.push({ name, rest });
  }
  return stages;
}

const stages = stagesOf(read("Containerfile"));
const last = stages.at(-1)?.instructions ?? [];
const instructions = new Set(
  "RUN COPY USER WORKDIR VOLUME ENV EXPOSE STOPSIGNAL HEALTHCHECK ENTRYPOINT CMD".split(" "),
);

test("the Containerfile has known instructions, pinned bases and stages that exist", () => {
  assert.equal(stages.length, 3);
  const { devDependencies } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
    devDependencies: { node: string };
  };
  for (const { from } of stages.slice(0, 2)) assert.equal(from, `node:${devDependencies.node}-bookworm-slim`);
  for (const stage of stages) {
    for (const { name, rest } of stage.instructions) {
      assert.ok(instructions.has(name), name);
      const from = /--from=(\w+)/.exec(rest)?.[1];
      if (from)
        assert.ok(
          stages.some(({ as }) => as === from),
          rest,
        );
      if (/^(?:CMD|ENTRYPOINT) \[/.test(`${name} ${rest}`)) JSON.parse(rest);
    }
  }
});

test("what the image copies from the clone is there, and has all that the package publishes", () => {
  const copied = last
    .filter(({ name, rest }) => name === "COPY" && rest.includes("--from=build"))
    .flatMap(({ rest }) => rest.split(" ").filter((word) => word.startsWith("/src/")));
  const missing = copied
    .map((path) => path.slice(5))
    .filter((path) => path !== "dist" && !existsSync(join(root, path)));
  assert.deepEqual(missing, []);
  const { files } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { files: string[] };
  // The dashboard is for Grafana, wherever that is.
  const wanted = files.filter((file) => file !== "dashboards");
  assert.deepEqual(
    wanted.filter((file) => !copied.includes(`/src/${file}`)),
    [],
  );
});

test("the last stage runs as a user of its own, builds nothing, and says how it is asked for its health", () => {
  const users = last.filter(({ name }) => name === "USER").map(({ rest }) => rest);
  assert.deepEqual(users, ["10001:10001"]);
  const userAt = last.findIndex(({ name }) => name === "USER");
  assert.ok(last.slice(userAt).every(({ name }) => name !== "RUN" && name !== "COPY"));
  for (const { name, rest } of last) {
    if (name === "RUN") assert.doesNotMatch(rest, /npm|apt|curl|wget|gcc|make|python/);
  }
  const health = last.find(({ name }) => name === "HEALTHCHECK")?.rest ?? "";
  assert.match(health, /CMD \["node", "\/app\/ready\.js"\]$/);
  assert.ok(last.some(({ name, rest }) => name === "STOPSIGNAL" && rest === "SIGTERM"));
});

// The units

/** The settings of a unit, each with all of its values. */
function unitOf(file: string): Map<string, string[]> {
  const settings = new Map<string, string[]>();
  for (const line of read(file).split("\n")) {
    if (line === "" || line.startsWith("#") || /^\[\w+\]$/.test(line)) continue;
    const [, key = "", value = ""] = /^(\w+)=(.*)$/.exec(line) ?? assert.fail(`${file}: ${line}`);
    settings.set(key, [...(settings.get(key) ?? []), value]);
  }
  return settings;
}

for (const file of ["belay.service", "belay-worker.service"]) {
  test(`${file} runs a command that exists, and gives it time to stop`, async () => {
    const unit = unitOf(file);
    const [words = ""] = unit.get("ExecStart") ?? [];
    assert.match(words, /^\/usr\/bin\/node \/opt\/belay\/bin\/belay\.js /);
    const line = words.split(" ").slice(2);
    await checkCommandLine(line);
    const timeout = parseDuration(unit.get("TimeoutStopSec")?.[0] ?? "") ?? 0;
    const drain = parseDuration(line[line.indexOf("--drain-grace") + 1] ?? "") ?? stopMs(config);
    assert.ok(timeout > drain, `${timeout} ms`);
    const [hopeless = ""] = unit.get("RestartPreventExitStatus") ?? [];
    assert.deepEqual(hopeless.split(" ").map(Number), [exitCodes.REFUSED, exitCodes.CONFIG]);
    assert.equal(unit.get("KillMode")?.[0], "mixed");
    assert.notEqual(unit.get("User")?.[0], "root");
    assert.deepEqual(unit.get("NoNewPrivileges"), ["yes"]);
  });

  const analyze = spawnSync("systemd-analyze", ["--version"]).status === 0;
  test(`${file} is one that systemd understands`, { skip: !analyze && "systemd-analyze is not here" }, () => {
    const { stdout, stderr } = spawnSync("systemd-analyze", ["verify", join(deploy, file)], {
      encoding: "utf8",
    });
    // Whether Node is where the unit has it is a matter of the machine.
    const lines = `${stdout}${stderr}`
      .split("\n")
      .filter((line) => line !== "" && !/node is not executable/.test(line));
    assert.deepEqual(lines, []);
  });
}

test("the unit's command starts a node on the configuration of deploy/, which is ready and stops in order", async (t) => {
  const [words = ""] = unitOf("belay.service").get("ExecStart") ?? [];
  const data = join(folder, "data");
  // The words of the unit, with this machine's places for the unit's, and any free port.
  const places: Record<string, string> = {
    "/etc/belay/belay.yaml": join(folder, "local/belay.yaml"),
    "/var/lib/belay": data,
  };
  const args = words
    .split(" ")
    .slice(2)
    .map((word) => places[word] ?? word);
  mkdirSync(data);
  const server = new BelayProcess([...belayCommand, ...args, "--port", "0", "--shutdown-delay", "1s"], {
    cwd: data,
  });
  t.after(() => server.child.kill("SIGKILL"));
  const [, port = ""] = await server.says("stdout", /serving on http:\/\/[^:]*:(\d+)/);
  const ready = (): number | null =>
    spawnSync(process.execPath, [join(deploy, "ready.js")], { env: { ...process.env, BELAY_PORT: port } })
      .status;
  assert.equal(ready(), 0);
  const token = readFileSync(join(folder, "local/caller-token"), "utf8");
  const list = (authorization: string): Promise<Response> =>
    fetch(`http://127.0.0.1:${port}/v1/operations`, { headers: { authorization } });
  assert.deepEqual([(await list(`Bearer ${token}`)).status, (await list("Bearer wrong")).status], [200, 401]);
  server.child.kill("SIGTERM");
  assert.equal((await server.ended).code, 0);
  assert.equal(ready(), 1);
});

test("a worker of compose.yaml takes the example's operations from a node, with its token", async (t) => {
  const server = await startServer(t, ["--config", join(folder, "local/belay.yaml"), "--host", "127.0.0.1"]);
  const { command = [] } = compose.services["worker-1"] ?? {};
  const places: Record<string, string> = {
    "/app/handlers/operations.js": join(deploy, "example-operations.js"),
    "/run/secrets/worker-token": join(folder, "local/worker-token"),
  };
  const args = command.map((word) => places[word] ?? word);
  const worker = new BelayProcess([...belayCommand, ...args], { env: { BELAY_SERVER: server.address } });
  t.after(() => worker.child.kill("SIGKILL"));
  await worker.says("stdout", /worker worker-1 serves example\.wait, text\.count/);
  const headers = {
    authorization: `Bearer ${readFileSync(join(folder, "local/caller-token"), "utf8")}`,
    "content-type": "application/json",
  };
  const call = async (path: string, body: object): Promise<Record<string, unknown>> => {
    const init = { method: "POST", headers, body: JSON.stringify(body) };
    return (await (await fetch(`http://${server.address}${path}`, init)).json()) as Record<string, unknown>;
  };
  const started = await call("/belay/v1/operations", {
    type: "text.count",
    payload: { text: "one two three" },
  });
  const ended = await call(`/belay/v1/${started["name"]}:wait`, { timeout: "20s" });
  assert.match(JSON.stringify(ended), /"state":"SUCCEEDED".*"words":3/);
});

test("the entry point hands the password of a file to belay, and its words", () => {
  const script = join(folder, "entry.sh");
  const stand = join(folder, "stand-in.mjs");
  writeFileSync(stand, "console.log(process.env.PGPASSWORD, process.argv.slice(2).join(' '));");
  writeFileSync(script, read("entrypoint.sh").replace("/app/bin/belay.js", stand));
  const env = { ...process.env, PGPASSWORD_FILE: join(folder, "local/postgres-password") };
  const { stdout } = spawnSync("sh", [script, "serve", "--port", "1"], { encoding: "utf8", env });
  assert.equal(stdout, `${readFileSync(join(folder, "local/postgres-password"), "utf8")} serve --port 1\n`);
});
