// What the server would tell the documents of a built-in service, without a server: for the tests of the documents.
import { type DescService, getOption, hasOption } from "@bufbuild/protobuf";
import { Operations as NativeOperations, OperationStarter } from "../protocol/gen/belay/v1/operations_pb.ts";
import { http } from "../protocol/gen/google/api/annotations_pb.ts";
import type { HttpRule as AnnotatedRule } from "../protocol/gen/google/api/http_pb.ts";
import { Operations } from "../protocol/gen/google/longrunning/operations_pb.ts";
import { OperationService } from "../protocol/gen/yandex/cloud/operation/operation_service_pb.ts";
import type { DocumentedMethod, DocumentedRule, DocumentedService } from "./documents.ts";
import { httpRules } from "./google/http-rules.ts";
import type { HttpRule, HttpRules } from "./http-rule.ts";
import type { MethodKind, ServiceDeclaration } from "./service-declaration.ts";
import { yandexHttpRules } from "./yandex/http-rules.ts";

/** The service with its operations, Belay's own surface, and its start methods. */
export function documentedService(declaration: ServiceDeclaration): DocumentedService {
  const own =
    declaration.dialect === "yandex"
      ? declaredMethods(OperationService, yandexHttpRules(declaration))
      : declaredMethods(Operations, httpRules(declaration));
  const annotated = [NativeOperations, ...declaration.startServices];
  if (declaration.id === "default") annotated.push(OperationStarter);
  return { declaration, methods: [...own, ...annotated.flatMap(annotatedMethods)], hasIdentity: true };
}

function declaredMethods({ methods }: DescService, rules: HttpRules): DocumentedMethod[] {
  return methods.flatMap((desc) => {
    const documented = (rules[desc.name] ?? []).map(documentedRule);
    return documented.length === 0
      ? []
      : [{ desc, kind: kindOf(desc.name), isPublic: false, rules: documented }];
  });
}

/** The methods of a service that have google.api.http. */
export function annotatedMethods({ methods }: DescService): DocumentedMethod[] {
  return methods.flatMap((desc) => {
    if (!hasOption(desc, http)) return [];
    const rule = getOption(desc, http);
    const rules = [rule, ...rule.additionalBindings].map(ruleOfAnnotation);
    return [{ desc, kind: kindOf(desc.name), isPublic: false, rules }];
  });
}

function documentedRule({ get, post, delete: remove, body = "" }: HttpRule): DocumentedRule {
  const httpMethod = get !== undefined ? "GET" : post !== undefined ? "POST" : "DELETE";
  return { httpMethod, path: get ?? post ?? remove ?? "", body };
}

function ruleOfAnnotation({ pattern, body }: AnnotatedRule): DocumentedRule {
  const path = typeof pattern.value === "string" ? pattern.value : "";
  return { httpMethod: (pattern.case ?? "").toUpperCase(), path, body };
}

function kindOf(name: string): MethodKind {
  const verb = /^(Get|List|Wait|Cancel|Delete)/.exec(name)?.[1]?.toLowerCase();
  return (verb as MethodKind | undefined) ?? "start";
}
