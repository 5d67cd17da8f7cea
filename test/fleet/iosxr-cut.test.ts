// Connections to IOS XR routers that break at any message: no leftovers remain, and once
// connections last again every link gets its new pair.

import { describe } from "vitest";
import { platformsOf } from "../conformance/place.ts";
import { keepPromises } from "./router-rotations.ts";

describe("routers that speak IOS XR", () => {
  const tried = platformsOf("iosxr");
  keepPromises({ vendor: "iosxr", tried, cuts: 0.0008, cutMin: 3, resumes: "last" });
});
