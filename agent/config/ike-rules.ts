// Rules for the version of IKE of a tunnel, the identities in it, and its postquantum preshared
// key.

import { policyFaults, policyOf } from "./ipsec-policy.ts";
import { type Finding, finding, type Rule } from "./rule.ts";
import type { Config } from "./schema.ts";
import { distinguishedName } from "./schema-words.ts";

type Tunnel = Config["tunnels"][number];

export const ikeRules: readonly Rule[] = [
  {
    says:
      "`local.id`, `remote.id`, `ike: v1`, `auth.ppk` and `dpd` are for the driver `linux` " +
      "alone: routers of the other drivers show their address, and speak IKEv2.",
    find: linuxAlone,
  },
  {
    says:
      "With a certificate `remote.id` stands for `auth.peer`, so that a tunnel has one of the " +
      "two, and `local.id` is a name or an address in the certificate, never a subject.",
    find: identities,
  },
  {
    says:
      "The two ends of a tunnel have different identities, whether `id` or the address names " +
      "them: under one name an end could not tell what it sent from what its peer sent.",
    find: twoIdentities,
  },
  {
    says:
      "`ike: v1` is for one prefix in `protects.local` and one in `protects.remote`, with " +
      "`auth.psk`, without `auth.ppk`, without `bgp`, and without GCM in `ikeEncryption`.",
    find: mainMode,
  },
  {
    says:
      "`auth.ppk` and `auth.ppkId` belong together, `auth.ppkUse` is for them alone, and on one " +
      "device an `auth.ppkId` names one secret.",
    find: postquantum,
  },
];

function* linuxAlone({ devices, tunnels }: Config): Generator<Finding> {
  const drivers = new Map(devices.map(({ name, driver }) => [name, driver]));
  for (const [i, { device, local, remote, ike, auth, dpd }] of tunnels.entries()) {
    if (drivers.get(device) === "linux") continue;
    const why = `the driver of ${device} does not set it`;
    const settings: readonly (readonly [readonly string[], string | undefined])[] = [
      [["local", "id"], local.id],
      [["remote", "id"], remote.id],
      [["ike"], ike === "v1" ? ike : undefined],
      [["auth", "ppk"], auth.ppk],
      [["dpd"], dpd],
    ];
    for (const [path, value] of settings) {
      if (value === undefined) continue;
      yield finding(["tunnels", i, ...path], `is ${value}`, why, "leave it out");
    }
  }
}

function* identities({ tunnels }: Config): Generator<Finding> {
  for (const [i, { local, remote, auth }] of tunnels.entries()) {
    if (auth.certificate === undefined) continue;
    if (remote.id !== undefined && auth.peer !== undefined) {
      const why = `auth.peer names the gateway as ${auth.peer}`;
      const write = "leave one of them out";
      yield finding(["tunnels", i, "remote", "id"], `is ${remote.id}`, why, write);
    }
    if (local.id === undefined || !distinguishedName.test(local.id)) continue;
    const why = "the subject of our certificate is our identity by itself";
    yield finding(["tunnels", i, "local", "id"], `is ${local.id}`, why, "leave it out");
  }
}

function* twoIdentities({ tunnels }: Config): Generator<Finding> {
  for (const [i, { local, remote, auth }] of tunnels.entries()) {
    // Without `local.id` the subject of our certificate names us, which the config does not have.
    if (local.id === undefined && remote.id === undefined) continue;
    const ours = local.id ?? (auth.certificate === undefined ? local.address : undefined);
    const theirs = remote.id ?? auth.peer ?? remote.address;
    if (ours === undefined || ours.toLowerCase() !== theirs.toLowerCase()) continue;
    const path = ["tunnels", i, remote.id === undefined ? "local" : "remote", "id"];
    const why = "both ends would have one identity";
    yield finding(path, `is ${theirs}`, why, "name the identity that the end shows");
  }
}

function* mainMode({ tunnels }: Config): Generator<Finding> {
  for (const [i, tunnel] of tunnels.entries()) if (tunnel.ike === "v1") yield* limits(tunnel, i);
}

function* limits({ protects, auth, bgp, policy }: Tunnel, i: number): Generator<Finding> {
  for (const end of ["local", "remote"] as const) {
    const count = protects[end].length;
    if (count === 1) continue;
    const why = "IKEv1 has one SA for each pair of prefixes, and linkseal one for each tunnel";
    yield finding(["tunnels", i, "protects", end], `has ${count} prefixes`, why, "name one");
  }
  if (auth.certificate !== undefined) {
    const why = "main mode is offered with a pre-shared key alone";
    yield finding(["tunnels", i, "auth", "certificate"], "is set", why, "psk: NAME");
  }
  if (auth.ppk !== undefined) {
    const why = "only IKEv2 has postquantum preshared keys (RFC 8784)";
    yield finding(["tunnels", i, "auth", "ppk"], "is set", why, "leave it out, or ike: v2");
  }
  if (bgp !== undefined) {
    const why = "the selectors of IKEv1 take what `protects` names, and BGP is not part of it";
    yield finding(["tunnels", i, "bgp"], "is set", why, "leave it out, or ike: v2");
  }
  const isFaulty = typeof policy !== "string" && policyFaults(policy).length > 0;
  if (isFaulty || !policyOf(policy).ikeEncryption.startsWith("GCM")) return;
  const why = "main mode has no GCM (RFC 5282 is for IKEv2)";
  yield finding(["tunnels", i, "policy"], "has GCM for IKE", why, "policy: azurePolicyBased");
}

function* postquantum({ tunnels }: Config): Generator<Finding> {
  const taken = new Map<string, Tunnel>();
  for (const [i, tunnel] of tunnels.entries()) {
    const { ppk, ppkId, ppkUse } = tunnel.auth;
    const path = ["tunnels", i, "auth"];
    if (ppk === undefined) {
      for (const [field, value] of Object.entries({ ppkId, ppkUse })) {
        if (value === undefined) continue;
        yield finding([...path, field], `is ${value}`, "there is no ppk", "ppk: NAME");
      }
      continue;
    }
    if (ppkId === undefined) {
      const why = "the ends agree on a PPK by its name";
      yield finding(path, "has a ppk and no ppkId", why, "ppkId: NAME");
      continue;
    }
    const key = `${tunnel.device} ${ppkId}`;
    const other = taken.get(key);
    taken.set(key, tunnel);
    if (other === undefined || other.auth.ppk === ppk) continue;
    const why = `${other.name} gives this name to ${other.auth.ppk}`;
    yield finding([...path, "ppkId"], `is ${ppkId}`, why, "give each PPK its own name");
  }
}
