// Signed proposals on a whole agent: a person applies them, `auto` applies those that change no
// authority, and no sequence of messages of an engine applies anything else (P8).

import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import type { ProposalReport } from "#agent/api/proposal-report.ts";
import { proposalOctets, proposalPayload, withdrawnProposal } from "#agent/fleet/proposal.ts";
import { followProposal } from "#agent/telemetry/fleet/proposal-feed.ts";
import type { WallTime } from "#hal/world.ts";
import { Prng } from "#sim/base/prng.ts";
import { AgentBench, group, operatorText } from "../unit/kit/agent-bench.ts";
import { MemoryEngine } from "../unit/kit/engine-kit.ts";
import { settled } from "../unit/kit/site-bench.ts";
import { SshSigner } from "../unit/kit/ssh-kit.ts";

const anna = new SshSigner("ssh-ed25519");
const bo = new SshSigner("ecdsa-sha2-nistp256");
const mallory = new SshSigner("ssh-ed25519");
const dayMs = 86_400_000;

type Edit = (text: string) => string;

const soak =
  (seconds: number): Edit =>
  (text) =>
    text.replace(/soak: \d+s/, `soak: ${seconds}s`);
const repair: Edit = (text) => `${text}repair: on\n`;

function fleetLines(apply: string): string {
  const signers = [
    `    - { name: anna, key: ${anna.line} }`,
    `    - { name: bo, key: ${bo.line} }`,
  ];
  return [
    "fleet:",
    "  servers: [nats://127.0.0.1:4222]",
    "  key: file:/run/fleet.seed",
    `  apply: ${apply}`,
    ...["  signers:", ...signers, ""],
  ].join("\n");
}

interface Proposing {
  readonly signer?: SshSigner;
  readonly site?: string;
  readonly lastsMs?: number;
  readonly number?: number;
}

/** A site with signers, and an engine in memory. */
class Site {
  readonly engine = new MemoryEngine();
  readonly bench: AgentBench;
  #end = new AbortController();

  private constructor(start: "clear" | "protected") {
    this.bench = new AgentBench(start);
  }

  static async begin(
    apply: "propose" | "auto",
    start: "clear" | "protected" = "protected",
  ): Promise<Site> {
    const site = new Site(start);
    await site.bench.live();
    site.follow();
    await site.bench.apply(site.bench.config((text) => `${text}${fleetLines(apply)}`));
    await site.bench.run(30_000);
    return site;
  }

