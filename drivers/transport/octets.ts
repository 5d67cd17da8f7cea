// Octets with holes become bytes when they leave the process.

import type { Octets } from "#hal/netlink.ts";

/** Writes the octets into `room`, which the caller wipes as soon as it can. */
export function fillOctets(octets: Octets, room: Uint8Array): void {
  let place = 0;
  for (const part of octets) {
    if (part instanceof Uint8Array) room.set(part, place);
    else part.use((bytes) => room.set(bytes, place));
    place += part.byteLength;
  }
}
