// The effects of a campaign on one link: each named by its goal, each journaled before it runs.

import { withDeadline } from "#hal/deadline.ts";
import type { DeviceChange, KeyResolver, Transaction } from "#hal/device.ts";
import { LinksealError } from "#hal/error.ts";
import { type Instant, instantAfter, type World } from "#hal/world.ts";
import { type Desired, type DesiredGroup, type DesiredLink, linkId } from "../desired.ts";
import type { JournalRecord } from "../journal/memory.ts";
import type { Lookout } from "../lookout.ts";
import type { Action, CampaignLink, Facts, PortFacts } from "./campaign.ts";

export interface EffectParts {
  readonly world: World;
  readonly desired: Desired;
  readonly group: DesiredGroup;
  readonly lookout: Lookout;
  readonly keys: (signal: AbortSignal) => KeyResolver;
  readonly write: (record: JournalRecord) => Promise<void>;
  /**
   * By `group/link`: until when a put whose end was not seen may still land; outlives the
   * conductor.
   */
  readonly graces: Map<string, Instant>;
}

const effectMsMax = 90_000;
const discardMsMax = 10_000;
const probeExtra = 5;
/** A change that is still there after this long counts as kept. */
const keptMs = 60_000;

export class Effects {
  readonly #parts: EffectParts;
  #prepared: Transaction | undefined;
  #refused: string | undefined;
  /** The last change that the router accepted, until looks have judged it. */
  #accepted: { readonly what: "drain" | "replace"; readonly at: Instant } | undefined;
  #lostCommits = 0;

  constructor(parts: EffectParts) {
    this.#parts = parts;
  }

  get lostCommits(): number {
    return this.#lostCommits;
  }

  /** What failed before is tried again. */
  forgetFailures(): void {
    this.#refused = undefined;
    this.#lostCommits = 0;
  }

