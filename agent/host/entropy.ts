import { randomBytes } from "node:crypto";
import type { Entropy } from "#hal/world.ts";

/** Random octets of this host. */
export const hostEntropy: Entropy = { bytes: (length) => Uint8Array.from(randomBytes(length)) };
