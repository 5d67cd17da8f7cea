// Seeded defects in the tunnels' table: a missing row, or a wrong step.

import type {
  TunnelChange,
  TunnelFacts,
  TunnelRow,
  TunnelStep,
} from "#agent/model/tunnel-change.ts";
import { decideTunnelBy, tunnelGuards, tunnelTable } from "#agent/rotation/tunnel-change.ts";

type DecideTunnel = (change: TunnelChange, facts: TunnelFacts) => TunnelStep;

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
  /** The rows to change, by name. */
  readonly instead?: Readonly<Record<string, Pick<TunnelRow, "next">>>;
  /** What the table believes. */
  readonly believes?: Partial<TunnelFacts>;
}

function amended(
  name: string,
  breaks: TunnelDefect["breaks"],
  title: string,
  { without, instead = {}, believes = {} }: Amendment,
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
  const decide: DecideTunnel = (change, facts) =>
    decideTunnelBy(table, tunnelGuards, change, { ...facts, ...believes });
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
  amended("unproven-key", "P7", "says that a key is in use that nothing was made with", {
    instead: { "tunnel.switching.refused": { next: "done" } },
  }),
  amended("never-withdrawn", "liveness", "waits for ever for a key that was withdrawn", {
    without: /^tunnel\.giving\.withdrawn$/,
  }),
];
