// A newer key for the two tunnels of an active-active gateway: given once, proven on one tunnel
// after the other, and in use at all four ends or at none.

import { describe, expect, it } from "vitest";
import { changeOf } from "#agent/store/audit/change.ts";
import { remember } from "#agent/store/journal/memory.ts";
import { refused } from "../../../kit/site-bench.ts";
import { wall } from "../../../kit/snapshot-kit.ts";
import { id, psk, version } from "./tunnel-change-kit.ts";
import { PairPlace, pair } from "./tunnel-pair-kit.ts";

const state = (place: PairPlace, name: string) => place.memory.auths[name]?.next?.state;

describe("a newer key for the two tunnels of a connection", () => {
  it("a key of a pair is given once, and one tunnel carries while the other changes", async () => {
    const place = new PairPlace();
    await place.run();
    expect(place.acts).toEqual([
      "give 2",
      "drain hub-1",
      ...["put hub-1 2", "put hub-2 2", "authenticate hub-1"],
      ...["undrain hub-1", "drain hub-2", "authenticate hub-2", "undrain hub-2"],
    ]);
    expect([place.isDone(), place.wrong]).toEqual([true, []]);
    expect([place.end("hub-1").spi, place.end("hub-2").spi]).toEqual([102, 202]);
  });

  it("a pair reports one key, the other tunnel, and what the change costs", async () => {
    const place = new PairPlace();
    place.deaf.add("hub-1").add("hub-2");
    await place.run(() => state(place, "hub-1") === "held");
    const [one, two] = place.auths.psks();
    expect([one?.pair, two?.pair]).toEqual(["hub-2", "hub-1"]);
    expect([one?.secretId, two?.secretId]).toEqual([id(1), id(1)]);
    expect(one?.next).toEqual(two?.next);
    expect(one?.next?.dark).toBe(
      "not dark: another tunnel carries while it authenticates, " +
        "and its SAs stay if the gateway refuses the key",
    );
  });

  it.each([
    { deaf: "hub-1", tried: ["authenticate hub-1"] },
    { deaf: "hub-2", tried: ["authenticate hub-1", "authenticate hub-2"] },
  ])("a key that the instance of $deaf does not use goes back at all four ends", async (row) => {
    const place = new PairPlace();
    place.deaf.add(row.deaf);
    await place.run(() => state(place, "hub-1") === "held");
    expect(place.acts.filter((act) => act.startsWith("auth"))).toEqual(row.tried);
    expect(place.acts.slice(-4)).toEqual(expect.arrayContaining(["put hub-1 1", "put hub-2 1"]));
    for (const { name } of pair) {
      expect(place.end(name)).toMatchObject({ router: id(1), gateway: id(1), ike: "established" });
      expect(place.memory.auths[name]).toMatchObject({ auth: psk(1), next: { state: "held" } });
    }
    expect([place.isOpen(), place.wrong]).toEqual([true, []]);
  });

  it("a pair with a tunnel that is down does not change by itself, but for a person", async () => {
    const place = new PairPlace();
    place.end("hub-2").ike = "down";
    await place.run(() => false, 10);
    expect(place.acts).toEqual([]);
    const cause = { code: "tunnel.ikeDown", tunnel: "hub-2" };
    const reason = { code: "tunnel.waiting.closed", cause };
    expect(place.memory.auths["hub-1"]?.next).toMatchObject({ reason });
    // The gateway has one key for both: what hub-1 proves is true of hub-2.
    place.wrong.length = 0;
    expect(await place.proceed(pair[1])).toMatchObject({ tunnel: "hub-2", next: null });
    expect(place.end("hub-2")).toMatchObject({ router: id(2), ike: "down" });
    expect(place.isDone()).toBe(true);
  });

  it("a tunnel that the gateway refuses takes the waiting key, and the other follows", async () => {
    const place = new PairPlace();
    for (const { name } of pair) place.end(name).gateway = id(2);
    place.refuse("hub-2");
    await place.run();
    expect(place.acts.filter((act) => act.startsWith("give"))).toEqual([]);
    expect([place.isDone(), place.end("hub-2").ike]).toEqual([true, "established"]);
  });

  it("a waiting key that does not help a refused tunnel is not tried on the other", async () => {
    const place = new PairPlace();
    for (const { name } of pair) place.end(name).gateway = id(3);
    place.refuse("hub-2");
    await place.run(() => false, 10);
    expect(place.acts.filter((act) => act.startsWith("auth"))).toEqual([]);
    expect(place.end("hub-1")).toMatchObject({ router: id(1), ike: "established", spi: 100 });
    expect([place.isOpen(), place.wrong]).toEqual([true, []]);
  });

  it("a pair of which one tunnel is not set up yet waits for it", async () => {
    const place = new PairPlace();
    place.memory = { ...place.memory, auths: { "hub-1": { auth: psk(1) } } };
    await place.run(() => false, 10);
    expect([place.acts, place.memory.auths["hub-1"]]).toEqual([[], { auth: psk(1) }]);
    const refusal = await refused(place.proceed());
    expect(refusal.code).toBe("gate.busy");
    expect(refusal.message).toContain("did not set hub-2, which has the same key, up");
  });

  it("tunnels that had different versions get the newest together", async () => {
    const place = new PairPlace();
    place.memory = {
      ...place.memory,
      auths: { "hub-1": { auth: psk(2) }, "hub-2": { auth: psk(1) } },
    };
    place.end("hub-1").router = id(2);
    for (const { name } of pair) place.end(name).gateway = id(2);
    await place.run();
    expect([place.isDone(), place.wrong]).toEqual([true, []]);
  });

  it("a version that is newer again is tried after one that was refused", async () => {
    const place = new PairPlace();
    place.deaf.add("hub-2");
    await place.run(() => state(place, "hub-1") === "held");
    place.deaf.clear();
    place.versions = [...place.versions, version(3)];
    await place.run(() => place.isDone(3), 200);
    expect([place.isDone(3), place.wrong]).toEqual([true, []]);
  });

  it.each(["before", "after"] as const)(
    "an agent that changes the key of a pair and dies %s each call completes it",
    async (when) => {
      const clean = new PairPlace();
      await clean.run();
      const { calls } = clean;
      expect(calls).toBeGreaterThanOrEqual(20);
      for (let call = 1; call <= calls; call += 1) {
        const place = new PairPlace();
        place.doom = { call, when };
        await place.run();
        place.restart();
        await place.run();
        const what = `killed ${when} call ${call} of ${calls}`;
        expect([what, place.isDone(), place.wrong]).toEqual([what, true, []]);
      }
      console.log(`${calls} calls, each killed ${when}`);
    },
  );

  it.each(["before", "after"] as const)(
    "an agent that takes a refused key back and dies %s each call leaves four ends with one key",
    async (when) => {
      const begin = (): PairPlace => {
        const place = new PairPlace();
        place.deaf.add("hub-2");
        return place;
      };
      const isHeld = (place: PairPlace) => () => state(place, "hub-1") === "held";
      const clean = begin();
      await clean.run(isHeld(clean));
      for (let call = 1; call <= clean.calls; call += 1) {
        const place = begin();
        place.doom = { call, when };
        await place.run(isHeld(place));
        place.restart();
        await place.run(isHeld(place), 200);
        const what = `killed ${when} call ${call} of ${clean.calls}`;
        const ends = pair.flatMap(({ name }) => [place.end(name).router, place.end(name).gateway]);
        expect([what, new Set(ends), place.wrong]).toEqual([what, new Set([id(1)]), []]);
        expect([what, place.isOpen()]).toEqual([what, true]);
      }
    },
  );
});

describe("the record of a pair", () => {
  const inUse = { auth: psk(2) };
  const record = { kind: "sharedAuth", names: ["hub-1", "hub-2"], inUse } as const;

  it("one record changes both tunnels at once", () => {
    const { memory } = new PairPlace();
    expect(remember(memory, record).auths).toEqual({ "hub-1": inUse, "hub-2": inUse });
  });

  it("the audit log names both tunnels", () => {
    expect(changeOf(record, undefined, wall)).toMatchObject({
      what: "tunnelAuth",
      about: "hub-1, hub-2",
    });
  });
});
