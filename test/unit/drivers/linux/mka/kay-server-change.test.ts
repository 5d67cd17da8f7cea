// A change of the CAK where the subject is the key server, opposite stations whose every MKPDU the
// test writes.

import { describe, expect, it } from "vitest";
import { caOf } from "../../../kit/kay-kit.ts";
import { keysOf, type TestCa } from "../../../kit/kay-recorded.ts";
import { sciB, sciC } from "../../../kit/kay-station.ts";
import type { Rest } from "../../../kit/kay-writer.ts";
import { Puppet } from "./kay-puppet.ts";
import { Subject } from "./kay-subject.ts";

const old = caOf("old");
const next = caOf("next");

function memberIn(subject: Subject, ca: TestCa, mi: string, sci = sciB): Puppet {
  const puppet = new Puppet(subject, sci, mi, ca);
  puppet.priority = 32;
  puppet.keyServer = false;
  return puppet;
}

/** The report of a member on the SAK that the subject made last. */
function report(puppet: Puppet, how: "receive" | "transmit"): Rest {
  const made = puppet.subject.all("sakMade").at(-1);
  const [mi = "", kn] = made?.keyId.split("/") ?? [];
  return puppet.use(Number(kn), made?.an ?? 0, how, 1, mi);
}

/** A subject that is the key server and holds both CAKs, and a member that has the old one. */
function protectedByOld(): { subject: Subject; member: Puppet } {
  const subject = new Subject(old);
  const member = memberIn(subject, old, "0a".repeat(12));
  member.sendMkpdu();
  member.answer();
  member.answer(report(member, "receive"));
  member.answer(report(member, "transmit"));
  const keys = keysOf(next);
  const add = { kind: "addActor", ckn: next.ckn, keys, role: "fallback" } as const;
  subject.take(subject.kay.command(add, subject.now));
  for (let second = 0; second < 5; second += 1) {
    subject.pass(1000);
    member.answer(report(member, "transmit"));
  }
  expect(subject.observed.session).toMatchObject({
    controlledPort: "secured",
    principalCkn: old.ckn,
    respondedPeers: 1,
  });
  expect(subject.secy.encodingAn).toBe(0);
  return { subject, member };
}

const made = (subject: Subject): string[] => subject.all("sakMade").map(({ ckn }) => ckn);

describe("a far end that restarts with the next CAK alone, and we are the key server", () => {
  it("its SAK comes at once, and frames leave under it once the peer receives", () => {
    const { subject } = protectedByOld();
    subject.pass(500);
    const after = memberIn(subject, next, "0b".repeat(12));
    after.sendMkpdu();
    subject.pass(100);
    after.answer();
    subject.pass(100);
    expect(made(subject)).toEqual([old.ckn, next.ckn]);
    expect(subject.lastIn(next).distributedSak).toMatchObject({ kind: "wrapped", an: 1 });
    // A late peer: until it reports to receive, nothing leaves under a SAK that it may not have.
    for (let second = 0; second < 5; second += 1) {
      subject.pass(1000);
      after.answer();
      expect(subject.secy.encodingAn).toBe(0);
      expect(subject.observed.session.principalCkn).toBe(next.ckn);
    }
    after.answer(report(after, "receive"));
    expect(subject.secy.encodingAn).toBe(1);
    for (let second = 0; second < 10; second += 1) {
      after.answer(report(after, "transmit"));
      subject.pass(1000);
    }
    expect(made(subject)).toEqual([old.ckn, next.ckn]);
    expect(subject.observed.session).toMatchObject({ controlledPort: "secured", livePeers: 1 });
  });

  it("a station that stays in the old CA keeps the SAK there", () => {
    const { subject, member } = protectedByOld();
    const third = memberIn(subject, old, "0c".repeat(12), sciC);
    third.sendMkpdu();
    third.answer();
    for (const one of [member, third]) one.answer(report(one, "transmit"));
    subject.pass(500);
    const after = memberIn(subject, next, "0b".repeat(12));
    after.sendMkpdu();
    for (let second = 0; second < 20; second += 1) {
      subject.pass(1000);
      after.answer();
      third.answer(report(third, "transmit"));
      expect(subject.observed.session.principalCkn).toBe(old.ckn);
    }
    expect(made(subject)).not.toContain(next.ckn);
  });
});

describe("a far end with both CAKs, and we are the key server", () => {
  const unused: Rest = {
    sakUse: {
      kind: "used",
      latest: undefined,
      old: undefined,
      plainTransmit: false,
      plainReceive: false,
      delayProtect: false,
    },
  };

  it.each([
    { marks: "that no SAK of it is in use", rest: unused, most: 1 },
    { marks: "nothing", rest: {}, most: 3 },
  ])("the other CA marks $marks: at most $most SAKs, and no frame is lost", ({ rest, most }) => {
    const { subject, member } = protectedByOld();
    const used = report(member, "transmit");
    const standby = memberIn(subject, next, "0b".repeat(12));
    subject.pass(500);
    standby.sendMkpdu(rest);
    for (let second = 0; second < 30; second += 1) {
      subject.pass(500);
      standby.answer(rest);
      subject.pass(500);
      member.answer(used);
      expect(subject.secy.encodingAn).toBe(0);
      expect(subject.observed.session).toMatchObject({
        controlledPort: "secured",
        principalCkn: old.ckn,
      });
    }
    expect(made(subject).length).toBeLessThanOrEqual(most);
  });
});
