// The table of bad-input.test.ts: requests over REST that are refused, with the exact status, reason and message. NAME stands
// for a pending operation of the service, in the target and in the message.
import type { JsonObject } from "@bufbuild/protobuf";
import type { RestOptions } from "../wire/wire-client.ts";

const notJson = (problem: string): [number, string, string] => [
  400,
  "INVALID_JSON",
  `the request body is not the JSON that this method takes: ${problem}`,
];
const field = (name: string, problem: string): [number, string, string] => [
  400,
  "INVALID_FIELD",
  `${name}: ${problem}`,
];
const parameter = (name: string, problem: string): [number, string, string] => [
  400,
  "INVALID_QUERY_PARAMETER",
  `query parameter ${name}: ${problem}`,
];
const unknownField = (name: string): [number, string, string] =>
  notJson(`Invalid JSON payload received. Unknown name "${name}": Cannot find field.`);
const tooDeep = (): [number, string, string] => [
  400,
  "PAYLOAD_TOO_DEEP",
  "body is nested deeper than 100 levels",
];
const tooLarge = (): [number, string, string] => [
  413,
  "PAYLOAD_TOO_LARGE",
  "the request body is more than 1048576 bytes; at most 1048576 are taken",
];
const form = { "content-type": "application/x-www-form-urlencoded" };
const brackets = (depth: number): string => "[".repeat(depth) + "]".repeat(depth);

export type RefusedRequest = readonly [
  what: string,
  service: string,
  method: string,
  target: string,
  options: RestOptions,
  expected: readonly [status: number, reason: string, message: string],
];

const cancelRows: readonly RefusedRequest[] = [
  ...(
    [
      ["an unknown field", '{"force":true}', unknownField("force")],
      ["an array", "[]", notJson("it is an array, not an object")],
      ["null", "null", notJson("it is null, not an object")],
      ["a string", '"x"', notJson("it is a string, not an object")],
      ["a number", "1", notJson("it is a number, not an object")],
      [
        "an open brace",
        "{",
        notJson("Expected property name or '}' in JSON at position 1 (line 1 column 2)"),
      ],
      [
        "two objects",
        "{}{}",
        notJson("Unexpected non-whitespace character after JSON at position 2 (line 1 column 3)"),
      ],
      ["20,000 levels", `{"a":${brackets(20_000)}}`, tooDeep()],
      ["1 MiB and a byte", " ".repeat(1_048_577), tooLarge()],
    ] as const
  ).flatMap(([what, body, expected]): RefusedRequest[] => [
    [`a cancel body that is ${what}`, "vault", "POST", "/v1/NAME:cancel", { body }, expected],
    [`a cancel body that is ${what}`, "yandex", "POST", "/NAME:cancel", { body }, expected],
  ]),
  [
    "a cancel body with another name",
    "vault",
    "POST",
    "/v1/NAME:cancel",
    { body: '{"name":"operations/other"}' },
    field("name", "is another in the body than in the path"),
  ],
  [
    "a cancel body with another id",
    "yandex",
    "POST",
    "/NAME:cancel",
    { body: '{"operationId":"other"}' },
    field("operation_id", "is another in the body than in the path"),
  ],
  [
    "a key twice",
    "vault",
    "POST",
    "/v1/NAME:cancel",
    { body: '{"name":"a","name":"b"}' },
    notJson('the key "name" is given twice'),
  ],
  [
    "a body on the GET that cancels",
    "yandex",
    "GET",
    "/NAME:cancel",
    { body: '{"force":true}' },
    notJson("this method takes no body"),
  ],
  ...(["vault", "yandex"] as const).map(
    (service): RefusedRequest => [
      "a form",
      service,
      "POST",
      service === "vault" ? "/v1/NAME:cancel" : "/NAME:cancel",
      { body: "a=b", headers: form },
      [415, "CONTENT_TYPE_REFUSED", `content-type ${form["content-type"]} is refused; send application/json`],
    ],
  ),
];

