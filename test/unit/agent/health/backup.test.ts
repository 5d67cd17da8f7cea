// A tunnel as the backup of links: how its traffic is routed, when that is not a path in the clear,
// and when it cannot be relied on.

import { describe, expect, it } from "vitest";
import { backupGap, ridingOf } from "#agent/health/backup.ts";
import { deriveTunnelHealth } from "#agent/health/tunnel.ts";
import type { BackedLink, ProofLog, TunnelEvidence, Verdict } from "#agent/model/health.ts";
import { known, type Route, type Routing, unknown } from "#hal/model.ts";
import type { WallTime } from "#hal/world.ts";
import {
  at,
  link,
  routing,
  tunnel,
  tunnelEvidence,
  tunnelObservation,
} from "../health-evidence.ts";

const hub = "10.100.0.0/16";
const newest = at(95_000);
const backs = { group: "erd-demo", links: [link], proveMs: 300_000 };
const bgp = { local: "169.254.21.2", peer: "169.254.21.1", asn: 65_515 };
const backup = { ...tunnel, bgp, backs };

const over = (prefix = hub, port = "p1", best = true): Route => ({
  ...{ prefix, best },
  via: { kind: "port", port },
});
const into = (prefix = hub, name = "hub-1", best = true): Route => ({
  ...{ prefix, best },
  via: { kind: "tunnel", name },
});
const reason = { code: "link-down", text: "there is no light", next: "linkseal links" } as const;
const backed = (change: Partial<BackedLink> = {}): BackedLink => ({
  ...{ id: "erd-demo/primary", port: "p1", verdict: "protected", reason: undefined, drain: "off" },
  ...change,
});
const down = backed({ verdict: "down", reason });

describe("the traffic that a backup protects", () => {
  const rides = (routes: readonly Route[], ...links: readonly BackedLink[]) =>
    ridingOf(backup, known(routes, newest), links);

  it.each<{
    readonly how: string;
    readonly routes: readonly Route[];
    readonly links: readonly BackedLink[];
    readonly kind: string;
  }>([
    {
      how: "by the link",
      routes: [over(), into(hub, "hub-1", false)],
      links: [backed()],
      kind: "standby",
    },
    { how: "by another tunnel", routes: [into(hub, "hub-2")], links: [down], kind: "standby" },
    { how: "nowhere", routes: [], links: [down], kind: "standby" },
    { how: "by it, with no link", routes: [into()], links: [down], kind: "carries" },
    {
      how: "by it, with a drained link",
      routes: [over(hub, "p1", false), into()],
      links: [backed({ drain: "on" })],
      kind: "carries",
    },
    {
      how: "by it, with a link without a route",
      routes: [into()],
      links: [backed()],
      kind: "carries",
    },
    {
      how: "by it, with a link of unknown state",
      routes: [over(), into()],
      links: [backed({ verdict: "unknown" })],
      kind: "carries",
    },
    {
      how: "by it, beside a link",
      routes: [over(hub, "p1", false), into()],
      links: [backed()],
      kind: "preferred",
    },
    {
      how: "by it, beside a degraded link",
      routes: [over(hub, "p1", false), into()],
      links: [backed({ verdict: "degraded" })],
      kind: "preferred",
    },
    {
      how: "by it, beside a second link",
      routes: [over(hub, "p2", false), into()],
      links: [down, backed({ port: "p2" })],
      kind: "preferred",
    },
    { how: "by both alike", routes: [over(), into()], links: [backed()], kind: "preferred" },
    {
      how: "a part of it",
      routes: [over(), into("10.100.7.0/24")],
      links: [backed()],
      kind: "preferred",
    },
    {
      how: "more than it, which is shorter",
      routes: [over(), into("10.0.0.0/8")],
      links: [backed()],
      kind: "standby",
    },
    {
      how: "beside what is longer and elsewhere",
      routes: [over("192.0.2.0/24"), into("192.0.2.0/25"), into()],
      links: [down],
      kind: "carries",
    },
    {
      how: "by the link, with something else in it",
      routes: [over(), into("10.200.7.0/24")],
      links: [down],
      kind: "standby",
    },
    {
      how: "by it, with a route over a port of no link",
      routes: [over(hub, "p9", false), into()],
      links: [backed()],
      kind: "carries",
    },
    {
      how: "by it, with a link that leads elsewhere",
      routes: [over("192.0.2.0/24", "p1"), into()],
      links: [backed()],
      kind: "carries",
    },
    {
      how: "but for the neighbour inside",
      routes: [over(), into("169.254.21.1/32")],
      links: [backed()],
      kind: "standby",
    },
  ])("protected traffic of a backup is routed $how", ({ routes, links, kind }) => {
    expect(rides(routes, ...links).kind).toBe(kind);
  });

  it("the address of the BGP neighbour within a protected prefix is not protected traffic", () => {
    const own = { ...backup, bgp: { ...bgp, peer: "10.100.255.30" } };
    const routes = known([over(), into("10.100.255.30/32")], newest);
    expect(ridingOf(own, routes, [backed()])).toEqual({ kind: "standby" });
  });

  it("the status of a backup names every link's reason, or the link that would carry", () => {
    const drained = backed({ id: "erd-demo/secondary", port: "p2", drain: "on" });
    expect(rides([into()], down, drained)).toEqual({
      ...{ kind: "carries", prefix: hub },
      because: "erd-demo/primary is down (link-down), erd-demo/secondary is drained",
    });
    expect(rides([into()], backed({ verdict: "down" }))).toMatchObject({
      because: "erd-demo/primary is down",
    });
    expect(rides([into()], backed())).toMatchObject({
      because: "erd-demo/primary brings no route",
    });
    expect(rides([over(hub, "p1", false), into()], backed())).toEqual({
      ...{ kind: "preferred", prefix: hub },
      because: `erd-demo/primary is protected and brings ${hub} as well`,
    });
    expect(rides([over(), into("10.100.7.0/24")], backed())).toEqual({
      ...{ kind: "preferred", prefix: "10.100.7.0/24" },
      because: `erd-demo/primary is protected and brings ${hub}, and the longer prefix wins`,
    });
  });

  it("the routing of a backup is unknown if the device does not report its routes", () => {
    const blind = ridingOf(backup, unknown("queryFailed", newest), [backed()]);
    expect(blind).toEqual({ kind: "unknown", because: "edge-a does not report its routes" });
    expect(ridingOf(backup, undefined, [backed()]).kind).toBe("unknown");
  });
});

