// The simulated site as a process of its own that kills its agent at one chosen request; the kill
// tests fork it. It talks to its parent over the IPC channel and ends with it.

import { join } from "node:path";
import type { Instant } from "#hal/world.ts";
import type { SiteTruth } from "#sim/base/truth.ts";
import {
  demoSite,
  formatViolation,
  leashClock,
  paceClock,
  type StaffedSite,
  serveSite,
} from "#sim/lab/simulate.ts";
import type { ReportedStatus } from "#sim/oracle/report.ts";
import type { Leash } from "#sim/serve/site.ts";
import type { SiteHandler } from "#sim/site/protocol.ts";
import { hasty } from "../short-waits.ts";

/**
 * The time of the kill relative to the effect of a request. `during`: the agent is killed first,
 * and its request is still carried out.
 */
export type Death = "before" | "during" | "after";

/** The `nth` request of this kind is the agent's last one. */
export interface CrashPoint {
  readonly request: string;
  readonly nth: number;
  readonly when: Death;
}

export interface SiteSetting {
  readonly folder: string;
  readonly seed: string;
  readonly start: "clear" | "protected";
  /** Virtual ms per real ms. */
  readonly speed: number;
  readonly fate: CrashPoint | undefined;
}

export type Order =
  | { readonly kind: "victim"; readonly pid: number }
  /** The agent was killed elsewhere. */
  | { readonly kind: "dead" }
  /** Asks for the site's time. */
  | { readonly kind: "now" }
  /** `askedAt`: the site's time before the agent was asked for its status. */
  | { readonly kind: "reported"; readonly status: ReportedStatus; readonly askedAt: Instant }
  | { readonly kind: "expectNoWrites"; readonly why: string }
  /** Puts new pairs into the vault, and counts the requests from now on. */
  | { readonly kind: "newKeys" }
  /** Strikes one of the fleet's faults, until it is healed. */
  | { readonly kind: "strike"; readonly fault: string; readonly link: string }
  | { readonly kind: "heal" }
  | { readonly kind: "account" };

export interface Account {
  readonly kind: "account";
  readonly truth: SiteTruth;
  readonly violations: readonly string[];
  readonly agentWrites: number;
  /** Requests with an effect so far, by kind. */
  readonly requests: ReadonlyMap<string, number>;
  readonly canaries: readonly { readonly id: string; readonly bytes: Uint8Array }[];
}

export interface Ready {
  readonly kind: "ready";
  readonly config: string;
  /** The environment of every program beside the site. */
  readonly environment?: Readonly<Record<string, string>>;
}

interface Now {
  readonly kind: "now";
  readonly now: Instant;
}

export type News = Ready | Account | Now;

const leashMs = 500;
/**
 * The site learns when its agent is killed; an agent that runs may only be waiting for a processor.
 */
export const lonelyMs = 60_000;

export function socketIn(folder: string): string {
  return join(folder, "site.sock");
}

/** Returns undefined for a request that changes nothing and reads no key. */
function effectOf(path: string): string | undefined {
  const [root, name = "", verb = "", , what = ""] = path.slice(1).split("/");
  if (root === "vault") return path.endsWith("/versions") ? "vault versions" : "vault value";
  if (root === "peers" && name === "put") return "far end put";
  if (root !== "devices") return undefined;
  if (verb === "prepare" || verb === "probe") return `${name} ${verb}`;
  return verb === "transactions" ? `${name} ${what}` : undefined;
}

export function report(news: News): void {
  process.send?.(news);
}

/** A reply that never comes. */
const silence = new Promise<never>(() => undefined);

class DeadlySite {
  readonly #staff: StaffedSite;
  readonly #fate: CrashPoint | undefined;
  readonly #answer: SiteHandler;
  readonly #leash: Leash;
  readonly #requests = new Map<string, number>();
  #victim: number | undefined;

  constructor({ seed, start, fate }: SiteSetting) {
    this.#staff = demoSite(seed, start);
    this.#fate = fate;
    this.#answer = this.#staff.faultConsole.handler();
    const deadly: SiteHandler = (request, signal) => this.#serveOne(request, signal);
    this.#leash = leashClock(deadly, this.#staff.site.clock, leashMs, lonelyMs);
  }

  async serve({ folder, speed }: SiteSetting): Promise<void> {
    const { site } = this.#staff;
    const socket = socketIn(folder);
    site.setSpeed(speed);
    await serveSite(this.#leash.handler, socket);
    paceClock(site.clock, { speed, hold: this.#leash.hold });
    process.on("message", (order) => this.#obey(order as Order));
    process.on("disconnect", () => process.exit());
    report({ kind: "ready", config: hasty(site.config(`unix:${socket}`)) });
  }

  async #serveOne(...[request, signal]: Parameters<SiteHandler>): ReturnType<SiteHandler> {
    const when = this.#deathAt(effectOf(request.path));
    switch (when) {
      case undefined:
        return await this.#answer(request, signal);
      case "before":
        break;
      case "during":
        void this.#answer(request, new AbortController().signal);
        break;
      case "after":
        await this.#answer(request, signal);
        break;
    }
    this.#kill();
    return await silence;
  }

  #deathAt(effect: string | undefined): Death | undefined {
    if (effect === undefined) return undefined;
    const count = (this.#requests.get(effect) ?? 0) + 1;
    this.#requests.set(effect, count);
    const fate = this.#fate;
    return effect === fate?.request && count === fate.nth ? fate.when : undefined;
  }

  #kill(): void {
    if (this.#victim === undefined) throw new Error("there is no agent to kill");
    process.kill(this.#victim, "SIGKILL");
    this.#mourn();
  }

  // All clients of this site share one session per device; a router drops the sessions of a dead
  // client.
  #mourn(): void {
    this.#victim = undefined;
    this.#leash.letGo();
    for (const router of this.#staff.site.routers.values()) router.disconnectSessions();
  }

  #obey(order: Order): void {
    const { oracle, site } = this.#staff;
    switch (order.kind) {
      case "now":
        report({ kind: "now", now: site.clock.now() });
        break;
      case "victim":
        this.#victim = order.pid;
        break;
      case "dead":
        this.#mourn();
        break;
      case "reported":
        oracle.reported(order.status, order.askedAt);
        break;
      case "expectNoWrites":
        oracle.expectNoWrites(order.why);
        break;
      case "newKeys":
      case "strike":
      case "heal":
        throw new Error("this site is enrolled, and neither rotated nor struck");
      case "account":
        report(accountOf(this.#staff, this.#requests));
        break;
    }
  }
}

export function accountOf(
  { site, oracle }: StaffedSite,
  requests: ReadonlyMap<string, number>,
): Account {
  return {
    kind: "account",
    truth: site.truth(),
    violations: oracle.violations.map(formatViolation),
    agentWrites: oracle.agentWrites,
    requests,
    canaries: site.canaries(),
  };
}

if (process.argv[1] === import.meta.filename) {
  const setting = JSON.parse(process.argv[2] ?? "") as SiteSetting;
  await new DeadlySite(setting).serve(setting);
}
