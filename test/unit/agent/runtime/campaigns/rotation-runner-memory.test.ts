// What a rotation runner remembers from one turn to the next, and when that is over.

import { describe, expect, it } from "vitest";
import type { ActionKind, Campaign, CampaignState, Step } from "#agent/model/campaign.ts";
import { known, unknown } from "#hal/model.ts";
import {
  failing,
  newKey,
  oldKey,
  RotationRunnerBench,
  rotation,
  stepTo,
  underKey,
} from "../../../kit/rotation-runner-bench.ts";
import { at, frames, peerOn } from "../../../kit/snapshot-kit.ts";

const drain = stepTo("draining", { row: "gated.open", action: "drain" });

describe("the trouble of a campaign", () => {
  const lost = stepTo("draining");
  it("the trouble of a campaign is an accepted change that the router does not show", async () => {
    const bench = new RotationRunnerBench();
    const rotationRunner = bench.rotationRunner(
      drain,
      lost,
      stepTo("draining", { action: "probe" }),
    );
    await bench.turn(rotationRunner, rotation());
    expect(rotationRunner.trouble).toBeUndefined();
    await bench.clock.runFor(2_000);
    await bench.turn(rotationRunner, rotation({ state: "draining" }));
    const told = {
      code: "device.commitExpired",
      message: "edge-a accepted the drain of et-0/0/0 2 s ago and no longer holds it",
    };
    expect(rotationRunner.trouble).toMatchObject(told);
    // A probe that ran says nothing about it.
    await bench.turn(rotationRunner, rotation({ state: "draining" }));
    expect(bench.facts.at(-1)?.lostCommits).toBe(1);
    expect(rotationRunner.trouble).toMatchObject(told);
  });

  it("the trouble of a campaign ends once an effect succeeds", async () => {
    const bench = new RotationRunnerBench();
    const rotationRunner = bench.rotationRunner(drain, drain, lost);
    await bench.turn(rotationRunner, rotation());
    await bench.turn(rotationRunner, rotation());
    expect(rotationRunner.trouble).toBeUndefined();
  });

  it("the trouble of a refused change ends once a probe ran", async () => {
    const bench = new RotationRunnerBench();
    const rotationRunner = bench.rotationRunner(drain, stepTo("draining", { action: "probe" }));
    bench.failures.prepare = failing("device.locked");
    await bench.turn(rotationRunner, rotation());
    expect(rotationRunner.trouble?.code).toBe("device.locked");
    await bench.turn(rotationRunner, rotation({ state: "draining" }));
    expect(rotationRunner.trouble).toBeUndefined();
  });

  /** The far end refuses a key, and then the steps are taken. */
  const refused = async (bench: RotationRunnerBench, ...steps: readonly Step[]) => {
    const rotationRunner = bench.rotationRunner(stepTo("staged", { action: "putNew" }), ...steps);
    bench.failures.put = failing("peer.rejected", "no such secret");
    await bench.turn(rotationRunner, rotation({ state: "staged" }));
    delete bench.failures.put;
    // Until then the refused one may still land, as far as the agent knows.
    await bench.clock.runFor(90_000);
    for (const _ of steps) await bench.turn(rotationRunner, rotation({ state: "staged" }));
    return rotationRunner.trouble?.code;
  };
  const again = (action: ActionKind): Step => stepTo("staged", { action });

  it("the trouble of a far end ends once it takes a key, and not by the router", async () => {
    expect(await refused(new RotationRunnerBench())).toBe("peer.rejected");
    const still = await refused(new RotationRunnerBench(), again("restore"), again("probe"));
    expect(still).toBe("peer.rejected");
    expect(await refused(new RotationRunnerBench(), again("putNew"))).toBeUndefined();
    expect(await refused(new RotationRunnerBench(), again("putOld"))).toBeUndefined();
  });

  it.each([
    ["peer.denied", ["forget"]],
    ["peer.rejected", []],
    ["peer.unreachable", []],
  ] as const)("a put that fails with %s makes the rights be read anew: %j", async (code, calls) => {
    const bench = new RotationRunnerBench();
    bench.failures.put = failing(code);
    const rotationRunner = bench.rotationRunner(stepTo("staged", { action: "putNew" }));
    await bench.turn(rotationRunner, rotation({ state: "staged" }));
    expect(bench.rightsCalls).toEqual(calls);
  });

  it("the next link of a campaign has its rights read anew", async () => {
    const bench = new RotationRunnerBench();
    const [first] = rotation().links;
    if (first === undefined) throw new Error("a rotation has a link");
    const two = rotation({ links: [first, { ...first, name: "secondary" }] });
    const rotationRunner = bench.rotationRunner(stepTo("done", { mark: { outcome: "rotated" } }));
    await bench.turn(rotationRunner, two);
    expect(bench.written()?.at).toBe(1);
    expect(bench.rightsCalls).toEqual(["refresh 60000", "forget"]);
  });

  it("the trouble of a far end ends once it is observed with the new key", async () => {
    const bench = new RotationRunnerBench();
    bench.peers.primary = peerOn(newKey);
    expect(await refused(bench, stepTo("staged"))).toBeUndefined();
  });

  it("the trouble of a router does not end because the far end has the new key", async () => {
    const bench = new RotationRunnerBench();
    bench.peers.primary = peerOn(newKey);
    bench.failures.prepare = failing("device.locked");
    const rotationRunner = bench.rotationRunner(drain, lost);
    await bench.turn(rotationRunner, rotation());
    await bench.turn(rotationRunner, rotation({ state: "draining" }));
    expect(rotationRunner.trouble?.code).toBe("device.locked");
  });

  it("the trouble of a campaign stays while nothing is done", async () => {
    const bench = new RotationRunnerBench();
    const rotationRunner = bench.rotationRunner(drain, lost);
    bench.failures.prepare = failing("device.locked");
    await bench.turn(rotationRunner, rotation());
    await bench.turn(rotationRunner, rotation({ state: "draining" }));
    expect(rotationRunner.trouble?.code).toBe("device.locked");
  });
});

