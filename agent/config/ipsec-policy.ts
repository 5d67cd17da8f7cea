// IPsec policies: Azure's names in a custom policy, the named profiles, and the requirements of
// RFC 8221 and RFC 8247 for each algorithm.

import type { Transforms } from "#hal/model.ts";
import type { IkeTransforms, SaLife } from "#hal/tunnel-spec.ts";

/** The eight properties of `ipsecPolicies` in ARM, spelled as in ARM's documents. */
export interface AzurePolicy {
  readonly ikeEncryption: string;
  readonly ikeIntegrity: string;
  readonly dhGroup: string;
  readonly ipsecEncryption: string;
  readonly ipsecIntegrity: string;
  readonly pfsGroup: string;
  readonly saLifeTimeSeconds: number;
  readonly saDataSizeKilobytes: number;
}

export interface TunnelPolicy {
  readonly ike: IkeTransforms;
  readonly esp: Transforms;
  readonly life: SaLife;
}

export const policyProfiles = ["strong", "cnsa1", "azureDefault", "azurePolicyBased"] as const;
export type PolicyProfile = (typeof policyProfiles)[number];
/** Read as `cnsa1`, with a warning. */
export const oldProfile = "cnsa";
/** A profile as a config names it. */
export type WrittenProfile = PolicyProfile | typeof oldProfile;

export const azureFields = [
  "ikeEncryption",
  "ikeIntegrity",
  "dhGroup",
  "ipsecEncryption",
  "ipsecIntegrity",
  "pfsGroup",
  "saLifeTimeSeconds",
  "saDataSizeKilobytes",
] as const;

const azureLife = { saLifeTimeSeconds: 27_000, saDataSizeKilobytes: 102_400_000 };
const strongest = {
  ikeEncryption: "GCMAES256",
  ikeIntegrity: "SHA384",
  dhGroup: "ECP384",
  ipsecEncryption: "GCMAES256",
  ipsecIntegrity: "GCMAES256",
  pfsGroup: "ECP384",
};

/** Each profile as a custom policy of the gateway. */
export const profiles: Readonly<Record<PolicyProfile, AzurePolicy>> = {
  strong: { ...strongest, ...azureLife },
  // CNSA 1.0 (RFC 9206), which requires that IPsec SAs are renewed after eight hours at most; half
  // of that is a round number. CNSA 2.0 wants ML-KEM, which a gateway of Azure does not offer.
  cnsa1: { ...strongest, ...azureLife, saLifeTimeSeconds: 14_400 },
  // The strongest proposal that a gateway without a custom policy accepts: DH group 2, and no PFS
  // group.
  azureDefault: {
    ikeEncryption: "AES256",
    ikeIntegrity: "SHA256",
    dhGroup: "DHGroup2",
    ipsecEncryption: "GCMAES256",
    ipsecIntegrity: "GCMAES256",
    pfsGroup: "None",
    ...azureLife,
  },
  // The strongest proposal of a policy-based gateway, which takes no custom policy.
  azurePolicyBased: {
    ikeEncryption: "AES256",
    ikeIntegrity: "SHA256",
    dhGroup: "DHGroup2",
    ipsecEncryption: "AES256",
    ipsecIntegrity: "SHA256",
    pfsGroup: "None",
    saLifeTimeSeconds: 3_600,
    saDataSizeKilobytes: 102_400_000,
  },
};

export const ikeVersions = ["v1", "v2"] as const;
export type IkeVersion = (typeof ikeVersions)[number];

type Names = Readonly<Record<string, string>>;

const ciphers = {
  GCMAES256: "aes-256-gcm",
  GCMAES192: "aes-192-gcm",
  GCMAES128: "aes-128-gcm",
  AES256: "aes-256-cbc",
  AES192: "aes-192-cbc",
  AES128: "aes-128-cbc",
  DES3: "3des-cbc",
  DES: "des-cbc",
};
const hashes = { SHA384: "sha384", SHA256: "sha256", SHA1: "sha1", MD5: "md5" };
const { GCMAES192: _not, ...ikeCiphers } = ciphers;
const { SHA384: _neither, ...espHashes } = hashes;
const gcms = { GCMAES256: "none", GCMAES192: "none", GCMAES128: "none" };
const { GCMAES192: _nor, ...ikeGcms } = gcms;

