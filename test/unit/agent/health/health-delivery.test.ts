// Delivery as a claim of its own: what the other end sends proves nothing of what we send, a round
// trip does, and silence counts only on a path that answered before under the same settings.

import { describe, expect, it } from "vitest";
import { advanceTrips, deliveryOf, type RoundTrip, silenceOf } from "#agent/health/delivery.ts";
import { deriveLinkHealth } from "#agent/health/health.ts";
import { deriveTunnelHealth } from "#agent/health/tunnel.ts";
import type { RoundTrips } from "#agent/model/health.ts";
import { type IpsecTunnel, known, type Routing } from "#hal/model.ts";
import type { WallTime } from "#hal/world.ts";
import {
  at,
  evidence,
  moving,
  routing,
  tunnel,
  tunnelEvidence,
  tunnelObservation,
} from "../health-evidence.ts";

const nowMs = 95_000;
const wall = Date.UTC(2026, 0, 1, 12, 0, 0) as WallTime;

const trips = (change: Partial<RoundTrips> = {}): RoundTrips => ({
  under: "the settings of now",
  answered: { at: at(nowMs - 10_000), wall },
  at: at(nowMs - 10_000),
  silent: 0,
  ...change,
});
const silent: Partial<RoundTrips> = {
  answered: { at: at(nowMs - 60_000), wall },
  at: at(nowMs - 2_000),
  silent: 2,
};
const shut: Partial<RoundTrip> = { isOpen: false };
const unsent: Partial<RoundTrip> = { sent: 0 };
const codesOf = ({ reasons }: { readonly reasons: readonly { readonly code: string }[] }) =>
  reasons.map(({ code }) => code);

describe("the delivery over a tunnel", () => {
  const peer = "169.254.21.1";
  const inside = { ...tunnel, bgp: { local: "169.254.21.2", peer, asn: 65_515 } };
  const sessions = [{ tunnel: tunnel.name, peer, asn: 65_515, up: true }];
  const routed = known<Routing>({ ...routing, tunnelSessions: sessions }, at(nowMs));
  const health = (
    own: RoundTrips | undefined,
    observations: readonly IpsecTunnel[] = [
      tunnelObservation(0, 100),
      tunnelObservation(nowMs, 900),
    ],
    silence: "alone" | "all" = "alone",
  ) =>
    deriveTunnelHealth({
      ...tunnelEvidence(observations),
      tunnel: inside,
      routing: routed,
      trips: own,
      silence,
    });

  it("a tunnel without answers is degraded although the gateway's packets come", () => {
    const { verdict, reasons } = health(trips(silent));
    expect([verdict, codesOf({ reasons })]).toEqual(["degraded", ["arrival-not-proven"]]);
    const own = "packets of 203.0.113.1 reach edge-a by hub-1, and nothing shows that what is sent";
    expect(reasons[0]?.text).toBe(
      `${own} arrives: 2 round trips in a row had no answer, the last one that had was at ` +
        "2026-01-01T12:00:00Z",
    );
  });

  it("silence on all paths at once is told as one cause, and is no worse", () => {
    const { verdict, reasons } = health(trips(silent), undefined, "all");
    expect([verdict, codesOf({ reasons })]).toEqual(["degraded", ["arrival-not-proven"]]);
    expect(reasons[0]?.text).toMatch(/one cause/);
  });

  it.each<[string, RoundTrips | undefined]>([
    ["no probe is possible", undefined],
    ["a probe was never answered under these settings", trips({ answered: undefined, silent: 7 })],
    ["the last answer is too old", trips({ answered: { at: at(1_000), wall }, at: at(1_000) })],
  ])("%s: what is sent is protected, and its arrival is not visible", (_, own) => {
    const told = health(own);
    expect([told.verdict, codesOf(told)]).toEqual(["protected", ["arrival-not-visible"]]);
    expect(told.reasons[0]?.text).toMatch(/sent, arrival not visible/);
  });

  it.each<[string, RoundTrips]>([
    ["an answer", trips()],
    ["one lost round trip", trips({ silent: 1 })],
  ])("%s leaves a tunnel protected without a reason", (_, own) => {
    expect(health(own)).toEqual({ verdict: "protected", reasons: [] });
  });

  it("a tunnel that sends nothing claims nothing of an arrival", () => {
    const idle = [tunnelObservation(0, 900), tunnelObservation(nowMs, 900)];
    expect(health(undefined, idle)).toEqual({ verdict: "protected", reasons: [] });
  });
});

