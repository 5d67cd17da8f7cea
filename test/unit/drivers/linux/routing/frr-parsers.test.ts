// The output of FRR inside the machine of the kernel tier, and what it might print.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  documentsIn,
  readAdvertised,
  readMd5Counters,
  readNeighbours,
  readRouteMaps,
  readRoutes,
} from "#drivers/linux/routing/frr-parsers.ts";
import { LinksealError } from "#hal/error.ts";
import { processorMs } from "../../../kit/processor-time.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

function recorded(name: string): Uint8Array {
  return readFileSync(join(import.meta.dirname, "../../../recorded", `frr-${name}.txt`));
}
const answer = (name: string): unknown => documentsIn(recorded(name), 1)[0];

/** Returns what a parser makes of a value: "read", or the code of its error. */
function outcome(run: () => unknown): string {
  try {
    run();
    return "read";
  } catch (error) {
    if (error instanceof LinksealError && error.effect === "none") return error.code;
    throw error;
  }
}

const readers = { readNeighbours, readRoutes, readAdvertised, readRouteMaps };

describe("parsers of FRR's output", () => {
  it("neighbours have state, signature, maps of both directions, and the last reset", () => {
    const neighbours = readNeighbours(answer("neighbors"));
    expect([...neighbours.keys()]).toEqual(["192.0.2.2", "192.0.2.6", "192.0.2.10", "2001:db8::2"]);
    expect(neighbours.get("192.0.2.2")).toEqual({
      state: "Established",
      asn: 12076,
      isInternal: false,
      shut: false,
      signed: true,
      lastReset: undefined,
      ...{ bfd: "off", holdMs: 9_000 },
      families: [
        {
          family: "ipv4",
          in: { routeMap: "linkseal-prepend.default.ipv4.192.0.2.2.in", closed: false },
          out: { routeMap: "linkseal-prepend.default.ipv4.192.0.2.2.out", closed: false },
          received: 1,
          sent: 2,
        },
      ],
    });
    expect(neighbours.get("192.0.2.6")).toEqual({
      state: "Connect",
      asn: 12076,
      isInternal: false,
      shut: false,
      signed: true,
      lastReset: "BGP Notification received: Cease/Other Configuration Change",
      ...{ bfd: "off", holdMs: 9_000 },
      families: [
        {
          family: "ipv4",
          in: { routeMap: "own-out", closed: false },
          // RFC 8212.
          out: { routeMap: undefined, closed: true },
          received: 0,
          sent: undefined,
        },
      ],
    });
    expect(neighbours.get("192.0.2.10")).toMatchObject({ state: "Idle", shut: true });
    const six = neighbours.get("2001:db8::2");
    expect(six?.families.map(({ family }) => family)).toEqual(["ipv4", "ipv6"]);
  });

  it.each([
    ["is absent", undefined, "off"],
    ["is up", { type: "single hop", status: "Up" }, "up"],
    ["is down", { type: "single hop", status: "Down" }, "down"],
    ["is in a state of another name", { status: "Unknown" }, undefined],
    ["has no state", {}, undefined],
  ])("BFD of a neighbour %s", (_what, peerBfdInfo, bfd) => {
    const info = peerBfdInfo === undefined ? {} : { peerBfdInfo };
    const read = readNeighbours({ "192.0.2.2": { bgpState: "Established", ...info } });
    expect(read.get("192.0.2.2")).toMatchObject({ bfd, holdMs: undefined });
  });

  it("paths are the best one or only known", () => {
    expect(readRoutes(answer("routes"))).toEqual({
      as: "65010",
      paths: [
        { prefix: "198.51.100.1/32", from: "(unspec)", best: true },
        { prefix: "203.0.113.1/32", from: "192.0.2.6", best: true },
        { prefix: "203.0.113.1/32", from: "192.0.2.2", best: false },
      ],
    });
    const path = { multipath: true, peerId: "192.0.2.2" };
    const equal = { localAS: "1.10", routes: { "203.0.113.0/24": [path] } };
    expect(readRoutes(equal)).toEqual({
      as: "1.10",
      paths: [{ prefix: "203.0.113.0/24", from: "192.0.2.2", best: true }],
    });
    expect(readRoutes({ warning: "View/Vrf is unknown" })).toBeUndefined();
  });

  it("advertisements are as they leave, with what a drain put into them", () => {
    const sent = readAdvertised(answer("advertised"));
    expect(sent.map(({ prefix, path }) => [prefix, path.join(" ")])).toEqual([
      ["198.51.100.1/32", "65010 65010 65010"],
      ["203.0.113.1/32", "65010 65010 65010 12076"],
    ]);
    const path = {
      aspath: { string: "Local" },
      community: { string: "65010:1 graceful-shutdown" },
      bestpath: { overall: true },
    };
    const marked = { advertisedRoutes: { "198.51.100.1/32": { paths: [{}, path] } } };
    expect(readAdvertised(marked)).toEqual([
      { prefix: "198.51.100.1/32", path: [], communities: ["65010:1", "graceful-shutdown"] },
    ]);
  });

  it("route maps are as the BGP daemon has them, with the one they call", () => {
    expect([...readRouteMaps(answer("route-maps"))]).toEqual([
      ["linkseal-prepend.default.ipv4.192.0.2.2.in", { calls: undefined }],
      ["linkseal-prepend.default.ipv4.192.0.2.2.out", { calls: "own-out" }],
      ["own-out", { calls: undefined }],
    ]);
  });

  it("the kernel's counters of TCP MD5 are read, if it has them", () => {
    const counters = { failed: 6n, missing: 1n, unexpected: 0n };
    expect(readMd5Counters(recorded("netstat"))).toEqual(counters);
    expect(readMd5Counters(bytes("TcpExt: TCPMD5Failure\nTcpExt: 1\n"))).toBeUndefined();
    expect(readMd5Counters(bytes(""))).toBeUndefined();
    const all = "TcpExt: TCPMD5Failure TCPMD5NotFound TCPMD5Unexpected\nTcpExt: 1 2";
    expect(readMd5Counters(bytes(`${all} 3`))).toEqual({ failed: 1n, missing: 2n, unexpected: 3n });
    expect(readMd5Counters(bytes(`${all} x`))).toBeUndefined();
  });
});

