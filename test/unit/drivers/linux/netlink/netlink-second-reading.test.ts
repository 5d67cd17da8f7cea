// The codecs of the npm package `netlink` read rtnetlink a second time: what the kernel sent must
// mean to them what it means to ours, and what ours write must mean to them what was asked for.

import { isDeepStrictEqual } from "node:util";
import { FlagsNew } from "netlink/dist/constants.js";
import { MessageType, parseLinkMessage } from "netlink/dist/rt/structs.js";
import { parseMessages } from "netlink/dist/structs.js";
import { describe, expect, it } from "vitest";
import {
  addAddress,
  readAddress,
  removeAddress,
} from "#drivers/linux/netlink/rtnetlink-address.ts";
import {
  addMacsecLink,
  addVlanLink,
  addXfrmLink,
  changeLink,
  changeMacsecLink,
  deleteLink,
  readLink,
} from "#drivers/linux/netlink/rtnetlink-link.ts";
import {
  addLinkRoute,
  askRoute,
  deleteLinkRoute,
  readRoute,
  readRule,
} from "#drivers/linux/netlink/rtnetlink-route.ts";
import { encodeRequests } from "#drivers/transport/netlink-wire.ts";
import type { NetlinkMessage, NetlinkRequest, Reader } from "#hal/netlink.ts";
import { messagesIn, recordedOctets } from "../../../kit/recorded.ts";
import {
  addressByNetlink,
  linkByNetlink,
  routeByNetlink,
  ruleByNetlink,
} from "./second-reading.ts";

interface Subject {
  readonly names: readonly string[];
  readonly ours: Reader<object>;
  readonly theirs: (octets: Buffer) => object;
  readonly headerBytes: number;
  /** The package has no row for these fields of ours: the kernel got them after it. */
  readonly newer: readonly string[];
  /** These attributes hold attributes; the path begins with the number of the outermost one. */
  readonly nested: readonly string[];
  /** One of the two does not read these, so a changed octet makes no difference there. */
  readonly unread: readonly string[];
}

const subjects: Readonly<Record<string, Subject>> = {
  links: {
    names: ["links"],
    ours: readLink,
    theirs: linkByNetlink,
    headerBytes: 16,
    newer: [
      ...["allMulticast", "groSizeMax", "gsoIpv4SizeMax", "groIpv4SizeMax", "tsoSizeMax"],
      ...["tsoSegmentsMax", "devlinkPort", "clockPin"],
      // MACsec has the first, xfrm the second, and every link the last two.
      ...["offload", "collectMetadata", "rxNoHandler", "rxOtherHostDropped"],
    ],
    nested: ["18", "18.2", "18.5", "26", "26.2", "26.10", "43", "52"],
    unread: [
      ...["header 0", "header 1", "header 12", "header 13", "header 14", "header 15"],
      ...["18.2.15", "26.10.2", "26.10.3", "26.10.6"],
      ...["58", "59", "60", "61", "63", "64"],
    ],
  },
  addresses: {
    names: ["addresses"],
    ours: readAddress,
    theirs: addressByNetlink,
    headerBytes: 8,
    newer: ["protocol"],
    nested: [],
    // Flags of the header are the low ones of IFA_FLAGS; 11 is IFA_PROTO.
    unread: ["header 2", "11"],
  },
  routes: {
    names: ["routes-4", "routes-6"],
    ours: readRoute,
    theirs: (octets) => routeByNetlink(withoutVia(octets)),
    headerBytes: 12,
    newer: ["via"],
    nested: ["8"],
    // The header has room for the number of a small table alone; RTA_TABLE has it whole.
    unread: ["header 4", "18"],
  },
  rules: {
    names: ["rules-4", "rules-6"],
    ours: readRule,
    theirs: ruleByNetlink,
    headerBytes: 12,
    newer: ["codePoint"],
    nested: [],
    unread: ["header 4", "header 5", "header 6"],
  },
};

interface Attribute {
  readonly type: number;
  readonly start: number;
  readonly end: number;
  readonly next: number;
}

/** The test finds attributes by itself, and by neither of the two that it compares. */
function attributesIn(octets: Buffer, start: number, end: number): Attribute[] {
  const found: Attribute[] = [];
  for (let at = start; at < end; at = found.at(-1)?.next ?? end) {
    const length = octets.readUInt16LE(at);
    const type = octets.readUInt16LE(at + 2) & 0x3fff;
    found.push({ type, start: at + 4, end: at + length, next: at + ((length + 3) & ~3) });
  }
  return found;
}

/** RTA_VIA: their row has room for one octet of address, so they refuse the message. */
const viaType = 18;

function withoutVia(octets: Buffer): Buffer {
  const kept = attributesIn(octets, 12, octets.length)
    .filter(({ type }) => type !== viaType)
    .map(({ start, next }) => octets.subarray(start - 4, next));
  return Buffer.concat([octets.subarray(0, 12), ...kept]);
}

function bodyOf({ view, start, end }: NetlinkMessage): Buffer {
  return Buffer.from(view.buffer, view.byteOffset + start, end - start);
}

