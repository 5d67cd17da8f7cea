// An agent with BGP inside of its two tunnels, and the trap beside them: a protected prefix that
// the open peering learns or tells as well. Real FRR and charon, and the real programs.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Status } from "#agent/health/status.ts";
import { siteHandler } from "#sim/faces/site.ts";
import { type Pace, paceClock, type Served, serveSite } from "#sim/serve.ts";
import { buildSite as buildCloud } from "#sim/site.ts";
import { Programs } from "../host/programs.ts";
import { type } from "../host/router.ts";
import { ip, leaveNetworks, until } from "../lab.ts";
import { type BgpSite, buildBgpSite, edgeAs, gatewayAs, leaveBgpSite, wire } from "./bgp-site.ts";
import { gatewayPsk, pings } from "./site.ts";

let folder = "";
let site: BgpSite;
let served: Served;
let pace: Pace;
let programs: Programs;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "linkseal-bgp-"));
  site = await buildBgpSite(2);
  // The vault is simulated; everything else is this kernel, charon and FRR.
  const shape = { seed: "bgp", name: "demo", groups: 1, tunnels: 0, start: "clear" } as const;
  const cloud = buildCloud(shape);
  cloud.vault.put("hub-1-psk", gatewayPsk);
  served = await serveSite(siteHandler(cloud), join(folder, "site.sock"));
  pace = paceClock(cloud.clock, { speed: 1 });
  writeFileSync(join(folder, "site.yaml"), config());
  programs = new Programs(folder, site.edge.network);
  await programs.serve("net", "--charon", site.charon.socket);
  await programs.serve("agent");
  const { err } = await programs.run("apply", join(folder, "site.yaml"), "--yes");
  if (!err.includes("Accepted as config 1.")) throw new Error(`not accepted: ${err}`);
}, 240_000);
afterAll(async () => {
  programs[Symbol.dispose]();
  await pace.stop();
  await served.close();
  leaveBgpSite(site);
  leaveNetworks();
  rmSync(folder, { recursive: true });
});

function config(): string {
  return [
    "version: 1",
    "site: kernel",
    `azure: { cloud: sim, vault: "unix:${join(folder, "site.sock")}" }`,
    "devices:",
    "  - name: edge",
    "    driver: linux",
    `    address: "unix:${join(folder, "run", "net.sock")}"`,
    `    charon: "unix:${site.charon.socket}"`,
    `    frr: ${site.edge.frr.shell.at(-1)}`,
    "tunnels:",
    ...site.specs.flatMap(({ name, localAddress, remoteAddress, bgp }) => [
      `  - name: ${name}`,
      "    device: edge",
      `    local: { address: ${localAddress} }`,
      `    remote: { address: ${remoteAddress} }`,
      "    protects: { local: [10.1.0.0/16], remote: [10.100.0.0/16] }",
      "    auth: { psk: hub-1-psk }",
      `    bgp: { local: ${bgp?.local}, peer: ${bgp?.peer} }`,
    ]),
    "health: { poll: 2s, staleAfter: 30s, evidence: 90s }",
    "",
  ].join("\n");
}

/** Each question is a program of its own, which an emulator starts slowly. */
const patienceMs = 150_000;

async function status(): Promise<Status> {
  return JSON.parse((await programs.run("status", "--json")).out) as Status;
}

const untilProtected = async (): Promise<void> => {
  let last: Status["tunnels"] = [];
  const isSo = async () => {
    last = (await status()).tunnels;
    return last.length === 2 && last.every(({ verdict }) => verdict === "protected")
      ? true
      : undefined;
  };
  await until(isSo, patienceMs).catch((error: unknown) => {
    throw new Error(JSON.stringify(last), { cause: error });
  });
};

const reasonOf = async (code: string): Promise<string | undefined> =>
  (await status()).tunnels[0]?.reasons.find((reason) => reason.code === code)?.text;

/** From what was done until the first status that tells it, in ms. */
async function told(code: string, act: () => void): Promise<string> {
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
  it("makes the way for it, and calls the tunnels protected once routes are there", async () => {
    await untilProtected();
    expect(await pings(site.edge.network)).toBe(3);
  });

  it("names the neighbour that is told our prefix in the open, until it is not", async () => {
    const text = await told(beside, () => {
      atEdge(unicast, `no neighbor ${wire.gateway} route-map outer out`);
    });
    expect(text).toContain(
      `edge tells ${wire.gateway} over wire the way to 10.1.0.0/16 (advertises 10.1.0.0/16), ` +
        "beside the tunnel hub-1",
    );
    expect(text).toContain("it is blocked here");
    const { warnings } = await until(async () => {
      const now = await status();
      return now.warnings.some(({ code }) => code === beside) ? now : undefined;
    }, patienceMs);
    const { since = "" } = warnings.find(({ code }) => code === beside) ?? {};
    expect(Date.parse(since)).toBeGreaterThan(0);
    atEdge(unicast, `neighbor ${wire.gateway} route-map outer out`);
    await untilProtected();
  });

  it("names the route that the open peering brings, until it is gone", async () => {
    const text = await told(beside, () => {
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

  it("moves the traffic of one to the other, and never that of both", async () => {
    const drained = await programs.run("drain", "hub-1");
    expect([drained.status, drained.err]).toEqual([0, ""]);
    const { tunnels } = await status();
    expect(tunnels.map(({ bgp }) => [bgp?.up, bgp?.drained])).toEqual([
      [true, true],
      [true, false],
    ]);
    const routes = ip("-n", site.edge.network, "route", "show", "10.100.0.0/16");
    expect([routes.includes("dev hub-1"), routes.includes("dev hub-2")]).toEqual([false, true]);
    const refused = await programs.run("drain", "hub-2");
    expect([refused.status, refused.err]).toEqual([
      6,
      expect.stringContaining("hub-1 is drained, and one of a bundle is taken out at a time"),
    ]);
    expect((await programs.run("tunnels")).out).toMatch(/hub-1 .* up, drained/);
    expect((await programs.run("undrain", "hub-1")).status).toBe(0);
    await until(() => {
      const both = ip("-n", site.edge.network, "route", "show", "10.100.0.0/16");
      return both.includes("dev hub-1") && both.includes("dev hub-2") ? true : undefined;
    });
  });

  it("says that a session inside is down, and with the last what way is left", async () => {
    const [one, two] = site.specs.map(({ bgp }) => bgp);
    const text = await told("tunnel-bgp-down", () => atGateway(`neighbor ${one?.local} shutdown`));
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
