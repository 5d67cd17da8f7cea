// The queries and commands to FRR, against recorded answers.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { drainGaps, md5Rise, sessionTrouble } from "#drivers/linux/routing/bgp-trouble.ts";
import {
  type BgpPort,
  type BgpScope,
  readAdvertisements,
  readRouting,
  type SessionObservation,
  takeTurn,
} from "#drivers/linux/routing/frr.ts";
import {
  addressWord,
  meansOf,
  nameWord,
  shellWords,
  vrfWord,
} from "#drivers/linux/routing/frr-commands.ts";
import { LinksealError } from "#hal/error.ts";
import type { DrainMeans } from "#hal/model.ts";
import { never } from "../../../kit/site-bench.ts";
import { PretendFrr } from "../frr-kit.ts";

const port = (...neighbours: string[]): BgpPort => ({ port: "p1", neighbours });
const one = port("192.0.2.2");

/** The ports with exactly these neighbours. */
function scopeOf(ports: readonly BgpPort[]): BgpScope {
  const vrfOf = ({ vrf = "default" }: BgpPort): string => vrf;
  return {
    vrfs: [...new Set(ports.map(vrfOf))],
    viaOf: (vrf, address) => {
      const found = ports.find((each) => vrfOf(each) === vrf && each.neighbours.includes(address));
      return found === undefined ? undefined : { kind: "port", port: found.port };
    },
  };
}
const our = (means: string, way: string): string =>
  `linkseal-${means}.default.ipv4.192.0.2.2.${way}`;

async function refusal(run: Promise<unknown>): Promise<LinksealError> {
  const error: unknown = await run.catch((caught: unknown) => caught);
  if (!(error instanceof LinksealError)) throw new Error("not refused");
  return error;
}

describe("an observation of the routing", () => {
  it("an observation has sessions, paths and drains of the ports in question", async () => {
    const frr = new PretendFrr();
    const ports = [one, { port: "p2", neighbours: ["192.0.2.6", "192.0.2.77"] }];
    const { routing, sessions, md5 } = await readRouting(frr, scopeOf(ports), never);
    expect(routing).toEqual({
      sessions: [
        { port: "p1", peer: "192.0.2.2", up: true, bfd: "off", holdMs: 9_000 },
        { port: "p2", peer: "192.0.2.6", up: false },
      ],
      routes: [
        { prefix: "203.0.113.1/32", via: { kind: "port", port: "p2" }, best: true },
        { prefix: "203.0.113.1/32", via: { kind: "port", port: "p1" }, best: false },
      ],
      drains: [{ port: "p1", means: "prepend" }],
    });
    expect(sessions.map(({ state }) => state)).toEqual(["Established", "Connect"]);
    expect(md5?.failed).toBe(6n);
    expect(frr.sent).toEqual([]);
  });

  it("a session that is shut is a drain", async () => {
    const ports = [
      { port: "p1", neighbours: ["192.0.2.10"] },
      { port: "p2", neighbours: ["2001:db8::2"] },
    ];
    const { routing, sessions } = await readRouting(new PretendFrr(), scopeOf(ports), never);
    expect(routing.drains).toEqual([{ port: "p1", means: "peeringShutdown" }]);
    expect(sessions[1]).toMatchObject({ peer: "2001:db8::2", state: "Active" });
  });

  it("each VRF is queried by itself", async () => {
    const frr = new PretendFrr();
    await readRouting(frr, scopeOf([one, { ...one, port: "p2", vrf: "red" }]), never);
    const asked = frr.asked.filter((line) => line.endsWith("neighbors json"));
    expect(asked).toEqual([
      "show bgp vrf default neighbors json",
      "show bgp vrf red neighbors json",
    ]);
  });

  it("advertisements are queried of sessions that are up", async () => {
    const frr = new PretendFrr();
    const sent = await readAdvertisements(frr, port("192.0.2.2", "192.0.2.6"), never);
    expect(sent.map(({ peer, prefix }) => `${peer} ${prefix}`)).toEqual([
      "192.0.2.2 198.51.100.1/32",
      "192.0.2.2 203.0.113.1/32",
    ]);
    expect(await readAdvertisements(frr, port("192.0.2.6"), never)).toEqual([]);
  });
});

