// Outage time to the event, the side that caused it, and its effect on the pair's traffic.

import { describe, expect, it } from "vitest";
import type { Instant } from "#hal/world.ts";
import { watchOutages } from "#sim/oracle/outage.ts";
import { buildSite, type Site, type SiteLink } from "#sim/site/site.ts";
import type { PairFlow } from "#sim/site/traffic.ts";
import { ScriptedAgent } from "../../../scripted-agent.ts";
import { settled } from "../../kit/site-bench.ts";

const start = 0 as Instant;

interface Scene {
  readonly site: Site;
  readonly link: SiteLink;
  readonly sibling: SiteLink;
  readonly outages: ReturnType<typeof watchOutages>;
}

async function scene(): Promise<Scene> {
  const site = buildSite({ seed: "dark", name: "demo", groups: 1, tunnels: 0, start: "protected" });
  await site.clock.runFor(60_000);
  const scripted = new ScriptedAgent(site);
  const link = scripted.link("erd-demo/primary");
  const outages = watchOutages(site);
  return { site, link, sibling: scripted.sibling(link), outages };
}

function drain({ router, port }: SiteLink): void {
  router.manualEdit((config) => {
    const wanted = config.ports.get(port);
    if (wanted !== undefined) wanted.drain = "prepend";
  });
}

/** Returns the pair's losses while the script ran and a while after it, out and in. */
async function lostBy(
  { site, link }: Scene,
  script: () => Promise<void>,
): Promise<{ readonly out: PairFlow; readonly in: PairFlow }> {
  const before = site.pairTraffic(link.group);
  await script();
  const after = site.pairTraffic(link.group);
  const less = (now: PairFlow, then: PairFlow): PairFlow => ({
    sent: now.sent - then.sent,
    arrived: now.arrived - then.arrived,
    lost: now.lost - then.lost,
    unrouted: now.unrouted - then.unrouted,
  });
  return { out: less(after.out, before.out), in: less(after.in, before.in) };
}

describe("outage time", () => {
  it("an outage is the far end's until its hardware is right, and ours from there", async () => {
    const { site, link, outages } = await scene();
    const scripted = new ScriptedAgent(site);
    const old = scripted.givenKey(link);
    const next = scripted.newKey(link);
    const cak = Uint8Array.from(Buffer.from(site.vault.valueForFarEnd(next.cakSecretId), "hex"));
    const key = { ckn: next.ckn, cak, role: "primary" } as const;
    const moments: number[] = [];
    const note = (): void => void moments.push(site.clock.now());
    site.clock.after(1_234, () => {
      note();
      link.farPort.removeKey(old.ckn);
    });
    site.clock.after(3_141, () => {
      note();
      link.farPort.putKey(key);
    });
    site.clock.after(60_000, () => {
      link.router.manualEdit((config) => {
        const port = config.ports.get(link.port);
        if (port !== undefined) port.keys = [key];
      });
    });
    link.fibre.onChange(() => {
      if (link.fibre.carries()) note();
    });
    await site.clock.runFor(50_000);
    expect([outages.intervals(link.id), outages.outageSince(link.id)]).toEqual([[], moments[0]]);
    await site.clock.runFor(50_000);
    const [from, farReadyAt, to] = moments;
    expect(outages.intervals(link.id)).toEqual([{ from, farReadyAt, to }]);
    const time = outages.time(link.id, site.clock.now());
    expect(time).toEqual({ wholeMs: 0, theirsMs: 0, oursMs: 0 });
    const { theirsMs, oursMs, wholeMs } = outages.time(link.id, start);
    expect([theirsMs, wholeMs]).toEqual([1_907, theirsMs + oursMs]);
    expect(oursMs).toBeGreaterThan(56_000);
  });

  it.each<{
    readonly name: string;
    readonly strike: (scene: Scene) => void;
    readonly heal: (scene: Scene) => void;
    readonly whose: "theirs" | "ours";
  }>([
    {
      name: "a silent far end",
      strike: ({ link }) => link.farPort.setFault("silent", true),
      heal: ({ link }) => link.farPort.setFault("silent", false),
      whose: "theirs",
    },
    {
      name: "a cut fibre",
      strike: ({ link }) => link.fibre.setUp(false),
      heal: ({ link }) => link.fibre.setUp(true),
      whose: "theirs",
    },
    {
      name: "a shut port",
      strike: ({ link }) => link.edge.setAdmin(false),
      heal: ({ link }) => link.edge.setAdmin(true),
      whose: "ours",
    },
  ])(
    "an outage by $name counts for the side that could have ended it",
    async ({ strike, heal, whose }) => {
      const all = await scene();
      strike(all);
      await all.site.clock.runFor(100_000);
      heal(all);
      await all.site.clock.runFor(60_000);
      const { theirsMs, oursMs } = all.outages.time(all.link.id, start);
      const [most, least] = whose === "theirs" ? [theirsMs, oursMs] : [oursMs, theirsMs];
      expect(most).toBeGreaterThan(90_000);
      expect(least).toBeLessThan(10_000);
    },
  );

  it("a link without a fault has no outage", async () => {
    const { site, sibling, link, outages } = await scene();
    link.fibre.setUp(false);
    await site.clock.runFor(600_000);
    expect([outages.intervals(sibling.id), outages.outageSince(sibling.id)]).toEqual([
      [],
      undefined,
    ]);
    expect(outages.outageSince(link.id)).toBe(60_000);
  });
});