describe("what must hold for a time", () => {
  const soakMs = 120_000;
  const calm = { ...underKey(oldKey) };

  /** Looks once, waits, and looks again after the step. */
  const carries = async (step: Step, campaign: Campaign): Promise<string | undefined> => {
    const bench = new RotationRunnerBench();
    bench.port.primary = calm;
    const same = stepTo(campaign.state);
    const rotationRunner = bench.rotationRunner(same, step, stepTo(step.next));
    await bench.turn(rotationRunner, campaign);
    await bench.clock.runFor(soakMs);
    await bench.turn(rotationRunner, campaign);
    const { next: state, mark } = step;
    await bench.turn(rotationRunner, { ...campaign, ...mark, state } as Campaign);
    return bench.facts.at(-1)?.carrying.kind;
  };

  it("the soak of a link goes on while the state stays", async () => {
    const restoring = rotation({ state: "restoring" });
    expect(await carries(stepTo("restoring"), restoring)).toBe("held");
    expect(await carries(stepTo("restoring", { mark: { told: true } }), restoring)).toBe("held");
  });

  it("the soak of a link begins again with another state or an aborted key", async () => {
    const staging = rotation({ state: "staging" });
    expect(await carries(stepTo("restoring"), staging)).toBe("waiting");
    expect(await carries(stepTo("staging", { mark: { aborted: true } }), staging)).toBe("waiting");
    const aborted = rotation({ state: "staging", aborted: true });
    expect(await carries(stepTo("staging", { mark: { told: true } }), aborted)).toBe("held");
  });
});

describe("a proof", () => {
  const settleMs = 18_000;
  const passing = (rxOk: bigint) => ({
    ...underKey(newKey, [oldKey, newKey]),
    frames: known({ ...frames, rxOk, txProtected: rxOk }, at(0)),
  });

  const validates: Partial<Record<ActionKind, ActionKind>> = {
    replace: "prepare",
    replaceBack: "prepareBack",
  };

  /** The second step after the settle time, and what an observation after that says. */
  const proven = async (
    action: ActionKind | undefined,
    bench = new RotationRunnerBench(),
  ): Promise<string | undefined> => {
    bench.peers.primary = peerOn(newKey);
    bench.port.primary = passing(1_000n);
    // The candidate of the way back is known in its own state alone.
    const proving = rotation({ state: action === "replaceBack" ? "reverting" : "proving" });
    const { state } = proving;
    const before = stepTo(state, { action: action && validates[action] });
    const [again, acting] = [stepTo(state), stepTo(state, { action })];
    const rotationRunner = bench.rotationRunner(again, before, acting, again);
    await bench.turn(rotationRunner, proving);
    bench.port.primary = passing(1_001n);
    await bench.turn(rotationRunner, proving);
    await bench.clock.runFor(settleMs);
    bench.port.primary = passing(2_000n);
    await bench.turn(rotationRunner, proving);
    bench.port.primary = passing(3_000n);
    await bench.turn(rotationRunner, proving);
    return bench.facts.at(-1)?.proof.kind;
  };

  it("a proof outlasts effects that leave the keys alone", async () => {
    for (const action of [undefined, "probe", "restore", "drain"] as const) {
      expect(await proven(action)).toBe("held");
    }
  });

  it("a proof outlasts a key change that the router refuses", async () => {
    for (const action of ["promote", "removeOld", "removeNew"] as const) {
      const bench = new RotationRunnerBench();
      bench.failures.prepare = failing("device.rejected", "a process holds the key");
      expect(await proven(action, bench)).toBe("held");
    }
  });

  it.each([
    ...(["stage", "add", "promote", "removeOld", "removeNew", "replace"] as const),
    "replaceBack" as const,
  ])("a proof begins again after %s", async (action) => {
    expect(await proven(action)).toBe("waiting");
  });
});

