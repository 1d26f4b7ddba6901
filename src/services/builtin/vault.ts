// The service `vault`: operations in the shape of the Vault API, v1. Its page: `POST
// https://vault.googleapis.com/v1/{name=operations/**}:cancel`, scope ediscovery. Its discovery document lists cancel,
// delete, get and list, no wait, and opens get and list to ediscovery.readonly too.
import { VaultService } from "../../protocol/gen/vault/v1/vault_service_pb.ts";
import { defineService } from "../define-service.ts";
import type { ServiceDeclaration } from "../service-declaration.ts";

const WRITE = "https://www.googleapis.com/auth/ediscovery";
const READ = "https://www.googleapis.com/auth/ediscovery.readonly";

export const vaultService: ServiceDeclaration = defineService({
  id: "vault",
  hosts: ["vault.googleapis.com", "vault.localhost"],
  idPrefix: "vlt",
  restMethods: ["get", "list", "cancel", "delete"],
  scopes: {
    get: [WRITE, READ],
    list: [WRITE, READ],
    wait: [WRITE, READ],
    start: [WRITE],
    cancel: [WRITE],
    delete: [WRITE],
  },
  types: ["vault.count", "vault.count-artifacts"],
  startServices: [VaultService],
  title: "Vault API",
  documentationLink: "https://developers.google.com/vault",
  discoveryVersion: "v1",
});