describe("the pair", () => {
  it("the pair carries 1,000 frames a second each way", async () => {
    const all = await scene();
    const { out, in: back } = await lostBy(all, () => all.site.clock.runFor(100_000));
    for (const flow of [out, back]) {
      expect(flow).toEqual({ sent: 100_000n, arrived: 100_000n, lost: 0n, unrouted: 0n });
    }
  });

  it("the pair loses the traffic of a cut link until BGP has moved", async () => {
    const all = await scene();
    const { out, in: back } = await lostBy(all, async () => {
      all.link.fibre.setUp(false);
      await all.site.clock.runFor(100_000);
    });
    // Half of the frames are lost, for the 200 ms in which the routers converge.
    expect([out.lost, back.lost, out.unrouted]).toEqual([100n, 100n, 0n]);
  });

  it("the pair loses the traffic of a lit link that is down for a whole hold time", async () => {
    const all = await scene();
    const { out, in: back } = await lostBy(all, async () => {
      all.link.farPort.setTwist("cak", true);
      await all.site.clock.runFor(300_000);
    });
    expect(out.lost).toBeGreaterThan(90_000n);
    expect(out.lost).toBeLessThan(90_300n);
    expect(back.lost).toBe(out.lost);
  });

  it("the pair loses nothing on a link that was drained before", async () => {
    const all = await scene();
    const { out, in: back } = await lostBy(all, async () => {
      drain(all.link);
      await all.site.clock.runFor(10_000);
      all.link.farPort.setTwist("cak", true);
      await all.site.clock.runFor(300_000);
    });
    expect([out.lost, back.lost, out.unrouted]).toEqual([0n, 0n, 0n]);
  });

  it("the pair has no route once both links are down", async () => {
    const all = await scene();
    const { out } = await lostBy(all, async () => {
      all.link.fibre.setUp(false);
      all.sibling.fibre.setUp(false);
      await all.site.clock.runFor(10_200);
    });
    expect([out.lost, out.unrouted, out.arrived]).toEqual([200n, 10_000n, 0n]);
  });

  it("the pair loses nothing in a careful manual rotation, which drains first", async () => {
    const all = await scene();
    const scripted = new ScriptedAgent(all.site);
    const old = scripted.givenKey(all.link);
    const lost = await lostBy(all, async () => {
      const done = scripted.rotate(all.link, old, scripted.newKey(all.link));
      expect(await settled(all.site.clock, done)).toBe("done");
      await all.site.clock.runFor(60_000);
    });
    expect([lost.out.lost, lost.in.lost, lost.out.unrouted]).toEqual([0n, 0n, 0n]);
    const { wholeMs } = all.outages.time(all.link.id, start);
    expect(wholeMs).toBeGreaterThan(0);
    console.log(
      `a rotation with overlap: dark ${JSON.stringify(all.outages.intervals(all.link.id))}`,
    );
  });
});
