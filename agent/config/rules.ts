// Rules between settings, which no single key can express; each has the sentence that the reference
// prints.

import { accessOf, drivers, sshPortOf } from "#drivers/index.ts";
import { hostOfPeer } from "#hal/target.ts";
import type { WallTime } from "#hal/world.ts";
import { quirkNames, type RiskName } from "../model/desired.ts";
import { waitsTooShort } from "../model/proof-time.ts";
import { azureRules } from "./azure-rules.ts";
import { type Path, pathText, shown } from "./complaint.ts";
import { fleetRules } from "./fleet-rules.ts";
import { placementRules } from "./placement-rules.ts";
import { netSocket, rotationOf } from "./resolve.ts";
import { accepts, type Finding, finding, type Rule } from "./rule.ts";
import type { Config } from "./schema.ts";
import { snmpRules } from "./snmp-rules.ts";
import { spanRules } from "./span-rules.ts";
import { telemetryRules } from "./telemetry-rules.ts";
import { timingRules } from "./timing.ts";
import { oddPrefixes } from "./tunnel-end-rules.ts";
import { oldProfiles, tunnelRules } from "./tunnel-rules.ts";
import { endOfDay, speedGbps } from "./units.ts";

type Group = Config["groups"][number];
type Link = Group["links"][number];

/** The rules that a config must meet, in the order of the reference. */
export const rules: readonly Rule[] = [
  {
    says: "Names are unique: of devices, groups and tunnels in the file, of links in their group.",
    *find({ devices, groups, tunnels }) {
      yield* repeated(devices.map((device, i) => [device.name, ["devices", i, "name"]]));
      yield* repeated(groups.map((group, i) => [group.name, ["groups", i, "name"]]));
      yield* repeated(tunnels.map((tunnel, i) => [tunnel.name, ["tunnels", i, "name"]]));
      for (const [i, { links }] of groups.entries()) {
        yield* repeated(links.map((link, j) => [link.name, [...linkPath(i, j), "name"]]));
      }
    },
  },
  {
    says: "Each device that a link or tunnel names is listed under `devices`.",
    *find(config) {
      const names = new Set(config.devices.map((device) => device.name));
      const uses: [string, Path][] = [
        ...eachLink(config).map(({ link, path }): [string, Path] => [link.device, path]),
        ...config.tunnels.map((tunnel, i): [string, Path] => [tunnel.device, ["tunnels", i]]),
      ];
      for (const [device, path] of uses) {
        if (names.has(device)) continue;
        const why = `the devices are ${shortList([...names])}`;
        yield finding([...path, "device"], `unknown device ${shown(device)}`, why, "list it there");
      }
    },
  },
  {
    says:
      "A simulated device has the `address` of a socket, a router its own and `ssh`; " +
      "`frr` belongs to a Linux host.",
    find: deviceKeys,
  },
  {
    says: "A port is shut while its key changes, or it is not: a device has one of these `quirks`.",
    *find({ devices }) {
      for (const [i, { quirks }] of devices.entries()) {
        if (!quirkNames.every((name) => quirks.includes(name))) continue;
        const why = `${quirkNames.join(" and ")} are opposites`;
        yield finding(["devices", i, "quirks"], "names both", why, `quirks: [${quirkNames[0]}]`);
      }
    },
  },
  ...snmpRules,
  ...telemetryRules,
  ...fleetRules,
  {
    says: "An ExpressRoute port belongs to one group, its ends link1 and link2 to one link each.",
    *find({ groups }) {
      yield* repeated(
        groups.map((g, i) => [g.expressRoutePort, ["groups", i, "expressRoutePort"]]),
      );
      for (const [i, { links }] of groups.entries()) {
        yield* repeated(links.map((link, j) => [link.azureLink, [...linkPath(i, j), "azureLink"]]));
      }
    },
  },
  {
    says: "A port of a device carries one link.",
    *find(config) {
      yield* repeated(
        eachLink(config).map(({ link, path }) => [
          `${link.device} ${link.port}`,
          [...path, "port"],
        ]),
      );
    },
  },
  {
    says: "Names of one device, by address and login or by host key, do not have one port twice.",
    find: portsOfOneDevice,
  },
  {
    says: "`order` names both links of its group.",
    *find({ groups }) {
      for (const [i, { order, links }] of groups.entries()) {
        const names = links.map((link) => link.name);
        if (order === undefined || names.every((name) => order.includes(name))) continue;
        const why = "a campaign takes the links in this order";
        const write = `order: [${names.join(", ")}]`;
        yield finding(["groups", i, "order"], "does not name both links", why, write);
      }
    },
  },
  ...placementRules,
  { says: "A vault secret belongs to one link: as its CAK, or as its CKN.", find: sharedSecrets },
  {
    says:
      "XPN suites are for ports above 10G, other suites for ports below 40G: " +
      "at 100G their packet numbers last about 40 s.",
    *find(config) {
      for (const { link, path } of eachLink(config)) yield* suiteAgainstSpeed(link, path);
    },
  },
  {
    says: "With an XPN suite `offset` is 0 and `replayWindow` below 2^30.",
    *find(config) {
      for (const { link, path } of eachLink(config)) yield* xpnLimits(link, path);
    },
  },
  {
    says:
      "`drain: peeringShutdown` needs the accepted risk hardDrain, " +
      "`drain: none` the accepted risk noDrain.",
    *find(config) {
      for (const [i, { drain }] of config.groups.entries()) {
        const risk = drainRisks[drain];
        if (risk === undefined || accepts(config, risk)) continue;
        const why = `it is the named risk ${risk}`;
        const write = `drain: prepend, or accept ${risk} under acceptRisks`;
        yield finding(["groups", i, "drain"], `${drain} is not accepted`, why, write);
      }
    },
  },
  {
    says: "A tunnel that rides `insideMacsec` ends on a device of that group.",
    find: insideMacsec,
  },
  {
    says: "A tunnel's addresses and prefixes are of one family and differ.",
    find: tunnelAddresses,
  },
  ...tunnelRules,
  ...azureRules,
  ...timingRules,
  ...spanRules,
  {
    says: "Each risk is accepted once.",
    *find({ acceptRisks }) {
      yield* repeated(acceptRisks.map(({ risk }, i) => [risk, ["acceptRisks", i, "risk"]]));
    },
  },
];

