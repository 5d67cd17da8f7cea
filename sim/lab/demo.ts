// Runs the story of `npm start` on virtual time: the apply, the requested faults, and the moment
// when nothing more will happen.

import type { Campaign } from "#agent/model/campaign.ts";
import type { Agent } from "#agent/runtime/agent.ts";
import type { Status } from "#agent/runtime/health/status.ts";
import { openCampaign } from "#agent/store/journal/memory.ts";
import { LinksealError } from "#hal/error.ts";
import type { Site } from "./simulate.ts";

/** When a demo strikes a fault for which no time was given. */
type FaultMoment = "beforeFirstEffect" | "afterProtected";

export interface AskedFault {
  readonly name: string;
  readonly when: FaultMoment | { readonly atMs: number };
  readonly strike: () => void;
}

export interface DemoParts {
  readonly site: Site;
  readonly agent: Agent;
  readonly faults: readonly AskedFault[];
  /** The config that the demo applies itself; undefined = another program applies it. */
  readonly config: string | undefined;
  /** Called with every status, as the oracle requires. */
  readonly reported: (status: Status) => void;
}

/** How long the links are observed in the clear before the config is applied, in milliseconds. */
const applyAtMs = 5_000;
const tickMs = 1_000;
const lastMs = 3_600_000;
/** `settle` of the config's defaults in milliseconds, for a demo without an applied config. */
const settleMsDefault = 18_000;

export class Demo {
  readonly #parts: DemoParts;
  readonly #waiting: Set<AskedFault>;
  #applied: boolean;
  #lastShown = "";
  #steadySince = 0;

  constructor(parts: DemoParts) {
    this.#parts = parts;
    this.#waiting = new Set(parts.faults);
    this.#applied = parts.config === undefined;
  }

  /**
   * True if nothing is under way, every fault has struck, and no verdict has changed for `settle`.
   * A fault that no verdict shows yet has the whole evidence window for it.
   */
  get settled(): boolean {
    const { agent, site } = this.#parts;
    const now = site.clock.now();
    if (now >= lastMs) return true;
    if (!this.#applied || this.#waiting.size > 0) return false;
    const { rotation, health } = agent.intent?.desired ?? {};
    const settleMs = rotation?.settleMs ?? settleMsDefault;
    const isHidden = this.#parts.faults.length > 0 && agent.status().verdict === "protected";
    const evidenceMs = isHidden ? (health?.evidenceMs ?? 0) : 0;
    return now - this.#steadySince >= Math.max(settleMs, evidenceMs);
  }

  /**
   * Runs until the signal aborts.
   * @throws LinksealError with `config.invalid` if the demo's own config is refused
   */
  async run(signal: AbortSignal): Promise<void> {
    const { clock } = this.#parts.site;
    this.#strike(({ when }) => when === "beforeFirstEffect");
    try {
      for (;;) {
        await this.#tick(signal);
        await clock.sleep(tickMs, signal);
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }

  async #tick(signal: AbortSignal): Promise<void> {
    const now = this.#parts.site.clock.now();
    if (!this.#applied && now >= applyAtMs) await this.#apply(signal);
    const status = this.#parts.agent.status();
    this.#parts.reported(status);
    this.#watch(status, now);
    this.#strike(({ when }) => typeof when === "object" && now >= when.atMs);
    if (status.verdict === "protected" && this.#campaigns().length === 0) {
      this.#strike(({ when }) => when === "afterProtected");
    }
  }

  #campaigns(): readonly Campaign[] {
    const { agent } = this.#parts;
    const groups = agent.intent?.desired.groups ?? [];
    return groups.flatMap(({ name }) => openCampaign(agent.memory, name) ?? []);
  }

  /** True while a campaign runs, or a far end is still carrying out a change. */
  #underWay(): boolean {
    const { site } = this.#parts;
    return (
      this.#campaigns().some(({ state }) => state !== "held") ||
      site.links.some(({ msee, azureLink }) => msee.observe(azureLink).provisioning === "updating")
    );
  }

  #strike(isDue: (fault: AskedFault) => boolean): void {
    for (const fault of [...this.#waiting].filter(isDue)) {
      this.#waiting.delete(fault);
      fault.strike();
      this.#steadySince = this.#parts.site.clock.now();
    }
  }

  #watch(status: Status, now: number): void {
    const links = status.groups.flatMap((group) => group.links);
    const lastShown = JSON.stringify(
      [status, ...links, ...status.tunnels].map(({ verdict, reasons }) => [
        verdict,
        ...reasons.map(({ code }) => code),
      ]),
    );
    if (lastShown !== this.#lastShown || this.#underWay()) this.#steadySince = now;
    this.#lastShown = lastShown;
  }

  async #apply(signal: AbortSignal): Promise<void> {
    const { agent, config = "" } = this.#parts;
    const request = { text: config, file: "demo.yaml", who: "npm start", queue: false };
    const answer = await agent.apply(request, signal);
    if (answer.kind === "accepted") {
      this.#applied = true;
      return;
    }
    throw new LinksealError("config.invalid", `the demo's own config was ${answer.kind}`, {
      effect: "none",
      where: "demo.yaml",
      next: "linkseal validate demo.yaml",
    });
  }
}
