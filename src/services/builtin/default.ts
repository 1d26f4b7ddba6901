// The service `default`: every host that no other service has, any parent, every type that no other service claims.
import { defineService } from "../define-service.ts";
import type { ServiceDeclaration } from "../service-declaration.ts";

export const defaultService: ServiceDeclaration = defineService({
  id: "default",
  idPrefix: "opr",
  parents: ["**"],
  title: "Long-running operations",
});
