// Link snapshots: what a link that goes down loses, compared with a simulated kernel.

import { describe, expect, it } from "vitest";
import {
  joinSnapshots,
  type LinkSnapshot,
  restoreSnapshot,
  takeSnapshot,
} from "#drivers/linux/net/link-snapshot.ts";
import { addAddress, readAddress } from "#drivers/linux/netlink/rtnetlink-address.ts";
import { readRoute } from "#drivers/linux/netlink/rtnetlink-route.ts";
import { encodeRequests, netlinkFlags } from "#drivers/transport/netlink-wire.ts";
import type { Reader } from "#hal/netlink.ts";
import { hexOf, PretendSocket, recordedSite as site } from "../../../kit/netlink-kit.ts";
import { messagesIn, recordedOctets } from "../../../kit/recorded.ts";
import { never, refused } from "../../../kit/site-bench.ts";

type Octets = Uint8Array<ArrayBuffer>;

/** A message of an address: its header has family, length, flags, scope and link. */
function addressMessage(link: number, scope: number, flags: number | undefined): Octets {
  const { type, body } = addAddress({ link, local: "192.0.2.1", prefixLength: 30 });
  const [header, ...attributes] = body.map((part) => Uint8Array.from(part as Uint8Array));
  header?.set([scope], 3);
  const reported = flags === undefined ? [] : [Uint8Array.of(8, 0, 8, 0, flags, 0, 0, 0)];
  const whole = [Buffer.concat([header ?? new Uint8Array(), ...attributes, ...reported])];
  return Uint8Array.from(encodeRequests([{ type, flags: 0, body: whole }], 1));
}

/** A message of an IPv4 route with only the link it leaves by. */
function routeMessage(protocol: number, link: number | undefined): Octets {
  const header = Uint8Array.of(2, 0, 0, 0, 254, protocol, 0, 1, 0, 0, 0, 0);
  const output = link === undefined ? [] : [Uint8Array.of(8, 0, 4, 0, link, 0, 0, 0)];
  const body = [Buffer.concat([header, ...output])];
  return Uint8Array.from(encodeRequests([{ type: 24, flags: 0, body }], 1));
}

/** The index of the recorded link that has most of everything. */
const dummy = 11;

function readBody<T>(type: number, hex: string, read: Reader<T>): T | undefined {
  const message = encodeRequests([{ type, flags: 0, body: [Buffer.from(hex, "hex")] }], 1);
  return messagesIn(Uint8Array.from(message)).map(read)[0];
}

const bodyIn = (message: Octets): string => hexOf(message.slice(16));

describe("the snapshot of links that go down", () => {
  it("a link snapshot has the kernel's messages, octet by octet", async () => {
    const kernel = site();
    const { addresses, routes } = await takeSnapshot(kernel, new Set([dummy]), never);
    const heard = ["addresses", "routes-4", "routes-6"]
      .flatMap(recordedOctets)
      .flatMap(messagesIn)
      .map(({ view, start, end }) => hexOf(new Uint8Array(view.buffer, start, end - start)));
    for (const body of [...addresses, ...routes]) expect(heard).toContain(body);
    // The address with a lifetime and the link-local one are not in it.
    expect(addresses.map((body) => readBody(20, body, readAddress)?.local ?? "-")).toEqual([
      "10.1.0.1",
      "fd00:2::1",
      "-",
    ]);
    // Only 10.24.0.0/16 of these is not in the main table.
    const kept = routes.map((body) => readBody(24, body, readRoute));
    expect(kept.map((one) => `${one?.destination} ${one?.gateway ?? "-"} ${one?.table}`)).toEqual([
      "10.24.0.0 - 1000",
      // The next route leads over several links, this one among them.
      "10.21.0.0 - 254",
      "10.22.0.0 - 254",
      "10.25.0.0 10.2.0.9 254",
      "fd00:20:: fd00:1::2 254",
      "fd00:22:: - 254",
    ]);
    expect(kernel.asked).toEqual(["22/0", "26/2", "26/10"]);
    expect(kernel.written).toEqual([]);
  });

  it("a link snapshot has every permanent address, and no other", async () => {
    const kernel = new PretendSocket();
    const [global, site6] = [addressMessage(2, 0, 0x80), addressMessage(2, 200, 0xc0)];
    const others = [
      addressMessage(3, 0, 0x80),
      addressMessage(2, 253, 0x80),
      addressMessage(2, 0, 0x40),
      addressMessage(2, 0, undefined),
    ];
    kernel.dump.set("22/0", [...others.slice(0, 2), global, ...others.slice(2), site6]);
    const { addresses } = await takeSnapshot(kernel, new Set([2]), never);
    expect(addresses).toEqual([global, site6].map(bodyIn));
  });

  it("a link snapshot has every route of an administrator, and no other", async () => {
    const kernel = new PretendSocket();
    const ours = [routeMessage(3, 2), routeMessage(4, 2)];
    // The others are by redirect, kernel, router advertisement, zebra and BGP, of another link, and
    // of none.
    const others = [1, 2, 9, 11, 186].map((protocol) => routeMessage(protocol, 2));
    kernel.dump.set("26/2", [...others, ...ours, routeMessage(4, 3), routeMessage(4, undefined)]);
    kernel.dump.set("26/10", [routeMessage(4, 2)]);
    const { routes } = await takeSnapshot(kernel, new Set([2]), never);
    expect(routes).toEqual([...ours, routeMessage(4, 2)].map(bodyIn));
  });

  it("a link snapshot that a successor could not read back is refused", async () => {
    const kernel = new PretendSocket();
    kernel.dump.set("26/2", Array(10_001).fill(routeMessage(4, 2)));
    const error = await refused(takeSnapshot(kernel, new Set([2]), never));
    expect(error).toMatchObject({ code: "device.rejected", effect: "none" });
    kernel.dump.set("26/2", Array(10_000).fill(routeMessage(4, 2)));
    expect((await takeSnapshot(kernel, new Set([2]), never)).routes).toHaveLength(10_000);
  });

  it("a link snapshot is refused where the kernel refuses the dump", async () => {
    const kernel = site();
    kernel.refusal = { name: "EPERM", text: "not for you" };
    const error = await refused(takeSnapshot(kernel, new Set([2]), never));
    expect(error).toMatchObject({ code: "device.rejected", effect: "none" });
    expect(error.message).toContain("EPERM, not for you");
  });
});

