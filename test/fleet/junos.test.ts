// The whole agent against routers that speak Junos, on virtual time: first keys, then rotations,
// each by what its platform can hold, under the eyes of the oracle.

import { describe } from "vitest";
import { platformsOf } from "../conformance/place.ts";
import { getNewPairs } from "./router-rotations.ts";

describe("routers that speak Junos", () => {
  getNewPairs({ vendor: "junos", tried: platformsOf("junos"), promotes: false });
});
