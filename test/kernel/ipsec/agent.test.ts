// An agent with a tunnel of its host, by what its operator types and reads: the real programs, real
// charon at both ends.

import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as rest } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Status } from "#agent/health/status.ts";
import { siteHandler } from "#sim/faces/site.ts";
import { type Pace, paceClock, type Served, serveSite } from "#sim/serve.ts";
import { buildSite as buildCloud } from "#sim/site.ts";
import { Programs } from "../host/programs.ts";
import { lostOf, makeRoom, startFlows } from "../host/router.ts";
import { enterNetwork, ip, leaveNetworks, until } from "../lab.ts";
import {
  buildSite,
  gatewayPsk,
  inner,
  loadGateway,
  pings,
  strong,
  type TunnelSite,
} from "./site.ts";

const newerPsk = "Azure_PSK_of_the_next_year";

let folder = "";
let site: TunnelSite;
let cloud: ReturnType<typeof buildCloud>;
let served: Served;
let pace: Pace;
let programs: Programs;
let agent: ChildProcess;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "linkseal-tunnel-"));
  makeRoom();
  site = await buildSite();
  enterNetwork(site.edge);
  // The vault is simulated; everything else is this kernel and charon.
  const shape = { seed: "tunnel", name: "demo", groups: 1, tunnels: 0, start: "clear" } as const;
  cloud = buildCloud(shape);
  cloud.vault.put("hub-1-psk", gatewayPsk);
  served = await serveSite(siteHandler(cloud), join(folder, "site.sock"));
  pace = paceClock(cloud.clock, { speed: 1 });
  writeFileSync(join(folder, "site.yaml"), config());
  programs = new Programs(folder, site.edge);
  await programs.serve("net", "--charon", site.charon.socket);
  agent = await programs.serve("agent");
  const { err } = await programs.run("apply", join(folder, "site.yaml"), "--yes");
  if (!err.includes("Accepted as config 1.")) throw new Error(`not accepted: ${err}`);
}, 240_000);
afterAll(async () => {
  programs[Symbol.dispose]();
  await pace.stop();
  await served.close();
  for (const daemon of [site.charon, site.far]) daemon[Symbol.dispose]();
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
    "tunnels:",
    "  - name: hub-1",
    "    device: edge",
    "    local: { address: 198.51.100.1 }",
    "    remote: { address: 198.51.100.2 }",
    "    protects: { local: [10.1.0.0/16], remote: [10.100.0.0/16] }",
    "    auth: { psk: hub-1-psk }",
    "health: { poll: 2s, staleAfter: 30s, evidence: 90s }",
    "",
  ].join("\n");
}

/** Each question is a program of its own, which an emulator starts slowly. */
const patienceMs = 150_000;

async function status(): Promise<Status> {
  return JSON.parse((await programs.run("status", "--json")).out) as Status;
}

const untilVerdict = async (verdict: string): Promise<void> => {
  const isSo = async () => ((await status()).tunnels[0]?.verdict === verdict ? true : undefined);
  await until(isSo, patienceMs);
};

const reasonOf = async (code: string): Promise<string | undefined> =>
  (await status()).tunnels[0]?.reasons.find((reason) => reason.code === code)?.text;

