// Every code of health, status and warnings, registered once: the rows are the only list of codes.

/** How bad a warning, finding or event is. */
export type Severity = "info" | "warning" | "error";

export interface WarningRow<Cause extends string = WarningCode> {
  readonly title: string;
  readonly severity: Severity;
  /** Causes: while one of them holds for the same thing, this one is silent. */
  readonly dependsOn: readonly Cause[];
  /** How long it must last before it is reported, in milliseconds. */
  readonly visibleAfterMs: number;
  /** Frames are lost or in the clear while it holds. */
  readonly impactsTraffic: boolean;
  /** Only counters show it, so it may have begun a whole evidence window before its verdict. */
  readonly fromCounters: boolean;
  /**
   * The next safe command or act; ABOUT, GROUP and CODE stand for what the warning is about and for
   * its own code. A command that only shows leads to the steps of the code.
   */
  readonly next: string;
}

type Rest = Partial<Pick<WarningRow<never>, "visibleAfterMs" | "impactsTraffic" | "fromCounters">>;

const settleMs = 10_000;

const rowOf =
  (severity: Severity) =>
  <Cause extends string = never>(
    title: string,
    next: string,
    dependsOn: readonly Cause[] = [],
    { visibleAfterMs = settleMs, impactsTraffic = false, fromCounters = false }: Rest = {},
  ): WarningRow<Cause> => ({
    ...{ severity, title, next, dependsOn, visibleAfterMs, impactsTraffic, fromCounters },
  });

const info = rowOf("info");
const warning = rowOf("warning");
const error = rowOf("error");

const plan = "linkseal plan --accepted";
const link = "linkseal links ABOUT";
const tunnel = "linkseal tunnels ABOUT";
const show = "linkseal rotation show GROUP";
/** The steps of the code, with the commands for what it is about. */
const steps = "linkseal explain CODE ABOUT";
/** The steps of a code that is about the agent itself. */
const ownSteps = "linkseal explain CODE";

const traffic = { impactsTraffic: true } as const;
/** Clear traffic is reported at once. */
const atOnce = { impactsTraffic: true, visibleAfterMs: 0 } as const;
const counted = { fromCounters: true } as const;
const countedTraffic = { ...traffic, ...counted } as const;
const countedAtOnce = { ...atOnce, ...counted } as const;
const unseen = ["not-looked-yet", "device-unreachable"] as const;
const noSession = [...unseen, "link-down", "macsec-not-configured"] as const;
const keyFaults = ["key-gone", "cak-mismatch", "ckn-mismatch"] as const;
const mkaFaults = [...keyFaults, "mka-no-live-peer"] as const;
const noMka = [...noSession, ...mkaFaults] as const;
const frameFaults = [
  "sak-not-agreed",
  "sci-mismatch",
  "suite-mismatch",
  "stale-sak",
  "mtu",
] as const;
const noWay = [...unseen, "tunnel-underlay"] as const;
const noTunnel = [...noWay, "ike-down", "sa-missing", "tunnel-configured-but-absent"] as const;
const tunnelFaults = [
  "tunnel-underlay",
  "ike-down",
  "sa-missing",
  "tunnel-one-way",
  "tunnel-bgp-down",
] as const;
const promptly = { visibleAfterMs: 0 } as const;
const slow = { visibleAfterMs: 60_000 } as const;
const countedSlowly = { ...slow, ...counted } as const;