/** A link would be its own sibling: "the other one carries" is then what is about to be changed. */
function* portsOfOneDevice(config: Config): Generator<Finding> {
  const places = new Map(config.devices.map((device) => [device.name, placesOf(device)]));
  const first = new Map<string, { readonly device: string; readonly path: Path }>();
  for (const { link, path } of eachLink(config)) {
    const { device, port } = link;
    const own = (places.get(device) ?? []).map((place) => `${place} ${port}`);
    const earlier = own.map((place) => first.get(place)).find((found) => found !== undefined);
    for (const place of own) first.set(place, first.get(place) ?? { device, path });
    // One device that lists its port twice is another complaint.
    if (earlier === undefined || earlier.device === device) continue;
    const why = `${shown(device)} is the device of ${pathText(earlier.path)} under another name`;
    const value = `is ${shown(port)} there as well`;
    yield finding([...path, "port"], value, why, "give each device its own address");
  }
}

/**
 * Returns what tells a device from others: where it answers, and its host key, which proves who
 * answers (RFC 4251, section 4.1). A simulated one is known to its site by name.
 */
function placesOf({ driver, address, ssh }: Config["devices"][number]): readonly string[] {
  if (driver === "sim") return [];
  const port = ssh?.port ?? sshPortOf(driver);
  const place = `${driver} ${(address ?? netSocket).toLowerCase()} ${ssh?.user} ${port}`;
  const key =
    ssh?.hostKey.startsWith("SHA256:") === true ? ssh.hostKey.replace(/=$/, "") : undefined;
  return key === undefined ? [place] : [place, `${driver} ${key} ${port}`];
}

