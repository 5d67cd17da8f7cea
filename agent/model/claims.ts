// Every positive statement of the product, with the facts that it rests on, and the one evaluator.
// A fact is something that was seen; that nothing speaks against a claim is no fact. The page
// docs/claims.md is made of this table, and the tests take each fact away and see the claim fall.

/** The end whose own readings show a fact. */
export type End = "router" | "far end" | "path" | "vault" | "Azure" | "agent" | "log";

/** What a claim needs to have been seen. */
export interface FactRow {
  /** What was seen, as a clause. */
  readonly says: string;
  /** The end that shows it; what another end shows does not count. */
  readonly of: End;
  /** How long the sight of it counts. */
  readonly counts: string;
  /** The readings that show it, by their names in the contract; each of several does alone. */
  readonly shownBy: readonly string[];
  /** The platforms that have such a state; absent = all. */
  readonly onlyWhere?: string;
}

/** A positive statement. */
export interface ClaimRow {
  /** The statement, as a clause. */
  readonly says: string;
  /** `takes`: effects that take wait for it; `tells`: it is said alone. */
  readonly use: "takes" | "tells";
  readonly facts: Readonly<Record<string, FactRow>>;
}

const fresh = "`health.staleAfter`";
const window = "`health.evidence`";
const look = "the look right before the effect";
const settled = "`rotation.settle`, without a gap";

const fact =
  (of: End, counts: string) =>
  (says: string, ...shownBy: readonly string[]): FactRow => ({ says, of, counts, shownBy });

const now = fact("router", fresh);
const moved = fact("router", window);
const trip = fact("path", window);
const before = fact("router", look);
const run = fact("router", settled);

const mustSecure = {
  policy: now("its policy is must-secure", "settings"),
  closed: {
    ...now("no setting lets data pass in the clear", "failOpen"),
    onlyWhere: "settings can do that beside must-secure (Linux)",
  },
} as const;
const secured = now("its controlled port is secured, with one live peer", "session");
const tunnelUp = {
  ike: now("its IKE SA is established", "ike"),
  sas: now("an SA of each direction carries", "sas"),
} as const;

