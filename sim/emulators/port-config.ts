// Translates the ports of any vendor's configuration into the state of the simulated router.

import type { CipherSuite, PortName } from "#hal/model.ts";
import type { EndpointKey } from "../mka/port-endpoint.ts";
import type { Router } from "../router/router.ts";
import {
  cloneConfig,
  type MutableConfig,
  type PortConfig,
  sameCak,
  type TunnelConfig,
} from "../router/router-config.ts";
import type { Block } from "./line-tree.ts";
import { hasIpsec, peersOf } from "./router-facts.ts";

const suites: readonly CipherSuite[] = [
  "gcm-aes-128",
  "gcm-aes-256",
  "gcm-aes-xpn-128",
  "gcm-aes-xpn-256",
];

/** Returns the suite of that name; undefined if the router does not offer it. */
export function offeredSuite(router: Router, text: string): CipherSuite | undefined {
  const offered = router.options.capabilities.macsec?.suites ?? [];
  return suites.find((one) => one === text && offered.includes(one));
}

/**
 * Returns the running configuration with the ports and tunnels that a vendor's configuration
 * describes.
 */
export function configWith(
  router: Router,
  read: (port: PortName, peer: string) => PortConfig,
  tunnels?: () => Map<string, TunnelConfig>,
): MutableConfig {
  const next = cloneConfig(router.running);
  const peers = peersOf(router);
  for (const [port, config] of next.ports) {
    const own = read(port, peers.get(port) ?? "");
    Object.assign(config, { ...own, keys: own.keys.map((key) => keptKey(key, config.keys)) });
  }
  return tunnels === undefined || !hasIpsec(router) ? next : { ...next, tunnels: tunnels() };
}

/** An unchanged key keeps its state, even if its start has passed meanwhile. */
function keptKey(key: EndpointKey, kept: readonly EndpointKey[]): EndpointKey {
  const same = kept.find((one) => one.ckn === key.ckn && sameCak(one, key));
  return same === undefined ? key : { ...same, role: key.role };
}

/** Returns the route map for routes that are sent to a neighbour. */
export function routeMapOut(bgp: readonly Block[], peer: string): string | undefined {
  return bgp
    .map(({ line }) => /^neighbor (\S+) route-map (\S+) out$/.exec(line))
    .find((found) => found?.[1] === peer)?.[2];
}
