// A gateway that does not answer, as charon's log and its SAs show it: three requests in a row have
// no answer, and no packet came since.

import { describe, expect, it } from "vitest";
import { TunnelBench } from "../../../kit/tunnel-bench.ts";

const silent = "the gateway does not answer";
const probe = "sending DPD request";
const repeat = (count: number): string => `retransmit ${count} of request with message ID 7`;
const answer = "parsed INFORMATIONAL response 7 [ ]";
const request = "parsed INFORMATIONAL request 3 [ ]";
const acknowledged = "parsed INFORMATIONAL_V1 request 99 [ HASH N(DPD_ACK) ]";

/** A line of charon's log, and how long after the one before it. */
type Line = readonly [afterMs: number, text: string, ikeSa?: number];

/** With the wanted settings, a probe is repeated after 0.8 s, and again after twice that. */
const unanswered: readonly Line[] = [
  [0, probe],
  [800, repeat(1)],
  [1_600, repeat(2)],
];

async function benchOf(): Promise<TunnelBench> {
  const bench = await TunnelBench.open();
  await bench.put();
  await bench.clock.runFor(100);
  return bench;
}

async function log(bench: TunnelBench, lines: readonly Line[]): Promise<void> {
  for (const [afterMs, text, ikeSa] of lines) {
    await bench.clock.runFor(afterMs);
    bench.charon.log(text, ikeSa);
  }
  await bench.clock.runFor(1);
}

async function shown(bench: TunnelBench): Promise<readonly [string | undefined, boolean]> {
  const tunnel = await bench.tunnel();
  return [tunnel?.trouble, tunnel?.isSilent ?? false];
}

describe("a gateway that does not answer", () => {
  it("is silent half a second after the second repeat, with a notification", async () => {
    const bench = await benchOf();
    await log(bench, unanswered);
    expect(await shown(bench)).toEqual([undefined, false]);
    const before = bench.notifications.length;
    await bench.clock.runFor(500);
    expect(bench.notifications.length).toBe(before + 1);
    expect(await shown(bench)).toEqual([silent, true]);
    expect(await bench.tunnel()).toMatchObject({ ike: { value: "established" } });
    // From the last answer it is at most 6 s to the probe, and 2.9 s from the probe to here.
    await log(bench, [[3_200, repeat(3)]]);
    expect(await shown(bench)).toEqual([silent, true]);
  });

  it.each<readonly [string, readonly Line[]]>([
    [
      "one lost packet",
      [
        [0, probe],
        [800, repeat(1)],
        [30, answer],
      ],
    ],
    ["an answer to the third request", [...unanswered, [30, answer]]],
    ["a request of the gateway itself", [...unanswered, [30, request]]],
    [
      "single losses, probe after probe",
      [1, 2, 3, 4].flatMap((): readonly Line[] => [
        [5_000, probe],
        [800, repeat(1)],
        [30, answer],
      ]),
    ],
    ["no packet at all, and no probe", []],
    ["repeats under an older IKE SA that ends", unanswered.map(([ms, text]) => [ms, text, 99])],
    [
      "repeats of an answer",
      [
        [0, "retransmit 1 of response with message ID 7"],
        [800, "retransmit 2 of response with message ID 7"],
      ],
    ],
    [
      "probes of IKEv1 that are answered",
      [1, 2, 3, 4].flatMap((): readonly Line[] => [
        [5_000, probe],
        [30, acknowledged],
      ]),
    ],
  ])("is not concluded from %s", async (_name, lines) => {
    const bench = await benchOf();
    await log(bench, lines);
    await bench.clock.runFor(10_000);
    expect(await shown(bench)).toEqual([undefined, false]);
  });

  it.each([
    [0, false],
    [1, false],
    [2, true],
    [9, true],
    [undefined, true],
  ])("its newest packet is %s s old 2.9 s after the probe: silent is %s", async (quietS, is) => {
    const bench = await benchOf();
    await log(bench, unanswered);
    await bench.clock.runFor(500);
    bench.charon.quietS = quietS;
    expect(await shown(bench)).toEqual(is ? [silent, true] : [undefined, false]);
  });

  it("is heard by a packet of this second, however late and close the lines are read", async () => {
    const bench = await benchOf();
    await log(
      bench,
      unanswered.map(([, text]) => [0, text]),
    );
    await bench.clock.runFor(500);
    bench.charon.quietS = 1;
    expect(await shown(bench)).toEqual([undefined, false]);
    bench.charon.quietS = 2;
    expect(await shown(bench)).toEqual([silent, true]);
  });

  it("is heard again with its next message, with a notification", async () => {
    const bench = await benchOf();
    await log(bench, [...unanswered, [3_200, repeat(3)]]);
    const before = bench.notifications.length;
    await log(bench, [[100, answer]]);
    expect(bench.notifications.length).toBe(before + 1);
    expect(await shown(bench)).toEqual([undefined, false]);
  });

  it("leaves probes of IKEv1 unanswered, which are not repeated", async () => {
    const bench = await benchOf();
    await log(bench, [
      [0, probe],
      [5_000, probe],
    ]);
    await bench.clock.runFor(4_900);
    expect(await shown(bench)).toEqual([undefined, false]);
    await log(bench, [[100, probe]]);
    await bench.clock.runFor(500);
    expect(await shown(bench)).toEqual([silent, true]);
  });

  it("is not silent under the new charon, which numbers its IKE SAs anew", async () => {
    const bench = await benchOf();
    await log(bench, unanswered);
    await bench.clock.runFor(500);
    expect(await shown(bench)).toEqual([silent, true]);
    bench.charon.hangUp();
    await bench.clock.runFor(6_000);
    expect(await shown(bench)).toEqual([undefined, false]);
  });

  it.each<readonly [string, readonly Line[]]>([
    ["the first message on", []],
    ["the algorithms on", [[0, "parsed IKE_SA_INIT response 0 [ SA KE No ]"]]],
  ])("is the trouble of a tunnel that has no SA, from %s", async (_name, lines) => {
    const bench = await benchOf();
    bench.charon.lose("all");
    bench.charon.connect();
    await log(bench, [...lines, [800, repeat(1)], [1_600, repeat(2)]]);
    expect(await shown(bench)).toEqual([undefined, false]);
    await bench.clock.runFor(500);
    expect(await shown(bench)).toEqual([silent, false]);
    await log(bench, [[30, "parsed IKE_SA_INIT response 0 [ SA KE No ]"]]);
    expect(await shown(bench)).toEqual([undefined, false]);
  });

  it("ignores the third message of main mode: then the pre-shared keys may differ", async () => {
    const bench = await benchOf();
    bench.charon.lose("all");
    bench.charon.connect();
    const third = (count: number): string =>
      `sending retransmit ${count} of request message ID 0, seq 3`;
    await log(bench, [
      [800, third(1)],
      [1_600, third(2)],
    ]);
    await bench.clock.runFor(500);
    const text = `the ends have different pre-shared keys, or ${silent}`;
    expect(await shown(bench)).toEqual([text, false]);
  });

  it("is not the trouble while only an IKE SA that ends waits for an answer", async () => {
    const bench = await benchOf();
    bench.charon.lose("all");
    bench.charon.connect();
    bench.charon.ike = { state: "DELETING" };
    await log(bench, unanswered);
    bench.charon.log("received AUTHENTICATION_FAILED notify error", 99);
    await bench.clock.runFor(500);
    expect((await shown(bench))[0]).toMatch(/different pre-shared keys/);
  });
});
