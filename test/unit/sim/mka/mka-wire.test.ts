import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { MacsecSettings } from "#hal/model.ts";
import { Prng } from "#sim/base/prng.ts";
import { Participant } from "#sim/mka/mka-participant.ts";
import { type Mkpdu, noSakUse } from "#sim/mka/mka-pdu.ts";
import { cknOf, clear, keyOf, mustSecure, type Pair, pair, secured } from "../../kit/mka-bench.ts";

const ramp = { quirks: { startRamp: true } };

/** Records every MKPDU that reaches `b` from now on; `b` still receives it. */
function recordMkpdus({ b }: Pair): Mkpdu[] {
  const seen: Mkpdu[] = [];
  const deliver = b.deliver.bind(b);
  b.deliver = (pdu) => {
    seen.push(pdu);
    deliver(pdu);
  };
  return seen;
}

describe("MKPDUs that must change nothing", () => {
  it("a looped-back own MKPDU is neither a peer nor an error", async () => {
    const made = await secured("own", ramp);
    const seen = recordMkpdus(made);
    await made.seconds(10);
    const before = [made.a.session(), made.a.mkpdus().replayed];
    for (const pdu of seen) made.a.deliver(pdu);
    expect([made.a.session(), made.a.mkpdus().replayed]).toEqual(before);
  });

  it("replayed MKPDUs are counted, and do not keep a dead peer alive", async () => {
    const made = await secured("replay", ramp);
    const seen = recordMkpdus(made);
    await made.seconds(10);
    made.a.setFault("silent", true);
    let replays = 0n;
    const took = await made.until(() => {
      const last = seen.at(-1);
      if (last !== undefined && made.b.session().livePeers > 0) {
        made.b.deliver(last);
        replays += 1n;
        seen.pop();
        seen.push(last);
      }
      return made.b.session().livePeers === 0;
    });
    expect(took).toBeLessThanOrEqual(6);
    expect(replays).toBeGreaterThan(0n);
    expect(made.b.mkpdus().replayed).toBe(replays);
  });

  it("an MKPDU of a dead session makes a potential peer at most, never a live one", async () => {
    const made = await secured("dead-session", ramp);
    const seen = recordMkpdus(made);
    await made.seconds(10);
    made.a.setFault("silent", true);
    await made.seconds(20);
    for (const pdu of [...seen]) made.b.deliver(pdu);
    expect(made.b.session()).toMatchObject({ livePeers: 0, controlledPort: "blocked" });
    await made.seconds(7);
    expect(made.b.session().participants[0]?.potentialPeers).toBe(0);
  });
});

describe("every hello is an event", () => {
  it("hellos come every two seconds in each direction, none skipped", async () => {
    const made = await secured("hellos", ramp);
    await made.seconds(10);
    const [sent, received] = [made.a.mkpdus().sent, made.b.mkpdus().received];
    await made.seconds(2000);
    expect(made.a.mkpdus().sent - sent).toBe(1000n);
    expect(made.b.mkpdus().received - received).toBe(1000n);
  });

  it("hellos follow another hello time, and the life time follows with them", async () => {
    const made = await secured("slow-hellos", { quirks: { startRamp: true, helloMs: 6000 } });
    await made.seconds(60);
    expect(made.fibre.carries()).toBe(true);
    made.b.setFault("silent", true);
    const took = await made.until(() => made.a.session().livePeers === 0);
    expect(took).toBeGreaterThanOrEqual(12 - 0.002);
    expect(took).toBeLessThanOrEqual(18 + 0.002);
  });
});

describe("a cut fibre", () => {
  it("a cut fibre loses the MKPDUs that were in it", async () => {
    const made = await secured("in-flight", ramp);
    await made.seconds(10);
    const { sent } = made.a.mkpdus();
    await made.until(() => made.a.mkpdus().sent > sent);
    const { received } = made.b.mkpdus();
    made.fibre.setUp(false);
    made.fibre.setUp(true);
    await made.seconds(0.002);
    expect(made.b.mkpdus().received).toBe(received);
  });
});

describe("a participant", () => {
  const life = 6000;
  const [own, peer] = ["one", "two"].map(
    (name) => new Participant(keyOf(1), new Prng(name), () => {}),
  );

  it("an actor takes only an echo of a recent MN as proof of liveness", () => {
    if (own === undefined || peer === undefined) throw new Error("two participants");
    const hello = (from: Participant, now: number): Mkpdu =>
      from.compose("02000000000b0001", 16, noSakUse, 1, undefined, now);
    const first = hello(own, 0);
    expect(peer.hear(first, 1, life)).toBe("found");
    expect(own.hear(hello(peer, life), life, life)).toBe("found");
    expect(own.livePeer()).toBeUndefined();
    const second = hello(own, life);
    expect(peer.hear(second, life + 1, life)).toBe("found");
    expect(peer.livePeer()?.mi).toBe(own.mi);
    expect(own.hear(hello(peer, life + 2), life + 3, life)).toBe("found");
    expect(own.livePeer()?.mi).toBe(peer.mi);
  });
});

type Act = (made: Pair) => void;

const ends = ["a", "b"] as const;
const everyPolicy: readonly MacsecSettings[] = [
  mustSecure,
  { ...mustSecure, suite: "gcm-aes-128" },
  { ...mustSecure, includeSci: false },
  { ...mustSecure, keyServerPriority: 3 },
  { ...mustSecure, sakRekeyMs: 5_000 },
];

