// An agent with a tunnel of its host, tested by commands and their output: the real programs, real
// charon at both ends.

import { once } from "node:events";
import { setTimeout as rest } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { lostOf, makeRoom, startFlows } from "../host/router.ts";
import { ip, until } from "../lab.ts";
import { AgentSite, patienceMs } from "./agent-site.ts";
import { inner, loadGateway, pings, strong, type TunnelSite } from "./site.ts";

const newerPsk = "Azure_PSK_of_the_next_year";

let all: AgentSite;
let site: TunnelSite;

beforeAll(async () => {
  makeRoom();
  all = await AgentSite.open();
  site = all.tunnels;
  await all.apply(all.config());
}, 240_000);
afterAll(() => all.close());

describe("an agent with a tunnel of its host", { timeout: 400_000 }, () => {
  it("a tunnel of the accepted intent comes up, and is reported as protected", async () => {
    await all.untilVerdict("protected");
    expect(await pings(site.edge)).toBe(3);
  });

  it("an agent that is killed and restarted loses no packet and writes nothing", async () => {
    const before = ip("-n", site.edge, "xfrm", "state", "list");
    const flow = pings(site.edge, 200, 0.05);
    const { agent } = all;
    if (agent === undefined) throw new Error("no agent runs");
    agent.kill("SIGKILL");
    await once(agent, "close");
    all.agent = await all.programs.serve("agent");
    await all.untilVerdict("protected");
    expect(await flow).toBe(200);
    const spis = (text: string): readonly string[] => text.match(/spi 0x[0-9a-f]+/g) ?? [];
    expect(spis(ip("-n", site.edge, "xfrm", "state", "list"))).toEqual(spis(before));
  });

  it("a tunnel comes back by itself after charon was killed, without a leftover SA", async () => {
    await site.charon.stop("SIGKILL");
    await all.untilVerdict("unknown");
    await site.charon.start();
    await all.untilVerdict("protected");
    await until(() => {
      const spis = ip("-n", site.edge, "xfrm", "state").match(/^\s+(aead|enc) /gm);
      return spis?.length === 2 ? true : undefined;
    });
    expect(await pings(site.edge)).toBe(3);
  });

  it("a key that the gateway refuses changes nothing, and one that it has is taken", async () => {
    all.cloud.vault.put("hub-1-psk", newerPsk);
    const spis = (): readonly string[] =>
      ip("-n", site.edge, "xfrm", "state", "list").match(/spi 0x[0-9a-f]+/g) ?? [];
    const before = spis();
    const stop = await startFlows([site.edge, inner.edge], [site.gateway, inner.gateway]);
    await rest(5_000);
    const early = await all.programs.run("psk", "proceed", "hub-1");
    expect([early.status, early.err]).toEqual([
      1,
      expect.stringContaining("hub-1 keeps its old key, and its SAs: the gateway refuses it"),
    ]);
    expect(spis()).toEqual(before);
    const { warnings } = await until(async () => {
      const now = await all.status();
      return now.warnings.some(({ code }) => code === "waiting-for-person") ? now : undefined;
    }, patienceMs);
    expect(warnings[0]).toMatchObject({ about: "hub-1", next: "linkseal psk proceed hub-1" });
    await loadGateway(site.far, strong, newerPsk);
    const done = await all.programs.run("psk", "proceed", "hub-1");
    expect([done.status, done.err]).toEqual([0, ""]);
    expect(spis()).not.toEqual(before);
    await rest(15_000);
    const allCounters = await stop();
    const [out, back] = lostOf(allCounters);
    console.log(
      `a key refused, then changed: lost ${out} out, ${back} back of ${allCounters[0]?.sent}`,
    );
    expect(out).toBe(0);
    // As with every fresh authentication, the gateway sends under the new SAs before they exist
    // here.
    expect(back).toBeLessThanOrEqual(100);
    // The tunnel comes back with the new key alone: neither end has the old one any more.
    await site.charon.stop("SIGKILL");
    await site.charon.start();
    await all.untilVerdict("protected");
    expect(await pings(site.edge)).toBe(3);
    expect((await all.programs.run("psk", "show")).out).not.toContain("waiting");
  });

  it("a route beside the tunnel is named within one poll, and is blocked there", async () => {
    ip("-n", site.edge, "route", "add", "10.100.7.0/24", "via", "198.51.100.2");
    const begun = performance.now();
    const text = await until(() => all.reasonOf("clear-path-beside-tunnel"), patienceMs);
    console.log(`a clear path was named after ${Math.round(performance.now() - begun)} ms`);
    expect(text).toContain("over wire (route 10.100.7.0/24), beside the tunnel hub-1");
    expect(text).toContain("it is blocked there");
    ip("-n", site.edge, "route", "delete", "10.100.7.0/24");
    await all.untilVerdict("protected");
  });

  it.each([
    {
      what: "the outer address of a tunnel is removed",
      lose: () => ip("-n", site.edge, "address", "delete", "198.51.100.1/24", "dev", "wire"),
      mend: () => ip("-n", site.edge, "address", "add", "198.51.100.1/24", "dev", "wire"),
      text: "hub-1 has no way out of edge: no interface has the outer address 198.51.100.1",
    },
    {
      what: "the outer link of a tunnel loses its carrier",
      lose: () => ip("-n", site.gateway, "link", "set", "wire", "down"),
      mend: () => ip("-n", site.gateway, "link", "set", "wire", "up"),
      text: "the interface wire, which leads to 198.51.100.2, has no link",
    },
    {
      what: "the route to the gateway of a tunnel is removed",
      lose: () => ip("-n", site.edge, "route", "add", "unreachable", "198.51.100.2/32"),
      mend: () => ip("-n", site.edge, "route", "delete", "unreachable", "198.51.100.2/32"),
      text: "hub-1 has no way out of edge: no route leads to 198.51.100.2",
    },
  ])("$what, and the tunnel is down for that cause alone until it is back", async (fault) => {
    fault.lose();
    const begun = performance.now();
    const text = await until(() => all.reasonOf("tunnel-underlay"), patienceMs);
    console.log(`${fault.what}: told after ${Math.round(performance.now() - begun)} ms`);
    expect(text).toContain(fault.text);
    const [tunnel] = (await all.status()).tunnels;
    expect([tunnel?.verdict, tunnel?.reasons.map(({ code }) => code)]).toEqual([
      "down",
      ["tunnel-underlay"],
    ]);
    fault.mend();
    await pings(site.edge);
    await all.untilVerdict("protected");
  });

  it("a missing block policy is reported until the guard has run", async () => {
    const policies = ip("-n", site.edge, "-s", "xfrm", "policy", "list", "dir", "out");
    // It has a user id in its selector, which `ip` can only show.
    const index = /dst 10\.100\.0\.0\/16 uid \d+\s+dir out action block index (\d+)/.exec(
      policies,
    )?.[1];
    if (index === undefined) throw new Error("there is no block");
    ip("-n", site.edge, "xfrm", "policy", "delete", "dir", "out", "index", index);
    const text = await until(() => all.reasonOf("guard-missing"), patienceMs);
    expect(text).toContain("would let 10.100.0.0/16 pass in the clear");
    expect((await all.programs.run("guard")).status).toBe(0);
    await all.untilVerdict("protected");
  });

  it("a tunnel whose gateway has another key stays down, with the reason", async () => {
    await loadGateway(site.far, strong, "another_PSK_of_16+");
    const { charon } = site;
    await charon.stop("SIGTERM");
    await charon.start();
    const { warnings } = await until(async () => {
      const now = await all.status();
      const isReported = JSON.stringify(now).includes("different pre-shared keys");
      return isReported ? now : undefined;
    }, patienceMs);
    expect(JSON.stringify(warnings)).not.toContain(newerPsk);
    await loadGateway(site.far, strong, newerPsk);
    await all.untilVerdict("protected");
  });
});
