// The speed of a port, by generic netlink "ethtool": the only property of a link that rtnetlink
// does not report.

import type { NetlinkMessage, NetlinkRequest } from "#hal/netlink.ts";
import { netlinkFlags } from "../../transport/netlink-wire.ts";
import { table } from "./attributes.ts";
import { u32 } from "./codecs.ts";
import { generic, genericBody } from "./genetlink.ts";

/** The name of the generic netlink family. */
export const ethtoolFamily = "ethtool";

const getLinkModes = 4;
/** SPEED_UNKNOWN, for a port without light or one that does not report its speed. */
const noSpeed = 0xffff_ffff;

const linkModes = table({ header: [1, table({ index: [1, u32] })], speed: [5, u32] });

export interface PortSpeed {
  /** The index of the link. */
  readonly link: number;
  /** The line rate. */
  readonly bitsPerSecond: number;
}

/** Builds the dump of all speeds; `type` is the number of the family. */
export function dumpSpeeds(type: number): NetlinkRequest {
  return generic(type, getLinkModes, netlinkFlags.dump, []);
}

/** Returns a reader that yields undefined for a port that does not report its speed. */
export function readSpeed(type: number): (message: NetlinkMessage) => PortSpeed | undefined {
  return (message) => {
    if (message.type !== type) return undefined;
    const { view, start, end } = genericBody(message);
    const { header, speed } = linkModes.read(view, start, end);
    if (header?.index === undefined || speed === undefined) return undefined;
    if (speed === 0 || speed === noSpeed) return undefined;
    return { link: header.index, bitsPerSecond: speed * 1_000_000 };
  };
}