  replacement(): Facts["replacement"] {
    if (this.#refused !== undefined) return { kind: "refused", text: this.#refused };
    return { kind: this.#prepared === undefined ? "absent" : "valid" };
  }

  /** A reply is no fact: an accepted commit that a look does not show was lost. */
  judge(link: DesiredLink, port: PortFacts | undefined, now: Instant): LinksealError | undefined {
    const accepted = this.#accepted;
    if (accepted === undefined || port === undefined) return undefined;
    const { what, at } = accepted;
    const lost = what === "replace" ? port.keys === "none" : port.drain === "off";
    if (lost || now - at > keptMs) this.#accepted = undefined;
    if (!lost) return undefined;
    this.#lostCommits += 1;
    const name = what === "replace" ? "new key" : "drain";
    return commitLost(link.device, `the ${name} of ${link.port}`, now - at, this.#parts.group.name);
  }

  /** Runs one effect; throws with what it may have done. */
  async run(
    action: Action,
    link: DesiredLink,
    entry: CampaignLink,
    signal: AbortSignal,
  ): Promise<void> {
    switch (action.kind) {
      case "drain":
      case "restore":
        return await this.#traffic(action.kind, link, signal);
      case "prepare":
        return await this.#prepare(link, entry, signal);
      case "replace":
        return await this.#replace(link, signal);
      case "putNew":
        return await this.#put(link, entry, signal);
      case "probe": {
        const { lookout, desired } = this.#parts;
        return await lookout.probe(link, desired.rotation.proofFrames + probeExtra, signal);
      }
    }
  }

  async #traffic(kind: "drain" | "restore", link: DesiredLink, signal: AbortSignal): Promise<void> {
    const { group } = this.#parts;
    await this.#discardPrepared(link, signal);
    const change: DeviceChange = [{ kind: `port.${kind}`, port: link.port, means: group.drain }];
    const transaction = await this.#bounded(link.device, "unknown", signal, async (bounded) => {
      const device = await this.#parts.lookout.device(link.device, bounded);
      return await device.prepare(change, this.#parts.keys(bounded), bounded);
    });
    await this.#apply(link, transaction, kind, signal);
    const at = this.#parts.world.clock.now();
    this.#accepted = kind === "drain" ? { what: kind, at } : undefined;
  }

  async #apply(
    link: DesiredLink,
    transaction: Transaction,
    what: string,
    signal: AbortSignal,
  ): Promise<void> {
    await this.#parts.write({ kind: "effect", place: link.device, what, token: transaction.token });
    await this.#bounded(link.device, "unknown", signal, (bounded) =>
      transaction.apply("final", bounded),
    );
  }

  /**
   * Validates the replacement on the candidate; a refusal of the router is a fact, not an error.
   */
  async #prepare(link: DesiredLink, entry: CampaignLink, signal: AbortSignal): Promise<void> {
    const change: DeviceChange = [
      { kind: "macsec.protect", port: link.port, settings: link.settings },
      { kind: "macsec.addKey", port: link.port, key: entry.key, role: "primary" },
    ];
    try {
      const transaction = await this.#bounded(link.device, "none", signal, async (bounded) => {
        const device = await this.#parts.lookout.device(link.device, bounded);
        return await device.prepare(change, this.#parts.keys(bounded), bounded);
      });
      this.#prepared = transaction;
    } catch (error) {
      const final = error instanceof LinksealError && isRefusal(error);
      if (!final) throw error;
      this.#refused = error.message;
      this.#parts.world.log.write("warn", error.code, error.message, { device: link.device });
    }
  }

  /** A candidate that waits for the far end must not lock out what gives traffic back. */
  async #discardPrepared(link: DesiredLink, signal: AbortSignal): Promise<void> {
    const prepared = this.#prepared;
    this.#prepared = undefined;
    if (prepared === undefined) return;
    const { clock, log } = this.#parts.world;
    const limit = { ms: discardMsMax, where: link.device, effect: "none" } as const;
    try {
      await withDeadline(clock, limit, signal, (bounded) => prepared.rollback(bounded));
    } catch (error) {
      // Whatever became of the candidate, the traffic does not wait for it.
      if (!(error instanceof LinksealError)) throw error;
      log.write("warn", error.code, error.message, { device: link.device });
    }
  }

  async #replace(link: DesiredLink, signal: AbortSignal): Promise<void> {
    const prepared = this.#prepared;
    if (prepared === undefined) return;
    this.#prepared = undefined;
    await this.#apply(link, prepared, "replace", signal);
    this.#accepted = { what: "replace", at: this.#parts.world.clock.now() };
  }

  async #put(link: DesiredLink, entry: CampaignLink, signal: AbortSignal): Promise<void> {
    const { lookout, write, desired, world } = this.#parts;
    const place = `${linkId(link)} far end`;
    await write({ kind: "effect", place, what: "putNew", token: entry.key.ckn });
    // Until the operation is seen to end, a lost put may still land (design section 5, `putGrace`).
    const until = instantAfter(world.clock.now(), desired.rotation.putGraceMs);
    this.#parts.graces.set(linkId(link), until);
    const sci = link.settings.includeSci ? "on" : "off";
    const want = { key: entry.key, suite: link.settings.suite, sci, admin: "up" } as const;
    const accepted = async (operation: string): Promise<void> => {
      await write({ kind: "operation", link: linkId(link), operation });
    };
    await this.#bounded(place, "unknown", signal, (bounded) =>
      lookout.peerPort(link).put(want, accepted, bounded),
    );
    this.#parts.graces.delete(linkId(link));
  }

  async #bounded<T>(
    where: string,
    effect: "none" | "unknown",
    signal: AbortSignal,
    f: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    return await withDeadline(
      this.#parts.world.clock,
      { ms: effectMsMax, where, effect },
      signal,
      f,
    );
  }
}

function isRefusal(error: LinksealError): boolean {
  return error.code === "device.rejected" || error.code === "device.unsupported";
}

/** What the router took and, as a later look shows, does not hold any more. */
export function commitLost(
  device: string,
  what: string,
  afterMs: number,
  group: string | undefined,
): LinksealError {
  const seconds = Math.round(afterMs / 1000);
  const text = `${device} accepted ${what} ${seconds} s ago and no longer holds it`;
  const next = group === undefined ? "linkseal plan" : `linkseal rotation show ${group}`;
  return new LinksealError("device.commitExpired", text, { effect: "none", where: device, next });
}
