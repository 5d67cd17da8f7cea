// A tunnel with static keys by the real programs, against a far end that knows `ip xfrm` alone.

import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as rest } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Status } from "#agent/runtime/health/status.ts";
import { type Pace, paceClock, type Served, serveSite } from "#sim/serve/site.ts";
import { siteHandler } from "#sim/site/protocol.ts";
import { buildSite as buildCloud } from "#sim/site/site.ts";
import { readyMark } from "../../process/life.ts";
import { Programs } from "../host/programs.ts";
import { lostOf, makeRoom, startFlows } from "../host/router.ts";
import { enterNetwork, ip, leaveNetworks, until } from "../lab.ts";
import { buildWire, inner, LeakWatch, pings, type TunnelSite } from "./site.ts";
import { newPair, type Pair, StaticPeer } from "./static-peer.ts";

let folder = "";
let site: Pick<TunnelSite, "edge" | "gateway">;
let peer: StaticPeer;
let leaks: LeakWatch;
let cloud: ReturnType<typeof buildCloud>;
let served: Served;
let pace: Pace;
let programs: Programs;
let agent: ChildProcess;
let net: ChildProcess;
const said: (() => string)[] = [];

const pairs = [0x1001, 0x1101, 0x1201, 0x1301].map(newPair) as [Pair, Pair, Pair, Pair];
const [first, second, third, fourth] = pairs;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "linkseal-static-"));
  makeRoom();
  site = buildWire();
  peer = new StaticPeer(site);
  give(first);
  leaks = new LeakWatch(site);
  enterNetwork(site.edge);
  // The vault is simulated; everything else is this kernel.
  const shape = { seed: "static", name: "demo", groups: 1, tunnels: 0, start: "clear" } as const;
  cloud = buildCloud(shape);
  put(first);
  served = await serveSite(siteHandler(cloud), join(folder, "site.sock"));
  pace = paceClock(cloud.clock, { speed: 1 });
  writeFileSync(join(folder, "site.yaml"), config());
  programs = new Programs(folder, site.edge);
  await start();
  const { err } = await programs.run("apply", join(folder, "site.yaml"), "--yes");
  if (!err.includes("Accepted as config 1.")) throw new Error(`not accepted: ${err}`);
}, 240_000);
afterAll(async () => {
  programs[Symbol.dispose]();
  leaks[Symbol.dispose]();
  await pace.stop();
  await served.close();
  leaveNetworks();
  rmSync(folder, { recursive: true });
});

async function start(): Promise<void> {
  for (const name of ["net", "agent"] as const) {
    const begun = await programs.serveUntil(readyMark, name);
    said.push(begun.said);
    if (name === "net") net = begun.child;
    else agent = begun.child;
  }
}

const put = (pair: Pair): void => void cloud.vault.put("hub-1-keys", JSON.stringify(pair));

function give(pair: Pair): void {
  peer.receive(pair);
  peer.send(pair);
}

function config(): string {
  const until = new Date(Date.now() + 30 * 86_400_000).toISOString().slice(0, 10);
  return [
    "version: 1",
    "site: kernel",
    "repair: on",
    `azure: { cloud: sim, vault: "unix:${join(folder, "site.sock")}" }`,
    "devices:",
    "  - name: edge",
    "    driver: linux",
    `    address: "unix:${join(folder, "run", "net.sock")}"`,
    "tunnels:",
    "  - name: hub-1",
    "    device: edge",
    "    local: { address: 198.51.100.1 }",
    "    remote: { address: 198.51.100.2 }",
    "    protects: { local: [10.1.0.0/16], remote: [10.100.0.0/16] }",
    "    auth: { staticKeys: hub-1-keys }",
    "    policy:",
    "      ipsecEncryption: AES256",
    "      ipsecIntegrity: SHA256",
    "      saLifeTimeSeconds: 86400",
    "      saDataSizeKilobytes: 1048576",
    "acceptRisks:",
    `  - { risk: staticKeys, until: ${until}, reason: a laboratory }`,
    "health: { poll: 2s, staleAfter: 30s, evidence: 90s }",
    "",
  ].join("\n");
}

