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
  LeakWatch,
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
let leaks: LeakWatch;

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
  leaks = new LeakWatch(site);
}, 240_000);
afterAll(async () => {
  leaks[Symbol.dispose]();
  programs[Symbol.dispose]();
  await pace.stop();
  await served.close();
  for (const daemon of [site.charon, site.far]) daemon[Symbol.dispose]();
  leaveNetworks();
  rmSync(folder, { recursive: true });
});

async function apply(text: string): Promise<void> {
  writeFileSync(join(folder, "site.yaml"), text);
  const { err } = await programs.run("apply", join(folder, "site.yaml"), "--yes");
  if (!err.includes("Accepted as config")) throw new Error(`not accepted: ${err}`);
}

function config(remote = "10.100.0.0/16", more: readonly string[] = []): string {
  return [...base(), ...tunnelOf(remote), ...more, ...health].join("\n");
}

const health = ["health: { poll: 2s, staleAfter: 30s, evidence: 90s }", ""];

function base(): readonly string[] {
  return [
    "version: 1",
    "site: kernel",
    `azure: { cloud: sim, vault: "unix:${join(folder, "site.sock")}" }`,
    "devices:",
    "  - name: edge",
    "    driver: linux",
    `    address: "unix:${join(folder, "run", "net.sock")}"`,
    `    charon: "unix:${site.charon.socket}"`,
  ];
}

