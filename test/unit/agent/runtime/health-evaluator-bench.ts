// A health evaluator with made-up observations, memory and intent, run one poll after the other.

import { silenceOf } from "#agent/health/delivery.ts";
import type { Campaign, CampaignState } from "#agent/model/campaign.ts";
import type { Desired, DesiredLink } from "#agent/model/desired.ts";
import { EventRing } from "#agent/model/events.ts";
import type { ProofLog, RoundTrips } from "#agent/model/health.ts";
import type { Failure } from "#agent/model/link-snapshot.ts";
import type { RightsReport } from "#agent/model/rights-report.ts";
import type { Alarm } from "#agent/rotation/sibling.ts";
import type { Agent } from "#agent/runtime/agent.ts";
import { HealthEvaluator } from "#agent/runtime/health/health-evaluator.ts";
import type { Observed } from "#agent/runtime/health/observed.ts";
import type { Status } from "#agent/runtime/health/status.ts";
import type { UsedUntil } from "#agent/runtime/polling/key-poller.ts";
import type { RightsOf } from "#agent/runtime/polling/rights-reader.ts";
import { emptyMemory, type Memory } from "#agent/store/journal/memory.ts";
import type { PeerState } from "#hal/device.ts";
import type { LinksealError } from "#hal/error.ts";
import {
  type BackedPrefix,
  type DeviceState,
  type IpsecTunnel,
  type KeyRef,
  known,
  type MacsecPort,
  type Routing,
} from "#hal/model.ts";
import { type WallTime, type World, wallAfter } from "#hal/world.ts";
import { keyOne } from "../../kit/campaign-kit.ts";
import { capabilities, ckn } from "../../kit/site-bench.ts";
import {
  at,
  bindingOf,
  desired,
  frames,
  linkNamed,
  peerOn,
  routing,
  securedPort,
  settings,
  stateOf,
  wall,
} from "../../kit/snapshot-kit.ts";
import { tunnelObservation } from "../health-evidence.ts";

export const foreign: KeyRef = {
  ...keyOne,
  ckn: ckn("e"),
  cakSecretId: "https://v/secrets/a-cak/9",
};
export const bound: Memory = {
  ...emptyMemory,
  bindings: { "erd-demo/primary": bindingOf(), "erd-demo/secondary": bindingOf() },
};

/** A campaign's link with its new key, as far as the health evaluator reads it. */
export function running(state: CampaignState, over: Partial<Campaign> = {}): Memory {
  const entry = { name: "primary", outcome: undefined, new: { key: foreign } };
  const other = { name: "secondary", outcome: undefined, new: { key: keyOne } };
  const campaign = {
    group: "erd-demo",
    kind: "enrol",
    links: [other, entry],
    at: 1,
    state,
    since: wall,
    reason: { code: "recorded", text: "because of this" },
    by: "test",
    ...over,
  } as unknown as Campaign;
  return { ...bound, campaigns: { "erd-demo": campaign } };
}

export interface Scene {
  readonly desired?: Desired;
  readonly memory?: Memory;
  /** The state of a port after so many polls. */
  readonly port?: (link: DesiredLink, poll: number) => MacsecPort;
  readonly agent?: Partial<Agent>;
  readonly waiting?: { readonly code: string; readonly text: string; readonly next?: string };
  /** The failures of effects on a link; a list is that of every link. */
  readonly troubles?: readonly LinksealError[] | ((link: DesiredLink) => readonly LinksealError[]);
  /** What differs in a tunnel after so many polls. */
  readonly tunnel?: (poll: number) => Partial<IpsecTunnel>;
  readonly ends?: readonly UsedUntil[];
  /** The offset of every device's clock against this host's. */
  readonly clockOffsetMs?: number;
  readonly trouble?: LinksealError;
  /** Each device has a commit of this time that is not known to be saved, for this reason. */
  readonly unsaved?: { readonly since: WallTime; readonly failure?: LinksealError };
  /** The failure of the last set-up of each tunnel. */
  readonly tunnelTrouble?: LinksealError;
  /** Whether the routers list their tunnels; absent = only their history has them. */
  readonly tunnels?: "listed" | "absent";
  /** The read failure of every far end. */
  readonly peerFailure?: Failure;
  readonly crewless?: true;
  /** The paths without an answer lately, as `group/link` or tunnel, after so many polls. */
  readonly silentPaths?: (poll: number) => readonly string[];
  /** The traffic of every link, or of the tunnel, is moved away. */
  readonly drained?: true | "tunnel";
  /** The BGP sessions that the routers report after so many polls; absent = all are up. */
  readonly sessions?: (poll: number) => Routing["sessions"];
  /** The routing is read in a way that is too weak to be relied on. */
  readonly weakRouting?: true;
  /** The rights of the agent's identity, of each change; absent = none is asked for. */
  readonly rights?: (of: RightsOf) => RightsReport | undefined;
  /** The state of every far end; absent = the key of the sample. */
  readonly peer?: PeerState;
  /** The poll from which every observation fails. */
  readonly silentFrom?: number;
  /** Why it fails; absent = the loops hang. */
  readonly silence?: Failure;
  /** No observation has succeeded yet. */
  readonly unread?: true;
  /**
   * The routes of the routers to the protected prefixes after so many polls; absent = through the
   * tunnel.
   */
  readonly routes?: (poll: number) => Routing["routes"];
  /** The forwarding table of every router, if it is reported besides the BGP routes. */
  readonly ways?: Routing["routes"];
  /** The exempt prefixes of every device. */
  readonly backed?: readonly BackedPrefix[];
  /** The prefixes that every device blocks outside of tunnels; absent = it has no blocks. */
  readonly blocked?: (poll: number) => readonly string[];
  /** The proofs of every backup tunnel. */
  readonly proof?: (poll: number) => ProofLog;
}