/** Reasons of a verdict: agent/health derives them. */
const verdictRows = {
  "not-looked-yet": info("Not read yet", steps, [], slow),
  "device-unreachable": error("A device does not answer", steps, [], { visibleAfterMs: 15_000 }),
  // An agent without processor time takes no readings: that is no fault of the device.
  "reading-stale": warning("A reading is too old to use", steps, [...unseen, "agent-overloaded"], {
    visibleAfterMs: 15_000,
  }),
  "reading-missing": warning("A device does not tell something", steps, unseen, {
    visibleAfterMs: 15_000,
  }),
  "port-absent": error("The device lists no such port", link, unseen),
  "link-down": error("The port has no link", link, unseen, traffic),
  "macsec-not-configured": error("The port has no MACsec", "linkseal enrol GROUP", unseen, traffic),
  "policy-should-secure": error("The port may send in the clear", link, unseen, atOnce),
  "controlled-port-open": error("The port is open without MACsec", link, noSession, atOnce),
  "sak-not-agreed": error("The two ends agree on no SAK", link, noMka, traffic),
  "offset-mismatch": warning("Another confidentiality offset", link, noSession),
  "suite-mismatch": error("Another cipher suite", link, noSession, traffic),
  "sci-mismatch": error("The two ends disagree about the SCI", link, noSession, traffic),
  "far-end-changed": error("The far end was changed", link, unseen),
  "state-older": error("The journal is older than both ends", "linkseal adopt ABOUT", unseen),
  "far-end-failed": warning("A change at the far end failed", link, unseen),
  "key-gone": error("The router lacks the key in use", link, noSession, traffic),
  "cak-mismatch": error("The two ends hold different CAKs", link, noSession, traffic),
  "ckn-mismatch": error("The far end uses another CKN", link, noSession, traffic),
  "mka-no-live-peer": error(
    "The far end does not speak MKA",
    link,
    [...noSession, ...keyFaults],
    traffic,
  ),
  "peer-not-responded": warning("The far end has not installed the SAK", link, noMka),
  "second-peer": error("More than one peer on a link of two", link, noSession, promptly),
  "principal-key-unexpected": error("Another key is in use", link, noMka),
  "key-not-known": warning("The key in use is not ours", "linkseal adopt GROUP", noMka),
  "fallback-not-ready": warning("The fallback key does not work", link, noMka, {
    visibleAfterMs: 30_000,
  }),
  "sak-not-in-use": error("The latest SAK is not in use", link, noMka, counted),
  "sak-churn": error("The session is renewed again and again", link, noSession, traffic),
  "rekey-overdue": warning("The SAK is not renewed in time", link, noMka),
  "packet-number-high": warning("Packet numbers run out", link, noSession, counted),
  "frames-untagged": error("Frames in the clear", link, unseen, countedAtOnce),
  "frames-readable": error("Frames that are not encrypted", link, unseen, countedAtOnce),
  "stale-sak": error(
    "The data plane uses another SAK than MKA says",
    link,
    [...noMka, "suite-mismatch"],
    countedTraffic,
  ),
  "frames-not-valid": error(
    "Frames fail their integrity check",
    link,
    [...noSession, "stale-sak", "suite-mismatch"],
    countedTraffic,
  ),
  "replay-window": warning(
    "Frames arrive outside the replay window",
    link,
    noSession,
    countedTraffic,
  ),
  mtu: error("Frames are too long once protected", link, noSession, countedTraffic),
  "frames-one-way": warning(
    "Frames move in one direction only",
    link,
    [...noMka, ...frameFaults],
    countedTraffic,
  ),
  "probe-unanswered": error(
    "Probes are not answered",
    link,
    [...noMka, ...frameFaults],
    countedTraffic,
  ),
  "counters-frozen": warning("Counters stand still while traffic flows", steps, noSession, counted),
  "counter-missing": warning("A counter that proof needs is missing", steps, noSession, counted),
  "collecting-evidence": info("Not watched for long enough yet", steps, [], slow),
  "idle-unproven": warning("No traffic and no probe to prove it", steps, [], countedSlowly),
  "arrival-not-proven": warning(
    "Nothing shows any more that what we send arrives",
    steps,
    [...noMka, ...frameFaults, ...tunnelFaults],
    counted,
  ),
  "arrival-not-visible": info("Sent, arrival not visible", steps, [], slow),

  "tunnel-configured-but-absent": error(
    "A configured tunnel is absent",
    tunnel,
    unseen,
    countedTraffic,
  ),
  "tunnel-underlay": error("A tunnel has no way out of its device", tunnel, unseen, traffic),
  // IKE detects a dead peer only by its liveness checks (RFC 7296, section 2.4): 45 s in Azure.
  "ike-down": error("IKE is not established", tunnel, noWay, countedTraffic),
  "sa-missing": error(
    "A tunnel lacks an SA",
    tunnel,
    [...noWay, "ike-down", "tunnel-configured-but-absent"],
    countedTraffic,
  ),
  "transform-mismatch": warning("Other algorithms than wanted", tunnel, unseen),
  "ppk-unused": warning("A required PPK is not in use", tunnel, unseen),
  "tunnel-interface": error(
    "What a tunnel protects does not get into it",
    tunnel,
    unseen,
    countedTraffic,
  ),
  "tunnel-one-way": warning(
    "A tunnel carries in one direction only",
    tunnel,
    [...noWay, "ike-down", "sa-missing", "tunnel-interface"],
    countedTraffic,
  ),
  "sequence-number-high": warning("Sequence numbers run out", tunnel, unseen),
  "sa-ending": warning("An SA is about to end without a successor", tunnel, unseen),
  "anti-replay-off": warning("A tunnel takes packets twice", tunnel, unseen),
  "clear-path-beside-tunnel": error(
    "Protected prefixes go around the tunnel",
    tunnel,
    unseen,
    atOnce,
  ),
  "guard-missing": warning("Nothing blocks what a tunnel protects", tunnel, unseen),
  "tunnel-bgp-down": error("BGP inside of a tunnel is down", tunnel, noTunnel, traffic),
  "outside-macsec": warning("A tunnel rides on an unprotected group", tunnel, [], counted),
  "backup-unproven": warning("Nothing proves a backup tunnel", tunnel, [
    ...noTunnel,
    "tunnel-bgp-down",
  ]),
  "weak-policy": warning("A weak policy is no longer accepted", tunnel),
  "compromised-key-in-use": error(
    "A compromised key is not gone",
    "linkseal rotate ABOUT --emergency",
    [],
    promptly,
  ),
  "sibling-unhealthy": warning("The sibling link does not carry", link, unseen),
  "not-configured": info("No config has been accepted yet", "linkseal apply FILE", [], promptly),
};

