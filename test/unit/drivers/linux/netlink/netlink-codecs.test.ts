import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { addressOctets, ipAddress } from "#drivers/linux/netlink/address.ts";
import { table } from "#drivers/linux/netlink/attributes.ts";
import {
  bool,
  counter,
  hex,
  linkAddress,
  named,
  text,
  u8,
  u16,
  u32,
  u64,
} from "#drivers/linux/netlink/codecs.ts";
import {
  addAddress,
  readAddress,
  removeAddress,
} from "#drivers/linux/netlink/rtnetlink-address.ts";
import { addMacsecLink, changeLink, readLink } from "#drivers/linux/netlink/rtnetlink-link.ts";
import { addPolicy, readPolicy, readSa } from "#drivers/linux/netlink/xfrm.ts";
import { encodeRequests } from "#drivers/transport/netlink-wire.ts";
import type { NetlinkRequest, Octets } from "#hal/netlink.ts";
import { effort } from "../../../../effort.ts";
import { messagesIn, recordedOctets } from "../../../kit/recorded.ts";

const runs = { numRuns: effort(500, 20_000) };

function joined(octets: Octets): Uint8Array<ArrayBuffer> {
  const [request] = [{ type: 0, flags: 0, body: octets }];
  return encodeRequests([request], 1).slice(16);
}

const viewOf = (octets: Uint8Array<ArrayBuffer>): DataView => new DataView(octets.buffer);

function sentAs<T>(request: NetlinkRequest, read: (message: never) => T | undefined): T {
  const [message] = messagesIn(encodeRequests([request], 7));
  const found = read(message as never);
  if (found === undefined) throw new Error("no reader accepted it");
  return found;
}

describe("attributes", () => {
  const all = table({
    small: [1, u8],
    medium: [2, u16],
    large: [3, u32],
    huge: [4, u64],
    count: [5, counter],
    yes: [6, bool],
    words: [7, text],
    octets: [8, hex],
    station: [9, linkAddress],
    state: [10, named({ 0: "off", 1: "on" }, u8)],
    inner: [11, table({ depth: [1, u32] })],
  });
  const digits = fc
    .uint8Array({ maxLength: 9 })
    .map((octets) => Buffer.from(octets).toString("hex"));
  const values = fc.record(
    {
      small: fc.nat(255),
      medium: fc.nat(65_535),
      large: fc.nat(0xffff_ffff),
      huge: fc.bigInt(0n, 2n ** 64n - 1n),
      count: fc.bigInt(0n, 2n ** 64n - 1n),
      yes: fc.boolean(),
      words: fc.string({ maxLength: 20 }),
      octets: digits,
      station: fc.constantFrom("02:00:00:00:00:0a", "ff:ff:ff:ff:ff:ff"),
      state: fc.constantFrom("off", "on", "number 7"),
    },
    { requiredKeys: [] },
  );

  it("attributes are decoded as they were encoded", () => {
    fc.assert(
      fc.property(values, (value) => {
        const octets = joined(all.write(value as Parameters<typeof all.write>[0]));
        expect(all.read(viewOf(octets), 0, octets.length)).toEqual({ ...value, unnamed: [] });
      }),
      runs,
    );
  });

  it("attributes that a table does not name are listed by number", () => {
    const octets = joined(table({ one: [1, u32], other: [77, u32] }).write({ one: 1, other: 2 }));
    const known = table({ one: [1, u32] });
    expect(known.read(viewOf(octets), 0, octets.length)).toEqual({ one: 1, unnamed: [77] });
  });

  it.each([
    ["shorter than its own header", [3, 0, 1, 0]],
    ["longer than what is there", [12, 0, 1, 0, 1, 2, 3, 4]],
    ["of a number with too few octets", [6, 0, 3, 0, 1, 2, 0, 0]],
    ["cut in its header", [8, 0]],
  ])("attributes are refused when one is %s", (_name, octets) => {
    const view = viewOf(Uint8Array.from(octets));
    expect(() => all.read(view, 0, octets.length)).toThrow(
      expect.objectContaining({ code: "device.unparsed", effect: "none" }),
    );
  });
});