const pathRows: readonly RefusedRequest[] = [
  [
    "a malformed name",
    "vault",
    "GET",
    "/v1/operations/A!",
    {},
    [400, "INVALID_NAME", "operation name operations/A! is not of the form operations/{id}"],
  ],
  [
    "a malformed name below a parent",
    "automl",
    "POST",
    "/v1beta1/projects/p/locations/l/operations/A!:cancel",
    {},
    [
      400,
      "INVALID_NAME",
      "operation name projects/p/locations/l/operations/A! is not of the form projects/*/locations/*/operations/{id}",
    ],
  ],
  [
    "a malformed id",
    "yandex",
    "GET",
    "/operations/A!",
    {},
    [404, "OPERATION_NOT_FOUND", "operation operations/A! is not found"],
  ],
  [
    "an id of 51 characters",
    "yandex",
    "GET",
    `/operations/${"a".repeat(51)}:cancel`,
    {},
    field("operation_id", "is 51 characters long; at most 50 are taken"),
  ],
  ...(["vault", "yandex"] as const).flatMap((service): RefusedRequest[] => {
    const prefix = service === "vault" ? "/v1" : "";
    const refusedPath = (problem: string): [number, string, string] => [
      400,
      "INVALID_PATH",
      `the request path is refused: ${problem}`,
    ];
    return [
      [
        "a broken escape",
        service,
        "GET",
        `${prefix}/operations/%zz`,
        {},
        refusedPath("it has a broken escape, or one that is no UTF-8"),
      ],
      [
        "bytes that are no UTF-8",
        service,
        "GET",
        `${prefix}/operations/%ff`,
        {},
        refusedPath("it has a broken escape, or one that is no UTF-8"),
      ],
      [
        "a dot segment",
        service,
        "GET",
        `${prefix}/operations/../x`,
        {},
        refusedPath("it has a segment '..'"),
      ],
      [
        "an unknown parameter",
        service,
        "GET",
        `${prefix}/NAME?verbose=1`,
        {},
        parameter("verbose", "is unknown"),
      ],
    ];
  }),
  [
    "a wrong method",
    "vault",
    "PUT",
    "/v1/NAME",
    {},
    [405, "METHOD_NOT_ALLOWED", "PUT is not served at /v1/NAME; it takes DELETE, GET, HEAD"],
  ],
  [
    "a GET of :cancel",
    "vault",
    "GET",
    "/v1/NAME:cancel",
    {},
    [405, "METHOD_NOT_ALLOWED", "GET is not served at /v1/NAME:cancel; it takes POST"],
  ],
  [
    "a POST of :wait, which vault has on gRPC alone",
    "vault",
    "POST",
    "/v1/NAME:wait",
    {},
    [405, "METHOD_NOT_ALLOWED", "POST is not served at /v1/NAME:wait; it takes DELETE, GET, HEAD"],
  ],
  [
    "a wrong method",
    "yandex",
    "DELETE",
    "/NAME",
    {},
    [405, "METHOD_NOT_ALLOWED", "DELETE is not served at /NAME; it takes GET, HEAD"],
  ],
  [
    "PATCH of :cancel",
    "yandex",
    "PATCH",
    "/NAME:cancel",
    {},
    [405, "METHOD_NOT_ALLOWED", "PATCH is not served at /NAME:cancel; it takes GET, POST"],
  ],
  [
    "no such path",
    "vault",
    "GET",
    "/v2/operations",
    {},
    [404, "ROUTE_NOT_FOUND", "no method is served at GET /v2/operations"],
  ],
  [
    "a list, which there is none",
    "yandex",
    "GET",
    "/operations",
    {},
    [404, "ROUTE_NOT_FOUND", "no method is served at GET /operations"],
  ],
];

const listQueries: readonly [what: string, query: string, expected: readonly [number, string, string]][] = [
  [
    "garbage as page token",
    "pageToken=garbage",
    [400, "INVALID_PAGE_TOKEN", "page_token: it was changed, or belongs to another request"],
  ],
  ["an open parenthesis", "filter=(", [400, "INVALID_FILTER", "filter, column 2: a field is expected"]],
  [
    "an unknown field in a filter",
    "filter=nonsense%3D1",
    [
      400,
      "INVALID_FILTER",
      "filter, column 1: the field nonsense is unknown; there are name, done, type, state, labels, create_time, update_time, created_by, parents, priority, concurrency_key, supersede_key, rerun_of, worker, cancel.cause, held",
    ],
  ],
  [
    "a bad timestamp in a filter",
    "filter=create_time%3E%22soon%22",
    [
      400,
      "INVALID_FILTER",
      "filter, column 13: create_time is an RFC 3339 timestamp, such as 2026-11-22T08:30:00Z",
    ],
  ],
  [
    "a bad state in a filter",
    "filter=state%3DSLEEPING",
    [
      400,
      "INVALID_FILTER",
      "filter, column 7: state is one of PENDING, RUNNING, CANCELLING, SUCCEEDED, FAILED, CANCELLED",
    ],
  ],
  ["a negative page size", "pageSize=-1", field("page_size", "is -1; it must not be negative")],
  ["a page size that is no number", "pageSize=ten", parameter("pageSize", "is no int32")],
  ["a page size out of range", "pageSize=99999999999", parameter("pageSize", "is out of the range of int32")],
  ["a page size twice", "pageSize=1&pageSize=2", parameter("pageSize", "is given more than once")],
  [
    "partial success",
    "returnPartialSuccess=true",
    [501, "PARTIAL_SUCCESS_UNSUPPORTED", "return_partial_success is not supported"],
  ],
  ["a callback", "callback=f", parameter("callback", "is refused: replies are never scripts")],
  ["another format", "alt=proto", parameter("alt", "takes only json and json;enum-encoding=int")],
];
const listRows: readonly RefusedRequest[] = listQueries.flatMap(
  ([what, query, expected]): RefusedRequest[] => [
    [what, "vault", "GET", `/v1/operations?${query}`, {}, expected],
    [what, "automl", "GET", `/v1beta1/projects/p/locations/l/operations?${query}`, {}, expected],
  ],
);

