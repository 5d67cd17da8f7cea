// Drains that are given back by hand: by which means, and when the journal forgets them.

import { describe, expect, it } from "vitest";
import { failing } from "../../../kit/rotation-runner-bench.ts";
import { refused } from "../../../kit/site-bench.ts";
import { DrainBench, id, restores, shutting, undrainable } from "./manual-drain-bench.ts";

describe("giving back by hand", () => {
  it("an undrain is made first and written then, also for a drain on the router", async () => {
    const bench = new DrainBench();
    bench.drained.add("primary");
    expect([await bench.undrain(), bench.changes]).toEqual(["given back", restores]);
    expect(bench.log.slice(-4)).toEqual([
      "apply t-1 final",
      "write measured commit edge-a 0",
      "look edge-a",
      "write handDrain",
    ]);
    expect(bench.records.at(-1)).toEqual({ kind: "handDrain", link: id, drain: null });
  });

  // The undrain reported the traffic as back, sent nothing, and took the drain from the journal.
  it.each([
    { now: "none", edit: undrainable, sent: ["prepend"] },
    { now: "peeringShutdown", edit: shutting, sent: ["prepend", "peeringShutdown"] },
  ])("an undrain undoes the drain of before the group got drain: $now", async ({ edit, sent }) => {
    const bench = new DrainBench({ edit });
    bench.wasDrained();
    bench.drained.add("primary");
    expect(await bench.undrain()).toBe("given back");
    const restored = sent.map((means) => [{ kind: "port.restore", port: "et-0/0/0", means }]);
    expect([bench.changes, bench.drained.size]).toEqual([restored, 0]);
    expect(bench.memory.drains).toEqual({});
  });

  it("an undrain that the router does not show leaves the drain in the journal", async () => {
    const bench = new DrainBench();
    await bench.isDrained();
    delete bench.hooks.apply;
    const error = await refused(bench.undrain());
    expect(error).toMatchObject({ code: "gate.stale", effect: "unknown", where: id });
    expect(error.message).toContain("is still drained by prepend on edge-a");
    expect(Object.keys(bench.memory.drains)).toEqual([id]);
  });

  it("an undrain that has no means and reads no router leaves the drain there", async () => {
    const bench = new DrainBench({ edit: undrainable });
    bench.wasDrained();
    bench.failures.observe = failing("transport.unreachable");
    expect((await refused(bench.undrain())).message).toContain("may be drained on edge-a");
    expect([Object.keys(bench.memory.drains), bench.changes]).toEqual([[id], []]);
  });

  it("an undrain leaves a session alone that a person keeps shut beside another", async () => {
    const bench = new DrainBench();
    bench.means = "peeringShutdown";
    bench.drained.add("primary");
    expect([await bench.undrain(), bench.changes]).toEqual(["given back", restores]);
  });

  it("A5: the undrain of a link that is not drained sends and writes nothing", async () => {
    const bench = new DrainBench();
    expect([await bench.undrain(), ...bench.log]).toEqual(["nothing", "look edge-a"]);
  });

  it("A5: an undrain is sent where the router cannot be read", async () => {
    const bench = new DrainBench();
    bench.failures.observe = failing("transport.unreachable");
    expect([await bench.undrain(), bench.changes]).toEqual(["given back", restores]);
  });

  it("A5: an undrain in a group without drains is refused", async () => {
    const bench = new DrainBench({ edit: undrainable });
    expect([(await refused(bench.undrain())).effect, bench.log]).toEqual(["none", []]);
  });

  it("an undrain that fails leaves the drain in the journal", async () => {
    const bench = new DrainBench();
    await bench.isDrained();
    bench.failures.apply = failing("transport.unreachable");
    expect((await refused(bench.undrain())).code).toBe("transport.unreachable");
    expect(Object.keys(bench.memory.drains)).toEqual([id]);
  });
});
