// A config that a person signed for a site, as a hub carries it there: linkseal.proposal/1. What
// counts is the text that was signed, and nothing beside it: the record around it is hostile.

import { createHash } from "node:crypto";
import {
  type Decoder,
  decoded,
  documentIn,
  field,
  jsonIn,
  Malformed,
  object,
  recordOf,
  that,
} from "#hal/decoder.ts";
import type { WallTime } from "#hal/world.ts";
import { valueBytesMax } from "./engine.ts";
import { sha256 as hash, positive } from "./records.ts";
import {
  parseSignerKey,
  type SignatureFault,
  type SignerKey,
  signatureLengthMax,
  verifySignature,
} from "./ssh-signature.ts";

/** The namespace of signatures, for `ssh-keygen -Y sign -n`. */
export const proposalNamespace = "linkseal-proposal";

const schema = "linkseal.proposal/1";
const encoder = new TextEncoder();

/** What is signed. */
export interface Proposed {
  /** Name of the site, and of the config. */
  readonly site: string;
  /** The accepted config that it replaces, by number and SHA-256 of its text. */
  readonly basedOn: { readonly number: number; readonly sha256: string };
  /** The whole text of the new config. */
  readonly config: string;
  /** It is not applied at or after this time, by the clock of the site. */
  readonly notAfter: WallTime;
}

/** A signed text, and its signature. */
export interface SignedProposal {
  /** The text exactly as it was signed. */
  readonly payload: string;
  /** The signature in OpenSSH's format, with its BEGIN and END lines. */
  readonly signature: string;
}

/** The value of a site's key in `linkseal-proposals`. */
export type ProposalRecord =
  | ({ readonly kind: "signed" } & SignedProposal)
  /** A hub took its proposal back. */
  | { readonly kind: "withdrawn" }
  | { readonly kind: "unreadable" };

/** A person whose signature counts, as the site's config names them. */
export interface ProposalSigner {
  readonly name: string;
  /** Type and base64 of an OpenSSH public key. */
  readonly key: string;
}

/** A signer whose signature was verified. */
interface KnownSigner extends SignerKey {
  readonly name: string;
}

/** Why a record is no proposal for a site. */
type ProposalFault = SignatureFault | "record" | "payload" | "site";

/** A record as a site reads it. */
export type ReadProposal =
  | { readonly kind: "none" }
  | { readonly kind: "refused"; readonly fault: ProposalFault }
  | {
      readonly kind: "proposed";
      readonly proposed: Proposed;
      /** SHA-256 of what was signed, in lowercase hexadecimal: the proposal's name. */
      readonly sha256: string;
      readonly signer: Pick<KnownSigner, "name" | "fingerprint">;
    };

/** Returns the text to be signed; one proposal has exactly one. */
export function proposalPayload({ site, basedOn, config, notAfter }: Proposed): string {
  const { number, sha256 } = basedOn;
  return JSON.stringify({ schema, site, basedOn: { number, sha256 }, notAfter, config });
}

/** Returns a signed proposal as octets of JSON. */
export const proposalOctets = ({ payload, signature }: SignedProposal): Uint8Array =>
  encoder.encode(JSON.stringify({ schema, payload, signature }));

/** What a hub writes to take a proposal back. */
export const withdrawnProposal: Uint8Array = encoder.encode(
  JSON.stringify({ schema, withdrawn: true }),
);

/** Returns what a record says; nothing in it is verified. */
export function parseProposal(octets: Uint8Array): ProposalRecord {
  const unreadable = { kind: "unreadable" } as const;
  return documentIn(schema, octets, limits, record) ?? unreadable;
}

const limits = { octets: valueBytesMax, values: 20 } as const;
const anyText = that((value): value is string => typeof value === "string");
const signed = object<SignedProposal>({ payload: anyText, signature: anyText });

const record: Decoder<ProposalRecord> = (value, what) => {
  if (field(recordOf(value, what), "withdrawn") === true) return { kind: "withdrawn" };
  const { payload, signature } = signed(value, what);
  if (signature.length > signatureLengthMax) throw new Malformed("signature");
  return { kind: "signed", payload, signature };
};

const proposed = object<Proposed>({
  site: anyText,
  basedOn: object<Proposed["basedOn"]>({ number: positive, sha256: hash }),
  config: anyText,
  // A time of 0 is none.
  notAfter: positive as Decoder<number> as Decoder<WallTime>,
});

/** Returns what a signed text says; undefined = it is not one that `proposalPayload` makes. */
export function parsePayload(payload: string): Proposed | undefined {
  const found = decoded(jsonIn(encoder.encode(payload), limits), proposed);
  // Names that come twice, or others, could be read by one and not by another.
  return found !== undefined && proposalPayload(found) === payload ? found : undefined;
}

/**
 * Verifies the record of a site. `signers`: those of the site's own config; no other key counts.
 */
export function readProposal(
  octets: Uint8Array,
  { site, signers }: { readonly site: string; readonly signers: readonly ProposalSigner[] },
): ReadProposal {
  const record = parseProposal(octets);
  if (record.kind === "withdrawn") return { kind: "none" };
  if (record.kind === "unreadable") return { kind: "refused", fault: "record" };
  const text = encoder.encode(record.payload);
  const keys = knownSigners(signers);
  const found = verifySignature(record.signature, text, { namespace: proposalNamespace, keys });
  if (found.kind === "refused") return found;
  const proposed = parsePayload(record.payload);
  if (proposed === undefined) return { kind: "refused", fault: "payload" };
  if (proposed.site !== site) return { kind: "refused", fault: "site" };
  const sha256 = createHash("sha256").update(text).digest("hex");
  const { name, fingerprint } = found.by;
  return { kind: "proposed", proposed, sha256, signer: { name, fingerprint } };
}

/** Returns the signers with their keys; the rules of a config have refused what is no key. */
function knownSigners(signers: readonly ProposalSigner[]): readonly KnownSigner[] {
  return signers.flatMap(({ name, key }) => {
    const parsed = parseSignerKey(key);
    return parsed === undefined ? [] : [{ ...parsed, name }];
  });
}
