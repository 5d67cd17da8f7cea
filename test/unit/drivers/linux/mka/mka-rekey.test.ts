import { describe, expect, it } from "vitest";
import type { MacsecSettings } from "#hal/model.ts";
import { instantAfter, wallAfter } from "#hal/world.ts";
import {
  cknOf,
  clear,
  keyOf,
  lost,
  mustSecure,
  type Pair,
  secured,
} from "../../../kit/mka-bench.ts";

const ramp = { quirks: { startRamp: true } };
const narrow: MacsecSettings = { ...mustSecure, suite: "gcm-aes-256" };
// The rate of 100G with the smallest frames.
const flood = 120_000_000;

const keyId = ({ a }: Pair): string | undefined => a.session().latestSak?.keyId;

describe("a new SAK", () => {
  it("a new SAK comes by packet number, from either end's flow, and loses no frame", async () => {
    for (const end of ["a", "b"] as const) {
      const made = await secured(`pn-${end}`, ramp, narrow);
      const [before, sak] = [lost(made), keyId(made)];
      made.fibre.offer(end, flood, 64);
      // 0xC0000000 packet numbers at this rate last 26.8 s.
      await made.seconds(26);
      expect(keyId(made)).toBe(sak);
      expect(await made.until(() => keyId(made) !== sak)).toBeLessThan(0.9 + 4);
      await made.seconds(120);
      expect(lost(made)).toBe(before);
      expect(made[end].frames().nextPn).toBeLessThan(2n ** 32n);
      made.fibre.offer(end, 0, 64);
      await made.seconds(10);
      expect(made.b.session().latestSak).toEqual(made.a.session().latestSak);
    }
  });

  it("a new SAK is not needed for an extended packet number", async () => {
    const made = await secured("xpn", ramp);
    const sak = keyId(made);
    made.fibre.offer("a", flood, 64);
    await made.seconds(600);
    expect(keyId(made)).toBe(sak);
    expect(made.a.frames().nextPn).toBeGreaterThan(2n ** 36n);
  });

  it("a new SAK that does not come lets the packet numbers run out; the port stops", async () => {
    const made = await secured("exhausted", ramp, narrow);
    made.a.setFault("noSak", true);
    made.fibre.offer("a", flood, 64);
    await made.seconds(60);
    expect(made.a.frames().nextPn).toBe(2n ** 32n);
    expect(made.fibre.truth().a2b.outcome).toBe("blocked");
    expect(made.fibre.carries()).toBe(false);
    expect(clear(made)).toBe(0n);
    made.a.setFault("noSak", false);
    expect(await made.until(() => made.fibre.carries())).toBeLessThan(4);
  });

  it("a new SAK comes by timer, with every AN in turn, and loses no frame", async () => {
    const made = await secured("timer", ramp, { ...mustSecure, sakRekeyMs: 60_000 });
    const before = lost(made);
    const ans: (number | undefined)[] = [];
    for (let n = 0; n < 5; n += 1) {
      ans.push(made.a.session().latestSak?.an);
      await made.seconds(60);
    }
    expect(ans).toEqual([0, 1, 2, 3, 0]);
    expect(lost(made)).toBe(before);
  });

  it("a new SAK comes by command at either end, and loses no frame", async () => {
    for (const options of [ramp, {}]) {
      for (const end of ["a", "b"] as const) {
        const made = await secured(`command-${end}`, options);
        const [before, sak] = [lost(made), keyId(made)];
        made[end].rekeySak();
        await made.until(() => keyId(made) !== sak);
        await made.seconds(20);
        expect(lost(made)).toBe(before);
        expect(made.a.session().oldSak).toBeUndefined();
      }
    }
  });

  it("a new SAK is received before it is transmitted, and the old one goes 3 s later", async () => {
    const made = await secured("order", ramp);
    const observed: string[] = [];
    const note = (name: string, endpoint: Pair["a"]): void => {
      const { latestSak, oldSak } = endpoint.session();
      const line = `${name} an${latestSak?.an} tx ${latestSak?.transmit} old ${oldSak?.transmit}`;
      if (observed.findLast((other) => other.startsWith(name)) !== line) observed.push(line);
    };
    made.clock.afterEvent = () => {
      note("a", made.a);
      note("b", made.b);
    };
    made.a.rekeySak();
    const start = made.clock.now();
    await made.until(() => made.a.session().oldSak?.transmit === false);
    await made.until(() => made.a.session().oldSak === undefined);
    await made.seconds(1);
    expect(observed).toEqual([
      "a an1 tx false old true",
      "b an1 tx false old true",
      "a an1 tx true old false",
      "b an1 tx true old false",
      "a an1 tx true old undefined",
      "b an1 tx true old undefined",
    ]);
    expect(made.clock.now()).toBeGreaterThanOrEqual(instantAfter(start, 3000));
  });

  it("a new SAK is installed once, however often it is distributed", async () => {
    const made = await secured("repeated", ramp);
    made.b.setFault("silent", true);
    made.a.rekeySak();
    await made.seconds(0.5);
    const { version } = made.b.secy;
    await made.seconds(3);
    expect(made.b.secy.version).toBe(version);
    expect(made.b.session().latestSak).toMatchObject({ receive: true, transmit: false });
  });

  it("a new SAK that the next one overtakes before use delays neither end", async () => {
    const made = await secured("overtaken", ramp);
    const before = lost(made);
    made.a.rekeySak();
    // The other end has the first SAK, and the server has not heard of it.
    await made.seconds(0.0015);
    made.a.rekeySak();
    await made.seconds(0.5);
    expect(made.a.session()).toMatchObject({ respondedPeers: 1, latestSak: { transmit: true } });
    expect(made.b.session().latestSak).toEqual(made.a.session().latestSak);
    expect(lost(made)).toBe(before);
  });

  it("a new SAK waits at most a life time for a peer that does not install it", async () => {
    const made = await secured("no-answer", ramp);
    made.b.setFault("noSak", true);
    made.a.rekeySak();
    await made.seconds(5.9);
    expect(made.a.session()).toMatchObject({ respondedPeers: 1, latestSak: { transmit: false } });
    expect(made.fibre.carries()).toBe(true);
    await made.seconds(4);
    expect(made.a.session()).toMatchObject({ livePeers: 1, respondedPeers: 0 });
    expect(made.b.frames().rxNotUsingSa).toBeGreaterThan(0n);
    expect(made.fibre.carries()).toBe(false);
  });
});

