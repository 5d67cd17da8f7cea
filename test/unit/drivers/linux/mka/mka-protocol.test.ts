import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { MkaMemory } from "#drivers/linux/mka/control-server.ts";
import { readMemory, writeMemory } from "#drivers/linux/mka/memory.ts";
import {
  type MkaRequest,
  type RequestedOperation,
  readReply,
  readRequest,
  requestBytesMax,
  writeReply,
  writeRequest,
} from "#drivers/linux/mka/protocol.ts";
import type { KaySnapshot } from "#drivers/linux/mka/snapshot.ts";
import { fillOctets } from "#drivers/transport/octets.ts";
import { Malformed } from "#hal/decoder.ts";
import { LinksealError } from "#hal/error.ts";
import { encodeJson } from "#hal/json.ts";
import { type Ckn, parseCkn } from "#hal/model.ts";
import type { Octets } from "#hal/netlink.ts";
import { Secret } from "#hal/secret.ts";
import type { WallTime } from "#hal/world.ts";
import { effort } from "../../../../effort.ts";

const numRuns = effort(2_000, 100_000);

function bytesOf(octets: Octets): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(octets.reduce((sum, part) => sum + part.byteLength, 0));
  fillOctets(octets, bytes);
  return bytes;
}

const secretOf = (octets: Uint8Array, label = "cak"): Secret =>
  Secret.take(label, Uint8Array.from(octets));
const hex = (bytes: number): fc.Arbitrary<string> =>
  fc.uint8Array({ minLength: bytes, maxLength: bytes }).map((o) => Buffer.from(o).toString("hex"));
const ckn = fc
  .uint8Array({ minLength: 1, maxLength: 32 })
  .map((octets) => parseCkn(Buffer.from(octets).toString("hex")) as Ckn);
const token = fc.stringMatching(/^[!-~]{1,64}$/);
const within = fc.oneof(fc.constant("final" as const), fc.nat(86_400_000));
const cakBytes = fc.constantFrom(16, 32);
const cak = cakBytes.chain((bytes) => fc.uint8Array({ minLength: bytes, maxLength: bytes }));
const settings = fc.record({
  keyServerPriority: fc.nat(255),
  delayProtection: fc.constantFrom("on" as const, "off" as const),
  sakRekeyMs: fc.option(fc.integer({ min: 1, max: 2 ** 32 - 1 }), { nil: undefined }),
});

const keyed = fc
  .record({ kind: fc.constantFrom("add", "replace"), ckn, key: cak })
  .map((reported) => ({ ...reported, key: secretOf(reported.key) }) as RequestedOperation);
const operations: fc.Arbitrary<RequestedOperation> = fc.oneof(
  keyed,
  fc.record({ kind: fc.constant("configure" as const), settings }),
  fc.record({ kind: fc.constant("remove" as const), ckn }),
  fc.constant<RequestedOperation>({ kind: "rekey" }),
);
const requests: fc.Arbitrary<MkaRequest> = fc.oneof(
  fc.record({
    kind: fc.constant("stage" as const),
    token,
    place: fc.nat(255),
    operation: operations,
  }),
  fc.record({ kind: fc.constant("apply" as const), token, within }),
  fc.record({ kind: fc.constantFrom("confirm", "recall", "rollback"), token }),
  fc.constant<MkaRequest>({ kind: "observe" }),
  fc.record({
    kind: fc.constant("changes" as const),
    after: fc.nat(2 ** 32 - 1),
    waitMs: fc.nat(60_000),
  }),
);

const keyIn = (request: MkaRequest): Secret | undefined =>
  request.kind === "stage" && "key" in request.operation ? request.operation.key : undefined;

