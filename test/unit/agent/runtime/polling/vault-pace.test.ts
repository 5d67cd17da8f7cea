// How often a vault is queried: far below its limits, never in step, and with growing pauses after
// a refusal.

import { describe, expect, it } from "vitest";
import type { World } from "#hal/world.ts";
import { SimDisk } from "#sim/base/disk.ts";
import { simulatedAgent, simulatedWorld } from "#sim/lab/simulate.ts";
import { watchSite } from "#sim/oracle/oracle.ts";
import { buildSite } from "#sim/site/site.ts";
import { never, settled } from "../../../kit/site-bench.ts";

const address = "unix:/run/linkseal-sim/site.sock";
const minute = 60_000;
const hour = 60 * minute;
/** The limit of a vault in ten seconds (Key Vault service limits, secrets, all but writing). */
const limit = { transactions: 4_000, windowMs: 10_000 };

interface Pace {
  /** When each request was sent, in ms. */
  readonly sent: readonly number[];
  readonly values: number;
}

/**
 * Runs an agent with this many protected pairs for so long, and returns its requests to the vault.
 */
async function paceOf(
  groups: number,
  ms: number,
  { fault, poll = "60s" }: { readonly fault?: "denied" | "throttled"; readonly poll?: string } = {},
): Promise<Pace> {
  const names = { seed: "pace", name: "pace", groups, tunnels: 0, start: "protected" } as const;
  const site = buildSite(names);
  const { clock, prng } = site;
  watchSite(site);
  const disk = new SimDisk({ clock, prng: prng.fork("disk"), writeMs: 2 });
  const log = { write: () => undefined };
  const inner = simulatedWorld({ site, disk, log, prng: prng.fork("agent") });
  const sent: number[] = [];
  let values = 0;
  const world: World = {
    ...inner,
    dial: {
      ...inner.dial,
      http(request, signal) {
        if (request.path.startsWith("/vault/")) {
          sent.push(clock.now());
          if (!request.path.endsWith("/versions")) values += 1;
        }
        return inner.dial.http(request, signal);
      },
    },
  };
  const agent = await settled(clock, simulatedAgent(world));
  const stop = new AbortController();
  agent.run(stop.signal).catch((error: unknown) => {
    if (!stop.signal.aborted) throw error;
  });
  const text = [
    site
      .config(address)
      .trimEnd()
      .replaceAll("    drain: prepend", "    drain: prepend\n    rotate: { on: vaultVersion }"),
    `health: { poll: ${poll}, staleAfter: 90s, evidence: 10m }`,
    "",
  ].join("\n");
  const request = { text, file: "pace.yaml", who: "test", queue: false };
  const answer = await settled(clock, agent.apply(request, never));
  expect(answer.kind).toBe("accepted");
  await clock.runFor(minute, () => false);
  for (const group of site.groups) {
    await settled(clock, agent.commands.adopt(group, [], never));
  }
  await clock.runFor(2 * minute, () => false);
  sent.length = 0;
  values = 0;
  if (fault !== undefined) site.vault.setFault(fault, true);
  const begun = clock.now();
  await clock.runFor(ms, () => false);
  stop.abort();
  await clock.runFor(1_000, () => false);
  return { sent: sent.map((at) => at - begun), values };
}

function mostWithin(times: readonly number[], windowMs: number): number {
  let most = 0;
  let from = 0;
  for (const [to, at] of times.entries()) {
    while (at - (times[from] ?? 0) > windowMs) from += 1;
    most = Math.max(most, to - from + 1);
  }
  return most;
}

describe("the pace of vault queries", () => {
  it("the vault queries for 200 links are far below the limit, with no unneeded read", async () => {
    const { sent, values } = await paceOf(100, hour / 6);
    const hourly = sent.length * 6;
    const most = mostWithin(sent, limit.windowMs);
    console.log(`200 links: ${hourly} requests an hour, ${most} in the busiest ten seconds`);
    expect(hourly).toBeGreaterThan(1_000);
    expect(hourly).toBeLessThan(4_000);
    expect(most).toBeLessThan(limit.transactions / 20);
    expect(values).toBe(0);
  });

  it("the vault queries of ten groups do not fall into the same half minute", async () => {
    const { sent } = await paceOf(10, hour / 2, { poll: "20s" });
    const last = sent.filter((at) => at > hour / 2 - 6 * minute);
    const halves = new Set(last.map((at) => Math.floor(at / (minute / 2))));
    console.log(
      `ten groups: ${last.length} requests in ${halves.size} of the last 12 half minutes`,
    );
    expect(halves.size).toBeGreaterThanOrEqual(3);
  });

  it.each(["denied", "throttled"] as const)(
    "the pace of vault queries falls while the vault is %s",
    async (fault) => {
      const { sent } = await paceOf(1, 2 * hour, { fault });
      const waits = sent.slice(1).map((at, i) => at - (sent[i] ?? 0));
      const early = waits.slice(0, 3);
      expect(early.every((ms, i) => i === 0 || ms > (early[i - 1] ?? 0))).toBe(true);
      const late = waits.slice(6);
      expect(Math.min(...late)).toBeGreaterThanOrEqual(10 * minute);
      expect(Math.max(...late)).toBeLessThanOrEqual(14 * minute);
      expect(sent.length).toBeLessThan(20);
    },
  );
});
