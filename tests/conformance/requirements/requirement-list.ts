// The requirements R1-R58 in our own words, each with where it comes from. What is decided where a text leaves a choice is
// said too. The rows that check them are in rows-*.ts.

export interface Requirement {
  readonly rule: number;
  readonly section: string;
  /** One sentence. */
  readonly asks: string;
  readonly source: string;
  /** Where the text says "should", or leaves the choice, what was chosen; or what is not whole. */
  readonly note?: string;
  /** Why no row checks it. */
  readonly leftOut?: string;
}

const LRO = "google/longrunning/operations.proto";
const HTTP = "AIP-127, google/api/http.proto";
const ERRORS = "AIP-193";
const YANDEX = "yandex/cloud/operation/operation_service.proto";
const JSON_GUIDE = "ProtoJSON guide (protobuf.dev)";

type Entry = readonly [
  rule: number,
  asks: string,
  source: string,
  more?: { note?: string; leftOut?: string },
];

function section(name: string, entries: readonly Entry[]): Requirement[] {
  return entries.map(([rule, asks, source, more = {}]) => ({ rule, section: name, asks, source, ...more }));
}

export const requirements: readonly Requirement[] = [
  ...section("google.longrunning.Operations", [
    [1, "Get, List, Delete, Cancel and Wait are served; where one is not, it is UNIMPLEMENTED.", LRO],
    [
      2,
      "The HTTP paths of the proto are served; Wait is POST .../{name}:wait.",
      LRO,
      { note: "vault and dai have no REST path for Wait, as in their own documents" },
    ],
    [3, "Names may stand below many parents, and below another prefix.", "google/spanner/v1/spanner.yaml"],
    [4, "The server makes the name; it is unique and ends with operations/{id}.", LRO],
    [5, "Unfinished: neither error nor response. Done: exactly one of them.", LRO],
    [6, "Cancel answers Empty and only begins to cancel.", LRO],
    [7, "A cancelled operation stays, done, with error.code 1.", LRO],
    [8, "Work that completes despite the cancel keeps its own outcome.", LRO],
    [
      9,
      "Delete says that nobody is interested any more; it does not cancel.",
      LRO,
      {
        note: "the work runs on, hidden, unless its type says otherwise; a type may refuse with FAILED_PRECONDITION",
      },
    ],
    [
      10,
      "Wait answers at the end, or after the shorter of timeout and RPC deadline, which is no error.",
      LRO,
    ],
    [
      11,
      "List has the proto's fields; an unsupported return_partial_success is UNIMPLEMENTED.",
      `${LRO}, AIP-217`,
    ],
    [
      12,
      "Metadata tells progress, create time, and whether a cancel was requested.",
      "AIP-151, google/cloud/notebooks/v1/service.proto",
    ],
    [
      13,
      "The response is of the type that the method documents; with nothing to say, Empty.",
      "AIP-151, google/longrunning/operations.proto (operation_info)",
    ],
    [
      14,
      "Metadata bytes change only when something happened: clients take a change for progress.",
      "google-gax, longrunning.ts",
    ],
  ]),
  ...section("Starting: AIP-151, 152, 163", [
    [
      15,
      "A start answers one Operation; what prevents it is an RPC error, what fails later is Operation.error.",
      "AIP-151",
    ],
    [
      16,
      "validate_only answers a done operation with a valid response, or the error of a real start.",
      "AIP-163",
    ],
    [
      17,
      "A resource that takes no parallel operations refuses or queues them.",
      "AIP-151",
      { note: "queued; nothing is refused with ABORTED" },
    ],
    [
      18,
      "Done operations may expire, running ones never.",
      "AIP-151",
      { note: "after 30 days, or the type's own retention" },
    ],
    [
      19,
      "A job resource is run by POST ...:run, with executions below it.",
      "AIP-152",
      {
        leftOut:
          "there are no job resources here: an API that has them declares its :run method as a start method (R15), and keeps the resource itself",
      },
    ],
  ]),
  ...section("Yandex Cloud operations", [
    [
      20,
      "Get and Cancel (a GET) answer the Operation with its nine fields; operation_id is required.",
      YANDEX,
    ],
    [
      21,
      "A GET that cancels is guarded: no-store, no prefetch, no other site; POST does the same.",
      "AIP-136, RFC 9111, Fetch Metadata",
    ],
    [22, "error is never set before done.", `${YANDEX}, @yandex-cloud/nodejs-sdk (waitForOperation)`],
    [
      23,
      "Idempotency-Key makes a start repeatable; lists are per resource.",
      "yandex.cloud API design guide",
    ],
  ]),
  ...section("Transcoding", [
    [24, "The grammar of path templates.", HTTP],
    [25, "One segment is decoded whole, several keep %2F.", HTTP],
    [
      26,
      "What is in neither path nor body comes as query parameters, in either spelling, primitives only.",
      HTTP,
    ],
    [27, "POST ...:cancel works with an empty body and with none.", HTTP],
  ]),
  ...section("Errors", [
    [28, "Each code has its HTTP status, and the most specific code is used.", "google/rpc/code.proto"],
    [
      29,
      "The body of an error is the one of AIP-193 (yandex: a bare google.rpc.Status); an operation's own code is the gRPC number.",
      ERRORS,
    ],
    [
      30,
      "One ErrorInfo with reason, domain and every dynamic part of the message; each detail type once.",
      ERRORS,
    ],
    [
      31,
      "BadRequest, RetryInfo and RequestInfo where they help; on gRPC in grpc-status-details-bin.",
      `${ERRORS}, grpc.io error guide`,
    ],
  ]),
  ...section("Authorization", [
    [32, "First who calls, then what they may, then the request's form, then what exists.", "AIP-211"],
    [
      33,
      "Without permission the answer is the same for what exists and what does not.",
      "AIP-211, AIP-193",
      { note: "an id of the yandex dialect has no parent to be denied: it is NOT_FOUND either way" },
    ],
    [34, "Only the permission of the called method counts; a page token carries none.", "AIP-211"],
  ]),
  ...section("Lists and filters", [
    [
      35,
      "page_size: absent or 0 is the default, too much is coerced, negative is INVALID_ARGUMENT.",
      "AIP-158",
    ],
    [36, "Pages may be short; only an empty token is the end.", "AIP-158"],
    [37, "page_size may change between pages, other arguments not.", "AIP-158"],
    [38, "Page tokens are opaque and fit into URLs.", "AIP-158"],
    [39, "Whoever may list sees the same; deleted ones are hidden.", "AIP-132, AIP-164"],
    [40, "The filter grammar: white space is AND, OR binds tighter, NOT and -.", "AIP-160"],
    [
      41,
      "Comparisons on strings, times, enums and booleans; * as wildcard.",
      "AIP-160",
      { note: "no field is a duration, and no function is defined" },
    ],
    [42, "The has-operator `:`.", "AIP-160"],
    [43, "What is not set matches no comparison, not even !=.", "AIP-160"],
    [
      44,
      "Unknown fields, wrong types and broken syntax are INVALID_ARGUMENT; the limits are documented.",
      "AIP-160",
    ],
  ]),
  ...section("Deletion, etags, ids, times, states, retries", [
    [
      45,
      "Delete of what is not there is NOT_FOUND.",
      "AIP-135",
      { note: "operations.proto has no allow_missing: it is refused, not passed over" },
    ],
    [
      46,
      "An etag is quoted, and changes with every visible change.",
      "AIP-154, RFC 9110",
      { note: "shown by belay.v1, whose Cancel alone takes one: a stale one is ABORTED" },
    ],
    [47, "request_id makes a start idempotent; with another request it is INVALID_ARGUMENT.", "AIP-155"],
    [
      48,
      "Times are named in the imperative and end with _time; spans are Durations.",
      "AIP-142",
      {
        note: "should; the nouns deadline and cancel_deadline, a receipt's event time, and stop_confirmed_time are named otherwise",
      },
    ],
    [
      49,
      "State is the server's, never unspecified, -ING while it moves; a transition that is not allowed is FAILED_PRECONDITION.",
      "AIP-216",
    ],
    [
      50,
      "Cancel of a done operation.",
      "(no text decides it)",
      { note: "OK, and nothing changes; the verdict says that it was too late" },
    ],
    [51, "Faults that pass are UNAVAILABLE with RetryInfo.", "AIP-194"],
  ]),
  ...section("ProtoJSON", [
    [
      52,
      "lowerCamelCase out, both in; defaults left out, null is absent, unknown fields and numbers out of range refused.",
      JSON_GUIDE,
    ],
    [53, "int64 as strings, enums by name, times in Z, spans as 1.5s, bytes in base64.", JSON_GUIDE],
    [54, "Any is {@type, fields}; well-known types under value; Empty is {@type} alone.", JSON_GUIDE],
    [
      55,
      "An Any of an unknown type breaks neither Get nor List.",
      "(no text decides it)",
      { note: "REST shows {@type, value: base64}; gRPC passes the bytes" },
    ],
  ]),
  ...section("Conventions of HTTP and of agents", [
    [
      56,
      "Prefer: respond-async, Operation-Location, and a Retry-After on each poll.",
      "RFC 7240, Azure API guidelines",
      {
        leftOut:
          "no client of the dialects served here sends or reads them, and Google's take a Retry-After for an error",
      },
    ],
    [
      57,
      "After a cancel the state is consistent; a deleted operation is a tombstone first.",
      "Microsoft Graph guidelines",
    ],
    [
      58,
      "The handle is durable before it is answered, cannot be guessed, and says how often to ask.",
      "MCP SEP-2663",
      { note: "the interval is suggested on yandex only: no field of google.longrunning has it" },
    ],
  ]),
];