describe("requests to the MKA process", () => {
  it("requests are decoded as they were encoded", () => {
    fc.assert(
      fc.property(requests, (request) => {
        const octets = bytesOf(writeRequest(request));
        expect(octets.length).toBeLessThanOrEqual(requestBytesMax);
        const read = readRequest(octets);
        const [was, is] = [keyIn(request), keyIn(read)];
        expect(is === undefined).toBe(was === undefined);
        if (was !== undefined) expect(is?.equals(was)).toBe(true);
        // A key is compared by its octets, and the rest by value.
        expect(encodeJson(read)).toEqual(encodeJson(request));
      }),
      { numRuns },
    );
  });

  it("damaged requests are malformed or encode to the same octets", () => {
    const mutation = fc.tuple(requests, fc.nat(300), fc.nat(255), fc.nat(3));
    fc.assert(
      fc.property(mutation, fc.uint8Array({ maxLength: 300 }), ([request, at, to, how], noise) => {
        const octets = bytesOf(writeRequest(request));
        const changed = Uint8Array.from(octets);
        changed[at % octets.length] = to;
        const cut = octets.slice(0, at % (octets.length + 1));
        const reported = [noise, changed, cut, Uint8Array.of(...octets, to)][how] ?? noise;
        const before = hexOf(reported);
        // A request that is decoded means exactly its octets.
        expect([before, "malformed"]).toContain(understood(reported));
      }),
      { numRuns },
    );
  });

  it("a decoded request leaves no key in the octets that it came in", () => {
    const request: MkaRequest = {
      ...{ kind: "stage", token: "t", place: 0 },
      operation: { kind: "add", ckn: "aa" as Ckn, key: secretOf(new Uint8Array(32).fill(0x5a)) },
    };
    const octets = bytesOf(writeRequest(request));
    expect(hexOf(octets)).toContain("5a".repeat(32));
    readRequest(octets);
    expect(hexOf(octets)).not.toContain("5a5a");
  });

  it("FIA_PSK_EXT.1: a CAK of another length is malformed", () => {
    for (const bytes of [1, 15, 17, 24, 31, 33]) {
      const key = secretOf(new Uint8Array(bytes).fill(0x5a));
      const operation = { kind: "add", ckn: "aa" as Ckn, key } as const;
      const octets = bytesOf(writeRequest({ kind: "stage", token: "t", place: 0, operation }));
      expect(understood(octets)).toBe("malformed");
    }
  });

  function understood(octets: Uint8Array): string {
    try {
      return hexOf(bytesOf(writeRequest(readRequest(octets))));
    } catch (error) {
      if (!(error instanceof Malformed)) throw error;
      return "malformed";
    }
  }

  const hexOf = (octets: Uint8Array): string => Buffer.from(octets).toString("hex");
});

describe("answers of the MKA process", () => {
  it("replies are decoded as they were encoded, and others are unparsed", () => {
    fc.assert(
      fc.property(fc.constantFrom("done", "refused"), fc.string(), (kind, body) => {
        const text = body.toWellFormed();
        // A byte order mark is not part of a text.
        fc.pre(!text.startsWith("\ufeff"));
        expect(readReply(writeReply({ kind, body: text }))).toEqual({ kind, body: text });
      }),
      { numRuns },
    );
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 50 }), (octets) => {
        try {
          readReply(octets);
        } catch (error) {
          expect(error).toBeInstanceOf(LinksealError);
        }
      }),
      { numRuns },
    );
  });
});

const uint32 = fc.nat(2 ** 32 - 1);
const peer = fc.record({
  ...{ mi: hex(12), sci: hex(8), mn: uint32, version: fc.nat(255), priority: fc.nat(255) },
  ...{ keyServer: fc.boolean(), kn: uint32 },
});
const actor = fc
  .record({ ckn, mi: hex(12), mnReserved: uint32, kn: uint32, peers: fc.array(peer), ick: cak })
  .map((reported) => ({
    ...reported,
    ick: secretOf(reported.ick),
    kek: secretOf(reported.ick.toReversed()),
  }));
