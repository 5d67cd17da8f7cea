// Turns a checked config into the desired state: units become numbers, and every default is filled
// in.

import { drivers, sshPortOf } from "#drivers/index.ts";
import type { SnmpLogin } from "#hal/target.ts";
import type {
  AzureIdentity,
  AzureSettings,
  BackedLinks,
  Desired,
  DesiredAuth,
  DesiredDevice,
  DesiredGroup,
  DesiredLink,
  DesiredTunnel,
  FleetSettings,
  Listen,
  PageSettings,
  Receiver,
  RotatePolicy,
  RotationSettings,
} from "../model/desired.ts";
import { ifIdOf, policyOf as ipsecPolicyOf, transformsOf, weaknesses } from "./ipsec-policy.ts";
import type { Config } from "./schema.ts";
import { freezeOf, windowOf, windowTexts } from "./span.ts";
import { staleBoundMs } from "./timing.ts";
import { durationMs, endOfDay, speedGbps } from "./units.ts";

/** MTU that Azure recommends for packets inside a tunnel. */
const innerMtu = 1400;

/** Default time between two proofs of a backup, in milliseconds. */
const proveMs = 300_000;

export function resolve(config: Config): Desired {
  const groups = config.groups.map((group) => groupOf(group, config.devices));
  return {
    site: config.site,
    azure: azureOf(config.azure),
    devices: config.devices.map((device) => deviceOf(device, groups)),
    groups,
    tunnels: config.tunnels.map((tunnel) => tunnelOf(tunnel, groups)),
    repair: config.repair,
    ...healthOf(config.health),
    rotation: rotationOf(config.rotation),
    limits: { campaignsAtOnce: config.rotation.atOnce, loginsAtOnce: config.health.loginsAtOnce },
    serve: serveOf(config.serve),
    telemetry: telemetryOf(config.telemetry),
    ...(config.fleet === undefined ? {} : { fleet: fleetOf(config.fleet) }),
    acceptRisks: config.acceptRisks.map(({ risk, until, reason }) => ({
      risk,
      until: endOfDay(until),
      reason,
    })),
  };
}

function healthOf(health: Config["health"]): Pick<Desired, "health" | "staleAfterAskedMs"> {
  const [pollMs, evidenceMs] = [durationMs(health.poll), durationMs(health.evidence)];
  const askedMs = durationMs(health.staleAfter);
  const staleAfterMs = Math.min(askedMs, staleBoundMs({ pollMs, evidenceMs }));
  return {
    health: { pollMs, staleAfterMs, evidenceMs },
    ...(askedMs > staleAfterMs ? { staleAfterAskedMs: askedMs } : {}),
  };
}

export function rotationOf(rotation: Config["rotation"]): RotationSettings {
  return {
    settleMs: durationMs(rotation.settle),
    proofFrames: rotation.proofFrames,
    verifyMs: durationMs(rotation.verify),
    confirmMs: durationMs(rotation.confirm),
    soakMs: durationMs(rotation.soak),
    ...(rotation.bake === undefined ? {} : { bakeMs: durationMs(rotation.bake) }),
    farEndMs: durationMs(rotation.farEnd),
    putGraceMs: durationMs(rotation.putGrace),
    overdueMs: durationMs(rotation.overdue),
    drained: {
      samples: rotation.drained.samples,
      everyMs: durationMs(rotation.drained.every),
    },
  };
}

function serveOf({ metrics, page }: Config["serve"]): Desired["serve"] {
  return {
    ...(metrics === undefined ? {} : { metrics: listenOf(metrics.listen) }),
    ...(page === undefined ? {} : { page: pageOf(page) }),
  };
}

function pageOf({ listen, tls }: NonNullable<Config["serve"]["page"]>): PageSettings {
  const [, six, four = "", port] = /^(?:\[(.*)\]|(.*)):(\d+)$/.exec(listen) ?? [];
  return { host: six ?? four, port: Number(port), ...(tls === undefined ? {} : { tls }) };
}

