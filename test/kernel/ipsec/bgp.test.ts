// An agent with BGP inside its two tunnels, and the known trap: the open peering beside them learns
// or announces a protected prefix as well. Real FRR and charon, and the real programs.

import { setTimeout as rest } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { lostOf, makeRoom, startFlows, type } from "../host/router.ts";
import { ip, until } from "../lab.ts";
import { BgpAgent } from "./bgp-agent.ts";
import { type BgpSite, buildBgpSite, edgeAs, gatewayAs, wire } from "./bgp-site.ts";
import type { Daemon } from "./daemon.ts";
import { inner, pings } from "./site.ts";

let site: BgpSite;
let agent: BgpAgent<Daemon>;

beforeAll(async () => {
  makeRoom();
  site = await buildBgpSite(2);
  agent = await BgpAgent.at(site, ["health: { poll: 2s, staleAfter: 30s, evidence: 90s }"]);
}, 240_000);
afterAll(() => agent.close());

/** Each query starts a program, which is slow in an emulator. */
const patienceMs = 150_000;

const untilProtected = (): Promise<void> => agent.untilAll(patienceMs);

const reasonOf = async (code: string): Promise<string | undefined> =>
  (await agent.status()).tunnels[0]?.reasons.find((reason) => reason.code === code)?.text;

/** Measures the time from `act` to the first status that reports the code, in ms. */
async function warningText(code: string, act: () => void): Promise<string> {
  act();
  const begun = performance.now();
  const text = await until(() => reasonOf(code), patienceMs);
  console.log(`${code} after ${Math.round(performance.now() - begun)} ms: ${text}`);
  return text;
}

const atEdge = (...lines: readonly string[]): void => {
  type(site.edge, "configure terminal", `router bgp ${edgeAs}`, ...lines);
};
const atGateway = (...lines: readonly string[]): void => {
  type(site.gateway, "configure terminal", `router bgp ${gatewayAs}`, ...lines);
};
const unicast = "address-family ipv4 unicast";
const beside = "clear-path-beside-tunnel";

describe("an agent with BGP inside of its tunnels", { timeout: 400_000 }, () => {
  it("an agent installs the blocks, and reports protected once routes are there", async () => {
    await untilProtected();
    expect(await pings(site.edge.network)).toBe(3);
  });

  it("a neighbour that gets our prefix in the open is named until that ends", async () => {
    const text = await warningText(beside, () => {
      atEdge(unicast, `no neighbor ${wire.gateway} route-map outer out`);
    });
    expect(text).toContain(
      `edge sends ${wire.gateway} over wire a route to 10.1.0.0/16 (advertises 10.1.0.0/16), ` +
        "beside the tunnel hub-1",
    );
    expect(text).toContain("it is blocked here");
    const { warnings } = await until(async () => {
      const now = await agent.status();
      return now.warnings.some(({ code }) => code === beside) ? now : undefined;
    }, patienceMs);
    const { since = "" } = warnings.find(({ code }) => code === beside) ?? {};
    expect(Date.parse(since)).toBeGreaterThan(0);
    atEdge(unicast, `neighbor ${wire.gateway} route-map outer out`);
    await untilProtected();
  });

  it("a route from the open peering is named until it is gone", async () => {
    const text = await warningText(beside, () => {
      atGateway(unicast, "network 10.100.7.0/24", `no neighbor ${wire.edge} route-map outer out`);
    });
    expect(text).toMatch(
      /edge reaches 10\.100\.0\.0\/16 over wire \(route 10\.100\.[07]\.0\/\d+\)/,
    );
    expect(text).toContain("beside the tunnel hub-1");
    atGateway(unicast, "no network 10.100.7.0/24", `neighbor ${wire.edge} route-map outer out`);
    await untilProtected();
    expect(await pings(site.edge.network)).toBe(3);
  });

  it("a drain moves the traffic of one tunnel to the other, and never of both", async () => {
    const drained = await agent.programs.run("drain", "hub-1");
    expect([drained.status, drained.err]).toEqual([0, ""]);
    const { tunnels } = await agent.status();
    expect(tunnels.map(({ bgp }) => [bgp?.up, bgp?.drained])).toEqual([
      [true, true],
      [true, false],
    ]);
    const routes = ip("-n", site.edge.network, "route", "show", "10.100.0.0/16");
    expect([routes.includes("dev hub-1"), routes.includes("dev hub-2")]).toEqual([false, true]);
    const refused = await agent.programs.run("drain", "hub-2");
    expect([refused.status, refused.err]).toEqual([
      6,
      expect.stringContaining("hub-1 is drained, and one of a bundle is taken out at a time"),
    ]);
    expect((await agent.programs.run("tunnels")).out).toMatch(/hub-1 .* up, drained/);
    expect((await agent.programs.run("undrain", "hub-1")).status).toBe(0);
    await until(() => {
      const both = ip("-n", site.edge.network, "route", "show", "10.100.0.0/16");
      return both.includes("dev hub-1") && both.includes("dev hub-2") ? true : undefined;
    });
  });

  it("a tunnel whose key changes loses nothing, because the other has its traffic", async () => {
    const [one] = site.specs;
    const newer = "Azure_PSK_of_the_second_year";
    const id = agent.cloud.vault.put("hub-1-psk", newer);
    const owners = [one?.remoteAddress ?? "", one?.localAddress ?? ""];
    await site.far.ask("load-shared", { id: "hub-1", type: "IKE", data: newer, owners });
    const spis = () => ip("-n", site.edge.network, "xfrm", "state").match(/spi 0x[0-9a-f]+/g) ?? [];
    const before: readonly string[] = spis();
    const ends = [
      [site.edge.network, inner.edge],
      [site.gateway.network, inner.gateway],
    ] as const;
    const stop = await startFlows(...ends, 5, 32);
    await rest(5_000);
    const proceeded = await agent.programs.run("psk", "proceed", "hub-1");
    await rest(15_000);
    const allCounters = await stop();
    const [out, back] = lostOf(allCounters);
    const [sent = 0, answered = 0] = allCounters.map((counters) => counters.sent);
    console.log(`a key of one of two: lost ${out} of ${sent} out, ${back} of ${answered} back`);
    expect([proceeded.status, proceeded.err]).toEqual([0, ""]);
    expect((await agent.programs.run("psk", "show", "hub-1")).out).toContain(id.split("/").at(-1));
    expect(spis().filter((spi) => !before.includes(spi))).toHaveLength(2);
    expect([out, back]).toEqual([0, 0]);
    expect((await agent.status()).tunnels.map(({ bgp }) => bgp?.drained)).toEqual([false, false]);
  });

  it("an inner session that is down is reported, and so is the loss of the last path", async () => {
    const [one, two] = site.specs.map(({ bgp }) => bgp);
    const text = await warningText("tunnel-bgp-down", () =>
      atGateway(`neighbor ${one?.local} shutdown`),
    );
    expect(text).toContain(`BGP with ${one?.peer} over hub-1 is down`);
    expect(await pings(site.edge.network)).toBe(3);
    atGateway(`neighbor ${two?.local} shutdown`);
    expect(await until(() => reasonOf(beside), patienceMs)).toContain("(route 0.0.0.0/0)");
    expect(await pings(site.edge.network)).toBe(0);
    atGateway(...[one, two].map((bgp) => `no neighbor ${bgp?.local} shutdown`));
    await untilProtected();
    expect(await pings(site.edge.network)).toBe(3);
  });
});
