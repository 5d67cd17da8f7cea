// The verdict of each fault of a link.

import { describe, expect, it } from "vitest";
import type { LinkEvidence, Verdict } from "#agent/model/health.ts";
import { known, type MkpduCounters } from "#hal/model.ts";
import {
  always,
  at,
  blocked,
  type Course,
  dead,
  grows,
  idle,
  instead,
  key,
  moving,
  otherKey,
  over,
  peer,
  verdictOf,
} from "../health-evidence.ts";

const noPeer = (mkpdus: (index: number) => Partial<MkpduCounters>): Course =>
  over(
    () => blocked,
    (index) => ({ mkpdus: mkpdus(index) }),
  );

type Row = {
  readonly name: string;
  readonly course: Course;
  readonly change: Partial<LinkEvidence>;
  readonly verdict: Verdict;
  readonly codes: string;
};

const faults: readonly Row[] = [
  { name: "healthy", course: moving, change: {}, verdict: "protected", codes: "" },
  {
    name: "healthy, far end seen",
    course: moving,
    change: peer({}),
    verdict: "protected",
    codes: "",
  },
  {
    name: "same CKN, other CAK",
    course: noPeer((index) => ({ received: BigInt(index * 2), icvFailed: BigInt(index * 2) })),
    change: {},
    verdict: "down",
    codes: "cak-mismatch",
  },
  {
    name: "other CKN",
    course: noPeer((index) => ({ received: BigInt(index * 2), unknownCkn: BigInt(index * 2) })),
    change: {},
    verdict: "down",
    codes: "ckn-mismatch",
  },
  {
    name: "no key on the router",
    course: (index) => ({
      ...noPeer(() => ({ received: 100n, unknownCkn: BigInt(index * 2) }))(index),
      port: { keys: known([], at(index * 5000)) },
    }),
    change: {},
    verdict: "down",
    codes: "key-gone",
  },
  {
    name: "peer silent",
    course: noPeer(() => ({ received: 100n })),
    change: {},
    verdict: "down",
    codes: "mka-no-live-peer",
  },
  {
    name: "secured without a peer",
    course: always({ session: { ...dead, controlledPort: "secured" } }),
    change: {},
    verdict: "down",
    codes: "mka-no-live-peer",
  },
  {
    name: "live peer, port closed",
    course: always({ session: { controlledPort: "blocked" } }),
    change: {},
    verdict: "down",
    codes: "sak-not-agreed",
  },
  {
    name: "peer that takes no SAK of ours",
    course: over(instead("rxNotUsingSa"), () => ({ session: { respondedPeers: 0 } })),
    change: {},
    verdict: "down",
    codes: "sak-not-agreed",
  },
  {
    name: "foreign key while the far end is updating",
    course: moving,
    change: peer({
      pointsAt: { cakSecretId: "a/b/c", cknSecretId: "a/b/d" },
      provisioning: "updating",
    }),
    verdict: "degraded",
    codes: "far-end-changed",
  },
  {
    name: "far end updating to the campaign's key",
    course: moving,
    change: { ...peer({ pointsAt: otherKey, provisioning: "updating" }), next: otherKey },
    verdict: "protected",
    codes: "",
  },
  {
    name: "peer without the SAK",
    course: always({ session: { respondedPeers: 0 } }),
    change: {},
    verdict: "degraded",
    codes: "peer-not-responded",
  },
  {
    name: "second peer",
    course: always({ session: { livePeers: 2, respondedPeers: 2 } }),
    change: {},
    verdict: "unprotected",
    codes: "second-peer",
  },
  {
    name: "other principal",
    course: always({ session: { principalCkn: otherKey.ckn } }),
    change: {},
    verdict: "degraded",
    codes: "principal-key-unexpected",
  },
  {
    name: "principal of the campaign",
    course: always({ session: { principalCkn: otherKey.ckn } }),
    change: { next: otherKey },
    verdict: "protected",
    codes: "",
  },
  {
    name: "unmanaged key",
    course: moving,
    change: { expected: undefined },
    verdict: "degraded",
    codes: "key-not-known",
  },
  {
    name: "weaker live suite",
    course: always({ port: { liveSuite: known("gcm-aes-128", at(95_000)) } }),
    change: {},
    verdict: "degraded",
    codes: "suite-mismatch",
  },
  {
    name: "far end's suite",
    course: moving,
    change: peer({ suite: "gcm-aes-256" }),
    verdict: "degraded",
    codes: "suite-mismatch",
  },
  {
    name: "suite and lost frames",
    course: instead("rxNotValid"),
    change: peer({ suite: "gcm-aes-256" }),
    verdict: "down",
    codes: "suite-mismatch frames-not-valid",
  },
  {
    name: "far end's SCI",
    course: moving,
    change: peer({ sci: "off" }),
    verdict: "degraded",
    codes: "sci-mismatch",
  },
  {
    name: "no SCI arrives",
    course: instead("rxNoSci"),
    change: {},
    verdict: "down",
    codes: "sci-mismatch",
  },
  {
    name: "unknown SCI",
    course: instead("rxUnknownSci"),
    change: {},
    verdict: "down",
    codes: "sci-mismatch",
  },
  {
    name: "bad tag",
    course: instead("rxBadTag"),
    change: {},
    verdict: "down",
    codes: "sci-mismatch",
  },
  {
    name: "some bad tags",
    course: over(moving, grows("rxBadTag")),
    change: {},
    verdict: "degraded",
    codes: "sci-mismatch",
  },
  {
    name: "other SAK in hardware",
    course: instead("rxNotValid"),
    change: {},
    verdict: "down",
    codes: "stale-sak",
  },
  {
    name: "other SA in hardware",
    course: instead("rxUnusedSa"),
    change: {},
    verdict: "down",
    codes: "stale-sak",
  },
  {
    name: "unused SA for long",
    course: over(moving, grows("rxNotUsingSa")),
    change: {},
    verdict: "degraded",
    codes: "stale-sak",
  },
  {
    name: "unused SA while a rekey overlaps",
    course: over(moving, (index) => ({ frames: { rxUnusedSa: index > 9 ? 40n : 0n } })),
    change: {},
    verdict: "protected",
    codes: "",
  },
  {
    name: "some frames not valid",
    course: over(moving, grows("rxNotValid")),
    change: {},
    verdict: "degraded",
    codes: "frames-not-valid",
  },
  {
    name: "late frames",
    course: over(moving, grows("rxLate")),
    change: {},
    verdict: "degraded",
    codes: "replay-window",
  },
  {
    name: "too long, some pass",
    course: over(moving, grows("txTooLong")),
    change: {},
    verdict: "degraded",
    codes: "mtu",
  },
  {
    name: "too long, none passes",
    course: over(moving, (index) => ({
      frames: { txProtected: 1000n, txTooLong: BigInt(index * 40) },
    })),
    change: {},
    verdict: "down",
    codes: "mtu",
  },
  {
    name: "clear frames arrive",
    course: over(moving, grows("rxClear")),
    change: {},
    verdict: "unprotected",
    codes: "frames-untagged",
  },
  {
    name: "clear frames leave",
    course: over(moving, grows("txClear")),
    change: {},
    verdict: "unprotected",
    codes: "frames-untagged",
  },
  {
    name: "should-secure, still working",
    course: always({ settings: { policy: "shouldSecure" } }),
    change: {},
    verdict: "unprotected",
    codes: "policy-should-secure",
  },
  {
    name: "should-secure and MKA down",
    course: over(
      () => ({
        settings: { policy: "shouldSecure" },
        session: { ...dead, controlledPort: "unprotected" },
      }),
      grows("txClear"),
    ),
    change: {},
    verdict: "unprotected",
    codes: "policy-should-secure controlled-port-open mka-no-live-peer frames-untagged",
  },
  {
    name: "offset",
    course: always({ settings: { confidentialityOffset: 30 } }),
    change: {},
    verdict: "degraded",
    codes: "offset-mismatch",
  },
  {
    name: "no MACsec",
    course: always({ settings: "none" }),
    change: {},
    verdict: "unprotected",
    codes: "key-gone",
  },
  {
    name: "fibre cut",
    course: always({ linkUp: false }),
    change: {},
    verdict: "down",
    codes: "link-down",
  },
  {
    name: "far end off",
    course: moving,
    change: peer({ pointsAt: undefined }),
    verdict: "degraded",
    codes: "far-end-changed",
  },
  {
    name: "far end at another key",
    course: moving,
    change: peer({ pointsAt: otherKey }),
    verdict: "degraded",
    codes: "far-end-changed",
  },
  {
    name: "far end at the campaign's key",
    course: moving,
    change: { ...peer({ pointsAt: otherKey }), next: otherKey },
    verdict: "protected",
    codes: "",
  },
  {
    name: "far end updating, nothing else known",
    course: moving,
    change: peer({ suite: undefined, pointsAt: undefined, provisioning: "updating" }),
    verdict: "protected",
    codes: "",
  },
  {
    name: "far end failed",
    course: moving,
    change: peer({ provisioning: "failed" }),
    verdict: "degraded",
    codes: "far-end-failed",
  },
  {
    name: "SAK not used",
    course: always({
      session: { latestSak: { an: 1, keyId: "aabb/2", receive: true, transmit: false } },
    }),
    change: {},
    verdict: "degraded",
    codes: "sak-not-in-use",
  },
  {
    name: "SAK churn",
    course: over(moving, (index) => ({
      session: {
        latestSak: { an: index % 4, keyId: `aabb/${index}`, receive: true, transmit: true },
      },
    })),
    change: {},
    verdict: "degraded",
    codes: "sak-churn",
  },
  {
    name: "packet numbers",
    course: always({ frames: { nextPn: 3n * 2n ** 62n } }),
    change: {},
    verdict: "degraded",
    codes: "packet-number-high",
  },
  {
    name: "fallback without an actor",
    course: always({
      port: {
        keys: known(
          [
            { ckn: key.ckn, role: "primary" },
            { ckn: otherKey.ckn, role: "fallback" },
          ],
          at(95_000),
        ),
      },
    }),
    change: {},
    verdict: "degraded",
    codes: "fallback-not-ready",
  },
  {
    name: "rekey overdue",
    course: always({ session: { keyServer: "self" } }),
    change: { sakSince: at(-60_000_000) },
    verdict: "degraded",
    codes: "rekey-overdue",
  },
  { name: "idle, no probe", course: idle, change: {}, verdict: "unknown", codes: "idle-unproven" },
  {
    name: "idle, probe answered",
    course: idle,
    change: { probe: { at: at(95_500), sent: 5, answered: 5 } },
    verdict: "protected",
    codes: "",
  },
  {
    name: "idle, old probe",
    course: idle,
    change: { probe: { at: at(1000), sent: 5, answered: 5 } },
    verdict: "unknown",
    codes: "idle-unproven",
  },
  {
    name: "idle, probe lost",
    course: idle,
    change: { probe: { at: at(95_500), sent: 5, answered: 0 } },
    verdict: "down",
    codes: "probe-unanswered",
  },
  {
    name: "frozen beside a probe",
    course: idle,
    change: { probe: { at: at(80_500), sent: 5, answered: 5 } },
    verdict: "unknown",
    codes: "counters-frozen",
  },
  {
    name: "frozen on a busy port",
    course: over(idle, () => ({ pps: 1000 })),
    change: {},
    verdict: "unknown",
    codes: "counters-frozen",
  },
  {
    name: "one way",
    course: over(moving, () => ({ frames: { rxOk: 1000n } })),
    change: {},
    verdict: "degraded",
    codes: "frames-one-way",
  },
  {
    name: "counter not there",
    course: always({ frames: { rxClear: undefined } }),
    change: {},
    verdict: "degraded",
    codes: "counter-missing",
  },
];

describe("health of a link", () => {
  it.each(faults)(
    "the health of a link with a simulated fault: $name",
    ({ course, change, verdict, codes }) => {
      expect(verdictOf(course, change)).toEqual([verdict, codes]);
    },
  );

  it("every fault of the demonstration has its own code", () => {
    const firsts = [
      "same CKN, other CAK",
      "other CKN",
      "far end's suite",
      "no SCI arrives",
      "peer silent",
    ];
    firsts.push("should-secure, still working", "other SAK in hardware", "too long, none passes");
    firsts.push("far end at another key");
    const codes = faults.filter((row) => firsts.includes(row.name)).map((row) => row.codes);
    expect(codes.length).toBe(firsts.length);
    expect(new Set(codes).size).toBe(firsts.length);
  });
});
