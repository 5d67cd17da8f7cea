// P7: compares reports with the truth, and with what could be known.

import { describe, expect, it } from "vitest";
import type { Oracle } from "#sim/oracle/oracle.ts";
import { formatViolation, watchSite } from "#sim/oracle/oracle.ts";
import type { ReportedStatus } from "#sim/oracle/report.ts";
import type { Verdict } from "#sim/oracle/surfaces.ts";
import { buildSite, type Site } from "#sim/site/site.ts";

const never = new AbortController().signal;

function status(primary: Verdict, over: Partial<ReportedStatus> = {}): ReportedStatus {
  const links = [
    { name: "primary", verdict: primary },
    { name: "secondary", verdict: "protected" as const },
  ];
  const groups = [{ name: "erd-demo", verdict: primary, links }];
  return { verdict: primary, groups, tunnels: [], ...over };
}

async function site(): Promise<{
  site: Site;
  oracle: Oracle;
  observe: (ms: number) => Promise<void>;
}> {
  const built = buildSite({ seed: "p7", name: "demo", groups: 1, tunnels: 1, start: "protected" });
  const oracle = watchSite(built);
  const observe = async (ms: number): Promise<void> => {
    for (let spent = 0; spent < ms; spent += 5_000) {
      for (const name of built.routers.keys()) {
        built
          .device(name)
          ?.observe(never)
          .catch(() => {});
      }
      await built.clock.runFor(5_000);
    }
  };
  await observe(60_000);
  return { site: built, oracle, observe };
}

function primaryOf(at: Site) {
  const link = at.link("erd-demo/primary");
  if (link === undefined) throw new RangeError("the demo has a primary link");
  return link;
}

interface Row {
  readonly name: string;
  readonly happens: (at: Site) => void;
  readonly afterMs: number;
  readonly reports: ReportedStatus;
  /** A part of the violation's text; undefined for an honest report. */
  readonly says: string | undefined;
}

const nothing = (): void => {};
const cut = (at: Site): void => primaryOf(at).fibre.setUp(false);
const silence = (at: Site): void => primaryOf(at).router.setFault("unreachable", true);
const garble = (at: Site): void => primaryOf(at).router.setFault("unparsed", true);
const clear = (at: Site): void => {
  primaryOf(at).router.manualEdit((config) =>
    config.ports.forEach((port) => {
      port.macsec = undefined;
      port.keys = [];
    }),
  );
  primaryOf(at).msee.manualEdit("link1", { key: "off" });
};

const readable = (at: Site): void => primaryOf(at).farPort.setFault("integrityOnly", true);

const stale = (at: Site): void => {
  primaryOf(at).edge.setFault("staleSak", true);
  primaryOf(at).far.rekeySak();
  at.clock.after(60_000, () => cut(at));
};

