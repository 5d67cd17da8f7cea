// The SecY of a port: made together with all that is on the port, changed in operation, and made
// anew if another suite requires it. The MKA process installs its SAs.

import { LinksealError } from "#hal/error.ts";
import type { NetlinkSocket } from "#hal/netlink.ts";
import type { Log } from "#hal/world.ts";
import { addressesNow, linksNow } from "../macsec/kernel-observation.ts";
import { isTight } from "../macsec/secy.ts";
import { canonicalAddress } from "../netlink/address.ts";
import { addAddress, removeAddress } from "../netlink/rtnetlink-address.ts";
import {
  addMacsecLink,
  changeLink,
  changeMacsecLink,
  deleteLink,
  type Link,
} from "../netlink/rtnetlink-link.ts";
import { removeRoutes } from "./link-snapshot.ts";
import type { Memory } from "./memory.ts";
import { endVlans, putStack, type RequestSender, type Stack, takeStack } from "./move.ts";
import type { SecyWish } from "./operation.ts";

export interface SecyContext {
  readonly socket: NetlinkSocket;
  readonly send: RequestSender;
  readonly memory: Memory;
  readonly log: Log;
}

export type PortLink = Link & { readonly name: string };

/** The octets that protection adds to a frame: SecTAG with SCI, and ICV. */
const tagBytes = 32;
const nameLengthMax = 15;

/**
 * Returns the SecY on a port; undefined = there is none.
 * @throws LinksealError `device.rejected` if there are several, which nothing here ever makes
 */
export function secyOn(port: PortLink, links: readonly Link[]): PortLink | undefined {
  const found = links.filter(
    (link): link is PortLink =>
      link.info?.kind === "macsec" && link.link === port.index && link.name !== undefined,
  );
  if (found.length < 2) return found[0];
  const text = `there are ${found.length} SecYs on ${port.name}, and which one counts is not known`;
  throw new LinksealError("device.rejected", `${text}; nothing was changed`, {
    effect: "none",
    where: port.name,
    next: "delete the others by hand",
  });
}

/** Returns the settings of a SecY; undefined if the kernel does not report them. */
export function wishOf({ info }: Link): SecyWish | undefined {
  const { cipherSuite: suite, includeSci, replayProtect, window } = info?.macsec ?? {};
  if (suite === undefined || includeSci === undefined) return undefined;
  return { suite, includeSci, replayWindow: replayProtect === true ? window : undefined };
}

export function isAsWanted(secy: Link, want: SecyWish): boolean {
  const is = wishOf(secy);
  return (
    isTight(secy) &&
    is?.suite === want.suite &&
    is.includeSci === want.includeSci &&
    is.replayWindow === want.replayWindow
  );
}

function settingsOf({ includeSci, replayWindow }: SecyWish) {
  return {
    encrypt: true,
    protect: true,
    includeSci,
    validation: "strict",
    // The kernel accepts a window only together with its switch.
    ...(replayWindow === undefined
      ? { replayProtect: false }
      : { window: replayWindow, replayProtect: true }),
  } as const;
}

/** Makes or changes the SecY of a port; it is idempotent, also after a crash in its middle. */
export async function protect(
  context: SecyContext,
  port: PortLink,
  want: SecyWish,
  signal: AbortSignal,
): Promise<void> {
  const { socket, send, memory } = context;
  const links = await linksNow(socket, signal);
  const secy = secyOn(port, links);
  const unfinished = memory.state.moves[port.name];
  const sameSuite = secy !== undefined && wishOf(secy)?.suite === want.suite;
  if (secy !== undefined && sameSuite) {
    await send([changeMacsecLink(secy.index, settingsOf(want))], signal);
    if (unfinished !== undefined) await finish(context, port, secy.name, unfinished.stack, signal);
    return;
  }
  const stack = unfinished?.stack ?? (await takeStack(socket, secy ?? port, links, signal));
  const part = { kind: "macsec.protect", port: port.name, settings: want } as const;
  await memory.remember({ moves: { ...memory.state.moves, [port.name]: { part, stack } } });
  await endVlans(stack, links, send, signal);
  if (secy === undefined) await strip(context, port, signal);
  else await send([deleteLink(secy.index)], signal);
  const name = secy?.name ?? nameFor(port);
  const settings = { ...settingsOf(want), cipherSuite: want.suite, port: "0001" };
  const mtu = port.mtu === undefined ? {} : { mtu: port.mtu - tagBytes };
  await send([addMacsecLink({ name, below: port.index, ...mtu, settings })], signal);
  await finish(context, port, name, stack, signal);
}

