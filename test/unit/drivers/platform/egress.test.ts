// The ports by which interfaces send, and by which addresses are reached.

import { describe, expect, it } from "vitest";
import {
  aggregatesOf,
  aggregateWith,
  onlyPortUnder,
  portsTowards,
  portsUnder,
} from "#drivers/platform/egress.ts";
import type { QueryResult } from "#drivers/platform/query-result.ts";
import type { PortName } from "#hal/model.ts";

const isPort = (name: string): name is PortName => /^p\d/.test(name);
const aggregates = aggregatesOf([
  ["p1", "one"],
  ["p2", "two"],
  ["p3", undefined],
  ["p4", "two"],
]);

describe("the ports under an interface", () => {
  it("the ports under an interface are the members of its aggregate, or itself", () => {
    expect(portsUnder("p3.100", aggregates)).toEqual(["p3"]);
    expect(portsUnder("one.7", aggregates)).toEqual(["p1"]);
    expect(portsUnder("two", aggregates)).toEqual(["p2", "p4"]);
    expect(portsUnder("mgmt0", aggregates)).toEqual(["mgmt0"]);
  });

  it("the only port under an interface is a port, with no other member beside it", () => {
    const only = ["p3.100", "one.7", "two", "mgmt0", ""].map((name) =>
      onlyPortUnder(name, aggregates, isPort),
    );
    expect(only).toEqual(["p3", "p1", undefined, undefined, undefined]);
  });

  it("a port is in the aggregate that names it", () => {
    expect(aggregateWith(aggregates, "p4")).toEqual({ name: "two", members: ["p2", "p4"] });
    expect(aggregateWith(aggregates, "p3")).toBeUndefined();
  });
});

describe("the ports towards an address", () => {
  const towards = (...results: readonly QueryResult<readonly string[]>[]) =>
    portsTowards(
      results.map((one) => async () => one),
      aggregates,
    );

  it("the ports towards an address are those of every instance and every member", async () => {
    expect(await towards({ value: ["mgmt0"] }, { value: ["two.7", "p1"] })).toEqual([
      ...["mgmt0", "p2", "p4", "p1"],
    ]);
    expect(await towards({ value: [] }, { value: ["one"] })).toEqual(["p1"]);
  });

  it("the ports are unknown if an instance does not report, or none has a route", async () => {
    expect(await towards({ value: ["mgmt0"] }, { why: "unparsed" })).toBeUndefined();
    expect(await towards({ value: [] }, { value: [] })).toBeUndefined();
    expect(await towards()).toBeUndefined();
  });

  it("the ports are unknown on a router with too many instances, without a query", async () => {
    let asked = 0;
    const queries = Array.from({ length: 33 }, () => async () => {
      asked += 1;
      return { value: ["mgmt0"] };
    });
    expect(await portsTowards(queries, aggregates)).toBeUndefined();
    expect(asked).toBe(0);
    expect(await portsTowards(queries.slice(0, 32), aggregates)).toEqual(["mgmt0"]);
    expect(asked).toBe(32);
  });
});