function telemetryOf({ webhook, otlp, heads }: Config["telemetry"]): Desired["telemetry"] {
  return {
    ...(webhook === undefined ? {} : { webhook: { ...receiverOf(webhook), least: webhook.least } }),
    ...(otlp === undefined
      ? {}
      : { otlp: { ...receiverOf(otlp), everyMs: durationMs(otlp.every) } }),
    ...(heads === undefined ? {} : { heads: { to: heads.to, everyMs: durationMs(heads.every) } }),
  };
}

function fleetOf(fleet: NonNullable<Config["fleet"]>): FleetSettings {
  const { servers, ca, key, heads, signers, apply, permits } = fleet;
  return {
    ...{ servers, key, headsMs: durationMs(heads) },
    ...(ca === undefined ? {} : { ca }),
    ...(permits === undefined ? {} : { permits }),
    ...(signers.length === 0 ? {} : { proposals: { signers, apply } }),
  };
}

type Sent = NonNullable<Config["telemetry"]["webhook"] | Config["telemetry"]["otlp"]>;

function receiverOf({ url, header, privateEndpoints }: Sent): Receiver {
  return { url, privateEndpoints, ...(header === undefined ? {} : { header }) };
}

function listenOf(text: string): Listen {
  if (text.startsWith("unix:")) return { kind: "socket", path: text.slice("unix:".length) };
  const [, six, port] = /^(\[::1\])?.*?:(\d+)$/.exec(text) ?? [];
  return { kind: "port", host: six === undefined ? "127.0.0.1" : "::1", port: Number(port) };
}

/** Resolves the Azure settings; the rules have checked what each kind of identity needs. */
function azureOf(azure: Config["azure"]): AzureSettings {
  const { cloud, vault, farEnd, identity, scopes, privateEndpoints, authority, arm } = azure;
  if (cloud === "sim" || identity === undefined) return { cloud: "sim", vault, farEnd, scopes };
  const known = { privateEndpoints, authority, arm, identity: identityOf(identity) };
  return { cloud, vault, farEnd, scopes, ...known };
}

function identityOf(identity: NonNullable<Config["azure"]["identity"]>): AzureIdentity {
  const { kind, source = "imds", tenant = "", client, certificate = "", tokenFile = "" } = identity;
  switch (kind) {
    case "arc":
      return { kind, client };
    case "managedIdentity":
      return { kind, source, client };
    case "clientCertificate":
      return { kind, tenant, client: client ?? "", certificate };
    case "workloadIdentity":
      return { kind, tenant, client: client ?? "", tokenFile };
  }
}

/** Where linkseal-net of this host answers. */
export const netSocket = "unix:/run/linkseal-net/net.sock";

function deviceOf(
  device: Config["devices"][number],
  groups: readonly DesiredGroup[],
): DesiredDevice {
  const { name, driver, address = netSocket, frr, charon, ssh, snmp } = device;
  const quirks = [...new Set([...device.quirks, ...quirksOf(device, groups)])];
  return {
    ...{ name, driver, address, quirks },
    ...(frr === undefined ? {} : { pathspace: frr }),
    ...(charon === undefined ? {} : { charon: charon.replace(/^unix:/, "") }),
    ...(ssh === undefined ? {} : { ssh: { ...ssh, port: ssh.port ?? sshPortOf(driver) } }),
    ...(snmp === undefined ? {} : { snmp: snmpOf(snmp) }),
  };
}

/**
 * Returns the quirks that the device's platform needs for the suites of its links, unless the
 * config says that the device does without.
 */
function quirksOf(
  { name, driver, quirks }: Config["devices"][number],
  groups: readonly DesiredGroup[],
): DesiredDevice["quirks"] {
  if (quirks.includes("openDuringKeyChange")) return [];
  const shut = drivers[driver]?.offers.macsec?.shutForKey;
  const isMeant = groups
    .flatMap(({ links }) => links)
    .some(({ device, settings }) => device === name && shut?.suites.includes(settings.suite));
  return isMeant ? ["shutBeforeKeyChange"] : [];
}

/** Resolves SNMP settings; the rules have checked what each way of access needs. */
function snmpOf(snmp: NonNullable<Config["devices"][number]["snmp"]>): SnmpLogin {
  const { access, port, user = "", auth, privacy, community = "" } = snmp;
  if (access === "v2c-readonly") return { access: "v2cReadonly", port, community };
  const { authPassphrase = "", privacyPassphrase = "" } = snmp;
  return { access, port, user, auth, authPassphrase, privacy, privacyPassphrase };
}