/** Each question is a program of its own, which an emulator starts slowly. */
const patienceMs = 150_000;

async function status(): Promise<Status> {
  return JSON.parse((await programs.run("status", "--json")).out) as Status;
}

async function untilVerdict(verdict: string): Promise<Status> {
  let now: Status | undefined;
  const look = async (): Promise<Status | undefined> => {
    now = await status();
    return now.tunnels[0]?.verdict === verdict ? now : undefined;
  };
  return await until(look, patienceMs).catch((error: unknown) => {
    throw new Error(`not ${verdict}: ${JSON.stringify(now?.tunnels)}`, { cause: error });
  });
}

const codesOf = ({ tunnels: [tunnel] }: Status): readonly string[] =>
  tunnel?.reasons.map(({ code }) => code) ?? [];

const spis = (): readonly number[] =>
  [...ip("-n", site.edge, "xfrm", "state").matchAll(/spi (0x[0-9a-f]+)/g)]
    .map(([, spi]) => Number(spi))
    .toSorted((a, b) => a - b);

const own = ({ in: inward, out }: Pair): readonly number[] => [inward.spi, out.spi];

/** When each was made: one that was installed again would tell another time. */
const made = (): readonly string[] =>
  ip("-n", site.edge, "-s", "xfrm", "state").match(/add \d{4}-\S+ \S+/g) ?? [];