/** What is found beside the verdicts: a row of agent/runtime/health/finders.ts finds each. */
const foundRows = {
  "guard-left": warning("A prefix that no tunnel protects is blocked", steps, unseen),
  "tunnel-unbalanced": info(
    "A tunnel is all but left out of its bundle",
    tunnel,
    [...noWay, "ike-down", "sa-missing", "tunnel-bgp-down"],
    slow,
  ),
  // A failover is reported at once: from then on nothing stands behind what carries.
  "backup-carries": warning("Traffic rides in a backup tunnel", tunnel, unseen, promptly),
  "backup-preferred": warning("A backup carries beside a link that would", tunnel, unseen),
  "config-not-applied": warning("The config file is not in force", "linkseal plan"),
  "proposal-waiting": warning("A signed config waits to be applied", "linkseal proposal show"),
  "proposal-refused": warning("A proposed config does not count", "linkseal proposal show"),
  drift: warning("A device differs from the accepted intent", plan, [...unseen, "state-older"], {
    visibleAfterMs: 30_000,
  }),
  "commit-lost": error("A device lost an accepted change", steps, [], promptly),
  "commit-unsaved": warning("A change in force is not saved", steps, unseen, slow),
  "reload-took-back": warning("A reload took back what linkseal had done", steps, [], promptly),
  "clock-skew": warning("The clock of a device is wrong", steps, unseen),
  "vault-unreachable": warning("The vault does not answer", steps, [], slow),
  "vault-denied": error("The vault refuses us", steps, [], promptly),
  "key-age": warning("A key is older than it should be", "linkseal keys generate ABOUT"),
  "key-age-soon": info("A key gets too old soon", "linkseal keys generate ABOUT"),
  "key-unpaired": warning("CAK and CKN are not proven to be a pair", steps),
  "key-malformed": error("A key has the wrong form", steps),
  "key-reused": error("One CKN with two CAKs", steps),
  "key-expiring": warning("A secret expires soon", steps),
  "identity-expiring": warning("The certificate of our identity ends", ownSteps),
  "risk-ending": warning("An accepted risk that a tunnel stands on ends soon", ownSteps),
  "stale-after-bounded": warning("The config in force trusts readings for too long", ownSteps),
  "far-end-unreadable": warning("The far end cannot be read", steps, [], slow),
  "far-end-refused": warning("The far end does not take a change", steps),
  "far-end-unfollowed": warning("Azure does not show its operations to us", steps),
  "rights-unknown": warning("Rights in Azure are not known", steps, [], slow),
  "far-end-lost-update": warning(
    "Another writer changed this link while its sibling was written",
    link,
    [],
    promptly,
  ),
  "campaign-waiting": info("A campaign waits for permission", show, [], slow),
  "waiting-for-person": warning("A campaign waits for a person", show, [], promptly),
  "rotation-held": error("A campaign is held", show, [], promptly),
  "rotation-overdue": warning("A campaign has waited for too long", show, [], promptly),
  "rotation-unfinished": warning(
    "A rotation left a link on its old key",
    "linkseal rotate ABOUT",
    ["compromised-key-in-use"],
    promptly,
  ),
  "drained-by-hand": warning(
    "A link was drained by hand",
    "linkseal undrain ABOUT",
    ["drain-not-in-force"],
    promptly,
  ),
  // The record is made before the router is changed, which takes this long at most as a rule.
  "drain-not-in-force": warning("A drain is not in force on the router", steps, unseen, {
    visibleAfterMs: 30_000,
  }),
  "bgp-trouble": warning("A BGP session over the link is not as it should be", link, [
    ...unseen,
    "link-down",
    ...mkaFaults,
    "sak-not-agreed",
  ]),
  "journal-lossy": error("The journal cannot be trusted", ownSteps, [], promptly),
  "journal-growing": warning("The journal cannot be compacted", ownSteps, [], promptly),
  // Told before anything else: until it ends nothing that was begun is brought to its end.
  "state-unwritable": error("The state folder cannot be written", ownSteps, [], promptly),
  "audit-lossy": warning("The audit log takes no records", ownSteps),
  "evidence-rolls-over": warning("The oldest evidence is overwritten soon", ownSteps),
  "agent-overloaded": warning("The agent has too little processor time", ownSteps, [], promptly),
};

/** The codes of warnings that are no reason of a verdict. */
export type FoundCode = keyof typeof foundRows;

/** The codes of all warnings; docs/codes.md lists them. */
export type WarningCode = keyof typeof verdictRows | FoundCode;

/** The row of each warning; a cause that has no row does not compile. */
export const warningRows: Readonly<Record<WarningCode, WarningRow>> = {
  ...verdictRows,
  ...foundRows,
};

/**
 * Returns the next safe command for a code about a link (`group/link`), group, tunnel or device.
 */
export function nextFor(code: WarningCode, about: string): string {
  const group = about.split("/")[0] ?? about;
  const { next } = warningRows[code];
  const words: Readonly<Record<string, string>> = { ABOUT: about, GROUP: group, CODE: code };
  // One pass: a name may itself contain one of the words.
  return next.replaceAll(/ABOUT|GROUP|CODE/g, (word) => words[word] ?? word);
}

/** Returns true for the code of a warning. */
export function isWarningCode(value: string): value is WarningCode {
  return Object.hasOwn(warningRows, value);
}
