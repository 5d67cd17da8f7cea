// Which links of this host are ports, which links are on top of each, and by which port a link's
// frames leave.

import type { PortName } from "#hal/model.ts";
import type { Address } from "../netlink/rtnetlink-address.ts";
import type { Link } from "../netlink/rtnetlink-link.ts";

const ethernet = 1;
/** Kinds of links that are the end of a cable; a veth pair is a cable between two networks. */
const cabled: ReadonlySet<string | undefined> = new Set([undefined, "veth"]);
/** Kinds whose frames leave by exactly the link below them. */
const stacked: ReadonlySet<string | undefined> = new Set([
  ...["macsec", "vlan", "macvlan", "ipvlan", "xfrm"],
]);

/** A sanity limit; the decoder of an observation accepts no more ports. */
const portsMax = 512;

type Named = Link & { readonly name: string };

/**
 * Returns the ports in the order of the kernel's indices; the loopback and stacked links are not
 * ports.
 */
export function portsOf(links: readonly Link[]): readonly Named[] {
  return links
    .filter((link): link is Named => isPort(link) && link.name !== undefined)
    .toSorted((a, b) => a.index - b.index)
    .slice(0, portsMax);
}

function isPort({ hardware, info }: Link): boolean {
  return hardware === ethernet && cabled.has(info?.kind);
}

/**
 * Returns the index of the link that frames leave by; undefined = none, or one of another network.
 */
function below({ info, link, linkNamespace }: Link): number | undefined {
  return stacked.has(info?.kind) && linkNamespace === undefined ? link : undefined;
}

/** Returns the port itself and every link whose frames leave by it, from below upwards. */
export function stackOn(port: Link, links: readonly Link[]): readonly Link[] {
  const found = [port];
  // The list grows while it is walked; a circle of links ends the walk all the same.
  for (const { index } of found) {
    for (const link of links) {
      if (below(link) === index && !found.includes(link)) found.push(link);
    }
  }
  return found;
}

/**
 * Returns the port that frames of this link leave by; undefined = there are several, or none is
 * known.
 */
export function portBelow(index: number, links: readonly Link[]): PortName | undefined {
  const walked = new Set<number>();
  for (let at = links.find((link) => link.index === index); at !== undefined; ) {
    if (isPort(at) || at.name === "lo") return at.name;
    const next = below(at);
    if (next === undefined || walked.has(at.index)) return undefined;
    walked.add(at.index);
    at = links.find((link) => link.index === next);
  }
  return undefined;
}

/** A subnet in which the far end of a port, or a host behind a tunnel, may have an address. */
export type Subnet = SubnetAddress & ({ readonly port: PortName } | { readonly tunnel: string });

interface SubnetAddress {
  /** The link that has the address. */
  readonly link: string;
  /** undefined = the default one. */
  readonly vrf?: string;
  readonly prefix: string;
}

export function subnetsOf(
  links: readonly Link[],
  addresses: readonly Address[],
): readonly Subnet[] {
  const on = ({ index, name, master }: Link): readonly SubnetAddress[] => {
    const vrf = links.find((link) => link.index === master && link.info?.kind === "vrf")?.name;
    return addresses
      .filter(({ link }) => link === index)
      .map(({ local, address, prefixLength }) => ({
        link: name ?? "",
        ...(vrf === undefined ? {} : { vrf }),
        // The prefix of an address with a peer is the peer's.
        prefix: `${address ?? local}/${prefixLength}`,
      }));
  };
  const inTunnels = links
    .filter(isTunnel)
    .flatMap((link) => on(link).map((found): Subnet => ({ tunnel: link.name ?? "", ...found })));
  const onPorts = portsOf(links).flatMap((port) =>
    stackOn(port, links)
      .filter((link) => !isTunnel(link))
      .flatMap((link) => on(link).map((found): Subnet => ({ port: port.name, ...found }))),
  );
  return [...onPorts, ...inTunnels];
}

const isTunnel = ({ info }: Link): boolean => info?.kind === "xfrm";