/**
 * Azure's names and the model's names. If several of Azure's names mean one algorithm, linkseal
 * writes the first.
 */
const tables = {
  ikeEncryption: ikeCiphers,
  ikeIntegrity: { ...hashes, ...ikeGcms },
  dhGroup: {
    ECP384: "ecp-384",
    ECP256: "ecp-256",
    DHGroup14: "modp-2048",
    DHGroup2048: "modp-2048",
    DHGroup24: "modp-2048-256",
    DHGroup2: "modp-1024",
    DHGroup1: "modp-768",
    None: "none",
  },
  ipsecEncryption: { ...ciphers, None: "none" },
  ipsecIntegrity: { ...espHashes, ...gcms },
  pfsGroup: {
    ECP384: "ecp-384",
    ECP256: "ecp-256",
    PFS2048: "modp-2048",
    PFS14: "modp-2048",
    PFS24: "modp-2048-256",
    PFS2: "modp-1024",
    PFS1: "modp-768",
    None: "none",
    // The group of `dhGroup`, as `qmpfs=mainmode` of Windows.
    PFSMM: "dhGroup",
  },
} satisfies Readonly<Record<string, Names>>;

/** A property of a custom policy that names an algorithm. */
export type Algorithm = keyof typeof tables;
/** All properties of a custom policy that name an algorithm. */
export const algorithms = Object.keys(tables) as Algorithm[];

/** Lower bounds of ARM. */
const lifeMin = { saLifeTimeSeconds: 300, saDataSizeKilobytes: 1024 } as const;
/**
 * Upper bounds: the kernel and charon count seconds in 32 bits, and longer lifetimes have no use.
 */
const lifeMax = { saLifeTimeSeconds: 172_799, saDataSizeKilobytes: 2_147_483_647 } as const;
type Life = keyof typeof lifeMin;

/** One fault of a policy, with the rule that it breaks. */
export interface PolicyFault {
  /** undefined = the fault is in the policy as a whole. */
  readonly field: string | undefined;
  readonly what: string;
  readonly rule: string;
  readonly write: string;
}

export type WrittenPolicy = Readonly<Record<string, string | number | undefined>>;

/** Returns the faults of a policy; without faults it is an `AzurePolicy`. */
export function policyFaults(written: WrittenPolicy): readonly PolicyFault[] {
  const known: readonly string[] = azureFields;
  const strange = Object.keys(written).filter((field) => !known.includes(field));
  const missing = azureFields.filter((field) => written[field] === undefined);
  const faults = [
    ...strange.map((field) => ({
      field,
      what: "is not a property of a custom policy",
      rule: `Azure knows ${azureFields.join(", ")}`,
      write: "remove it",
    })),
    ...missing.map((field) => ({
      field: undefined,
      what: `lacks ${field}`,
      rule: "Azure takes a custom policy only with all eight properties",
      write: `${field}: ${profiles.strong[field]}`,
    })),
    ...algorithms.flatMap((field) => nameFault(field, written[field])),
    ...(Object.keys(lifeMin) as Life[]).flatMap((field) =>
      lifeFault(field, written[field], profiles.strong[field]),
    ),
  ];
  const policy = written as unknown as AzurePolicy;
  return faults.length > 0 ? [...faults, ...forbidden(policy)] : pairFaults(policy);
}

function nameFault(field: Algorithm, value: string | number | undefined): PolicyFault[] {
  if (value === undefined || Object.hasOwn(tables[field], value)) return [];
  const rule = `Azure's names here are ${Object.keys(tables[field]).join(", ")}`;
  const what = typeof value === "number" ? "is a number" : "is not the name of an algorithm";
  return [{ field, what, rule, write: `${field}: ${profiles.strong[field]}` }];
}

