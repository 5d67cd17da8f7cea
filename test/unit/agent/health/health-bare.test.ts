// A port without MACsec: only a link whose frames pass is reported as in the clear, never one
// without traffic.

import { describe, expect, it } from "vitest";
import type { LinkEvidence } from "#agent/model/health.ts";
import { bgpOf } from "#agent/model/link-snapshot.ts";
import { known, type Routing } from "#hal/model.ts";
import { routing, stateOf as stateWith } from "../../kit/snapshot-kit.ts";
import {
  always,
  at,
  type Bend,
  judged,
  peer,
  portObservation,
  reasonsOf,
} from "../health-evidence.ts";

const bare = (bend: Bend = {}) => always({ settings: "none", ...bend });
const keyed = peer({});
const off = peer({ pointsAt: undefined });
const now = 95_800;
const probe = (answered: number, ageMs = 0): Partial<LinkEvidence> => ({
  probe: { at: at(now - ageMs), sent: 20, answered },
});
const code = "macsec-not-configured";

describe("a link without traffic is never called in the clear", () => {
  judged("no MACsec and no traffic,", [
    ["far end keyed, BGP down", bare(), { ...keyed, bgp: "down" }, "down", code],
    ["far end keyed, nothing known", bare(), keyed, "unknown", code],
    [
      "far end takes its key just now, BGP down",
      bare(),
      { ...peer({ provisioning: "updating" }), bgp: "down" },
      "unknown",
      code,
    ],
    ["far end off, BGP down", bare(), { ...off, bgp: "down" }, "unknown", code],
    ["far end unread, BGP down", bare(), { peer: undefined, bgp: "down" }, "unknown", code],
    [
      "far end keyed, BGP down, and MKPDUs alone come in",
      bare({ pps: 4 }),
      { ...keyed, bgp: "down" },
      "down",
      code,
    ],
    [
      "far end keyed, BGP down, and a probe that was lost",
      bare(),
      { ...keyed, bgp: "down", ...probe(0) },
      "down",
      code,
    ],
    [
      "far end keyed, BGP down, and a probe of long ago",
      bare(),
      { ...keyed, bgp: "down", ...probe(20, 90_001) },
      "down",
      code,
    ],
  ]);

  it("a link without traffic has its true cause named", () => {
    expect(reasonsOf(bare(), { ...keyed, bgp: "down" })).toEqual([
      "HERE has no MACsec, and FAR has it on with erd-demo-1-cak/v1: no frame passes, and no BGP " +
        "session of the link is up",
    ]);
    expect(reasonsOf(bare(), keyed)).toEqual([
      "HERE has no MACsec, and FAR has it on with erd-demo-1-cak/v1: nothing shows that frames " +
        "pass",
    ]);
    expect(reasonsOf(bare(), { ...off, bgp: "down" })).toEqual([
      "HERE has no MACsec, and nothing shows that frames pass: no BGP session of the link is up",
    ]);
  });
});

describe("a link without MACsec is in the clear while frames pass", () => {
  judged("no MACsec and traffic,", [
    ["far end off, BGP up", bare(), { ...off, bgp: "up" }, "unprotected", code],
    ["far end off, nothing known of BGP", bare(), off, "unprotected", code],
    ["far end unread", bare(), { peer: undefined }, "unprotected", code],
    ["far end keyed by its document, BGP up", bare(), { ...keyed, bgp: "up" }, "unprotected", code],
    [
      "far end keyed, and a probe came back",
      bare(),
      { ...keyed, bgp: "down", ...probe(1, 90_000) },
      "unprotected",
      code,
    ],
    ["far end keyed, and data comes in", bare({ pps: 5 }), keyed, "unprotected", code],
  ]);
});

describe("the BGP sessions of a port", () => {
  const session = (up: boolean) => ({ port: "et-0/0/0", peer: "192.0.2.2", up });
  const stateOf = (over: Pick<Routing, "sessions" | "drains">) =>
    stateWith(portObservation(0), { routing: known({ ...routing, ...over }, at(0)) });
  const down = { sessions: [session(false)], drains: [] };
  const drained = (means: "prepend" | "peeringShutdown") =>
    stateOf({ ...down, drains: [{ port: "et-0/0/0", means }] });
  it.each([
    ["one of two is up", stateOf({ sessions: [session(false), session(true)], drains: [] }), "up"],
    ["none is up", stateOf(down), "down"],
    ["none is there", stateOf({ sessions: [], drains: [] }), undefined],
    ["down while a longer path drains it", drained("prepend"), "down"],
    ["shut to drain it", drained("peeringShutdown"), undefined],
    ["of a device that cannot be read", undefined, undefined],
  ] as const)("the BGP sessions of a port: %s", (_name, state, bgp) => {
    expect(bgpOf(state, "et-0/0/0")).toBe(bgp);
  });
});
