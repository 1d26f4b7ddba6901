// R35-R44: lists (AIP-132, 158) and their filters (AIP-160).
import assert from "node:assert/strict";
import { type Case, google, plain, type Row, rows } from "./row.ts";
import { freshName } from "./suite-services.ts";
import { must, refusal, type Surface } from "./surface.ts";

/** A parent that nothing else uses, with this many operations. */
async function filled(at: Surface, count: number): Promise<{ parent: string; names: string[] }> {
  const parent = `projects/${freshName("p").slice(0, 40)}`;
  const names = await Promise.all(Array.from({ length: count }, () => at.start("suite.empty", { parent })));
  return { parent, names: names.sort() };
}

async function everyPage(at: Surface, query: Record<string, string | number>): Promise<string[][]> {
  const pages: string[][] = [];
  let pageToken = "";
  do {
    const page = await at.page(pageToken === "" ? query : { ...query, pageToken });
    pages.push(page.names);
    pageToken = page.token;
  } while (pageToken !== "");
  return pages;
}

const sizes: Case[] = [
  {
    method: "List",
    input: "51 operations, page_size absent and 0",
    expected: "the documented default: 50 and a token",
    async check(at) {
      const { parent: name } = await filled(at, 51);
      for (const query of [{ name }, { name, pageSize: 0 }]) {
        const { names, token } = await at.page(query);
        assert.deepEqual([names.length, token !== ""], [50, true]);
      }
    },
  },
  {
    method: "List",
    input: "page_size 2147483647",
    expected: "coerced, not refused",
    async check(at) {
      const { parent: name } = await filled(at, 3);
      assert.equal((await at.page({ name, pageSize: 2_147_483_647 })).names.length, 3);
    },
  },
];

const negative: Case = {
  method: "List",
  input: "page_size -1",
  expected: "INVALID_ARGUMENT",
  async check(at) {
    assert.equal(refusal(await at.list({ pageSize: -1 })), "3 INVALID_FIELD");
  },
};

const paging: Case[] = [
  {
    method: "List",
    input: "5 operations, page_size 2",
    expected: "each once; the token is empty at the end, and only there",
    async check(at) {
      const { parent: name, names } = await filled(at, 5);
      const pages = await everyPage(at, { name, pageSize: 2 });
      assert.deepEqual(pages.flat().sort(), names);
      assert.equal(pages.length, 3);
    },
  },
  {
    method: "List",
    input: "nothing there",
    expected: "an empty page with an empty token",
    async check(at) {
      assert.deepEqual(await at.page({ name: `projects/${freshName("p").slice(0, 40)}` }), {
        names: [],
        token: "",
      });
    },
  },
];

const tokenRules: Case[] = [
  {
    method: "List",
    input: "another page_size with the token",
    expected: "honoured",
    async check(at) {
      const { parent: name, names } = await filled(at, 5);
      const first = await at.page({ name, pageSize: 1 });
      const second = await at.page({ name, pageSize: 4, pageToken: first.token });
      assert.deepEqual([...first.names, ...second.names].sort(), names);
    },
  },
  {
    method: "List",
    input: "another filter, or another parent, with the token",
    expected: "INVALID_ARGUMENT",
    async check(at) {
      const { parent: name } = await filled(at, 2);
      const { token: pageToken } = await at.page({ name, pageSize: 1 });
      for (const query of [{ name, filter: "done = true" }, { name: "projects/other" }]) {
        assert.equal(refusal(await at.list({ ...query, pageToken })), "3 INVALID_PAGE_TOKEN");
      }
    },
  },
];

const opaque: Case = {
  method: "List",
  input: "a page token",
  expected: "letters that a URL takes as they are, nothing to be read in it, not to be changed",
  async check(at) {
    await at.startDone();
    const name = await at.startDone();
    const { token } = await at.page({ pageSize: 1 });
    assert.match(token, /^[A-Za-z0-9_-]+$/);
    const decoded = Buffer.from(token, "base64url").toString("latin1");
    for (const word of ["operations", "default", name.slice(-12)]) assert.ok(!decoded.includes(word));
    const changed = token.slice(0, -6) + (token.at(-6) === "A" ? "B" : "A") + token.slice(-5);
    assert.equal(refusal(await at.list({ pageToken: changed })), "3 INVALID_PAGE_TOKEN");
  },
};

const sameForAll: Case[] = [
  {
    method: "List",
    input: "two callers who may list",
    expected: "the same",
    async check(at) {
      await at.startDone();
      const query = { pageSize: 1000, filter: 'type = "suite.none"' };
      assert.deepEqual(await at.page(query, "bob"), await at.page(query));
      const name = await at.startDone();
      const { names } = await at.page({ pageSize: 1000, filter: `name = "${name}"` }, "bob");
      assert.deepEqual(names, [name]);
    },
  },
  {
    method: "List",
    input: "an operation that was deleted",
    expected: "hidden",
    async check(at) {
      const name = await at.startDone();
      must(await at.delete(name));
      assert.deepEqual((await at.page({ filter: `name = "${name}"` })).names, []);
    },
  },
];

