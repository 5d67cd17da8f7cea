// The whole agent with simulated IOS XE routers, on virtual time: first keys, then rotations by the
// means that each platform has, with and without broken connections, under the oracle.

import { describe, expect } from "vitest";
import { platformsOf } from "../conformance/place.ts";
import { getNewPairs, keepPromises } from "./router-rotations.ts";
import type { RouterStage } from "./router-stage.ts";

/** The far end of this site uses extended packet numbers. */
const tried = platformsOf("iosxe").filter(([, { less }]) => less.suites === undefined);

/**
 * Checks that under an XPN suite each key is written between the shutdown of the port and its
 * reopening.
 */
function watch(stage: RouterStage): () => void {
  const reported: string[] = [];
  stage.site.onEffect(({ by, what }) => {
    if (by === "agent" && /^(?:port\.|macsec\..*Key$)/.test(what)) reported.push(what);
  });
  return () => {
    const keys = reported.filter((what) => what.startsWith("macsec."));
    expect(keys.length).toBeGreaterThan(0);
    expect(reported.filter((what) => what === "port.shut")).toHaveLength(keys.length);
    expect(reported.filter((what) => what === "port.open")).toHaveLength(keys.length);
  };
}

describe("routers that speak IOS XE", () => {
  const how = ", each with its port shut (CSCvt33018)";
  getNewPairs({ vendor: "iosxe", tried, promotes: true, how, watch });
  keepPromises({ vendor: "iosxe", tried, cuts: 0.001, cutMin: 1, resumes: "last" });
});
