import { describe, expect, it } from "vitest";
import {
  bgpSession,
  peerOf,
  readInterfaces,
  readPeers,
  readPing,
  readRoutes,
  readRouteTo,
} from "#drivers/junos/system-parsers.ts";
import { read } from "../junos-kit.ts";

describe("routing", () => {
  it("neighbours are read, and the reason why a session ended", async () => {
    const peers = readPeers(
      await read(`<rpc-reply><bgp-information><bgp-peer><peer-address>192.0.2.2+179</peer-address>
        <peer-state>Established</peer-state><local-as>64512</local-as></bgp-peer>
        <bgp-peer><peer-address>192.0.2.6</peer-address><peer-state>Active</peer-state>
        <last-error>Hold Timer Expired&#10;Error</last-error></bgp-peer></bgp-information>
        </rpc-reply>`),
    );
    const session = (peer: string) => {
      const found = peers?.get(peer);
      if (found === "ambiguous") throw new RangeError("which of them is not known");
      return bgpSession({ port: "p", peer }, found);
    };
    expect(session("192.0.2.2")).toEqual({ port: "p", peer: "192.0.2.2", up: true });
    expect(session("192.0.2.6").trouble).toBe(
      "the last session ended with: Hold Timer Expired Error",
    );
    expect(session("192.0.2.9").up).toBe(false);
  });

  it("peers of other routing instances are kept apart, or their instance is unknown", async () => {
    const peer = (state: string, instance = "", as = "64512"): string =>
      `<bgp-peer><peer-address>192.0.2.2</peer-address><local-as>${as}</local-as>
        ${instance && `<peer-cfg-rti>${instance}</peer-cfg-rti>`}
        <peer-state>${state}</peer-state></bgp-peer>`;
    const reported = async (...peers: readonly string[]) =>
      readPeers(await read(`<r><bgp-information>${peers.join("")}</bgp-information></r>`));
    const one = { address: "192.0.2.2", instance: undefined, isInactive: false };
    const stateOf = async (...peers: readonly string[]) => {
      const found = peerOf((await reported(...peers)) ?? new Map(), one);
      return found === undefined || found === "ambiguous" ? found : found.state;
    };
    const [up, down] = ["Established", "Active"];
    expect(await stateOf(peer(down, "master"), peer(up, "cust-2"))).toBe(down);
    expect(await stateOf(peer(up, "cust-2"), peer(down, "master"))).toBe(down);
    // An active neighbour has a peer, so the reply is not whole.
    expect(await stateOf(peer(up, "cust-2"))).toBe("ambiguous");
    expect(await stateOf(peer(up))).toBe(up);
    expect(await stateOf(peer(up), peer(up))).toBe(up);
    expect(await stateOf(peer(up), peer(down))).toBe("ambiguous");
    expect(await stateOf(peer(up), peer(up, "", "65000"))).toBe("ambiguous");
    expect(
      await reported("<bgp-peer><peer-address>192.0.2.2</peer-address></bgp-peer>"),
    ).toBeUndefined();
    // One that is inactive has no session: what has its address is another's.
    const inactive = { ...one, isInactive: true };
    expect(peerOf((await reported(peer(up))) ?? new Map(), inactive)).toBe("ambiguous");
    expect(peerOf((await reported(peer(up, "cust-2"))) ?? new Map(), inactive)).toBeUndefined();
    // The neighbour of the other instance has the session of that instance alone.
    const both = (await reported(peer(down, "master"), peer(up, "cust-2"))) ?? new Map();
    expect(peerOf(both, { ...one, instance: "cust-2" })).toMatchObject({ state: up });
    expect(peerOf(both, { ...one, instance: "cust-3" })).toBe("ambiguous");
  });

  it("routes are unknown if one of them, or its table, is not understood", async () => {
    const reported = async (rows: string, name = "<table-name>inet.0</table-name>") =>
      readRoutes(
        await read(`<r><route-information><route-table>${name}${rows}</route-table>
          </route-information></r>`),
        "p",
        undefined,
      )?.map(({ best }) => best);
    const row = (prefix: string, ...tags: readonly string[]): string =>
      `<rt><rt-destination>${prefix}</rt-destination>${tags
        .map((tag) => `<rt-entry><active-tag>${tag}</active-tag></rt-entry>`)
        .join("")}</rt>`;
    expect(await reported(row("10.0.0.0/8", "", "*"))).toEqual([true]);
    expect(await reported(row("10.0.0.0/8", "-", "+"))).toEqual([true]);
    expect(await reported(row("10.0.0.0/8", "-"))).toEqual([false]);
    expect(await reported(row("10.0.0.0/8", "?"))).toBeUndefined();
    expect(await reported(row("10.0.0.0/8"))).toBeUndefined();
    expect(await reported(row("default; reboot", "*"))).toBeUndefined();
    expect(await reported(row("10.0.0.0/8", "*"), "")).toBeUndefined();
    const foreign = "<table-name>cust-2.inet.0</table-name>";
    expect(await reported(row("65000:1:10.0.0.0/8", "*"), foreign)).toEqual([]);
  });

  it("routes of a peer are read, and the interface to an address", async () => {
    const reply = await read(`<rpc-reply><route-information><route-table>
      <table-name>inet.0</table-name>
      <rt><rt-destination>10.1.0.0/16</rt-destination><rt-entry><active-tag>*</active-tag>
        <nh><to>192.0.2.2</to><via>et-0/0/0.100</via></nh></rt-entry></rt>
      <rt><rt-destination>10.2.0.0/16</rt-destination><rt-entry/></rt>
      </route-table></route-information></rpc-reply>`);
    const routes = readRoutes(reply, "et-0/0/0", undefined);
    expect(routes?.map(({ prefix, best }) => [prefix, best])).toEqual([
      ["10.1.0.0/16", true],
      ["10.2.0.0/16", false],
    ]);
    expect(readRoutes(reply, "et-0/0/0", "azure")).toEqual([]);
    expect(readRouteTo(reply)).toEqual(["et-0/0/0.100"]);
    expect(readRouteTo(await read("<rpc-reply/>"))).toBeUndefined();
  });

  it("the ways to an address are those of every table and every next hop", async () => {
    const way = async (...entries: readonly string[]) => {
      const tables = entries.map(
        (entry, index) => `<route-table><table-name>i${index}.inet.0</table-name>
          <rt><rt-destination>0.0.0.0/0</rt-destination>${entry}</rt></route-table>`,
      );
      return readRouteTo(
        await read(`<r><route-information>${tables.join("")}</route-information></r>`),
      );
    };
    const hop = (via: string): string => `<nh><via>${via}</via></nh>`;
    const active = (...hops: readonly string[]): string =>
      `<rt-entry><active-tag>*</active-tag>${hops.join("")}</rt-entry>`;
    expect(await way(active(hop("fxp0.0")), active(hop("ae0.7"), hop("et-0/0/1.0")))).toEqual([
      ...["fxp0.0", "ae0.7", "et-0/0/1.0"],
    ]);
    expect(await way()).toEqual([]);
    const discarded = "<rt-entry><active-tag>*</active-tag><nh-type>Discard</nh-type></rt-entry>";
    expect(await way(discarded)).toEqual([]);
    expect(await way(active(hop("fxp0.0")), active("<nh><to>192.0.2.2</to></nh>"))).toBeUndefined();
    expect(await way(active())).toBeUndefined();
  });

  it("a probe with more replies than packets is not believed", async () => {
    const ping = (sent: string, answered: string) =>
      read(`<r><ping-results><probe-results-summary><probes-sent>${sent}</probes-sent>
        <responses-received>${answered}</responses-received>
        </probe-results-summary></ping-results></r>`);
    expect(readPing(await ping("5", "4"))).toEqual({ sent: 5, answered: 4 });
    expect(readPing(await ping("5", "6"))).toBeUndefined();
    expect(readPing(await ping("5", "many"))).toBeUndefined();
  });

  it("a rate is read only if all of its parts are there", async () => {
    const port = (speed: string) =>
      read(`<r><interface-information><physical-interface><name>et-0/0/0</name>
        <admin-status>up</admin-status><oper-status>down</oper-status><speed>${speed}</speed>
        <traffic-statistics><input-bps>1</input-bps><input-pps>2</input-pps>
        <output-bps>3</output-bps><output-pps>4</output-pps></traffic-statistics>
        </physical-interface>
        <physical-interface><name>fxp0</name></physical-interface></interface-information></r>`);
    const found = readInterfaces(await port("100Gbps"));
    expect([...(found?.keys() ?? [])]).toEqual(["et-0/0/0"]);
    expect(found?.get("et-0/0/0")?.rate).toEqual({
      rxBps: 1,
      rxPps: 2,
      txBps: 3,
      txPps: 4,
      lineBps: 100e9,
    });
    const lineBps = async (speed: string) =>
      readInterfaces(await port(speed))?.get("et-0/0/0")?.rate?.lineBps;
    expect(await lineBps("1000mbps")).toBe(1e9);
    expect(await lineBps("10Gbps")).toBe(10e9);
    for (const word of ["Auto", "Unspecified", "Unlimited", ""]) {
      expect(await lineBps(word)).toBeUndefined();
    }
  });

  it("a reply without interfaces, or with one of them twice, is not understood", async () => {
    const one = "<physical-interface><name>et-0/0/0</name></physical-interface>";
    const interfaces = async (inside: string) =>
      readInterfaces(await read(`<r><interface-information>${inside}</interface-information></r>`));
    expect(await interfaces(one)).toBeDefined();
    expect(await interfaces("")).toBeUndefined();
    expect(await interfaces(one + one)).toBeUndefined();
    expect(await interfaces(`${one}<physical-interface/>`)).toBeUndefined();
  });
});
