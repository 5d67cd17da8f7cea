// The whole agent with simulated routers of each vendor whose peerings are on aggregates in a VRF,
// on virtual time and under the oracle: each link is drained there, and gets its keys on the port.

import { describe } from "vitest";
import { type Platform, placedPlatforms } from "../conformance/place.ts";
import { getNewPairs } from "./router-rotations.ts";

const vendors = ["eos", "iosxe", "iosxr", "junos"] as const;
const aggregated: readonly (readonly [string, Platform])[] = Object.entries(placedPlatforms).filter(
  ([name]) => name.endsWith("in aggregates of a VRF"),
);

describe("routers with peerings in a VRF", () => {
  for (const vendor of vendors) {
    const tried = aggregated.filter(([, platform]) => platform.vendor === vendor);
    getNewPairs({ vendor, tried, promotes: vendor === "eos" || vendor === "iosxe" });
  }
});