function* deviceKeys({ devices }: Config): Generator<Finding> {
  for (const [i, { driver, address, frr, ssh }] of devices.entries()) {
    const at: Path = ["devices", i];
    const access = accessOf(driver);
    const isPeer = address !== undefined && hostOfPeer(address) !== undefined;
    const isRouter = access?.kind === "ssh";
    const hasLogin = isRouter || isPeer;
    if (address === undefined && !(access?.kind === "local" && access.address === "default")) {
      const why = isRouter
        ? "it is reached there"
        : "a simulated device answers where its site does";
      yield finding(
        at,
        "has no address",
        why,
        isRouter ? "address: 192.0.2.1" : "address: unix:PATH",
      );
    }
    const mayBePeer = access?.kind === "local" && access.peer;
    const isSocket = address?.startsWith("unix:") === true;
    if (address !== undefined && (isPeer ? !mayBePeer : isSocket === isRouter)) {
      const why = isRouter ? "a router is reached over the network" : "it answers at a socket";
      const socket = mayBePeer ? "address: unix:PATH, or ssh://HOST" : "address: unix:PATH";
      const write = isRouter ? "address: 192.0.2.1" : socket;
      yield finding([...at, "address"], `is ${shown(address)}`, why, write);
    }
    if (hasLogin && ssh === undefined) {
      const why = "a login needs a key, and the device's own key must be known";
      yield finding(at, "has no ssh", why, "ssh: { user, key, hostKey }");
    }
    if (!hasLogin && ssh !== undefined) {
      yield finding([...at, "ssh"], "is set", "linkseal does not log in to it", "leave it out");
    }
    if (driver !== "linux" && frr !== undefined) {
      const why = `the driver ${driver} routes traffic without FRR`;
      yield finding([...at, "frr"], "is set", why, "leave it out");
    }
  }
}

/** Returns what is allowed but probably not intended. Dates are checked only if `now` is given. */
export function* warningsOf(config: Config, now: WallTime | undefined): Generator<Finding> {
  for (const [i, { risk, until }] of config.acceptRisks.entries()) {
    if (now === undefined || endOfDay(until) > now) continue;
    const why = `${risk} counts as not accepted`;
    yield finding(["acceptRisks", i, "until"], "has passed", why, "set a later date or remove it");
  }
  for (const [i, { links }] of config.groups.entries()) {
    if (links[0]?.device !== links[1]?.device) continue;
    const why = "losing it takes both links";
    yield finding(["groups", i, "links"], "end on one device", why, "use two devices");
  }
  yield* slowProofs(config);
  yield* oldProfiles(config);
  yield* oddPrefixes(config);
}

/**
 * Finds waits that are too short without probes: with a driver that never sends any, or in a config
 * that accepts the risk.
 */
function* slowProofs(config: Config): Generator<Finding> {
  const { devices, rotation } = config;
  const used = new Set(eachLink(config).map(({ link }) => link.device));
  const blind = devices.find(
    ({ name, driver }) => used.has(name) && drivers[driver]?.offers.probe !== true,
  );
  if (blind === undefined && !accepts(config, "noProbe")) return;
  for (const { key, least, why } of waitsTooShort(rotationOf(rotation))) {
    const write = `${key}: ${least}, or fewer proofFrames where BFD or short BGP timers send more`;
    yield finding(["rotation", key], `is ${rotation[key]}`, why, write);
  }
}

const drainRisks: Readonly<Record<Group["drain"], RiskName | undefined>> = {
  prepend: undefined,
  gracefulShutdown: undefined,
  peeringShutdown: "hardDrain",
  none: "noDrain",
};

function linkPath(group: number, index: number): Path {
  return ["groups", group, "links", index];
}

function eachLink(config: Config): { link: Link; path: Path }[] {
  return config.groups.flatMap(({ links }, i) =>
    links.map((link, j) => ({ link, path: linkPath(i, j) })),
  );
}

function shortList(words: readonly string[]): string {
  return words.length > 8 ? `${words.slice(0, 8).join(", ")}, ...` : words.join(", ");
}

function* repeated(uses: readonly (readonly [string, Path])[]): Generator<Finding> {
  const first = new Map<string, Path>();
  for (const [value, path] of uses) {
    const earlier = first.get(value);
    if (earlier === undefined) first.set(value, path);
    else {
      const why = `${pathText(earlier)} has it already`;
      yield finding(path, `${shown(value)} is listed twice`, why, "give each its own");
    }
  }
}

function* sharedSecrets(config: Config): Generator<Finding> {
  const keys = eachLink(config).flatMap(({ link, path }): [string, Path][] => [
    [link.key.cak, [...path, "key", "cak"]],
    [link.key.ckn, [...path, "key", "ckn"]],
  ]);
  yield* repeated(keys);
  // One PSK may serve the two tunnels of one connection, but never a link as well.
  const taken = new Map(keys);
  for (const [i, { auth }] of config.tunnels.entries()) {
    const link = auth.psk === undefined ? undefined : taken.get(auth.psk);
    if (link === undefined) continue;
    const why = `${pathText(link)} has it already`;
    const path = ["tunnels", i, "auth", "psk"];
    yield finding(path, "is a link's secret", why, "give the tunnel its own");
  }
}

