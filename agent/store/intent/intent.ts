// Accepted configs: numbered texts and one index; only the newest is in force.

// Only `createHash` is imported, which is a pure function.
import { createHash } from "node:crypto";
import { LinksealError } from "#hal/error.ts";
import { decodeJson } from "#hal/json.ts";
import type { Disk, WallTime } from "#hal/world.ts";
import {
  formatComplaint,
  type ParsedConfig,
  parseConfig,
  parseInForce,
} from "../../config/index.ts";
import type { Desired } from "../../model/desired.ts";
import { unifiedDiff } from "./line-diff.ts";

/** The content of a text's file after the text was dropped; no config is empty. */
const dropped = "";

/** An accepted config without its text. */
export interface IntentEntry {
  /** Counts from 1 without gaps; a roll back gets a new number too. */
  readonly number: number;
  /** SHA-256 of the text's octets, in lower-case hex. */
  readonly sha256: string;
  /** The socket or program that accepted it. */
  readonly who: string;
  /** When it was accepted. */
  readonly at: WallTime;
}

/** An accepted config with its text. */
export interface Intent extends IntentEntry {
  /** The text as it was accepted. */
  readonly text: string;
  /** The desired state, as this version reads the text. */
  readonly desired: Desired;
}

const indexName = "intent/index.json";
/**
 * Texts that are kept have so many characters together, in memory and on the disk: an administrator
 * who applies configs without end must not use up either. It is thousands of configs of a pair of
 * links, and sixteen of the longest ones.
 */
const keptLengthMax = 16_000_000;

/**
 * Stores accepted configs. The text is written first and the index last, so that a crash in between
 * leaves the old intent in force. Damage never looks like "no intent" or an older one: `current`
 * throws, and nothing is changed.
 */
export class IntentStore {
  readonly #disk: Disk;
  /** Why none can be accepted either: the newest number is unknown. undefined = it is known. */
  readonly damage: LinksealError | undefined;
  #entries: readonly IntentEntry[];
  readonly #texts: Map<number, string>;
  /** Older configs, once they were asked for. */
  readonly #read = new Map<number, Desired | undefined>();
  #current: Intent | LinksealError | undefined;
  #accepting: Promise<unknown> = Promise.resolve();

  private constructor(
    disk: Disk,
    entries: readonly IntentEntry[],
    texts: Map<number, string>,
    current: Intent | LinksealError | undefined,
    damage: LinksealError | undefined,
  ) {
    this.#disk = disk;
    this.#entries = entries;
    this.#texts = texts;
    this.#current = current;
    this.damage = damage;
  }

  /**
   * Opens the store. Damage is no error here: `current` or `text` throws when it is needed.
   * `known`: number of the newest config that audit log or journal know; an index that has fewer
   * was lost or is an old copy, and `current` throws until a config is accepted anew.
   */
  static async open(disk: Disk, known = 0): Promise<IntentStore> {
    try {
      return await IntentStore.#opened(disk, known);
    } catch (error) {
      if (!(error instanceof LinksealError) || error.code !== "journal.corrupt") throw error;
      return new IntentStore(disk, [], new Map(), error, error);
    }
  }

