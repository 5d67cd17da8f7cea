import { describe, expect, it } from "vitest";
import { locate, type Mkpdu, parse } from "#drivers/linux/mka/mkpdu.ts";
import { Prng } from "#sim/base/prng.ts";
import { effort } from "../../../../effort.ts";
import { caOf, pair, Site } from "../../../kit/kay-kit.ts";
import { built, mkpduOf } from "../../../kit/kay-recorded.ts";
import { type Station, sciA, sciB, sciC } from "../../../kit/kay-station.ts";

const seed = process.env["LINKSEAL_SEED"] ?? "change";
const old = caOf("old");
const next = caOf("next");

type Act = "add" | "promote" | "remove";
type Move = readonly [end: "a" | "b", act: Act];

const lost = (...stations: Station[]): string[] => stations.flatMap(({ data }) => data.lost);

/** Every order in which both ends go through their acts. */
function orders(a: readonly Act[], b: readonly Act[]): Move[][] {
  const [firstA, ...restA] = a;
  const [firstB, ...restB] = b;
  if (firstA === undefined && firstB === undefined) return [[]];
  const begun = (end: "a" | "b", act: Act, rest: Move[][]): Move[][] =>
    rest.map((moves) => [[end, act], ...moves]);
  return [
    ...(firstA === undefined ? [] : begun("a", firstA, orders(restA, b))),
    ...(firstB === undefined ? [] : begun("b", firstB, orders(a, restB))),
  ];
}

// Without a key that both ends have, frames are lost in any case.
const hasCommonKey = (moves: readonly Move[]): boolean => {
  const added = (end: string) => moves.findIndex(([who, act]) => who === end && act === "add");
  const removed = moves.findIndex(([, act]) => act === "remove");
  return removed === -1 || removed > Math.max(added("a"), added("b"));
};

const whole: readonly Act[] = ["add", "promote", "remove"];
const bare: readonly Act[] = ["add", "remove"];
const allOrders = [
  ...orders(whole, whole),
  ...orders(bare, whole),
  ...orders(whole, bare),
  ...orders(bare, bare),
].filter(hasCommonKey);

function act(station: Station, what: Act): void {
  switch (what) {
    case "add":
      station.add(next);
      return;
    case "promote":
      station.command({ kind: "promoteActor", ckn: next.ckn });
      return;
    case "remove":
      station.command({ kind: "removeActor", ckn: old.ckn });
      return;
  }
}

function mkpduIn(frame: Uint8Array): Mkpdu | undefined {
  const located = locate(frame);
  const mkpdu = located.kind === "located" ? parse(located) : located;
  return "kind" in mkpdu ? undefined : mkpdu;
}

const named = (moves: readonly Move[]): string => moves.map((move) => move.join(" ")).join(", ");

