// A port without MACsec: only a link whose frames pass is reported as in the clear, never one
// without traffic.

import { describe, expect, it } from "vitest";
import { deriveLinkHealth } from "#agent/health/health.ts";
import type { LinkEvidence } from "#agent/model/health.ts";
import { bgpOf } from "#agent/model/link-snapshot.ts";
import { known, type Routing } from "#hal/model.ts";
import { routing, stateOf as stateWith } from "../../kit/snapshot-kit.ts";
import {
  always,
  at,
  type Bend,
  evidence,
  judged,
  moving,
  over,
  peer,
  portObservation,
  reasonsOf,
} from "../health-evidence.ts";

const bare = (bend: Bend = {}) => always({ settings: "none", ...bend });
const free = { expected: undefined } as const;
const keyed = { ...peer({}), ...free };
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
      { ...peer({ provisioning: "updating" }), ...free, bgp: "down" },
      "unknown",
      code,
    ],
    ["far end off, BGP down", bare(), { ...off, bgp: "down" }, "unknown", code],
    [
      "far end unread, BGP down",
      bare(),
      { peer: undefined, ...free, bgp: "down" },
      "unknown",
      code,
    ],
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
    ["far end unread", bare(), { peer: undefined, ...free }, "unprotected", code],
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

describe("a managed link whose port lost MACsec", () => {
  const reasonOf = (change: Partial<LinkEvidence>, course = bare()) =>
    deriveLinkHealth(evidence(course, change)).reasons[0];

  it("a port that lost MACsec with its key is led to that key, and never to an enrolment", () => {
    const next = "linkseal explain key-gone erd-demo/primary";
    expect(reasonOf({ ...peer({}), bgp: "up" })).toMatchObject({ code: "key-gone", next });
    expect(reasonOf({ peer: undefined })).toMatchObject({ code: "key-gone", next });
    expect(reasonOf({ ...off, bgp: "up" })).toMatchObject({
      code,
      next: "linkseal retire link erd-demo/primary, then linkseal enrol erd-demo",
    });
    expect(reasonOf({ ...keyed, ...free })).toMatchObject({
      code,
      next: "linkseal enrol erd-demo",
    });
  });

  it("no link whose far end drops clear frames is said to carry everything in the clear", () => {
    const drops =
      "edge-a et-0/0/0 has no MACsec, and the far end (link1 of erd-demo) has it on with " +
      "erd-demo-1-cak/v1: what the router sends is in the clear and is dropped there, so nothing " +
      "is carried";
    const open = "edge-a et-0/0/0 has no MACsec, so everything on this link is in the clear";
    const textOf = (change: Partial<LinkEvidence>, course = bare()) =>
      reasonOf(change, course)?.text;
    expect(textOf({ ...keyed, bgp: "up" })).toBe(drops);
    expect(textOf(keyed, bare({ pps: 5 }))).toBe(drops);
    expect(textOf({ ...keyed, ...probe(1, 90_000) })).toBe(open);
    const late = over(moving, (index) => (index < 10 ? {} : { settings: "none" }));
    expect(textOf({ ...keyed, ...probe(1, now - 40_000) }, late)).toBe(drops);
    expect(textOf({ ...peer({ provisioning: "updating" }), bgp: "up" })).toBe(open);
    expect(textOf({ ...off, bgp: "up" })).toBe(open);
    expect(textOf({ peer: undefined })).toBe(open);
  });
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