describe("an agent with a tunnel of its host", { timeout: 400_000 }, () => {
  it("sets it up from the accepted intent, and calls it protected", async () => {
    await untilVerdict("protected");
    expect(await pings(site.edge)).toBe(3);
  });

  it("that is killed and comes back loses nothing and writes nothing", async () => {
    const before = ip("-n", site.edge, "xfrm", "state", "list");
    const flow = pings(site.edge, 200, 0.05);
    agent.kill("SIGKILL");
    await once(agent, "close");
    agent = await programs.serve("agent");
    await untilVerdict("protected");
    expect(await flow).toBe(200);
    const spis = (text: string): readonly string[] => text.match(/spi 0x[0-9a-f]+/g) ?? [];
    expect(spis(ip("-n", site.edge, "xfrm", "state", "list"))).toEqual(spis(before));
  });

  it("brings it back by itself after charon was killed, with no SA left over", async () => {
    await site.charon.stop("SIGKILL");
    await untilVerdict("unknown");
    await site.charon.start();
    await untilVerdict("protected");
    await until(() => {
      const spis = ip("-n", site.edge, "xfrm", "state").match(/^\s+(aead|enc) /gm);
      return spis?.length === 2 ? true : undefined;
    });
    expect(await pings(site.edge)).toBe(3);
  });

  it("keeps its SAs while the gateway does not take a newer key, and then follows it", async () => {
    cloud.vault.put("hub-1-psk", newerPsk);
    const spis = (): readonly string[] =>
      ip("-n", site.edge, "xfrm", "state", "list").match(/spi 0x[0-9a-f]+/g) ?? [];
    const before = spis();
    const stop = await startFlows([site.edge, inner.edge], [site.gateway, inner.gateway]);
    await rest(5_000);
    const early = await programs.run("psk", "proceed", "hub-1");
    expect([early.status, early.err]).toEqual([
      1,
      expect.stringContaining("hub-1 keeps its old key, and its SAs: the gateway refuses it"),
    ]);
    expect(spis()).toEqual(before);
    const { warnings } = await until(async () => {
      const now = await status();
      return now.warnings.some(({ code }) => code === "waiting-for-person") ? now : undefined;
    }, patienceMs);
    expect(warnings[0]).toMatchObject({ about: "hub-1", next: "linkseal psk proceed hub-1" });
    await loadGateway(site.far, strong, newerPsk);
    const done = await programs.run("psk", "proceed", "hub-1");
    expect([done.status, done.err]).toEqual([0, ""]);
    expect(spis()).not.toEqual(before);
    await rest(15_000);
    const tallies = await stop();
    const [out, back] = lostOf(tallies);
    console.log(
      `a key refused, then changed: lost ${out} out, ${back} back of ${tallies[0]?.sent}`,
    );
    expect(out).toBe(0);
    // As with every fresh authentication: the gateway sends by the new SAs before they are here.
    expect(back).toBeLessThanOrEqual(100);
    // By the new one alone it comes back: the old one is at neither end any more.
    await site.charon.stop("SIGKILL");
    await site.charon.start();
    await untilVerdict("protected");
    expect(await pings(site.edge)).toBe(3);
    expect((await programs.run("psk", "show")).out).not.toContain("waiting");
  });

  it("names a route that leads past it within one look, and that it is blocked there", async () => {
    ip("-n", site.edge, "route", "add", "10.100.7.0/24", "via", "198.51.100.2");
    const begun = performance.now();
    const text = await until(() => reasonOf("clear-path-beside-tunnel"), patienceMs);
    console.log(`a clear path was named after ${Math.round(performance.now() - begun)} ms`);
    expect(text).toContain("over wire (route 10.100.7.0/24), beside the tunnel hub-1");
    expect(text).toContain("it is blocked there");
    ip("-n", site.edge, "route", "delete", "10.100.7.0/24");
    await untilVerdict("protected");
  });

  it("says that nothing blocks it any more, until the guard ran", async () => {
    const policy = ["src", "0.0.0.0/0", "dst", "10.100.0.0/16", "dir", "out"];
    ip("-n", site.edge, "xfrm", "policy", "delete", ...policy);
    const text = await until(() => reasonOf("guard-missing"), patienceMs);
    expect(text).toContain("would let 10.100.0.0/16 pass in the clear");
    expect((await programs.run("guard")).status).toBe(0);
    await untilVerdict("protected");
  });

  it("says why it does not come up, while the gateway has another key", async () => {
    await loadGateway(site.far, strong, "another_PSK_of_16+");
    const { charon } = site;
    await charon.stop("SIGTERM");
    await charon.start();
    const { warnings } = await until(async () => {
      const now = await status();
      const isTold = JSON.stringify(now).includes("different pre-shared keys");
      return isTold ? now : undefined;
    }, patienceMs);
    expect(JSON.stringify(warnings)).not.toContain(newerPsk);
    await loadGateway(site.far, strong, newerPsk);
    await untilVerdict("protected");
  });
});