/** The claims. */
export const claims = {
  "must-secure": {
    says: "the port sends and takes no data in the clear",
    use: "takes",
    facts: mustSecure,
  },
  "link-protected": {
    says: "the link carries traffic under MACsec",
    use: "takes",
    facts: {
      ...mustSecure,
      secured,
      key: now("the key in charge is the accepted one, or that of the campaign", "session"),
      sak: now("one SAK is in use in both directions", "session"),
      agreed: {
        ...now("both directions of its SecY use one SAK", "keyAgreement"),
        onlyWhere: "the SecY itself is read (Linux)",
      },
      suite: now("the suite of the SA in use is the wanted one", "liveSuite"),
      clear: moved("data frames in the clear are counted, and none came", "frames"),
      readable: {
        ...moved("no accepted frame was readable", "frames"),
        onlyWhere: "readable octets are counted",
      },
      moves: moved("protected frames move both ways, or a probe was answered", "frames"),
    },
  },
  delivered: {
    says: "what the router sends over the link, or into the tunnel, arrives",
    use: "tells",
    facts: { answered: trip("a round trip under the present settings was answered", "trips") },
  },
  "received-encrypted": {
    says: "the received frames were encrypted",
    use: "tells",
    facts: {
      whole: now("the confidentiality offset is 0", "settings"),
      decrypted: moved("octets were decrypted, and none was only validated", "frames"),
    },
  },
  "sent-encrypted": {
    says: "the sent frames were encrypted",
    use: "tells",
    facts: {
      ...mustSecure,
      whole: now("the confidentiality offset is 0", "settings"),
      suite: now("an SA with a cipher suite is in use", "liveSuite"),
      sent: moved("frames were sent under it", "frames"),
    },
  },
  "link-drained": {
    says: "nothing rides on the link",
    use: "takes",
    facts: {
      inForce: before("the router lists the drain of the port", "routing"),
      bypassed: before("no best path leads over it", "routing"),
      quiet: before("its rate is below 1 % of the line and 100 packets/s, so often", "rate"),
    },
  },
  "link-carries": {
    says: "the sibling carries its traffic",
    use: "takes",
    facts: {
      lit: before("its port has a link", "linkUp"),
      undrained: before("it is not drained", "routing"),
      routed: before("its BGP sessions are up", "routing"),
      settled: before("no commit waits on its router", "control"),
      secured: before("it is secured by the accepted key, or in the clear before one", "session"),
      policy: before("its policy is must-secure, once it has a key", "settings"),
      keys: before("its keys were read", "keys"),
      far: {
        ...fact("far end", look)("its document names the accepted key, or none before", "peer"),
        onlyWhere: "it can be read now",
      },
    },
  },
  "carries-again": {
    says: "the link carries its traffic again",
    use: "takes",
    facts: {
      undrained: run("it is not drained", "routing"),
      secured: run("it passes frames under a key of the campaign", "session"),
      routed: run("its BGP sessions are up", "routing"),
      answered: run("no probe since it was given back stayed without answer", "probe"),
    },
  },
  "key-proven": {
    says: "the link works with the new key",
    use: "takes",
    facts: {
      secured: run("its controlled port is secured", "session"),
      key: run("the key in charge is the new one", "session"),
      peer: run("its one live peer has the SAK", "session"),
      sak: run("the latest SAK is in use both ways", "session"),
      suite: run("the suite of the SA in use is the wanted one", "liveSuite"),
      policy: run("its policy is must-secure", "settings"),
      settings: run("its settings are the new ones, where these change", "settings"),
      frames: run("enough protected frames moved each way, and none failed", "frames"),
      far: fact("far end", settled)(
        "its document names the new key, at rest and unwritten",
        "peer",
      ),
    },
  },
  "tunnel-up": { says: "the tunnel is up at this end", use: "tells", facts: tunnelUp },
  "tunnel-carries": {
    says: "traffic may be led into the tunnel",
    use: "takes",
    facts: {
      ...tunnelUp,
      answers: before("its gateway answers", "ike"),
      routed: {
        ...before("BGP inside it is up", "routing"),
        onlyWhere: "the config wants BGP inside it",
      },
      undrained: {
        ...before("it is not drained", "routing"),
        onlyWhere: "the config wants BGP inside it",
      },
    },
  },
  "tunnel-protected": {
    says: "what it protects travels under IPsec alone",
    use: "takes",
    facts: {
      ...tunnelUp,
      transforms: now("each SA in use has the wanted algorithms", "sas"),
      moves: moved("packets move both ways, or neither way", "sas"),
      outward: now("no route leads past it", "routes"),
      inward: {
        ...now("no neighbour beside it learns a route to this side", "routing"),
        onlyWhere: "the device speaks BGP",
      },
      blocked: {
        ...now("what it protects is blocked outside of tunnels", "blocked"),
        onlyWhere: "the router can block",
      },
    },
  },
  "later-saks-proven": {
    says: "the link works with the SAKs that follow the first one of a new key",
    use: "takes",
    facts: {
      proven: run("five SAKs in a row were proven, each by frames of its own", "frames"),
    },
  },
  "block-in-place": {
    says: "the prefix passes in tunnels alone",
    use: "takes",
    facts: { listed: now("the router lists it as blocked outside of tunnels", "blocked") },
  },
  "backup-ready": {
    says: "the backup would carry",
    use: "tells",
    facts: {
      proven: fact("path", "three times `backs.prove`, up to two failures in a row")(
        "test packets were answered, and its SAs counted them both ways",
        "proof",
      ),
    },
  },
  "key-gone": {
    says: "the compromised key is gone",
    use: "tells",
    facts: {
      absent: fact("router", "since it was declared")(
        "no port, MKA participant or far end that was read holds it",
        ...["keys", "session", "peer"],
      ),
      read: fact("router", "since it was declared")(
        "each place of its link was read: port, saved configuration, far end",
        ...["keys", "saved", "peer"],
      ),
    },
  },
  "commit-confirmed": {
    says: "what a commit made is there for good",
    use: "takes",
    facts: {
      shown: before("the router lists what it made", "tunnels"),
      ended: before("no commit waits in that look, or its confirm was answered", "control"),
    },
  },
  "commit-saved": {
    says: "a boot of the router takes back no commit of ours",
    use: "tells",
    facts: {
      answered: fact("router", "for ever")("it answered the save of each of them", "unsaved"),
    },
  },
  "key-removed": {
    says: "the key is no longer on the port",
    use: "takes",
    facts: { absent: before("the router lists the port's keys, and it is not among them", "keys") },
  },
  "campaign-ended": {
    says: "the link carries by its new key alone (rotated), or by its old one alone (reverted)",
    use: "takes",
    facts: {
      alone: before("the router lists that key alone on the port, or none before one", "keys"),
      confirmed: before("no commit waits on its router", "control"),
      far: fact("far end", look)("it holds that key (`far-end-holds`)", "peer"),
      undrained: before("it is not drained", "routing"),
      carries: run("it carries again (`carries-again`)", "carrying"),
    },
  },
  "far-end-holds": {
    says: "the far end holds this key, or has none before one",
    use: "takes",
    facts: {
      read: fact("far end", fresh)("it was read, after each write of ours", "peer"),
      alone: fact("agent", "for ever")("no request of an earlier process can land", "graceEnd"),
      ended: fact("far end", fresh)("its last change has ended, and took effect", "peer"),
      named: fact("far end", fresh)("its document names it, with its settings", "peer"),
    },
  },
  adopted: {
    says: "both ends of a link run on one key of the vault, which is managed from now on",
    use: "takes",
    facts: {
      alone: before("the router lists that key alone on the port", "keys"),
      confirmed: before("no commit waits on its router", "control"),
      named: fact("far end", look)("its document names the pair", "peer"),
      settled: fact("far end", look)("no change of it runs", "peer"),
      enabled: fact("vault", look)("it has that version, enabled", "versions"),
      same: fact("vault", look)("the CKN that the far end names is that on the router", "versions"),
      secured: before("its controlled port is secured by that key, with live peers", "session"),
    },
  },
  "right-present": {
    says: "the agent's identity has a right in Azure",
    use: "tells",
    facts: {
      named: fact("Azure", "for ever")("config or port's document name its scope", "details"),
      granted: fact("Azure", "15 min")("a role grants it without a condition", "permissions"),
    },
  },
  "row-proven": {
    says: "the recommendation is met",
    use: "tells",
    facts: {
      understood: fact("Azure", "the document")(
        "each field that the row names is there and understood",
        "document",
      ),
      right: fact("Azure", "the document")("each has a value that proves", "document"),
    },
  },
  "report-final": {
    says: "no later report says something else of this time",
    use: "tells",
    facts: {
      confirmed: fact("log", "for ever")(
        "each verdict up to its end has a later reading, and is on the disk",
        "confirmed",
      ),
    },
  },
  "alarm-resolved": {
    says: "the trouble is over",
    use: "tells",
    facts: {
      read: now("what it is about was read since", "reading"),
      absent: now("the trouble was not seen for 30 s", "reading"),
    },
  },
} as const satisfies Readonly<Record<string, ClaimRow>>;

