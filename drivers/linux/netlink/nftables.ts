// Rules of nftables that keep TCP through a tunnel within its MTU: a host behind this router does
// not know the tunnel, and the messages that would report a smaller path MTU are often filtered.
// Each tunnel has one table, which is created and deleted as a whole (linux/netfilter/nf_tables.h).

import type { NetlinkMessage, NetlinkRequest, Octets } from "#hal/netlink.ts";
import { attribute, netlinkFlags } from "../../transport/netlink-wire.ts";
import { table } from "./attributes.ts";
import { networkU32, text, u8 } from "./codecs.ts";

const subsystem = 10;
const typeOf = (message: number): number => (subsystem << 8) | message;
const messages = { newTable: 0, getTable: 1, deleteTable: 2, newChain: 3, newRule: 6 } as const;
const batch = { begin: 0x10, end: 0x11 } as const;
/** NFPROTO_INET: IPv4 and IPv6 in one chain. */
const inet = 1;

function header(family: number, resource = 0): Uint8Array {
  return Uint8Array.of(family, 0, resource >> 8, resource & 0xff);
}

function request(message: number, flags: number, body: Octets): NetlinkRequest {
  return { type: typeOf(message), flags, body: [header(inet), ...body] };
}

const mark = (type: number): NetlinkRequest => ({ type, flags: 0, body: [header(0, subsystem)] });

/** Wraps the requests in a batch, which the kernel carries out completely or not at all. */
export function asOne(requests: readonly NetlinkRequest[]): {
  readonly requests: readonly NetlinkRequest[];
  readonly tail: NetlinkRequest;
} {
  return { requests: [mark(batch.begin), ...requests], tail: mark(batch.end) };
}

const tableRows = table({ name: [1, text] });

/** Builds the dump of all tables. */
export function dumpTables(): NetlinkRequest {
  return request(messages.getTable, netlinkFlags.dump, []);
}

/** Returns the name of a table; undefined = it belongs to another family. */
export function readTable({ type, view, start, end }: NetlinkMessage): string | undefined {
  if (type !== typeOf(messages.newTable) || view.getUint8(start) !== inet) return undefined;
  return tableRows.read(view, start + 4, end).name;
}

/** Builds the request that deletes a table. */
export function deleteTable(name: string): NetlinkRequest {
  return request(messages.deleteTable, 0, tableRows.write({ name }));
}

const chainName = "forward";
/** NF_INET_FORWARD, with the priority of mangling. */
const forward = { hook: 2, priority: -150 } as const;
/** Azure's recommendation for its gateways; a smaller MTU lowers it further. */
const mssMax = 1_350;
const headerBytes = { ipv4: 40, ipv6: 60 } as const;
/** NFPROTO_IPV4 and NFPROTO_IPV6. */
const protocols = { ipv4: 2, ipv6: 10 } as const;

/** Builds a table that lowers the MSS of everything forwarded into that link or out of it. */
export function addClamp(name: string, link: string, mtu: number): readonly NetlinkRequest[] {
  const create = netlinkFlags.create;
  const hook = [
    ...attribute(1, networkU32.write(forward.hook)),
    ...attribute(2, networkU32.write(forward.priority >>> 0)),
  ];
  const chain = [
    ...attribute(1, text.write(name)),
    ...attribute(3, text.write(chainName)),
    ...attribute(4, hook),
    ...attribute(7, text.write("filter")),
  ];
  const rules = (["ipv4", "ipv6"] as const).flatMap((family) =>
    [metaKeys.inputName, metaKeys.outputName].map((way) =>
      rule(name, [
        ...meta(metaKeys.protocol, Uint8Array.of(protocols[family])),
        ...meta(way, linkName(link)),
        ...meta(metaKeys.transport, Uint8Array.of(tcp)),
        ...syn,
        ...lower(Math.min(mssMax, mtu - headerBytes[family])),
      ]),
    ),
  );
  return [
    request(messages.newTable, create, tableRows.write({ name })),
    request(messages.newChain, create, chain),
    ...rules,
  ];
}

function rule(name: string, expressions: Octets): NetlinkRequest {
  const body = [
    ...attribute(1, text.write(name)),
    ...attribute(2, text.write(chainName)),
    ...attribute(4, expressions),
  ];
  return request(messages.newRule, netlinkFlags.create | netlinkFlags.append, body);
}

const tcp = 6;
/** Keys of the kernel's metadata of a packet. */
const metaKeys = { inputName: 6, outputName: 7, protocol: 15, transport: 16 } as const;
const registerOne = 1;

const linkNameBytes = 16;

function linkName(link: string): Uint8Array {
  const octets = new Uint8Array(linkNameBytes);
  octets.set(new TextEncoder().encode(link).subarray(0, linkNameBytes - 1));
  return octets;
}

function expression(name: string, data: Octets): Octets {
  return attribute(1, [...attribute(1, text.write(name)), ...attribute(2, data)]);
}

const number = (type: number, value: number): Octets => attribute(type, networkU32.write(value));
const value = (type: number, octets: Uint8Array): Octets => attribute(type, attribute(1, [octets]));

/** The packet goes on to the next expression only if they are equal. */
function equals(octets: Uint8Array): Octets {
  return expression("cmp", [...number(1, registerOne), ...number(2, 0), ...value(3, octets)]);
}

function meta(key: number, octets: Uint8Array): Octets {
  const load = expression("meta", [...number(1, registerOne), ...number(2, key)]);
  return [...load, ...equals(octets)];
}

/** The octet of flags of a TCP header (RFC 9293, 3.1): SYN without RST. */
const tcpFlags = { base: 2, offset: 13, length: 1, mask: 0x06, syn: 0x02 } as const;
const syn: Octets = [
  ...expression("payload", [
    ...number(1, registerOne),
    ...number(2, tcpFlags.base),
    ...number(3, tcpFlags.offset),
    ...number(4, tcpFlags.length),
  ]),
  ...expression("bitwise", [
    ...number(1, registerOne),
    ...number(2, registerOne),
    ...number(3, tcpFlags.length),
    ...value(4, Uint8Array.of(tcpFlags.mask)),
    ...value(5, Uint8Array.of(0)),
  ]),
  ...equals(Uint8Array.of(tcpFlags.syn)),
];

/** RFC 9293, 3.7.1: the value follows kind and length. The kernel never raises it. */
const mssOption = { kind: 2, offset: 2, length: 2, operation: 1 } as const;

function lower(mss: number): Octets {
  const octets = Uint8Array.of(mss >> 8, mss & 0xff);
  return [
    ...expression("immediate", [...number(1, registerOne), ...value(2, octets)]),
    ...expression("exthdr", [
      ...attribute(2, u8.write(mssOption.kind)),
      ...number(3, mssOption.offset),
      ...number(4, mssOption.length),
      ...number(6, mssOption.operation),
      ...number(7, registerOne),
    ]),
  ];
}
