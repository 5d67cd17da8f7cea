// A pair that ends on two Linux hosts, with the agent on the first or on a third: it reaches others
// by `linkseal peer`, whose frames a test can strike one by one. The agent's host can end as well.

import type { Campaign } from "#agent/model/campaign.ts";
import type { OperatorVerb } from "#agent/rotation/verbs.ts";
import { linux } from "#drivers/linux/driver/linux.ts";
import { LinksealError } from "#hal/error.ts";
import type { Dialer, World } from "#hal/world.ts";
import type { EffectEvent } from "#sim/base/truth.ts";
import { fullCapabilities } from "#sim/site/site-plan.ts";
import { channelsTo, type Fate, type Fates, type Pipe } from "../../lab/peer-pipe.ts";
import { CrashingWorld } from "../../storm/crashing-world.ts";
import { AgentBench, group } from "../../unit/kit/agent-bench.ts";
import { never, settled } from "../../unit/kit/site-bench.ts";
import { frameKinds } from "./frame-kinds.ts";
import { type SimLinuxHost, startLinuxHost } from "./host.ts";

const suite = "gcm-aes-xpn-256";
const [near, beyond] = ["edge-a", "edge-b"] as const;
const net = "unix:/run/linkseal-net/net.sock";
/** Three keepalives of the SSH client without an answer, and the time until the next is due. */
const noticedMs = 40_000;
/** Longer than any change of these tests waits for its confirmation. */
const longMs = 180_000;
const turnsMax = 6;
/** A host boots again before it has finished its boot, and so stays away. */
const bootMs = 80_000;
const boots = 4;

/** Where the agent runs: on the host of the first link, or on a host that ends none. */
export type AgentAt = "first" | "third";

/**
 * How the path to the second host is cut at a frame: `before`: no octet of it arrives; `during`:
 * half of it; `after`: all of it. `silent`: none arrives, and the ends notice nothing until the
 * keepalives are unanswered; `long`: as `before`, and the path is back after three minutes.
 */
export const cuts = ["before", "during", "after", "silent", "long"] as const;

export interface Cut {
  /** The number of the frame, from the request for the rotation on; 1 = the first. */
  readonly nth: number;
  readonly how: (typeof cuts)[number];
}

/** What a frame is: of which way, and which request or the answer to which. */
export interface FrameSeen {
  readonly way: "there" | "back";
  readonly kind: string;
}

/** Which config the pair has, and how it begins. */
export interface PairOptions {
  readonly agentAt: AgentAt;
  readonly cut?: Cut;
  readonly edit?: (config: string) => string;
  /** `clear`: no link is protected, and its enrolment begins with the config. */
  readonly start?: "clear" | "protected";
}

/** A step that was taken, and the link that it was taken for. */
export interface StepTaken {
  readonly link: string;
  readonly row: string;
}

export class HostPair extends AgentBench {
  /** The frames between agent and second host since the rotation was asked for. */
  readonly frames: FrameSeen[] = [];
  /** The agent's effects on keys and drains of both hosts since then. */
  readonly effects: EffectEvent[] = [];
  /** How often the rotation waited for an operator, who let it go on. */
  holds = 0;
  /** The steps of all campaigns so far. */
  readonly steps: StepTaken[] = [];
  /** Called with each step, in the middle of the agent's work. */
  onStep: (step: StepTaken) => void = () => undefined;
  readonly #agentAt: AgentAt;
  readonly #hosts: SimLinuxHost[] = [];
  readonly #pipes: (() => readonly Pipe[])[] = [];
  #crashing: CrashingWorld | undefined;
  #cut: Cut | undefined;
  #isCounting = false;
  #downUntil = 0;
  #lostBefore = 0;

