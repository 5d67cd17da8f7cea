// Rules between the settings of a tunnel, its device and the gateway.

import { ikeRules } from "./ike-rules.ts";
import {
  ifIdOf,
  oldProfile,
  type PolicyFault,
  policyFaults,
  policyOf,
  profiles,
  weaknesses,
} from "./ipsec-policy.ts";
import { writtenKeys } from "./pair-rules.ts";
import { accepts, type Finding, finding, type Rule } from "./rule.ts";
import type { Config } from "./schema.ts";
import { tunnelEndRules } from "./tunnel-end-rules.ts";

type Tunnel = Config["tunnels"][number];

/** IFNAMSIZ without its NUL. */
const linkNameMax = 15;

export const tunnelRules: readonly Rule[] = [
  {
    says:
      "A custom policy has all eight of Azure's properties, by Azure's names; with GCM " +
      "`ipsecIntegrity` is the same as `ipsecEncryption`, and `ikeIntegrity`, the PRF, is a " +
      "hash; what RFC 8221 or RFC 8247 forbids (DES, MD5, group 1) is refused.",
    *find({ tunnels }) {
      for (const [i, { policy }] of tunnels.entries()) {
        if (typeof policy === "string") continue;
        yield* faultsOf(i, policyFaults(policy));
      }
    },
  },
  {
    says:
      "A weak policy (`azureDefault`, `azurePolicyBased`, or one with group 2 or 24, SHA-1, " +
      "3DES or no PFS) and `ike: v1` need the risk `weakTunnel` in `acceptRisks`, with its date.",
    *find(config) {
      if (accepts(config, "weakTunnel")) return;
      for (const [i, { policy, ike }] of config.tunnels.entries()) {
        const isFaulty = typeof policy !== "string" && policyFaults(policy).length > 0;
        const [first] = isFaulty ? [] : weaknesses(policyOf(policy), ike);
        if (first === undefined) continue;
        const why = `it has ${first}`;
        const write = "policy: strong with ike: v2, or accept weakTunnel under acceptRisks";
        yield finding(["tunnels", i, "policy"], "is weak", why, write);
      }
    },
  },
  {
    says:
      "A tunnel has either `auth.psk`, or `auth.certificate` with `auth.authorities` and " +
      "`auth.peer` (or `remote.id`); certificates are for the driver `linux` alone.",
    find: authentications,
  },
  ...ikeRules,
  ...tunnelEndRules,
  {
    says:
      "`auth.farEnd: agent` is for a real cloud, and needs `remote.azureConnection`, whose key " +
      "the agent writes. Of one connection are at most two tunnels, one to each instance of its " +
      "gateway: with the same device, `local` and `auth`, because the connection has one key.",
    find: writtenKeys,
  },
  {
    says:
      "`bgp` of a tunnel is for the driver `linux`; its ends are of the tunnel's family and " +
      "differ, no two tunnels of a device have one peer, and link-local ends are where Azure's " +
      "gateways accept them: 169.254.21.0 to 169.254.22.255.",
    find: neighbours,
  },
  {
    says:
      "`bgp.asn` of a tunnel is not reserved: by Azure (8074, 8075, 12076, 65517 to 65520) or by " +
      "IANA (23456, 64496 to 64511, 65535 to 65551, 4294967295); 65515 is a gateway's own.",
    find: reservedAsns,
  },
  {
    says: "The numbers of xfrm interfaces (`ifId`) on a device differ.",
    *find({ tunnels }) {
      const taken = new Map<string, string>();
      for (const [i, { device, name, ifId = ifIdOf(name) }] of tunnels.entries()) {
        const key = `${device} ${ifId}`;
        const other = taken.get(key);
        if (other !== undefined) {
          const why = `${other} on ${device} has it already`;
          yield finding(["tunnels", i, "ifId"], `is ${ifId}`, why, "give it another number");
        }
        taken.set(key, name);
      }
    },
  },
  {
    says:
      "A tunnel that `backs` a group is on a device of the driver `linux` that has a link of " +
      "it, has `bgp` and IPv4 prefixes, is not `insideMacsec` of that group, and every other " +
      "tunnel of its device backs the same one: what comes in under its MACsec may be for any of " +
      "them. `prove` is for such a tunnel alone.",
    find: backups,
  },
  {
    says:
      "A tunnel on a Linux host needs its `charon`, and a name of at " +
      `most ${linkNameMax} characters, which its xfrm interface gets; no protected prefix has ` +
      "the length 0: all else on the host would be blocked.",
    find: tunnelsOfHosts,
  },
];

