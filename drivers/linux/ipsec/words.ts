// The names of algorithms in the model, in charon's proposals, and in charon's reports of an SA.

import type { Transforms } from "#hal/model.ts";
import type { IkeTransforms } from "#hal/tunnel-spec.ts";

interface Words {
  /** The name in a proposal. */
  readonly proposed: string;
  /** The name in `list-sas`, followed by the length of the key, which charon lists apart. */
  readonly reported: string;
}

const ciphers: Readonly<Record<string, Words>> = {
  "aes-256-gcm": { proposed: "aes256gcm16", reported: "AES_GCM_16-256" },
  "aes-192-gcm": { proposed: "aes192gcm16", reported: "AES_GCM_16-192" },
  "aes-128-gcm": { proposed: "aes128gcm16", reported: "AES_GCM_16-128" },
  "aes-256-cbc": { proposed: "aes256", reported: "AES_CBC-256" },
  "aes-192-cbc": { proposed: "aes192", reported: "AES_CBC-192" },
  "aes-128-cbc": { proposed: "aes128", reported: "AES_CBC-128" },
  "3des-cbc": { proposed: "3des", reported: "3DES_CBC" },
};

const hashes: Readonly<Record<string, Words>> = {
  sha384: { proposed: "sha384", reported: "SHA2_384" },
  sha256: { proposed: "sha256", reported: "SHA2_256" },
  sha1: { proposed: "sha1", reported: "SHA1" },
};

const groups: Readonly<Record<string, Words>> = {
  "ecp-384": { proposed: "ecp384", reported: "ECP_384" },
  "ecp-256": { proposed: "ecp256", reported: "ECP_256" },
  "modp-2048": { proposed: "modp2048", reported: "MODP_2048" },
  "modp-2048-256": { proposed: "modp2048s256", reported: "MODP_2048_256" },
  "modp-1024": { proposed: "modp1024", reported: "MODP_1024" },
};

/** Returns an IKE proposal; undefined = charon is never offered one of the algorithms. */
export function ikeProposal({
  encryption,
  integrity,
  prf,
  dhGroup,
}: IkeTransforms): string | undefined {
  const hash = hashes[prf]?.proposed;
  const parts = [
    ciphers[encryption]?.proposed,
    ...(integrity === "none" ? [] : [hashes[integrity]?.proposed]),
    hash === undefined ? undefined : `prf${hash}`,
    groups[dhGroup]?.proposed,
  ];
  return joined(parts);
}

/** Returns the proposal of a child SA; the group is that of its rekeying. */
export function espProposal({ encryption, integrity, dhGroup }: Transforms): string | undefined {
  return joined([
    ciphers[encryption]?.proposed,
    ...(integrity === "none" ? [] : [hashes[integrity]?.proposed]),
    ...(dhGroup === "none" ? [] : [groups[dhGroup]?.proposed]),
  ]);
}

function joined(parts: readonly (string | undefined)[]): string | undefined {
  return parts.includes(undefined) ? undefined : parts.join("-");
}

/** The algorithms that charon reported of an SA; each absent name stays absent. */
export interface ReportedAlgorithms {
  readonly cipher: string | undefined;
  readonly keyBits: string | undefined;
  readonly integrity: string | undefined;
  readonly prf: string | undefined;
  readonly group: string | undefined;
}

/** Translates charon's names; an unknown name stays as it is, and equals no configured one. */
export function reportedTransforms(reported: ReportedAlgorithms): IkeTransforms {
  const { cipher = "none", keyBits, integrity, prf, group } = reported;
  return {
    encryption: modelWord(ciphers, keyBits === undefined ? cipher : `${cipher}-${keyBits}`),
    integrity: integrity === undefined ? "none" : modelWord(hashes, bareHash(integrity)),
    prf: prf === undefined ? "none" : modelWord(hashes, bareHash(prf)),
    dhGroup: group === undefined ? "none" : modelWord(groups, group),
  };
}

// HMAC_SHA2_256_128, HMAC_SHA1_96 and PRF_HMAC_SHA2_384: the hash is the part in the middle.
function bareHash(reported: string): string {
  return /^(?:PRF_)?HMAC_(SHA1|SHA2_\d{3})(?:_\d+)?$/.exec(reported)?.[1] ?? reported;
}

function modelWord(table: Readonly<Record<string, Words>>, reported: string): string {
  return Object.entries(table).find(([, words]) => words.reported === reported)?.[0] ?? reported;
}
