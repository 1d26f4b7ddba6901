// The five systems of the tour: the work of each, where it is seen from outside, and who drives it.
import { execFileSync } from "node:child_process";
import { createRequire } from "node:module";
import { join } from "node:path";
import { missing as missingFfmpeg } from "../../examples/dai-ingest/ffmpeg.ts";
import type { Client } from "./clients/client.ts";
import { type CurlCalls, createCurlClient } from "./clients/curl-client.ts";
import {
  createAutomlClient,
  createCommandClient,
  createVaultClient,
  createYandexClient,
  installedVersion,
} from "./clients/own-clients.ts";
import type { TourFolders, TourServer } from "./tour-server.ts";
import {
  halfMadeLookout,
  type Lookout,
  lookouts,
  openFileLookout,
  processLookout,
  threadLookout,
} from "./work-pieces.ts";

/** What the systems are shown with. */
export interface TourWorld {
  root: string;
  server: TourServer;
  folders: TourFolders;
  /** A proxy that leads the hosts of Yandex Cloud to the main port. */
  proxyUrl: string;
  /** A recognition request, JSON. */
  pageFile: string;
  /** `curl 8.14.1`. */
  curl: string;
  /** Take curl even where the real client is installed. */
  isCurlOnly: boolean;
  signal: AbortSignal;
}

export interface System {
  /** The service's id. */
  id: string;
  title: string;
  example: string;
  /** The package of its own client, which the interop tests install; null if it has none. */
  package: string | null;
  /** Why it cannot be shown here and how that is changed, in one line; null if nothing is missing. */
  missing(root: string): string | null;
  /** Remembers what is there before the start; what it answers then sees the work. */
  watch(world: TourWorld): Lookout;
  client(world: TourWorld): Client;
}

/** Where an operation of the google dialect is, below its host. */
const atHost =
  (origin: string): CurlCalls["operationUrl"] =>
  (operation) =>
    `${origin}/${operation}`;

function curlClient(world: TourWorld, calls: CurlCalls): Client {
  const { server, curl, signal } = world;
  return createCurlClient({ port: server.port, ca: server.ca, signal }, curl, calls);
}

/** Its own client, if its package is there and wanted. */
function ownVersion({ isCurlOnly }: TourWorld, name: string): string | null {
  return isCurlOnly ? null : installedVersion(name);
}

function portOf({ server }: TourWorld, id: string): number {
  const port = server.servicePorts[id];
  if (port === undefined) throw new Error(`service ${id} has no port`);
  return port;
}

/** For examples that need a package: it comes with every install but for one that left something out. */
function missingPackage(example: string, name: string): System["missing"] {
  return (root) => {
    try {
      createRequire(join(root, "examples", example, "package.json")).resolve(name);
      return null;
    } catch {
      return `${name} is not installed; npm install gets it`;
    }
  };
}

const yandex: System = {
  id: "yandex",
  title: "text recognition, in the shape of Yandex Vision",
  example: "ocr",
  package: "@yandex-cloud/nodejs-sdk",
  missing: missingPackage("ocr", "tesseract.js"),
  watch: ({ server }) => threadLookout(server.pid, "yandex.recognize"),
  client(world) {
    const { pageFile, proxyUrl, server, folders, signal } = world;
    const version = ownVersion(world, "@yandex-cloud/nodejs-sdk");
    if (version === null) {
      return curlClient(world, {
        start: {
          url: "https://ocr.api.cloud.yandex.net/ocr/v1/recognizeTextAsync",
          body: { file: pageFile },
        },
        operationUrl: atHost("https://operation.api.cloud.yandex.net/operations"),
        cancelMethod: "GET",
      });
    }
    const folder = join(folders.top, "sample");
    return createYandexClient({ version, signal, requestFile: pageFile, proxyUrl, ca: server.ca, folder });
  },
};

const vaultRequest = { query: { corpus: "MAIL", terms: "merger -label:drafts" }, view: "ALL" };

const vault: System = {
  id: "vault",
  title: "counting mail, in the shape of Google Vault",
  example: "vault-count",
  package: "googleapis",
  missing: () => null,
  watch: ({ server, folders }) =>
    lookouts(threadLookout(server.pid, "vault.count-artifacts"), openFileLookout(server.pid, folders.mail)),
  client(world) {
    const version = ownVersion(world, "googleapis");
    const { signal } = world;
    if (version === null) {
      return curlClient(world, {
        start: { url: "https://vault.googleapis.com/v1/matters/m1:count", body: vaultRequest },
        operationUrl: atHost("https://vault.googleapis.com/v1"),
        cancelMethod: "POST",
      });
    }
    return createVaultClient({ version, signal, port: portOf(world, "vault"), request: vaultRequest });
  },
};

const dai: System = {
  id: "dai",
  title: "cutting a video, in the shape of Video Creative Ingest",
  example: "dai-ingest",
  package: null,
  missing: missingFfmpeg,
  watch: ({ server, folders }) =>
    lookouts(
      processLookout(server.pid, /ffmpeg -nostdin/),
      processLookout(server.pid, /dai-ingest\/ingest\.ts/),
      halfMadeLookout(join(folders.output, ".partial")),
    ),
  client: (world) =>
    curlClient(world, {
      start: {
        url: "https://dai.googleapis.com/belay/v1/operations",
        body: { type: "dai.ingest", payload: { seconds: 60 } },
      },
      operationUrl: atHost("https://dai.googleapis.com/v1"),
      cancelMethod: "POST",
    }),
};

const parent = "projects/p/locations/us-central1";
const model = { displayName: "digits_1", datasetId: "digits", imageClassificationModelMetadata: {} };

const automl: System = {
  id: "automl",
  title: "training an image classifier, in the shape of Cloud AutoML",
  example: "automl-train",
  package: "@google-cloud/automl",
  missing: missingPackage("automl-train", "mnist"),
  watch: ({ server }) => threadLookout(server.pid, "automl.create-model"),
  client(world) {
    const version = ownVersion(world, "@google-cloud/automl");
    const { signal } = world;
    if (version === null) {
      return curlClient(world, {
        start: { url: `https://automl.googleapis.com/v1beta1/${parent}/models`, body: model },
        operationUrl: atHost("https://automl.googleapis.com/v1beta1"),
        cancelMethod: "POST",
      });
    }
    return createAutomlClient({ version, signal, port: portOf(world, "automl"), parent, model });
  },
};

const own: System = {
  id: "default",
  title: "a command that ignores SIGTERM, by Belay's own API",
  example: "exec",
  package: null,
  missing: () => null,
  watch: ({ server }) => processLookout(server.pid, /exec\/countdown\.sh/),
  client({ root, server, signal }) {
    const payload = { from: 60, stubborn: true };
    const version = "the belay command";
    return createCommandClient({ version, signal, root, port: server.port, type: "exec.countdown", payload });
  },
};

/** In the order of the tour. */
export const systems: readonly System[] = [yandex, vault, dai, automl, own];

/** A recognition request that takes a while: several pages of the example's letter in one image. */
export function makePageRequest(root: string): string {
  const program = join(root, "examples/ocr/page-request.ts");
  return execFileSync(process.execPath, [program, "letter", "--pages", "9"], { encoding: "utf8" });
}