function tunnelOf(remote: string): readonly string[] {
  return [
    "tunnels:",
    "  - name: hub-1",
    "    device: edge",
    "    local: { address: 198.51.100.1 }",
    "    remote: { address: 198.51.100.2 }",
    `    protects: { local: [10.1.0.0/16], remote: [${remote}] }`,
    "    auth: { psk: hub-1-psk }",
  ];
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

async function planOf(text: string): Promise<{ readonly out: string }> {
  const file = join(folder, "next.yaml");
  writeFileSync(file, text);
  return await programs.run("plan", file, "--json");
}

const reasonOf = async (code: string): Promise<string | undefined> =>
  (await status()).tunnels[0]?.reasons.find((reason) => reason.code === code)?.text;

describe("an agent with a tunnel of its host", { timeout: 400_000 }, () => {
  it("lets nothing out in the clear from its acceptance on while the gateway refuses", async () => {
    await loadGateway(site.far, strong, "another_PSK_of_16+");
    let sending = true;
    const flow = (async () => {
      let sent = 0;
      for (; sending; sent += 10) await pings(site.edge, 10);
      return sent;
    })();
    await until(() => (leaks.seen.length > 0 ? true : undefined));
    await apply(config());
    // Until then it left as it always had.
    leaks.seen.length = 0;
    await until(() => (site.charon.said().includes("AUTHENTICATION_FAILED") ? true : undefined));
    await rest(15_000);
    sending = false;
    const refused = site.charon.said().match(/received AUTHENTICATION_FAILED/g)?.length ?? 0;
    console.log(`${await flow} packets sent, ${refused} set-ups refused`);
    expect(refused).toBeLessThan(4);
    expect(leaks.seen).toEqual([]);
    await loadGateway(site.far, strong, gatewayPsk);
  });

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

  it("mends its interface and its route, which it calls down meanwhile", async () => {
    const ifDown = async (): Promise<void> => {
      ip("-n", site.edge, "link", "set", "hub-1", "down");
      ip("-n", site.edge, "link", "set", "hub-1", "up");
    };
    const noRoute = async (): Promise<void> => {
      ip("-n", site.edge, "route", "delete", "10.100.0.0/16", "dev", "hub-1");
    };
    for (const harm of [ifDown, noRoute]) {
      await harm();
      await until(() =>
        ip("-n", site.edge, "route", "show", "10.100.0.0/16").includes("hub-1") ? true : undefined,
      );
      expect(await pings(site.edge)).toBe(3);
    }
    ip("-n", site.edge, "link", "set", "hub-1", "mtu", "1280");
    await until(() =>
      ip("-n", site.edge, "link", "show", "hub-1").includes("mtu 1400") ? true : undefined,
    );
    await untilVerdict("protected");
    expect(leaks.seen).toEqual([]);
  });

  it("puts another prefix into it, and out of the clear, from the acceptance on", async () => {
    ip("-n", site.gateway, "address", "add", "10.101.0.1/32", "dev", "lo");
    expect(await pings(site.edge, 3, 0.2, "10.101.0.1")).toBe(3);
    expect(leaks.seen).not.toEqual([]);
    const before = ip("-n", site.edge, "xfrm", "state", "list").match(/spi 0x[0-9a-f]+/g);
    await apply(config("10.100.0.0/16, 10.101.0.0/16"));
    leaks.seen.length = 0;
    await until(async () =>
      (await pings(site.edge, 3, 0.2, "10.101.0.1")) === 3 ? true : undefined,
    );
    expect(leaks.seen).toEqual([]);
    expect(ip("-n", site.edge, "xfrm", "state", "list").match(/spi 0x[0-9a-f]+/g)).toEqual(before);
  });

  it("follows another policy once the gateway has it, and carries until then", async () => {
    const other = [
      "    policy: { ikeEncryption: AES256, ikeIntegrity: SHA384, dhGroup: ECP384,",
      "      ipsecEncryption: AES256, ipsecIntegrity: SHA256, pfsGroup: ECP384,",
      "      saLifeTimeSeconds: 27000, saDataSizeKilobytes: 102400000 }",
    ];
    const both = "10.100.0.0/16, 10.101.0.0/16";
    const { out } = await planOf(config(both, other));
    expect(out).toContain("policy of ESP aes-256-gcm/none/ecp-384 -> aes-256-cbc/sha256/ecp-384");
    await apply(config(both, other));
    await until(() => (/NO_PROPOSAL_CHOSEN/.test(site.charon.said()) ? true : undefined));
    expect(await pings(site.edge)).toBe(3);
    const policy = { ike: "aes256-sha384-ecp384", esp: "aes256-sha256-ecp384" };
    await loadGateway(site.far, policy, newerPsk);
    await until(() =>
      ip("-n", site.edge, "xfrm", "state").includes("cbc(aes)") ? true : undefined,
    );
    await until(() => {
      const spis = ip("-n", site.edge, "xfrm", "state").match(/^\s+(aead|enc) /gm);
      return spis?.length === 2 ? true : undefined;
    });
    await untilVerdict("protected");
    expect(await pings(site.edge)).toBe(3);
    expect(leaks.seen).toEqual([]);
    await loadGateway(site.far, strong, newerPsk);
    await apply(config(both));
    await until(() =>
      ip("-n", site.edge, "xfrm", "state").includes("cbc(aes)") ? undefined : true,
    );
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

  it("lets it go by name once no config names it, and its prefixes stay blocked", async () => {
    const early = await programs.run("retire", "tunnel", "hub-1");
    expect([early.status, early.err]).toEqual([
      expect.any(Number),
      expect.stringContaining("the accepted config names it"),
    ]);
    expect(early.status).not.toBe(0);
    await apply([...base(), ...health].join("\n"));
    expect(await pings(site.edge)).toBe(3);
    const { unmanaged } = await status();
    expect(unmanaged).toMatchObject([{ name: "hub-1", next: "linkseal retire tunnel hub-1" }]);
    const { out, status: done } = await programs.run("retire", "tunnel", "hub-1");
    expect([done, out]).toEqual([0, expect.stringContaining("guard --release 10.101.0.0/16")]);
    expect(ip("-n", site.edge, "xfrm", "state")).toBe("");
    expect(ip("-n", site.edge, "link")).not.toContain("hub-1");
    expect((await status()).unmanaged).toEqual([]);
    leaks.seen.length = 0;
    expect(await pings(site.edge)).toBe(0);
    expect(leaks.seen).toEqual([]);
    for (const prefix of ["10.100.0.0/16", "10.101.0.0/16"]) {
      expect((await programs.run("guard", "--release", prefix)).status).toBe(0);
    }
    expect(await pings(site.edge)).toBe(3);
  });
});
