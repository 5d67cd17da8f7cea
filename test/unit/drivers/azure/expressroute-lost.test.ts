// A write whose operation Azure does not show: it counts as under way for its grace and until the
// document was read at rest twice, half a minute apart; then the document decides.

import { describe, expect, it } from "vitest";
import type { PeerPort, PeerState } from "#hal/device.ts";
import type { HttpReply, HttpRequest } from "#hal/world.ts";
import { type ArmBench, armBench, putGraceMs, text } from "../../kit/arm-bench.ts";
import { never } from "../../kit/site-bench.ts";

const second = 1_000;
const restMs = 30 * second;

const isPoll = ({ path }: HttpRequest): boolean => path.includes("/operations/");

function answer(status: number, code: string): HttpReply {
  const body = new TextEncoder().encode(JSON.stringify({ error: { code, message: "no" } }));
  return { status, headers: {}, body };
}

const refusals: readonly (readonly [number, string])[] = [
  [403, "AuthorizationFailed"],
  [401, "InvalidAuthenticationToken"],
  [404, "ResourceNotFound"],
  [410, "Gone"],
];

/** Refuses to show operations as soon as that is so, and from then on. */
function refuse(
  bench: ArmBench,
  [status, code]: readonly [number, string],
  isTime: () => boolean = () => true,
): void {
  let begun = false;
  bench.alter = (reply, request) => {
    begun ||= isTime();
    return isPoll(request) && begun ? answer(status, code) : reply;
  };
}

interface Read {
  readonly atMs: number;
  readonly state: PeerState;
}

/** Every second for so long; times are from the first read on. */
async function reads(bench: ArmBench, peer: PeerPort, forMs: number): Promise<readonly Read[]> {
  const { clock } = bench.site;
  const begun = clock.now();
  const all: Read[] = [];
  while (clock.now() - begun < forMs) {
    const state = await bench.run(peer.observe(never));
    all.push({ atMs: clock.now() - begun, state });
    await clock.runFor(second);
  }
  return all;
}

function settledAt(all: readonly Read[]): number {
  const first = all.find(({ state }) => state.provisioning !== "updating");
  return first?.atMs ?? Number.POSITIVE_INFINITY;
}

describe.each(refusals)("an operation that is answered with %d %s", (...refusal) => {
  it.each(["from the first poll on", "in the middle", "after the effect"] as const)(
    "a refusal %s never prevents observing the far end",
    async (when) => {
      const bench = armBench();
      const want = bench.newWant("link1");
      const { clock, msees } = bench.site;
      const [msee] = msees.values();
      const middle = clock.now() + 15 * second;
      refuse(bench, refusal, () => {
        if (when === "from the first poll on") return true;
        if (when === "in the middle") return clock.now() >= middle;
        return msee?.hardwareKey("link1") === want.key.ckn;
      });
      await bench.put("link1", want);
      const all = await reads(bench, bench.peer("link1"), putGraceMs + 2 * restMs);
      const last = all.at(-1)?.state;
      expect([last?.provisioning, last?.pointsAt?.cakSecretId]).toEqual([
        "settled",
        want.key.cakSecretId,
      ]);
      expect(settledAt(all)).toBeLessThanOrEqual(putGraceMs + restMs + 5 * second);
      const [status] = refusal;
      const isRefused = status === 403 || status === 401;
      expect(last?.details?.unfollowed !== undefined).toBe(isRefused);
      expect(msee?.hardwareKey("link1")).toBe(want.key.ckn);
    },
  );

  it("a lost operation counts as running for its grace, whatever the document says", async () => {
    const bench = armBench();
    refuse(bench, refusal);
    await bench.put("link1", bench.newWant("link1"));
    const all = await reads(bench, bench.peer("link1"), putGraceMs + 2 * restMs);
    const early = all.filter(({ state }) => state.details?.provisioning.port === "Succeeded");
    expect(early[0]?.atMs).toBeLessThan(putGraceMs - restMs);
    expect(settledAt(all)).toBeGreaterThanOrEqual(putGraceMs);
  });

  it("a predecessor's lost operation counts as running for a grace after the start", async () => {
    const bench = armBench();
    refuse(bench, refusal);
    const want = bench.newWant("link1");
    await bench.put("link1", want);
    await bench.site.clock.runFor(10 * putGraceMs);
    const next = bench.peer("link1", bench.restarted());
    const all = await reads(bench, next, putGraceMs + restMs);
    expect(settledAt(all)).toBeGreaterThanOrEqual(putGraceMs);
    expect(all.at(-1)?.state).toMatchObject({
      provisioning: "settled",
      pointsAt: { cakSecretId: want.key.cakSecretId },
    });
  });
});