/** The name of a claim. */
export type ClaimName = keyof typeof claims;
type FactName<C extends ClaimName> = keyof (typeof claims)[C]["facts"] & string;

/** What the evidence shows of one fact; `unseen` = it shows neither that it is so nor that not. */
export type Sight<Why> =
  | { readonly kind: "seen" }
  | { readonly kind: "refuted" | "unseen"; readonly why: Why };

/** How each fact of a claim is looked for. */
export type Looks<C extends ClaimName, Why> = {
  readonly [F in FactName<C>]: () => Sight<Why>;
};

/** Whether a claim holds; else its first fact that was not seen, a refuted one before others. */
export type Judgement<C extends ClaimName, Why> =
  | { readonly kind: "holds" }
  | { readonly kind: "refuted" | "unknown"; readonly fact: FactName<C>; readonly why: Why };

/** What is seen of a fact that holds. */
export const seen = { kind: "seen" } as const;

/** Makes what is seen of a fact whose reading is there; `why` = what it shows instead. */
export function seenUnless<Why>(why: Why | undefined): Sight<Why> {
  return why === undefined ? seen : { kind: "refuted", why };
}

/** Makes what is seen of a fact that a reading shows or refutes. */
export function seenIf<Why>(holds: boolean, why: Why): Sight<Why> {
  return seenUnless(holds ? undefined : why);
}

/** Makes what is seen of a fact whose reading is missing. */
export function unseenFor<Why>(why: Why): Sight<Why> {
  return { kind: "unseen", why };
}

/** Makes what is seen of a fact from a value; undefined = it is not known. */
export function sightOf(value: boolean | undefined): Sight<undefined> {
  if (value === true) return seen;
  return { kind: value === undefined ? "unseen" : "refuted", why: undefined };
}

/** Returns why a claim does not hold; undefined = it does. */
export function gapOf<C extends ClaimName, Why>(claim: C, looks: Looks<C, Why>): Why | undefined {
  const found = judge(claim, looks);
  return found.kind === "holds" ? undefined : found.why;
}

/** Judges a claim: it holds if each fact of its row was seen. Never throws but with its looks. */
export function judge<C extends ClaimName, Why>(claim: C, looks: Looks<C, Why>): Judgement<C, Why> {
  let lacking: Judgement<C, Why> | undefined;
  for (const name of Object.keys(claims[claim].facts) as FactName<C>[]) {
    const sight = looks[name]();
    if (sight.kind === "seen") continue;
    if (sight.kind === "refuted") return { kind: "refuted", fact: name, why: sight.why };
    lacking ??= { kind: "unknown", fact: name, why: sight.why };
  }
  return lacking ?? { kind: "holds" };
}
