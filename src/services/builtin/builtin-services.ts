// The services that every server has unless it is told otherwise, `default` first.
import type { ServiceDeclaration } from "../service-declaration.ts";
import { automlService } from "./automl.ts";
import { daiService } from "./dai.ts";
import { defaultService } from "./default.ts";
import { vaultService } from "./vault.ts";
import { yandexService } from "./yandex.ts";

/** The built-in services. belay.yaml may extend each by its id. */
export const builtinServices: readonly ServiceDeclaration[] = [
  defaultService,
  vaultService,
  daiService,
  automlService,
  yandexService,
];
