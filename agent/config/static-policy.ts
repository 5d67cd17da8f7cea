// Algorithms of a tunnel whose keys people chose, by Azure's names: those alone that a nonce which
// comes twice does not break.

import { noIke } from "#hal/model.ts";
import {
  lifeFault,
  type PolicyFault,
  type PolicyProfile,
  type TunnelPolicy,
  type WrittenPolicy,
} from "./ipsec-policy.ts";

const encryptions: Readonly<Record<string, string>> = {
  AES256: "aes-256-cbc",
  AES192: "aes-192-cbc",
  AES128: "aes-128-cbc",
};
const integrities: Readonly<Record<string, string>> = {
  SHA512: "sha512",
  SHA384: "sha384",
  SHA256: "sha256",
};
const algorithms = { ipsecEncryption: encryptions, ipsecIntegrity: integrities } as const;
const lives = ["saLifeTimeSeconds", "saDataSizeKilobytes"] as const;
type Field = keyof typeof algorithms | (typeof lives)[number];

/** A day: whoever chose the keys by hand also renews them by hand. */
const advised: Readonly<Record<Field, string | number>> = {
  ipsecEncryption: "AES256",
  ipsecIntegrity: "SHA256",
  saLifeTimeSeconds: 86_400,
  saDataSizeKilobytes: 102_400_000,
};

/** A whole policy, for whoever has to write one. */
const whole = `policy: { ${Object.entries(advised)
  .map(([field, value]) => `${field}: ${value}`)
  .join(", ")} }`;

/** Modes that count, with the clause that takes static keys from them. */
const counting: readonly (readonly [RegExp, string])[] = [
  [/GMAC/i, "RFC 4543, 2: with GMAC keys MUST come from automated key management"],
  [/GCM/i, "RFC 4106, 2: with GCM keys MUST come from automated key management"],
  [/CCM/i, "RFC 4309, 2: with CCM keys MUST be fresh, and static ones are not"],
  [/CTR/i, "RFC 3686, 2.1: with counter mode keys MUST be fresh, and static ones are not"],
];

/** Nothing found: `staticTransformsOf` takes it. */
export function staticFaults(written: PolicyProfile | WrittenPolicy): readonly PolicyFault[] {
  if (typeof written === "string") {
    const rule = `its ESP is GCM, and ${clauseOf("GCM") ?? ""}`;
    return [{ field: undefined, what: `is ${written}`, rule, write: whole }];
  }
  const strange = Object.keys(written).filter((field) => !Object.hasOwn(advised, field));
  const missing = (Object.keys(advised) as Field[]).filter((one) => written[one] === undefined);
  return [
    ...strange.map((field) => ({
      field,
      what: "is set",
      rule: "with static keys there is no IKE that could agree on it",
      write: "remove it",
    })),
    ...missing.map((field) => ({
      field: undefined,
      what: `lacks ${field}`,
      rule: "nobody agrees on it with the far end, so both have to be told",
      write: `${field}: ${advised[field]}`,
    })),
    ...(["ipsecEncryption", "ipsecIntegrity"] as const).flatMap((field) =>
      nameFault(field, written[field]),
    ),
    ...lives.flatMap((field) => lifeFault(field, written[field], advised[field])),
  ];
}

function nameFault(
  field: keyof typeof algorithms,
  value: string | number | undefined,
): PolicyFault[] {
  const known = algorithms[field];
  if (value === undefined || Object.hasOwn(known, value)) return [];
  const others = `with static keys it is one of ${Object.keys(known).join(", ")}`;
  const rule = clauseOf(String(value)) ?? `${others} (RFC 8221, 5 and 6)`;
  return [{ field, what: `is ${value}`, rule, write: `${field}: ${advised[field]}` }];
}

function clauseOf(algorithm: string): string | undefined {
  return counting.find(([name]) => name.test(algorithm))?.[1];
}

/** Why such a tunnel needs its waiver, whatever its algorithms. */
export const staticWeakness = "static keys (RFC 8221, 3: SHOULD NOT)";

/** For a policy without faults. */
export function staticTransformsOf(written: PolicyProfile | WrittenPolicy): TunnelPolicy {
  const own: WrittenPolicy = typeof written === "string" ? {} : written;
  const word = (field: keyof typeof algorithms): string =>
    algorithms[field][own[field] ?? ""] ?? "";
  return {
    ike: noIke,
    esp: {
      encryption: word("ipsecEncryption"),
      integrity: word("ipsecIntegrity"),
      dhGroup: "none",
    },
    life: {
      seconds: Number(own["saLifeTimeSeconds"]),
      kilobytes: Number(own["saDataSizeKilobytes"]),
    },
  };
}