describe("a route over a port of a backed link", () => {
  const observations = [tunnelObservation(0, 100), tunnelObservation(95_000, 900)];
  const session = { tunnel: "hub-1", peer: bgp.peer, asn: bgp.asn, up: true };
  const reported = (routes: readonly Route[], change: Partial<Routing> = {}) =>
    known({ ...routing, routes, tunnelSessions: [session], ...change }, newest);
  const open = [{ prefix: hub, ports: ["p1"], open: ["p1"] }];
  const shut = [{ prefix: hub, ports: ["p1"], open: [] }];
  const health = (
    own: BackedLink,
    change: Partial<TunnelEvidence> = {},
    pass: typeof open | typeof shut = open,
  ) =>
    deriveTunnelHealth(
      tunnelEvidence(observations, {
        tunnel: backup,
        routing: reported([over()]),
        blocked: known([hub], newest),
        backup: { links: [own], backed: known(pass, newest), proof: undefined },
        ...change,
      }),
    );

  it.each<{
    readonly verdict: Verdict;
    readonly own: Verdict;
    readonly code: string;
    readonly text: string;
  }>([
    { verdict: "protected", own: "protected", code: "", text: "" },
    { verdict: "degraded", own: "protected", code: "", text: "" },
    {
      verdict: "unknown",
      own: "unknown",
      code: "link-down",
      text: "is the backup of erd-demo/primary, which is unknown",
    },
    {
      verdict: "down",
      own: "degraded",
      code: "clear-path-beside-tunnel",
      text: "nothing leaves there",
    },
    {
      verdict: "unprotected",
      own: "down",
      code: "clear-path-beside-tunnel",
      text: "it is blocked there",
    },
  ])(
    "a route over a link that is $verdict makes the tunnel $own",
    ({ verdict, own, code, text }) => {
      const { verdict: reasonText, reasons } = health(backed({ verdict, reason }));
      expect([reasonText, reasons[0]?.code ?? ""]).toEqual([own, code]);
      expect(reasons[0]?.text ?? "").toContain(text);
    },
  );

  it("a route over a link without MACsec and without block is in the clear", () => {
    const clear = backed({ verdict: "unprotected", reason });
    expect(health(clear, { blocked: known([], newest) }).verdict).toBe("unprotected");
  });

  it("a route that only waits for a link to return is not reported", () => {
    const change = { routing: reported([into(), over(hub, "p1", false)]) };
    const { verdict } = health(backed({ verdict: "down", reason }), change);
    expect(verdict).toBe("protected");
    const open = health(backed({ verdict: "unprotected", reason }), change);
    expect(open.reasons[0]?.code).toBe("clear-path-beside-tunnel");
  });

  it("a route over a link whose block is shut loses its traffic", () => {
    const { verdict, reasons } = health(backed(), {}, shut);
    expect([verdict, reasons[0]?.code]).toEqual(["down", "clear-path-beside-tunnel"]);
    expect(reasons[0]?.text).toContain("it is blocked there, and what takes that way is lost");
  });

  it("a block whose exemptions cannot be read is not called shut, one without them is", () => {
    const seen = (ways: NonNullable<TunnelEvidence["backup"]>["backed"]) =>
      health(backed(), { backup: { links: [backed()], backed: ways, proof: undefined } });
    expect(seen(unknown("queryFailed", newest)).verdict).toBe("protected");
    expect(seen(undefined).reasons[0]?.text).toContain("it is blocked there");
    const other = { prefix: "10.9.0.0/16", ports: ["p1"], open: ["p1"] };
    expect(health(backed(), {}, [...open, { ...other, open: [] }]).verdict).toBe("protected");
    expect(health(backed(), {}, [...shut, other]).verdict).toBe("down");
  });

  it("a route over a link that is down loses its traffic, blocked or not", () => {
    const { verdict, reasons } = health(down, { blocked: known([], newest) });
    expect([verdict, reasons[0]?.text]).toEqual([
      "degraded",
      `edge-a reaches ${hub} over p1 (route ${hub}), beside the tunnel hub-1; ` +
        "nothing leaves there, and what takes that way is lost",
    ]);
  });

  it("of several links with unknown state the first one is reported", () => {
    const why = { ...reason, code: "reading-stale" } as const;
    const links = [
      backed({ verdict: "unknown", reason }),
      backed({ id: "erd-demo/secondary", port: "p2", verdict: "unknown", reason: why }),
    ];
    const both = { ...backup, remotePrefixes: [hub, "10.101.0.0/16"] };
    const { reasons } = health(down, {
      tunnel: both,
      routing: reported([over(), over("10.101.0.0/16", "p2")]),
      blocked: known([hub, "10.101.0.0/16"], newest),
      backup: { links, backed: known(open, newest), proof: undefined },
    });
    expect(reasons.map(({ code }) => code)).toEqual(["link-down"]);
  });

  it("a link carries on before its backup tunnel exists, and is not blocked", () => {
    const blocked = { blocked: known<readonly string[]>([], newest) };
    const { verdict, reasons } = health(backed(), blocked, shut);
    expect([verdict, reasons.map(({ code }) => code)]).toEqual(["degraded", ["guard-missing"]]);
  });

  it("a route over the port of another link is in the clear as always", () => {
    const { reasons } = health(backed(), { routing: reported([over(hub, "p9")]) });
    expect(reasons[0]).toMatchObject({ code: "clear-path-beside-tunnel" });
    const beside = reported([over(), over("10.100.7.0/24", "p9", false)]);
    expect(health(backed(), { routing: beside }).reasons[0]?.text).toContain("over p9");
    const around = reported([over(), over("0.0.0.0/0", "p9")]);
    expect(health(backed(), { routing: around }).verdict).toBe("protected");
  });

  it("a link under MACsec may advertise this side's prefixes", () => {
    const advertised = [{ port: "p1", peer: "192.0.2.2", prefix: "10.1.0.0/16" }];
    const change = { routing: reported([over()], { advertised }) };
    expect(health(backed(), change).verdict).toBe("protected");
    expect(health(backed({ verdict: "unprotected", reason }), change).reasons[0]?.code).toBe(
      "clear-path-beside-tunnel",
    );
    const away = { routing: reported([into()], { advertised }) };
    expect(health(backed(), away).verdict).toBe("protected");
    const bare = health(backed({ verdict: "unprotected", reason }), away);
    expect(bare.reasons[0]?.text).toContain("sends 192.0.2.2 over p1");
    const elsewhere = {
      routing: reported([over()], { advertised: [{ ...advertised[0], port: "p9" } as never] }),
    };
    expect(health(backed(), elsewhere).reasons[0]?.text).toContain("sends 192.0.2.2 over p9");
  });

  it.each([
    ["that was never enrolled", "macsec-not-configured"],
    ["that lost MACsec with its key", "key-gone"],
  ] as const)("a link in the clear %s keeps its backup tunnel from being set up", (_, code) => {
    const bare = backed({
      ...{ id: "erd-demo/secondary", port: "p2", verdict: "unprotected" },
      reason: { ...reason, code },
    });
    const absent = tunnelEvidence([], {
      tunnel: backup,
      backup: { links: [backed(), bare], backed: undefined, proof: undefined },
      routing: reported([into()]),
    });
    const reasonText = deriveTunnelHealth(absent)
      .reasons.map(({ text }) => text)
      .join();
    expect(reasonText).toContain("it waits until erd-demo/secondary is under MACsec");
  });
});

