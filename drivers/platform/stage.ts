// The work that is alike in the drivers of routers around a change: the capabilities that they
// offer, the readings for it, and the report of a failure after it.

import type { Capabilities, CommitMode, MacsecCapabilities, ProbeResult } from "#hal/device.ts";
import { LinksealError } from "#hal/error.ts";
import type { Ckn, DrainMeans, MacsecSettings, MkaSession, PortName } from "#hal/model.ts";
import type { Command } from "#hal/secret.ts";
import type { Cli } from "../transport/cli.ts";
import type { Work } from "./define-dialect.ts";
import { failed, leaving, type Query } from "./query.ts";

/** BGP sends a change of policy out within seconds; the far end's own timers follow. */
const settleMs = 15_000;

interface Offered {
  readonly commit: CommitMode;
  readonly macsec: Omit<MacsecCapabilities, "hitless">;
  /** Whether a tunnel is replaced in one step; absent = IPsec is not offered. */
  readonly atomicReplace?: boolean;
  readonly means: readonly DrainMeans[];
}

/** Returns what a platform offers at most. */
export function offersOf({ commit, macsec, atomicReplace, means }: Offered): Capabilities {
  const { suites, overlap, counters, ...others } = macsec;
  return {
    commit,
    // No document says that a change of any of them leaves the session up.
    macsec: { suites, overlap, counters, hitless: [], ...others },
    // Each command that clears an SA on these platforms ends it before the next one exists.
    ...(atomicReplace === undefined
      ? {}
      : { ipsec: { keying: ["ike"], authentication: ["psk"], atomicReplace, rekeys: [] } }),
    drain: { means, settleMs },
    probe: true,
  };
}

/** Returns the CKN of the key in use on a port with these settings. */
type Principal = (port: PortName, settings: MacsecSettings | undefined) => Ckn | undefined;

/**
 * Reads the keys in use, only if a key is to be removed. `sessionOn` returns undefined for a reply
 * that is not understood.
 */
export async function principals<T>(
  { change }: Work,
  ask: () => Promise<T>,
  sessionOn: (
    reported: T,
    port: PortName,
    settings: MacsecSettings | undefined,
  ) => MkaSession | undefined,
): Promise<Principal> {
  if (!change.some(({ kind }) => kind === "macsec.removeKey")) return () => undefined;
  const reported = await ask();
  return (port, settings) => {
    const found = sessionOn(reported, port, settings);
    if (found !== undefined) return found.principalCkn;
    throw failed("device.unparsed", `which key ${port} uses is not understood`, port);
  };
}

/** Pings the far end; `ping` goes to a neighbour behind the port; undefined = there is none. */
export async function pingFarEnd<N extends string, Q extends object, R>(
  query: Query<N, Q, R>,
  port: PortName,
  ping: Q | undefined,
  read: (reply: R) => ProbeResult | undefined,
): Promise<ProbeResult> {
  if (ping !== undefined) return await query.value(ping, read);
  throw failed("device.rejected", `the far end's peering address on ${port} is not known`, port);
}

/** Why traffic may still go where a drain, or its end, has moved it away from. */
export const unrefreshed =
  "the change is in force, and BGP may keep the routes of before: they were not exchanged again";

/** Why a boot may restore the keys of before. */
export const unsaved = "the change is in force, and a boot may lose it: it was not saved";

/** Runs what follows a commit, such as saving; a failure of it has left the change in force. */
export async function finish(
  cli: Cli,
  commands: readonly Command[],
  signal: AbortSignal,
  text: string = unsaved,
): Promise<void> {
  await inForce(cli.where, text, () => cli.run(commands, "unknown", signal));
}

/**
 * Runs a step after a commit; `text` says what its failure leaves.
 * @throws LinksealError with effect "applied" or "unknown".
 */
export async function inForce<T>(where: string, text: string, f: () => Promise<T>): Promise<T> {
  try {
    return await f();
  } catch (error) {
    if (!(error instanceof LinksealError) || error.effect !== "none") throw error;
    throw leaving(error, "applied", text, where);
  }
}
