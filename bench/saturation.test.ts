// Who is said to keep the cores busy follows from the shares alone.
import assert from "node:assert/strict";
import { test } from "node:test";
import { showSaturation } from "./saturation.ts";

test("full cores are PostgreSQL's where it has most of them", () => {
  const text = showSaturation({ nodes: [40, 38], postgres: 112, machine: 196, cores: 2 });
  assert.match(
    text,
    /^the 2 cores are full \(196 % of 200 %; 6 % is other processes'\), most of them PostgreSQL with 59 %/,
  );
});

test("one node is at its limit when it has a whole core and others are free", () => {
  const text = showSaturation({ nodes: [98], postgres: 150, machine: 260, cores: 4 });
  assert.match(
    text,
    /^the cores are not full \(260 %; 12 % is other processes'\), but node 1 has its own one/,
  );
});

test("nobody is at a limit where all wait", () => {
  const text = showSaturation({ nodes: [30], postgres: 20, machine: 55, cores: 2 });
  assert.match(
    text,
    /^no process is at its limit .*: it waits for the disk; the most has the node with 60 %/,
  );
});
