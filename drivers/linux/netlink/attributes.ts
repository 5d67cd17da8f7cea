// Attributes of netlink messages as tables: a row names an attribute's number, name and codec, and
// the table reads and writes them. Attributes without a row are listed by number, never dropped
// silently.

import type { Octets, Span } from "#hal/netlink.ts";
import { attribute, eachAttribute } from "../../transport/netlink-wire.ts";

/** The codec of one attribute's value. */
export interface Codec<T> {
  /**
   * Reads a value.
   * @throws LinksealError `device.unparsed` if the octets do not have this form
   */
  read(view: DataView, start: number, end: number): T;
  /** Returns the octets of a value. */
  write(value: T): Octets;
}

/** The codec of a value that only the kernel writes. */
export type ReadCodec<T> = Pick<Codec<T>, "read">;

type AnyRow = readonly [type: number, codec: ReadCodec<unknown>];
export type Rows = Readonly<Record<string, AnyRow>>;

type ValueOf<R> = R extends readonly [number, ReadCodec<infer T>] ? T : never;

/** The attributes that a message had, by name. */
export type Attributes<R extends Rows> = {
  readonly [Name in keyof R]?: ValueOf<R[Name]>;
} & { readonly unnamed: readonly number[] };

type Writable<R extends Rows> = {
  readonly [Name in keyof R as R[Name] extends readonly [number, { write(value: never): Octets }]
    ? Name
    : never]?: ValueOf<R[Name]> | undefined;
};

export interface Table<R extends Rows> extends ReadCodec<Attributes<R>> {
  /** Writes the values; an undefined one is left out. */
  write(values: Writable<R>): Octets;
}

const none: readonly number[] = [];

/** Builds a table from its rows. */
export function table<const R extends Rows>(rows: R): Table<R> {
  const byType: (readonly [string, ReadCodec<unknown>] | undefined)[] = [];
  for (const [name, [type, codec]] of Object.entries(rows)) byType[type] = [name, codec];
  const read = (view: DataView, start: number, end: number): Attributes<R> => {
    const found: Record<string, unknown> = {};
    let unnamed: number[] | undefined;
    const span: Span = { view, start, end };
    eachAttribute(span, (type, from, to) => {
      const row = byType[type];
      if (row === undefined) unnamed = [...(unnamed ?? []), type];
      else found[row[0]] = row[1].read(view, from, to);
    });
    found["unnamed"] = unnamed ?? none;
    return found as Attributes<R>;
  };
  const write = (values: Writable<R>): Octets =>
    Object.entries(values).flatMap(([name, value]) => {
      const row = rows[name] as readonly [number, Codec<unknown>] | undefined;
      return row === undefined || value === undefined ? [] : attribute(row[0], row[1].write(value));
    });
  return { read, write };
}

/** A list of tables, each in an attribute whose number is only its position. */
export function listOf<T>(codec: ReadCodec<T>): ReadCodec<readonly T[]> {
  return {
    read(view, start, end) {
      const items: T[] = [];
      eachAttribute({ view, start, end }, (_type, from, to) => {
        items.push(codec.read(view, from, to));
      });
      return items;
    },
  };
}