// Every act of an operator, an agent or a fault on a pair, except turning must-secure off.
const acts: ReadonlyMap<string, Act> = new Map<string, Act>([
  ...ends.flatMap((end): (readonly [string, Act])[] => [
    [`${end} restarts`, (made) => made[end].restartKay()],
    [`${end} reboots`, (made) => made[end].reboot(true)],
    [`${end} is shut`, (made) => made[end].setAdmin(false)],
    [`${end} is opened`, (made) => made[end].setAdmin(true)],
    [`${end} rekeys`, (made) => made[end].rekeySak()],
    [`${end} takes key 2`, (made) => made[end].putKey(keyOf(2, "fallback"))],
    [`${end} takes key 2 wrongly`, (made) => made[end].putKey(keyOf(2, "primary", 9))],
    [`${end} promotes key 2`, (made) => made[end].promoteKey(cknOf(2))],
    [`${end} removes key 1`, (made) => made[end].removeKey(cknOf(1))],
    [`${end} takes key 1`, (made) => made[end].putKey(keyOf(1))],
    [`${end} has an MTU of 500`, (made) => made[end].setL2Mtu(500)],
    [`${end} resets its counters`, (made) => made[end].resetCounters()],
    ...(["silent", "staleSak", "noSak", "frozenCounters"] as const).flatMap(
      (fault): (readonly [string, Act])[] => [
        [`${end} ${fault}`, (made) => made[end].setFault(fault, true)],
        [`${end} not ${fault}`, (made) => made[end].setFault(fault, false)],
      ],
    ),
    ...everyPolicy.map((settings, n): readonly [string, Act] => [
      `${end} settings ${n}`,
      (made) => made[end].configure(settings),
    ]),
  ]),
  ["fibre cut", (made) => made.fibre.setUp(false)],
  ["fibre spliced", (made) => made.fibre.setUp(true)],
  ["flood", (made) => made.fibre.offer("a", 120_000_000, 64)],
]);

interface Step {
  readonly name: string;
  readonly waitMs: number;
}

function plays(names: readonly string[]): fc.Arbitrary<Step[]> {
  const step = fc.record({ name: fc.constantFrom(...names), waitMs: fc.nat({ max: 9_000 }) });
  return fc.array(step, { minLength: 1, maxLength: 30 });
}

async function play(made: Pair, script: readonly Step[]): Promise<void> {
  for (const { name, waitMs } of script) {
    acts.get(name)?.(made);
    await made.seconds(waitMs / 1000);
  }
}

function heal(made: Pair): void {
  made.fibre.setUp(true);
  made.fibre.offer("a", 1000, 512);
  for (const end of ends) {
    made[end].setAdmin(true);
    made[end].setL2Mtu(9216);
    for (const fault of ["silent", "staleSak", "noSak", "frozenCounters"] as const) {
      made[end].setFault(fault, false);
    }
    made[end].configure(mustSecure);
    made[end].removeKey(cknOf(2));
    made[end].putKey(keyOf(1));
  }
}

// Reproduce with this seed and the path that fast-check prints.
const seed = 20_261_124;

describe("whatever happens to two must-secure ends", () => {
  it("two must-secure ends send no data in the clear under any sequence of acts", async () => {
    await fc.assert(
      fc.asyncProperty(plays([...acts.keys()]), async (script) => {
        const made = await secured("must-secure", ramp);
        await play(made, script);
        expect(clear(made)).toBe(0n);
        for (const flow of Object.values(made.fibre.truth())) {
          expect(flow.delivered).toBeGreaterThanOrEqual(0n);
          expect(flow.offered).toBe(flow.delivered + flow.lost);
          expect(flow.protectedOnWire).toBeGreaterThanOrEqual(flow.delivered);
        }
      }),
      { seed, numRuns: 300 },
    );
  });

  // A stale data plane stays so until the next SAK, and no end has to make one.
  const healing = [...acts.keys()].filter((name) => !name.includes("staleSak"));

  it("two must-secure ends secure again once every fault is healed", async () => {
    await fc.assert(
      fc.asyncProperty(plays(healing), async (script) => {
        const made = await secured("heals", ramp);
        await play(made, script);
        heal(made);
        // A life time for either end's dead peers passes, and then the hellos of a new session.
        await made.seconds(20);
        expect(made.fibre.carries()).toBe(true);
        expect(made.a.session().latestSak).toEqual(made.b.session().latestSak);
      }),
      { seed, numRuns: 300 },
    );
  });
});

describe("one seed", () => {
  it("one seed gives the same events and truth, and another seed gives others", async () => {
    const trace = async (name: string): Promise<string> => {
      const lines: string[] = [];
      const made = pair(name, ramp);
      made.clock.afterEvent = () => {
        const { keyId } = made.a.session().latestSak ?? {};
        lines.push(`${made.clock.now()} ${keyId} ${made.b.mkpdus().received}`);
      };
      for (const end of ends) {
        made[end].configure(mustSecure);
        made[end].putKey(keyOf(1));
        made.fibre.offer(end, 1000, 512);
      }
      await play(made, fc.sample(plays([...acts.keys()]), { seed, numRuns: 1 })[0] ?? []);
      return [...lines, JSON.stringify(made.fibre.truth(), (_, v) => `${v}`)].join("\n");
    };
    expect(await trace("one")).toBe(await trace("one"));
    expect(await trace("one")).not.toBe(await trace("two"));
  });
});
