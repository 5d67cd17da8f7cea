// The whole agent against routers that speak EOS, on virtual time: first keys, then rotations by a
// fallback key and its promotion, in good weather and over connections that break, under the eyes
// of the oracle.

import { describe } from "vitest";
import { platformsOf } from "../conformance/place.ts";
import { effort } from "../effort.ts";
import { getNewPairs, keepPromises } from "./router-rotations.ts";

/** Each form in which sessions with a timer are shown; every platform has its conformance. */
const tried = platformsOf("eos").slice(0, effort(2, 3));

describe("routers that speak EOS", () => {
  getNewPairs({ vendor: "eos", tried, promotes: true });
  keepPromises({ vendor: "eos", tried, cuts: 0.001, cutMin: 1, resumes: "last" });
});