const start = (request: JsonObject): RestOptions => ({ body: { type: "test.echo", ...request } });
const nested = (depth: number): string =>
  `{"type":"test.echo","payload":${'{"a":'.repeat(depth)}1${"}".repeat(depth)}}`;

const startBodies: readonly [
  what: string,
  options: RestOptions,
  expected: readonly [number, string, string],
][] = [
  [
    "a deadline that is no time",
    start({ deadline: "soon" }),
    notJson("Invalid value at 'deadline': is no RFC 3339 time, such as 2026-01-31T12:00:00Z"),
  ],
  [
    "a deadline that does not exist",
    start({ deadline: "2031-13-01T00:00:00Z" }),
    notJson("Invalid value at 'deadline': is no time that exists"),
  ],
  [
    "a deadline in the past",
    start({ deadline: "2020-01-01T00:00:00Z" }),
    field("deadline", "must be in the future"),
  ],
  [
    "a deadline too far away",
    start({ deadline: "9999-12-31T23:59:59.999999999Z" }),
    field("deadline", "must be at most 3650 days ahead"),
  ],
  [
    "a grace that is no duration",
    start({ cancelPolicy: { grace: "1h" } }),
    notJson("Invalid value at 'cancel_policy.grace': is no duration, such as 1.5s"),
  ],
  [
    "a negative grace",
    start({ cancelPolicy: { grace: "-1s" } }),
    field("cancel_policy.grace", "must not be negative"),
  ],
  [
    "a grace too long",
    start({ cancelPolicy: { grace: "601s" } }),
    field("cancel_policy.grace", "is 601 s; at most 600 s are taken"),
  ],
  ["no type", { body: {} }, field("type", "is required")],
  ["an unknown field", start({ nonsense: 1 }), unknownField("nonsense")],
  [
    "a malformed parent",
    start({ parent: "projects" }),
    field("parent", "must be empty or 1-3 pairs collection/id of [a-zA-Z0-9._~-]{1,63}"),
  ],
  [
    "a description of 257 characters",
    start({ description: "x".repeat(257) }),
    field("description", "is 257 characters long; at most 256 are taken"),
  ],
  [
    "a malformed label",
    start({ labels: { A: "x" } }),
    field("labels", "keys must be of the form [a-z][a-z0-9_-]{0,62}"),
  ],
  [
    "a request id with a space",
    start({ requestId: "a b" }),
    field("request_id", "must be 1-128 visible ASCII characters"),
  ],
  [
    "a payload of 256 KiB and more",
    start({ payload: { a: "x".repeat(262_145) } }),
    [400, "PAYLOAD_TOO_LARGE", "payload is 262153 bytes; at most 262144 are taken"],
  ],
  ["a body of 1 MiB and more", start({ payload: { a: "x".repeat(1_048_577) } }), tooLarge()],
  ["101 levels", { body: nested(101) }, tooDeep()],
  ["20,000 levels", { body: nested(20_000) }, tooDeep()],
  [
    "10,001 elements",
    start({ payload: { a: new Array(10_001).fill(0) } }),
    [400, "PAYLOAD_TOO_MANY_KEYS", "payload has more than 10000 keys and elements"],
  ],
];
const startRows: readonly RefusedRequest[] = startBodies.flatMap(
  ([what, options, expected]): RefusedRequest[] => [
    [what, "default", "POST", "/v1/operations", options, expected],
    [what, "yandex", "POST", "/belay/v1/operations", options, expected],
  ],
);

const recognizeRows: readonly RefusedRequest[] = [
  [
    "base64 that is none",
    "yandex",
    "POST",
    "/ocr/v1/recognizeTextAsync",
    { body: '{"content":"***"}' },
    notJson("Invalid value at 'content': invalid base64 string"),
  ],
  [
    "an unknown field",
    "yandex",
    "POST",
    "/ocr/v1/recognizeTextAsync",
    { body: '{"nonsense":1}' },
    unknownField("nonsense"),
  ],
  [
    "200 levels",
    "yandex",
    "POST",
    "/ocr/v1/recognizeTextAsync",
    { body: `{"content":${brackets(200)}}` },
    tooDeep(),
  ],
];

/** All of them. */
export const refusedRequests: readonly RefusedRequest[] = [
  ...cancelRows,
  ...pathRows,
  ...listRows,
  ...startRows,
  ...recognizeRows,
];
