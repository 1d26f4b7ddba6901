import assert from "node:assert/strict";
import { test } from "node:test";
import { builtinServices } from "../../services/builtin/builtin-services.ts";
import { type ConfigurableFlags, withConfig } from "./serve-config.ts";
import type { ServerConfig } from "./server-config.ts";

const flags: ConfigurableFlags = {
  host: "127.0.0.1",
  port: 8080,
  data: "./belay-data",
  store: undefined,
  slots: undefined,
  logLevel: "info",
  shutdownDelay: 0,
  shutdownGrace: 10_000,
  operationFiles: ["flag.ts"],
  execCommands: [],
};

const config: ServerConfig = {
  file: "belay.yaml",
  host: "::1",
  port: 9000,
  data: "/data",
  store: { url: "postgres://db/file" },
  slots: 2,
  logLevel: undefined,
  shutdownDelay: 2,
  shutdownGrace: 1,
  tls: undefined,
  auth: undefined,
  limits: {},
  operationFiles: ["file.ts"],
  operationPlaces: ["belay.yaml:1:1: operations[0]"],
  execCommands: ["a=b"],
  services: builtinServices,
};

test("without a file the flags stay as they are", () => {
  assert.equal(
    withConfig(flags, undefined, () => false),
    flags,
  );
});

test("a file wins over defaults; what it does not say stays", () => {
  assert.deepEqual(
    withConfig(flags, config, () => false),
    {
      host: "::1",
      port: 9000,
      data: "/data",
      store: { url: "postgres://db/file" },
      slots: 2,
      logLevel: "info",
      shutdownDelay: 2,
      shutdownGrace: 1,
      operationFiles: ["file.ts", "flag.ts"],
      execCommands: ["a=b"],
    },
  );
});

test("a flag, or its variable, wins over the file", () => {
  const merged = withConfig(flags, config, (option) => option === "port" || option === "data");
  assert.deepEqual([merged.port, merged.data, merged.host], [8080, "./belay-data", "::1"]);
});