describe("several documents in one answer", () => {
  it("documents in one answer are separated, whatever is in their strings", () => {
    const value = fc.dictionary(fc.string({ unit: "binary" }), fc.jsonValue());
    fc.assert(
      fc.property(fc.array(value, { minLength: 1, maxLength: 5 }), (values) => {
        const wanted = values.map((one) => JSON.parse(JSON.stringify(one)) as object);
        fc.pre(
          !JSON.stringify(wanted).includes('"#"') && !/__proto__/.test(JSON.stringify(wanted)),
        );
        const text = wanted.map((one) => JSON.stringify(one, null, 1)).join("\n");
        expect(documentsIn(bytes(text), wanted.length)).toEqual(wanted);
      }),
    );
  });

  it.each([
    ["nothing", "", 1],
    ["one too few", "{}", 2],
    ["one too many", "{}{}", 1],
    ["more behind them", "{}\n% Unknown command", 1],
    ["a brace too many", "{}}", 1],
    ["no JSON", "{ routes }", 1],
    ["colours of a terminal", "\x1b[31m{}\x1b[0m", 1],
    ["half of one", '{"a": {"b": "c', 1],
    ["an end without a beginning", "}}}}{", 1],
  ])("an answer of several documents is refused: %s", (_what, text, count) => {
    expect(outcome(() => documentsIn(bytes(text), count))).toBe("device.unparsed");
  });

  it("an answer that is cut anywhere is never taken for a whole one", () => {
    for (const name of ["routes", "advertised", "route-maps"]) {
      const whole = recorded(name);
      for (let end = 0; end < whole.lastIndexOf(0x7d); end += 7) {
        const read = (): unknown => documentsIn(whole.subarray(0, end), 1);
        expect(outcome(read), `${name} ${end}`).toBe("device.unparsed");
      }
    }
  });

  it("neither depth nor unended quotes take long", () => {
    const tookMs = processorMs(() => {
      for (const piece of ['{"a":', '"\\"', "{", '"', "}{", "\\"]) {
        const huge = bytes(piece.repeat(1_000_000));
        expect(outcome(() => documentsIn(huge, 1))).toBe("device.unparsed");
      }
      const deep = (name: string) => `{"${name}":${"[".repeat(200_000)}${"]".repeat(200_000)}}`;
      for (const name of ["a", "#"]) {
        expect(outcome(() => documentsIn(bytes(deep(name)), 1))).toBe("device.unparsed");
      }
    });
    expect(tookMs).toBeLessThan(10_000);
  });
});

