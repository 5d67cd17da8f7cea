import { describe, expect, it } from "vitest";
import {
  bgpSession,
  commitsAt,
  peerOf,
  readCommits,
  readEngines,
  readInterfaces,
  readPeers,
  readPing,
  readRoutes,
  readRouteTo,
  readSoftware,
  readUptime,
} from "#drivers/junos/system-parsers.ts";
import type { WallTime } from "#hal/world.ts";
import { read } from "../junos-kit.ts";

describe("commits", () => {
  const history = (...entries: readonly string[]): string =>
    `<rpc-reply><commit-information>${entries
      .map(
        (entry, index) =>
          `<commit-history><sequence-number>${index}</sequence-number><user>u</user>` +
          `<date-time seconds="${100 - index}">x</date-time>${entry}</commit-history>`,
      )
      .join("")}</commit-information></rpc-reply>`;
  const remark = "commit confirmed, rollback in 5mins";
  /** The newest commit is from second 100. */
  const notesAt = async (seconds: number, ...entries: readonly string[]) => {
    const reported = readCommits(await read(history(...entries))) ?? [];
    const commits = commitsAt(reported, (seconds * 1000) as WallTime);
    return commits.map(({ note, isPending }) => [note, isPending]);
  };
  const notes = (...entries: readonly string[]) => notesAt(130, ...entries);

  it("a commit waits if Junos says so in any of its ways, and only the newest one", async () => {
    expect(await notes(`<comment>${remark}</comment><log>ours</log>`)).toEqual([["ours", true]]);
    expect(await notes(`<log>${remark}</log>`)).toEqual([["", true]]);
    const marked = "<log>ours</log><commit-confirmed>rollback pending</commit-confirmed>";
    expect(await notes(marked, `<log>${remark}</log>`)).toEqual([
      ["ours", true],
      ["", false],
    ]);
    expect(await notes("<log>ours</log>", marked)).toEqual([
      ["ours", false],
      ["ours", false],
    ]);
  });

  it("a trial that a check confirmed keeps its remark and waits no longer", async () => {
    const confirmed = `<comment>${remark}</comment><log>ours</log>`;
    expect(await notesAt(100 + 359, confirmed)).toEqual([["ours", true]]);
    expect(await notesAt(100 + 361, confirmed)).toEqual([["ours", false]]);
    const marked = `${confirmed}<commit-confirmed>rollback pending</commit-confirmed>`;
    expect(await notesAt(100 + 361, marked)).toEqual([["ours", true]]);
    const wordless = "<comment>commit confirmed, rollback in a while</comment>";
    expect(await notesAt(9_999, wordless)).toEqual([[wordless.slice(9, -10), true]]);
  });

  it("commits without their number are not understood", async () => {
    const text =
      "<rpc-reply><commit-information><commit-history/></commit-information></rpc-reply>";
    expect(readCommits(await read(text))).toBeUndefined();
    const twice = history("<log>a</log>").replace(
      "</commit-history>",
      "$&<commit-history>" + "<sequence-number>0</sequence-number></commit-history>",
    );
    expect(readCommits(await read(twice))).toBeUndefined();
  });

  it("a history without its newest commit does not hide that it waits for a confirm", async () => {
    const waiting = "<log>a</log><commit-confirmed>rollback pending</commit-confirmed>";
    const whole = history(waiting, "<log>b</log>", "<log>c</log>");
    expect(readCommits(await read(whole))).toHaveLength(3);
    const lost = (number: number) =>
      whole.replace(
        new RegExp(`<commit-history><sequence-number>${number}.*?</commit-history>`),
        "",
      );
    expect(readCommits(await read(lost(0)))).toBeUndefined();
    expect(readCommits(await read(lost(1)))).toBeUndefined();
    expect(readCommits(await read(history()))).toBeUndefined();
  });
});

describe("routing engines", () => {
  const engine = (slot: string, role: string, status = "OK"): string =>
    `<route-engine><slot>${slot}</slot><mastership-state>${role}</mastership-state>
      <status>${status}</status></route-engine>`;
  const chassis = (...engines: readonly string[]): string =>
    `<route-engine-information>${engines.join("")}</route-engine-information>`;
  const reported = async (...lists: readonly string[]) =>
    readEngines(await read(`<rpc-reply>${lists.join("")}</rpc-reply>`));
  const alone = chassis("<route-engine><status>OK</status></route-engine>");
  const [first, second] = [engine("0", "master"), engine("1", "backup")];

  it.each([
    ["one without a slot", [alone], "alone"],
    ["two, the second one in service", [chassis(first, second)], "ready"],
    ["two nodes of a cluster with one each", [alone, alone], "alone"],
    ["two chassis, one of them with two", [alone, chassis(first, second)], "ready"],
    ["a second one that boots", [chassis(first, engine("1", "backup", "Present"))], "notReady"],
    ["a second one in another role", [chassis(first, engine("1", "Disabled"))], "notReady"],
    ["two masters", [chassis(first, engine("1", "master"))], "notReady"],
    ["one slot twice", [chassis(first, engine("0", "backup"))], undefined],
    ["none", [chassis()], undefined],
    ["no list", [], undefined],
  ])("%s: the reply is understood as it is", async (_case, lists, expected) => {
    expect(await reported(...lists)).toBe(expected);
  });
});

