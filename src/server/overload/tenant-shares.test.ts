import assert from "node:assert/strict";
import { test } from "node:test";
import { TenantShares } from "./tenant-shares.ts";

test("calls in flight are counted for each tenant", () => {
  const shares = new TenantShares();
  shares.entered("acme");
  shares.entered("acme");
  shares.entered("globex");
  shares.left("acme");
  assert.deepEqual([shares.inFlight("acme"), shares.inFlight("globex"), shares.inFlight("other")], [1, 1, 0]);
  assert.equal(shares.inFlightMost, 1);
});

test("modest is who sends less than an equal part; a tenant alone never is", () => {
  const shares = new TenantShares();
  for (let call = 0; call < 9; call++) shares.arrived("flood", 1000);
  assert.equal(shares.isModest("flood"), false);
  shares.arrived("quiet", 1000);
  assert.deepEqual(
    [shares.isModest("flood"), shares.isModest("quiet"), shares.isModest("new")],
    [false, true, true],
  );
});

test("arrivals count for one to two windows, and a quiet tenant is forgotten", () => {
  const shares = new TenantShares();
  for (let call = 0; call < 9; call++) shares.arrived("flood", 1000);
  shares.arrived("quiet", 1400);
  shares.arrived("quiet", 1600);
  assert.equal(shares.isModest("quiet"), true);
  for (const atMs of [2200, 2300]) shares.arrived("quiet", atMs);
  assert.equal(shares.isModest("quiet"), false, "the flood is over");
});
