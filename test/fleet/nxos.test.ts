// The whole agent with simulated switches with NX-OS, on virtual time: first keys, then rotations
// by a fallback key and its promotion, under the oracle.

import { describe } from "vitest";
import { platformsOf } from "../conformance/place.ts";
import { getNewPairs } from "./router-rotations.ts";

describe("switches that speak NX-OS", () => {
  getNewPairs({ vendor: "nxos", tried: platformsOf("nxos"), promotes: true });
});
