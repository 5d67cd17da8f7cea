// Makes the reader of a platform from its table of queries: it reads saved replies, and asks a
// device every query once, which changes nothing.

import { LinksealError } from "#hal/error.ts";
import type { PortName, UnknownWhy } from "#hal/model.ts";
import type { Target } from "#hal/target.ts";
import type { World } from "#hal/world.ts";
import type { Dialect, Session } from "./define-dialect.ts";
import { Line } from "./define-line.ts";
import { Disguise } from "./disguise.ts";
import {
  marks,
  nameOf,
  nothing,
  type QueryRow,
  type ReadResult,
  type TableRow,
  type Understanding,
  understandingOf,
  type Values,
  valuesIn,
} from "./query-table.ts";

/** One query that was sent, and its reply as text. */
export interface Exchange {
  /** The query, with the values of its variable words. */
  readonly query: string;
  /** Its row of the table. */
  readonly row: QueryRow;
  /** `why`: there is none, because the device refused the query or its reply has no such form. */
  readonly reply: string | { readonly why: UnknownWhy };
}

/** What a driver sends to read a device, and how it reads the replies. */
export interface QueryReader {
  /** Every query, in the order in which a device is asked. */
  readonly rows: readonly QueryRow[];
  /**
   * Reads a saved reply; undefined = the driver has no such query.
   * @throws RangeError for a line longer than any of a device
   */
  read(query: string, reply: Uint8Array): Promise<Understanding | undefined>;
  /**
   * Makes a reply fit to show outside: words of the platform's grammar and counts stay, all others
   * become numbered words, and lines that may hold a secret are cut.
   */
  disguise(exchange: Exchange, words: Disguise): Promise<DisguisedReply>;
  /**
   * Sends every query to a device that knows it: those about ports for each of these, those about
   * neighbours for each that the device has on its ports. absent = the device is not asked over a
   * session.
   * @throws LinksealError `transport.*`, with effect "none"
   */
  readonly ask?: (
    target: Target,
    world: World,
    ports: readonly PortName[],
    signal: AbortSignal,
  ) => Promise<readonly Exchange[]>;
}

/** A reply without names, addresses and secrets. */
interface DisguisedReply {
  readonly query: string;
  readonly text: string;
}

type Decoded<R> = { readonly kind: "reply"; readonly reply: R } | { readonly kind: "refused" };

/** The form of a platform's queries and replies. */
export interface ReplyForm<Q, R> {
  /** Returns the query as text, with the `marks` of its variable words as they are. */
  readonly textOf: (query: Q) => string;
  /**
   * Reads the form of a saved reply; undefined = it has another form.
   * @throws RangeError as `read` does
   */
  readonly decode: (octets: Uint8Array, query: string) => Promise<Decoded<R> | undefined>;
  /** Writes a reply as text that `decode` reads. */
  readonly encode: (reply: R) => string;
  /** Writes a reply with disguised words. */
  readonly disguise: (reply: R, words: Disguise) => string;
}

/** The table of a platform. */
export interface QueryTable<Q, R> {
  readonly form: ReplyForm<Q, R>;
  readonly rows: readonly TableRow<Q, R>[];
  /** Words that the readers know beside those of the queries. */
  readonly grammar: string;
}

/** How the queries of a table are sent in a session of the platform. */
interface Asking<S extends Session, Q, R> {
  readonly dialect: Dialect<S>;
  readonly send: (session: S, query: Q, signal: AbortSignal) => Promise<R>;
  /** Returns the node of the session; absent = the platform has no such word. */
  readonly nodeOf?: (session: S) => string;
  /** The queries about neighbours, from the replies so far. */
  readonly peers: (replyTo: (query: Q) => R | undefined) => readonly Q[];
}

interface NamedRow<Q, R> {
  readonly row: TableRow<Q, R>;
  readonly info: QueryRow;
}

