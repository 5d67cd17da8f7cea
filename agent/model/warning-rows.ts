// Every code of health, status and warnings, registered once: a second row does not compile.

type LinkCode =
  | "not-looked-yet"
  | "device-unreachable"
  | "reading-stale"
  | "reading-missing"
  | "port-absent"
  | "link-down"
  | "macsec-not-configured"
  | "policy-should-secure"
  | "controlled-port-open"
  | "sak-not-agreed"
  | "offset-mismatch"
  | "suite-mismatch"
  | "sci-mismatch"
  | "far-end-changed"
  | "far-end-failed"
  | "cak-mismatch"
  | "ckn-mismatch"
  | "mka-no-live-peer"
  | "peer-not-responded"
  | "second-peer"
  | "principal-key-unexpected"
  | "key-not-known"
  | "fallback-not-ready"
  | "sak-not-in-use"
  | "sak-churn"
  | "rekey-overdue"
  | "packet-number-high"
  | "frames-untagged"
  | "stale-sak"
  | "frames-not-valid"
  | "replay-window"
  | "mtu"
  | "frames-one-way"
  | "probe-unanswered"
  | "counters-frozen"
  | "counter-missing"
  | "collecting-evidence"
  | "idle-unproven";

type TunnelCode =
  | "tunnel-configured-but-absent"
  | "ike-down"
  | "sa-missing"
  | "transform-mismatch"
  | "tunnel-interface"
  | "tunnel-one-way"
  | "sequence-number-high"
  | "anti-replay-off"
  | "sa-ending"
  | "clear-path-beside-tunnel"
  | "guard-missing"
  | "tunnel-bgp-down"
  | "tunnel-unbalanced"
  | "outside-macsec"
  | "backup-carries"
  | "backup-preferred"
  | "backup-unproven"
  | "weak-policy"
  | "static-keys"
  | "static-keys-over"
  | "static-keys-unproven";

type OperationCode =
  | "not-configured"
  | "config-not-applied"
  | "drift"
  | "unmanaged"
  | "commit-pending"
  | "commit-lost"
  | "clock-skew"
  | "vault-unreachable"
  | "vault-denied"
  | "key-age"
  | "key-age-soon"
  | "key-unpaired"
  | "key-malformed"
  | "key-reused"
  | "key-expiring"
  | "identity-expiring"
  | "far-end-unreadable"
  | "far-end-refused"
  | "far-end-unfollowed"
  | "campaign-waiting"
  | "waiting-for-person"
  | "rotation-held"
  | "rotation-overdue"
  | "drained-by-hand"
  | "sibling-unhealthy"
  | "bgp-trouble"
  | "journal-lossy"
  | "state-unwritable"
  | "audit-lossy";

export type WarningCode = LinkCode | TunnelCode | OperationCode;

export type Severity = "info" | "warning" | "error";

export interface WarningRow {
  readonly title: string;
  readonly severity: Severity;
  /** Causes: while one of them holds for the same thing, this one is silent. */
  readonly dependsOn: readonly WarningCode[];
  /** How long it must last before anybody is told. */
  readonly visibleAfterMs: number;
  /** Frames are lost or in the clear while it holds. */
  readonly impactsTraffic: boolean;
  /** The next safe command; ABOUT and GROUP stand for what the warning is about. */
  readonly next: string;
}

type Rest = Partial<Pick<WarningRow, "dependsOn" | "visibleAfterMs" | "impactsTraffic">>;

const settleMs = 10_000;

function row(severity: Severity, title: string, next: string, rest: Rest = {}): WarningRow {
  return {
    severity,
    title,
    next,
    dependsOn: rest.dependsOn ?? [],
    visibleAfterMs: rest.visibleAfterMs ?? settleMs,
    impactsTraffic: rest.impactsTraffic ?? false,
  };
}

const link = "linkseal links ABOUT";
const tunnel = "linkseal tunnels ABOUT";
const show = "linkseal rotation show GROUP";
const keys = "linkseal keys check";

