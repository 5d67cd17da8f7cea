// How single faults of a simulated site strike; each returns what heals it.

import type { EndpointFault } from "../mka/port-endpoint.ts";
import type { RouterFault } from "../router/router-faults.ts";
import type { FarTwist } from "../site/far-port.ts";
import type { MseeFault } from "../site/msee.ts";
import type { Site, SiteLink } from "../site/site.ts";
import type { VaultFault } from "../site/vault.ts";
import type { Heal } from "./manual-operators.ts";

export const twist = (name: FarTwist) => (_site: Site, link: SiteLink) => {
  link.farPort.setTwist(name, true);
  return () => link.farPort.setTwist(name, false);
};

export const router = (name: RouterFault) => (_site: Site, link: SiteLink) => {
  link.router.setFault(name, true);
  return () => link.router.setFault(name, false);
};

export const msee = (name: MseeFault) => (_site: Site, link: SiteLink) => {
  link.msee.setFault(name, true);
  return () => link.msee.setFault(name, false);
};

export const vault = (name: VaultFault) => (site: Site) => {
  site.vault.setFault(name, true);
  return () => site.vault.setFault(name, false);
};

export const farPort = (name: EndpointFault) => (_site: Site, link: SiteLink) => {
  link.farPort.setFault(name, true);
  return () => link.farPort.setFault(name, false);
};

/** The data plane of the edge keeps its SAK while MKA moves on (SONiC, after a restart). */
export function staleSak(_site: Site, link: SiteLink): Heal {
  link.edge.setFault("staleSak", true);
  link.far.rekeySak();
  return () => {
    link.edge.setFault("staleSak", false);
    link.far.rekeySak();
  };
}

export function shouldSecure(_site: Site, link: SiteLink): Heal {
  const setPolicy = (policy: "mustSecure" | "shouldSecure"): void =>
    link.router.manualEdit((config) => {
      const port = config.ports.get(link.port);
      if (port?.macsec !== undefined) port.macsec = { ...port.macsec, policy };
    });
  setPolicy("shouldSecure");
  return () => setPolicy("mustSecure");
}

/** The far end advertises the protected prefix outside the tunnel as well. */
export function clearPath(site: Site, link: SiteLink): Heal {
  const tunnel = site.plan.tunnels.find(({ device }) => device === link.device);
  if (tunnel === undefined) return () => {};
  link.router.advertise(tunnel.remotePrefix, "announce");
  return () => link.router.advertise(tunnel.remotePrefix, "withdraw");
}

/** The router advertises this side's prefix to the far end as well, as if misconfigured. */
export function clearPathBack(site: Site, link: SiteLink): Heal {
  const tunnel = site.plan.tunnels.find(({ device }) => device === link.device);
  if (tunnel === undefined) return () => {};
  link.router.advertiseOwn(tunnel.localPrefix, "announce");
  return () => link.router.advertiseOwn(tunnel.localPrefix, "withdraw");
}

/** All data that the router sends is lost behind its port; what the far end sends arrives. */
export function sentLost(_site: Site, link: SiteLink): Heal {
  link.fibre.setSwallows(true);
  return () => link.fibre.setSwallows(false);
}

/** Leaves room for the demo's frames in the clear, and none for the SecTAG and ICV. */
export function smallMtu(_site: Site, link: SiteLink): Heal {
  link.edge.setL2Mtu(528);
  return () => link.edge.setL2Mtu(9216);
}

/** The far end's traffic takes the longer path for a while. */
export function farStrays(_site: Site, link: SiteLink): Heal {
  link.traffic.stray(link, strayPps);
  return () => link.traffic.stray(link, 0);
}

/** The peering over the link has no BFD, so that only its hold time notices a loss. */
export function bfdOff(_site: Site, link: SiteLink): Heal {
  link.router.setBfd(link.port, "off");
  return () => link.router.setBfd(link.port, "up");
}

const strayPps = 300;