/** Both ends have key 1 in front and key 2 ready. */
async function overlapped(seed: string, options = {}): Promise<Pair> {
  const made = await secured(seed, options);
  for (const endpoint of [made.a, made.b]) endpoint.putKey(keyOf(2, "fallback"));
  await made.until(() => [made.a, made.b].every(bothLive));
  return made;
}

function bothLive(endpoint: Pair["a"]): boolean {
  return endpoint.session().participants.every(({ state }) => state === "live");
}

describe("two keys on one port", () => {
  it("two keys on one port have an actor each, under one principal and one SAK", async () => {
    const made = await overlapped("two", ramp);
    expect(made.a.session()).toMatchObject({ principalCkn: cknOf(1), livePeers: 1 });
    expect(made.a.keys().map(({ role }) => role)).toEqual(["primary", "fallback"]);
  });

  it("a change between two common keys loses no frame, and the SAK follows", async () => {
    for (const order of ["ab", "ba"] as const) {
      for (const options of [ramp, {}]) {
        const made = await overlapped(`change-${order}`, options);
        const [before, sak] = [lost(made), keyId(made)];
        const [first, second] = order === "ab" ? [made.a, made.b] : [made.b, made.a];
        first.promoteKey(cknOf(2));
        await made.seconds(1.5);
        second.promoteKey(cknOf(2));
        // Nothing but the principal changes for three hellos after the server changed.
        await made.seconds(4);
        expect(keyId(made)).toBe(sak);
        await made.seconds(16);
        for (const endpoint of [made.a, made.b]) {
          expect(endpoint.session().principalCkn).toBe(cknOf(2));
          endpoint.removeKey(cknOf(1));
        }
        await made.seconds(20);
        expect(keyId(made)).not.toBe(sak);
        expect(lost(made)).toBe(before);
        expect(made.b.session()).toMatchObject({ principalCkn: cknOf(2), respondedPeers: 1 });
      }
    }
  });

  it("a port survives the removal of the key in use if the other one is live", async () => {
    const made = await overlapped("removal", ramp);
    const before = lost(made);
    made.b.removeKey(cknOf(1));
    made.a.removeKey(cknOf(1));
    await made.seconds(30);
    expect(lost(made)).toBe(before);
    expect(made.a.session().principalCkn).toBe(cknOf(2));
  });

  it("a port follows a far end with one key, dark for the set-up time only", async () => {
    for (const priority of [1, 200]) {
      const made = await secured(`one-key-${priority}`, ramp, mustSecure);
      made.a.configure({ ...mustSecure, keyServerPriority: priority });
      made.a.putKey(keyOf(2, "fallback"));
      await made.seconds(20);
      made.b.removeKey(cknOf(1));
      made.b.putKey(keyOf(2));
      const took = await made.until(() => made.fibre.carries());
      // An edge that is key server stays on the old CA until its peer's life time ends.
      expect(took).toBeLessThan(priority === 1 ? 6.1 : 1);
      expect(made.a.session().principalCkn).toBe(cknOf(2));
      const before = lost(made);
      made.a.promoteKey(cknOf(2));
      made.a.removeKey(cknOf(1));
      await made.seconds(30);
      expect(lost(made)).toBe(before);
      expect(clear(made)).toBe(0n);
    }
  });

  it("a scheduled key starts by the wall clock", async () => {
    const made = await secured("scheduled", ramp);
    const before = lost(made);
    const startsAt = wallAfter(made.clock.wall(), 30_000);
    for (const endpoint of [made.a, made.b]) {
      endpoint.putKey({ ...keyOf(2, "scheduled"), startsAt });
    }
    expect(made.a.session().participants[1]?.state).toBe("none");
    await made.seconds(29);
    expect(made.a.session().principalCkn).toBe(cknOf(1));
    await made.seconds(20);
    expect(made.a.session().principalCkn).toBe(cknOf(2));
    expect(made.a.keys().map(({ role }) => role)).toEqual(["primary", "fallback"]);
    expect(lost(made)).toBe(before);
  });
});
