import { describe, expect, it } from "vitest";
import { troubleText } from "#drivers/linux/mka/trouble-text.ts";
import { caOf } from "../../../kit/kay-kit.ts";
import { sciB } from "../../../kit/kay-station.ts";
import type { Rest } from "../../../kit/kay-writer.ts";
import { member, Puppet } from "./kay-puppet.ts";
import { Subject } from "./kay-subject.ts";

const ca = caOf("troubles");

/** Lets time pass, with a hello of the server in each second. */
function passSeconds(subject: Subject, server: Puppet, seconds: number, rest: Rest = {}): void {
  for (let second = 0; second < seconds; second += 1) {
    subject.pass(1000);
    server.answer(rest);
  }
}

const troubles = (subject: Subject): string[] =>
  subject.observed.troubles.map((trouble) => troubleText(trouble).text);

describe("a key server that keeps the port waiting", () => {
  it("a key server that distributes no SAK is reported after a life time", () => {
    const subject = new Subject(ca, { keyServerPriority: 64 });
    const server = new Puppet(subject);
    server.sendMkpdu();
    server.answer();
    passSeconds(subject, server, 5);
    expect(troubles(subject)).toEqual([]);
    passSeconds(subject, server, 25);
    expect(subject.observed.session).toMatchObject({ livePeers: 1, controlledPort: "blocked" });
    expect(troubles(subject)).toEqual([
      `${sciB} is the key server, and has distributed no SAK for 6 s`,
    ]);
    server.answer({ distributedSak: server.sak(1, 0) });
    expect(troubles(subject)).toEqual([]);
  });

  it("a key server that does not transmit under its first SAK is reported after a hello", () => {
    const subject = new Subject(ca, { keyServerPriority: 64 });
    const server = new Puppet(subject);
    server.sendMkpdu();
    server.answer({ distributedSak: server.sak(1, 0) });
    passSeconds(subject, server, 2, server.use(1, 0, "receive"));
    expect(troubles(subject)).toEqual([]);
    passSeconds(subject, server, 1, server.use(1, 0, "receive"));
    expect(troubles(subject)).toEqual([
      `${sciB} is the key server, and does not transmit under its new SAK yet`,
    ]);
    server.answer(server.use(1, 0, "transmit"));
    expect(troubles(subject)).toEqual([]);
  });

  it("a second SAK under the AN in use blocks the port, and the key server is reported", () => {
    const { subject, server } = member(ca);
    subject.pass(4000);
    server.answer({ distributedSak: server.sak(2, 0) });
    expect(subject.observed.session.controlledPort).toBe("blocked");
    passSeconds(subject, server, 3, server.use(2, 0, "receive"));
    expect(troubles(subject)).toEqual([
      `${sciB} is the key server, and does not transmit under its new SAK yet`,
    ]);
    server.answer(server.use(2, 0, "transmit"));
    expect(subject.observed.session.controlledPort).toBe("secured");
    expect(troubles(subject)).toEqual([]);
  });

  it("no key server: the text names the priority that forbids it", () => {
    const subject = new Subject(ca, { keyServerPriority: 255 });
    const peer = new Puppet(subject);
    peer.keyServer = false;
    peer.sendMkpdu();
    peer.answer();
    expect(troubles(subject)).toEqual([
      "neither end is the key server: the priority here is 255, and the peer is not willing",
    ]);
  });
});
