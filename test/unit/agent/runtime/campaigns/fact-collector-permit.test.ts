// The permit of a hub: what waits for it, and what goes on without.

import { describe, expect, it } from "vitest";
import type { Campaign } from "#agent/model/campaign.ts";
import type { Desired } from "#agent/model/desired.ts";
import { newKey, rotation, stepTo, underKey } from "../../../kit/rotation-runner-bench.ts";
import { FactCollectorBench } from "./fact-collector-bench.ts";

const required = (wanted: Desired): Desired => ({
  ...wanted,
  fleet: { servers: ["tls://h:1"], key: "credential:k", headsMs: 600_000, permits: "required" },
});
const missing = { code: "gate.permit", cause: { code: "permit.missing" } } as const;

function bench(edit: (wanted: Desired) => Desired = required): FactCollectorBench {
  const made = new FactCollectorBench({ edit });
  made.withheld = missing;
  return made;
}

describe("a link without a permit", () => {
  const unmet = async (campaign: Campaign, one = bench()) => {
    const { unmetPrecondition, withheld } = await one.see(campaign);
    return [unmetPrecondition, withheld];
  };

  it("a link is not taken where permits are required", async () => {
    expect(await unmet(rotation())).toEqual([missing, missing]);
    expect(await unmet(rotation({ state: "draining" }))).toEqual([missing, missing]);
    expect(
      await unmet(
        rotation(),
        bench((wanted) => wanted),
      ),
    ).toEqual([undefined, undefined]);
  });

  it("another closed gate is reported first, and the permit stays missing", async () => {
    const one = bench();
    one.alarm = { cause: { code: "health.old", seconds: 90 }, isUnsure: false } as never;
    const [first, withheld] = await unmet(rotation(), one);
    expect([first?.code, withheld]).toEqual(["gate.siblingUnhealthy", missing]);
  });

  it("an emergency and an accepted risk go on", async () => {
    expect(await unmet(rotation({ urgency: "emergency" }))).toEqual([undefined, undefined]);
    expect(await unmet(rotation({ risks: ["noPermit"] }))).toEqual([undefined, undefined]);
  });

  it("a link that is taken goes on to its end", async () => {
    const drained = bench();
    drained.drained.add("primary");
    expect(await unmet(rotation({ state: "draining" }), drained)).toEqual([undefined, undefined]);
    const keyed = bench();
    keyed.port.primary = underKey(newKey);
    expect((await unmet(rotation({ state: "gated" }), keyed))[1]).toBeUndefined();
    expect((await unmet(rotation({ told: true })))[1]).toBeUndefined();
    expect((await unmet(rotation({ goal: "revert" })))[1]).toBeUndefined();
  });

  const applied = ({ log }: FactCollectorBench) => log.some((line) => line.startsWith("apply"));

  it("a drain that the router accepted has taken the link before it shows", async () => {
    const one = bench();
    one.withheld = undefined;
    const runner = one.rotationRunner(stepTo("draining", { action: "drain" }));
    await one.turn(runner, rotation());
    expect(applied(one)).toBe(true);
    one.withheld = missing;
    const turned = async () => {
      await one.turn(runner, rotation({ state: "draining" }));
      return one.facts.at(-1)?.withheld;
    };
    expect(await turned()).toBeUndefined();
    // The router has lost it.
    await one.clock.runFor(61_000);
    expect(await turned()).toEqual(missing);
  });

  it("a permit that goes while the router validates stops the drain", async () => {
    const one = bench();
    const runner = one.rotationRunner(stepTo("draining", { action: "drain" }));
    await one.turn(runner, rotation());
    expect([runner.trouble?.code, applied(one)]).toEqual(["gate.permit", false]);
    one.withheld = undefined;
    const goes = one.rotationRunner(stepTo("draining", { action: "drain" }));
    await one.turn(goes, rotation());
    expect([goes.trouble?.code, applied(one)]).toEqual([undefined, true]);
  });
});