async function finish(
  context: SecyContext,
  port: PortLink,
  base: string,
  stack: Stack,
  signal: AbortSignal,
): Promise<void> {
  const { socket, send, memory, log } = context;
  const missing = await putStack(socket, stack, base, send, signal);
  if (missing > 0) {
    const text = `${missing} addresses or routes of ${port.name} did not come along to ${base}`;
    log.write("error", "keepsake-lost", text);
  }
  const { [port.name]: _done, ...moves } = memory.state.moves;
  await memory.remember({ moves });
}

// Everything that the port itself still sent would leave in the clear.
async function strip(
  { socket, send }: SecyContext,
  port: PortLink,
  signal: AbortSignal,
): Promise<void> {
  const addresses = await addressesNow(socket, signal);
  await send([changeLink(port.index, { addressMode: "none" })], signal);
  for (const { link, local, address = "", prefixLength } of addresses) {
    if (link !== port.index) continue;
    const request = removeAddress({ link, local: local ?? address, prefixLength });
    const [refusal] = await socket.write([request], signal);
    // The deletion of a subnet's first address deletes the others too.
    if (refusal !== undefined && refusal.name !== "EADDRNOTAVAIL") await send([request], signal);
  }
  await removeRoutes(socket, port.index, signal);
  if (port.master !== undefined) await send([changeLink(port.index, { master: 0 })], signal);
}

function nameFor({ name, index }: PortLink): string {
  const wanted = `ms-${name}`;
  return wanted.length <= nameLengthMax ? wanted : `ms-${index}`;
}

/** Removes the SecY from a port; only used if it was made and never confirmed. */
export async function unprotect(
  context: SecyContext,
  port: PortLink,
  linkLocal: "eui64" | "none",
  signal: AbortSignal,
): Promise<void> {
  const { socket, send, memory } = context;
  const links = await linksNow(socket, signal);
  const secy = secyOn(port, links);
  const unfinished = memory.state.moves[port.name];
  if (secy === undefined && unfinished === undefined) return;
  const stack = unfinished?.stack ?? (await takeStack(socket, secy ?? port, links, signal));
  const part = { kind: "macsec.unprotect", port: port.name, linkLocal } as const;
  await memory.remember({ moves: { ...memory.state.moves, [port.name]: { part, stack } } });
  await endVlans(stack, links, send, signal);
  if (secy !== undefined) await send([deleteLink(secy.index)], signal);
  if (linkLocal === "eui64") await talkAgain(context, port, signal);
  await finish(context, port, port.name, stack, signal);
}

// The kernel makes the address itself only when the port comes up, and the port is up already.
async function talkAgain(
  { socket, send }: SecyContext,
  { index, address }: PortLink,
  signal: AbortSignal,
): Promise<void> {
  await send([changeLink(index, { addressMode: "eui64" })], signal);
  if (address === undefined) return;
  const local = linkLocalOf(address);
  // If this fails, the address exists already or the host does not use IPv6: nothing is missing
  // then.
  await socket.write([addAddress({ link: index, local, prefixLength: 64 })], signal);
}

/** RFC 4291 appendix A: the modified EUI-64 of a MAC address. */
export function linkLocalOf(mac: string): string {
  const octets = mac.split(":").map((octet) => Number.parseInt(octet, 16));
  const [first = 0, second = 0, third = 0, ...rest] = octets;
  const all = [first ^ 0x02, second, third, 0xff, 0xfe, ...rest];
  const groups = [0, 2, 4, 6].map((at) =>
    (((all[at] ?? 0) << 8) | (all[at + 1] ?? 0)).toString(16),
  );
  return canonicalAddress(`fe80:0:0:0:${groups.join(":")}`);
}
