// The whole agent with simulated Junos routers, on virtual time: first keys, then rotations by the
// means that each platform has, under the oracle.

import { describe } from "vitest";
import { platformsOf } from "../conformance/place.ts";
import { getNewPairs } from "./router-rotations.ts";

describe("routers that speak Junos", () => {
  getNewPairs({ vendor: "junos", tried: platformsOf("junos"), promotes: false });
});
