// The whole agent with simulated EOS routers, on virtual time: first keys, then rotations by a
// fallback key and its promotion, with and without broken connections, under the oracle.

import { describe } from "vitest";
import { platformsOf } from "../conformance/place.ts";
import { effort } from "../effort.ts";
import { getNewPairs, keepPromises } from "./router-rotations.ts";

/**
 * Tries each format in which EOS shows sessions with a timer; the conformance cases cover every
 * platform.
 */
const tried = platformsOf("eos").slice(0, effort(2, 3));

describe("routers that speak EOS", () => {
  getNewPairs({ vendor: "eos", tried, promotes: true });
  keepPromises({ vendor: "eos", tried, cuts: 0.001, cutMin: 1, resumes: "last" });
});