describe("a drain", () => {
  it("a drain by prepending keeps the operator's map in force, in whole maps", async () => {
    const frr = new PretendFrr();
    frr.filter("192.0.2.2", { out: "own-out" });
    frr.routeMaps.bgpd = {};
    await takeTurn(frr, one, "drain", "prepend", never);
    expect(frr.sent).toEqual([
      [
        "configure terminal",
        `route-map ${our("prepend", "in")} permit 20`,
        "set local-preference 50",
        "exit",
        `route-map ${our("prepend", "out")} permit 10`,
        "call own-out",
        "on-match next",
        "exit",
        `route-map ${our("prepend", "out")} permit 20`,
        "set as-path prepend 65010 65010 65010",
        "exit",
        "router bgp 65010",
        "address-family ipv4 unicast",
        `neighbor 192.0.2.2 route-map ${our("prepend", "in")} in`,
        "exit-address-family",
        "address-family ipv4 unicast",
        `neighbor 192.0.2.2 route-map ${our("prepend", "out")} out`,
        "exit-address-family",
        "exit",
      ],
    ]);
  });

  it("a drain in a VRF is sent to the instance of that VRF", async () => {
    const frr = new PretendFrr();
    frr.filter("192.0.2.2", {});
    await takeTurn(frr, { ...one, vrf: "red" }, "drain", "gracefulShutdown", never);
    const [lines] = frr.sent;
    expect(lines).toContain("router bgp 65010 vrf red");
    expect(lines).toContain("set community graceful-shutdown additive");
    expect(lines).toContain("set local-preference 0");
  });

  it("a drain that FRR complains of is refused, whatever the status of its shell", async () => {
    const frr = new PretendFrr();
    frr.filter("192.0.2.2", {});
    frr.refusal = { status: 0, text: "% Specify\u001b[2J remote-as or peer-group commands" };
    const error = await refusal(takeTurn(frr, one, "drain", "prepend", never));
    expect(error).toMatchObject({ code: "device.rejected", effect: "unknown", where: "p1" });
    expect(error.message).toContain("Specify [2J remote-as");
  });

  it("a drain that is in force already sends nothing", async () => {
    const frr = new PretendFrr();
    await takeTurn(frr, one, "drain", "prepend", never);
    await takeTurn(frr, port("192.0.2.10"), "drain", "peeringShutdown", never);
    await takeTurn(frr, one, "restore", "peeringShutdown", never);
    expect(frr.sent).toEqual([]);
  });

  it("a drain by another means replaces the first, and calls what that one called", async () => {
    const frr = new PretendFrr();
    await takeTurn(frr, one, "drain", "gracefulShutdown", never);
    const lines = frr.sent[0] ?? [];
    expect(lines[lines.indexOf(`route-map ${our("graceful-shutdown", "out")} permit 10`) + 1]).toBe(
      "call own-out",
    );
    expect(lines.slice(-2)).toEqual([
      `no route-map ${our("prepend", "in")}`,
      `no route-map ${our("prepend", "out")}`,
    ]);
  });

  it("a map that a crash left unfinished is written anew, and restoring removes it", async () => {
    const frr = new PretendFrr();
    frr.filter("192.0.2.2", {});
    await takeTurn(frr, one, "drain", "prepend", never);
    expect(frr.sent[0]).toContain(`no route-map ${our("prepend", "out")}`);
    expect(frr.sent[0]?.indexOf(`no route-map ${our("prepend", "out")}`)).toBeLessThan(
      frr.sent[0]?.indexOf(`route-map ${our("prepend", "out")} permit 20`) ?? 0,
    );
    await takeTurn(frr, one, "restore", "prepend", never);
    expect(frr.sent[1]).toEqual([
      "configure terminal",
      `no route-map ${our("prepend", "in")}`,
      `no route-map ${our("prepend", "out")}`,
    ]);
  });

  it("a drain never opens a direction that RFC 8212 keeps shut", async () => {
    const frr = new PretendFrr();
    await takeTurn(frr, port("192.0.2.6"), "drain", "prepend", never);
    const lines = frr.sent[0] ?? [];
    expect(lines.filter((line) => line.startsWith("neighbor "))).toEqual([
      "neighbor 192.0.2.6 route-map linkseal-prepend.default.ipv4.192.0.2.6.in in",
    ]);
  });

  it("a drain by shutting sessions sends the far end the reason", async () => {
    const frr = new PretendFrr();
    await takeTurn(frr, one, "drain", "peeringShutdown", never);
    await takeTurn(frr, port("192.0.2.10"), "restore", "peeringShutdown", never);
    expect(frr.sent).toEqual([
      [
        "configure terminal",
        "router bgp 65010",
        "neighbor 192.0.2.2 shutdown message linkseal drains this link",
      ],
      ["configure terminal", "router bgp 65010", "no neighbor 192.0.2.10 shutdown"],
    ]);
  });
});

