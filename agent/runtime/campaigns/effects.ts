// The effects of a campaign on one link: each named by its goal, each journaled before it runs.

import { withDeadline } from "#hal/deadline.ts";
import type {
  CommitMode,
  DeviceChange,
  KeyResolver,
  PortChange,
  Transaction,
  TransactionToken,
} from "#hal/device.ts";
import { LinksealError } from "#hal/error.ts";
import type { DrainMeans } from "#hal/model.ts";
import type { Instant, World } from "#hal/world.ts";
import {
  type ActionKind,
  type Campaign,
  entryOf,
  type Facts,
  type PortFacts,
  stagedBy,
} from "../../model/campaign.ts";
import { commitLost } from "../../model/commit-lost.ts";
import { type Desired, type DesiredGroup, type DesiredLink, linkId } from "../../model/desired.ts";
import { drainOf, observedLit } from "../../model/link-snapshot.ts";
import type { Cause } from "../../model/reason.ts";
import {
  type Direction,
  directionOf,
  type KeyAction,
  keyChange,
  purposeOf,
  replacementOf,
} from "../../rotation/key-change.ts";
import { harmOf } from "../../rotation/late.ts";
import { lostWhen, lostWords } from "../../rotation/lost.ts";
import type { JournalRecord } from "../../store/journal/memory.ts";
import type { DeviceCache } from "../polling/device-cache.ts";
import { unlessUndone, unlessUnwritable, writtenAfter } from "./after-effect.ts";

export interface EffectParts {
  readonly world: World;
  readonly desired: Desired;
  readonly group: DesiredGroup;
  readonly deviceCache: DeviceCache;
  readonly keys: (signal: AbortSignal) => KeyResolver;
  readonly write: (record: JournalRecord) => Promise<void>;
}

/** One effect on the link under way, as the record stands after its step was journaled. */
export interface Task {
  readonly action: ActionKind;
  readonly link: DesiredLink;
  readonly campaign: Campaign;
  /** The port as it was when the step was decided. */
  readonly port: PortFacts | undefined;
  /**
   * Throws, right before a write that takes the link away, what has changed since the observation.
   */
  readonly recheck: () => void;
  /** Observes again before a port is shut; throws if its dark link works again. */
  readonly observeAgain: (signal: AbortSignal) => Promise<void>;
  /** Whether it may run before it is in the journal. */
  readonly record: RecordNeed;
}

/**
 * Whether an effect waits for its record. `ifWritable`: a link whose sibling is lost gets its
 * traffic back on a disk that takes no write too (P2). A successor observes the drain anew.
 */
export type RecordNeed = "first" | "ifWritable";

/** What is written to a router: for the journal, and for what it might do later. */
interface Sent {
  readonly what: ActionKind;
  readonly within: number | "final";
  readonly change: DeviceChange;
}

type Applied = Pick<Task, "link" | "recheck" | "record"> & { readonly campaign?: Campaign };
type Late = NonNullable<Extract<JournalRecord, { kind: "effect" }>["late"]>;

const effectMsMax = 90_000;
const discardMsMax = 10_000;
const probeExtra = 5;
const expiring =
  "the session of the commit that waits has ended, and no other one can confirm it or take it " +
  "back: the device reverts it when its time is over";
const ended = "the commit waits no longer, so nothing was confirmed; what is in force is read next";
/** A change that is still there after this long counts as kept. */
const keptMs = 60_000;

export class Effects {
  readonly #parts: EffectParts;
  /** The change that is validated on the candidate, for a far end that moves first. */
  #prepared: { readonly what: string; readonly transaction: Transaction } | undefined;
  #refused: { readonly what: string; readonly cause: Cause } | undefined;
  /** The last change that the router accepted, until observations have judged it. */
  #accepted: { readonly what: ActionKind; readonly at: Instant } | undefined;
  #changedAt: Instant | undefined;
  #lostCommits = 0;

  constructor(parts: EffectParts) {
    this.#parts = parts;
  }

  get lostCommits(): number {
    return this.#lostCommits;
  }