const sak = fc.record({
  slot: fc.constantFrom("latest" as const, "old" as const),
  keyIdentifier: fc.record({ mi: hex(12), kn: uint32 }),
  an: fc.nat(3),
  ageMs: fc.nat(1_000_000),
  members: fc.array(hex(12), { maxLength: 4 }),
  ssci: fc.option(uint32, { nil: undefined }),
});
const undo = fc.oneof(
  fc.record({ kind: fc.constant("remove" as const), ckn }),
  fc.record({ kind: fc.constant("configure" as const), settings }),
);
const memories: fc.Arbitrary<MkaMemory> = fc.record({
  settings,
  pending: fc.option(
    fc.record({
      ...{ token, leftMs: fc.nat(86_400_000), undo: fc.array(undo, { maxLength: 4 }) },
      preview: fc.constantFrom("", "+ CAK aa [secret cak]\n- CAK bb"),
    }),
    { nil: undefined },
  ),
  snapshot: fc.option(
    fc.record({
      actors: fc.array(actor, { maxLength: 4 }),
      principal: fc.option(ckn, { nil: undefined }),
      saks: fc.array(sak, { maxLength: 2 }),
      kept: fc.array(fc.record({ sci: hex(8), leftMs: fc.nat(6000) }), { maxLength: 4 }),
      spent: fc.array(fc.record({ mi: hex(12), kn: uint32 }), { maxLength: 4 }),
      lastAn: fc.option(fc.nat(3), { nil: undefined }),
    }),
    { nil: undefined },
  ),
});

describe("the state that one MKA process leaves to the next", () => {
  const wall = 1_000_000 as WallTime;
  const later = 1_004_000 as WallTime;

  it("the state is decoded as it was encoded, older by the time without a process", () => {
    fc.assert(
      fc.property(memories, (memory) => {
        const octets = bytesOf(writeMemory(memory, wall));
        const read = readMemory(octets, later);
        expect(octets.every((one) => one === 0)).toBe(true);
        const { snapshot, pending } = memory;
        expect(read.settings).toEqual(memory.settings);
        expect(read.pending?.leftMs).toBe(
          pending === undefined ? undefined : Math.max(0, pending.leftMs - 4000),
        );
        expect(read.pending?.undo).toEqual(pending?.undo);
        const aged = snapshot?.saks.map((one) => ({ ...one, ageMs: one.ageMs + 4000 }));
        expect(read.snapshot?.saks).toEqual(aged);
        const kept = snapshot?.kept.map(({ sci, leftMs }) => {
          return { sci, leftMs: Math.max(0, leftMs - 4000) };
        });
        expect(read.snapshot?.kept).toEqual(kept);
        expect(read.snapshot?.spent).toEqual(snapshot?.spent);
        expect(read.snapshot?.principal).toBe(snapshot?.principal);
        for (const [index, one] of (snapshot?.actors ?? []).entries()) {
          const other = read.snapshot?.actors[index];
          expect(other?.ick.equals(one.ick)).toBe(true);
          expect(other?.kek.equals(one.kek)).toBe(true);
          expect({ ...other, ick: 0, kek: 0 }).toEqual({ ...one, ick: 0, kek: 0 });
        }
        // A clock that was set back counts as no time.
        const again = bytesOf(writeMemory(memory, later));
        expect(readMemory(again, wall).pending?.leftMs).toBe(pending?.leftMs);
      }),
      { numRuns: numRuns / 10 },
    );
  });

  it("the state of 0.2.0, without channels and spent SAKs, is decoded", () => {
    const older = { actors: [], principal: undefined, saks: [], lastAn: 1 } as object;
    const snapshot = older as KaySnapshot;
    const settings = {
      keyServerPriority: 9,
      sakRekeyMs: undefined,
      delayProtection: "off",
    } as const;
    const octets = bytesOf(writeMemory({ settings, pending: undefined, snapshot }, wall));
    expect(readMemory(octets, later).snapshot).toEqual({ ...snapshot, kept: [], spent: [] });
  });

  it("damaged state is malformed and nothing else", () => {
    const damage = fc.tuple(memories, fc.nat(10_000), fc.nat(255), fc.nat(2));
    fc.assert(
      fc.property(damage, fc.uint8Array({ maxLength: 200 }), ([memory, at, to, how], noise) => {
        const octets = bytesOf(writeMemory(memory, wall));
        const changed = Uint8Array.from(octets);
        changed[at % octets.length] = to;
        const reported = [noise, changed, octets.slice(0, at % octets.length)][how] ?? noise;
        try {
          readMemory(reported, later);
        } catch (error) {
          expect(error).toBeInstanceOf(Malformed);
        }
      }),
      { numRuns: numRuns / 2 },
    );
  });
});
