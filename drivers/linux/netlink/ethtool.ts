// How fast a port is, by generic netlink "ethtool": the one thing about a link that rtnetlink does
// not know.

import type { NetlinkMessage, NetlinkRequest } from "#hal/netlink.ts";
import { netlinkFlags } from "../../transport/netlink-wire.ts";
import { table } from "./attributes.ts";
import { u32 } from "./forms.ts";
import { generic, genericBody } from "./genetlink.ts";

export const ethtoolFamily = "ethtool";

const getLinkModes = 4;
/** SPEED_UNKNOWN of a port that has no light, or none to tell of. */
const noSpeed = 0xffff_ffff;

const linkModes = table({ header: [1, table({ index: [1, u32] })], speed: [5, u32] });

export interface PortSpeed {
  /** Index of the link. */
  readonly link: number;
  readonly bitsPerSecond: number;
}

/** `type`: the number of the family. */
export function dumpSpeeds(type: number): NetlinkRequest {
  return generic(type, getLinkModes, netlinkFlags.dump, []);
}

/** Undefined for a port that does not tell its speed. */
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
