// A proposal as the sockets report it.

import { isoTime } from "../model/iso-time.ts";
import {
  hindranceText,
  overText,
  type Proposal,
  type ProposalState,
  refusedText,
} from "../runtime/proposal-state.ts";

/** A signed proposal. */
export interface ProposalShape {
  /** SHA-256 of what was signed: the name by which it is applied or rejected. */
  readonly sha256: string;
  /** Whose signature was verified: the name of the config, and the key's digest. */
  readonly signer: { readonly name: string; readonly fingerprint: string };
  /** The config that it replaces, and no other. */
  readonly basedOn: { readonly number: number; readonly sha256: string };
  /** It is not applied at or after this time, in ISO 8601. */
  readonly notAfter: string;
  /** Text of the proposed config. */
  readonly config: string;
}

/** linkseal.proposalState/1 */
export interface ProposalReport {
  /** Name and version of the document. */
  readonly schema: "linkseal.proposalState/1";
  /** `over`: it is not applied any more. */
  readonly state: ProposalState["kind"];
  /** What it waits for, or why it does not count; null = there is none, or nothing hinders it. */
  readonly why: string | null;
  /** null = there is none that was signed for this site. */
  readonly proposal: ProposalShape | null;
}

/** Returns what is known of the proposal. */
export function proposalReport(state: ProposalState): ProposalReport {
  const schema = "linkseal.proposalState/1";
  switch (state.kind) {
    case "none":
      return { schema, state: "none", why: null, proposal: null };
    case "refused":
      return { schema, state: "refused", why: refusedText(state.why), proposal: null };
    case "over": {
      const why = overText(state.proposal, state.end);
      return { schema, state: "over", why, proposal: shapeOf(state.proposal) };
    }
    case "waiting": {
      const why = state.hindrance === undefined ? null : hindranceText(state.hindrance);
      return { schema, state: "waiting", why, proposal: shapeOf(state.proposal) };
    }
  }
}

function shapeOf({ sha256, signer, proposed }: Proposal): ProposalShape {
  const { basedOn, notAfter, config } = proposed;
  return { sha256, signer, basedOn, notAfter: isoTime(notAfter), config };
}
