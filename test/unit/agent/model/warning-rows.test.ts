// What a person sees of each code: how loud, how soon, and which causes silence it.

import { describe, expect, it } from "vitest";
import { type WarningCode, type WarningRow, warningRows } from "#agent/model/warning-rows.ts";

function codesWith(is: (row: WarningRow) => boolean): readonly string[] {
  return Object.entries(warningRows).flatMap(([code, row]) => (is(row) ? [code] : []));
}

const words = (text: string): readonly string[] => text.trim().split(/\s+/);

describe("a warning", () => {
  it.each([
    [
      "info",
      `not-looked-yet collecting-evidence arrival-not-visible not-configured tunnel-unbalanced
       key-age-soon campaign-waiting`,
    ],
    [
      "error",
      `device-unreachable port-absent link-down macsec-not-configured policy-should-secure
       controlled-port-open sak-not-agreed suite-mismatch sci-mismatch far-end-changed state-older
       key-gone cak-mismatch ckn-mismatch
       mka-no-live-peer second-peer principal-key-unexpected sak-not-in-use sak-churn
       frames-untagged frames-readable stale-sak frames-not-valid mtu probe-unanswered
       tunnel-configured-but-absent tunnel-underlay ike-down sa-missing tunnel-interface
       clear-path-beside-tunnel
       tunnel-bgp-down compromised-key-in-use commit-lost vault-denied key-malformed key-reused
       rotation-held journal-lossy state-unwritable`,
    ],
  ] as const)("the severity of exactly these warnings is %s", (severity, codes) => {
    expect(codesWith((row) => row.severity === severity)).toEqual(words(codes));
    const known = codesWith((row) => ["info", "warning", "error"].includes(row.severity));
    expect(known).toEqual(Object.keys(warningRows));
  });

  it.each([
    [
      0,
      `policy-should-secure controlled-port-open second-peer frames-untagged frames-readable
       clear-path-beside-tunnel compromised-key-in-use not-configured backup-carries commit-lost
       reload-took-back vault-denied far-end-lost-update waiting-for-person rotation-held
       rotation-overdue rotation-unfinished drained-by-hand
       journal-lossy journal-growing state-unwritable agent-overloaded`,
    ],
    [15_000, "device-unreachable reading-stale reading-missing"],
    [30_000, "fallback-not-ready drift drain-not-in-force"],
    [
      60_000,
      `not-looked-yet collecting-evidence idle-unproven arrival-not-visible
       tunnel-unbalanced commit-unsaved vault-unreachable far-end-unreadable
       rights-unknown
       campaign-waiting`,
    ],
  ])("exactly these warnings are reported after %i ms", (ms, codes) => {
    expect(codesWith((row) => row.visibleAfterMs === ms)).toEqual(words(codes));
    const known = codesWith((row) =>
      [0, 10_000, 15_000, 30_000, 60_000].includes(row.visibleAfterMs),
    );
    expect(known).toEqual(Object.keys(warningRows));
  });

  it("exactly these warnings say that frames are lost or in the clear", () => {
    const codes = `link-down macsec-not-configured policy-should-secure controlled-port-open
      sak-not-agreed suite-mismatch sci-mismatch key-gone cak-mismatch ckn-mismatch mka-no-live-peer
      sak-churn frames-untagged frames-readable stale-sak frames-not-valid replay-window mtu
      frames-one-way
      probe-unanswered tunnel-configured-but-absent tunnel-underlay ike-down sa-missing
      tunnel-interface
      tunnel-one-way clear-path-beside-tunnel tunnel-bgp-down`;
    expect(codesWith((row) => row.impactsTraffic)).toEqual(words(codes));
  });

  const unseen = "not-looked-yet device-unreachable";
  const noWay = `${unseen} tunnel-underlay`;
  const noSession = `${unseen} link-down macsec-not-configured`;
  const noKey = `${noSession} key-gone cak-mismatch ckn-mismatch`;
  const noPeer = `${noKey} mka-no-live-peer`;
  const lost = `${noPeer} sak-not-agreed sci-mismatch suite-mismatch stale-sak mtu`;
  const causes: readonly (readonly [string, string])[] = [
    [
      unseen,
      `reading-missing port-absent link-down macsec-not-configured
       policy-should-secure far-end-changed state-older far-end-failed frames-untagged
       frames-readable
       tunnel-configured-but-absent tunnel-underlay transform-mismatch ppk-unused tunnel-interface
       sequence-number-high sa-ending anti-replay-off clear-path-beside-tunnel guard-missing
       sibling-unhealthy guard-left
       backup-carries backup-preferred
       commit-unsaved clock-skew drain-not-in-force`,
    ],
    [
      noSession,
      `controlled-port-open offset-mismatch suite-mismatch sci-mismatch key-gone cak-mismatch
       ckn-mismatch second-peer sak-churn packet-number-high replay-window mtu counters-frozen
       counter-missing`,
    ],
    [noKey, "mka-no-live-peer"],
    [
      noPeer,
      `sak-not-agreed peer-not-responded principal-key-unexpected key-not-known
       fallback-not-ready sak-not-in-use rekey-overdue`,
    ],
    [`${noPeer} suite-mismatch`, "stale-sak"],
    [`${noSession} stale-sak suite-mismatch`, "frames-not-valid"],
    [lost, "frames-one-way probe-unanswered"],
    [
      `${lost} tunnel-underlay ike-down sa-missing tunnel-one-way tunnel-bgp-down`,
      "arrival-not-proven",
    ],
    [noWay, "ike-down"],
    [`${noWay} ike-down tunnel-configured-but-absent`, "sa-missing"],
    [`${noWay} ike-down sa-missing tunnel-interface`, "tunnel-one-way"],
    [
      `${noWay} ike-down sa-missing tunnel-configured-but-absent tunnel-bgp-down`,
      "backup-unproven",
    ],
    [`${noWay} ike-down sa-missing tunnel-configured-but-absent`, "tunnel-bgp-down"],
    [`${noWay} ike-down sa-missing tunnel-bgp-down`, "tunnel-unbalanced"],
    [
      `${unseen} link-down key-gone cak-mismatch ckn-mismatch mka-no-live-peer sak-not-agreed`,
      "bgp-trouble",
    ],
    [`${unseen} agent-overloaded`, "reading-stale"],
    ["drain-not-in-force", "drained-by-hand"],
    [`${unseen} state-older`, "drift"],
    ["compromised-key-in-use", "rotation-unfinished"],
  ];
  it.each(causes)("exactly these warnings are silent while one of %s holds", (silencers, codes) => {
    const silent = codesWith((row) => row.dependsOn.join(" ") === silencers);
    expect(silent).toEqual(words(codes));
  });

  it("a warning that no row of these names depends on no other", () => {
    const caused = causes.flatMap(([, codes]) => words(codes));
    const free = Object.keys(warningRows).filter((code) => !caused.includes(code));
    expect(free.flatMap((code) => warningRows[code as WarningCode].dependsOn)).toEqual([]);
  });
});
