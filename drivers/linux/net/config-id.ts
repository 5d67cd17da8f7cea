// The id of a host's configuration: it changes when an operator or a program changes the
// configuration, and only then.

import { createHash } from "node:crypto";
import { encodeJson } from "#hal/json.ts";
import type { MacsecDevice } from "../macsec/macsec.ts";
import type { KernelObservation } from "../macsec/port.ts";
import { linkFlags } from "../netlink/rtnetlink-link.ts";
import { portsOf, stackOn } from "./stack.ts";

const administrators: ReadonlySet<number> = new Set([3, 4]);
const permanent = 0x80;
const linkScope = 253;

/**
 * Leaves out what MKA and the kernel change by themselves: the SA in use, and whether it operates.
 */
function configuredOf(secy: MacsecDevice["secy"]): MacsecDevice["secy"] {
  if (secy === undefined) return undefined;
  const { encodingSa: _an, oper: _oper, ...configured } = secy;
  return configured;
}

/**
 * Returns a digest of what was configured on the ports, without what the kernel and MKA find out by
 * themselves.
 */
export function configIdOf({ links, addresses, routes, secys }: KernelObservation): string {
  const ports = portsOf(links).flatMap((port) => stackOn(port, links));
  const indices = new Set(ports.map(({ index }) => index));
  const config = {
    links: ports.map(({ name, flags, mtu, master, info }) => [
      name,
      flags & linkFlags.up,
      mtu,
      master,
      info?.kind,
      info?.vlan?.id,
    ]),
    addresses: addresses
      .filter(
        ({ link, scope, flags = 0 }) =>
          indices.has(link) && scope !== linkScope && (flags & permanent) !== 0,
      )
      .map(({ link, local, address, prefixLength }) => [link, local ?? address, prefixLength]),
    routes: routes
      .filter(
        ({ protocol, outputLink }) => administrators.has(protocol) && indices.has(outputLink ?? 0),
      )
      .map(({ destination, destinationLength, gateway, outputLink, table, priority }) => [
        ...[destination, destinationLength, gateway, outputLink, table, priority],
      ]),
    secys: secys?.map(({ link, secy }) => [link, configuredOf(secy)]),
  };
  return createHash("sha256").update(encodeJson(config)).digest("hex").slice(0, 16);
}