function* neighbours({ devices, tunnels }: Config): Generator<Finding> {
  const drivers = new Map(devices.map(({ name, driver }) => [name, driver]));
  const taken = new Map<string, string>();
  for (const [i, { bgp, device, local, name }] of tunnels.entries()) {
    if (bgp === undefined) continue;
    const path = ["tunnels", i, "bgp"];
    // A simulated router plays what a Linux host does.
    if (!["linux", "sim"].includes(drivers.get(device) ?? "")) {
      const why = `the driver of ${device} has no interface for it`;
      yield finding(path, "is set", why, "leave it out");
    }
    const ends = [bgp.local, bgp.peer];
    const families = new Set([...ends, local.address].map((one) => one.includes(":")));
    if (families.size > 1 || bgp.local === bgp.peer) {
      const why = "its ends are two addresses of the tunnel's family";
      yield finding([...path, "peer"], `is ${bgp.peer}`, why, "correct one end");
    }
    for (const end of ["local", "peer"] as const) {
      const isElsewhere = !bgp[end].startsWith("169.254.");
      if (isElsewhere || /^169\.254\.2[12]\./.test(bgp[end])) continue;
      const why = "a gateway of Azure takes link-local addresses of these two networks alone";
      const write = "one of 169.254.21.0 to 169.254.22.255";
      yield finding([...path, end], `is ${bgp[end]}`, why, write);
    }
    const key = `${device} ${bgp.peer}`;
    const other = taken.get(key);
    if (other !== undefined) {
      const why = `${other} on ${device} leads to it already`;
      yield finding([...path, "peer"], `is ${bgp.peer}`, why, "give each tunnel its own");
    }
    taken.set(key, name);
  }
}

/** Spans of AS numbers that no VPN gateway can have, each with its owner. */
const reserved: readonly (readonly [owner: string, first: number, last: number])[] = [
  ["Azure", 8074, 8075],
  ["Azure", 12_076, 12_076],
  ["Azure", 65_517, 65_520],
  ["IANA", 23_456, 23_456],
  ["IANA", 64_496, 64_511],
  ["IANA", 65_535, 65_551],
  ["IANA", 4_294_967_295, 4_294_967_295],
];

function* reservedAsns({ tunnels }: Config): Generator<Finding> {
  for (const [i, { bgp }] of tunnels.entries()) {
    if (bgp === undefined) continue;
    const { asn } = bgp;
    const [owner] = reserved.find(([, first, last]) => first <= asn && asn <= last) ?? [];
    if (owner === undefined) continue;
    const why = `${owner} reserves it, so that no gateway has it`;
    const write = "asn: 65515, or the AS that the gateway was given";
    yield finding(["tunnels", i, "bgp", "asn"], `is ${asn}`, why, write);
  }
}

/** Warns of the old name of a profile: CNSA has a second version, which is not meant by it. */
export function* oldProfiles({ tunnels }: Config): Generator<Finding> {
  for (const [i, { policy }] of tunnels.entries()) {
    if (policy !== oldProfile) continue;
    const why = "it means CNSA 1.0, and CNSA 2.0 is not offered by Azure's gateways";
    yield finding(["tunnels", i, "policy"], `is ${oldProfile}`, why, "policy: cnsa1");
  }
}

function* backups(config: Config): Generator<Finding> {
  const { groups, tunnels } = config;
  for (const [i, tunnel] of tunnels.entries()) {
    const path = ["tunnels", i, "backs"];
    const { backs, bgp, device, insideMacsec, protects, prove } = tunnel;
    if (backs === undefined) {
      if (prove === undefined) continue;
      const why = "the tunnel is the backup of nothing";
      yield finding(["tunnels", i, "prove"], `is ${prove}`, why, "add backs: GROUP");
      continue;
    }
    const group = groups.find((one) => one.name === backs);
    if (group === undefined || !group.links.some((link) => link.device === device)) {
      const why = group === undefined ? "there is no such group" : `${device} has no link of it`;
      yield finding(path, `is ${backs}`, why, "name a group with a link on the tunnel's device");
    }
    if (config.devices.find((one) => one.name === device)?.driver !== "linux") {
      const why = `the driver of ${device} cannot bind a block to a port`;
      yield finding(path, "is set", why, "leave it out");
    }
    if (bgp === undefined) {
      const why = "without BGP inside nothing moves traffic into it and back";
      yield finding(path, "is set", why, "bgp: { local: …, peer: … }");
    }
    if (insideMacsec === backs) {
      const why = `it rides inside ${backs}, and would be lost together with it`;
      yield finding(path, `is ${backs}`, why, "lead it over another network");
    }
    if (protects.remote.some((prefix) => prefix.includes(":"))) {
      const why = "the kernel cannot match the port by which an IPv6 packet came in";
      yield finding(path, "is set", why, "leave it out");
    }
    const other = tunnels.find((one) => one.device === device && one.backs !== backs);
    if (other === undefined) continue;
    const why = `${other.name} on ${device} does not, and its packets would come in there as well`;
    yield finding(path, `is ${backs}`, why, "end the other tunnel on another device");
  }
}

