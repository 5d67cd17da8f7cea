import { describe, expect, it } from "vitest";
import { caOf, pair } from "../../../kit/kay-kit.ts";
import { member } from "./kay-puppet.ts";

const [ca, other] = [caOf("one"), caOf("other")];

async function left(seed: string) {
  const { site, a, b } = pair(seed, [ca]);
  await site.secured();
  await site.run(10_000);
  a.add(other);
  a.command({ kind: "removeActor", ckn: ca.ckn });
  return { site, a, b };
}

// The time that the channels of a removed CA stay was not in the snapshot: a successor deleted them
// at once, and the port was dark until the peer came with the other CA.
describe("a CA is removed, and the process killed before the other one has peers", () => {
  it("the port stays secured, and no frame is lost", async () => {
    const { site, a, b } = await left("joins");
    await site.run(200);
    a.kill();
    await site.run(100);
    a.begin("memory");
    const before = a.events.length;
    await site.run(100);
    expect(a.isSecured).toBe(true);
    b.add(other);
    await site.run(20_000);
    expect(a.session.latestSak).toMatchObject({ receive: true, transmit: true });
    expect(a.session.latestSak).toEqual(b.session.latestSak);
    const blocked = { kind: "controlledPort", is: "blocked" };
    expect(a.events.slice(before)).not.toContainEqual(blocked);
    expect([...a.data.lost, ...b.data.lost]).toEqual([]);
    expect(site.broken).toEqual([]);
  });

  it.each([1, 4])("%i successors keep its channels for one life time in all", async (turns) => {
    const { site, a } = await left(`bound ${turns}`);
    const since = site.now;
    for (let turn = 0; turn < turns; turn += 1) {
      await site.run(4000 / turns);
      a.kill();
      a.begin("memory");
    }
    await site.run(5900 - (site.now - since));
    expect([a.secy.receive.size, a.secy.transmit.size]).toEqual([1, 1]);
    await site.run(200);
    expect([a.secy.receive.size, a.secy.transmit.size]).toEqual([0, 0]);
  });
});

it("a process killed just after it took a new MI leaves the SAK in use to its successor", () => {
  const { subject, server } = member(ca);
  subject.secy.faults.push({ kind: "installTransmitSa", errno: "ENOMEM" });
  server.answer({ distributedSak: server.sak(2, 1) });
  for (let second = 0; second < 7; second += 1) {
    if (subject.all("miRenewed").length > 0) break;
    server.answer(server.use(1, 0, "transmit"));
    subject.pass(1000);
  }
  expect(subject.observed.session).toMatchObject({ controlledPort: "secured", livePeers: 0 });
  subject.restart();
  expect(subject.observed.session.controlledPort).toBe("secured");
  server.answer(server.use(1, 0, "transmit"));
  server.answer({ ...server.use(1, 0, "transmit"), distributedSak: server.sak(3, 2) });
  server.answer(server.use(3, 2, "transmit"));
  expect(subject.secy.encodingAn).toBe(2);
  expect(subject.events).not.toContainEqual({ kind: "controlledPort", is: "blocked" });
});
