// What operators, the config and `init` have to know of a platform, beside its driver.

/** A peering over which BFD is to be turned on. */
interface BfdPeering {
  /** The far end's address. */
  readonly peer: string;
  /** The routing instance of the peering; undefined = the default one. */
  readonly vrf: string | undefined;
  /** The interval of BFD packets in milliseconds. */
  readonly intervalMs: number;
  /** The packets that may be lost before the session ends. */
  readonly multiplier: number;
}

/** The facts about one platform. */
export interface PlatformFacts {
  /** Matches what an operator calls it: small letters and digits, without blanks and hyphens. */
  readonly meant: RegExp;
  /** The longest name of a routing instance; "none" = it has no routing instances. */
  readonly vrfLengthMax: number | "none";
  /** How it names aggregates; "none" = links in an aggregate are not managed there. */
  readonly aggregates: { readonly pattern: RegExp; readonly example: string } | "none";
  /** How the agent logs in by SSH; absent = it does not. */
  readonly login?: {
    /** The key type that every release knows, in the words of `ssh-keygen -t`. */
    readonly keyType: "ed25519" | "rsa -b 4096";
    /** Returns the lines that make the user; `KEY` is explained by `note`. */
    readonly userLines: (user: string) => readonly string[];
    /** Says what `KEY` stands for; `file`: that of the public key. absent = its text. */
    readonly note?: (file: string) => string;
  };
  /** The line that prints the host key's fingerprint on its console; absent = it has none. */
  readonly hostKeyLine?: string;
  /** Returns the lines that turn BFD on; words in capitals are the operator's to fill in. */
  readonly bfdLines: (peering: BfdPeering) => readonly string[];
}