describe("hostile answers", () => {
  it("any document is read or refused, and nothing else", () => {
    const keys = fc.constantFrom(
      ...["192.0.2.2", "bgpState", "addressFamilyInfo", "ipv4Unicast", "localAS", "routes"],
      ...["advertisedRoutes", "203.0.113.0/24", "paths", "aspath", "string", "bgpd", "rules"],
      ...["callClause", "adminShutDown", "authenticationEnabled", "acceptedPrefixCounter"],
    );
    const { tree } = fc.letrec((tie) => ({
      tree: fc.oneof(
        { maxDepth: 6 },
        fc.jsonValue({ maxDepth: 1 }),
        fc.array(tie("tree"), { maxLength: 3 }),
        fc.dictionary(keys, tie("tree"), { maxKeys: 4 }),
      ),
    }));
    fc.assert(
      fc.property(tree, fc.constantFrom(...Object.values(readers)), (value, read) => {
        expect(["read", "device.unparsed"]).toContain(outcome(() => read(value)));
      }),
      { numRuns: 2000 },
    );
  });

  it.each([
    ["a state that is no text", () => readNeighbours({ "192.0.2.2": { bgpState: 1 } })],
    ["a shut that is no flag", () => readNeighbours({ "192.0.2.2": { adminShutDown: "no" } })],
    ["an AS number of zero", () => readRoutes({ localAS: 0 })],
    ["an AS number that is a command", () => readRoutes({ localAS: "1\nexit" })],
    ["an AS number too large", () => readRoutes({ localAS: 4_294_967_296 })],
    ["a prefix that is none", () => readRoutes({ localAS: 1, routes: { "a b": [] } })],
    ["paths that are no list", () => readRoutes({ localAS: 1, routes: { "::/0": {} } })],
    ["a neighbour that is unknown", () => readAdvertised({ warning: "No such neighbor" })],
    ["maps that are no list", () => readRouteMaps({ bgpd: { a: { rules: {} } } })],
    [
      "more maps than there can be",
      () => readRouteMaps({ bgpd: Object.fromEntries(Array(10_001).fill({}).entries()) }),
    ],
  ])("a hostile answer is refused: %s", (_what, read) => {
    expect(outcome(read)).toBe("device.unparsed");
  });

  it("a neighbour without a state is unparsed, and not down", () => {
    expect(outcome(() => readNeighbours({ "192.0.2.2": { remoteAs: 1 } }))).toBe("device.unparsed");
  });

  it("text for people has no control characters and a bounded length", () => {
    const reset = `\x1b[2J${"x".repeat(10_000)}\n`;
    const reported = { bgpState: "Active", lastResetDueTo: reset };
    const read = readNeighbours({ "192.0.2.2": reported }).get("192.0.2.2");
    expect(read?.lastReset).toMatch(/^\[2Jx{296}…$/);
  });
});
