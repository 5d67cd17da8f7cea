// What the whole agent says each second while a far end, another program, a stopped process or a
// vault makes its readings untrue, beside a capture that shares no decoder with the product.

import { setTimeout as rest } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { secyOn } from "../../lab/lab.ts";
import { farPort } from "../../lab/stand-in.ts";
import { WireWatch } from "../../lab/wire.ts";
import type { Started } from "../host/programs.ts";
import { makeRoom, startFlows, startLinkTraffic, type } from "../host/router.ts";
import { BackupSite } from "../ipsec/backup-site.ts";
import { BgpAgent } from "../ipsec/bgp-agent.ts";
import { buildForeignBgpSite, edgeAs, gatewayAs } from "../ipsec/bgp-site.ts";
import { loseInbound, withoutSa } from "../ipsec/libreswan-site.ts";
import { ProtectedWatch } from "../ipsec/protected-watch.ts";
import { inner } from "../ipsec/site.ts";
import { enterNetwork, ip, until } from "../lab.ts";
import { type Counts, isProtected, isReadable, Transcript } from "./transcript.ts";

const port = "p1";
const patienceMs = 400_000;
/** Seconds before each fault. */
const before = 5;
/** `health.staleAfter` and `health.evidence` of the config, in seconds. */
const [staleAfter, evidence] = [15, 90];

let one: Transcript;

/** What was said after `from` seconds, up to `to`, has this form, and nothing else was said. */
function expectSaid(form: RegExp, from: number, to = Number.POSITIVE_INFINITY): void {
  const span = one.seconds.filter(({ at }) => at > from && at <= to);
  expect(span.length).toBeGreaterThan(0);
  expect(span.filter(({ said }) => !form.test(said))).toEqual([]);
}

/** It was protected before, and not so once `bound` seconds had passed and what moved was open. */
function expectTrue(bound: number): void {
  expectSaid(/^\S+ protected(?:;|$)/, -before, 0);
  expect(one.seconds.filter((each) => each.at <= 0 && isReadable(each))).toEqual([]);
  const wrong = one.seconds.filter((each) => isProtected(each) && isReadable(each));
  expect(wrong.filter(({ at }) => at > bound)).toEqual([]);
}

/** Whether the capture counted any of these in each second after `from`. */
function expectCounted(name: string, how: "some" | "none", from: number): void {
  const span = one.seconds.filter(({ at }) => at > from);
  expect(span.filter(({ counted }) => counted[name] === 0).length).toBe(
    how === "some" ? 0 : span.length,
  );
}

afterEach(() => one.print());

let site: BackupSite;
let wires: { readonly in: WireWatch; readonly out: WireWatch };

const edge = (): string => site.pair.edge.network;
const far = (): string => site.pair.far.network;
const framesOf = (way: string, { sealed, readable, clear }: WireWatch): Counts => ({
  [`${way} E=1`]: sealed - readable,
  [`${way} E=0`]: readable,
  [`${way} clear`]: clear,
});

interface RxSc {
  readonly sci: string;
  readonly InPktsOK?: number;
}

/** Returns the receive channels of a SecY, as `ip` prints them. */
function channelsOf(network: string, on: string): readonly RxSc[] {
  const device = secyOn(network, on);
  if (device === undefined) return [];
  const text = ip("-n", network, "-j", "-s", "macsec", "show", device);
  return (JSON.parse(text) as { readonly rx_sc: readonly RxSc[] }[])[0]?.rx_sc ?? [];
}

/** Removes them, as any program with the right may. */
function removeChannels(network: string, on: string): void {
  for (const { sci } of channelsOf(network, on)) {
    ip("-n", network, "macsec", "del", secyOn(network, on) ?? "none", "rx", "sci", sci);
  }
}

/** Data frames that the far end's SecY passed on, as its kernel counts them. */
function takenThere(): number {
  const counts = channelsOf(far(), farPort(port)).map(({ InPktsOK = 0 }) => InPktsOK);
  return counts.reduce((sum, count) => sum + count, 0);
}

/** Waits until both links are protected and nothing else is said, under these keys if given. */
async function untilProtected(keys: readonly string[] = []): Promise<void> {
  let last: unknown;
  await until(async () => {
    const { verdict, groups, warnings } = await site.status();
    last = { groups, warnings };
    const [group] = groups;
    const ckns = group?.links.map(({ ckn }) => ckn ?? "") ?? [];
    const isQuiet = group?.rotation === null && warnings.length === 0;
    const isSo = verdict === "protected" && isQuiet;
    return isSo && keys.every((ckn) => ckns.includes(ckn)) ? true : undefined;
  }, patienceMs).catch((error: unknown) => {
    throw new Error(JSON.stringify(last), { cause: error });
  });
}

