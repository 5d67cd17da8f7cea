// Connections to Junos routers that break at any message: no leftovers remain, and once connections
// last again every link gets its new pair.

import { describe } from "vitest";
import { platformsOf } from "../conformance/place.ts";
import { keepPromises } from "./router-rotations.ts";

describe("routers that speak Junos", () => {
  const tried = platformsOf("junos");
  keepPromises({ vendor: "junos", tried, cuts: 0.01, cutMin: 3, resumes: "first" });
});
