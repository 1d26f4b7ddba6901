// `auth:` of belay.yaml, read into an AuthConfig with its defaults. What its values may be is auth-config-check.ts's.
import { z } from "zod";
import {
  type AuthConfig,
  authDefaults,
  type KeySource,
  signingAlgorithms,
} from "../../server/auth/auth-config.ts";

const text = z.string().min(1);
const texts = z.array(text);
const claim = z.strictObject({ claim: text });
const tenant = z
  .union([text, claim], { error: "is no tenant; expected text, or a table with the key claim" })
  .default(authDefaults.tenant);
const fixedTenant = text.default(authDefaults.tenant);
const grants = texts.nullable().default(null);
const claimedGrants = z
  .union([texts, claim, z.null()], {
    error: "are no grants; expected a list of parents, a table with the key claim, or null",
  })
  .default(null);
const scopes = texts.nullable().default(null);
const sha256 = text;
const staticToken = z.strictObject({
  sha256,
  principal: text,
  tenant: fixedTenant,
  scopes,
  grants,
  worker: z.strictObject({ types: texts }).nullable().default(null),
});

/** `file` reads the name of a file that must be there into its absolute path. */
export function authSchema(file: z.ZodType<string, string>): z.ZodType<AuthConfig> {
  const namedKeys = z.array(z.strictObject({ kid: text, publicKeyFile: file }));
  const keySource = z
    .strictObject({
      jwksUri: text.optional(),
      jwksFile: file.optional(),
      publicKeyFile: file.optional(),
      kid: text.nullable().default(null),
    })
    .transform(({ jwksUri, jwksFile, publicKeyFile, kid }, context): KeySource => {
      const given = [
        ...(jwksUri === undefined ? [] : [{ jwksUri }]),
        ...(jwksFile === undefined ? [] : [{ jwksFile }]),
        ...(publicKeyFile === undefined ? [] : [{ publicKeyFile, kid }]),
      ];
      const [source] = given;
      if (source && given.length === 1 && (kid === null || "kid" in source)) return source;
      const message =
        "is no source of keys; expected jwksUri, or jwksFile, or publicKeyFile with an optional kid";
      context.addIssue({ code: "custom", message });
      return z.NEVER;
    });
  return z.strictObject({
    development: z.boolean().default(false),
    issuers: z
      .array(
        z.strictObject({
          issuer: text,
          audiences: texts,
          keys: keySource,
          algorithms: z.array(z.enum(signingAlgorithms)).default([...authDefaults.algorithms]),
          principalClaim: text.default(authDefaults.principalClaim),
          tenant,
          grants: claimedGrants,
          worker: claim.nullable().default(null),
        }),
      )
      .default([]),
    serviceAccounts: z
      .array(
        z.strictObject({
          email: text,
          keys: namedKeys,
          audiences: texts.default([]),
          tenant: fixedTenant,
          grants,
        }),
      )
      .default([]),
    staticTokens: z.array(staticToken).default([]),
    iam: z
      .strictObject({
        oauthTokens: z
          .array(z.strictObject({ sha256, subject: text, tenant: fixedTenant, scopes, grants }))
          .default([]),
        serviceAccounts: z
          .array(z.strictObject({ serviceAccountId: text, keys: namedKeys, tenant: fixedTenant, grants }))
          .default([]),
        tokenLifetimeSeconds: z.int().default(authDefaults.tokenLifetimeSeconds),
        hosts: texts.default([...authDefaults.iamHosts]),
      })
      .nullable()
      .default(null),
  });
}