async function begin(name: string): Promise<void> {
  await untilProtected();
  const count = (): Counts => ({
    ...framesOf("in", wires.in),
    ...framesOf("out", wires.out),
    "taken there": takenThere(),
  });
  const about = ["primary", "secondary"];
  one = new Transcript({ name, about, count, status: () => site.status() }, before);
  await one.watch(0);
}

/** Starts the far end again with the key that it has, which makes it another MKA member. */
async function restart(sends?: "integrityOnly"): Promise<void> {
  const { sends: _, ...key } = site.standIn.keyOf(port);
  await site.standIn.give(port, sends === undefined ? key : { ...key, sends });
  one.note(`wpa_supplicant starts again${sends === undefined ? "" : ", with integrity only"}`);
}

function started(name: string): Started {
  const found = site.processes.get(name);
  if (found === undefined) throw new Error(`${name} was not started`);
  return found;
}

/** Stops a process for so long; what happens meanwhile is `act`. */
async function freeze(name: string, seconds: number, act?: () => Promise<void>): Promise<void> {
  const { child } = started(name);
  child.kill("SIGSTOP");
  one.note(`linkseal ${name} is stopped`);
  await act?.();
  await one.watch(seconds);
  child.kill("SIGCONT");
  one.note(`linkseal ${name} goes on`);
}

/** Runs a command of an operator. Returns its output, which the record has too. */
async function run(...words: readonly string[]): Promise<string> {
  const { status, out, err } = await site.programs.run(...words);
  const text = `${out}${err}`.trim();
  const indented = text.replaceAll(/ +/g, " ").replaceAll("\n", `\n${" ".repeat(11)}`);
  one.note(`linkseal ${words.join(" ")} ends with ${status}: ${indented}`);
  return text;
}

/** What an operator reads who asks for the newest keys, and for a rotation to them. */
const askForKeys = async (): Promise<readonly string[]> => [
  await run("keys", "check"),
  await run("rotate", "erd-demo"),
];

