// What storms with a meddling operator found: a sibling that this agent does not own is nothing to
// rely on, and a campaign that waits for it would keep it from being adopted.

import { describe, expect, it } from "vitest";
import { carryGap } from "#agent/rotation/facts.ts";
import type { PeerState } from "#hal/device.ts";
import { AgentBench, group } from "../../kit/agent-bench.ts";
import { clearPort, peerOff, peerOn, snapshotOf, stateOf } from "../../kit/snapshot-kit.ts";

describe("a clear sibling", () => {
  it("a clear sibling whose far end has a key does not carry, although BGP is up", () => {
    const beside = (peer: PeerState) =>
      carryGap(snapshotOf(stateOf(clearPort()), { peer }), undefined);
    expect([beside(peerOff), beside(peerOn())]).toEqual([
      undefined,
      { code: "sibling.farEndKeyed" },
    ]);
  });
});

/** The primary link was protected by hand; the secondary never was. */
async function halfProtected(): Promise<AgentBench> {
  const bench = new AgentBench("protected");
  const { msee, azureLink, router, port } = bench.link("secondary");
  msee.manualEdit(azureLink, { key: "off" });
  router.manualEdit((config) => {
    const settings = config.ports.get(port);
    if (settings !== undefined) Object.assign(settings, { macsec: undefined, keys: [] });
  });
  await bench.run(120_000);
  await bench.live();
  await bench.apply();
  await bench.run(120_000);
  return bench;
}

describe("a clear link beside one that waits for adoption", () => {
  it("an enrolment beside a link to adopt waits, and goes on once it is adopted", async () => {
    const bench = await halfProtected();
    expect(bench.agent.memory.campaigns).toEqual({});
    expect(await bench.ask("POST /v1/enrol", { target: group, risks: [] })).toMatchObject({
      code: "gate.leftoverKey",
      next: `linkseal adopt ${group}/primary`,
    });
    await bench.ask("POST /v1/adopt", { target: `${group}/primary`, risks: [] });
    await bench.reach("secondary done");
    await bench.run(120_000);
    expect(bench.agent.status().verdict).toBe("protected");
    expect([bench.violations(), bench.broken]).toEqual([[], []]);
  });
});