const traffic = { impactsTraffic: true } as const;
/** Clear traffic is told at once. */
const atOnce = { impactsTraffic: true, visibleAfterMs: 0 } as const;
const unseen = ["not-looked-yet", "device-unreachable"] as const;
const noSession = [...unseen, "link-down", "macsec-not-configured"] as const;
const mkaFaults = ["cak-mismatch", "ckn-mismatch", "mka-no-live-peer"] as const;
const frameFaults = [
  "sak-not-agreed",
  "sci-mismatch",
  "suite-mismatch",
  "stale-sak",
  "mtu",
] as const;
const noTunnel = [...unseen, "ike-down", "sa-missing", "tunnel-configured-but-absent"] as const;
const slow = { visibleAfterMs: 60_000 } as const;

export const warningRows: Readonly<Record<WarningCode, WarningRow>> = {
  "not-looked-yet": row("info", "Not read yet", "linkseal status", slow),
  "device-unreachable": row("error", "A device does not answer", "linkseal status", {
    visibleAfterMs: 15_000,
  }),
  "reading-stale": row("warning", "A reading is too old to use", "linkseal status", {
    dependsOn: unseen,
    visibleAfterMs: 15_000,
  }),
  "reading-missing": row("warning", "A device does not tell something", link, {
    dependsOn: unseen,
    visibleAfterMs: 15_000,
  }),
  "port-absent": row("error", "The device lists no such port", "linkseal plan", {
    dependsOn: unseen,
  }),
  "link-down": row("error", "The port has no link", link, { ...traffic, dependsOn: unseen }),
  "macsec-not-configured": row("warning", "The port has no MACsec", "linkseal enrol GROUP", {
    ...traffic,
    dependsOn: unseen,
  }),
  "policy-should-secure": row("error", "The port may send in the clear", "linkseal plan", {
    ...atOnce,
    dependsOn: unseen,
  }),
  "controlled-port-open": row("error", "The port is open without MACsec", link, {
    ...atOnce,
    dependsOn: noSession,
  }),
  "sak-not-agreed": row("error", "The two ends agree on no SAK", link, {
    ...traffic,
    dependsOn: [...noSession, ...mkaFaults],
  }),
  "offset-mismatch": row("warning", "Another confidentiality offset", "linkseal plan", {
    dependsOn: noSession,
  }),
  "suite-mismatch": row("error", "Another cipher suite", "linkseal plan", {
    ...traffic,
    dependsOn: noSession,
  }),
  "sci-mismatch": row("error", "The two ends disagree about the SCI", "linkseal plan", {
    ...traffic,
    dependsOn: noSession,
  }),
  "far-end-changed": row("error", "The far end was changed", show, { dependsOn: unseen }),
  "far-end-failed": row("warning", "A change at the far end failed", show, { dependsOn: unseen }),
  "cak-mismatch": row("error", "The two ends hold different CAKs", keys, {
    ...traffic,
    dependsOn: noSession,
  }),
  "ckn-mismatch": row("error", "The far end uses another CKN", keys, {
    ...traffic,
    dependsOn: noSession,
  }),
  "mka-no-live-peer": row("error", "The far end does not speak MKA", link, {
    ...traffic,
    dependsOn: [...noSession, "cak-mismatch", "ckn-mismatch"],
  }),
  "peer-not-responded": row("warning", "The far end has not installed the SAK", link, {
    dependsOn: [...noSession, ...mkaFaults],
  }),
  "second-peer": row("error", "More than one peer on a link of two", link, {
    visibleAfterMs: 0,
    dependsOn: noSession,
  }),
  "principal-key-unexpected": row("error", "Another key is in use", keys, {
    dependsOn: [...noSession, ...mkaFaults],
  }),
  "key-not-known": row("warning", "The key in use is not ours", "linkseal adopt GROUP", {
    dependsOn: [...noSession, ...mkaFaults],
  }),
  "fallback-not-ready": row("warning", "The fallback key does not work", keys, {
    dependsOn: [...noSession, ...mkaFaults],
    visibleAfterMs: 30_000,
  }),
  "sak-not-in-use": row("error", "The latest SAK is not in use", link, {
    dependsOn: [...noSession, ...mkaFaults],
  }),
  "sak-churn": row("error", "The session is renewed again and again", link, {
    ...traffic,
    dependsOn: noSession,
  }),
  "rekey-overdue": row("warning", "The SAK is not renewed in time", link, {
    dependsOn: [...noSession, ...mkaFaults],
  }),
  "packet-number-high": row("warning", "Packet numbers run out", link, { dependsOn: noSession }),
  "frames-untagged": row("error", "Frames in the clear", link, { ...atOnce, dependsOn: unseen }),
  "stale-sak": row("error", "The data plane uses another SAK than MKA says", link, {
    ...traffic,
    dependsOn: [...noSession, ...mkaFaults, "suite-mismatch"],
  }),
  "frames-not-valid": row("error", "Frames fail their integrity check", link, {
    ...traffic,
    dependsOn: [...noSession, "stale-sak", "suite-mismatch"],
  }),
  "replay-window": row("warning", "Frames arrive outside the replay window", link, {
    ...traffic,
    dependsOn: noSession,
  }),
  mtu: row("error", "Frames are too long once protected", link, {
    ...traffic,
    dependsOn: noSession,
  }),
  "frames-one-way": row("warning", "Frames move in one direction only", link, {
    ...traffic,
    dependsOn: [...noSession, ...mkaFaults, ...frameFaults],
  }),
  "probe-unanswered": row("error", "Probes are not answered", link, {
    ...traffic,
    dependsOn: [...noSession, ...mkaFaults, ...frameFaults],
  }),
  "counters-frozen": row("warning", "Counters stand still while traffic flows", link, {
    dependsOn: noSession,
  }),
  "counter-missing": row("warning", "A counter that proof needs is missing", link, {
    dependsOn: noSession,
  }),
  "collecting-evidence": row("info", "Not watched for long enough yet", link, slow),
  "idle-unproven": row("warning", "No traffic and no probe to prove it", link, slow),

  "tunnel-configured-but-absent": row("error", "A configured tunnel is absent", "linkseal plan", {
    ...traffic,
    dependsOn: unseen,
  }),
  "ike-down": row("error", "IKE is not established", tunnel, { ...traffic, dependsOn: unseen }),
  "sa-missing": row("error", "A tunnel lacks an SA", tunnel, {
    ...traffic,
    dependsOn: [...unseen, "ike-down", "tunnel-configured-but-absent"],
  }),
  "transform-mismatch": row("warning", "Other algorithms than wanted", "linkseal plan", {
    dependsOn: unseen,
  }),
  "tunnel-interface": row("error", "What a tunnel protects does not get into it", tunnel, {
    ...traffic,
    dependsOn: unseen,
  }),
  "tunnel-one-way": row("warning", "A tunnel carries in one direction only", tunnel, {
    ...traffic,
    dependsOn: [...unseen, "ike-down", "sa-missing", "tunnel-interface"],
  }),
  "sequence-number-high": row("warning", "Sequence numbers run out", tunnel, {
    dependsOn: unseen,
  }),
  "sa-ending": row("warning", "An SA is about to end without a successor", tunnel, {
    dependsOn: unseen,
  }),
  "anti-replay-off": row("warning", "A tunnel takes packets twice", tunnel, {
    dependsOn: unseen,
  }),
  "clear-path-beside-tunnel": row("error", "Protected prefixes go around the tunnel", tunnel, {
    ...atOnce,
    dependsOn: unseen,
  }),
  "guard-missing": row("warning", "Nothing blocks what a tunnel protects", tunnel, {
    dependsOn: unseen,
  }),
  "tunnel-bgp-down": row("error", "BGP inside of a tunnel is down", tunnel, {
    ...traffic,
    dependsOn: noTunnel,
  }),
  "tunnel-unbalanced": row("info", "A tunnel is all but left out of its bundle", tunnel, {
    dependsOn: [...unseen, "ike-down", "sa-missing", "tunnel-bgp-down"],
    visibleAfterMs: 60_000,
  }),
  "outside-macsec": row("warning", "A tunnel rides on an unprotected group", "linkseal links"),
  // A failover is told at once: from then on nothing stands behind what carries.
  "backup-carries": row("warning", "Traffic rides in a backup tunnel", "linkseal links", {
    dependsOn: unseen,
    visibleAfterMs: 0,
  }),
  "backup-preferred": row("warning", "A backup carries beside a link that would", tunnel, {
    dependsOn: unseen,
  }),
  "backup-unproven": row("warning", "Nothing proves a backup tunnel", tunnel, {
    dependsOn: [...noTunnel, "tunnel-bgp-down"],
  }),
  "weak-policy": row("warning", "A weak policy is no longer accepted", "linkseal plan"),
  "static-keys": row("info", "A tunnel has static keys", "linkseal explain static-keys"),
  "static-keys-over": row(
    "error",
    "The SAs of static keys are gone",
    "linkseal explain static-keys-over",
    { ...traffic, dependsOn: unseen },
  ),
  "static-keys-unproven": row("warning", "Nothing came by static keys so far", tunnel, {
    dependsOn: unseen,
    visibleAfterMs: 60_000,
  }),

  "not-configured": row("info", "No config has been accepted yet", "linkseal apply FILE", {
    visibleAfterMs: 0,
  }),
  "config-not-applied": row("warning", "The config file is not in force", "linkseal plan"),
  drift: row("warning", "A device differs from the accepted intent", "linkseal plan", {
    dependsOn: unseen,
    visibleAfterMs: 30_000,
  }),
  unmanaged: row("info", "Still there, but not in the intent", "linkseal status"),
  "commit-pending": row("warning", "A confirmed commit waits on a device", "linkseal plan", {
    dependsOn: unseen,
    visibleAfterMs: 60_000,
  }),
  "commit-lost": row("error", "A device lost an accepted change", show, { visibleAfterMs: 0 }),
  "clock-skew": row("warning", "The clock of a device is wrong", "linkseal status", {
    dependsOn: unseen,
  }),
  "vault-unreachable": row("warning", "The vault does not answer", keys, {
    visibleAfterMs: 60_000,
  }),
  "vault-denied": row("error", "The vault refuses us", keys, { visibleAfterMs: 0 }),
  "key-age": row("warning", "A key is older than it should be", "linkseal keys list"),
  "key-age-soon": row("info", "A key gets too old soon", "linkseal keys list"),
  "key-unpaired": row("warning", "CAK and CKN are not proven to be a pair", keys),
  "key-malformed": row("error", "A key has the wrong form", keys),
  "key-reused": row("error", "One CKN with two CAKs", keys),
  "key-expiring": row("warning", "A secret expires soon", keys),
  "identity-expiring": row("warning", "The certificate of our identity ends", "linkseal doctor"),
  "far-end-unreadable": row("warning", "The far end cannot be read", "linkseal status", {
    visibleAfterMs: 60_000,
  }),
  "far-end-refused": row("warning", "The far end does not take a change", show),
  "far-end-unfollowed": row("warning", "Azure does not show its operations to us", show),
  "campaign-waiting": row("info", "A campaign waits for permission", show, slow),
  "waiting-for-person": row("warning", "A campaign waits for a person", show, {
    visibleAfterMs: 0,
  }),
  "rotation-held": row("error", "A campaign is held", show, { visibleAfterMs: 0 }),
  "rotation-overdue": row("warning", "A campaign has waited for too long", show, {
    visibleAfterMs: 0,
  }),
  "drained-by-hand": row("warning", "A link was drained by hand", "linkseal undrain ABOUT", {
    visibleAfterMs: 0,
  }),
  "sibling-unhealthy": row("warning", "The sibling link does not carry", show, {
    dependsOn: unseen,
  }),
  "bgp-trouble": row("warning", "A BGP session over the link is not as it should be", link, {
    dependsOn: ["link-down", "device-unreachable"],
  }),
  "journal-lossy": row("error", "The journal cannot be trusted", "linkseal journal", {
    visibleAfterMs: 0,
  }),
  // Told before anything else: until it ends nothing that was begun is brought to its end.
  "state-unwritable": row("error", "The state folder cannot be written", "linkseal status", {
    visibleAfterMs: 0,
  }),
  "audit-lossy": row("warning", "The audit log takes no records", "linkseal report"),
};

/** The next safe command for a code about a link (`group/link`), group, tunnel or device. */
export function nextFor(code: WarningCode, about: string): string {
  const group = about.split("/")[0] ?? about;
  return warningRows[code].next.replace("ABOUT", about).replace("GROUP", group);
}

export function isWarningCode(value: string): value is WarningCode {
  return Object.hasOwn(warningRows, value);
}
