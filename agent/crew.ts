// The loops that serve one accepted intent: one per device, one per group, one that judges health.

import { LinksealError } from "#hal/error.ts";
import type { KeyVault } from "#hal/vault.ts";
import type { Instant, World } from "#hal/world.ts";
import type { Campaign } from "./campaign/campaign.ts";
import { Conductor } from "./campaign/conductor.ts";
import {
  type Asked,
  beginEnrolment,
  type EnrolmentParts,
  riskAccepted,
  type Waiting,
} from "./campaign/enrolment.ts";
import { type DesiredGroup, type DesiredLink, linkId, type RiskName } from "./desired.ts";
import type { Intent } from "./intent/intent.ts";
import { type JournalRecord, type Memory, openCampaign } from "./journal/memory.ts";
import { Lookout, type LookoutParts } from "./lookout.ts";
import { Reconciler } from "./reconcile.ts";
import type { Turns } from "./turns.ts";
import { keyResolver } from "./vault.ts";

export interface CrewParts extends Omit<LookoutParts, "desired"> {
  readonly world: World;
  readonly intent: Intent;
  readonly vault: KeyVault;
  readonly memory: () => Memory;
  readonly write: (record: JournalRecord) => Promise<void>;
  readonly note: (campaign: Campaign) => void;
  readonly startedAt: Instant;
  /** By `group/link`: until when a put whose end was not seen may still land. */
  readonly graces: Map<string, Instant>;
  /** Runs after every look and every step: the place where health is judged. */
  readonly judge: () => void;
  /** Writes are refused while it holds: the journal is not whole. */
  readonly readOnly: () => boolean;
  readonly turns: Turns;
}

/** After the vault said no, its next try waits this long; doubled each time, up to the most. */
const vaultWaitMs = { least: 30_000, most: 600_000 };

export class Crew {
  readonly intent: Intent;
  readonly lookout: Lookout;
  readonly #parts: CrewParts;
  readonly #reconcilers: ReadonlyMap<string, Reconciler>;
  readonly #conductors: ReadonlyMap<string, Conductor>;
  readonly #waiting = new Map<string, Waiting>();
  readonly #vaultRetry = new Map<string, { at: number; waitMs: number }>();

