// The whole agent against routers that speak IOS XE, on virtual time: first keys, then rotations,
// each by what its platform can hold, in good weather and over connections that break, under the
// eyes of the oracle.

import { describe, expect } from "vitest";
import { platformsOf } from "../conformance/place.ts";
import { getNewPairs, keepPromises } from "./router-rotations.ts";
import type { RouterStage } from "./router-stage.ts";

/** The far end of this site speaks with extended packet numbers. */
const tried = platformsOf("iosxe").filter(([, { less }]) => less.suites === undefined);

/** Under an XPN suite each key comes between a port that is shut and one that is open again. */
function watch(stage: RouterStage): () => void {
  const told: string[] = [];
  stage.site.onEffect(({ by, what }) => {
    if (by === "agent" && /^(?:port\.|macsec\..*Key$)/.test(what)) told.push(what);
  });
  return () => {
    const keys = told.filter((what) => what.startsWith("macsec."));
    expect(keys.length).toBeGreaterThan(0);
    expect(told.filter((what) => what === "port.shut")).toHaveLength(keys.length);
    expect(told.filter((what) => what === "port.open")).toHaveLength(keys.length);
  };
}

describe("routers that speak IOS XE", () => {
  const how = ", each with its port shut (CSCvt33018)";
  getNewPairs({ vendor: "iosxe", tried, promotes: true, how, watch });
  keepPromises({ vendor: "iosxe", tried, cuts: 0.001, cutMin: 1, resumes: "last" });
});