type Group = Config["groups"][number];

type Devices = Config["devices"];

function groupOf(group: Group, devices: Devices): DesiredGroup {
  const { name, expressRoutePort, drain, retire, order } = group;
  const links = group.links.map((link) => linkOf(name, link, devices));
  if (order !== undefined) links.sort((a, b) => order.indexOf(a.name) - order.indexOf(b.name));
  return {
    name,
    expressRoutePort,
    drain,
    retire,
    rotate: policyOf(group.rotate),
    freezes: group.freeze.map(freezeOf),
    links,
  };
}

function policyOf({ on, maxAge, window }: Group["rotate"]): RotatePolicy {
  return {
    on,
    maxAgeMs: maxAge === undefined ? undefined : durationMs(maxAge),
    windows: windowTexts(window).map(windowOf),
  };
}

function linkOf(group: string, link: Group["links"][number], devices: Devices): DesiredLink {
  const { macsec, aggregate } = link;
  const vrf = link.vrf ?? devices.find(({ name }) => name === link.device)?.vrf;
  return {
    name: link.name,
    group,
    device: link.device,
    port: link.port,
    ...(aggregate === undefined ? {} : { aggregate }),
    ...(vrf === undefined ? {} : { vrf }),
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

// Other rules check which of these settings belong together.
function authOf({ auth, remote }: Config["tunnels"][number]): DesiredAuth {
  const { psk, farEnd = "manual", certificate, authorities = "", peer = remote.id ?? "" } = auth;
  const { ppk: secret, ppkId: id = "", ppkUse: use = "required" } = auth;
  const beside = secret === undefined ? {} : { ppk: { secret, id, use } };
  return certificate === undefined
    ? { kind: "psk", secret: psk ?? "", farEnd, ...beside }
    : { kind: "certificate", secret: certificate, authorities, peer, ...beside };
}

type IkeSettings = Pick<DesiredTunnel, "ikeVersion" | "localId" | "remoteId" | "dpdSeconds">;

function ikeOf({ ike, local, remote, auth, dpd }: Config["tunnels"][number]): IkeSettings {
  return {
    ...(ike === "v1" ? { ikeVersion: ike } : {}),
    ...(local.id === undefined ? {} : { localId: local.id }),
    // With a certificate it is the peer of the authentication.
    ...(remote.id === undefined || auth.certificate !== undefined ? {} : { remoteId: remote.id }),
    ...(dpd === undefined ? {} : { dpdSeconds: durationMs(dpd) / 1_000 }),
  };
}

function tunnelOf(
  tunnel: Config["tunnels"][number],
  groups: readonly DesiredGroup[],
): DesiredTunnel {
  const policy = ipsecPolicyOf(tunnel.policy);
  const { ike, esp, life } = transformsOf(policy);
  return {
    name: tunnel.name,
    device: tunnel.device,
    localAddress: tunnel.local.address,
    remoteAddress: tunnel.remote.address,
    azureConnection: tunnel.remote.azureConnection,
    localPrefixes: tunnel.protects.local,
    remotePrefixes: tunnel.protects.remote,
    ike,
    transforms: esp,
    life,
    weaknesses: weaknesses(policy, tunnel.ike),
    mtu: tunnel.mtu ?? innerMtu,
    ifId: tunnel.ifId ?? ifIdOf(tunnel.name),
    auth: authOf(tunnel),
    ...ikeOf(tunnel),
    ...(tunnel.bgp === undefined ? {} : { bgp: tunnel.bgp }),
    insideMacsec: tunnel.insideMacsec,
    ...(tunnel.backs === undefined ? {} : { backs: backsOf(tunnel.backs, tunnel, groups) }),
  };
}

function backsOf(
  group: string,
  { device, prove }: Config["tunnels"][number],
  groups: readonly DesiredGroup[],
): BackedLinks {
  const all = groups.find(({ name }) => name === group)?.links ?? [];
  return {
    group,
    links: all.filter((link) => link.device === device),
    proveMs: prove === undefined ? proveMs : durationMs(prove),
  };
}
