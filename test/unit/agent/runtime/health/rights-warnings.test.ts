// The warnings about the rights of the agent's identity in Azure.

import { describe, expect, it } from "vitest";
import { nextForRight } from "#agent/model/reason-text.ts";
import type { RightsReport } from "#agent/model/rights-report.ts";
import type { RightsOf } from "#agent/runtime/polling/rights-reader.ts";
import type { PeerDetails } from "#hal/device.ts";
import { keyOne } from "../../../kit/campaign-kit.ts";
import { followRight, writeRight } from "../../../kit/rights-kit.ts";
import { peerOn } from "../../../kit/snapshot-kit.ts";
import { HealthEvaluatorBench, running } from "../health-evaluator-bench.ts";

describe("the rights in Azure", () => {
  it("an operation refused while no right is missing was begun by another identity", () => {
    const unfollowed = { text: "it may not follow the operation", next: "give it the right" };
    const details: PeerDetails = {
      ...{ identity: "present", bandwidthGbps: undefined, cipher: undefined, failure: undefined },
      ...{ provisioning: { port: undefined, link: undefined }, circuits: [], unfollowed },
    };
    const peer = peerOn(keyOne, { details });
    const warned = (rights: RightsReport) => {
      const { warnings } = new HealthEvaluatorBench({ peer, rights: () => rights })
        .polls(14)
        .status();
      return warnings.find(({ code }) => code === "far-end-unfollowed");
    };
    const whole = warned({ missing: [], unknown: [] });
    expect(whole?.text).toContain("although it has Microsoft.Network/locations/operations/read");
    expect(whole?.next).toContain("azure.identity was changed");
    const unknown = [{ scope: "/subscriptions/s", why: "no", next: "give" }];
    expect(warned({ missing: [followRight], unknown: [] })).toMatchObject(unfollowed);
    expect(warned({ missing: [], unknown })).toMatchObject(unfollowed);
  });

  it("rights that Azure does not report are a warning with the scope, and no gate", () => {
    const scope = "/subscriptions/s/resourceGroups/rg";
    const unknown = [{ scope, why: "it may not read them", next: "give it the right" }];
    const rights = (of: RightsOf) =>
      of.kind === "campaign" && of.group === "erd-demo" ? { missing: [], unknown } : undefined;
    const bench = new HealthEvaluatorBench({ rights }).polls(14);
    expect(bench.status().warnings).toMatchObject([
      {
        ...{ code: "rights-unknown", about: "erd-demo", next: "give it the right" },
        text: `the rights of the agent's identity at ${scope} are not known: it may not read them`,
      },
    ]);
  });

  it("a campaign that waits for a right has the act that gives it as its next step", () => {
    const cause = { code: "gate.rightsMissing", ...writeRight, others: 0 } as const;
    const memory = running("gated", { reason: { code: "gated.closed", cause } });
    const bench = new HealthEvaluatorBench({ memory }).polls(14);
    const [waiting] = bench.status().warnings.filter(({ code }) => code === "campaign-waiting");
    expect(waiting?.text).toContain(`${writeRight.action} at ${writeRight.scope}`);
    expect(waiting?.next).toBe(nextForRight(writeRight));
  });
});