  follow(): void {
    this.#end = new AbortController();
    const { bench, engine } = this;
    const { proposals } = bench.agent;
    const parts = { world: bench.site, engine, site: "demo", proposals };
    void followProposal(parts, this.#end.signal);
  }

  async restart(): Promise<void> {
    this.#end.abort();
    await this.bench.end();
    await this.bench.live();
    this.follow();
  }

  get text(): string {
    return this.bench.agent.intent?.text ?? "";
  }

  /** How each accepted config came about, the oldest first. */
  get history(): readonly string[] {
    return this.bench.agent.intents.history().map(({ who }) => who);
  }

  signed(edit: Edit, { signer = anna, site = "demo", lastsMs = dayMs, number }: Proposing = {}) {
    const { agent } = this.bench;
    const basedOn = { number: number ?? agent.intent?.number ?? 0, sha256: sha256Of(this.text) };
    const notAfter = (this.bench.site.clock.wall() + lastsMs) as WallTime;
    const payload = proposalPayload({ site, basedOn, config: edit(this.text), notAfter });
    return proposalOctets({ payload, signature: signer.sign(payload) });
  }

  /** A hub writes, and the site reads it. */
  async deliver(octets: Uint8Array, ms = 90_000): Promise<void> {
    await this.engine.put("linkseal-proposals", "demo", octets);
    await this.bench.run(ms);
  }

  async propose(edit: Edit, how: Proposing = {}): Promise<Uint8Array> {
    const octets = this.signed(edit, how);
    await this.deliver(octets);
    return octets;
  }

  async shown(): Promise<ProposalReport> {
    return (await this.bench.ask("GET /v1/proposal")) as ProposalReport;
  }

  async act(verb: "apply" | "reject"): Promise<unknown> {
    const { proposal } = await this.shown();
    return await this.bench.ask(`POST /v1/proposal/${verb}`, { sha256: proposal?.sha256 });
  }

  warnings(): readonly string[] {
    const all = this.bench.agent.status().warnings.map(({ code }) => code);
    return all.filter((code) => code.startsWith("proposal"));
  }
}

const sha256Of = (text: string): string => createHash("sha256").update(text).digest("hex");

describe("a proposal that waits for a person", () => {
  it("is shown, changes nothing, and is applied with the names of signer and person", async () => {
    const site = await Site.begin("propose");
    await site.propose(soak(5));
    expect(site.history).toHaveLength(1);
    expect(site.warnings()).toEqual(["proposal-waiting"]);
    expect(await site.shown()).toMatchObject({
      ...{ state: "waiting", why: "it waits for a person of this site" },
      proposal: { signer: { name: "anna" }, basedOn: { number: 1 } },
    });
    expect(await site.act("apply")).toMatchObject({ kind: "accepted", number: 2 });
    expect(site.text).toContain("soak: 5s");
    expect(site.history[1]).toMatch(/; signed by anna \(SHA256:/);
    expect(site.history[1]).toContain(operatorText);
    const { entries } = await settled(site.bench.site.clock, site.bench.agent.evidence.read());
    const texts = entries.flatMap((entry) => (entry.kind === "change" ? [entry.text] : []));
    expect(texts.some((text) => /^applied the proposal .*signed by anna/.test(text))).toBe(true);
    await site.bench.run(90_000);
    expect(site.warnings()).toEqual([]);
    expect(await site.shown()).toMatchObject({ state: "over", why: "it was applied" });
  });

  it("is applied once, and only as it was shown", async () => {
    const site = await Site.begin("propose");
    await site.propose(soak(5));
    const { proposal: first } = await site.shown();
    await site.propose(soak(6), { signer: bo });
    const asked = { sha256: first?.sha256 };
    expect(await site.bench.ask("POST /v1/proposal/apply", asked)).toMatchObject({
      code: "gate.planChanged",
    });
    const again = await Promise.all([site.act("apply"), site.act("apply")]);
    expect(again.filter((each) => JSON.stringify(each).includes('"accepted"'))).toHaveLength(1);
    expect(site.history).toHaveLength(2);
    expect(site.text).toContain("soak: 6s");
  });

  it("is never applied once rejected, and the same config can be proposed anew", async () => {
    const site = await Site.begin("propose");
    const octets = await site.propose(soak(5));
    expect(await site.act("reject")).toMatchObject({ rejected: expect.any(String) });
    await site.restart();
    await site.deliver(octets);
    expect(await site.shown()).toMatchObject({ state: "over", why: "it was rejected" });
    expect(await site.act("apply")).toMatchObject({ code: "usage" });
    await site.propose(soak(5), { lastsMs: 2 * dayMs });
    expect(await site.act("apply")).toMatchObject({ kind: "accepted" });
    expect(site.history).toHaveLength(2);
  });

  it("is gone once the hub takes it back, and not while the engine is away", async () => {
    const site = await Site.begin("propose");
    await site.propose(soak(5));
    site.engine.isUp = false;
    await site.bench.run(600_000);
    expect(site.warnings()).toEqual(["proposal-waiting"]);
    site.engine.isUp = true;
    await site.deliver(withdrawnProposal);
    expect(await site.shown()).toMatchObject({ state: "none", proposal: null });
    expect(site.warnings()).toEqual([]);
  });

  it("without signers nothing is read", async () => {
    const site = await Site.begin("propose");
    const bare = site.text.replace(/ {2}apply:[\s\S]*/, "");
    const octets = site.signed(soak(5));
    await site.bench.apply(bare);
    await site.deliver(octets);
    expect(await site.shown()).toMatchObject({ state: "none" });
  });
});

describe("what a hub or engine cannot do", () => {
  const rows: readonly (readonly [string, (site: Site) => Uint8Array, string])[] = [
    ["another key", (site) => site.signed(soak(9), { signer: mallory }), "not in fleet.signers"],
    ["another site", (site) => site.signed(soak(9), { site: "other" }), "for another site"],
    ["no record", () => new TextEncoder().encode("{}"), "something else"],
    ["no config", (site) => site.signed(() => "version: 2\n"), "not valid here"],
    [
      "a config of another site",
      (site) => site.signed((text) => text.replace("site: demo", "site: other")),
      "another name",
    ],
  ];
  it.each(rows)("a record with %s is refused, and named", async (_what, make, why) => {
    for (const apply of ["propose", "auto"] as const) {
      const site = await Site.begin(apply);
      await site.deliver(make(site));
      expect(site.warnings()).toEqual(["proposal-refused"]);
      const shown = await site.shown();
      expect([shown.state, shown.proposal]).toEqual(["refused", null]);
      expect(shown.why).toContain(why);
      expect(await site.act("apply")).toMatchObject({ code: "usage" });
      expect(site.history).toHaveLength(1);
    }
  });

  it("two proposals on one config: the first is applied, and the second does nothing", async () => {
    const site = await Site.begin("auto");
    const [first, second] = [site.signed(soak(5)), site.signed(soak(6), { signer: bo })];
    await site.deliver(first);
    await site.deliver(second);
    expect(site.history).toHaveLength(2);
    expect(await site.shown()).toMatchObject({
      ...{ state: "over", why: "it is based on config 1, which is not in force" },
    });
  });

  it("an engine that goes back, and replays all that it ever had, does nothing", async () => {
    const site = await Site.begin("auto");
    const old: Uint8Array[] = [];
    for (const seconds of [5, 6, 7]) old.push(await site.propose(soak(seconds)));
    // A person goes back to the first config: its text is in force again, under another number.
    await site.bench.ask("POST /v1/config/rollback", { number: 1 });
    await site.bench.run(30_000);
    expect(site.history).toHaveLength(5);
    for (const octets of [...old, ...old.toReversed()]) await site.deliver(octets);
    await site.restart();
    for (const octets of old) await site.deliver(octets);
    expect(site.history).toHaveLength(5);
    expect(site.text).toContain("soak: 4s");
  });

  it("a proposal whose application a crash cut off is not begun again", async () => {
    const site = await Site.begin("auto");
    const { disk } = site.bench;
    const replace = disk.replace.bind(disk);
    disk.replace = async (name, bytes) => {
      if (name === "intent/0002.yaml") disk.setFault("full", true);
      await replace(name, bytes);
    };
    await site.propose(soak(5));
    disk.setFault("full", false);
    await site.restart();
    await site.bench.run(600_000);
    expect(site.history).toHaveLength(1);
    expect((await site.shown()).why).toContain("has to be proposed anew");
  });

  it("no sequence of messages applies what auto may not, or anything twice", async () => {
    const seed = process.env["LINKSEAL_SEED"] ?? String(Date.now() % 1_000_000);
    console.log(`LINKSEAL_SEED=${seed}`);
    const prng = new Prng(seed);
    const site = await Site.begin("auto");
    const kept: Uint8Array[] = [];
    const allowed = new Set([site.text]);
    for (let step = 0; step < 60; step += 1) {
      const edit = soak(prng.between(1, 30));
      const old = prng.pick(kept.length === 0 ? [withdrawnProposal] : kept);
      const turned = Uint8Array.from(old);
      turned[prng.between(0, old.length - 1)] = prng.between(0, 255);
      const now = Number(/soak: (\d+)s/.exec(site.text)?.[1]);
      const change: Edit = (text) => text.replace(`soak: ${now}s`, `soak: ${now + 1}s`);
      const good = site.signed(change, { signer: prng.pick([anna, bo]) });
      const next = prng.pick([
        ...[good, old, turned, withdrawnProposal, new Uint8Array()],
        site.signed(edit, { signer: mallory }),
        site.signed((text) => repair(change(text))),
        site.signed(change, { number: prng.between(1, 99) + (site.history.length + 1) }),
        site.signed(change, { lastsMs: -1 }),
      ]);
      if (next === good) allowed.add(change(site.text));
      if (next === good || prng.chance(0.3)) kept.push(next);
      site.engine.isUp = prng.chance(0.8);
      await site.deliver(next, prng.between(1_000, 60_000));
      site.engine.isUp = true;
      await site.deliver(next, prng.between(1_000, 60_000));
      if (prng.chance(0.1)) await site.restart();
    }
    const texts = site.history.map((_, at) => site.bench.agent.intents.text(at + 1) ?? "");
    expect(texts.filter((text) => !allowed.has(text))).toEqual([]);
    expect(new Set(texts).size).toBe(texts.length);
    expect(texts.filter((text) => text.includes("repair: on"))).toEqual([]);
    expect(texts.length).toBeGreaterThan(1);
  });
});

describe("fleet.apply: auto", () => {
  it("applies what changes no authority, as apply does, and says whose it was", async () => {
    const site = await Site.begin("auto");
    await site.propose(soak(5));
    expect(site.text).toContain("soak: 5s");
    expect(site.history[1]).toMatch(/^signed by anna \(SHA256:.*\), applied by fleet.apply: auto$/);
    expect(site.warnings()).toEqual([]);
  });

  const authority: readonly (readonly [string, Edit])[] = [
    ["azure.farEnd", (text) => text.replace("farEnd: agent", "farEnd: manual")],
    ["repair", repair],
    ["acceptRisks", (text) => text.replace("until: 2027-11-24 }", "until: 2028-11-24 }")],
    [
      "acceptRisks",
      (text) =>
        text.replace("acceptRisks:\n", "acceptRisks:\n  - { risk: noDrain, until: 2027-11-24 }\n"),
    ],
    [
      "rotate.on",
      (text) => text.replace("drain: prepend", "rotate: { on: vaultVersion }\n    drain: prepend"),
    ],
    ["fleet.apply", (text) => text.replace("apply: auto", "apply: propose")],
    [
      "fleet.signers[mallory].key",
      (text) => `${text}    - { name: mallory, key: ${mallory.line} }\n`,
    ],
    ["fleet.signers[bo]", (text) => text.replace(/ {4}- \{ name: bo.*\n/, "")],
    ["fleet.heads", (text) => text.replace("  apply: auto", "  apply: auto\n  heads: 1h")],
    ["fleet.servers", (text) => text.replace("127.0.0.1:4222", "127.0.0.1:4223")],
    ["fleet", (text) => text.replace(/^fleet:[\s\S]*/m, "")],
    [
      "devices[edge-b].address",
      (text) => text.replace(/(name: edge-b[\s\S]*?)site\.sock/, "$1other.sock"),
    ],
    ["drain", (text) => text.replace("drain: prepend", "drain: gracefulShutdown")],
    ["telemetry", (text) => `${text}telemetry: { heads: { to: journald } }\n`],
  ];
  it.each(authority)("never changes %s: a person of the site does", async (path, edit) => {
    const site = await Site.begin("auto");
    await site.propose((text) => soak(5)(edit(text)));
    await site.bench.run(900_000);
    expect(site.history).toHaveLength(1);
    const { state, why } = await site.shown();
    expect(state, why ?? "").toBe("waiting");
    expect(why).toContain("who alone may change");
    expect(why).toContain(path);
    expect(site.warnings()).toEqual(["proposal-waiting"]);
    if (path.startsWith("devices")) return;
    expect(await site.act("apply")).toMatchObject({ kind: "accepted", number: 2 });
  });

  it("waits while a campaign runs on what it changes, and applies it afterwards", async () => {
    const site = await Site.begin("auto", "clear");
    expect(await site.bench.run(600_000, () => site.bench.state() === "primary proving")).toBe(
      true,
    );
    const suite: Edit = (text) =>
      text.replaceAll("{ suite: gcm-aes-xpn-256 }", "{ suite: gcm-aes-xpn-256, replayWindow: 32 }");
    await site.deliver(site.signed(suite), 40_000);
    expect(site.history).toHaveLength(1);
    expect((await site.shown()).why).toContain(`a campaign runs on ${group}`);
    expect(await site.bench.run(3_600_000, () => site.history.length === 2)).toBe(true);
    expect(site.bench.violations()).toEqual([]);
  });

  it("leaves the place to a config of a person that waits for its turn", async () => {
    const site = await Site.begin("auto", "clear");
    expect(await site.bench.run(600_000, () => site.bench.state() === "primary proving")).toBe(
      true,
    );
    const mine = site.text.replaceAll(
      "{ suite: gcm-aes-xpn-256 }",
      "{ suite: gcm-aes-xpn-256, replayWindow: 32 }",
    );
    expect(await site.bench.apply(mine, true)).toEqual({ kind: "queued" });
    await site.deliver(site.signed(soak(5)), 40_000);
    expect((await site.shown()).why).toContain("a config that a person applied waits");
    expect(await site.bench.run(3_600_000, () => site.history.length === 2)).toBe(true);
    await site.bench.run(600_000);
    expect(site.text).toBe(mine);
    expect((await site.shown()).state).toBe("over");
  });
});

describe("the end of a proposal", () => {
  it("comes by the clock of the site", async () => {
    const site = await Site.begin("propose");
    await site.propose(soak(5), { lastsMs: 600_000 });
    expect(site.warnings()).toEqual(["proposal-waiting"]);
    await site.bench.run(600_000);
    expect(await site.shown()).toMatchObject({
      state: "over",
      proposal: { sha256: expect.any(String) },
    });
    expect((await site.shown()).why).toMatch(/^it was valid until 2026-/);
    expect(await site.act("apply")).toMatchObject({ code: "usage" });
    expect(site.warnings()).toEqual([]);
  });

  it("cannot be judged by a clock that no device confirms", async () => {
    const site = await Site.begin("auto");
    // The clock of the host was set back: what has ended seems valid.
    site.bench.site.clock.jumpWall(-dayMs);
    await site.bench.run(30_000);
    await site.propose(soak(5), { lastsMs: 600_000 });
    expect((await site.shown()).why).toContain("are apart");
    expect(await site.act("apply")).toMatchObject({ code: "gate.stale" });
    expect(site.history).toHaveLength(1);
    site.bench.site.clock.jumpWall(dayMs);
    await site.bench.run(90_000);
    expect((await site.shown()).state).toBe("over");
    expect(site.history).toHaveLength(1);
  });
});