/** Makes the reader of a table; without `asking` it reads saved replies alone. */
export function defineReader<S extends Session, Q, R>(
  table: QueryTable<Q, R>,
  asking?: Asking<S, Q, R>,
): QueryReader {
  const { form, grammar } = table;
  const rows = table.rows.map((row): NamedRow<Q, R> => ({ row, info: infoOf(row, form) }));
  const names = rows.map(({ info: { name, alias = "" } }) => `${name} ${alias}`);
  const vocabulary = Disguise.vocabulary([grammar, ...names].join(" "));
  const found = (query: string): (NamedRow<Q, R> & { values: Partial<Values> }) | undefined => {
    for (const one of rows) {
      const values = valuesIn(one.info, query);
      if (values !== undefined) return { ...one, values };
    }
    return undefined;
  };
  const reader: QueryReader = {
    rows: rows.map(({ info }) => info),
    async read(query, octets) {
      const match = found(query);
      if (match === undefined) return undefined;
      const decoded = await form.decode(octets, query);
      if (decoded === undefined) return nothing("unparsed");
      if (decoded.kind === "refused") return nothing("queryFailed");
      const { reply } = decoded;
      return understood(() => match.row.read(reply, match.values));
    },
    async disguise({ query, reply }, disguise) {
      const octets = new TextEncoder().encode(typeof reply === "string" ? reply : "");
      const decoded = await form.decode(octets, query);
      const known = disguise.knowing(vocabulary);
      const text = decoded?.kind === "reply" ? form.disguise(decoded.reply, known) : "";
      return { query: known.line(query), text };
    },
  };
  if (asking === undefined) return reader;
  return {
    ...reader,
    ask: (target, world, ports, signal) =>
      new Contact(form, rows, asking, found).ask(target, world, ports, signal),
  };
}

/** Reads a reply; a reader that fails on a device's text has not understood it. */
function understood(read: () => ReadResult | undefined): Understanding {
  try {
    return understandingOf(read());
  } catch (error) {
    const isOfText = [TypeError, RangeError, SyntaxError].some((each) => error instanceof each);
    if (isOfText || (error instanceof LinksealError && error.code === "device.unparsed")) {
      return nothing("unparsed");
    }
    throw error;
  }
}

function infoOf<Q, R>(row: TableRow<Q, R>, { textOf }: ReplyForm<Q, R>): QueryRow {
  const { purpose, standing, source, alias, reply = "state" } = row;
  const name = row.name ?? nameOf(textOf(row.ask(marks)));
  return { name, ...(alias === undefined ? {} : { alias }), purpose, reply, standing, source };
}

/** One pass over a device: each query once, one after the other. */
class Contact<S extends Session, Q, R> {
  readonly #form: ReplyForm<Q, R>;
  readonly #rows: readonly NamedRow<Q, R>[];
  readonly #asking: Asking<S, Q, R>;
  readonly #found: (query: string) => NamedRow<Q, R> | undefined;
  readonly #replies = new Map<string, R>();
  readonly #exchanges: Exchange[] = [];

  constructor(
    form: ReplyForm<Q, R>,
    rows: readonly NamedRow<Q, R>[],
    asking: Asking<S, Q, R>,
    found: (query: string) => NamedRow<Q, R> | undefined,
  ) {
    this.#form = form;
    this.#rows = rows;
    this.#asking = asking;
    this.#found = found;
  }

  async ask(
    target: Target,
    world: World,
    ports: readonly PortName[],
    signal: AbortSignal,
  ): Promise<readonly Exchange[]> {
    const { dialect, nodeOf, peers } = this.#asking;
    await using line = new Line(dialect, target, world, () => undefined);
    const node = await line.ask(signal, async (session) => nodeOf?.(session) ?? "");
    const offers = await line.ask(signal, (session, bounded) =>
      dialect.capabilities(session, bounded),
    );
    for (const { row, info } of this.#rows) {
      if (row.needs !== undefined && offers[row.needs] === undefined) continue;
      const queries =
        row.over === "once"
          ? [row.ask({ ...marks, node })]
          : row.over === "ports"
            ? ports.map((port) => row.ask({ ...marks, port }))
            : [];
      for (const query of queries) await this.#send(line, query, info, signal);
    }
    const replyTo = (query: Q): R | undefined => this.#replies.get(this.#form.textOf(query));
    for (const query of peers(replyTo)) {
      const match = this.#found(this.#form.textOf(query));
      if (match !== undefined) await this.#send(line, query, match.info, signal);
    }
    return this.#exchanges;
  }

  async #send(line: Line<S>, query: Q, row: QueryRow, signal: AbortSignal): Promise<void> {
    const { send } = this.#asking;
    const text = this.#form.textOf(query);
    const name = row.name.includes("<") || row.name === text ? text : row.name;
    try {
      const reply = await line.ask(signal, (session, bounded) => send(session, query, bounded));
      this.#replies.set(text, reply);
      this.#exchanges.push({ query: name, row, reply: this.#form.encode(reply) });
    } catch (error) {
      const isOfQuery = error instanceof LinksealError && error.code.startsWith("device.");
      if (!isOfQuery) throw error;
      const why = error.code === "device.unparsed" ? "unparsed" : "queryFailed";
      this.#exchanges.push({ query: name, row, reply: { why } });
    }
  }
}
