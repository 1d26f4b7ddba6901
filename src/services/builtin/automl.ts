// The service `automl`: operations in the shape of the Cloud AutoML API, v1beta1. Its page: `POST
// https://automl.googleapis.com/v1beta1/{name}:cancel`, names below projects/*/locations/*, scope cloud-platform.
import { AutoMl } from "../../protocol/gen/google/cloud/automl/v1beta1/service_pb.ts";
import { defineService } from "../define-service.ts";
import { methodKinds, type ServiceDeclaration } from "../service-declaration.ts";

const SCOPE = "https://www.googleapis.com/auth/cloud-platform";

export const automlService: ServiceDeclaration = defineService({
  id: "automl",
  hosts: ["automl.googleapis.com", "automl.localhost"],
  idPrefix: "aml",
  restPrefix: "/v1beta1",
  parents: ["projects/*/locations/*"],
  restMethods: ["get", "list", "wait", "cancel", "delete"],
  scopes: Object.fromEntries(methodKinds.map((kind) => [kind, [SCOPE]])),
  metadataType: "google.cloud.automl.v1beta1.OperationMetadata",
  types: ["automl.create-model", "automl.delete-model"],
  startServices: [AutoMl],
  title: "Cloud AutoML API",
  documentationLink: "https://cloud.google.com/vision/automl/docs",
});
