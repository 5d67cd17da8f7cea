// The whole agent with simulated switches with NX-OS, on virtual time: first keys, then rotations
// by a fallback key and its promotion, under the oracle.

import { describe } from "vitest";
import { platformsOf } from "../conformance/place.ts";
import { getNewPairs } from "./router-rotations.ts";

/** The card of the other switch counts no clear frames: its links always have that finding. */
const tried = platformsOf("nxos").filter(([, { named }]) => named.model === "C9336C-FX2");

describe("switches that speak NX-OS", () => {
  getNewPairs({ vendor: "nxos", tried, promotes: true });
});
