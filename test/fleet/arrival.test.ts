// What leaves is lost and what the other end sends arrives, over a link and through a tunnel: the
// real agent beside the truth of the site.

import { describe, expect, it } from "vitest";
import type { TunnelConfig } from "#sim/router/router-config.ts";
import { AgentBench } from "../unit/kit/agent-bench.ts";

const bothLinks = { target: "erd-demo", risks: [] };
const inside = { local: "169.254.21.2", peer: "169.254.21.1" };
const withBgp = (text: string): string =>
  text.replace(/^( +)auth:/m, `$1bgp: ${JSON.stringify(inside)}\n$1auth:`);

/** The tunnel was set up by hand, with a neighbour inside of it. */
function addNeighbour({ site }: AgentBench): void {
  for (const router of site.routers.values()) {
    let made: readonly (readonly [string, TunnelConfig])[] = [];
    router.manualEdit(({ tunnels }) => {
      made = [...tunnels];
      tunnels.clear();
    });
    router.manualEdit(({ tunnels }) => {
      for (const [name, config] of made) {
        const bgp = { ...inside, asn: 65_515 };
        tunnels.set(name, { ...config, spec: { ...config.spec, bgp } });
      }
    });
  }
}

/** Both links and the tunnel answered round trips for a while. */
async function answering(): Promise<AgentBench> {
  const bench = new AgentBench("protected");
  addNeighbour(bench);
  await bench.live();
  await bench.run(30_000);
  await bench.apply(bench.config(withBgp));
  await bench.run(30_000);
  await bench.ask("POST /v1/adopt", bothLinks);
  await bench.run(300_000, () => shown(bench).every((one) => one.endsWith("protected")));
  await bench.run(120_000);
  expect(shown(bench)).toEqual(["primary protected", "secondary protected", "hub-1 protected"]);
  bench.oracle.expectNoWrites("silence moves nothing");
  return bench;
}

function shown(bench: AgentBench): readonly string[] {
  const { groups, tunnels } = bench.agent.status();
  return [...groups.flatMap(({ links }) => links), ...tunnels].map(({ name, verdict, reasons }) =>
    [name, verdict, ...reasons.map(({ code }) => code)].join(" "),
  );
}

const textOf = (bench: AgentBench, link: number): string | undefined =>
  bench.agent.status().groups[0]?.links[link]?.reasons[0]?.text;

describe("what is sent is lost, and what is received is not", () => {
  it("a link is degraded in time, and its sibling is not drained onto it", async () => {
    const bench = await answering();
    bench.link("primary").fibre.setSwallows(true);
    await bench.run(95_000);
    expect(shown(bench)[0]).toBe("primary degraded arrival-not-proven");
    const drain = await bench.ask("POST /v1/drain", { link: "erd-demo/secondary" });
    expect(drain).toMatchObject({ code: "gate.siblingUnhealthy", effect: "none" });
    bench.link("primary").fibre.setSwallows(false);
    await bench.run(60_000);
    expect(shown(bench)[0]).toBe("primary protected");
    expect([bench.oracle.agentWrites, bench.violations(), bench.broken]).toEqual([0, [], []]);
  });

  it("both links silent at once are told as one cause, and nothing is moved", async () => {
    const bench = await answering();
    for (const name of ["primary", "secondary"] as const) {
      bench.link(name).fibre.setSwallows(true);
    }
    await bench.run(95_000);
    expect(shown(bench).slice(0, 2)).toEqual([
      "primary degraded arrival-not-proven",
      "secondary degraded arrival-not-proven",
    ]);
    expect([textOf(bench, 0), textOf(bench, 1)].every((text) => text?.includes("one cause"))).toBe(
      true,
    );
    expect([bench.oracle.agentWrites, bench.violations()]).toEqual([0, []]);
  });

  it("a link that never answered this process says that nothing is visible", async () => {
    const bench = await answering();
    bench.link("primary").fibre.setSwallows(true);
    await bench.end();
    await bench.live();
    await bench.run(120_000);
    expect(shown(bench)[0]).toMatch(/^primary protected arrival-not-visible/);
    expect(bench.oracle.agentWrites).toBe(0);
  });

  it("a tunnel whose gateway lost its inbound SA is degraded, and not repaired", async () => {
    const bench = await answering();
    const [tunnel] = [...bench.site.routers.values()].flatMap((router) => router.tunnels());
    tunnel?.loseSent();
    await bench.run(95_000);
    expect(shown(bench)[2]).toBe("hub-1 degraded arrival-not-proven");
    tunnel?.rekey("child");
    await bench.run(60_000);
    expect(shown(bench)[2]).toBe("hub-1 protected");
    expect([bench.oracle.agentWrites, bench.violations(), bench.broken]).toEqual([0, [], []]);
  });
});