describe("software and uptime", () => {
  const software = (...inside: readonly string[]) =>
    read(`<r>${inside.map((one) => `<software-information>${one}</software-information>`).join("")}
      </r>`);
  const model = "<product-model>SRX4600</product-model>";
  const base = (comment: string): string =>
    `<package-information><name>jais</name><comment>AI-Scripts [6.0R2]</comment>
      </package-information><package-information><name>junos</name><comment>${comment}</comment>
      </package-information>`;

  it("a release is read from its element, and from the base package of older ones", async () => {
    const named = await software(`${model}<junos-version>23.4R2.13</junos-version>`);
    expect(readSoftware(named)).toEqual({ model: "srx4600", version: "23.4R2.13" });
    const older = await software(`${model}${base("JUNOS Base OS boot [12.3R6.6]")}`);
    expect(readSoftware(older)).toEqual({ model: "srx4600", version: "12.3R6.6" });
    const srx = await software(`${model}${base("JUNOS Software Release [12.1X46-D15.3]")}`);
    expect(readSoftware(srx)?.version).toBe("12.1X46-D15.3");
  });

  it("software without a release or a model is not understood, and is no empty text", async () => {
    for (const inside of [
      model,
      `${model}<junos-version/>`,
      `${model}${base("JUNOS Base OS boot")}`,
      "<junos-version>23.4R2.13</junos-version>",
      "",
    ]) {
      expect(readSoftware(await software(inside))).toBeUndefined();
    }
    expect(readSoftware(await read("<r/>"))).toBeUndefined();
  });

  it("the nodes of a cluster have one release, or it is not understood", async () => {
    const node = (version: string): string => `${model}<junos-version>${version}</junos-version>`;
    const same = await software(node("22.4R3.25"), node("22.4R3.25"));
    expect(readSoftware(same)?.version).toBe("22.4R3.25");
    expect(readSoftware(await software(node("22.4R3.25"), node("22.4R2.8")))).toBeUndefined();
    expect(readSoftware(await software(node("22.4R3.25"), model))).toBeUndefined();
  });

  it("the boots of all nodes of a cluster are one id, and their clocks agree", async () => {
    const node = (now: number, booted: number): string =>
      `<re-name>node-${booted}</re-name><system-uptime-information><current-time>
        <date-time seconds="${now}">x</date-time></current-time><system-booted-time>
        <date-time seconds="${booted}">x</date-time></system-booted-time>
        </system-uptime-information>`;
    const uptime = async (...nodes: readonly string[]) =>
      readUptime(await read(`<r>${nodes.join("")}</r>`));
    expect(await uptime(node(900, 5))).toEqual({ wall: 900_000, bootId: "5" });
    expect(await uptime(node(900, 77), node(901, 5))).toEqual({ wall: 900_000, bootId: "5 77" });
    expect(await uptime(node(900, 5), node(960, 77))).toBeUndefined();
    expect(await uptime(node(900, 5), "<system-uptime-information/>")).toBeUndefined();
    expect(await uptime(node(900, 5), node(900, 5))).toBeUndefined();
    expect(await uptime()).toBeUndefined();
  });
});

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

  it("of two peers with one address, BFD and hold time that differ are unknown", async () => {
    const peer = (configured: string, operational: string, hold: number): string =>
      `<bgp-peer><peer-address>192.0.2.2+179</peer-address><peer-state>Established</peer-state>
        <active-holdtime>${hold}</active-holdtime>
        <bgp-bfd><bfd-configuration-state>${configured}</bfd-configuration-state>
        <bfd-operational-state>${operational}</bfd-operational-state></bgp-bfd></bgp-peer>`;
    const session = async (...peers: readonly string[]) => {
      const all = peers.join("");
      const found = readPeers(await read(`<r><bgp-information>${all}</bgp-information></r>`));
      const one = found?.get("192.0.2.2");
      if (one === "ambiguous") throw new RangeError("which of them is not known");
      return bgpSession({ port: "p", peer: "192.0.2.2" }, one);
    };
    const up = { port: "p", peer: "192.0.2.2", up: true };
    const on = peer("enabled", "up", 180);
    expect(await session(on)).toEqual({ ...up, bfd: "up", holdMs: 180_000 });
    expect(await session(peer("enabled", "down", 9))).toEqual({
      ...up,
      bfd: "down",
      holdMs: 9_000,
    });
    const off = peer("disabled", "down", 180);
    expect(await session(off)).toEqual({ ...up, bfd: "off", holdMs: 180_000 });
    expect(await session(peer("enabled", "init", 180))).toEqual({ ...up, holdMs: 180_000 });
    expect(await session(on, on)).toEqual({ ...up, bfd: "up", holdMs: 180_000 });
    expect(await session(on, off)).toEqual(up);
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

  it("a probe with too many replies, or of another target or count, is not believed", async () => {
    const asked = { address: "192.0.2.2", count: 5 };
    const ping = (sent: string, answered: string) =>
      read(`<r><ping-results><target-host>192.0.2.2</target-host>
        <probe-results-summary><probes-sent>${sent}</probes-sent>
        <responses-received>${answered}</responses-received>
        </probe-results-summary></ping-results></r>`);
    expect(readPing(await ping("5", "4"), asked)).toEqual({ sent: 5, answered: 4 });
    expect(readPing(await ping("5", "6"), asked)).toBeUndefined();
    expect(readPing(await ping("5", "many"), asked)).toBeUndefined();
    // The reply to another probe proves nothing about this one.
    expect(readPing(await ping("5", "4"), { ...asked, address: "192.0.2.6" })).toBeUndefined();
    expect(readPing(await ping("3", "3"), asked)).toBeUndefined();
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
