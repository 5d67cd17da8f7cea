// Seeded defects in the tunnels' table: a missing row or guard, or a wrong step.

import type { TunnelChange, TunnelFacts, TunnelRow, TunnelStep } from "#agent/model/tunnel-change.ts";
import { decideTunnelBy, tunnelGuards, tunnelTable } from "#agent/rotation/tunnel-change.ts";

export type DecideTunnel = (change: TunnelChange, facts: TunnelFacts) => TunnelStep;

export interface TunnelDefect {
  readonly name: string;
  /** `liveness`: the newest key is never in use. */
  readonly breaks: "P2" | "P7" | "liveness";
  /** The wrong behaviour, as a sentence without its subject. */
  readonly title: string;
  readonly decide: DecideTunnel;
}

interface Amendment {
  /** The rows to remove. */
  readonly without?: RegExp;
  /** The guards to remove. */
  readonly unguarded?: RegExp;
  /** The rows to change, by name. */
  readonly instead?: Readonly<Record<string, Pick<TunnelRow, "next">>>;
  /** What the table believes. */
  readonly believes?: Partial<TunnelFacts>;
}

function amended(
  name: string,
  breaks: TunnelDefect["breaks"],
  title: string,
  { without, unguarded, instead = {}, believes = {} }: Amendment,
): TunnelDefect {
  const rowsOf = (rows: readonly TunnelRow[]): readonly TunnelRow[] =>
    rows
      .filter((row) => without?.test(row.name) !== true)
      .map((row) => ({ ...row, ...instead[row.name] }));
  const { waiting, giving, switching, returning, held } = tunnelTable;
  const table = {
    ...{ waiting: rowsOf(waiting), giving: rowsOf(giving), switching: rowsOf(switching) },
    ...{ returning: rowsOf(returning), held: rowsOf(held) },
  };
  const { give, giveBack } = tunnelGuards;
  const left = (guards: typeof give) => guards.filter((one) => unguarded?.test(one.name) !== true);
  const guards = { ...tunnelGuards, give: left(give), giveBack: left(giveBack) };
  const decide: DecideTunnel = (change, facts) =>
    decideTunnelBy(table, guards, change, { ...facts, ...believes });
  return { name, breaks, title, decide };
}

export const tunnelDefects: readonly TunnelDefect[] = [
  amended("switches-untold", "liveness", "takes a key that its gateway was not given", {
    instead: { "tunnel.giving.notGiven": { next: "switching" } },
  }),
  amended("forgets-given", "P7", "waits as if a gateway that may have the key had the old one", {
    instead: { "tunnel.giving.either": { next: "waiting" } },
  }),
  amended("keeps-given", "P7", "leaves the newer key at the gateway when it goes back", {
    without: /^tunnel\.returning\.giveBack$/,
    believes: { isGivenBack: true },
  }),
  amended("keeps-taken", "P7", "leaves the newer key on the router when it goes back", {
    without: /^tunnel\.returning\.putBack$/,
  }),
  amended("unproven-key", "P7", "says that a key is in use before anything was made with it", {
    without: /^tunnel\.switching\.(refused|take|unproven)$/,
    instead: { "tunnel.switching.unheard": { next: "done" } as unknown as Pick<TunnelRow, "next"> },
  }),
  amended("lands-later", "P7", "goes back while its earlier write can still land", {
    unguarded: /can still land$/,
    believes: { mayLand: false },
  }),
  amended("never-withdrawn", "liveness", "waits for ever for a key that was withdrawn", {
    without: /^tunnel\.giving\.withdrawn$/,
  }),
];