/** Leaves out what is not there; a 64-bit number stays told apart from the others. */
function plain(value: unknown, left: readonly string[] = []): unknown {
  const words = JSON.stringify(value, (key, part: unknown) => {
    if (key === "unnamed" || left.includes(key)) return undefined;
    return typeof part === "bigint" ? `${part}n` : part;
  });
  return JSON.parse(words) as unknown;
}

const messagesOf = ({ names }: Subject): NetlinkMessage[] =>
  names.flatMap(recordedOctets).flatMap(messagesIn);

interface Spot {
  readonly name: string;
  readonly at: number;
}

/** Lists the octets of the header, and the first one of every attribute that has any. */
function spotsIn(octets: Buffer, { headerBytes, nested }: Subject): Spot[] {
  const header = Array.from({ length: headerBytes }, (_, at) => ({ name: `header ${at}`, at }));
  const inside = (path: string, start: number, end: number): Spot[] =>
    attributesIn(octets, start, end).flatMap((one) => {
      const name = path === "" ? String(one.type) : `${path}.${one.type}`;
      if (nested.includes(name)) return inside(name, one.start, one.end);
      return one.end > one.start ? [{ name, at: one.start }] : [];
    });
  return [...header, ...inside("", headerBytes, octets.length)];
}

/** Tells whether the two readings differ once one octet of their message is changed. */
function isNoticed(mine: unknown, octets: Buffer, at: number, theirs: Subject["theirs"]): boolean {
  const changed = Buffer.from(octets);
  changed[at] = (changed[at] ?? 0) ^ 1;
  try {
    return !isDeepStrictEqual(mine, plain(theirs(changed)));
  } catch {
    return true;
  }
}

describe("recorded messages of the kernel", () => {
  it.each(Object.entries(subjects))(
    "about %s mean to netlink's codecs what they mean to ours",
    (_name, subject) => {
      const messages = messagesOf(subject);
      const read = messages.map((message) => plain(subject.ours(message), subject.newer));
      expect(read).toEqual(messages.map((message) => plain(subject.theirs(bodyOf(message)))));
      expect(read.length).toBeGreaterThan(10);
    },
  );

  it.each(Object.entries(subjects))(
    "about %s mean something else with any octet changed that both read",
    (_name, subject) => {
      const unnoticed = messagesOf(subject).flatMap((message) => {
        const octets = bodyOf(message);
        const mine = plain(subject.ours(message), subject.newer);
        return spotsIn(octets, subject)
          .filter(({ at }) => !isNoticed(mine, octets, at, subject.theirs))
          .map(({ name }) => name);
      });
      expect([...new Set(unnoticed)].toSorted()).toEqual(subject.unread.toSorted());
    },
  );
});

/** Tells what a request says to them, its header included. */
function heardIn(request: NetlinkRequest): object {
  const [message] = parseMessages(Buffer.from(encodeRequests([request], 7)));
  if (message === undefined) throw new Error("no message was found");
  const kind = MessageType[message.type] ?? String(message.type);
  const found = Object.values(subjects)[["LINK", "ADDR", "ROUTE"].indexOf(kind.slice(3))];
  return {
    ...{ kind, sequence: message.seq, port: message.port },
    flags: [FlagsNew.REPLACE, FlagsNew.EXCL, FlagsNew.CREATE, FlagsNew.APPEND]
      .filter((flag) => (message.flags & flag) !== 0)
      .map((flag) => FlagsNew[flag]),
    reported: plain(found?.theirs(message.data)),
  };
}

const added = { sequence: 7, port: 0, flags: ["EXCL", "CREATE"] };
const changed = { sequence: 7, port: 0, flags: [] };
const noLink = { hardware: 0, index: 0, flags: 0 };

