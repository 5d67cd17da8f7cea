// Generic netlink: families are found by name, since their numbers are assigned at run time.

import type { NetlinkMessage, NetlinkRequest, Octets, Span } from "#hal/netlink.ts";
import { unparsed } from "../../transport/netlink-wire.ts";
import { type Attributes, listOf, table } from "./attributes.ts";
import { text, u16, u32 } from "./codecs.ts";

/** The controller of families has a fixed number (GENL_ID_CTRL). */
const controlType = 16;
const getFamily = 3;
const headerBytes = 4;

const familyRows = {
  id: [1, u16],
  name: [2, text],
  version: [3, u32],
  headerSize: [4, u32],
  attributesMax: [5, u32],
  operations: [6, listOf(table({ id: [1, u32], flags: [2, u32] }))],
  groups: [7, listOf(table({ name: [1, text], id: [2, u32] }))],
} as const;
const familyTable = table(familyRows);

export type Family = Attributes<typeof familyRows>;

/** Builds a request of the family with the number `type`. */
export function generic(
  type: number,
  command: number,
  flags: number,
  attributes: Octets,
): NetlinkRequest {
  return { type, flags, body: [Uint8Array.of(command, 1, 0, 0), ...attributes] };
}

/** Builds the query for a family by its name. */
export function askFamily(name: string): NetlinkRequest {
  return generic(controlType, getFamily, 0, familyTable.write({ name }));
}

/** Returns the attributes of a generic message, behind its own header. */
export function genericBody({ view, start, end }: NetlinkMessage): Span {
  if (end - start < headerBytes) throw unparsed("a generic message without its header");
  return { view, start: start + headerBytes, end };
}

/** Returns undefined for a message that does not describe a family. */
export function readFamily(message: NetlinkMessage): Family | undefined {
  if (message.type !== controlType) return undefined;
  const { view, start, end } = genericBody(message);
  return familyTable.read(view, start, end);
}