describe("restoring", () => {
  it("a restore attaches the operator's map before it drops ours", async () => {
    const frr = new PretendFrr();
    await takeTurn(frr, one, "restore", "prepend", never);
    expect(frr.sent).toEqual([
      [
        "configure terminal",
        "router bgp 65010",
        "address-family ipv4 unicast",
        `no neighbor 192.0.2.2 route-map ${our("prepend", "in")} in`,
        "exit-address-family",
        "address-family ipv4 unicast",
        "neighbor 192.0.2.2 route-map own-out out",
        "exit-address-family",
        "exit",
        `no route-map ${our("prepend", "in")}`,
        `no route-map ${our("prepend", "out")}`,
      ],
    ]);
  });

  it("a restore without our map does not guess what was there before", async () => {
    const frr = new PretendFrr();
    frr.routeMaps.bgpd = {};
    const error = await refusal(takeTurn(frr, one, "restore", "prepend", never));
    expect(error).toMatchObject({ code: "device.rejected", effect: "none" });
    expect(frr.sent).toEqual([]);
  });
});

describe("what cannot be done is refused", () => {
  const all: readonly DrainMeans[] = ["prepend", "gracefulShutdown", "peeringShutdown"];

  it.each(all)("%s of a neighbour that FRR does not have is refused", async (means) => {
    const frr = new PretendFrr();
    for (const bad of [port("192.0.2.2", "192.0.2.77"), port()]) {
      const error = await refusal(takeTurn(frr, bad, "drain", means, never));
      expect(error).toMatchObject({ code: "device.rejected", effect: "none", where: "p1" });
    }
    expect(frr.sent).toEqual([]);
  });

  it.each([
    ["% Unknown command: neighbor", 1, "device.rejected"],
    ["VTY configuration is locked by other VTY", 1, "device.locked"],
    ["bgpd is not running", 1, "transport.unreachable"],
  ])("a refusal of FRR has its code: %s", async (text, status, code) => {
    const frr = new PretendFrr();
    frr.refusal = { status, text: `\x1b[1m${text}\n` };
    const error = await refusal(takeTurn(frr, one, "drain", "peeringShutdown", never));
    // FRR may have accepted some of the lines.
    expect(error).toMatchObject({ code, effect: "unknown", where: "FRR" });
    expect(error.message).toContain(text);
    expect(error.message).not.toContain("\x1b");
  });

  it("a map of the operator's that is not a single word is refused", async () => {
    const frr = new PretendFrr();
    frr.filter("192.0.2.2", { out: "own out\nno router bgp" });
    const error = await refusal(takeTurn(frr, one, "drain", "prepend", never));
    expect(error).toMatchObject({ code: "device.rejected", effect: "none" });
    expect(frr.sent).toEqual([]);
  });
});