function* authentications({ devices, tunnels }: Config): Generator<Finding> {
  const drivers = new Map(devices.map(({ name, driver }) => [name, driver]));
  for (const [i, { auth, device, remote }] of tunnels.entries()) {
    const path = ["tunnels", i, "auth"];
    const { psk, certificate, farEnd, authorities, peer } = auth;
    if (psk === undefined && certificate === undefined) {
      yield finding(path, "is empty", "the ends prove who they are", "psk: NAME");
    }
    if (farEnd !== undefined && psk === undefined) {
      const why = "nothing but a pre-shared key is given to the gateway";
      yield finding([...path, "farEnd"], "is set", why, "leave it out");
    }
    if (certificate === undefined) {
      const [strange] = Object.entries({ authorities, peer }).filter(([, value]) => value);
      if (strange === undefined) continue;
      const why = "only a certificate has it";
      yield finding([...path, strange[0]], "is set", why, "leave it out");
      continue;
    }
    if (psk !== undefined) {
      const why = "there is a certificate too";
      yield finding([...path, "psk"], "is set", why, "leave one of them out");
    }
    for (const [field, value] of Object.entries({ authorities, peer: peer ?? remote.id })) {
      if (value !== undefined) continue;
      const why = "without it the gateway cannot be identified";
      yield finding(path, `has no ${field}`, why, `${field}: …`);
    }
    if (drivers.get(device) === "linux") continue;
    const why = `${device} takes pre-shared keys alone`;
    yield finding([...path, "certificate"], "is set", why, "psk: NAME");
  }
}

function* faultsOf(i: number, faults: readonly PolicyFault[]): Generator<Finding> {
  for (const { field, what, rule, write } of faults) {
    const path = ["tunnels", i, "policy", ...(field === undefined ? [] : [field])];
    yield finding(path, what, rule, write);
  }
}

function* tunnelsOfHosts({ devices, tunnels }: Config): Generator<Finding> {
  for (const [i, { driver, charon }] of devices.entries()) {
    if (charon === undefined || driver === "linux") continue;
    const why = `the driver ${driver} does not use a charon on this host`;
    yield finding(["devices", i, "charon"], "is set", why, "leave it out");
  }
  const hosts = new Map(devices.filter(({ driver }) => driver === "linux").map(byName));
  for (const [i, tunnel] of tunnels.entries()) {
    const host = hosts.get(tunnel.device);
    if (host === undefined) continue;
    if (host.charon === undefined) {
      const why = `${tunnel.device} has no \`charon\` to set it up`;
      const write = "charon: unix:/run/charon.vici at the device";
      yield finding(["tunnels", i, "device"], "is a Linux host", why, write);
    }
    yield* onLinux(tunnel, i);
  }
}

type Device = Config["devices"][number];
const byName = (device: Device): [string, Device] => [device.name, device];

function* onLinux({ name, protects }: Tunnel, i: number): Generator<Finding> {
  if (name.length > linkNameMax) {
    const why = `an interface's name has at most ${linkNameMax} characters`;
    yield finding(["tunnels", i, "name"], `has ${name.length} characters`, why, "shorten it");
  }
  for (const [j, prefix] of protects.remote.entries()) {
    if (!prefix.endsWith("/0")) continue;
    const why = "everything that does not ride in the tunnel would be blocked";
    const path = ["tunnels", i, "protects", "remote", j];
    yield finding(path, `is ${prefix}`, why, "name the networks behind the gateway");
  }
}

/** The profiles in Azure's names, for the reference. */
export const profileRows: readonly (readonly [string, string])[] = Object.entries(profiles).map(
  ([name, policy]) => [name, Object.values(policy).join(", ")],
);