function lifeFault(
  field: Life,
  value: string | number | undefined,
  advised: string | number,
): PolicyFault[] {
  const [low, high] = [lifeMin[field], lifeMax[field]];
  if (value === undefined) return [];
  if (typeof value === "number" && Number.isInteger(value) && value >= low && value <= high) {
    return [];
  }
  const rule = `it is a whole number from ${low} to ${high}`;
  return [{ field, what: "is out of range", rule, write: `${field}: ${advised}` }];
}

const isGcm = (name: string): boolean => name.startsWith("GCM");

function pairFaults(policy: AzurePolicy): readonly PolicyFault[] {
  const { ikeIntegrity, ipsecEncryption, ipsecIntegrity } = policy;
  const faults: PolicyFault[] = [];
  const say = (field: string, what: string, rule: string, write: string): void => {
    faults.push({ field, what, rule, write: `${field}: ${write}` });
  };
  if (isGcm(ikeIntegrity)) {
    const rule = "this is the PRF as well, and GCM is not a PRF (RFC 5282, 10)";
    say("ikeIntegrity", `is ${ikeIntegrity}`, rule, "SHA384");
  }
  if (isGcm(ipsecEncryption) !== isGcm(ipsecIntegrity)) {
    const rule = "with GCM Azure wants the same name for encryption and integrity";
    const write = isGcm(ipsecEncryption) ? ipsecEncryption : "SHA256";
    say("ipsecIntegrity", `is ${ipsecIntegrity} beside ${ipsecEncryption}`, rule, write);
  } else if (isGcm(ipsecEncryption) && ipsecEncryption !== ipsecIntegrity) {
    const rule = "with GCM Azure wants the same name for encryption and integrity";
    say("ipsecIntegrity", `is ${ipsecIntegrity} beside ${ipsecEncryption}`, rule, ipsecEncryption);
  }
  if (policy.dhGroup === "None") {
    say("dhGroup", "is None", "IKEv2 has no exchange without a group (RFC 7296, 1.2)", "ECP384");
  }
  if (ipsecEncryption === "None") {
    const rule = "a tunnel without encryption keeps nothing confidential";
    say("ipsecEncryption", "is None", rule, "GCMAES256");
  }
  return [...faults, ...forbidden(policy).filter((one) => !faults.some(sameField(one)))];
}

const sameField =
  (one: PolicyFault) =>
  ({ field }: PolicyFault): boolean =>
    field === one.field;

type Level = "must not" | "should not" | "must-";

/**
 * Algorithms that the RFCs advise against; the others, which they advise, allow or do not name,
 * have no row.
 */
const levels: Readonly<Record<Algorithm, Readonly<Record<string, Level>>>> = {
  // RFC 8247, 2.1.
  ikeEncryption: { DES: "must not" },
  // RFC 8247, 2.2 and 2.3.
  ikeIntegrity: { MD5: "must not", SHA1: "must-" },
  // RFC 8247, 2.4.
  dhGroup: { DHGroup1: "must not", DHGroup2: "should not", DHGroup24: "should not" },
  // RFC 8221, 5.
  ipsecEncryption: { DES: "must not", DES3: "should not" },
  // RFC 8221, 6.
  ipsecIntegrity: { MD5: "must not", SHA1: "must-" },
  pfsGroup: { PFS1: "must not", PFS2: "should not", PFS24: "should not" },
};

const clauses: Readonly<Record<Algorithm, string>> = {
  ikeEncryption: "RFC 8247, 2.1",
  ikeIntegrity: "RFC 8247, 2.3",
  dhGroup: "RFC 8247, 2.4",
  ipsecEncryption: "RFC 8221, 5",
  ipsecIntegrity: "RFC 8221, 6",
  pfsGroup: "RFC 8247, 2.4",
};

function forbidden(policy: AzurePolicy): readonly PolicyFault[] {
  return algorithms.flatMap((field) => {
    if (levels[field][policy[field]] !== "must not") return [];
    const rule = `${clauses[field]}: MUST NOT`;
    const write = `${field}: ${profiles.strong[field]}`;
    return [{ field, what: `is ${policy[field]}`, rule, write }];
  });
}