describe("what is said of a link each second", { timeout: 900_000 }, () => {
  let stop: () => Promise<unknown>;

  beforeAll(async () => {
    site = await BackupSite.open();
    await site.apply();
    await untilProtected();
    wires = { in: new WireWatch(edge(), port), out: new WireWatch(far(), farPort(port)) };
    enterNetwork(edge());
    stop = await startLinkTraffic(site.pair);
  }, 600_000);
  afterAll(async () => {
    await stop();
    for (const wire of Object.values(wires)) wire[Symbol.dispose]();
    await site[Symbol.asyncDispose]();
  }, 60_000);

  it("a member that only authenticates is unprotected within 8 s", async () => {
    await begin("integrity-only member: wpa_supplicant with macsec_integ_only=1");
    await restart("integrityOnly");
    await one.watch(20);
    await restart();
    expectTrue(8);
    expectCounted("in E=0", "some", 8);
    expectSaid(/^primary unprotected frames-readable.*; secondary protected$/, 8);
  });

  it("a receiver that drops all data is told as arrival-not-proven within 90 s", async () => {
    await begin("silent receiver: the far end's SecY loses its receive channel, MKA goes on");
    removeChannels(far(), farPort(port));
    await one.watch(evidence + 5);
    await restart();
    expectTrue(evidence);
    expectCounted("out E=1", "some", 2);
    expectCounted("taken there", "none", 2);
    expectSaid(/^primary degraded arrival-not-proven.*; secondary protected$/, evidence);
  });

  it("a channel that another program removes is back within 10 s, and in the journal", async () => {
    await begin("removed channel: another program removes the receive channel of our SecY");
    const changes = (): number => started("mka p1").output().split("mka-secy-changed").length;
    const had = changes();
    removeChannels(edge(), port);
    await one.watch(20);
    one.note(started("mka p1").output().trim().split("\n").at(-1) ?? "");
    expectTrue(0);
    expectSaid(/^primary protected; secondary protected$/, 10);
    expectCounted("in E=1", "some", -before);
    expect(changes() - had).toBe(1);
    const told = (await run("events")).split("\n").filter((line) => line.includes("secy-changed"));
    expect(told).toEqual([expect.stringMatching(/another program .* was removed.*; .* put back/)]);
  });

  it("an agent that was frozen says nothing of before, and the truth 10 s later", async () => {
    await begin("frozen agent: stopped for 40 s, while the far end begins to send readable frames");
    let answer: Promise<string> | undefined;
    await freeze("agent", 40, async () => {
      answer = run("status", "--json");
      await one.watch(5);
      await restart("integrityOnly");
    });
    await one.watch(60);
    await restart();
    expectTrue(0);
    expect(await answer).toMatch(/"agent\.unreachable".*no whole answer within 30 s/);
    expectSaid(/^no answer$/, 0, 40);
    expectCounted("in E=0", "some", 10);
    // Those who asked before it went on.
    expect(one.late.length).toBeGreaterThan(20);
    expect(one.late.filter(isProtected)).toEqual([]);
    expectSaid(/^primary unprotected frames-readable/, 50);
  });

  it("a frozen MKA process makes its own link unknown within 6 s", async () => {
    await begin("frozen MKA process: stopped for 45 s, and the far end takes its peer for dead");
    await freeze("mka p1", 45);
    await one.watch(60);
    expectTrue(0);
    expectSaid(/^primary unknown reading-missing/, 6, 45);
    expect(one.seconds.filter(({ said }) => !said.endsWith("; secondary protected"))).toEqual([]);
    expectSaid(/^primary protected/, 55);
  });

  it("a vault without an answer, or with an older one, gives no key and says so", async () => {
    await begin("stale vault: it does not answer, then it answers with what it had before");
    const { vault, links } = site.cloud;
    vault.setFault("down", true);
    one.note("the vault does not answer");
    await one.watch(10);
    for (const told of [await run("keys", "list"), ...(await askForKeys())]) {
      expect(told).toContain("the vault does not answer (vault.unreachable)");
    }
    vault.setFault("down", false);
    const pairs = links.map(({ key }) => vault.generatePair(key, "gcm-aes-256"));
    vault.setFault("servePrevious", true);
    one.note("the vault lists a new pair for each link, and answers with the values before it");
    for (const told of await askForKeys()) expect(told).toContain("(vault.unpaired)");
    await one.watch(30);
    vault.setFault("servePrevious", false);
    one.note("the vault answers with the new pairs");
    await run("rotate", "erd-demo");
    await untilProtected(pairs.map(({ ckn }) => ckn));
    for (const { cakSecretId, cknSecretId } of pairs) {
      for (const id of [cakSecretId, cknSecretId]) vault.setEnabled(id, false);
    }
    one.note("both links run on them, and the vault has only the pairs before, as after a restore");
    const older = "is of generation 1, and the link has run on 2: an older key was put back";
    const [check, rotate] = await askForKeys();
    for (const told of [await run("keys", "list"), check]) expect(told).toContain(older);
    expect(rotate).toContain("the vault holds no newer key pair for any of these links");
    await one.watchFor(20);
    expectTrue(0);
    expectSaid(/^primary protected; secondary protected$/, 0);
  });
});

describe("what is said of a tunnel each second", { timeout: 900_000 }, () => {
  it("a gateway without its inbound SA is told as arrival-not-proven within 90 s", async () => {
    makeRoom();
    const site = await buildForeignBgpSite(1);
    const lines = [`health: { poll: 2s, staleAfter: ${staleAfter}s, evidence: ${evidence}s }`];
    const agent = await BgpAgent.at(site, lines);
    const [edge, gateway] = [site.edge.network, site.gateway.network];
    const captures = [new WireWatch(edge, "wire"), new WireWatch(gateway, "wire")] as const;
    const clear = [new ProtectedWatch(edge, "wire"), new ProtectedWatch(gateway, "wire")];
    try {
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
      const stop = await startFlows([edge, inner.edge], [gateway, inner.gateway], 40, 1);
      // The path has answered by then.
      await rest(70_000);
      const [spec] = site.specs;
      const count = (): Counts => ({
        "in ESP": captures[0].esp,
        "out ESP": captures[1].esp,
        "refused there": withoutSa(gateway),
        clear: clear.reduce((sum, { observed }) => sum + observed.length, 0),
      });
      const name = "one-way ESP: libreswan's inbound SA is deleted";
      one = new Transcript({ name, about: ["hub-1"], count, status: () => agent.status() }, before);
      await one.watch(0);
      loseInbound(gateway, spec?.localAddress ?? "", spec?.remoteAddress ?? "");
      await one.watch(evidence + 10);
      await stop();
      expectTrue(evidence);
      expectCounted("out ESP", "some", 2);
      expectCounted("refused there", "some", 2);
      expectSaid(/^hub-1 degraded arrival-not-proven/, evidence);
    } finally {
      for (const watch of [...captures, ...clear]) watch[Symbol.dispose]();
      await agent.close();
    }
  });
});
