// Settings that let data pass a port in the clear, each reported by name.

import { describe, expect, it } from "vitest";
import {
  type FailOpen,
  failOpenWays,
  type KeyAgreement,
  known,
  type Reading,
  unknown,
} from "#hal/model.ts";
import {
  always,
  at,
  type Bend,
  fine,
  type HealthRow,
  judged,
  over,
  reasonsOf,
  verdictOf,
} from "../health-evidence.ts";

const now = at(95_000);
const open = (failOpen: Reading<readonly FailOpen[]>, more: Bend = {}) =>
  over(always({ port: { failOpen } }), () => more);
const words: Record<FailOpen, string> = {
  validateNotStrict: "HERE takes frames that are not protected (validate is not strict)",
  protectOff: "HERE sends frames without protection (protect is off)",
  encryptOff: "HERE sends frames that are readable on the wire (encrypt is off)",
  addressOnUncontrolledPort: "HERE has an address below its SecY, whose frames leave in the clear",
  routeOnUncontrolledPort: "HERE has a route below its SecY, whose frames leave in the clear",
};
const bare = "HERE is set to should-secure, so it sends in the clear when MKA fails";
const unprotected = ["unprotected", "policy-should-secure"] as const;
const unseen = ["unknown", "reading-missing"] as const;
const shouldSecure = { settings: { policy: "shouldSecure" } } as const;

describe("a port that is open", () => {
  it.each(failOpenWays)(
    "a port that is open by %s is unprotected, whatever its policy is called",
    (way) => {
      const course = open(known([way], now));
      expect(verdictOf(course)).toEqual(unprotected);
      expect(reasonsOf(course)).toEqual([words[way]]);
      expect(reasonsOf(open(known([way], now), shouldSecure))).toEqual([words[way]]);
    },
  );

  it("a port that is open in several ways names each", () => {
    expect(reasonsOf(open(known(["protectOff", "routeOnUncontrolledPort"], now)))).toEqual([
      `${words.protectOff}, and ${words.routeOnUncontrolledPort.replace("HERE ", "")}`,
    ]);
  });

  it("an open port is reported even if its settings are unknown", () => {
    const port = {
      failOpen: known(["encryptOff"] as const, now),
      settings: unknown("queryFailed", now),
    };
    expect(reasonsOf(always({ port }))).toContain(words.encryptOff);
    expect(verdictOf(always({ port }))[0]).toBe("unprotected");
  });

  it("an open port without any MACsec is reported as that alone", () => {
    const [verdict, codes] = verdictOf(open(known(["encryptOff"], now), { settings: "none" }));
    expect([verdict, codes.includes("policy-should-secure")]).toEqual(["unprotected", false]);
  });
});

describe("the SAs of a SecY", () => {
  const held = (keyAgreement: Reading<KeyAgreement>) => always({ port: { keyAgreement } });

  it.each<[KeyAgreement, string]>([
    ["different", "HERE sends under another SAK than those it takes frames under"],
    ["oneWay", "HERE has a SAK in one direction only"],
    ["none", "HERE has no SAK, so that no frame passes its SecY"],
  ])("SAs of a SecY that are %s are reported, whatever the session reports", (agreement, text) => {
    expect(verdictOf(held(known(agreement, now)))).toEqual(["down", "sak-not-agreed"]);
    expect(reasonsOf(held(known(agreement, now)))).toEqual([text]);
  });

  it("SAs of a SecY that are the same both ways give no finding", () => {
    expect(reasonsOf(held(known("same", now)))).toEqual([]);
  });

  it.each([
    ["not known", unknown("queryFailed", now)],
    ["known from long ago", known("none" as const, at(1_000))],
  ])("SAs of a SecY that are %s leave the link unknown", (_name, reading) => {
    expect(reasonsOf(held(reading))).toEqual([
      "nothing shows of HERE that both directions of its SecY use one SAK",
    ]);
  });
});

describe("a port that is not known to be closed", () => {
  const weak: Reading<readonly FailOpen[]> = {
    kind: "known",
    value: ["protectOff"],
    at: now,
    weak: true,
  };
  const rows: readonly HealthRow[] = [
    ["there is no way", open(known([], now)), {}, ...fine],
    ["it was not reported", open(unknown("queryFailed", now)), {}, ...unseen],
    ["it was reported too long ago", open(known([], at(60_000))), {}, ...unseen],
    ["it is weak", open(weak), {}, ...unseen],
  ];
  judged("a port that is not known to be closed:", rows);

  it.each([
    ["no way", known([], now)],
    ["an unknown way", unknown("unparsed", now)],
    ["a stale way", known(["protectOff"] as const, at(60_000))],
  ] as const)("a should-secure port keeps its own sentence beside %s", (_name, failOpen) => {
    const course = open(failOpen as Reading<readonly FailOpen[]>, shouldSecure);
    expect(verdictOf(course)).toEqual(unprotected);
    expect(reasonsOf(course)).toEqual([bare]);
  });
});