export const pollMs = 5_000;

/** Traffic passes both ways, and both links use the key of the sample. */
export function carrying(
  link: DesiredLink,
  poll: number,
  over: Partial<MacsecPort> = {},
): MacsecPort {
  const moved = BigInt(1_000 * (poll + 1));
  const now = at(poll * pollMs);
  const wanted = { ...settings, ...link.settings };
  return securedPort(
    {
      port: link.port,
      settings: known(wanted, now),
      frames: known({ ...frames, rxOk: moved, txProtected: moved }, now),
      ...over,
    },
    now,
  );
}

/** The primary link has no fibre from one poll to another. */
export const unplugged = (from: number, to = 99) => {
  return (link: DesiredLink, poll: number): MacsecPort => {
    const linkUp = known(link.name !== "primary" || poll < from || poll >= to, at(poll * pollMs));
    return carrying(link, poll, { linkUp });
  };
};

export class HealthEvaluatorBench {
  readonly events = new EventRing();
  /** The verdicts of each evaluation. */
  readonly observed: (readonly Observed[])[] = [];
  readonly #scene: Scene;
  readonly #healthEvaluator: HealthEvaluator;
  #poll = 0;

  constructor(scene: Scene = {}) {
    this.#scene = scene;
    const clock = { now: () => this.#now(), wall: () => wall + this.#now() };
    this.#healthEvaluator = new HealthEvaluator({
      world: { clock } as unknown as World,
      events: this.events,
      agent: this.#agent(),
      judged: (observed) => void this.observed.push(observed),
    });
  }

  #now() {
    return at(this.#poll * pollMs);
  }

  /** Every path answered once; a silent one not since. */
  #trips(about: string): RoundTrips {
    const isSilent = this.#scene.silentPaths?.(this.#poll).includes(about) === true;
    const now = this.#now();
    return { under: "", at: now, answered: { at: now, wall }, silent: isSilent ? 2 : 0 };
  }

  #agent(): Agent {
    const intended = this.#scene.desired ?? desired;
    const { memory = bound, waiting, troubles = [], trouble, crewless } = this.#scene;
    const snapshot = (link: DesiredLink): unknown => {
      const state = this.#scene.unread ? undefined : this.#state(link.device);
      return { link, state, peer: this.#peer(link), probe: undefined };
    };
    const supervisor = {
      intent: { number: 1, text: "", desired: intended },
      waiting: () => waiting,
      ends: this.#scene.ends ?? [],
      troubles: (link: DesiredLink) => (typeof troubles === "function" ? troubles(link) : troubles),
      rights: { report: (of: RightsOf) => this.#scene.rights?.(of) },
      unsavedCommits: {
        left: () => (this.#scene.unsaved === undefined ? [] : [this.#scene.unsaved]),
        failure: () => this.#scene.unsaved?.failure,
      },
      tunnelProbes: { log: () => this.#scene.proof?.(this.#poll) },
      trouble: (device: string, tunnel?: string) => {
        if (tunnel !== undefined) return this.#scene.tunnelTrouble;
        return device === "edge-a" ? trouble : undefined;
      },
      deviceCache: {
        state: (device: string) => (this.#scene.unread ? undefined : this.#state(device)),
        failure: () => (this.#observed < this.#poll ? this.#scene.silence : undefined),
        peerFailure: () => this.#scene.peerFailure,
        telemetry: () => undefined,
        gateway: () => undefined,
        askedSaks: { of: () => [] },
        roundTrips: {
          of: (about: string) => this.#trips(about),
          silence: (paths: readonly string[]) => silenceOf(paths.map((one) => this.#trips(one))),
        },
        history: (link: DesiredLink) =>
          this.#scene.unread ? [] : this.#polls().map((poll) => this.#port(link, poll)),
        snapshot,
        peer: (link: DesiredLink) => ({ state: this.#peer(link), at: this.#now() }),
        farEndAt: () => this.#now(),
        capabilities: () => capabilities,
        tunnelHistory: () =>
          this.#scene.tunnels === "absent" ? [] : this.#polls().map((poll) => this.#tunnel(poll)),
      },
    };
    const agent = {
      supervisor: crewless === true ? undefined : supervisor,
      memory,
      fileText: undefined,
      intent: { number: 7, text: "version: 1" },
      journalState: "whole",
      intentDamage: undefined,
      ...{ journal: { bytes: 0, missing: 0 }, compaction: {}, loopLag: { isOverload: false } },
      ...{ rollOver: () => undefined, proposals: { warnings: () => [] } },
      unwritten: [],
      ...this.#scene.agent,
    };
    return agent as unknown as Agent;
  }

  /** The poll of the last successful observation. */
  get #observed(): number {
    return Math.min(this.#poll, (this.#scene.silentFrom ?? Number.POSITIVE_INFINITY) - 1);
  }

  #polls(): readonly number[] {
    return Array.from({ length: this.#observed + 1 }, (_, poll) => poll);
  }

  #port(link: DesiredLink, poll: number): MacsecPort {
    return this.#scene.port?.(link, poll) ?? carrying(link, poll);
  }

  #peer(link: DesiredLink) {
    return this.#scene.peer ?? peerOn(keyOne, { suite: link.settings.suite });
  }

  #tunnel(poll: number): IpsecTunnel {
    const { sas, ...tunnel } = tunnelObservation(poll * pollMs, 100 * (poll + 1));
    const transforms = desired.tunnels[0]?.transforms;
    if (sas.kind !== "known" || transforms === undefined) throw new Error("no sample");
    return {
      ...tunnel,
      sas: known(
        sas.value.map((sa) => ({ ...sa, transforms })),
        sas.at,
      ),
      ...this.#scene.tunnel?.(poll),
    };
  }

  #state(device: string): DeviceState {
    const now = at(this.#observed * pollMs);
    const link = linkNamed(device === "edge-a" ? "primary" : "secondary");
    const into = { prefix: "10.100.0.0/16", via: { kind: "tunnel", name: "hub-1" }, best: true };
    const { drained } = this.#scene;
    const port = drained === "tunnel" ? "hub-1" : link.port;
    const drains = drained === undefined ? [] : [{ port, means: "prepend" as const }];
    const sessions = this.#scene.sessions?.(this.#poll) ?? routing.sessions;
    const routes = this.#scene.routes?.(this.#poll) ?? [into as (typeof routing.routes)[number]];
    const reported = known({ routes, sessions, drains }, now);
    const ports = this.#port(link, this.#observed);
    const weak = this.#scene.weakRouting === true ? { ...reported, weak: true as const } : reported;
    const { backed, ways, blocked } = this.#scene;
    const beside = {
      ...(blocked === undefined ? {} : { blocked: known(blocked(this.#observed), now) }),
      ...(backed === undefined ? {} : { backed: known(backed, now) }),
      ...(ways === undefined ? {} : { ways: known(ways, now) }),
    };
    const ipsec = this.#scene.tunnels === "listed" ? [this.#tunnel(this.#observed)] : [];
    const over = { device, at: now, routing: weak, ipsec, ...beside };
    return stateOf(ports, over, { wall: wallAfter(wall, this.#scene.clockOffsetMs ?? 0) });
  }

  /** Runs so many polls, each with a turn. */
  polls(count: number): this {
    for (let done = 0; done < count; done += 1) {
      this.#poll += 1;
      this.#healthEvaluator.turn();
    }
    return this;
  }

  turn(): this {
    this.#healthEvaluator.turn();
    return this;
  }

  /** Advances by so many polls in which every loop hangs. */
  hang(count: number): this {
    this.#poll += count;
    return this;
  }

  alarm(name: string): Alarm["cause"] | undefined {
    return this.#healthEvaluator.alarm(linkNamed(name))?.cause;
  }

  /** How far a campaign may rely on the link. */
  standing(name: string): string {
    return this.#healthEvaluator.alarm(linkNamed(name))?.standing ?? "carrying";
  }

  status(): Status {
    return this.#healthEvaluator.snapshot().status;
  }

  reported(): readonly string[] {
    return this.events.after(0).events.map(({ code, about, text }) => `${code} ${about}: ${text}`);
  }

  warnings(): readonly string[] {
    return this.status().warnings.map(({ code, about, text }) => `${code} ${about}: ${text}`);
  }
}
