// yandex.cloud.iam.v1.IamTokenService: exchanges OAuth tokens and signed JSON Web Tokens for IAM tokens. Who is known,
// and how tokens are signed, is behind the IamTokens port (src/server/auth/iam-tokens.ts).
import { create, type DescMethod, type Message, toBinary, toJsonString } from "@bufbuild/protobuf";
import { type Instant, MICROS_PER_SECOND } from "../../base/clock.ts";
import { invalidField, RpcError } from "../../base/rpc-error.ts";
import {
  type CreateIamTokenForServiceAccountRequest,
  type CreateIamTokenRequest,
  type CreateIamTokenResponse,
  CreateIamTokenResponseSchema,
  IamTokenService,
  type RevokeIamTokenRequest,
  type RevokeIamTokenResponse,
  RevokeIamTokenResponseSchema,
} from "../../protocol/gen/yandex/cloud/iam/v1/iam_token_service_pb.ts";
import type { ServiceDefinition, ServiceMethod } from "../method.ts";

const OAUTH_TOKEN_LENGTH_MAX = 4000;
const JWT_LENGTH_MAX = 8000;
const IAM_TOKEN_LENGTH_MAX = 4096;

export interface IamToken {
  /** Never empty: clients would then call without an authorization header. */
  readonly token: string;
  /** In whole seconds. */
  readonly expiresAt: Instant;
}

/** Makes and ends IAM tokens. */
export interface IamTokens {
  /** Throws ACCESS_TOKEN_INVALID for a token that is not known. */
  exchangeOauthToken(oauthToken: string): Promise<IamToken>;
  /** Throws ACCESS_TOKEN_INVALID, ACCESS_TOKEN_EXPIRED. */
  exchangeJwt(jwt: string): Promise<IamToken>;
  /**
   * Ends a token, durably before it resolves; answers its subject. Undefined: it is none of ours.
   * Throws OVERLOADED, STORAGE_UNAVAILABLE.
   */
  revoke(iamToken: string): Promise<string | undefined>;
}

/** The service. Create and Revoke are public: what they are given is the credential. */
export function createIamTokenService(tokens: IamTokens): ServiceDefinition {
  return {
    desc: IamTokenService,
    methods: [
      createToken(tokens),
      createForServiceAccount(),
      revokeToken(tokens),
    ] as readonly ServiceMethod[],
  };
}

function createToken(tokens: IamTokens): ServiceMethod<CreateIamTokenRequest, CreateIamTokenResponse> {
  return {
    ...encodersOf<CreateIamTokenResponse>(IamTokenService.method.create),
    isPublic: true,
    async invoke({ identity }) {
      const { token, expiresAt } = await exchange(tokens, identity);
      return create(CreateIamTokenResponseSchema, {
        iamToken: token,
        expiresAt: { seconds: BigInt(Math.floor(expiresAt / MICROS_PER_SECOND)), nanos: 0 },
      });
    },
  };
}

async function exchange(tokens: IamTokens, identity: CreateIamTokenRequest["identity"]): Promise<IamToken> {
  switch (identity.case) {
    case "yandexPassportOauthToken":
      checkLength("yandex_passport_oauth_token", identity.value, OAUTH_TOKEN_LENGTH_MAX);
      return await tokens.exchangeOauthToken(identity.value);
    case "jwt":
      checkLength("jwt", identity.value, JWT_LENGTH_MAX);
      return await tokens.exchangeJwt(identity.value);
    default:
      // An SDK whose token variable is not set sends this.
      throw invalidField("identity", "is not set; send yandex_passport_oauth_token or jwt");
  }
}

/** Acting for another account would need a permission model that Belay does not have. */
function createForServiceAccount(): ServiceMethod<
  CreateIamTokenForServiceAccountRequest,
  CreateIamTokenResponse
> {
  const desc = IamTokenService.method.createForServiceAccount;
  return {
    ...encodersOf<CreateIamTokenResponse>(desc),
    invoke(): never {
      throw new RpcError("METHOD_NOT_SUPPORTED", { method: `${desc.parent.typeName}/${desc.name}` });
    },
  };
}

function revokeToken(tokens: IamTokens): ServiceMethod<RevokeIamTokenRequest, RevokeIamTokenResponse> {
  return {
    ...encodersOf<RevokeIamTokenResponse>(IamTokenService.method.revoke),
    isPublic: true,
    async invoke({ iamToken }) {
      checkLength("iam_token", iamToken, IAM_TOKEN_LENGTH_MAX);
      const subjectId = await tokens.revoke(iamToken);
      if (subjectId === undefined) throw invalidField("iam_token", "is no IAM token of this server");
      return create(RevokeIamTokenResponseSchema, { subjectId });
    },
  };
}

function checkLength(field: string, value: string, lengthMax: number): void {
  if (value === "") throw invalidField(field, "is empty");
  if (value.length > lengthMax) {
    throw invalidField(field, `has ${value.length} characters; at most ${lengthMax} are taken`);
  }
}

function encodersOf<Reply extends Message>(
  desc: DescMethod,
): Pick<ServiceMethod<never, Reply>, "desc" | "encodeBinary" | "encodeJson"> {
  return {
    desc,
    encodeBinary: (reply) => toBinary(desc.output, reply),
    encodeJson: (reply) => toJsonString(desc.output, reply),
  };
}
