// Every fault is physical: the counters and readings of the edge tell its cause, and a heal undoes
// it.

import { describe, expect, it } from "vitest";
import type { MacsecFrames, MkpduCounters } from "#hal/model.ts";
import { demoFaults, fleetFaults, strikeFault } from "#sim/faults.ts";
import { formatViolation, watchSite } from "#sim/oracle.ts";
import { buildSite, type Site, type SiteLink } from "#sim/site.ts";

interface Struck {
  readonly site: Site;
  readonly link: SiteLink;
  /** How much a counter of the edge port rose since the strike. */
  readonly rose: (counter: keyof MacsecFrames | keyof MkpduCounters) => bigint;
}

function counters(link: SiteLink): Readonly<Record<string, bigint | undefined>> {
  return { ...link.edge.frames(), ...link.edge.mkpdus() };
}

async function protectedSite(): Promise<{ site: Site; link: SiteLink }> {
  const site = buildSite({ seed: "f", name: "demo", groups: 1, tunnels: 2, start: "protected" });
  await site.clock.runFor(60_000);
  const link = site.link("erd-demo/primary");
  if (link === undefined) throw new RangeError("the demo has a primary link");
  return { site, link };
}

const truthOf = ({ site, link }: Pick<Struck, "site" | "link">) =>
  site.groupTruth(link.group).links.find(({ id }) => id === link.id);

const tells: Readonly<Record<string, (struck: Struck) => void>> = {
  "cak-mismatch": ({ rose, link }) => {
    expect(rose("icvFailed")).toBeGreaterThan(10n);
    expect(rose("unknownCkn")).toBe(0n);
    expect(link.edge.session().livePeers).toBe(0);
  },
  "ckn-mismatch": ({ rose, link }) => {
    expect(rose("unknownCkn")).toBeGreaterThan(10n);
    expect(rose("icvFailed")).toBe(0n);
    expect(link.edge.session().livePeers).toBe(0);
  },
  "cipher-mismatch": (struck) => {
    expect(struck.link.edge.session().livePeers).toBe(1);
    expect(truthOf(struck)?.carries).toBe(false);
  },
  "sci-mismatch": (struck) => {
    expect(struck.link.edge.session().livePeers).toBe(1);
    expect(struck.rose("rxNoSci") + struck.rose("rxBadTag")).toBeGreaterThan(100n);
    expect(truthOf(struck)?.carries).toBe(false);
  },
  "peer-silent": ({ rose, link }) => {
    expect(rose("received")).toBeLessThan(4n);
    expect(link.edge.session().controlledPort).not.toBe("secured");
  },
  "should-secure": ({ link }) => {
    expect(link.edge.settings()?.policy).toBe("shouldSecure");
    expect(link.edge.session().controlledPort).toBe("secured");
  },
  "stale-sak": (struck) => {
    expect(struck.link.edge.session().controlledPort).toBe("secured");
    expect(
      struck.rose("rxNotUsingSa") + struck.rose("rxUnusedSa") + struck.rose("rxNotValid"),
    ).toBeGreaterThan(100n);
    expect(truthOf(struck)?.carries).toBe(false);
  },
  "vault-denied": ({ site, link }) => {
    expect(() => site.vault.versions(link.key.cak)).toThrow(/refuses/);
    expect(truthOf({ site, link })?.carries).toBe(true);
  },
  "commit-lost": ({ link }) => {
    expect(link.router.hasFault("silentRevert")).toBe(true);
  },
  "clear-path": ({ site }) => {
    expect(site.tunnelTruth().map(({ clearPath }) => clearPath)).toEqual([true, false]);
  },
  mtu: (struck) => {
    expect(struck.rose("txTooLong")).toBeGreaterThan(100n);
    expect(struck.link.edge.session().controlledPort).toBe("secured");
  },
  "far-end-changed": (struck) => {
    const { link } = struck;
    expect(struck.rose("unknownCkn")).toBeGreaterThan(5n);
    expect(link.msee.observe(link.azureLink).pointsAt?.cakSecretId).toContain("by-hand");
  },
};

describe("a fault of the demo", () => {
  it("is told by name: the twelve of the product, each with a title and a moment", () => {
    expect(demoFaults.map(({ name }) => name)).toEqual(Object.keys(tells));
    expect(new Set(demoFaults.map(({ title }) => title)).size).toBe(demoFaults.length);
  });

  it.each(demoFaults)("$name: $title", async (fault) => {
    const { site, link } = await protectedSite();
    const oracle = watchSite(site);
    const before = counters(link);
    const heal = strikeFault(site, fault, link);
    await site.clock.runFor(90_000);
    const rose: Struck["rose"] = (counter) =>
      (counters(link)[counter] ?? 0n) - (before[counter] ?? 0n);
    tells[fault.name]?.({ site, link, rose });
    heal();
    await site.clock.runFor(180_000);
    const after = truthOf({ site, link });
    expect([after?.secured, after?.carries, after?.bgpUp, after?.policy]).toEqual([
      true,
      true,
      true,
      "mustSecure",
    ]);
    expect(oracle.violations.map(formatViolation)).toEqual([]);
  });
});

describe("a fault of a fleet", () => {
  it.each(fleetFaults)("$name lasts, heals, and is nobody's violation", async (fault) => {
    const { site, link } = await protectedSite();
    const oracle = watchSite(site);
    const said: string[] = [];
    site.attach({ fault: (text) => said.push(text) });
    const heal = strikeFault(site, fault, link);
    await site.clock.runFor(fault.lastsMs.low);
    heal();
    heal();
    await site.clock.runFor(900_000);
    const after = truthOf({ site, link });
    expect([after?.secured, after?.carries, after?.bgpUp]).toEqual([true, true, true]);
    expect(said).toEqual([`${fault.name} strikes`, `${fault.name} ends`]);
    expect(oracle.violations.map(formatViolation)).toEqual([]);
  });
});
