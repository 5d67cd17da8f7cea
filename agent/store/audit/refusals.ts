// Counts requests without effect: one record per socket, user and minute, however many they are,
// written after all other records.

import type { Instant } from "#hal/world.ts";
import { type Client, clientText, unknownClient } from "../../model/client.ts";
import type { Change } from "./record.ts";

/** How long one record counts, in milliseconds. */
const refusalsMs = 60_000;
/** Kinds that a record lists by name, the most frequent first. */
const kindsMax = 6;
/**
 * Users whom a socket's counts name at one time; requests of further users share one count, because
 * a process with a user namespace can be thousands of users.
 */
const usersMax = 4;
/** Characters of the subject of a count: it is a name that a client chose. */
const aboutMax = 100;

/** A request that had no effect. */
export interface Refusal {
  /** Who sent it. */
  readonly client: Client;
  /** The verb and why it had no effect, such as `drain: refused: usage`. */
  readonly text: string;
  /** The subject of the request. */
  readonly about: string;
}

interface Count {
  readonly when: number;
  readonly begun: Instant;
  last: Instant;
  about: string;
  client: Client;
  /** Words about whose requests they are; empty = those of `client`. */
  readonly whose: string;
  readonly kinds: Map<string, number>;
}

/** The counts of all sockets and users. */
export class Refusals {
  readonly #counts = new Map<string, Count>();
  #isEnding = false;
  /** A finished count that is not in the log yet. */
  #due: Change | undefined;

  /** Counts a request; `due` = the record of its count has to be written now. */
  add({ client, text, about: whole }: Refusal, now: Instant, wall: number): "counted" | "due" {
    const about = whole.slice(0, aboutMax);
    const name = this.#nameFor(client);
    const count = this.#counts.get(name);
    if (count === undefined) {
      const kinds = new Map([[text, 1]]);
      const when = Math.floor(wall);
      const [seen, whose] =
        name === othersOf(client)
          ? [unknownClient(client.socket), " of further users"]
          : [client, ""];
      this.#counts.set(name, { when, begun: now, last: now, about, client: seen, whose, kinds });
      return "counted";
    }
    count.last = now;
    count.kinds.set(text, (count.kinds.get(text) ?? 0) + 1);
    if (count.about !== about) count.about = "site";
    count.client = common(count.client, client);
    return now - count.begun < refusalsMs ? "counted" : "due";
  }

  #nameFor(client: Client): string {
    const own = `${client.socket} ${client.uid}`;
    if (this.#counts.has(own)) return own;
    const beside = [...this.#counts.keys()].filter((name) => name.startsWith(`${client.socket} `));
    return beside.length < usersMax ? own : othersOf(client);
  }

  /** Returns the record to write next, until `written`; undefined = none is due. */
  due(now: Instant): Change | undefined {
    if (this.#due !== undefined) return this.#due;
    for (const [name, count] of this.#counts) {
      if (!this.#isEnding && now - count.begun < refusalsMs) continue;
      this.#counts.delete(name);
      this.#due = changeOf(count);
      break;
    }
    return this.#due;
  }

  /** Reports that the record of `due` is in the log. */
  written(): void {
    this.#due = undefined;
  }

  /** The process ends: everything that was counted is due. */
  end(): void {
    this.#isEnding = true;
  }
}

const othersOf = ({ socket }: Client): string => `${socket} others`;

/** Returns what two clients have in common; the rest is null. */
function common(one: Client, other: Client): Client {
  const { socket } = one;
  if (one.uid !== other.uid) return unknownClient(socket);
  const same = (name: "gid" | "pid" | "loginUid"): number | null =>
    one[name] === other[name] ? one[name] : null;
  return { ...one, gid: same("gid"), pid: same("pid"), loginUid: same("loginUid") };
}

function changeOf({ when, begun, last, about, client, whose, kinds }: Count): Change {
  const total = [...kinds.values()].reduce((sum, count) => sum + count, 0);
  const head = { when, what: "asked", about, who: clientText(client), client } as const;
  const [only] = kinds.keys();
  if (total === 1 && whose === "" && only !== undefined) return { ...head, text: only };
  const sorted = [...kinds].sort(([, a], [, b]) => b - a);
  const spelled = sorted.slice(0, kindsMax).map(([text, count]) => `${text} (${count})`);
  const rest = sorted.slice(kindsMax).reduce((sum, [, count]) => sum + count, 0);
  if (rest > 0) spelled.push(`others (${rest})`);
  const seconds = Math.max(1, Math.ceil((last - begun) / 1_000));
  const counted = `${total} requests without effect${whose} in ${seconds} s`;
  const text = `${counted}: ${spelled.join(", ")}`;
  return { ...head, text };
}
