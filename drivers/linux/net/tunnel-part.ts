// The changes of a tunnel that the kernel needs: a fixed list, none of which holds a key.

import { isIP } from "node:net";
import {
  count,
  field,
  type JsonObject,
  list,
  Malformed,
  name,
  names,
  oneOf,
  record,
} from "../../local/shape.ts";
import { canonicalAddress } from "../netlink/address.ts";
import { type Backing, readBacking } from "./backing.ts";
import { canonicalPrefix, prefixesMax } from "./guard.ts";

/** The xfrm interface of a tunnel, with what may leave by it. */
export interface TunnelLink {
  readonly name: string;
  readonly ifId: number;
  readonly mtu: number;
  readonly prefixes: readonly string[];
  /** Of BGP inside, which brings the routes; absent = a route for each prefix leads into it. */
  readonly ends?: TunnelEnds;
}

export interface TunnelEnds {
  readonly local: string;
  readonly peer: string;
}

/** Where the neighbour inside is reached: nowhere else. */
export function hostPrefix(address: string): string {
  return `${address}/${address.includes(":") ? 128 : 32}`;
}

export type TunnelPart =
  | { readonly kind: "ipsec.block"; readonly prefixes: readonly string[] }
  /** From now on these prefixes may leave under the MACsec of these ports, and of no others. */
  | { readonly kind: "ipsec.back"; readonly backings: readonly Backing[] }
  | { readonly kind: "ipsec.carry"; readonly link: TunnelLink }
  /** Its SAs and its block stay. */
  | { readonly kind: "ipsec.drop"; readonly name: string }
  /** Ends SAs that no IKE SA owns. */
  | {
      readonly kind: "ipsec.sweep";
      readonly name: string;
      readonly ifId: number;
      readonly sas: readonly { readonly spi: number }[];
    }
  /** By `linkseal guard` alone: no client of linkseal-net can ask for it. */
  | { readonly kind: "ipsec.unblock"; readonly prefixes: readonly string[] }
  /** Only ever the undoing of what was made and not confirmed: no client can ask for it. */
  | { readonly kind: "ipsec.unmake"; readonly name: string; readonly ifId: number };

export const tunnelKinds = [
  "ipsec.block",
  "ipsec.back",
  "ipsec.carry",
  "ipsec.drop",
  "ipsec.sweep",
  "ipsec.unblock",
  "ipsec.unmake",
] as const;

const sasMax = 256;
const ifIdMax = 2 ** 32 - 1;
const mtuMax = 65_535;

/** Throws Malformed. */
export function readTunnelPart(part: JsonObject): TunnelPart {
  const kind = oneOf(part, "kind", tunnelKinds);
  switch (kind) {
    case "ipsec.block":
    case "ipsec.unblock":
      return { kind, prefixes: prefixesIn(part) };
    case "ipsec.back":
      return { kind, backings: list(part, "backings", prefixesMax, readBacking) };
    case "ipsec.carry":
      return { kind, link: readTunnelLink(record(part, "link")) };
    case "ipsec.drop":
      return { kind, name: name(part, "name") };
    case "ipsec.sweep": {
      const sas = list(part, "sas", sasMax, (one) => ({ spi: count(one, "spi", ifIdMax) }));
      return { kind, name: name(part, "name"), ifId: count(part, "ifId", ifIdMax), sas };
    }
    case "ipsec.unmake":
      return { kind, name: name(part, "name"), ifId: count(part, "ifId", ifIdMax) };
  }
}

/** Throws Malformed. */
export function readTunnelLink(link: JsonObject): TunnelLink {
  const numbers = { ifId: count(link, "ifId", ifIdMax), mtu: count(link, "mtu", mtuMax) };
  const own = { name: name(link, "name"), ...numbers, prefixes: prefixesIn(link) };
  if (field(link, "ends") === undefined) return own;
  return { ...own, ends: endsIn(record(link, "ends")) };
}

function prefixesIn(parent: JsonObject): readonly string[] {
  return names(parent, "prefixes", prefixesMax).map(canonicalPrefix);
}

function endsIn(ends: JsonObject): TunnelEnds {
  return { local: addressIn(ends, "local"), peer: addressIn(ends, "peer") };
}

function addressIn(parent: JsonObject, key: string): string {
  const address = name(parent, key);
  if (isIP(address) === 0 || address.includes("%")) throw new Malformed(key);
  return canonicalAddress(address);
}

export function tunnelPreview(part: TunnelPart): readonly string[] {
  switch (part.kind) {
    case "ipsec.block":
      return part.prefixes.map((prefix) => `+ block ${prefix} outside of tunnels`);
    case "ipsec.unblock":
      return part.prefixes.map((prefix) => `- block ${prefix} outside of tunnels`);
    case "ipsec.back":
      return part.backings.map(({ prefix, ports }) =>
        ports.length === 0
          ? `- pass ${prefix} under the MACsec of ports`
          : `+ pass ${prefix} under the MACsec of ${ports.join(", ")}, while it is tight`,
      );
    case "ipsec.carry": {
      const { name: link, ifId, mtu, prefixes, ends } = part.link;
      const routes =
        ends === undefined
          ? prefixes.map((prefix) => `+ route ${prefix} into ${link}`)
          : [`+ address ${ends.local} on ${link}, opposite ${ends.peer}: BGP brings the routes`];
      return [`+ xfrm interface ${link}, number ${ifId}, mtu ${mtu}`, ...routes];
    }
    case "ipsec.drop":
    case "ipsec.unmake":
      return [`- xfrm interface ${part.name}`];
    case "ipsec.sweep":
      return [`- ${part.sas.length} SAs of ${part.name} that no IKE SA owns`];
  }
}
