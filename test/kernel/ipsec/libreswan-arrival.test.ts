// A libreswan gateway that loses its inbound SA alone: all that the edge sends is dropped, and what
// the gateway sends arrives. The real programs; each second what the agent says is printed beside
// what both kernels counted.

import { setTimeout as rest } from "node:timers/promises";
import { afterEach, describe, expect, it } from "vitest";
import { lostOf, makeRoom, startFlows, type } from "../host/router.ts";
import { AgentSite } from "./agent-site.ts";
import { BgpAgent } from "./bgp-agent.ts";
import { buildForeignBgpSite, edgeAs, gatewayAs } from "./bgp-site.ts";
import { buildForeignSite, loseInbound, outer, withoutSa } from "./libreswan-site.ts";
import { inner } from "./site.ts";

const evidenceMs = 90_000;
const patienceMs = 600_000;
const settings = ["health: { poll: 2s, staleAfter: 30s, evidence: 90s }"];
const ends: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const end of ends.splice(0).toReversed()) await end();
});

interface Told {
  readonly ms: number;
  readonly shown: string;
}

interface Reported {
  readonly name: string;
  readonly verdict: string;
  readonly reasons: readonly { readonly code: string; readonly text: string }[];
}

/** What is told of the tunnels for so long, at each change beside the packets that were dropped. */
async function told(
  tunnels: () => Promise<readonly Reported[]>,
  gateway: string,
  ms: number,
): Promise<readonly Told[]> {
  const begun = performance.now();
  const [before, all]: [number, Told[]] = [withoutSa(gateway), []];
  let last = "";
  for (; performance.now() - begun < ms; await rest(1_000)) {
    const shown = (await tunnels())
      .map(({ name, verdict, reasons }) => [name, verdict, ...reasons.map((one) => one.code)])
      .map((words) => words.join(" "))
      .join("; ");
    const at = Math.round(performance.now() - begun);
    all.push({ ms: at, shown });
    if (shown !== last) console.log(`${at} ms: ${shown}, ${withoutSa(gateway) - before} dropped`);
    last = shown;
  }
  console.log(`${all.at(-1)?.ms} ms: ${last}, ${withoutSa(gateway) - before} dropped`);
  return all;
}

const linesOf = (shown: string): readonly string[] => shown.split("; ");

describe("a libreswan gateway without its inbound SA", { timeout: 1_800_000 }, () => {
  it("a tunnel with BGP, up by its hold time, is told as arrival-not-proven in time", async () => {
    makeRoom();
    const site = await buildForeignBgpSite(2);
    const agent = await BgpAgent.at(site, settings);
    ends.push(async () => await agent.close());
    await agent.untilAll(patienceMs);
    // As at Azure: BGP would end only after three minutes.
    for (const [router, as] of [
      [site.edge, edgeAs],
      [site.gateway, gatewayAs],
    ] as const) {
      type(router, "configure terminal", `router bgp ${as}`, "timers bgp 60 180");
    }
    type(site.edge, "clear bgp *");
    await rest(20_000);
    await agent.untilAll(patienceMs);
    const stop = await startFlows(
      [site.edge.network, inner.edge],
      [site.gateway.network, inner.gateway],
      20,
    );
    // Both paths have answered by then.
    await rest(70_000);
    const [first] = site.specs;
    if (first === undefined) throw new Error("no tunnel");
    loseInbound(site.gateway.network, first.localAddress, first.remoteAddress);
    const all = await told(
      async () => (await agent.status()).tunnels,
      site.gateway.network,
      150_000,
    );
    const [out, back] = lostOf(await stop());
    console.log(`lost ${out} out, ${back} back`);
    const { tunnels, warnings } = await agent.status();
    console.log(JSON.stringify(tunnels.map(({ name, reasons }) => [name, reasons])));
    console.log(JSON.stringify(warnings.map(({ code, about }) => [code, about])));
    const late = all.filter(({ ms }) => ms > evidenceMs);
    expect(late.length).toBeGreaterThan(0);
    for (const { shown } of late) {
      expect(linesOf(shown)).toEqual(["hub-1 degraded arrival-not-proven", "hub-2 protected"]);
    }
    // No repair and no drain was begun for it.
    const { out: events } = await agent.programs.run("events", "--json");
    expect(events).not.toMatch(/tunnel-repair|drain/);
    const drained = await agent.programs.run("drain", "hub-2");
    expect(drained.err).toMatch(/nothing shows that what is sent arrives/);
    // The act that is named: new SAs.
    const { out: renewed } = await agent.programs.run("explain", "arrival-not-proven", "hub-1");
    expect(renewed).toMatch(/SPI/);
    await site.charon.ask("rekey", { ike: "hub-1", reauth: "yes" });
    await agent.untilAll(patienceMs);
  });

  it("a tunnel without BGP says that the arrival of what it sends is not visible", async () => {
    const foreign = await buildForeignSite();
    const all = await AgentSite.at(foreign, outer.gateway);
    ends.push(async () => await all.close());
    await all.apply(all.config());
    await all.untilVerdict("protected");
    const stop = await startFlows(
      [foreign.edge, inner.edge],
      [foreign.gateway, inner.gateway],
      20,
      1,
    );
    await rest(5_000);
    loseInbound(foreign.gateway, outer.edge, outer.gateway);
    const seen = await told(async () => (await all.status()).tunnels, foreign.gateway, 110_000);
    const [out, back] = lostOf(await stop());
    console.log(`lost ${out} out, ${back} back`);
    const late = seen.filter(({ ms }) => ms > evidenceMs);
    expect(late.length).toBeGreaterThan(0);
    for (const { shown } of late) expect(shown).toBe("hub-1 protected arrival-not-visible");
  });
});