  constructor(parts: CrewParts, before: Lookout | undefined) {
    this.#parts = parts;
    this.intent = parts.intent;
    const { desired } = parts.intent;
    this.lookout = new Lookout({ ...parts, desired }, before);
    const keys = (signal: AbortSignal) => keyResolver(parts.vault, signal);
    this.#reconcilers = new Map(
      desired.devices.map(({ name }) => [
        name,
        new Reconciler({
          ...parts,
          desired,
          keys,
          intent: parts.intent.number,
          device: name,
          lookout: this.lookout,
          paused: () => parts.readOnly() || this.#busy(name),
        }),
      ]),
    );
    this.#conductors = new Map(
      desired.groups.map((group) => [
        group.name,
        new Conductor({
          ...parts,
          desired,
          group,
          keys,
          lookout: this.lookout,
          acceptsRisk: this.#acceptsRisk,
          ownAddresses: [desired.azure.vault, ...desired.devices.map((device) => device.address)],
        }),
      ]),
    );
  }

  readonly #acceptsRisk = (risk: RiskName): boolean =>
    riskAccepted(this.intent.desired, risk, this.#parts.world.clock.wall());

  /** A campaign runs on a group that has a link on this device. */
  #busy(device: string): boolean {
    return this.intent.desired.groups.some(
      (group) =>
        openCampaign(this.#parts.memory(), group.name) !== undefined &&
        group.links.some((link) => link.device === device),
    );
  }

  enrolment(): EnrolmentParts {
    const { world, vault, memory, intent } = this.#parts;
    const { desired, number } = intent;
    return { world, desired, intent: number, lookout: this.lookout, vault, memory };
  }

  /** Why the links of a group that want a key get none. */
  waiting(group: string): Waiting | undefined {
    return this.#waiting.get(group);
  }

  /** The last failure of an effect on this group or its devices. */
  troubles(group: DesiredGroup): readonly LinksealError[] {
    const devices = [...new Set(group.links.map((link) => link.device))];
    return [
      this.#conductors.get(group.name)?.trouble,
      ...devices.map((device) => this.trouble(device)),
    ].filter((error) => error !== undefined);
  }

  /** The last failure of an effect of the device's own loop. */
  trouble(device: string): LinksealError | undefined {
    return this.#reconcilers.get(device)?.trouble;
  }

  /**
   * Runs until `stop` (between turns) or `kill` (anywhere). A broken invariant rejects: the process
   * ends, which is safe because nothing is done by stopping (P4).
   */
  async run(stop: AbortSignal, kill: AbortSignal): Promise<void> {
    const { health } = this.intent.desired;
    const turns: (() => Promise<number>)[] = [
      ...[...this.#reconcilers.values()].map((reconciler) => async () => {
        await reconciler.turn(kill);
        this.#parts.judge();
        return health.pollMs;
      }),
      ...this.intent.desired.groups.map(
        (group) => () => this.#parts.turns.take(group.name, () => this.#groupTurn(group, kill)),
      ),
    ];
    await Promise.all(turns.map((turn) => this.#loop(turn, stop)));
    await this.lookout.close();
  }

  async #loop(turn: () => Promise<number>, stop: AbortSignal): Promise<void> {
    const { clock } = this.#parts.world;
    while (!stop.aborted) {
      const waitMs = await turn();
      if (waitMs <= 0) continue;
      try {
        await clock.sleep(waitMs, stop);
      } catch (error) {
        if (!stop.aborted) throw error;
      }
    }
  }

  async #groupTurn(group: DesiredGroup, signal: AbortSignal): Promise<number> {
    const { memory, readOnly, judge } = this.#parts;
    const { pollMs } = this.intent.desired.health;
    if (readOnly()) return pollMs;
    const campaign = openCampaign(memory(), group.name);
    const conductor = this.#conductors.get(group.name);
    if (campaign !== undefined && conductor !== undefined) {
      const waitMs = await conductor.turn(campaign, signal);
      judge();
      return waitMs;
    }
    await this.#startWanted(group, signal);
    return pollMs;
  }

  /** Level-triggered: what the accepted intent demands and no look shows is begun. */
  async #startWanted(group: DesiredGroup, signal: AbortSignal): Promise<void> {
    const now = this.#parts.world.clock.now();
    const retry = this.#vaultRetry.get(group.name);
    if (retry !== undefined && now < retry.at) return;
    try {
      await this.begin(group, undefined, signal);
      this.#vaultRetry.delete(group.name);
    } catch (error) {
      if (!(error instanceof LinksealError)) throw error;
      const waitMs = Math.min(vaultWaitMs.most, 2 * (retry?.waitMs ?? vaultWaitMs.least / 2));
      this.#vaultRetry.set(group.name, { at: now + waitMs, waitMs });
      const { code, message, next } = error;
      this.#wait(group, { code, refusal: code, text: message, next });
    }
  }

  #wait(group: DesiredGroup, waiting: Waiting): void {
    if (this.#waiting.get(group.name)?.text !== waiting.text) {
      this.#parts.world.log.write("warn", waiting.code, waiting.text, { group: group.name });
    }
    this.#waiting.set(group.name, waiting);
  }

  /**
   * Begins an enrolment if one is wanted or asked for; journals it before anything else happens.
   */
  async begin(
    group: DesiredGroup,
    asked: Asked | undefined,
    signal: AbortSignal,
  ): Promise<Campaign | undefined> {
    const beginning = await beginEnrolment(
      this.enrolment(),
      group,
      asked,
      this.#acceptsRisk,
      signal,
    );
    switch (beginning.kind) {
      case "nothing":
        this.#waiting.delete(group.name);
        return undefined;
      case "waiting":
        this.#wait(group, beginning.waiting);
        return undefined;
      case "begin":
        this.#waiting.delete(group.name);
        await this.#parts.write({ kind: "campaign", campaign: beginning.campaign });
        return beginning.campaign;
    }
  }

  link(id: string): DesiredLink | undefined {
    return this.intent.desired.groups
      .flatMap((group) => group.links)
      .find((link) => linkId(link) === id);
  }
}