describe("a tunnel with static keys", { timeout: 400_000 }, () => {
  it("is set up from the accepted intent, carries both ways, and is labelled", async () => {
    // Nothing came by it so far, so nobody knows whether the far end has the keys.
    const early = await untilVerdict("unknown");
    await until(async () => (spis().length === 2 ? true : undefined), patienceMs);
    expect(spis()).toEqual(own(first));
    expect(codesOf(early)).toContain("static-keys");
    expect(await pings(site.edge)).toBe(3);
    expect(codesOf(await untilVerdict("protected"))).toEqual(["static-keys"]);
    const stop = await startFlows([site.edge, inner.edge], [site.gateway, inner.gateway]);
    await rest(5_000);
    const tallies = await stop();
    const [there, back] = lostOf(tallies);
    console.log(`static keys: lost ${there} out, ${back} back of ${tallies[0]?.sent} each way`);
    expect([there, back]).toEqual([0, 0]);
    const all = ip("-n", site.edge, "-d", "xfrm", "state");
    expect(all).toMatch(/auth-trunc hmac\(sha256\) 0x[0-9a-f]+ 128/);
    expect(all).toMatch(/enc cbc\(aes\) /);
    const life = ip("-n", site.edge, "-s", "xfrm", "state");
    expect(life).toContain("hard 86400(sec)");
    expect(life).toContain("hard 1073741824(bytes)");
    for (const verb of ["status", "tunnels"]) {
      expect((await programs.run(verb)).out).toContain("hub-1 has static keys");
    }
    expect((await programs.run("psk", "show")).out).toContain("hub-1: static keys, hub-1-keys");
  });

  it("is not touched by an agent and a linkseal-net that were killed and come back", async () => {
    const before = made();
    expect(before).toHaveLength(2);
    const flow = pings(site.edge, 200, 0.05);
    for (const child of [agent, net]) {
      child.kill("SIGKILL");
      await once(child, "close");
    }
    await start();
    await untilVerdict("protected");
    expect(await flow).toBe(200);
    expect([made(), spis()]).toEqual([before, own(first)]);
  });

  it("follows a newer version at a person's word, the SA that receives first", async () => {
    put(second);
    const stop = await startFlows([site.edge, inner.edge], [site.gateway, inner.gateway]);
    peer.receive(second);
    const proceeding = programs.run("psk", "proceed", "hub-1");
    await until(() => (spis().includes(second.in.spi) ? true : undefined), patienceMs);
    expect(spis()).toEqual(expect.arrayContaining([...own(first)]));
    peer.send(second);
    expect(await proceeding).toMatchObject({ status: 0, err: "" });
    await rest(2_000);
    const tallies = await stop();
    const [there, back] = lostOf(tallies);
    console.log(`newer static keys: lost ${there} out, ${back} back of ${tallies[0]?.sent}`);
    expect([there, back]).toEqual([0, 0]);
    expect(spis()).toEqual(own(second));
    peer.forget(first);
    expect(await pings(site.edge)).toBe(3);
  });

  it("keeps its keys where the far end has others, and says that nothing came", async () => {
    put(third);
    const wrong = { in: { ...third.in, integrity: fourth.in.integrity }, out: third.out };
    give(wrong);
    const refused = await programs.run("psk", "proceed", "hub-1");
    expect(refused.status).toBe(1);
    expect(refused.err).toContain("hub-1 keeps its old keys, and its SAs");
    expect(refused.err).toContain("nothing was received by the new SA of hub-1 within 30 s");
    expect(spis()).toEqual(own(second));
    peer.forget(wrong);
    expect(await pings(site.edge)).toBe(3);
    // The very same version is of no use any more: its SPIs had their keys.
    const again = await programs.run("psk", "proceed", "hub-1");
    expect(again.status).toBe(1);
    expect(again.err).toContain(`SPI ${third.in.spi} of hub-1 had these keys before`);
    expect(spis()).toEqual(own(second));
  });

  it("stays dark after a flush, installs nothing again, and says what to do", async () => {
    ip("-n", site.edge, "xfrm", "state", "flush");
    const down = await untilVerdict("down");
    const reason = down.tunnels[0]?.reasons.find(({ code }) => code === "static-keys-over");
    expect(reason?.text).toContain("put a version with new SPIs into the vault, at both ends");
    expect(await pings(site.edge, 5)).toBe(0);
    // As a boot would leave it: `repair: on` sets it up again, and must not.
    ip("-n", site.edge, "link", "delete", "hub-1");
    const text = `SPI ${second.in.spi} of hub-1 had these keys before, and never gets them again`;
    await until(() => (said.some((log) => log().includes(text)) ? true : undefined), patienceMs);
    expect(await pings(site.edge, 5)).toBe(0);
    expect(spis()).toEqual([]);
  });

  it("comes back with new SPIs at both ends", async () => {
    put(fourth);
    give(fourth);
    const { status: ended, err } = await programs.run("psk", "proceed", "hub-1");
    expect([ended, err]).toEqual([0, ""]);
    expect(await pings(site.edge)).toBe(3);
    await untilVerdict("protected");
    expect(spis()).toEqual(own(fourth));
    peer.forget(second);
  });

  it("never sent a protected packet in the clear", () => {
    console.log(`static keys: ${leaks.seen.length} clear packets of a protected prefix`);
    expect(leaks.seen).toEqual([]);
  });

  it("has no octet of a key in any file or log of ours", () => {
    const files = ["state", "state-net", "run"].flatMap((name) => filesIn(join(folder, name)));
    expect(files.length).toBeGreaterThan(2);
    const texts = [...files.map((file) => readFileSync(file)), ...said.map((log) => log())];
    for (const { in: inward, out } of pairs) {
      for (const { encryption, integrity } of [inward, out]) {
        for (const key of [encryption, integrity]) {
          for (const form of [key, key.toUpperCase(), Buffer.from(key, "hex")]) {
            const octets = Buffer.from(form);
            expect(texts.some((text) => Buffer.from(text).includes(octets))).toBe(false);
          }
        }
      }
    }
  });
});

function filesIn(path: string): readonly string[] {
  return readdirSync(path, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}