describe("an old and a new CAK side by side", () => {
  it.each(allOrders.map((moves) => [named(moves), moves] as const))(
    'the order "%s" of a key change loses no frame',
    async (name, moves) => {
      for (const patient of [true, false]) {
        const { site, a, b } = pair(`${seed}/${name}/${patient}`, [old]);
        await site.secured();
        await site.run(5000);
        for (const [end, what] of moves) {
          act(end === "a" ? a : b, what);
          if (patient) await site.run(12_000);
          else await site.run(site.prng.between(0, 400));
        }
        await site.run(20_000);
        expect(site.broken).toEqual([]);
        expect(lost(a, b)).toEqual([]);
        for (const { session, kay } of [a, b]) {
          expect(session).toMatchObject({
            controlledPort: "secured",
            principalCkn: next.ckn,
            livePeers: 1,
            respondedPeers: 1,
          });
          expect(kay.observe(site.now).keys).toEqual([{ ckn: next.ckn, role: "primary" }]);
        }
        expect(a.session.latestSak).toEqual(b.session.latestSak);
        expect(a.session.oldSak).toBeUndefined();
        expect(a.all("sakMade").at(-1)).toMatchObject({ ckn: next.ckn, why: "keyServer" });
        expect(a.all("sakMade")).toHaveLength(2);
        expect(b.all("sakMade")).toEqual([]);
      }
    },
  );

  it("all 38 orders of a key change with a common key are tested", () => {
    expect(allOrders).toHaveLength(38);
  });

  it("with two CAKs both CAs are live, and SAKs come on the primary one alone", async () => {
    const { site, a, b } = pair("beside", [old, next], { sakRekeyMs: 20_000 });
    await site.run(120_000);
    for (const { session } of [a, b]) {
      expect(session.principalCkn).toBe(old.ckn);
      expect(session.participants).toEqual([
        { ckn: old.ckn, state: "live", livePeers: 1, potentialPeers: 0 },
        { ckn: next.ckn, state: "live", livePeers: 1, potentialPeers: 0 },
      ]);
    }
    expect(a.all("sakMade").length).toBeGreaterThan(4);
    // Only the principal CA reports SAKs; the other reports that it is used, without any.
    const shown = a.sent.flatMap((frame) => mkpduIn(frame) ?? []);
    const uses = [old, next].map(({ ckn }) => shown.findLast(({ basic }) => basic.ckn === ckn));
    expect(uses[0]?.sakUse).toMatchObject({ kind: "used", old: { transmit: true } });
    expect(uses[1]?.sakUse).toMatchObject({ kind: "used", latest: undefined, old: undefined });
    expect(new Set(a.all("sakMade").map(({ ckn }) => ckn))).toEqual(new Set([old.ckn]));
    expect(a.kay.observe(site.now).keys).toEqual([
      { ckn: old.ckn, role: "primary" },
      { ckn: next.ckn, role: "fallback" },
    ]);
    expect(site.broken).toEqual([]);
    expect(lost(a, b)).toEqual([]);
  });

  it("a promotion in the middle of a rekeying makes one more SAK, after it", async () => {
    const { site, a, b } = pair("middle", [old, next]);
    await site.secured();
    await site.run(5000);
    a.command({ kind: "rekeySak" });
    await site.until("A transmits under the second", () => a.secy.encodingAn === 1);
    a.command({ kind: "promoteActor", ckn: next.ckn });
    await site.run(20_000);
    expect(a.all("sakMade").map(({ ckn, why }) => [ckn, why])).toEqual([
      [old.ckn, "first"],
      [old.ckn, "command"],
      [next.ckn, "keyServer"],
    ]);
    expect(a.session.latestSak?.keyId).toMatch(/\/1$/);
    expect(a.session.latestSak).toEqual(b.session.latestSak);
    expect(site.broken).toEqual([]);
    expect(lost(a, b)).toEqual([]);
  });

  it("a key that only one end has changes nothing", async () => {
    const { site, a, b } = pair("one end", [old]);
    await site.secured();
    await site.run(10_000);
    const before = a.session.latestSak;
    a.add(next, "primary");
    b.add(caOf("another"), "primary");
    await site.run(30_000);
    expect(a.session).toMatchObject({ principalCkn: old.ckn, latestSak: before });
    expect(a.session.participants[0]).toMatchObject({ ckn: next.ckn, state: "active" });
    expect(lost(a, b)).toEqual([]);
  });

  it("a fallback takes over when the primary key is gone at the other end", async () => {
    const site = new Site("fallback");
    const a = site.add({ sci: sciA, cas: [old, next] });
    const b = site.add({ sci: sciB, cas: [old], keyServerPriority: 32 });
    await site.secured();
    await site.run(10_000);
    site.watches = "keys";
    // A far end with one key: the old one ends, and the new one begins without a SAK.
    b.kill();
    b.begin("nothing", "new");
    b.add(next);
    const took = await site.until("secured by the next", () => b.isSecured && a.isSecured);
    expect(took).toBeLessThan(500);
    expect(a.session.principalCkn).toBe(next.ckn);
    await site.run(10_000);
    expect(a.session.latestSak).toEqual(b.session.latestSak);
    expect(site.broken).toEqual([]);
  });

  it("a fallback takes over at once when the other end is the key server", async () => {
    const site = new Site("fallback member");
    const a = site.add({ sci: sciA, cas: [old, next] });
    const b = site.add({ sci: sciB, cas: [old], keyServerPriority: 8 });
    await site.secured();
    await site.run(10_000);
    site.watches = "keys";
    b.kill();
    b.begin("nothing", "new");
    b.add(next);
    const took = await site.until("secured by the next", () => b.isSecured && a.isSecured);
    expect(took).toBeLessThan(1500);
    expect(a.session.principalCkn).toBe(next.ckn);
  });

  it("a promotion waits for a station that is not in the other CA", async () => {
    const site = new Site("left behind");
    site.watches = "keys";
    const a = site.add({ sci: sciA, cas: [old, next] });
    const b = site.add({ sci: sciB, cas: [old, next], keyServerPriority: 32 });
    const c = site.add({ sci: sciC, cas: [old], keyServerPriority: 48 });
    await site.until("all three", () => a.session.respondedPeers === 2);
    await site.run(10_000);
    const before = a.session.latestSak;
    for (const { data } of [a, b, c]) data.lost.length = 0;
    a.command({ kind: "promoteActor", ckn: next.ckn });
    await site.run(20_000);
    expect(a.session).toMatchObject({ principalCkn: old.ckn, latestSak: before });
    c.add(next);
    await site.run(20_000);
    expect([a, b, c].map(({ session }) => session.principalCkn)).toEqual([
      next.ckn,
      next.ckn,
      next.ckn,
    ]);
    expect(lost(a, b, c).slice(0, 3), site.describe()).toEqual([]);
  });

  it("issue 32: a lost hello moves no SAK to the other CA", async () => {
    const { site, a, b } = pair("lost hello", [old, next]);
    await site.secured();
    await site.run(10_000);
    // A hello of B in the old CA is lost: it is silent there, and live still.
    const carry = site.carry.bind(site);
    let drops = 1;
    site.carry = (from, frame) => {
      if (from === b && mkpduIn(frame)?.basic.ckn === old.ckn && drops > 0) drops -= 1;
      else carry(from, frame);
    };
    await site.run(20_000);
    expect(drops).toBe(0);
    expect(a.all("peerLost")).toEqual([]);
    expect(a.all("principal")).toEqual([{ kind: "principal", ckn: old.ckn }]);
    expect(a.all("sakMade")).toHaveLength(1);
    expect(lost(a, b)).toEqual([]);
  });

  it("issue 32: a SAK on its way in one CA is not overtaken by one of another CA", async () => {
    const { site, a, b } = pair("overtaken", [old, next]);
    await site.secured();
    await site.run(10_000);
    // MKPDUs of A in the next CA are late: what A sends in the old one after them comes first.
    const carry = site.carry.bind(site);
    site.carry = (from, frame) => {
      const isLate = from === a && mkpduIn(frame)?.basic.ckn === next.ckn;
      if (isLate) site.clock.after(50, () => carry(from, frame));
      else carry(from, frame);
    };
    const promote = (ckn: typeof old.ckn) => a.command({ kind: "promoteActor", ckn });
    promote(next.ckn);
    await site.until(
      "A receives",
      () => a.session.latestSak?.receive === true && a.session.latestSak.an === 1,
    );
    await site.run(20);
    promote(old.ckn);
    await site.run(30_000);
    expect(a.all("sakMade").map(({ ckn }) => ckn)).toEqual([old.ckn, next.ckn, old.ckn]);
    expect(a.session.latestSak).toEqual(b.session.latestSak);
    expect(a.session.principalCkn).toBe(old.ckn);
    expect(site.broken).toEqual([]);
    expect(lost(a, b)).toEqual([]);
  });

  const runs = effort(15, 500);
  it(`key changes on a bad wire, in ${runs} runs (seed ${seed}), end secured`, async () => {
    const prng = new Prng(seed);
    let clean = 0;
    for (let run = 0; run < runs; run += 1) {
      const moves = prng.pick(allOrders);
      const name = `${seed}/${run}: ${named(moves)}`;
      const { site, a, b } = pair(name, [old]);
      await site.secured();
      await site.run(5000);
      site.faults = { loss: prng.real() * 0.15, twice: 0.1, lateMs: prng.pick([0, 50]) };
      for (const [end, what] of moves) {
        act(end === "a" ? a : b, what);
        await site.run(prng.between(2000, 15_000));
      }
      await site.run(20_000);
      site.faults = { loss: 0, twice: 0, lateMs: 0 };
      await site.run(20_000);
      const stillOld = [a, b].filter(({ session }) => session.principalCkn !== next.ckn);
      expect(stillOld.length, name + site.describe()).toBe(0);
      expect(a.session.latestSak, name).toEqual(b.session.latestSak);
      expect(
        site.broken.filter((line) => !line.includes("has not got it")),
        name,
      ).toEqual([]);
      // The frames of a peer that was lost for a life time are lost too.
      const gone = [a, b].some(({ events }) =>
        events.some((event) => event.kind === "controlledPort" && event.is === "blocked"),
      );
      if (gone) continue;
      clean += 1;
      expect(lost(a, b), name).toEqual([]);
      expect(site.broken, name).toEqual([]);
    }
    console.log(`seed ${seed}: ${clean} of ${runs} without a lost peer`);
    expect(clean).toBeGreaterThan(runs / 2);
  });
});