describe("the delivery over a link", () => {
  const health = (own: RoundTrips | undefined, silence: "alone" | "all" = "alone") =>
    deriveLinkHealth(evidence(moving, { trips: own, silence }));

  it("a link whose round trips fell silent is degraded although the far end's frames come", () => {
    const told = health(trips(silent));
    expect([told.verdict, codesOf(told)]).toEqual(["degraded", ["arrival-not-proven"]]);
    expect(told.reasons[0]?.text).toMatch(
      /frames of the far end .* reach .*, and nothing shows that what is sent arrives/,
    );
  });

  it("a link without a probe is protected, and the arrival of what it sends is not visible", () => {
    const told = health(undefined);
    expect([told.verdict, codesOf(told)]).toEqual(["protected", ["arrival-not-visible"]]);
  });

  it("a link whose round trips are answered is protected without a reason", () => {
    expect(codesOf(health(trips()))).toEqual([]);
  });
});

describe("the round trips of a path", () => {
  const trip = (change: Partial<RoundTrip> = {}): RoundTrip => ({
    ...{ under: "one", at: at(1_000), wall, sent: 5, answered: 0, isOpen: true },
    ...change,
  });
  const tripsAfter = (...ended: readonly Partial<RoundTrip>[]): RoundTrips | undefined =>
    ended.reduce<RoundTrips | undefined>(
      (before, one) => advanceTrips(before, trip(one)),
      undefined,
    );
  const kindOf = (...ended: readonly Partial<RoundTrip>[]): string =>
    deliveryOf(tripsAfter(...ended), at(2_000), { evidenceMs: 90_000 }).kind;
  const answer = { answered: 3 };

  it.each<[string, readonly Partial<RoundTrip>[], string]>([
    ["an answer proves it", [answer], "proven"],
    ["silence alone proves nothing", [{}, {}, {}], "notVisible"],
    ["one lost round trip is chance", [answer, {}], "proven"],
    ["two in a row are silence", [answer, {}, {}], "silent"],
    ["an answer ends silence", [answer, {}, {}, answer], "proven"],
    [
      "silence under other settings proves nothing",
      [answer, { under: "two" }, { under: "two" }],
      "notVisible",
    ],
    ["silence of a path that is not open is that of its end", [answer, shut, shut], "proven"],
    ["a round trip of which nothing was sent is none", [answer, unsent, unsent], "proven"],
  ])("%s", (_, ended, kind) => {
    expect(kindOf(...ended)).toBe(kind);
  });

  it("silence lasts while a path is not tried, and an answer does not", () => {
    const late = at(1_000_000);
    const settings = { evidenceMs: 90_000 };
    expect(deliveryOf(tripsAfter(answer, {}, {}), late, settings).kind).toBe("silent");
    expect(deliveryOf(tripsAfter(answer), late, settings).kind).toBe("notVisible");
  });

  it.each<[string, readonly (RoundTrips | undefined)[], string]>([
    [
      "every path that ever answered",
      [tripsAfter(answer, {}), tripsAfter(answer, {}), undefined],
      "all",
    ],
    ["one of two", [tripsAfter(answer, {}), tripsAfter(answer)], "alone"],
    ["the only one that ever answered", [tripsAfter(answer, {}), tripsAfter({})], "alone"],
  ])("silence of %s", (_, paths, silence) => {
    expect(silenceOf(paths)).toBe(silence);
  });
});
