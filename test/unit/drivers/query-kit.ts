// Saved replies for each query of a driver, and what its reader must make of them.

import { describe, expect, it } from "vitest";
import type { QueryReader } from "#drivers/index.ts";

/** A saved reply; `shows` is a part of what is understood, `unknown` the gaps and their reasons. */
export interface SavedCase {
  readonly query: string;
  readonly reply: string;
  readonly shows?: object;
  readonly unknown?: readonly string[];
}

export const octets = (text: string): Uint8Array => new TextEncoder().encode(text);

/** Tries each case; every row of the reader needs one. */
export function tryRows(name: string, reader: QueryReader, cases: readonly SavedCase[]): void {
  describe(`saved replies of ${name}`, () => {
    it.each(cases.map((one) => [one.query, one] as const))(
      "a saved reply is understood as the agent understands it: %s",
      async (query, { reply, shows, unknown = [] }) => {
        const read = await reader.read(query, octets(reply));
        const gaps = read?.unknown.map(({ what, why }) => `${what}: ${why}`);
        expect(gaps).toEqual(unknown);
        if (shows === undefined) expect(read?.understood).toBeNull();
        else expect(read?.understood).toMatchObject(shows);
      },
    );

    it("every query of the driver has a saved reply here", async () => {
      const tried = new Set<string>();
      for (const { query } of cases) {
        for (const { name: row, alias } of reader.rows) {
          const names = alias === undefined ? [row] : [row, alias];
          const fits = names.some((one) => patternOf(one).test(query));
          if (fits) tried.add(row);
        }
      }
      expect(reader.rows.map((row) => row.name).filter((row) => !tried.has(row))).toEqual([]);
    });

    it("a reply that makes no sense leaves nothing known that the device states", async () => {
      for (const { name: query, standing, source, purpose } of reader.rows) {
        expect([standing, source, purpose].every((text) => text.length > 5)).toBe(true);
        const read = await reader.read(query, octets("\u0007 lorem <ipsum {dolor\n"));
        expect(read, query).toBeDefined();
      }
    });

    it("a query that the driver does not send has no reader", async () => {
      for (const query of [
        "",
        "show",
        "configure terminal",
        "show version | include a",
        "x".repeat(5_000),
      ]) {
        expect(await reader.read(query, octets("any text"))).toBeUndefined();
      }
    });
  });
}

function patternOf(name: string): RegExp {
  const parts = name.split(/<[a-z]+>/).map((part) => part.replaceAll(/[^\w ]/g, String.raw`\$&`));
  return new RegExp(`^${parts.join(String.raw`(?:\S+)`)}$`);
}