const rows: readonly Row[] = [
  {
    name: "a data plane broken for a minute, and a fibre cut a moment ago",
    happens: stale,
    afterMs: 65_000,
    reports: status("protected"),
    says: undefined,
  },
  {
    name: "a data plane broken for long, and a fibre cut a while ago",
    happens: stale,
    afterMs: 110_000,
    reports: status("protected"),
    says: "erd-demo/primary is reported protected and has been degraded or worse",
  },
  {
    name: "all is well",
    happens: nothing,
    afterMs: 5_000,
    reports: status("protected"),
    says: undefined,
  },
  {
    name: "a fibre cut a moment ago",
    happens: cut,
    afterMs: 5_000,
    reports: status("protected"),
    says: undefined,
  },
  {
    name: "a fibre cut a while ago",
    happens: cut,
    afterMs: 60_000,
    reports: status("protected"),
    says: "erd-demo/primary is reported protected and has been degraded or worse",
  },
  {
    name: "a fibre cut a while ago",
    happens: cut,
    afterMs: 60_000,
    reports: status("degraded"),
    says: "has been down or worse",
  },
  {
    name: "a fibre cut a while ago",
    happens: cut,
    afterMs: 60_000,
    reports: status("down"),
    says: undefined,
  },
  {
    name: "a fibre cut a while ago",
    happens: cut,
    afterMs: 60_000,
    reports: status("unknown"),
    says: undefined,
  },
  {
    name: "MACsec taken off at both ends",
    happens: clear,
    afterMs: 200_000,
    reports: status("down"),
    says: "has been unprotected or worse",
  },
  {
    name: "MACsec taken off at both ends",
    happens: clear,
    afterMs: 200_000,
    reports: status("unprotected"),
    says: undefined,
  },
  {
    name: "a far end that sends readable frames under MACsec, for a moment",
    happens: readable,
    afterMs: 20_000,
    reports: status("protected"),
    says: undefined,
  },
  {
    name: "a far end that sends readable frames under MACsec",
    happens: readable,
    afterMs: 120_000,
    reports: status("protected"),
    says: "erd-demo/primary is reported protected and has been degraded or worse",
  },
  {
    name: "a far end that sends readable frames under MACsec",
    happens: readable,
    afterMs: 120_000,
    reports: status("down"),
    says: "erd-demo/primary is reported down and has been unprotected or worse",
  },
  {
    name: "a far end that sends readable frames under MACsec",
    happens: readable,
    afterMs: 120_000,
    reports: status("unprotected"),
    says: undefined,
  },
  {
    name: "a device silent for a moment",
    happens: silence,
    afterMs: 20_000,
    reports: status("protected"),
    says: undefined,
  },
  {
    name: "a device silent for long",
    happens: silence,
    afterMs: 60_000,
    reports: status("protected"),
    says: "stale read as protected",
  },
  {
    name: "a device silent for long",
    happens: silence,
    afterMs: 60_000,
    reports: status("down"),
    says: "unknown read as down",
  },
  {
    name: "a device silent for long",
    happens: silence,
    afterMs: 60_000,
    reports: status("unprotected"),
    says: "unknown read as unprotected",
  },
  {
    name: "a device silent for long",
    happens: silence,
    afterMs: 60_000,
    reports: status("unknown"),
    says: undefined,
  },
  {
    name: "output that cannot be parsed",
    happens: garble,
    afterMs: 60_000,
    reports: status("down"),
    says: "unknown read as down",
  },
  {
    name: "a total better than its parts",
    happens: cut,
    afterMs: 60_000,
    reports: { ...status("down"), verdict: "unknown" },
    says: "the site is reported unknown, better than its part that is down",
  },
  {
    name: "a group better than its links",
    happens: cut,
    afterMs: 60_000,
    reports: {
      ...status("down"),
      groups: [
        {
          ...status("down").groups[0],
          name: "erd-demo",
          verdict: "protected",
          links: status("down").groups[0]?.links ?? [],
        },
      ],
    },
    says: "erd-demo is reported protected, better than its part that is down",
  },
  {
    name: "a tunnel beside a clear path",
    happens: (at) => primaryOf(at).router.advertise("10.100.0.0/16", "announce"),
    afterMs: 120_000,
    reports: status("protected", { tunnels: [{ name: "hub-1", verdict: "protected" }] }),
    says: "hub-1 is reported protected",
  },
];

describe("P7", () => {
  it.each(rows)("P7: $name, reported as $reports.verdict, gives: $says", async (row) => {
    const { site: at, oracle, observe } = await site();
    row.happens(at);
    await observe(row.afterMs);
    oracle.reported(row.reports);
    const texts = oracle.violations.map(formatViolation);
    if (row.says === undefined) expect(texts).toEqual([]);
    else {
      expect(texts.join("\n")).toContain(row.says);
      expect(texts[0]?.split("\n")[0]).toBe("seed p7 promise P7");
      expect(texts[0]?.split("\n")[1]).toContain("status says");
    }
  });

  it("a report that arrives late is judged by the time of its request", async () => {
    const { site: at, oracle } = await site();
    const askedAt = at.clock.now();
    // The agent makes no observation any more.
    await at.clock.runFor(60_000);
    oracle.reported(status("protected"), askedAt);
    expect(oracle.violations).toEqual([]);
    oracle.reported(status("protected"), at.clock.now());
    expect(oracle.violations.map(({ promise }) => promise)).toContain("P7");
  });

  it("a too pessimistic report is listed apart after ten minutes of health", async () => {
    const { oracle, observe } = await site();
    oracle.reported(status("degraded"));
    expect(oracle.late).toEqual([]);
    await observe(660_000);
    oracle.reported(status("degraded"));
    oracle.reported(status("degraded"));
    expect(oracle.late).toEqual(["erd-demo/primary degraded"]);
    expect(oracle.violations).toEqual([]);
  });
});
