// belay token: mints a token for development, or hashes one for the configuration. The token, or the hash, is all that
// is printed on standard output.
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { type Command, InvalidArgumentError, Option } from "commander";
import { wallClockInstant } from "../../base/clock.ts";
import {
  authLimits,
  GRANT_PATTERN,
  SCOPE_PATTERN,
  TENANT_PATTERN,
  TOKEN_PATTERN,
} from "../../server/auth/auth-config.ts";
import { mintDevelopmentToken, openDevelopmentKey } from "../../server/auth/development-tokens.ts";
import { tokenHash } from "../../server/auth/token-hash.ts";
import { addExamples, durationOption, repeatableOption } from "../command-options.ts";
import { CliError, exitCodes } from "../exit-codes.ts";
import { printLine } from "../output.ts";

interface TokenOptions {
  principal: string;
  tenant: string;
  scope?: string[];
  grant?: string[];
  /** Milliseconds. */
  expires: number;
  data: string;
  hash?: true;
}

const EXPIRES_MIN_MS = 1_000;
const EXPIRES_MAX_MS = 30 * 86_400_000;

/** A hash hides only what cannot be guessed. */
const STATIC_TOKEN_LENGTH_MIN = 16;

/** Defines `belay token`. */
export function defineToken(command: Command): void {
  command
    .description(
      "Mints a bearer token for development, and prints it. A server takes it if it runs on the same data folder with " +
        "auth.development: true. The key that signs it is made there at first use; whoever can read it can be anybody. " +
        "With --hash, reads a token of your own from standard input and prints its hash, for auth.staticTokens.",
    )
    .addOption(
      new Option("--principal <name>", "who the token is for, as createdBy shows it")
        .argParser(principalOption)
        .default("user:developer"),
    )
    .addOption(
      new Option("--tenant <tenant>", "the tenant: callers see the operations of their own one only")
        .argParser(matching(TENANT_PATTERN, "write 1-63 characters of [A-Za-z0-9._-]"))
        .default("default"),
    )
    .option(
      "--scope <scope>",
      "an OAuth scope that it has; repeatable; none: not limited to scopes",
      scopeOption,
    )
    .option(
      "--grant <parent>",
      "a parent whose operations it reaches: operations for the root, or projects/p; repeatable; none: every parent",
      grantOption,
    )
    .addOption(
      new Option("--expires <duration>", "how long it is good, up to 30d")
        .argParser(expiresOption)
        .default(3_600_000, "1h"),
    )
    .addOption(
      new Option("--data <folder>", "the server's data folder").env("BELAY_DATA").default("./belay-data"),
    )
    .addOption(
      new Option("--hash", "print the SHA-256 of the token on standard input").conflicts([
        "principal",
        "tenant",
        "scope",
        "grant",
        "expires",
      ]),
    );
  addExamples(command, [
    "TOKEN=$(belay token --principal user:ada --expires 8h)",
    "belay token --scope https://www.googleapis.com/auth/ediscovery --grant operations",
    "head -c 32 /dev/urandom | base64 | belay token --hash",
  ]);
  command.action((options: TokenOptions) => (options.hash ? hashToken() : mintToken(options)));
}

async function mintToken({ principal, tenant, scope, grant, expires, data }: TokenOptions): Promise<void> {
  const now = wallClockInstant();
  const caller = { id: principal, tenant, scopes: scope ?? null, grants: grant ?? null };
  const lifetimeSeconds = Math.ceil(expires / 1000);
  try {
    const key = openDevelopmentKey(join(data, "identity"), now);
    printLine(await mintDevelopmentToken(key, caller, { now, lifetimeSeconds }));
  } catch (error) {
    const problem = error instanceof Error ? error.message : String(error);
    throw new CliError(`no token can be made with the data folder ${data}: ${problem}`, exitCodes.STORAGE);
  }
}

async function hashToken(): Promise<void> {
  const token = (await text(process.stdin)).replace(/\r?\n$/, "");
  if (token.length < STATIC_TOKEN_LENGTH_MIN) {
    const limit = `a random one of at least ${STATIC_TOKEN_LENGTH_MIN} characters`;
    throw new CliError(`the token is too short (${token.length}); use ${limit}`);
  }
  if (!TOKEN_PATTERN.test(token)) {
    throw new CliError(
      "the token has a character that no authorization header takes; use [A-Za-z0-9-._~+/:=]",
    );
  }
  printLine(tokenHash(token).toString("hex"));
}

function principalOption(value: string): string {
  const { principalLengthMax } = authLimits;
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is refused
  if (value !== "" && value.length <= principalLengthMax && !/[\u0000-\u001f\u007f-\u009f]/.test(value))
    return value;
  throw new InvalidArgumentError(`write 1-${principalLengthMax} characters`);
}

function scopeOption(value: string, previous?: string[]): string[] {
  matching(SCOPE_PATTERN, "write one scope, without spaces")(value);
  return repeatableOption(value, previous);
}

function grantOption(value: string, previous?: string[]): string[] {
  matching(GRANT_PATTERN, "write operations, or a parent such as projects/p")(value);
  return repeatableOption(value, previous);
}

function expiresOption(value: string): number {
  const expiresMs = durationOption(value);
  if (expiresMs >= EXPIRES_MIN_MS && expiresMs <= EXPIRES_MAX_MS) return expiresMs;
  throw new InvalidArgumentError("write a duration of 1s to 30d");
}

function matching(pattern: RegExp, hint: string): (value: string) => string {
  return (value) => {
    if (!pattern.test(value)) throw new InvalidArgumentError(hint);
    return value;
  };
}