describe("two snapshots of the same links", () => {
  it("joined snapshots have everything once, the older routes last", () => {
    const newer: LinkSnapshot = { addresses: ["0a01", "0a02"], routes: ["0b01", "0b02"] };
    const older: LinkSnapshot = { addresses: ["0a02", "0a03"], routes: ["0b03", "0b01"] };
    const addresses = ["0a01", "0a02", "0a03"];
    const routes = ["0b02", "0b03", "0b01"];
    expect(joinSnapshots(newer, older)).toEqual({ addresses, routes });
  });

  it("joined snapshots that a successor could not read back are refused", () => {
    const bodies = (kind: string) => Array.from({ length: 6_000 }, (_, at) => `${kind}${at}`);
    const snapshot = (kind: string): LinkSnapshot => ({ addresses: [], routes: bodies(kind) });
    expect(() => joinSnapshots(snapshot("a"), snapshot("b"))).toThrow("can be kept");
    expect(joinSnapshots(snapshot("a"), snapshot("a")).routes).toHaveLength(6_000);
  });
});

describe("what is brought back", () => {
  const snapshot: LinkSnapshot = { addresses: ["0a01", "0a02"], routes: ["0b01", "0b02", "0b03"] };
  const flags = netlinkFlags.create | netlinkFlags.exclusive;
  const sent = (kernel: PretendSocket) =>
    kernel.written.map((batch) => batch.map(({ type, body }) => `${type} ${body}`).join(", "));

  it("a restore sends addresses before routes, and replaces nothing", async () => {
    const kernel = new PretendSocket();
    expect(await restoreSnapshot(kernel, snapshot, never)).toBe(0);
    expect(sent(kernel)).toEqual(["20 0a01, 20 0a02", "24 0b01, 24 0b02, 24 0b03"]);
    expect(kernel.written.flat().every((one) => one.flags === flags)).toBe(true);
  });

  it("a restored entry that exists already counts as restored", async () => {
    const kernel = new PretendSocket();
    kernel.judge = () => "EEXIST";
    expect(await restoreSnapshot(kernel, snapshot, never)).toBe(0);
    expect(kernel.written).toHaveLength(2);
  });

  // A route that lost some of its next hops exists, and the kernel answered EEXIST.
  it("a restored route over several links replaces what is left of it", async () => {
    const kernel = new PretendSocket();
    const several = `${"00".repeat(12)}0c000900080000000200ff00`;
    await restoreSnapshot(kernel, { addresses: [], routes: [several, "0b01"] }, never);
    const replace = netlinkFlags.create | netlinkFlags.replace;
    expect(kernel.written.at(-1)?.map((one) => one.flags)).toEqual([replace, flags]);
  });

  it("a restore takes as many passes as the order of routes needs", async () => {
    const kernel = new PretendSocket();
    const there = new Set<string>();
    const needs: Record<string, string> = { "0b01": "0b02", "0b02": "0b03" };
    kernel.judge = (body) => {
      const need = needs[body];
      if (need !== undefined && !there.has(need)) return "ENETUNREACH";
      there.add(body);
      return undefined;
    };
    expect(await restoreSnapshot(kernel, snapshot, never)).toBe(0);
    expect(sent(kernel).slice(1)).toEqual([
      "24 0b01, 24 0b02, 24 0b03",
      "24 0b01, 24 0b02",
      "24 0b01",
    ]);
  });

  it("a restore ends with the pass that changes nothing, and counts what is missing", async () => {
    const kernel = new PretendSocket();
    let tries = 0;
    kernel.judge = (body) => {
      if (body === "0a02") return "EINVAL";
      if (body === "0b03") return "ENETUNREACH";
      tries += body === "0b02" ? 1 : 0;
      return body === "0b02" && tries === 1 ? "ENETUNREACH" : undefined;
    };
    expect(await restoreSnapshot(kernel, snapshot, never)).toBe(2);
    expect(sent(kernel).slice(1)).toEqual([
      "24 0b01, 24 0b02, 24 0b03",
      "24 0b02, 24 0b03",
      "24 0b03",
    ]);
  });

  it("a restore does not repeat the pass if no route came back at all", async () => {
    const kernel = new PretendSocket();
    kernel.judge = () => "ENETDOWN";
    expect(await restoreSnapshot(kernel, snapshot, never)).toBe(5);
    expect(kernel.written).toHaveLength(2);
  });

  it("a restore of an empty snapshot sends nothing", async () => {
    const kernel = new PretendSocket();
    expect(await restoreSnapshot(kernel, { addresses: [], routes: [] }, never)).toBe(0);
    expect(kernel.written.flat()).toEqual([]);
  });
});
