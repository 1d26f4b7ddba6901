// The service `dai`: operations in the shape of the Video Creative Ingest API, v1. Its page: `POST
// https://dai.googleapis.com/v1/{name=operations/**}:cancel`; it names no scope, so none is asked for. Wait is gRPC's only.
import { defineService } from "../define-service.ts";
import type { ServiceDeclaration } from "../service-declaration.ts";

export const daiService: ServiceDeclaration = defineService({
  id: "dai",
  hosts: ["dai.googleapis.com", "dai.localhost"],
  idPrefix: "dai",
  restMethods: ["get", "list", "cancel", "delete"],
  types: ["dai.ingest", "dai.campaign"],
  title: "Video Creative Ingest API",
  documentationLink: "https://developers.google.com/video-creative-ingest",
  discoveryVersion: "v1",
});