  private constructor(seed: string, { agentAt, cut, start = "protected" }: PairOptions) {
    const { ipsec: _none, ...rest } = fullCapabilities;
    const macsec = linux.offers.macsec;
    const capabilities = { ...rest, ...(macsec === undefined ? {} : { macsec }) };
    const model = { capabilities: { ...capabilities, commit: linux.offers.commit } };
    super(start, seed, () => ({ ...model, portName: "eth1" }), "two", 0);
    this.#agentAt = agentAt;
    this.#cut = cut;
    this.onDecision = (decision) => {
      if (decision.kind !== "taken") return;
      const { campaign, row } = decision;
      const step = { link: campaign.links[campaign.at]?.name ?? "", row };
      this.steps.push(step);
      this.onStep(step);
    };
    this.site.onEffect((effect) => {
      if (this.#isCounting && this.site.routers.has(effect.place)) this.effects.push(effect);
    });
  }

  /** Opens a pair, and applies its config. */
  static async opened(seed: string, options: PairOptions): Promise<HostPair> {
    const pair = new HostPair(seed, options);
    for (const name of ["primary", "secondary"] as const) {
      pair.#hosts.push(await startLinuxHost(pair.site, pair.link(name)));
    }
    await pair.#begin();
    const { edit = (text) => text } = options;
    const answer = await pair.apply(pair.config((text) => edit(pair.edited(text))));
    if (answer.kind !== "accepted") throw new Error(JSON.stringify(answer));
    await pair.run(20_000);
    return pair;
  }

  /** Opens a pair that was protected by hand, and adopts it. */
  static async adopted(seed: string, options: PairOptions): Promise<HostPair> {
    const pair = await HostPair.opened(seed, options);
    await settled(pair.site.clock, pair.agent.commands.adopt(group, [], never));
    pair.#lostBefore = pair.lost();
    return pair;
  }

  async #begin(): Promise<void> {
    await this.live((world) => {
      this.#crashing = new CrashingWorld(this.#world(world, this.#hosts), undefined, () => {
        this.disk.crash();
      });
      return this.#crashing.world;
    });
  }

  /**
   * Takes the power from the first host, with the agent and its link; returns after four minutes in
   * which that host did not come up.
   */
  async endHost(): Promise<void> {
    this.#crashing?.kill();
    // The other host's sshd notices the end of the session by its keepalives, at last.
    for (const pipes of this.#pipes.splice(0)) for (const pipe of pipes()) pipe.cut();
    await this.end();
    for (let boot = 0; boot < boots; boot += 1) {
      this.link("primary").router.reboot();
      await this.run(bootMs);
    }
  }

  /** Boots the first host, and starts the agent on the disk that it left. */
  async bootHost(): Promise<void> {
    await this.run(bootMs);
    this.#hosts[0] = await startLinuxHost(this.site, this.link("primary"));
    await this.#begin();
  }

  /** What the link of the second host is like, whether an agent looks or not. */
  async second(): Promise<{
    readonly carries: boolean;
    readonly agreed: boolean;
    readonly pending: boolean;
  }> {
    const link = this.site.truth().groups[0]?.links[1];
    const device = this.site.device(beyond);
    if (link === undefined || device === undefined) throw new Error("no second link");
    const { control } = await settled(this.site.clock, device.observe(never));
    const agreed = link.farKey !== undefined && link.edgeKeys.includes(link.farKey);
    const pending = control.kind !== "known" || control.value.commitPending;
    return { carries: link.carries && link.bgpUp, agreed, pending };
  }

  /** The config of the site with two Linux hosts in place of its routers. */
  edited(text: string): string {
    const login = "    ssh: { user: linkseal-peer, key: agent, hostKey";
    const peer = (address: string): string =>
      `    address: ssh://${address}\n${login}: "SHA256:${(address.at(-2) ?? "").repeat(43)}" }\n`;
    const [first, second] = [
      this.#agentAt === "first" ? "" : peer("192.0.2.10"),
      peer("192.0.2.20"),
    ];
    return [
      [near, first],
      [beyond, second],
    ].reduce(
      (whole, [name, where]) =>
        whole.replace(
          new RegExp(`  - name: ${name}\n    driver: sim\n.*\n`),
          `  - name: ${name}\n    driver: linux\n${where}`,
        ),
      text,
    );
  }

  #world(world: World, [first, second]: readonly SimLinuxHost[]): World {
    if (first === undefined || second === undefined) throw new Error("a pair has two hosts");
    const { dial } = world;
    const places = { net, mka: "/run/linkseal-mka", from: "192.0.2.1" };
    const there = channelsTo({ dial: second.dial, ...places }, undefined, this.#fates());
    const here = channelsTo({ dial: first.dial, ...places });
    this.#pipes.push(
      () => there.pipes,
      () => here.pipes,
    );
    const channel: Dialer["channel"] = async (to, kind, signal) => {
      if (to.device === near) return await here.open(to, kind, signal);
      if (this.site.clock.now() < this.#downUntil) throw noPath();
      return await there.open(to, kind, signal);
    };
    const http: Dialer["http"] = (request, signal) =>
      (request.to === net ? first.dial : dial).http(request, signal);
    const { framed, exec } = first.dial;
    return { ...world, dial: { ...dial, http, framed, exec, channel } };
  }

  #fates(): Fates {
    const kindOf = frameKinds();
    return (way, octets, pipe) => {
      const kind = kindOf(way, octets);
      const whole = { arrives: octets.length, path: "open" } as const;
      if (!this.#isCounting) return whole;
      this.frames.push({ way, kind });
      if (this.#cut === undefined || this.frames.length !== this.#cut.nth) return whole;
      const { clock } = this.site;
      if (this.#cut.how === "long") this.#downUntil = clock.now() + longMs;
      if (this.#cut.how === "silent") {
        this.#downUntil = clock.now() + noticedMs;
        clock.after(noticedMs, () => pipe.cut());
      }
      return fateOf(this.#cut.how, octets.length);
    };
  }

  /** Asks for a rotation to new keys, and runs until it has ended and all is protected. */
  async rotated(urgency: Campaign["urgency"] = "planned"): Promise<void> {
    this.newKeys();
    await this.asked(urgency);
    await this.ended();
  }

  /** Makes a new pair of keys for each link. */
  newKeys(): void {
    for (const { key } of this.site.links) this.site.vault.generatePair(key, suite);
  }

  /** Runs until the campaign has ended and all is protected; an operator resumes what is held. */
  async ended(isStruck: () => boolean = () => false): Promise<void> {
    const ends = (): boolean => isStruck() || this.#isOver() || this.campaign().state === "held";
    for (let turn = 0; turn < turnsMax && !isStruck() && !this.#isOver(); turn += 1) {
      await this.run(1_800_000, ends);
      if (isStruck() || this.campaign().state !== "held") continue;
      // The operator sees to the path first, and the campaign may go on by itself then.
      await this.run(longMs, () => this.campaign().state !== "held");
      if (this.campaign().state !== "held") continue;
      this.holds += 1;
      await this.say("resume");
    }
    if (isStruck() || this.#isOver()) return;
    const { reason } = this.campaign();
    const cut = JSON.stringify({ ...this.#cut, ...this.frames[(this.#cut?.nth ?? 0) - 1] });
    throw new Error(`not over, ${cut}: ${JSON.stringify(reason)} ${this.verdict()}`);
  }

  /** Gives a command to the campaign. */
  async say(verb: OperatorVerb, farEndDone = false): Promise<void> {
    const input = { verb, farEndDone };
    await settled(this.site.clock, this.agent.commands.rotation(input, group, "test"));
  }

  /**
   * Asks for a rotation. One that is asked for while there is no session is refused, and asked for
   * again.
   */
  async asked(urgency: Campaign["urgency"] = "planned"): Promise<void> {
    this.#isCounting = true;
    const risks = urgency === "emergency" ? (["agentOnSibling"] as const) : [];
    const asked = { by: "test", risks, urgency } as const;
    const ask = () => settled(this.site.clock, this.agent.commands.rotate(group, asked, never));
    try {
      await ask();
    } catch (error) {
      const isRefused = error instanceof LinksealError && error.code === "gate.stale";
      if (!isRefused || this.#cut === undefined) throw error;
      await this.run(longMs + noticedMs);
      await ask();
    }
  }

  #isOver(): boolean {
    return this.campaign().state === "done" && this.agent.status().verdict === "protected";
  }

  campaign(): Campaign {
    const campaign = this.agent.memory.campaigns[group];
    if (campaign === undefined) throw new Error("no campaign has run");
    return campaign;
  }

  verdict(): string {
    const { verdict, groups } = this.agent.status();
    const reasons = groups.flatMap(({ links }) => links.flatMap((link) => link.reasons));
    return `${verdict}: ${reasons.map(({ text }) => text).join("; ")}`;
  }

  outcomes(): string {
    return this.campaign()
      .links.map(({ outcome }) => outcome)
      .join(", ");
  }

  /** Returns the frames of the pair that were lost, or had no route, since its adoption. */
  lost(): number {
    const { out, in: into } = this.site.pairTraffic(group);
    return Number(out.lost + into.lost + out.unrouted + into.unrouted) - this.#lostBefore;
  }

  /**
   * True if traffic went back to the first link before its key was changed: the second one could
   * not be read then, and one that is not known to carry is not leaned on.
   */
  gaveBack(): boolean {
    const own = this.effects.filter(({ place }) => place === near).map(({ what }) => what);
    const restore = own.indexOf("port.restore");
    return restore >= 0 && restore < own.indexOf("macsec.removeKey");
  }

  /** Returns place and kind of what happened twice with no return between. */
  repeats(): readonly string[] {
    const seen = new Set<string>();
    return this.effects.flatMap(({ place, what, ckn = "" }) => {
      const key = `${place} ${what} ${ckn}`;
      // A boot goes back to what was confirmed.
      if (what === "reboot") for (const one of seen) if (one.startsWith(place)) seen.delete(one);
      if (what === "rollback" || what === "port.restore") seen.delete(`${place} port.drain `);
      if (what === "rollback") seen.delete(`${place} macsec.addKey ${ckn}`);
      if (what === "port.drain") seen.delete(`${place} port.restore `);
      const isAgain = seen.has(key) && what !== "rollback";
      seen.add(key);
      return isAgain ? [key] : [];
    });
  }
}

function fateOf(how: Cut["how"], length: number): Fate {
  switch (how) {
    case "before":
    case "long":
      return { arrives: 0, path: "cut" };
    case "during":
      return { arrives: Math.floor(length / 2), path: "cut" };
    case "after":
      return { arrives: length, path: "cut" };
    case "silent":
      return { arrives: 0, path: "lost" };
  }
}

function noPath(): LinksealError {
  const details = { effect: "none", where: beyond, next: "linkseal doctor" } as const;
  return new LinksealError("transport.unreachable", "the path is cut", details);
}