  /** @throws LinksealError with `journal.corrupt` for a damaged index */
  static async #opened(disk: Disk, known: number): Promise<IntentStore> {
    const entries = parseIndex(await readText(disk, indexName));
    const texts = new Map<number, string>();
    for (const { number } of entries) {
      const text = await readText(disk, textName(number));
      if (text !== undefined) texts.set(number, text);
    }
    // A crash leaves one text more than the index lists; two more mean that the index is an old
    // copy.
    const beyond = textName(entries.length + 2);
    if ((await disk.read(beyond)) !== undefined) throw corruptIndex(`lacks ${beyond}`);
    const current = entries.length < known ? lost(entries, known) : newest(entries, texts);
    return new IntentStore(disk, entries, texts, current, undefined);
  }

  /**
   * Returns the intent in force; undefined = none was ever accepted. After an error nothing may be
   * changed.
   * @throws LinksealError with `journal.corrupt` if the newest text is not what was accepted, or
   * the index lacks it; `config.invalid` if this version refuses it
   */
  current(): Intent | undefined {
    if (this.#current instanceof LinksealError) throw this.#current;
    return this.#current;
  }

  /**
   * Makes a text the intent in force; durable when it resolves. After a failed write the old intent
   * stays in force, or the effect is "unknown": then a restart may find either. `after`: number of
   * the config that must be in force; absent = any.
   * @throws LinksealError with `config.invalid` if the text is refused, `gate.planChanged` if
   * another config is in force, `journal.full`, or `damage`
   */
  accept(text: string, who: string, at: WallTime, after?: number): Promise<Intent> {
    const next = this.#accepting.then(() => {
      if (after !== undefined && after !== this.#entries.at(-1)?.number) throw overtaken(after);
      return this.#accept(text, who, at);
    });
    this.#accepting = next.catch(() => undefined);
    return next;
  }

  /**
   * Accepts an old text again under a new number.
   * @throws LinksealError as `accept`, or with `usage` for a number that does not exist
   */
  async rollback(number: number, who: string, at: WallTime): Promise<Intent> {
    return await this.accept(this.#existing(number), who, at);
  }

  /**
   * Drops the oldest texts while there are too many; numbers, times and hashes stay. `inUse`:
   * numbers of which links, tunnels or campaigns still need the text; these stay too.
   * @throws LinksealError with `journal.full`: the texts that are left are dropped another time
   */
  async dropOld(inUse: ReadonlySet<number>): Promise<void> {
    const lengths = [...this.#texts].map(([number, text]) => ({ number, length: text.length }));
    let excess = lengths.reduce((sum, { length }) => sum + length, 0) - keptLengthMax;
    for (const { number, length } of lengths.slice(0, -2)) {
      if (excess <= 0) return;
      if (length === 0 || inUse.has(number)) continue;
      await this.#disk.replace(textName(number), new Uint8Array());
      this.#texts.set(number, dropped);
      this.#read.delete(number);
      excess -= length;
    }
  }

  /** Returns all accepted configs, the oldest first. */
  history(): readonly IntentEntry[] {
    return this.#entries;
  }

  /**
   * Returns the text of a number; undefined = there is none.
   * @throws LinksealError with `journal.corrupt` if the text was damaged, or with `usage` if it was
   *   dropped
   */
  text(number: number): string | undefined {
    const entry = this.#entries.find((candidate) => candidate.number === number);
    if (entry === undefined) return undefined;
    if (this.#texts.get(number) === dropped) throw noLonger(entry);
    return intactText(entry, this.#texts);
  }

  /**
   * Returns what a number means in this version; undefined = this version refuses it, or it cannot
   * be read.
   */
  desired(number: number): Desired | undefined {
    if (this.#current !== undefined && !(this.#current instanceof LinksealError)) {
      if (this.#current.number === number) return this.#current.desired;
    }
    if (!this.#read.has(number)) this.#read.set(number, this.#parsed(number));
    return this.#read.get(number);
  }

  #parsed(number: number): Desired | undefined {
    try {
      return desiredInForce(this.#existing(number), textName(number));
    } catch (error) {
      if (!(error instanceof LinksealError)) throw error;
      return undefined;
    }
  }

  /**
   * Returns the unified difference of two accepted texts; "" if they are equal.
   * @throws LinksealError with `usage` or `journal.corrupt`
   */
  diff(from: number, to: number): string {
    const [a, b] = [this.#existing(from), this.#existing(to)];
    return unifiedDiff(textName(from), a, textName(to), b);
  }

  #existing(number: number): string {
    const text = this.text(number);
    if (text !== undefined) return text;
    const next = "linkseal config history";
    const details = { effect: "none", where: "intent", next } as const;
    throw new LinksealError("usage", `there is no accepted intent ${number}`, details);
  }

  async #accept(text: string, who: string, at: WallTime): Promise<Intent> {
    if (this.damage !== undefined) throw this.damage;
    const number = (this.#entries.at(-1)?.number ?? 0) + 1;
    const name = textName(number);
    const desired = desiredOf(parseConfig(text, name), name);
    const entry: IntentEntry = { number, sha256: sha256(text), who, at };
    await this.#disk.replace(name, new TextEncoder().encode(text));
    // A disk that stores another text is detected now, while the old intent is still in force.
    if ((await readText(this.#disk, name)) !== text) throw corrupt(name, "reads back differently");
    const entries = [...this.#entries, entry];
    await this.#replaceIndex(renderIndex(entries));
    this.#entries = entries;
    this.#texts.set(number, text);
    const intent = { ...entry, text, desired };
    this.#current = intent;
    return intent;
  }

  async #replaceIndex(text: string): Promise<void> {
    try {
      await this.#disk.replace(indexName, new TextEncoder().encode(text));
    } catch (cause) {
      // The rename may have happened before the failure: a restart goes by the content of the file.
      const found = await readText(this.#disk, indexName).catch(() => cause);
      if (found === text) return;
      const untouched = found !== cause;
      throw new LinksealError("journal.full", "the new intent could not be stored", {
        effect: untouched ? "none" : "unknown",
        where: indexName,
        next: untouched ? "free space, then repeat linkseal apply" : "linkseal config history",
        cause,
      });
    }
  }
}

/**
 * Returns the intent in force as another process reads it, without the store; undefined = none was
 * ever accepted.
 * @throws LinksealError as `current`
 */
export async function acceptedIn(disk: Pick<Disk, "read">): Promise<Intent | undefined> {
  const entries = parseIndex(await readText(disk, indexName));
  const number = entries.at(-1)?.number;
  const text = number === undefined ? undefined : await readText(disk, textName(number));
  const texts = new Map(number === undefined || text === undefined ? [] : [[number, text]]);
  const found = newest(entries, texts);
  if (found instanceof LinksealError) throw found;
  return found;
}

function newest(
  entries: readonly IntentEntry[],
  texts: ReadonlyMap<number, string>,
): Intent | LinksealError | undefined {
  const entry = entries.at(-1);
  if (entry === undefined) return undefined;
  try {
    const text = intactText(entry, texts);
    return { ...entry, text, desired: desiredInForce(text, textName(entry.number)) };
  } catch (error) {
    if (error instanceof LinksealError) return error;
    throw error;
  }
}

const desiredInForce = (text: string, name: string): Desired =>
  desiredOf(parseInForce(text, name), name);

function desiredOf(parsed: ParsedConfig, name: string): Desired {
  if (parsed.kind === "ok") return parsed.desired;
  throw new LinksealError("config.invalid", parsed.complaints.map(formatComplaint).join("\n"), {
    effect: "none",
    where: name,
    next: "linkseal validate FILE",
  });
}

function intactText(entry: IntentEntry, texts: ReadonlyMap<number, string>): string {
  const text = texts.get(entry.number);
  const name = textName(entry.number);
  if (text === undefined) throw corrupt(name, "is missing");
  if (sha256(text) !== entry.sha256) throw corrupt(name, "is not the text that was accepted");
  return text;
}

function noLonger({ number, sha256: hash }: IntentEntry): LinksealError {
  const text = `the text of config ${number} is not kept any more; its SHA-256 is ${hash}`;
  const next = "linkseal config history";
  return new LinksealError("usage", text, { effect: "none", where: "intent", next });
}

function overtaken(after: number): LinksealError {
  const text = `config ${after} is not in force any more; nothing was stored`;
  const next = "linkseal config history";
  return new LinksealError("gate.planChanged", text, { effect: "none", where: "intent", next });
}

function corrupt(name: string, what: string): LinksealError {
  return new LinksealError("journal.corrupt", `${name} ${what}; nothing is changed because of it`, {
    effect: "none",
    where: name,
    next: "linkseal apply FILE",
  });
}

async function readText(disk: Pick<Disk, "read">, name: string): Promise<string | undefined> {
  const bytes = await disk.read(name);
  return bytes === undefined
    ? undefined
    : new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);
}

function textName(number: number): string {
  return `intent/${String(number).padStart(4, "0")}.yaml`;
}

function sha256(text: string): string {
  return createHash("sha256").update(text, "utf8").digest("hex");
}

function renderIndex(entries: readonly IntentEntry[]): string {
  const body = JSON.stringify(entries, null, 1);
  const index = { schema: "linkseal.intents/1", sha256: sha256(body), entries };
  return `${JSON.stringify(index, null, 1)}\n`;
}

// The index is intact if writing it again gives the same octets.
function parseIndex(text: string | undefined): readonly IntentEntry[] {
  if (text === undefined) return [];
  const entries = entriesOf(text);
  if (entries !== undefined && renderIndex(entries) === text) return entries;
  throw corruptIndex("is damaged");
}

function lost(entries: readonly IntentEntry[], known: number): LinksealError {
  const what = entries.length === 0 ? "lists no config" : `ends at config ${entries.length}`;
  const text = `${indexName} ${what}, and the agent's records know config ${known}`;
  return new LinksealError("journal.corrupt", `${text}; nothing is changed because of it`, {
    effect: "none",
    where: indexName,
    next: "restore the file and start the agent anew, or linkseal apply FILE",
  });
}

function corruptIndex(what: string): LinksealError {
  return new LinksealError("journal.corrupt", `${indexName} ${what}; nothing is changed`, {
    effect: "none",
    where: indexName,
    next: "restore the file, or move the intent folder away; start the agent anew, linkseal apply",
  });
}

function entriesOf(text: string): readonly IntentEntry[] | undefined {
  try {
    const index = decodeJson(text);
    const found = typeof index === "object" && index !== null && "entries" in index;
    if (!found || !Array.isArray(index.entries)) return undefined;
    return index.entries.every(isEntry) ? index.entries : undefined;
  } catch {
    return undefined;
  }
}

function isEntry(value: unknown, index: number): value is IntentEntry {
  if (typeof value !== "object" || value === null) return false;
  const entry: Partial<Record<keyof IntentEntry, unknown>> = value;
  return (
    entry.number === index + 1 &&
    typeof entry.sha256 === "string" &&
    typeof entry.who === "string" &&
    typeof entry.at === "number"
  );
}