describe("promotions back and forth", () => {
  const runs = effort(30, 500);
  it(`both CAs in turn on a bad wire, in ${runs} runs (seed ${seed}), end secured`, async () => {
    const prng = new Prng(`${seed} back and forth`);
    let clean = 0;
    for (let run = 0; run < runs; run += 1) {
      const name = `${seed}/${run}`;
      const { site, a, b } = pair(`back/${name}`, [old, next]);
      await site.secured();
      await site.run(5000);
      site.faults = { loss: prng.real() * 0.15, twice: 0.1, lateMs: prng.pick([0, 50, 500]) };
      for (let count = 0; count < 8; count += 1) {
        const { ckn } = prng.pick([old, next]);
        prng.pick([a, b]).command({ kind: "promoteActor", ckn });
        await site.run(prng.pick([20, 200, 2000, 10_000]) * prng.real());
      }
      await site.run(20_000);
      site.faults = { loss: 0, twice: 0, lateMs: 0 };
      await site.run(20_000);
      expect(a.session.latestSak, name + site.describe()).toEqual(b.session.latestSak);
      const gone = [a, b].some(({ events }) => events.some(({ kind }) => kind === "peerLost"));
      if (gone) continue;
      clean += 1;
      expect(lost(a, b).slice(0, 3), name).toEqual([]);
      expect(site.broken, name).toEqual([]);
    }
    console.log(`seed ${seed}: ${clean} of ${runs} without a lost peer`);
    expect(clean).toBeGreaterThan(runs / 2);
  });
});