  /** Returns true if the last change was accepted so lately that the router may still lose it. */
  mayLose(now: Instant): boolean {
    return this.#changedAt !== undefined && now - this.#changedAt <= keptMs;
  }

  /** Forgets refusals and lost commits, so that they are tried again. */
  forgetFailures(): void {
    this.#refused = undefined;
    this.#lostCommits = 0;
  }

  /** Returns the replacement on the candidate; one for another key or campaign counts as absent. */
  replacement(campaign: Campaign): Facts["replacement"] {
    const what = purposeOf(directionOf(campaign.state === "reverting"), campaign);
    if (this.#refused?.what === what) return { kind: "refused", cause: this.#refused.cause };
    return { kind: this.#prepared?.what === what ? "valid" : "absent" };
  }

  /** Returns the error of an accepted commit that an observation does not show, and so was lost. */
  judge(link: DesiredLink, port: PortFacts | undefined, now: Instant): LinksealError | undefined {
    const accepted = this.#accepted;
    if (accepted === undefined || port === undefined) return undefined;
    const { what, at } = accepted;
    const lost = lostWhen[what]?.(port) === true;
    if (lost || now - at > keptMs) this.#accepted = undefined;
    if (!lost) return undefined;
    this.#lostCommits += 1;
    const text = `the ${lostWords[what] ?? "new key"} of ${link.port}`;
    return commitLost(link.device, text, now - at, this.#parts.group.name);
  }

  /** Runs one effect; throws a LinksealError with the effect that it may have had. */
  async run(task: Task, signal: AbortSignal): Promise<void> {
    const { action, link } = task;
    switch (action) {
      case "drain":
      case "restore":
        return await this.traffic(action, task, signal);
      case "stage":
      case "add":
      case "promote":
      case "removeOld":
      case "removeNew":
        return await this.#changeKeys(action, task, signal);
      case "confirm":
      case "rollBack":
        return await this.#settle(action, task, signal);
      case "prepare":
      case "prepareBack":
        return await this.#prepare(directionOf(action === "prepareBack"), task, signal);
      case "replace":
      case "replaceBack":
        return await this.#replace(task, signal);
      case "putNew":
      case "putOld":
        return await this.#put(task, signal);
      case "rekeySak":
        return await this.#rekeySak(task, signal);
      case "renewSak": {
        const part = { kind: "macsec.rekeySak", port: link.port } as const;
        await this.#final(action, task, part, signal);
        return this.#parts.deviceCache.askedSaks.add(link, this.#parts.world.clock.now());
      }
      case "open":
        return await this.#final(action, task, { kind: "port.open", port: link.port }, signal);
      case "probe": {
        const { deviceCache, desired } = this.#parts;
        const frames = desired.rotation.proofFrames + probeExtra;
        return await deviceCache.probe(link, frames, signal);
      }
    }
  }

  /** Moves the traffic of a link away or back; does nothing if the group does not drain. */
  async traffic(kind: "drain" | "restore", task: Applied, signal: AbortSignal): Promise<void> {
    const { drain: means } = this.#parts.group;
    if (means === "none") return;
    const { port } = task.link;
    await this.#final(kind, task, { kind: `port.${kind}`, port, means }, signal);
  }

  /** Undoes what an observation has shown: a drain by any means, or a shut port. */
  async giveBack(
    link: DesiredLink,
    taken: DrainMeans | "shut",
    record: RecordNeed,
    signal: AbortSignal,
  ): Promise<void> {
    const { port } = link;
    const task = { link, recheck: () => undefined, record };
    if (taken === "shut") {
      return await this.#final("open", task, { kind: "port.open", port }, signal);
    }
    await this.#final("restore", task, { kind: "port.restore", port, means: taken }, signal);
  }

  /** Beside each other on the router: the new key joins, leads, or one of the two leaves. */
  async #changeKeys(action: KeyAction, task: Task, signal: AbortSignal): Promise<void> {
    const { link, campaign } = task;
    const change = this.#opening(link, keyChange(action, task));
    await this.#shutFirst(task, signal);
    let transaction: Transaction;
    try {
      transaction = await this.#validate(link, change, signal);
    } catch (error) {
      if (action !== "stage" && action !== "add") throw error;
      this.#noteRefusal(error, purposeOf("forward", campaign), link);
      return;
    }
    const within = await this.#orDiscard(transaction, link, signal, async () => {
      if (action !== "stage") return "final";
      const { token } = transaction;
      const ms = await this.#within(link, signal);
      const tokens = { token, earlierToken: campaign.token };
      await this.#parts.write({ kind: "campaign", campaign: { ...campaign, ...tokens } });
      return ms;
    });
    // Where the port was shut for it, the link was taken already, unless its router undid that.
    const recheck = (): void => {
      const isOpen = observedLit(this.#parts.deviceCache.snapshot(link), this.#changedAt);
      if (isOpen || !this.#shutsFirst(link)) task.recheck();
    };
    const what = { what: action, within, change };
    await this.#apply({ ...task, recheck }, transaction, what, signal);
  }

  async #within(link: DesiredLink, signal: AbortSignal): Promise<number | "final"> {
    const { deviceCache, desired } = this.#parts;
    const device = await deviceCache.device(link.device, signal);
    return withinOf(device.capabilities.commit, desired.rotation.confirmMs);
  }

  /**
   * Only what the device itself still holds is settled: its timer may have been faster, and a
   * commit that waits no longer was not confirmed by that.
   */
  async #settle(action: "confirm" | "rollBack", task: Task, signal: AbortSignal): Promise<void> {
    const { link, campaign } = task;
    await this.#bounded(link.device, "unknown", signal, async (bounded) => {
      const device = await this.#parts.deviceCache.device(link.device, bounded);
      for (const token of stagedBy(campaign)) {
        const recalled = await device.recall(token as TransactionToken, bounded);
        if (recalled.kind === "absent") continue;
        if (recalled.kind === "expiring") throw this.#notSettled("device.locked", expiring, link);
        const { transaction: held } = recalled;
        return await (action === "confirm" ? held.confirm(bounded) : held.rollback(bounded));
      }
      if (action === "confirm") throw this.#notSettled("device.commitExpired", ended, link);
    });
    // A change that is taken back on purpose is not lost.
    if (action === "rollBack") this.#accepted = undefined;
  }

  #notSettled(
    code: "device.locked" | "device.commitExpired",
    text: string,
    { device: where }: DesiredLink,
  ): LinksealError {
    const next = `linkseal rotation show ${this.#parts.group.name}`;
    return new LinksealError(code, text, { effect: "none", where, next });
  }

  /** A change that arms no timer. */
  async #final(
    action: ActionKind,
    { link, recheck, record }: Applied,
    part: PortChange,
    signal: AbortSignal,
  ): Promise<void> {
    await this.#discardPrepared(link, signal);
    const change = [part];
    const transaction = await this.#validate(link, change, signal);
    const what = { what: action, within: "final", change } as const;
    await this.#apply({ link, recheck, record }, transaction, what, signal);
  }

  async #validate(
    link: DesiredLink,
    change: DeviceChange,
    signal: AbortSignal,
  ): Promise<Transaction> {
    return await this.#bounded(link.device, "none", signal, async (bounded) => {
      const device = await this.#parts.deviceCache.device(link.device, bounded);
      return await device.prepare(change, this.#parts.keys(bounded), bounded);
    });
  }

  async #apply(
    task: Applied,
    transaction: Transaction,
    { what, within, change }: Sent,
    signal: AbortSignal,
  ): Promise<void> {
    const { world } = this.#parts;
    const { link, recheck, record } = task;
    const write = record === "first" ? this.#parts.write : this.#writeIfWritable;
    const { token } = transaction;
    const place = link.device;
    const late = within === "final" ? this.#lateOf(task, change) : undefined;
    await this.#orDiscard(transaction, link, signal, () =>
      write({ kind: "effect", place, what, token, ...(late !== undefined && { late }) }),
    );
    let begun = world.clock.now();
    const settle = async (): Promise<void> => {
      if (late !== undefined) await write({ kind: "settled", link: late.link, token });
    };
    await unlessUndone(settle, async () => {
      // Validation and journal take their time.
      await this.#orDiscard(transaction, link, signal, async () => recheck());
      begun = world.clock.now();
      await this.#bounded(place, "unknown", signal, (bounded) =>
        transaction.apply(within, bounded),
      );
    });
    const at = world.clock.now();
    this.#changedAt = at;
    this.#accepted = lostWhen[what] === undefined ? undefined : { what, at };
    await writtenAfter(place, async () => {
      await settle();
      await write({ kind: "measured", what: `commit ${place}`, ms: at - begun });
    });
  }

  readonly #writeIfWritable = async (record: JournalRecord): Promise<void> => {
    const { write, world, group } = this.#parts;
    await unlessUnwritable(
      () => write(record),
      ({ code, message }) => world.log.write("warn", code, message, { group: group.name }),
    );
  };

  /** Returns how this change would harm its link if it were carried out late; undefined = not. */
  #lateOf({ link, campaign }: Applied, change: DeviceChange): Late | undefined {
    const { world, deviceCache } = this.#parts;
    const harm = harmOf(change, campaign === undefined ? undefined : entryOf(campaign));
    if (harm === undefined) return undefined;
    const { state } = deviceCache.snapshot(link);
    const isOn = harm.what === "drain" && state !== undefined && drainOf(state, link.port) === "on";
    const since = world.clock.wall();
    return { link: linkId(link), ...harm, since, ...(isOn && { hidden: true }) };
  }

  /** A port that was shut and opened makes a SAK of its own, where none can be asked for. */
  async #rekeySak({ link, recheck, record }: Task, signal: AbortSignal): Promise<void> {
    const { port } = link;
    const task = { link, recheck, record };
    const { capabilities } = await this.#parts.deviceCache.device(link.device, signal);
    if (capabilities.macsec?.freshSak === true) {
      const isMade = await this.#final("rekeySak", task, { kind: "macsec.rekeySak", port }, signal)
        .then(() => true)
        .catch(notTheServer);
      if (isMade) return;
    }
    await this.#final("rekeySak", task, { kind: "port.shut", port }, signal);
    // The link was taken with the first half: nothing may keep the second one back.
    const second = { link, recheck: () => undefined, record };
    await this.#final("open", second, { kind: "port.open", port }, signal);
  }

  #shutsFirst(link: DesiredLink): boolean {
    const device = this.#parts.desired.devices.find(({ name }) => name === link.device);
    return device?.quirks.includes("shutBeforeKeyChange") === true;
  }

  async #shutFirst(task: Task, signal: AbortSignal): Promise<void> {
    const { link } = task;
    if (!this.#shutsFirst(link)) return;
    await this.#discardPrepared(link, signal);
    const change: DeviceChange = [{ kind: "port.shut", port: link.port }];
    const transaction = await this.#validate(link, change, signal);
    await this.#orDiscard(transaction, link, signal, () => task.observeAgain(signal));
    const what = { what: "open", within: "final", change } as const;
    await this.#apply(task, transaction, what, signal);
  }

  /** The change of a key opens the port that was shut for it, in one commit. */
  #opening(link: DesiredLink, change: DeviceChange): DeviceChange {
    return this.#shutsFirst(link) ? [...change, { kind: "port.open", port: link.port }] : change;
  }

  /**
   * Validates the replacement on the candidate; a refusal of the router is a fact, not an error.
   */
  async #prepare(direction: Direction, { link, campaign }: Task, signal: AbortSignal) {
    await this.#discardPrepared(link, signal);
    const change = this.#opening(link, replacementOf(direction, link, campaign));
    try {
      const transaction = await this.#validate(link, change, signal);
      this.#prepared = { what: purposeOf(direction, campaign), transaction };
    } catch (error) {
      this.#noteRefusal(error, purposeOf(direction, campaign), link);
    }
  }

  #noteRefusal(error: unknown, what: string, link: DesiredLink): void {
    if (!(error instanceof LinksealError) || !isRefusal(error)) throw error;
    const { code, message: text } = error;
    this.#refused = { what, cause: { code: "router.refuses", error: code, text } };
    this.#parts.world.log.write("warn", error.code, error.message, { device: link.device });
  }

  /** A candidate that waits for the far end must not lock out what gives traffic back. */
  async #discardPrepared(link: DesiredLink, signal: AbortSignal): Promise<void> {
    const prepared = this.#prepared?.transaction;
    this.#prepared = undefined;
    if (prepared !== undefined) await this.#discard(prepared, link, signal);
  }

  /** Discards a transaction that is not applied after all, so that it does not wait. */
  async #orDiscard<T>(
    transaction: Transaction,
    link: DesiredLink,
    signal: AbortSignal,
    f: () => Promise<T>,
  ): Promise<T> {
    try {
      return await f();
    } catch (error) {
      await this.#discard(transaction, link, signal);
      throw error;
    }
  }

  async #discard(transaction: Transaction, link: DesiredLink, signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#parts.world;
    const limit = { ms: discardMsMax, where: link.device, effect: "none" } as const;
    try {
      await withDeadline(clock, limit, signal, (bounded) => transaction.rollback(bounded));
    } catch (error) {
      // Whatever became of the candidate, the traffic does not wait for it.
      if (!(error instanceof LinksealError)) throw error;
      log.write("warn", error.code, error.message, { device: link.device });
    }
  }

  async #replace(task: Task, signal: AbortSignal): Promise<void> {
    const { link, action, campaign } = task;
    const direction = directionOf(action === "replaceBack");
    if (this.#prepared?.what !== purposeOf(direction, campaign)) return;
    // A shut port changes the configuration under the candidate, which is then made anew.
    if (this.#shutsFirst(link)) {
      await this.#shutFirst(task, signal);
      await this.#prepare(direction, task, signal);
    }
    const transaction = this.#prepared?.transaction;
    this.#prepared = undefined;
    if (transaction === undefined) return;
    const change = replacementOf(direction, link, campaign);
    const what = { what: action, within: "final", change } as const;
    await this.#apply(task, transaction, what, signal);
  }

  async #put({ action, link, campaign, recheck }: Task, signal: AbortSignal): Promise<void> {
    const { deviceCache, write } = this.#parts;
    const entry = entryOf(campaign);
    const { key, settings } = (action === "putOld" ? entry.old : undefined) ?? entry.new;
    const place = `${linkId(link)} far end`;
    await write({ kind: "effect", place, what: action, token: key.cakSecretId });
    recheck();
    const sci = settings.includeSci ? "on" : "off";
    // Any other key was put there by another client since the observation, and stays.
    const over = [entry.old?.key, entry.new.key];
    const want = { key, suite: settings.suite, sci, admin: "up", over } as const;
    const accepted = async (operation: string): Promise<void> => {
      const record = { kind: "operation", link: linkId(link), operation } as const;
      await writtenAfter(place, () => write(record));
    };
    await this.#bounded(place, "unknown", signal, (bounded) =>
      deviceCache.peerPort(link).put(want, accepted, bounded),
    );
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

/** Returns how many milliseconds a commit may wait for its confirmation; `final` = for none. */
export function withinOf(mode: CommitMode, confirmMs: number): number | "final" {
  switch (mode.kind) {
    case "confirmed":
      return Math.min(confirmMs, mode.maxMs);
    case "armedRevert":
      return confirmMs;
    case "immediate":
      return "final";
  }
}

function isRefusal(error: LinksealError): boolean {
  return error.code === "device.rejected" || error.code === "device.unsupported";
}

/** The far end makes the SAKs of this link: none can be asked for here. */
function notTheServer(error: unknown): false {
  if (!(error instanceof LinksealError)) throw error;
  if (error.code !== "device.unsupported" || error.effect !== "none") throw error;
  return false;
}