describe("the document of a lost operation", () => {
  it("a document with a change in progress does not decide a lost operation", async () => {
    const bench = armBench();
    refuse(bench, [403, "AuthorizationFailed"]);
    for (const msee of bench.site.msees.values()) msee.setFault("slow", true);
    await bench.put("link1", bench.newWant("link1"));
    const all = await reads(bench, bench.peer("link1"), 10 * 60 * second);
    const words = all.map(({ state }) => state.details?.provisioning.port);
    const rested = all[words.lastIndexOf("Updating") + 1]?.atMs ?? 0;
    expect(rested).toBeGreaterThan(putGraceMs);
    expect(settledAt(all)).toBeGreaterThanOrEqual(rested + restMs);
  });

  it("a document whose identifiers or link state change decides no lost operation", async () => {
    const bench = armBench();
    const turns = ["first", "second", "third", "fourth", "fifth", "last"];
    const { clock } = bench.site;
    const begun = clock.now();
    bench.alter = (reply, request) => {
      if (isPoll(request)) return answer(410, "Gone");
      if (request.method !== "GET") return reply;
      // A document that shows another version every 25 s, and rests after the last one.
      const turn = Math.min(5, Math.floor((clock.now() - begun) / (25 * second)));
      const shown = text(reply.body).replaceAll(/\/[0-9a-f]{32}"/g, `/${turns[turn]}"`);
      return { ...reply, body: new TextEncoder().encode(shown) };
    };
    await bench.put("link1", bench.newWant("link1"));
    const all = await reads(bench, bench.peer("link1"), 200 * second);
    expect(settledAt(all)).toBeGreaterThanOrEqual(5 * 25 * second + restMs - second);
    expect(all.at(-1)?.state.pointsAt?.cakSecretId).toContain("last");
  });

  it("a document that says Failed makes a lost operation a failed one", async () => {
    const bench = armBench();
    refuse(bench, [403, "AuthorizationFailed"]);
    for (const msee of bench.site.msees.values()) msee.setFault("fails", true);
    await bench.put("link1", bench.newWant("link1"));
    const all = await reads(bench, bench.peer("link1"), putGraceMs + 2 * restMs);
    const words = new Set(all.map(({ state }) => state.provisioning));
    expect([...words]).toEqual(["updating", "failed"]);
  });
});

describe("a poll that is refused", () => {
  it("a refused poll names the missing right and where to give it, and no other", async () => {
    const bench = armBench();
    refuse(bench, [403, "AuthorizationFailed"]);
    await bench.put("link1", bench.newWant("link1"));
    await bench.site.clock.runFor(11 * second);
    const { details } = await bench.observe("link1");
    expect(details?.unfollowed).toEqual({
      text:
        "the management API: this identity may start an operation and not follow it " +
        "(403 AuthorizationFailed)",
      next:
        "give it Microsoft.Network/locations/operations/read and Microsoft.Network/locations/" +
        "operationResults/read by a role at the resource group, as a role on the resource alone " +
        "does not reach them",
    });
  });

  it("a poll refused for an expired token is repeated and followed to its end", async () => {
    const bench = armBench();
    const { clock } = bench.site;
    const tokens = new Set<string>();
    bench.alter = (reply, request) => {
      if (!isPoll(request)) return reply;
      tokens.add(JSON.stringify(bench.sent.length));
      return tokens.size === 1 ? answer(401, "ExpiredAuthenticationToken") : reply;
    };
    const want = bench.newWant("link1");
    await bench.put("link1", want);
    await clock.runFor(11 * second);
    const first = await bench.observe("link1");
    expect(first.details?.unfollowed?.text).toContain("has expired");
    const all = await reads(bench, bench.peer("link1"), 60 * second);
    const last = all.at(-1)?.state;
    // The operation says so: the document alone would not have decided yet.
    expect([last?.provisioning, last?.details?.unfollowed]).toEqual(["settled", undefined]);
    expect(settledAt(all)).toBeLessThan(putGraceMs - 11 * second);
  });

  it("a refused poll is shown until the right is given", async () => {
    const bench = armBench();
    refuse(bench, [403, "AuthorizationFailed"]);
    await bench.put("link1", bench.newWant("link1"));
    await reads(bench, bench.peer("link1"), putGraceMs + 2 * restMs);
    await bench.site.clock.runFor(60 * second);
    expect((await bench.observe("link1")).details?.unfollowed).toBeDefined();
    bench.alter = (reply) => reply;
    await bench.site.clock.runFor(60 * second);
    const { provisioning, details } = await bench.observe("link1");
    expect([provisioning, details?.unfollowed]).toEqual(["settled", undefined]);
  });

  it("a poll of an operation that Azure forgot ends once the document has decided", async () => {
    const bench = armBench();
    refuse(bench, [404, "ResourceNotFound"]);
    await bench.put("link1", bench.newWant("link1"));
    await reads(bench, bench.peer("link1"), putGraceMs + 2 * restMs);
    const polls = (): number => bench.sent.filter(isPoll).length;
    const before = polls();
    await reads(bench, bench.peer("link1"), 60 * second);
    expect([before > 5, polls()]).toEqual([true, before]);
  });
});
