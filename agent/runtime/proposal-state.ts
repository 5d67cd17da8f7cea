// What is known of a proposal, and the sentences about it.

import type { ReadProposal } from "../fleet/proposal.ts";
import { isoTime } from "../model/iso-time.ts";

/** A proposal whose signature was verified. */
export type Proposal = Omit<Extract<ReadProposal, { readonly kind: "proposed" }>, "kind">;

/** Why a record of the engine is refused. */
export type Refusal =
  | Extract<ReadProposal, { readonly kind: "refused" }>["fault"]
  | "config"
  | "otherSite";

/** Why a proposal is of no use any more. */
export type ProposalEnd = "applied" | "rejected" | "unfinished" | "overtaken" | "expired";

/** What a proposal waits for. */
export type Hindrance =
  /** A person of the site: `fleet.apply` is `propose`. */
  | { readonly kind: "person" }
  /** A person, for `auto` may not change these settings. */
  | { readonly kind: "authority"; readonly paths: readonly string[] }
  /** Nothing tells whether this host's clock is right. */
  | { readonly kind: "clock"; readonly why: "unread" | "apart" }
  /** A config of a person waits for the end of campaigns. */
  | { readonly kind: "queued" }
  /** The last attempt failed. */
  | { readonly kind: "failed"; readonly text: string };

/** What is known of the proposal at the engine. */
export type ProposalState =
  | { readonly kind: "none" }
  | { readonly kind: "refused"; readonly why: Refusal }
  | { readonly kind: "over"; readonly proposal: Proposal; readonly end: ProposalEnd }
  | {
      readonly kind: "waiting";
      readonly proposal: Proposal;
      /** undefined = `auto` applies it at the next turn. */
      readonly hindrance: Hindrance | undefined;
    };

/** The signer as records name them: the name of the config, and the key. */
export function signerText({ signer }: Pick<Proposal, "signer">): string {
  return `${signer.name} (${signer.fingerprint})`;
}

const refusals: Readonly<Record<Refusal, string>> = {
  record: "the engine has something else than a proposal",
  form: "the signature of the proposal is not in OpenSSH's format",
  namespace: "the proposal's signature was made for another purpose",
  digest: "the proposal's signature uses another digest than SHA-256 or SHA-512",
  signer: "the proposal is signed with a key that is not in fleet.signers",
  text: "the proposal is not what was signed",
  payload: "what was signed is not a proposal of this version",
  site: "the proposal is signed for another site",
  config: "the proposed config is not valid here",
  otherSite: "the proposed config gives the site another name",
};

/** Why a record of the engine is refused. */
export function refusedText(why: Refusal): string {
  return refusals[why];
}

/** Why a proposal is not applied any more. */
export function overText({ proposed }: Proposal, end: ProposalEnd): string {
  switch (end) {
    case "applied":
      return "it was applied";
    case "rejected":
      return "it was rejected";
    case "unfinished":
      return "its application was begun once and did not end: it has to be proposed anew";
    case "overtaken":
      return `it is based on config ${proposed.basedOn.number}, which is not in force`;
    case "expired":
      return `it was valid until ${isoTime(proposed.notAfter)}`;
  }
}

/** As many settings as a person reads in a sentence. */
const pathsShown = 4;

/** What a proposal waits for. */
export function hindranceText(hindrance: Hindrance): string {
  switch (hindrance.kind) {
    case "person":
      return "it waits for a person of this site";
    case "authority": {
      const { paths } = hindrance;
      const more = paths.length > pathsShown ? ` and ${paths.length - pathsShown} more` : "";
      const shown = paths.slice(0, pathsShown).join(", ");
      return `it waits for a person of this site, who alone may change ${shown}${more}`;
    }
    case "clock":
      return hindrance.why === "unread"
        ? "no device confirms the clock of this host, so its end cannot be judged"
        : "the clocks of this host and of a device are apart, so its end cannot be judged";
    case "queued":
      return "a config that a person applied waits for the end of campaigns";
    case "failed":
      return `it was not applied: ${hindrance.text}`;
  }
}
