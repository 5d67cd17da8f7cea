// Azure's custom policies under Azure's own names, with real charon at both ends: each comes up as
// configured, or one of our rules refuses it.

import { afterAll, beforeAll, expect, it } from "vitest";
import {
  type AzurePolicy,
  policyFaults,
  profiles,
  transformsOf,
  weaknesses,
} from "#agent/config/ipsec-policy.ts";
import type { Device } from "#hal/device.ts";
import { Prng } from "#sim/base/prng.ts";
import { effort } from "../../effort.ts";
import { PacedClock } from "../host/clock.ts";
import { Host } from "../host/host.ts";
import { leaveNetworks, soon } from "../lab.ts";
import { buildSite, gatewayPsk, keyOf, loadGateway, spec, type TunnelSite } from "./site.ts";

let site: TunnelSite;
let host: Host;
let device: Device;
beforeAll(async () => {
  site = await buildSite();
  const clock = new PacedClock(1);
  host = await Host.open({ ports: [], network: site.edge, clock, charon: site.charon.socket });
  device = await host.device();
}, 180_000);
afterAll(async () => {
  await device[Symbol.asyncDispose]();
  await host[Symbol.asyncDispose]();
  for (const daemon of [site.charon, site.far]) daemon[Symbol.dispose]();
  leaveNetworks();
});

/** The gateway's names, written a second time here: a shared table would hide its own mistakes. */
const words: Readonly<Record<string, string>> = {
  ...{ GCMAES256: "aes256gcm16", GCMAES192: "aes192gcm16", GCMAES128: "aes128gcm16" },
  ...{ AES256: "aes256", AES192: "aes192", AES128: "aes128", DES3: "3des" },
  ...{ SHA384: "sha384", SHA256: "sha256", SHA1: "sha1" },
  ...{ DHGroup24: "modp2048s256", ECP384: "ecp384", ECP256: "ecp256", DHGroup14: "modp2048" },
  ...{ DHGroup2048: "modp2048", DHGroup2: "modp1024", PFS24: "modp2048s256" },
  ...{ PFS2048: "modp2048", PFS2: "modp1024" },
};
const word = (name: string): string => words[name] ?? name;

function gatewayOf(policy: AzurePolicy) {
  const { ikeEncryption, ikeIntegrity, dhGroup, ipsecEncryption, ipsecIntegrity } = policy;
  const hash = ikeEncryption.startsWith("GCM") ? `prf${word(ikeIntegrity)}` : word(ikeIntegrity);
  const integrity = ipsecEncryption.startsWith("GCM") ? [] : [word(ipsecIntegrity)];
  const group = policy.pfsGroup === "None" ? [] : [word(policy.pfsGroup)];
  return {
    ike: [word(ikeEncryption), hash, word(dhGroup)].join("-"),
    esp: [word(ipsecEncryption), ...integrity, ...group].join("-"),
  };
}

const names = {
  ikeEncryption: ["GCMAES256", "GCMAES128", "AES256", "AES192", "AES128", "DES3", "DES"],
  ikeIntegrity: ["SHA384", "SHA256", "SHA1", "MD5", "GCMAES256"],
  dhGroup: ["DHGroup24", "ECP384", "ECP256", "DHGroup14", "DHGroup2", "DHGroup1", "None"],
  ipsecEncryption: [
    ...["GCMAES256", "GCMAES192", "GCMAES128", "AES256", "AES192", "AES128", "DES3", "DES"],
    "None",
  ],
  ipsecIntegrity: ["SHA256", "SHA1", "MD5"],
  pfsGroup: ["PFS24", "ECP384", "ECP256", "PFS2048", "PFS2", "PFS1", "None"],
};

function withEsp(policy: AzurePolicy, encryption: string, integrity: string): AzurePolicy {
  const ipsecIntegrity = encryption.startsWith("GCM") ? encryption : integrity;
  return { ...policy, ipsecEncryption: encryption, ipsecIntegrity };
}

function* ikeRows(): Generator<AzurePolicy> {
  for (const ikeEncryption of names.ikeEncryption) {
    for (const ikeIntegrity of names.ikeIntegrity) {
      for (const dhGroup of names.dhGroup) {
        yield { ...profiles.strong, ikeEncryption, ikeIntegrity, dhGroup };
      }
    }
  }
}

function* espRows(): Generator<AzurePolicy> {
  for (const encryption of names.ipsecEncryption) {
    const hashes = encryption.startsWith("GCM") ? [""] : names.ipsecIntegrity;
    for (const integrity of hashes) {
      for (const pfsGroup of names.pfsGroup) {
        yield { ...withEsp(profiles.strong, encryption, integrity), pfsGroup };
      }
    }
  }
}

const seed = process.env["LINKSEAL_SEED"] ?? "policies";

/** Returns some names once and some pairs; in the long run every row, and 50 pairs. */
function rows(): readonly AzurePolicy[] {
  const prng = new Prng(seed);
  const [ike, esp] = [[...ikeRows()], [...espRows()]];
  const pairs = Array.from({ length: effort(3, 50) }, (): AzurePolicy => {
    const { ipsecEncryption, ipsecIntegrity, pfsGroup } = prng.pick(esp);
    return { ...prng.pick(ike), ipsecEncryption, ipsecIntegrity, pfsGroup };
  });
  const single = (Object.keys(names) as (keyof typeof names)[]).flatMap((field) =>
    names[field].map((name): AzurePolicy => {
      if (field === "ipsecEncryption") return withEsp(profiles.strong, name, "SHA256");
      if (field === "ipsecIntegrity") return withEsp(profiles.strong, "AES256", name);
      return { ...profiles.strong, [field]: name };
    }),
  );
  const some = single.filter((_, index) => index % 12 === 0);
  return [...effort(some, [...ike, ...esp]), ...pairs];
}

async function outcomeOf(policy: AzurePolicy): Promise<string> {
  const [fault] = policyFaults({ ...policy });
  if (fault !== undefined) return `refused: ${fault.rule}`;
  const { ike, esp, life } = transformsOf(policy);
  await loadGateway(site.far, gatewayOf(policy), gatewayPsk);
  const tunnel = { ...spec, ike, transforms: esp, life };
  const change = [{ kind: "ipsec.putTunnel", tunnel }] as const;
  const put = await device.prepare(change, keyOf(gatewayPsk), soon());
  await put.apply("final", soon());
  const { ipsec } = await device.observe(soon());
  const sas = ipsec.find(({ name }) => name === spec.name)?.sas;
  const observed =
    sas?.kind === "known" ? sas.value.filter(({ phase }) => phase === "installed") : [];
  expect(observed.length).toBe(2);
  // The group is the one of the rekey that proved it.
  for (const { transforms } of observed) expect(transforms).toEqual(esp);
  return weaknesses(policy).length === 0 ? "up" : "up, weak";
}

it(`each policy is up and verified, or refused by a rule (LINKSEAL_SEED=${seed})`, {
  timeout: 880_000,
}, async () => {
  const counters = new Map<string, number>();
  for (const policy of rows()) {
    const outcome = await outcomeOf(policy);
    const [kind = ""] = outcome.split(":");
    counters.set(kind, (counters.get(kind) ?? 0) + 1);
    const { saLifeTimeSeconds: _s, saDataSizeKilobytes: _k, ...algorithms } = policy;
    console.log(`${Object.values(algorithms).join(" ").padEnd(60)} ${outcome}`);
  }
  console.log([...counters].map(([kind, count]) => `${count} ${kind}`).join(", "));
  expect([...counters.keys()].toSorted()).toEqual(["refused", "up", "up, weak"]);
});
