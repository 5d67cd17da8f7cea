// The MSS of TCP through a tunnel: a table of nftables that comes, changes and goes with it.

import { describe, expect, it } from "vitest";
import { clamp, clampName, clampsNow, unclamp } from "#drivers/linux/net/mss.ts";
import { dumpTables, readTable } from "#drivers/linux/netlink/nftables.ts";
import { encodeRequests } from "#drivers/transport/netlink-wire.ts";
import type { NetlinkRequest, NetlinkSocket, Refusal } from "#hal/netlink.ts";
import { never } from "../../../kit/site-bench.ts";

const refused: Refusal = { name: "EOPNOTSUPP", text: undefined };
/** NFNL_SUBSYS_NFTABLES with NEWTABLE, DELTABLE, NEWCHAIN and NEWRULE. */
const types = { newTable: 0xa00, deleteTable: 0xa02, newChain: 0xa03, newRule: 0xa06 } as const;

class Filter implements NetlinkSocket {
  written: readonly NetlinkRequest[] = [];
  tail: NetlinkRequest | undefined;
  refusal: Refusal | undefined;

  async ask() {
    return this.refusal === undefined
      ? ({ kind: "answered", found: ["linkseal-hub-1-1400", "another"] as never[] } as const)
      : ({ kind: "refused", refusal: this.refusal } as const);
  }

  async write(requests: Iterable<NetlinkRequest>, _signal: AbortSignal, tail?: NetlinkRequest) {
    this.written = [...requests];
    this.tail = tail;
    return this.written.map((_one, index) => (index === 1 ? this.refusal : undefined));
  }

  [Symbol.dispose](): void {}

  types(): readonly number[] {
    return this.written.map(({ type }) => type);
  }

  octets(): Buffer {
    return Buffer.from(encodeRequests(this.written, 1));
  }
}

class Bench {
  readonly filter = new Filter();
  readonly logged: string[] = [];
  readonly context = {
    filter: this.filter,
    log: { write: (_level: string, _code: string, text: string) => void this.logged.push(text) },
  };
}

const link = { name: "hub-1", mtu: 1_300 } as const;
const make = [types.newTable, types.newChain, ...Array<number>(4).fill(types.newRule)];

describe("the MSS of a tunnel", () => {
  it("the MSS is lowered in one batch, for both families and directions", async () => {
    const { filter, context } = new Bench();
    await clamp(link, [], context, never);
    expect(filter.types()).toEqual([0x10, ...make]);
    expect(filter.tail?.type).toBe(0x11);
    const octets = filter.octets();
    expect(octets.includes(`${clampName("hub-1", 1_300)}\0`)).toBe(true);
    expect(octets.includes(`hub-1${"\0".repeat(11)}`)).toBe(true);
    // 1300 less the headers of IPv4 and of IPv6.
    for (const mss of [1_260, 1_240]) {
      const immediate = Buffer.from([6, 0, 1, 0, mss >> 8, mss & 0xff]);
      expect(octets.includes(immediate)).toBe(true);
    }
  });

  it("the MSS is never more than Azure recommends", async () => {
    const { filter, context } = new Bench();
    await clamp({ name: "hub-1", mtu: 9_000 }, [], context, never);
    expect(filter.octets().includes(Buffer.from([6, 0, 1, 0, 1_350 >> 8, 1_350 & 0xff]))).toBe(
      true,
    );
  });

  it("the MSS table stays if it exists, and replaces that of another MTU", async () => {
    const { filter, context } = new Bench();
    await clamp(link, ["linkseal-hub-1-1300"], context, never);
    expect(filter.types()).toEqual([]);
    const beside = ["linkseal-hub-1-1400", "linkseal-hub-1-1-1400", "linkseal-hub-10-1400"];
    await clamp(link, beside, context, never);
    expect(filter.types()).toEqual([0x10, types.deleteTable, ...make]);
    expect(filter.octets().includes("linkseal-hub-1-1400\0")).toBe(true);
  });

  it("the MSS table goes with its tunnel, and a tunnel without one sends nothing", async () => {
    const { filter, context } = new Bench();
    await unclamp("hub-1", ["linkseal-hub-10-1400"], context, never);
    expect(filter.types()).toEqual([]);
    await unclamp("hub-1", ["linkseal-hub-1-1400"], context, never);
    expect(filter.types()).toEqual([0x10, types.deleteTable]);
  });

  it("a kernel that refuses the MSS table is logged", async () => {
    const { filter, context, logged } = new Bench();
    filter.refusal = refused;
    await clamp(link, [], context, never);
    expect(logged).toEqual([
      "the MSS of TCP through hub-1 is not lowered: the kernel answered EOPNOTSUPP",
    ]);
    expect(await clampsNow(filter, never)).toBeUndefined();
    filter.refusal = undefined;
    expect(await clampsNow(filter, never)).toEqual(["linkseal-hub-1-1400"]);
  });
});

describe("a table of nftables", () => {
  it("a table of nftables is read by its name, and only one for both families", () => {
    const named = Buffer.from("linkseal-hub-1-1400\0");
    const name = [Buffer.from([4 + named.length, 0, 1, 0]), named];
    const message = (family: number, type: number = types.newTable) => {
      const octets = encodeRequests(
        [{ type, flags: 0, body: [Uint8Array.of(family, 0, 0, 0), ...name] }],
        1,
      );
      const view = new DataView(octets.buffer);
      return { type, flags: 0, view, start: 16, end: view.getUint32(0, true) };
    };
    expect(readTable(message(1))).toBe("linkseal-hub-1-1400");
    expect(readTable(message(2))).toBeUndefined();
    expect(readTable(message(1, types.newChain))).toBeUndefined();
    expect(dumpTables().type).toBe(0xa01);
  });
});