describe("addresses", () => {
  it.each([
    ["::"],
    ["::1"],
    ["1::"],
    ["fd00:1::9"],
    ["2001:db8:0:1:1:1:1:1"],
    ["2001:db8::1:0:0:1"],
    ["::ffff:10.0.0.1"],
    ["10.255.0.1"],
  ])("the address %s is written in its one short form", (address) => {
    const octets = Uint8Array.from(addressOctets(address));
    expect(ipAddress.read(viewOf(octets), 0, octets.length)).toBe(address);
  });

  it("addresses of both families are decoded as they were encoded", () => {
    fc.assert(
      fc.property(fc.oneof(fc.ipV4(), fc.ipV6()), (address) => {
        const octets = Uint8Array.from(addressOctets(address));
        const shown = ipAddress.read(viewOf(octets), 0, octets.length);
        expect(addressOctets(shown)).toEqual(addressOctets(address));
      }),
      runs,
    );
  });

  it.each(["10.0.0", "fe80::1%eth0", "", "1.2.3.4/8"])("%j is not an address", (address) => {
    expect(() => addressOctets(address)).toThrow("is not an address");
  });
});

/**
 * The places of the keys in `struct xfrm_algo` and its relatives, behind a name of 64 octets and
 * numbers.
 */
const keyPlaces = [
  { name: "rfc4106(gcm(aes))", at: 72, length: 36 },
  // The kernel dumps a hash twice: without the length of its ICV, and with it.
  { name: "hmac(sha256)", at: 68, length: 32 },
  { name: "hmac(sha256)", at: 104 + 72, length: 32 },
  { name: "cbc(aes)", at: 68, length: 32 },
] as const;

describe("an SA", () => {
  it("an SA is decoded without its keys, which are wiped in the message", () => {
    const dumps = recordedOctets("sas");
    const keyOctets = (): number =>
      dumps.reduce((sum, octets) => sum + octets.filter((octet) => octet === 0x5a).length, 0);
    const others = keyOctets();
    for (const octets of dumps) {
      for (const { name, at, length } of keyPlaces) {
        const place = Buffer.from(octets.buffer).indexOf(name);
        if (place >= 0) octets.fill(0x5a, place + at, place + at + length);
      }
    }
    expect(keyOctets() - others).toBe(3 * 36 + 2 * 3 * 32);
    expect(dumps.flatMap(messagesIn).map(readSa)).toHaveLength(5);
    expect(keyOctets()).toBe(others);
  });
});

describe("requests", () => {
  it("the request for a policy is decoded as that policy", () => {
    const template = {
      source: "fd00::1",
      destination: "fd00::2",
      reqid: 5,
      mode: "tunnel",
    } as const;
    const policy = sentAs(
      addPolicy({
        source: "fd00:1::/64",
        destination: "fd00:2::/48",
        direction: "forward",
        priority: 77,
        template,
      }),
      readPolicy,
    );
    expect(policy).toMatchObject({
      direction: "forward",
      action: "allow",
      priority: 77,
      selector: { source: "fd00:1::", sourceLength: 64, destination: "fd00:2::" },
      attributes: { templates: [{ ...template, mode: 1, family: 10, optional: false }] },
    });
  });

  it("the request for a MACsec device is decoded as that device", () => {
    const settings = {
      sci: "02000000000a0001",
      cipherSuite: "gcm-aes-xpn-256",
      window: 32,
      encrypt: true,
      protect: true,
      includeSci: false,
      replayProtect: true,
      validation: "strict",
      offload: "off",
    } as const;
    const request = addMacsecLink({ name: "ms0", below: 4, mtu: 9000, settings });
    const link = sentAs(request, readLink);
    expect(link).toMatchObject({ name: "ms0", link: 4, mtu: 9000, info: { kind: "macsec" } });
    expect(link.info?.macsec).toEqual({ ...settings, unnamed: [] });
    expect(sentAs(changeLink(4, { up: true, mtu: 1500 }), readLink)).toMatchObject({
      index: 4,
      flags: 1,
      mtu: 1500,
    });
  });

  it.each(["10.0.0.1", "fd00::1"])(
    "the request for the address %s is decoded as that address",
    (local) => {
      const want = { link: 3, local, prefixLength: 24 };
      for (const request of [addAddress(want), removeAddress(want)]) {
        expect(sentAs(request, readAddress)).toMatchObject({ ...want, address: local });
      }
    },
  );
});