describe("the proof of a backup", () => {
  const proveMs = 300_000;
  const proven = { at: at(0), wall: 0 as WallTime };
  const log = (change: Partial<ProofLog> = {}): ProofLog => ({
    ...{ since: at(0), proven, failures: 0, cause: undefined },
    ...change,
  });

  it.each<{
    readonly what: string;
    readonly seen: ProofLog | undefined;
    readonly ms: number;
    readonly isGood: boolean;
  }>([
    { what: "fresh", seen: log(), ms: 0, isGood: true },
    { what: "three intervals old", seen: log(), ms: 3 * proveMs, isGood: true },
    { what: "older", seen: log(), ms: 3 * proveMs + 1, isGood: false },
    { what: "failed once since", seen: log({ failures: 1, cause: "lost" }), ms: 1, isGood: true },
    { what: "failed twice since", seen: log({ failures: 2, cause: "lost" }), ms: 1, isGood: false },
    { what: "not there yet", seen: log({ proven: undefined }), ms: proveMs, isGood: false },
    { what: "never there", seen: log({ proven: undefined }), ms: 3 * proveMs + 1, isGood: false },
    { what: "not tried at all", seen: undefined, ms: 9 * proveMs, isGood: false },
  ])("a proof that is $what is good for the tested time", ({ seen, ms, isGood }) => {
    expect(backupGap(seen, proveMs, at(ms)) === undefined).toBe(isGood);
  });

  it("an unproven backup reports why, and when it was last proven", () => {
    expect(backupGap(log({ failures: 2, cause: "none came" }), proveMs, at(1))).toBe(
      "none came; it was proven last at 1970-01-01T00:00:00Z",
    );
    expect(backupGap(log({ proven: undefined }), proveMs, at(9 * proveMs))).toBe(
      "no proof could be tried; it was never proven",
    );
    const proof = log({ failures: 2, cause: "none came" });
    const evidence = { links: [backed()], backed: undefined, proof };
    const observations = [tunnelObservation(0, 100), tunnelObservation(95_000, 900)];
    const session = { tunnel: "hub-1", peer: bgp.peer, asn: bgp.asn, up: true };
    const { verdict, reasons } = deriveTunnelHealth(
      tunnelEvidence(observations, {
        ...{ tunnel: backup, backup: evidence },
        routing: known({ ...routing, tunnelSessions: [session] }, newest),
      }),
    );
    expect([verdict, reasons[0]?.code]).toEqual(["degraded", "backup-unproven"]);
    const late = log({ proven: { at: at(100_000), wall: 0 as WallTime } });
    expect(backupGap(late, 60_000, at(100_001))).toBeUndefined();
    expect(reasons[0]?.text).toContain("hub-1 would be the backup of erd-demo");
  });
});
