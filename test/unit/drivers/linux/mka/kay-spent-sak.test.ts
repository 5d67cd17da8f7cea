import { describe, expect, it } from "vitest";
import { caOf } from "../../../kit/kay-kit.ts";
import { member, Puppet } from "./kay-puppet.ts";
import { Subject } from "./kay-subject.ts";

const ca = caOf("spent");

// A packet number is for one frame under a SAK, or GCM protects nothing (NIST SP 800-38D, 8).
// SAKs that were taken were known to the process that took them, and not to its successor.
describe("a successor takes no SAK that its predecessor took", () => {
  it("after a silence in which the key server was forgotten", () => {
    const { subject, server } = member(ca);
    subject.restart();
    server.answer(server.use(1, 0, "transmit"));
    subject.pass(7000);
    expect(subject.observed.session.livePeers).toBe(0);
    for (const kn of [1, 0]) server.answer({ distributedSak: server.sak(kn, 0) });
    expect(subject.observed.session).toMatchObject({ livePeers: 1, controlledPort: "blocked" });
    expect(subject.secy.used).toHaveLength(1);
    server.answer({ distributedSak: server.sak(2, 0) });
    expect(subject.secy.used).toHaveLength(2);
  });

  it("after it was given up, and the process killed", () => {
    const { subject, server } = member(ca);
    subject.pass(7000);
    subject.restart();
    server.answer({ distributedSak: server.sak(1, 0) });
    server.answer({ distributedSak: server.sak(1, 0) });
    expect(subject.observed.session).toMatchObject({ livePeers: 1, controlledPort: "blocked" });
    expect(subject.secy.used).toHaveLength(1);
    server.answer({ distributedSak: server.sak(2, 0) });
    expect(subject.secy.used).toHaveLength(2);
  });

  it("after another program took its transmit SA", () => {
    const { subject, server } = member(ca);
    server.answer({ distributedSak: server.sak(2, 1) });
    server.answer(server.use(2, 1, "transmit"));
    expect(subject.secy.encodingAn).toBe(1);
    subject.secy.transmit.delete(1);
    subject.restart();
    server.answer({ distributedSak: server.sak(2, 1) });
    server.answer({ distributedSak: server.sak(2, 1) });
    expect(new Set(subject.secy.used).size).toBe(subject.secy.used.length);
    server.answer({ distributedSak: server.sak(3, 2) });
    expect(subject.secy.used).toHaveLength(3);
  });

  it("but a lower key number of a key server that began anew", () => {
    const subject = new Subject(ca, { keyServerPriority: 64 });
    const server = new Puppet(subject);
    server.sendMkpdu();
    server.answer({ distributedSak: server.sak(7, 0) });
    subject.restart();
    const other = new Puppet(subject, server.sci, "0e".repeat(12));
    other.sendMkpdu();
    other.answer({ distributedSak: other.sak(1, 1) });
    expect(subject.all("sakTaken")).toHaveLength(2);
  });
});
