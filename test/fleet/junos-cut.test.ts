// Connections to Junos routers that end at any message: nothing is left behind, and once they last
// again every link gets its new pair.

import { describe } from "vitest";
import { platformsOf } from "../conformance/place.ts";
import { keepPromises } from "./router-rotations.ts";

describe("routers that speak Junos", () => {
  const tried = platformsOf("junos");
  keepPromises({ vendor: "junos", tried, cuts: 0.01, cutMin: 3, resumes: "first" });
});