describe("words of the shell", () => {
  const words = { nameWord, vrfWord, addressWord };

  it("every accepted value is exactly one word of the line", () => {
    const odd = fc.constantFrom(..."|!#?\"' \t\n\r\0;%\x1b\\$`()[]{}<>&*é".split(""));
    const text = fc.oneof(
      fc.string({ unit: "binary" }),
      fc.string({ unit: fc.oneof(odd, fc.constantFrom("a", "0", ".", "-", ":")) }),
      fc.ipV4(),
      fc.ipV6(),
    );
    fc.assert(
      fc.property(text, fc.constantFrom(...Object.values(words)), (value, word) => {
        let taken: string;
        try {
          taken = word(value);
        } catch (error) {
          expect(error).toMatchObject({ code: "device.rejected", effect: "none" });
          return;
        }
        expect(taken).toBe(value);
        const [, line = ""] = shellWords([`neighbor ${taken} shutdown`]);
        expect(line.split(/\s+/)).toEqual(["neighbor", value, "shutdown"]);
        expect(line).toMatch(/^[A-Za-z0-9_.:/@+ -]+$/);
      }),
      { numRuns: 5000 },
    );
  });

  it.each(["", "-c", "a b", "a|b", "a?", "!a", "a\n", "fe80::1%eth0", "x".repeat(129)])(
    "%j is not a word of the shell",
    (text) => {
      for (const word of Object.values(words)) expect(() => word(text)).toThrow(LinksealError);
    },
  );

  it("a VRF named all, and a line with two ends, are refused", () => {
    expect(() => vrfWord("all")).toThrow(LinksealError);
    expect(() => shellWords(["show bgp\nno router bgp"])).toThrow(LinksealError);
  });

  it("a map of the operator's is never taken for ours", () => {
    expect(meansOf("linkseal-prepend")).toBeUndefined();
    expect(meansOf("linkseal-prepend-mine.in")).toBeUndefined();
    expect(meansOf(undefined)).toBeUndefined();
    expect(meansOf(our("prepend", "in"))).toBe("prepend");
    expect(meansOf(our("graceful-shutdown", "out"))).toBe("gracefulShutdown");
  });
});

describe("troubles of sessions", () => {
  const down: SessionObservation = {
    vrf: "default",
    via: { kind: "port", port: "p1" },
    peer: "192.0.2.2",
    asn: 12076,
    isInternal: false,
    families: ["ipv4"],
    up: false,
    state: "Connect",
    shut: false,
    signed: true,
    lastReset: "Hold Timer Expired",
    bfd: "off",
    holdMs: 9_000,
  };
  const none = { failed: 0n, missing: 0n, unexpected: 0n };
  const text = (more: Partial<SessionObservation>, rise: Partial<typeof none> = {}) =>
    sessionTrouble({ ...down, ...more }, { ...none, ...rise });

  it("a session that is up has no trouble; one that is down has the nearest cause", () => {
    expect(text({ up: true }, { failed: 9n })).toBeUndefined();
    expect(text({ shut: true }, { failed: 9n })).toContain("shut by configuration");
    expect(text({}, { failed: 6n })).toContain("wrong MD5 password (RFC 2385): 6 segments");
    expect(text({}, { missing: 2n })).toContain("no MD5 password at the far end: 2 segments");
    expect(text({ signed: false }, { unexpected: 3n })).toContain("no MD5 password here: 3");
    const plain = "192.0.2.2: Connect, ended last by: Hold Timer Expired";
    expect(text({ signed: false }, { failed: 6n, missing: 6n })).toBe(plain);
    expect(text({}, { unexpected: 6n })).toBe(plain);
    expect(sessionTrouble({ ...down, lastReset: undefined }, undefined)).toBe("192.0.2.2: Connect");
  });

  it("only counts between two observations are a cause", () => {
    const before = { failed: 5n, missing: 1n, unexpected: 0n };
    expect(md5Rise(before, before)).toEqual(none);
    expect(md5Rise(before, { ...before, failed: 7n })).toEqual({ ...none, failed: 2n });
    expect(md5Rise(undefined, before)).toBeUndefined();
    expect(md5Rise(before, undefined)).toBeUndefined();
  });

  it("the trouble of an incomplete drain names what goes out unmarked", async () => {
    const sent = await readAdvertisements(new PretendFrr(), one, never);
    expect(drainGaps(sent, "prepend")).toEqual([]);
    expect(drainGaps(sent, "gracefulShutdown")).toHaveLength(2);
    expect(drainGaps(sent, "peeringShutdown")).toHaveLength(2);
    const plain = [
      { peer: "192.0.2.2", prefix: "::/0", path: ["1", "1"], communities: ["65535:0"] },
    ];
    expect(drainGaps(plain, "gracefulShutdown")).toEqual([]);
    expect(drainGaps(plain, "prepend")).toEqual([
      "::/0 goes out to 192.0.2.2 as if nothing were drained",
    ]);
  });
});