describe("how long a far end takes", () => {
  it("a far end's time is measured from the put, and written before the next step", async () => {
    const bench = new RotationRunnerBench();
    bench.port.primary = underKey(oldKey, [oldKey, newKey]);
    const told = stepTo("switching", { action: "putNew", mark: { told: true } });
    const rotationRunner = bench.rotationRunner(told, stepTo("proving"));
    await bench.turn(rotationRunner, rotation({ state: "staged" }));
    bench.peers.primary = peerOn(newKey);
    await bench.clock.runFor(90_000);
    await bench.turn(rotationRunner, rotation({ state: "switching", told: true }));
    expect(bench.done()).toEqual([
      "write measured farEnd erd-demo/primary 90000",
      "write campaign proving",
      "took test.row",
    ]);
  });

  it("a far end's time is not measured where it was not asked", async () => {
    const bench = new RotationRunnerBench();
    const rotationRunner = bench.rotationRunner(stepTo("switching", { action: "putNew" }));
    await bench.turn(rotationRunner, rotation({ state: "staged" }));
    bench.peers.primary = peerOn(newKey);
    await bench.clock.runFor(90_000);
    await bench.turn(rotationRunner, rotation({ state: "switching", told: true }));
    expect(bench.done()).toEqual(["took test.row"]);
  });
});

describe("a link that is done", () => {
  it("a link that is done leaves nothing known of it to the next one", async () => {
    const bench = new RotationRunnerBench();
    const rotated = stepTo("done", { mark: { outcome: "rotated" } });
    const rotationRunner = bench.rotationRunner(
      drain,
      stepTo("draining"),
      rotated,
      stepTo("gated"),
    );
    await bench.turn(rotationRunner, rotation());
    await bench.turn(rotationRunner, rotation({ state: "draining" }));
    await bench.turn(rotationRunner, rotation({ state: "restoring" }));
    expect(bench.facts.at(-1)?.lostCommits).toBe(1);
    await bench.turn(rotationRunner, rotation({ state: "queued", at: 1 }));
    expect(bench.facts.at(-1)?.lostCommits).toBe(0);
  });

  it("a link that is done is still the one of its last effect", async () => {
    const bench = new RotationRunnerBench();
    const last = stepTo("done", { action: "promote", mark: { outcome: "rotated" } });
    await bench.turn(bench.rotationRunner(last), rotation({ state: "restoring" }));
    expect(bench.written()).toMatchObject({ at: 1, state: "queued" });
    expect(bench.changes).toEqual([
      [
        {
          kind: "macsec.promoteKey",
          port: "et-0/0/0",
          ckn: newKey.ckn,
          keys: [newKey, oldKey],
        },
      ],
    ]);
  });
});

describe("what failed before", () => {
  const lostTwice = async (from: CampaignState): Promise<number | undefined> => {
    const bench = new RotationRunnerBench();
    const { reason } = rotation({ state: from });
    const rotationRunner = bench.rotationRunner(
      stepTo(from, { action: "drain", reason }),
      stepTo("restoring"),
      stepTo("restoring"),
    );
    await bench.turn(rotationRunner, rotation({ state: from }));
    await bench.turn(rotationRunner, rotation({ state: from }));
    await bench.turn(rotationRunner, rotation({ state: "restoring" }));
    return bench.facts.at(-1)?.lostCommits;
  };

  it("lost changes are forgotten once a campaign is no longer gated", async () => {
    expect(await lostTwice("gated")).toBe(0);
    expect(await lostTwice("draining")).toBe(1);
  });
});

describe("a router that cannot be read", () => {
  it("a router that cannot be read gives no facts of its port, and no lost change", async () => {
    const bench = new RotationRunnerBench();
    const rotationRunner = bench.rotationRunner(drain, stepTo("draining"));
    await bench.turn(rotationRunner, rotation());
    bench.port.primary = { keys: unknown("queryFailed", at(0)) };
    await bench.turn(rotationRunner, rotation({ state: "draining" }));
    expect(bench.facts.at(-1)).toMatchObject({ port: undefined, lostCommits: 0 });
    expect(rotationRunner.trouble).toBeUndefined();
  });
});
