// A checked config to what the agent wants: units become numbers, every default is filled in.

import type { Transforms } from "#hal/model.ts";
import type { Desired, DesiredGroup, DesiredLink, DesiredTunnel } from "../desired.ts";
import type { Config } from "./schema.ts";
import { durationMs, endOfDay, speedGbps } from "./units.ts";

// Azure's strongest policy that hardware runs fast: an AEAD and group 20 (RFC 5903).
const strong: Transforms = { encryption: "aes-256-gcm", integrity: "none", dhGroup: "ecp-384" };

export function resolve(config: Config): Desired {
  const { health, rotation } = config;
  return {
    site: config.site,
    azure: config.azure,
    devices: config.devices,
    groups: config.groups.map(groupOf),
    tunnels: config.tunnels.map(tunnelOf),
    repair: config.repair,
    health: {
      pollMs: durationMs(health.poll),
      staleAfterMs: durationMs(health.staleAfter),
      evidenceMs: durationMs(health.evidence),
    },
    rotation: {
      settleMs: durationMs(rotation.settle),
      proofFrames: rotation.proofFrames,
      verifyMs: durationMs(rotation.verify),
      confirmMs: durationMs(rotation.confirm),
      soakMs: durationMs(rotation.soak),
      farEndMs: durationMs(rotation.farEnd),
      putGraceMs: durationMs(rotation.putGrace),
      drained: {
        samples: rotation.drained.samples,
        everyMs: durationMs(rotation.drained.every),
      },
    },
    acceptRisks: config.acceptRisks.map(({ risk, until, reason }) => ({
      risk,
      until: endOfDay(until),
      reason,
    })),
  };
}

function groupOf(group: Config["groups"][number]): DesiredGroup {
  const { name, expressRoutePort, drain, order } = group;
  const links = group.links.map((link) => linkOf(name, link));
  if (order !== undefined) links.sort((a, b) => order.indexOf(a.name) - order.indexOf(b.name));
  return { name, expressRoutePort, drain, links };
}

function linkOf(group: string, link: Config["groups"][number]["links"][number]): DesiredLink {
  const { macsec } = link;
  return {
    name: link.name,
    group,
    device: link.device,
    port: link.port,
    azureLink: link.azureLink,
    speedGbps: speedGbps(link.speed),
    settings: {
      suite: macsec.suite,
      includeSci: macsec.includeSci,
      confidentialityOffset: macsec.offset,
      keyServerPriority: macsec.keyServerPriority,
      replayWindow: macsec.replayWindow === "off" ? undefined : macsec.replayWindow,
      sakRekeyMs: macsec.sakRekey === undefined ? undefined : durationMs(macsec.sakRekey),
    },
    key: link.key,
  };
}

function tunnelOf(tunnel: Config["tunnels"][number]): DesiredTunnel {
  return {
    name: tunnel.name,
    device: tunnel.device,
    localAddress: tunnel.local.address,
    remoteAddress: tunnel.remote.address,
    localPrefixes: tunnel.protects.local,
    remotePrefixes: tunnel.protects.remote,
    transforms: strong,
    pskSecret: tunnel.auth.psk,
    insideMacsec: tunnel.insideMacsec,
  };
}