describe("a far end with one key at a time", () => {
  // The far end takes another MI at an SCI that it knows for an attack, until the former one has
  // expired.
  it("a far end with one key finds the same member while the old SAK is given up", async () => {
    const { site, a, b } = pair("one key at a time", [old, next]);
    b.command({ kind: "removeActor", ckn: next.ckn });
    await site.secured();
    await site.run(10_000);
    const shown = (ckn: string) =>
      a.sent.flatMap((frame) => mkpduIn(frame)?.basic ?? []).filter((basic) => basic.ckn === ckn);
    const [ours, theirs] = [shown(next.ckn).at(-1), shown(old.ckn).at(-1)];
    b.kill();
    await site.run(4_500);
    // The far end has restarted, and has only the other key.
    const far = {
      ...{ ca: next, version: 3, priority: 32, keyServer: false },
      mi: "ab".repeat(12),
    };
    const hello = (mn: number, rest: Parameters<typeof mkpduOf>[2] = {}) =>
      a.hear(built(mkpduOf({ ...far, sci: sciB }, mn, rest), next));
    hello(1);
    await site.until("the SAK is given up", () => !a.isSecured, 6_000);
    expect(shown(next.ckn).at(-1)?.mi).toBe(ours?.mi);
    // A member of the SAK that was given up is a new instance.
    expect(shown(old.ckn).at(-1)?.mi).not.toBe(theirs?.mi);
    const { mi = "", mn = 0 } = shown(next.ckn).at(-1) ?? {};
    hello(2, { livePeers: [{ mi, mn }] });
    expect(a.session).toMatchObject({ principalCkn: next.ckn, livePeers: 1 });
    await site.run(100);
    expect(a.all("sakMade").at(-1)).toMatchObject({ ckn: next.ckn });
  });
});

describe("actors on one SecY", () => {
  it("FIA_PSK_EXT.1: a CKN names one CAK, and a SecY has at most four CAs", () => {
    const site = new Site("refusals");
    const a = site.add({ sci: sciA, cas: [old] });
    a.add({ ...next, ckn: old.ckn });
    a.command({ kind: "removeActor", ckn: next.ckn });
    a.command({ kind: "promoteActor", ckn: next.ckn });
    for (const name of ["2", "3", "4", "5"]) a.add(caOf(name));
    expect(a.all("commandRefused").map(({ why }) => why)).toEqual([
      "cknInUse",
      "unknownCkn",
      "unknownCkn",
      "tooManyActors",
    ]);
    expect(a.kay.observe(site.now).keys).toHaveLength(4);
  });

  it("FMT_SMF.1: frames with a removed CKN are refused though the peer still uses it", async () => {
    const { site, a, b } = pair("expired", [old, next]);
    await site.secured();
    await site.run(5000);
    a.command({ kind: "promoteActor", ckn: next.ckn });
    await site.run(10_000);
    a.command({ kind: "removeActor", ckn: old.ckn });
    const before = a.kay.observe(site.now).mkpdus;
    await site.run(20_000);
    const after = a.kay.observe(site.now).mkpdus;
    expect(after.unknownCkn - before.unknownCkn).toBeGreaterThan(8n);
    expect(after.icvFailed).toBe(0n);
    expect(b.session.participants).toMatchObject([
      { ckn: old.ckn, state: "active", livePeers: 0 },
      { ckn: next.ckn, state: "live" },
    ]);
    expect(lost(a, b)).toEqual([]);
  });

  it("after the last CA is removed the port is closed, and no MKPDU is sent", async () => {
    const { site, a, b } = pair("last", [old]);
    await site.secured();
    await site.run(5000);
    site.watches = "keys";
    a.command({ kind: "removeActor", ckn: old.ckn });
    await site.run(10);
    expect(a.secy.transmit.size).toBe(0);
    expect(a.secy.receive.size).toBe(0);
    expect(a.session).toMatchObject({ controlledPort: "blocked", principalCkn: undefined });
    expect(a.all("caRemoved")).toEqual([{ kind: "caRemoved", ckn: old.ckn }]);
    const sent = a.sent.length;
    await site.run(10_000);
    expect(a.sent).toHaveLength(sent);
    expect(b.isSecured).toBe(false);
    a.add(old);
    await site.secured();
  });
});
