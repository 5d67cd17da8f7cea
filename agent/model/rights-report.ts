// What Azure reports about the rights of the agent's identity, as the rules of campaigns and
// tunnels read it.

/** A right that the agent's identity does not have. */
export interface MissingRight {
  /** Name of the action, such as `Microsoft.Network/expressRoutePorts/write`. */
  readonly action: string;
  /** Resource id of the scope at which it is missing. */
  readonly scope: string;
}

/** A scope whose rights are not known. */
export interface UnreadScope {
  /** Its resource id. */
  readonly scope: string;
  /** Why they are not known: a sentence without a full stop. */
  readonly why: string;
  /** The next safe act of the operator. */
  readonly next: string;
}

/**
 * The rights that one change in Azure needs: those that are known to be missing, and the scopes
 * that could not be asked. Both are empty if the identity is known to have all of them.
 */
export interface RightsReport {
  /** The rights that are missing, in the order of the config's needs. */
  readonly missing: readonly MissingRight[];
  /** The scopes of which nothing is known. */
  readonly unknown: readonly UnreadScope[];
}
