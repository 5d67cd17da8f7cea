// A sibling on the agent's own host: what waits for the risk while the link still carries.

import { describe, expect, it } from "vitest";
import type { Campaign } from "#agent/model/campaign.ts";
import type { Desired } from "#agent/model/desired.ts";
import { known } from "#hal/model.ts";
import {
  oldKey,
  rotation,
  shutsFirst,
  siblingHere,
  stepTo,
  underKey,
} from "../../../kit/rotation-runner-bench.ts";
import { at, session } from "../../../kit/snapshot-kit.ts";
import { FactCollectorBench, inGroup } from "./fact-collector-bench.ts";

describe("a link whose sibling ends on the agent's host", () => {
  const hard = (wanted: Desired) => siblingHere(inGroup({ drain: "peeringShutdown" })(wanted));
  const quirk = (wanted: Desired) => siblingHere(shutsFirst(wanted));
  const missing = { code: "gate.riskNotAccepted", risk: "agentOnSibling" };
  const unmet = async (
    edit: (wanted: Desired) => Desired,
    over: Partial<Campaign> = {},
    drained: readonly ("primary" | "secondary")[] = [],
  ) => {
    const bench = new FactCollectorBench({ edit });
    for (const link of drained) bench.drained.add(link);
    return (await bench.see(rotation(over))).unmetPrecondition;
  };

  // A config that was accepted in the middle of a campaign took the routes of a drain unasked.
  it("a drain that takes routes away waits for the risk, so does a port to be shut", async () => {
    expect(await unmet(hard)).toEqual(missing);
    expect(await unmet(quirk)).toEqual(missing);
    // An emergency may shut the port for a fresh SAK.
    expect(await unmet(siblingHere, { urgency: "emergency" })).toEqual(missing);
    expect(await unmet(siblingHere)).toBeUndefined();
    expect(await unmet(inGroup({ drain: "peeringShutdown" }))).toBeUndefined();
  });

  // A campaign that went back drained a link that was cut, and took its routes.
  it("a link that is dark waits before a drain that takes routes, and not to be shut", async () => {
    const dark = async (edit: (wanted: Desired) => Desired) => {
      const bench = new FactCollectorBench({ edit });
      bench.port.primary = {
        ...underKey(oldKey),
        session: known({ ...session, livePeers: 0, respondedPeers: 0 }, at(0)),
      };
      return (await bench.see(rotation({ goal: "revert" }))).unmetPrecondition?.code;
    };
    expect(await dark(hard)).toBe("gate.riskNotAccepted");
    expect(await dark(quirk)).not.toBe("gate.riskNotAccepted");
  });

  it("a campaign that took the risk goes on, so does a link that is drained already", async () => {
    expect(await unmet(hard, { risks: ["agentOnSibling"] })).toBeUndefined();
    expect(await unmet(hard, {}, ["primary"])).toBeUndefined();
  });

  const applied = ({ log }: FactCollectorBench) => log.some((line) => line.startsWith("apply"));

  // The first try was lost, and the row that tries again asks for no gate.
  it("a drain that is tried again is not made before the risk is accepted", async () => {
    const bench = new FactCollectorBench({ edit: hard });
    const again = bench.rotationRunner(stepTo("draining", { action: "drain" }));
    await bench.turn(again, rotation({ state: "draining" }));
    expect([again.trouble?.code, applied(bench)]).toEqual(["gate.riskNotAccepted", false]);
    const accepted = new FactCollectorBench({ edit: hard });
    const goes = accepted.rotationRunner(stepTo("draining", { action: "drain" }));
    await accepted.turn(goes, rotation({ state: "draining", risks: ["agentOnSibling"] }));
    expect([goes.trouble?.code, applied(accepted)]).toEqual([undefined, true]);
  });
});