function* suiteAgainstSpeed(link: Link, path: Path): Generator<Finding> {
  const xpn = link.macsec.suite.includes("xpn");
  const gbps = speedGbps(link.speed);
  const at = [...path, "macsec", "suite"];
  if (xpn && gbps <= 10) {
    const why = "ExpressRoute offers no XPN suite on 10G ports";
    yield finding(at, `${link.macsec.suite} at ${link.speed}`, why, "suite: gcm-aes-256");
  }
  if (!xpn && gbps >= 40) {
    // A frame of 64 octets needs 20 more for preamble and gap, and 32 for SecTAG and ICV.
    const seconds = Math.round((2 ** 32 * (64 + 20 + 32) * 8) / (gbps * 1e9));
    const why = `its packet numbers last ${seconds} s in small frames`;
    yield finding(at, `${link.macsec.suite} at ${link.speed}`, why, "suite: gcm-aes-xpn-256");
  }
}

function* xpnLimits({ macsec }: Link, path: Path): Generator<Finding> {
  if (!macsec.suite.includes("xpn")) return;
  if (macsec.offset !== 0) {
    const why = "XPN suites encrypt the whole frame";
    yield finding([...path, "macsec", "offset"], `is ${macsec.offset}`, why, "offset: 0");
  }
  if (macsec.replayWindow !== "off" && macsec.replayWindow >= 2 ** 30) {
    const why = "an XPN suite's window ends at 2^30 - 1";
    const at = [...path, "macsec", "replayWindow"];
    yield finding(at, `is ${macsec.replayWindow}`, why, "replayWindow: 64");
  }
}

function* insideMacsec(config: Config): Generator<Finding> {
  for (const [i, { device, insideMacsec: wanted }] of config.tunnels.entries()) {
    if (wanted === undefined) continue;
    const group = config.groups.find(({ name }) => name === wanted);
    const path = ["tunnels", i, "insideMacsec"];
    if (group === undefined) {
      const why = `the groups are ${shortList(config.groups.map(({ name }) => name)) || "none"}`;
      yield finding(path, `unknown group ${shown(wanted)}`, why, "name a group or remove it");
    } else if (!group.links.some((link) => link.device === device)) {
      const why = `${device} has no link of it`;
      yield finding(path, `${shown(wanted)} is elsewhere`, why, "end the tunnel on a device of it");
    }
  }
}

function* tunnelAddresses(config: Config): Generator<Finding> {
  for (const [i, { local, remote, protects }] of config.tunnels.entries()) {
    const at = ["tunnels", i];
    if (family(local.address) !== family(remote.address) || local.address === remote.address) {
      const why = "a tunnel joins two addresses of one family";
      yield finding([...at, "remote", "address"], `is ${remote.address}`, why, "correct one end");
    }
    const sides = [...protects.local, ...protects.remote];
    if (new Set(sides.map(family)).size > 1 || new Set(sides).size < sides.length) {
      const why = "prefixes are of one family and each is listed once";
      yield finding([...at, "protects"], "mixes or repeats prefixes", why, "correct the lists");
    }
    for (const side of ["local", "remote"] as const) {
      for (const [j, prefix] of protects[side].entries()) {
        if (!hasHostBits(prefix)) continue;
        const why = "bits beyond the prefix length are set";
        const path = [...at, "protects", side, j];
        yield finding(path, `is ${prefix}`, why, "write the network's address");
      }
    }
  }
  yield* repeated(
    config.tunnels.map(({ device, local, remote }, i) => [
      `${device} ${local.address} ${remote.address}`,
      ["tunnels", i, "remote", "address"],
    ]),
  );
}

function family(address: string): "v4" | "v6" {
  return address.includes(":") ? "v6" : "v4";
}

// IPv6 has many spellings of one address; the device's own check has to suffice there.
function hasHostBits(prefix: string): boolean {
  const [address = "", length = "32"] = prefix.split("/");
  if (family(address) === "v6") return false;
  const value = address.split(".").reduce((sum, octet) => sum * 256 + Number(octet), 0);
  return value % 2 ** (32 - Number(length)) !== 0;
}