/**
 * Returns why a policy under this version of IKE needs a waiver, each reason with its clause;
 * empty = it needs none.
 */
export function weaknesses(policy: AzurePolicy, ike: IkeVersion = "v2"): readonly string[] {
  const old = ike === "v1" ? ["ike v1 (RFC 9395: deprecated)"] : [];
  const weak = algorithms.flatMap((field) => {
    const why = weaknessOf(field, policy[field]);
    return why === undefined ? [] : [`${field} ${policy[field]} (${why})`];
  });
  return [...old, ...weak];
}

/** Returns true if Azure's API has this name of an algorithm. */
export function isAlgorithm(field: Algorithm, word: unknown): boolean {
  return typeof word === "string" && Object.hasOwn(tables[field], word);
}

/** Returns what speaks against one name of a policy, in any property; undefined = nothing. */
export function weaknessOf(field: Algorithm, word: string): string | undefined {
  const level = Object.hasOwn(levels[field], word) ? levels[field][word] : undefined;
  if (level !== undefined) return `${clauses[field]}: ${level.toUpperCase()}`;
  // RFC 8247 leaves 3DES at MAY.
  if (field === "ikeEncryption" && word === "DES3") return "blocks of 64 bits";
  if (field === "pfsGroup" && word === "None") return "one stolen key opens all that was recorded";
  return undefined;
}

/** Returns the transforms of a policy without faults. */
export function transformsOf(policy: AzurePolicy): TunnelPolicy {
  const word = (field: Algorithm): string =>
    (tables[field] as Names)[policy[field]] ?? policy[field];
  const hash = word("ikeIntegrity");
  const integrity = isGcm(policy.ikeEncryption) ? "none" : hash;
  return {
    ike: { encryption: word("ikeEncryption"), integrity, prf: hash, dhGroup: word("dhGroup") },
    esp: {
      encryption: word("ipsecEncryption"),
      integrity: word("ipsecIntegrity"),
      dhGroup: word(policy.pfsGroup === "PFSMM" ? "dhGroup" : "pfsGroup"),
    },
    life: { seconds: policy.saLifeTimeSeconds, kilobytes: policy.saDataSizeKilobytes },
  };
}

/** Returns the policy in Azure's names; undefined = Azure has no name for a part of it. */
export function azureOf({ ike, esp, life }: TunnelPolicy): AzurePolicy | undefined {
  const name = (field: Algorithm, word: string): string | undefined =>
    Object.entries(tables[field]).find(([, one]) => one === word)?.[0];
  const ipsecEncryption = name("ipsecEncryption", esp.encryption);
  const gcm = ipsecEncryption !== undefined && isGcm(ipsecEncryption);
  const found = {
    ikeEncryption: name("ikeEncryption", ike.encryption),
    ikeIntegrity: name("ikeIntegrity", ike.prf),
    dhGroup: name("dhGroup", ike.dhGroup),
    ipsecEncryption,
    ipsecIntegrity: gcm ? ipsecEncryption : name("ipsecIntegrity", esp.integrity),
    pfsGroup: name("pfsGroup", esp.dhGroup),
    saLifeTimeSeconds: life.seconds,
    saDataSizeKilobytes: life.kilobytes,
  };
  const isWhole = Object.values(found).every((value) => value !== undefined);
  return isWhole ? (found as AzurePolicy) : undefined;
}

export function policyOf(written: WrittenProfile | WrittenPolicy): AzurePolicy {
  if (typeof written !== "string") return written as unknown as AzurePolicy;
  return profiles[written === oldProfile ? "cnsa1" : written];
}

/**
 * Returns a number of 32 bits that is always the same for a name (FNV-1a), and never 0, which means
 * "no interface".
 */
export function ifIdOf(name: string): number {
  let hash = 0x811c9dc5;
  for (const octet of new TextEncoder().encode(name)) {
    hash = Math.imul(hash ^ octet, 0x01000193) >>> 0;
  }
  return hash === 0 ? 1 : hash;
}