describe("a request that ours write", () => {
  const settings = {
    sci: "02000000000a0001",
    cipherSuite: "gcm-aes-xpn-256",
    window: 32,
    encrypt: true,
    protect: true,
    includeSci: false,
    replayProtect: true,
    validation: "strict",
  } as const;

  it("for a MACsec device tells netlink's codecs all of its settings", () => {
    const request = addMacsecLink({ name: "ms0", below: 4, mtu: 9000, settings });
    const reported = { ...noLink, name: "ms0", link: 4, mtu: 9000 };
    const info = { kind: "macsec", macsec: settings };
    expect(heardIn(request)).toEqual({
      ...added,
      kind: "NEWLINK",
      reported: { ...reported, info },
    });
  });

  it("for other settings of a MACsec device names that device and these settings alone", () => {
    const macsec = { encodingSa: 3, replayProtect: false, window: 0, validation: "check" } as const;
    const reported = { ...noLink, index: 9, info: { kind: "macsec", macsec } };
    const request = changeMacsecLink(9, macsec);
    expect(heardIn(request)).toEqual({ ...changed, kind: "NEWLINK", reported });
  });

  it("for a device of xfrm or of a VLAN tells them its number", () => {
    const ofXfrm = addXfrmLink({ name: "ipsec42", ifId: 0x4200_0001, mtu: 1400 });
    const xfrm = { kind: "xfrm", xfrm: { ifId: 0x4200_0001 } };
    const reported = { ...noLink, name: "ipsec42", mtu: 1400, info: xfrm };
    expect(heardIn(ofXfrm)).toEqual({ ...added, kind: "NEWLINK", reported });
    const vlan = { id: 5, protocol: "88a8" };
    const ofVlan = addVlanLink({ name: "a0.5", below: 3, mtu: 1500, ...vlan });
    const theirs = { name: "a0.5", link: 3, mtu: 1500, info: { kind: "vlan", vlan } };
    const whole = { ...noLink, ...theirs };
    expect(heardIn(ofVlan)).toEqual({ ...added, kind: "NEWLINK", reported: whole });
  });

  it("for a change of a link tells them what changes, and of its flags which", () => {
    const change = { up: true, mtu: 1500, master: 8 };
    const reported = { ...noLink, index: 4, flags: 1, mtu: 1500, master: 8 };
    expect(heardIn(changeLink(4, change))).toEqual({ ...changed, kind: "NEWLINK", reported });
    const flagsOf = (request: NetlinkRequest): object => {
      const { data } = parseLinkMessage(Buffer.from(encodeRequests([request], 7)).subarray(16));
      return { flags: data.flags, change: data.change };
    };
    expect(flagsOf(changeLink(4, { up: true }))).toEqual({
      flags: { up: true },
      change: { up: true },
    });
    expect(flagsOf(changeLink(4, { up: false }))).toEqual({ flags: {}, change: { up: true } });
    expect(flagsOf(changeLink(4, { mtu: 1500 }))).toEqual({ flags: {}, change: {} });
  });

  it("for the way of a link with addresses tells them the mode of IPv6", () => {
    const reported = { ...noLink, index: 4, perFamily: { inet6: { addressMode: "none" } } };
    const request = changeLink(4, { addressMode: "none" });
    expect(heardIn(request)).toEqual({ ...changed, kind: "NEWLINK", reported });
  });

  it("for an end of a link names it", () => {
    const reported = { ...noLink, index: 9 };
    expect(heardIn(deleteLink(9))).toEqual({ ...changed, kind: "DELLINK", reported });
  });

  it.each([
    [2, "10.0.0.1", "10.0.0.1"],
    [2, "10.1.0.1", "10.1.0.2"],
    [10, "fd00:1::1", "fd00:1::1"],
    [10, "fd00:2::1", "fd00:2::2"],
  ])("of family %i for the address %s tells them both ends", (family, local, peer) => {
    const want = { link: 3, local, peer, prefixLength: 24 };
    const reported = { family, prefixLength: 24, scope: 0, link: 3, local, address: peer };
    expect(heardIn(addAddress(want))).toEqual({ ...added, kind: "NEWADDR", reported });
    expect(heardIn(removeAddress(want))).toEqual({ ...changed, kind: "DELADDR", reported });
  });

  it.each([
    [2, "10.9.0.0", 16, 253],
    [10, "fd00:9::", 64, 0],
  ])("of family %i for a route to %s tells them its link and who made it", (...want) => {
    const [family, destination, destinationLength, scope] = want;
    const prefix = `${destination}/${destinationLength}`;
    const header = { family, destinationLength, sourceLength: 0, serviceType: 0, flags: 0 };
    // RTPROT_STATIC is 4, RTN_UNICAST is 1.
    const reported = { ...header, protocol: 4, kind: 1, scope, destination, outputLink: 6 };
    const appended = { ...added, flags: ["CREATE", "APPEND"] };
    expect(heardIn(addLinkRoute(prefix, 6))).toEqual({ ...appended, kind: "NEWROUTE", reported });
    expect(heardIn(deleteLinkRoute(prefix, 6))).toEqual({ ...changed, kind: "DELROUTE", reported });
  });

  it("for the route to an address tells them the whole address", () => {
    const header = { family: 10, destinationLength: 128, sourceLength: 0, serviceType: 0 };
    const reported = {
      ...header,
      destination: "fd00:9::1",
      protocol: 0,
      kind: 0,
      scope: 0,
      flags: 0,
    };
    expect(heardIn(askRoute("fd00:9::1"))).toEqual({ ...changed, kind: "GETROUTE", reported });
  });
});

describe("a route that the kernel still shows though its life is over", () => {
  it("has a negative rest of its life, as rta_cacheinfo has it", () => {
    const [message] = recordedOctets("routes-6").flatMap(messagesIn);
    if (message === undefined) throw new Error("no route was recorded");
    const cache = attributesIn(bodyOf(message), 12, message.end - message.start).find(
      ({ type }) => type === 12,
    );
    message.view.setInt32(message.start + (cache?.start ?? 0) + 8, -500, true);
    expect(readRoute(message)?.cache?.expires).toBe(-500);
    expect(routeByNetlink(bodyOf(message))).toMatchObject({ cache: { expires: -500 } });
  });
});
