// A final change that a predecessor left half made on the router: it is taken back before anything
// is decided.

import { describe, expect, it } from "vitest";
import { failing, RotationRunnerBench, rotation } from "../../../kit/rotation-runner-bench.ts";

/** The router waits with a change that the journal knows, and that is no staged key. */
function left(): RotationRunnerBench {
  const bench = new RotationRunnerBench();
  bench.commitPending = true;
  bench.forgotten.add("t-4");
  bench.memory = { ...bench.memory, finals: { "edge-a": "t-7" } };
  return bench;
}

const campaign = rotation({ state: "retiring", token: "t-4" });

describe("a change whose end was not observed", () => {
  it("a change without an end is rolled back by its token, and observed again soon", async () => {
    const bench = left();
    expect(await bench.turn(bench.rotationRunner(), campaign)).toBe(500);
    expect(bench.log.filter((line) => !line.startsWith("look"))).toEqual([
      ...["recall t-4", "recall t-7"],
      ...["recall t-7", "rollback t-7"],
    ]);
    expect(bench.logged).toEqual([
      "warn change-unfinished erd-demo/primary: the end of a change was not seen, " +
        'and it is taken back {"group":"erd-demo"}',
    ]);
    expect(bench.records).toEqual([]);
  });

  it("a change without an end is rolled back, and not a staged key that comes then", async () => {
    const bench = left();
    const recalls = () => bench.log.filter((line) => line.startsWith("recall"));
    // The change waits in this observation; the key that was staged before waits right after it.
    bench.forgotten.has = (token) => (recalls().length <= 3 ? token !== "t-7" : token === "t-7");
    await bench.turn(bench.rotationRunner(), { ...campaign, earlierToken: "t-3" });
    expect(recalls()).toEqual(["recall t-4", "recall t-3", "recall t-7", "recall t-7"]);
    expect(bench.log.filter((line) => line.startsWith("rollback"))).toEqual([]);
  });

  it("a change whose rollback fails is trouble, and tried again later", async () => {
    const bench = left();
    bench.failures.rollback = failing("device.locked", "another client edits");
    const rotationRunner = bench.rotationRunner();
    expect(await bench.turn(rotationRunner, campaign)).toBe(5_000);
    expect(rotationRunner.trouble?.code).toBe("device.locked");
    expect(bench.logged.at(-1)).toBe(
      'warn device.locked rollBack: another client edits {"group":"erd-demo"}',
    );
  });

  it("a rollback that fails with a bug ends the turn with that error", async () => {
    const bench = left();
    bench.failures.rollback = new RangeError("a bug");
    await expect(bench.turn(bench.rotationRunner(), campaign)).rejects.toThrow("a bug");
  });

  it("a change that the router does not know is not rolled back", async () => {
    const bench = left();
    bench.forgotten.add("t-7");
    await bench.turn(bench.rotationRunner(), campaign);
    expect(bench.log).toContain("decide");
    expect(bench.log.filter((line) => line.startsWith("rollback"))).toEqual([]);
    expect(bench.facts.at(-1)?.port?.pending).toBe("foreign");
  });
});
