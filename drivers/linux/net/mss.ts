// Lowers the MSS of TCP through a tunnel, by a table of nftables whose name contains the tunnel's
// name and MTU. It is a help and not a protection: if the kernel refuses it, the tunnel comes up
// without.

import type { NetlinkRequest, NetlinkSocket } from "#hal/netlink.ts";
import type { Log } from "#hal/world.ts";
import { addClamp, asOne, deleteTable, dumpTables, readTable } from "../netlink/nftables.ts";

interface MssContext {
  readonly filter?: NetlinkSocket;
  readonly log: Log;
}

export function clampName(link: string, mtu: number): string {
  return `linkseal-${link}-${mtu}`;
}

function isOf(link: string, name: string): boolean {
  const start = `linkseal-${link}-`;
  return name.startsWith(start) && /^\d+$/.test(name.slice(start.length));
}

/** Returns the names of our tables; undefined = the kernel has no nftables. */
export async function clampsNow(
  filter: NetlinkSocket,
  signal: AbortSignal,
): Promise<readonly string[] | undefined> {
  const answer = await filter.ask(dumpTables(), readTable, signal);
  if (answer.kind === "refused") return undefined;
  return answer.found.filter((name) => name.startsWith("linkseal-"));
}

export async function clamp(
  { name: link, mtu }: { readonly name: string; readonly mtu: number },
  there: readonly string[],
  context: MssContext,
  signal: AbortSignal,
): Promise<void> {
  const name = clampName(link, mtu);
  if (there.includes(name)) return;
  const old = there.filter((one) => isOf(link, one)).map(deleteTable);
  await change([...old, ...addClamp(name, link, mtu)], link, context, signal);
}

export async function unclamp(
  link: string,
  there: readonly string[],
  context: MssContext,
  signal: AbortSignal,
): Promise<void> {
  const old = there.filter((one) => isOf(link, one)).map(deleteTable);
  if (old.length > 0) await change(old, link, context, signal);
}

async function change(
  requests: readonly NetlinkRequest[],
  link: string,
  { filter, log }: MssContext,
  signal: AbortSignal,
): Promise<void> {
  if (filter === undefined) return;
  const { requests: all, tail } = asOne(requests);
  const refusal = (await filter.write(all, signal, tail)).find((one) => one !== undefined);
  if (refusal === undefined) return;
  const text = `the MSS of TCP through ${link} is not lowered: the kernel answered ${refusal.name}`;
  log.write("warn", "mss-not-clamped", text);
}
