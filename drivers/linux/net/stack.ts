// Which links of this host are ports, what stands on each, and which port a link ends at.

import type { PortName } from "#hal/model.ts";
import type { Address } from "../netlink/rtnetlink-address.ts";
import type { Link } from "../netlink/rtnetlink-link.ts";

const ethernet = 1;
/** Kinds that a link has although it is the end of a cable; a veth pair is one between networks. */
const cabled: ReadonlySet<string | undefined> = new Set([undefined, "veth"]);
/** Kinds whose frames leave by exactly the link below them. */
const stacked: ReadonlySet<string | undefined> = new Set([
  ...["macsec", "vlan", "macvlan", "ipvlan", "xfrm"],
]);

/** More would be no router any more; the reader of a look takes no more. */
const portsMax = 512;

type Named = Link & { readonly name: string };

/** In the order of the kernel's own numbers; the loopback and what is stacked are none. */
export function portsOf(links: readonly Link[]): readonly Named[] {
  return links
    .filter((link): link is Named => isPort(link) && link.name !== undefined)
    .toSorted((a, b) => a.index - b.index)
    .slice(0, portsMax);
}

function isPort({ hardware, info }: Link): boolean {
  return hardware === ethernet && cabled.has(info?.kind);
}

/** The number of the link that frames leave by; undefined = none, or one of another network. */
function below({ info, link, linkNamespace }: Link): number | undefined {
  return stacked.has(info?.kind) && linkNamespace === undefined ? link : undefined;
}

/** The port itself and every link whose frames leave by it, from below upwards. */
export function stackOn(port: Link, links: readonly Link[]): readonly Link[] {
  const found = [port];
  // The list grows while it is walked, and a circle of links ends it all the same.
  for (const { index } of found) {
    for (const link of links) {
      if (below(link) === index && !found.includes(link)) found.push(link);
    }
  }
  return found;
}

/** The port that frames of this link leave by; undefined = more than one, or none that is known. */
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

/** Where the far end of a port, or what is behind a tunnel, may have an address. */
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
        // Of an address with a peer the prefix is the peer's.
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