/** Four operations with a label `run` of their own: a and b done, c and d running. */
async function sample(at: Surface): Promise<{ run: string; names: Record<string, string> }> {
  const run = freshName("run").slice(0, 40);
  const start = (type: string, labels: Record<string, string>): Promise<string> =>
    at.start(type, { labels: { run, ...labels }, payload: { gate: run } });
  const names = {
    a: await start("suite.echo", { team: "a", env: "prod" }),
    b: await start("suite.echo", { team: "b", env: "prod" }),
    c: await start("suite.hold", { team: "a" }),
    d: await start("suite.hold", { env: "test" }),
  };
  for (const name of [names.a, names.b]) await at.ended(name);
  for (const name of [names.c, names.d]) await at.running(name);
  return { run, names };
}

const samples = new Map<Surface, ReturnType<typeof sample>>();

function filterCase(rule: string, filter: string, expected: string): Case {
  return {
    method: "List",
    input: `${rule}: ${filter}`,
    expected: expected === "" ? "none of four" : `${expected} of a b c d`,
    async check(at) {
      const known = samples.get(at) ?? sample(at);
      samples.set(at, known);
      const { run, names } = await known;
      const { names: found } = await at.page({ filter: `labels.run = "${run}" AND (${filter})` });
      const letters = Object.keys(names).filter((letter) => found.includes(names[letter] ?? ""));
      assert.equal(letters.join(" "), expected);
    },
  };
}

const grammar: readonly [rule: string, filter: string, expected: string][] = [
  ["AND", 'labels.team = "a" AND labels.env = "prod"', "a"],
  ["white space is AND", 'labels.team = "a" labels.env = "prod"', "a"],
  ["OR binds tighter than AND", 'labels.team = "a" OR labels.team = "b" AND labels.env = "test"', ""],
  ["OR binds tighter than AND", 'done = true AND labels.team = "b" OR labels.env = "prod"', "a b"],
  ["parentheses", '(labels.team = "a" AND labels.env = "prod") OR labels.env = "test"', "a d"],
  ["NOT", 'NOT labels.team = "a"', "b d"],
  ["-", '-labels.team = "a"', "b d"],
];

const operators: readonly [rule: string, filter: string, expected: string][] = [
  ["=", 'labels.env = "prod"', "a b"],
  ["!=", 'labels.env != "prod"', "d"],
  ["<", 'labels.team < "b"', "a c"],
  [">=", 'labels.team >= "b"', "b"],
  ["> on a time with an offset", 'create_time > "2020-01-01T00:00:00.5+02:00"', "a b c d"],
  ["<= on a time", 'create_time <= "2020-01-01T00:00:00Z"', ""],
  ["* in a string", 'type = "suite.e*"', "a b"],
  ["an enum by its name", "state = RUNNING", "c d"],
  ["true and false", "done = false", "c d"],
];

const has: readonly [rule: string, filter: string, expected: string][] = [
  ["m:k", "labels:team", "a b c"],
  ["m.k:*", "labels.team:*", "a b c"],
  ["m.k:v", "labels.team:a", "a c"],
  ["NOT m:k", "NOT labels:team", "d"],
  ["f:v", "done:true", "a b"],
  ["f:*, false counting as absent", "done:*", "a b"],
];

const unset: readonly [rule: string, filter: string, expected: string][] = [
  ["an absent label is not unequal", 'labels.team != "a"', "b"],
];

function refusedFilter(what: string, filter: string): Case {
  return {
    method: "List",
    input: `${what}: ${filter.length > 60 ? `${filter.slice(0, 40)}...` : filter}`,
    expected: "INVALID_ARGUMENT",
    async check(at) {
      const reply = await at.list({ filter });
      assert.equal(refusal(reply), "3 INVALID_FILTER");
      assert.match(reply.error?.metadata["column"] ?? "", /^\d+$/);
    },
  };
}

const wrong: readonly [what: string, filter: string][] = [
  ["an unknown field", "nonsense = 1"],
  ["a wrong type", 'done = "yes"'],
  ["an enum that is none", "state = SLEEPING"],
  ["another case of an enum", "state = running"],
  ["a time that is none", 'create_time > "yesterday"'],
  ["a syntax error", "done ="],
  ["an open string", 'name = "x'],
  ["and in lower case", "done = true and done = true"],
  ["a field on the right", '"x" = name'],
  ["a function that is none", "f(name)"],
  ["more than 2,000 characters", `name = "${"x".repeat(2_000)}"`],
  ["deeper than 20 levels", `${"(".repeat(21)}done = true${")".repeat(21)}`],
];

export const listRows: readonly Row[] = [
  ...rows(35, plain, sizes),
  ...rows(35, google, [negative]),
  ...rows(36, plain, paging),
  ...rows(37, plain, tokenRules),
  ...rows(38, google, [opaque]),
  ...rows(39, google, sameForAll),
  ...rows(
    40,
    plain,
    grammar.map((row) => filterCase(...row)),
  ),
  ...rows(
    41,
    plain,
    operators.map((row) => filterCase(...row)),
  ),
  ...rows(
    42,
    plain,
    has.map((row) => filterCase(...row)),
  ),
  ...rows(
    43,
    plain,
    unset.map((row) => filterCase(...row)),
  ),
  ...rows(
    44,
    plain,
    wrong.map((row) => refusedFilter(...row)),
  ),
];
