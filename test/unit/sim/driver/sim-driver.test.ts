import { inspect } from "node:util";
import { describe, expect, it } from "vitest";
import { fillCommand, simPeer, simVault } from "#drivers/index.ts";
import type { TransactionToken } from "#hal/device.ts";
import { LinksealError } from "#hal/error.ts";
import { encodeJson } from "#hal/json.ts";
import type { KeyRef } from "#hal/model.ts";
import { command, Secret } from "#hal/secret.ts";
import {
  type Dialer,
  type HttpReply,
  type Instant,
  noChannels,
  noFrames,
  noPrograms,
  noSnmp,
  noStreams,
} from "#hal/world.ts";
import { SimClock } from "#sim/base/clock.ts";
import { Prng } from "#sim/base/prng.ts";
import {
  buildBench,
  capabilities,
  ckn,
  handlerDialer,
  never,
  openSim,
  portId,
  refused,
  sampleState,
  settled,
  wallStart,
} from "../../kit/site-bench.ts";

const key: KeyRef = {
  ckn: ckn("c"),
  cakSecretId: `https://demo.vault.sim/secrets/erd-1-cak/${"1".repeat(32)}`,
  cknSecretId: `https://demo.vault.sim/secrets/erd-1-ckn/${"2".repeat(32)}`,
};
const want = { key, suite: "gcm-aes-xpn-256", sci: "on", admin: "up" } as const;
const addKey = [{ kind: "macsec.addKey", port: "et-0/0/0", key, role: "primary" }] as const;
const cak = Uint8Array.from({ length: 32 }, (_, index) => 0xa0 + index);
const cakHex = Buffer.from(cak).toString("hex");
const keys = async (): Promise<Secret> => Secret.take("cak", cak.slice());

/** Returns a dialer that answers every call alike. */
function saying(status: number, body: string | Uint8Array): Dialer {
  const octets = typeof body === "string" ? new TextEncoder().encode(body) : body;
  return {
    http: async () => ({ status, headers: {}, body: octets }),
    routeTo: async () => undefined,
    resolve: async () => [],
    exec: noPrograms,
    framed: noFrames,
    stream: noStreams,
    channel: noChannels,
    snmp: noSnmp,
  };
}

function failing(error: LinksealError): Dialer {
  return { ...saying(0, ""), http: () => Promise.reject(error) };
}

/** Opens a device and prepares a transaction; afterwards the dialer answers. */
async function openOver(dial: Dialer, clock = new SimClock(wallStart)) {
  let current = saying(200, encodeJson({ capabilities }));
  const moving: Dialer = { ...current, http: (request, signal) => current.http(request, signal) };
  const device = await openSim(clock, moving, "unix:/x");
  current = saying(200, '{"token":"t-1","preview":""}');
  const transaction = await device.prepare(addKey, keys, never);
  current = dial;
  return { ...device, transaction };
}

describe("an observation of the simulated driver", () => {
  const good = (): Record<string, unknown> =>
    JSON.parse(encodeJson(sampleState("edge-a", 0 as Instant)));
  const portOf = (state: Record<string, unknown>) =>
    (state["macsec"] as Record<string, Record<string, Record<string, unknown>>>[])[0];

  it.each<[string, (state: Record<string, unknown>) => unknown]>([
    ["another device", (state) => ({ ...state, device: "edge-b" })],
    ["no time", (state) => ({ ...state, at: null })],
    ["a list for a state", (state) => [state]],
    ["a port twice", (state) => ({ ...state, macsec: [portOf(state), portOf(state)] })],
    ["too many ports", (state) => ({ ...state, macsec: Array(513).fill(portOf(state)) })],
    ["a port without a name", (state) => ({ ...state, macsec: [{ ...portOf(state), port: "" }] })],
    [
      "a name with an escape",
      (state) => ({ ...state, macsec: [{ ...portOf(state), port: "\u001b[2J" }] }),
    ],
    ["an unknown kind of reading", (state) => ({ ...state, control: { kind: "maybe", at: 0 } })],
    [
      "an unknown reason",
      (state) => ({ ...state, control: { kind: "unknown", at: 0, why: "tired" } }),
    ],
    ["a missing reading", ({ routing: _routing, ...state }) => state],
    [
      "a counter as a number",
      (state) => {
        Object.assign(portOf(state)?.["frames"]?.["value"] ?? {}, { rxOk: 7 });
        return state;
      },
    ],
    [
      "a negative counter",
      (state) => {
        Object.assign(portOf(state)?.["frames"]?.["value"] ?? {}, { rxOk: { "#": "-7" } });
        return state;
      },
    ],
    [
      "a CKN of no octet",
      (state) => {
        Object.assign(portOf(state)?.["session"]?.["value"] ?? {}, { principalCkn: "abc" });
        return state;
      },
    ],
    [
      "half a peer",
      (state) => {
        Object.assign(portOf(state)?.["session"]?.["value"] ?? {}, { livePeers: 0.5 });
        return state;
      },
    ],
    [
      "fewer than no peers",
      (state) => {
        Object.assign(portOf(state)?.["session"]?.["value"] ?? {}, { respondedPeers: -1 });
        return state;
      },
    ],
    [
      "a negative rate",
      (state) => {
        Object.assign(portOf(state)?.["rate"]?.["value"] ?? {}, { txPps: -1 });
        return state;
      },
    ],
  ])("with %s is refused as unparsed", async (_name, spoil) => {
    const device = await openOver(saying(200, encodeJson(spoil(good()))));
    const error = await refused(device.observe(never));
    expect([error.code, error.effect, error.where]).toEqual(["device.unparsed", "none", "edge-a"]);
  });

  it("an observation is never newer than its reply, whatever the site claims", async () => {
    const clock = new SimClock(wallStart);
    const ahead = sampleState("edge-a", 9e12 as Instant);
    const stale = { ...ahead, control: { ...ahead.control, at: (9e12 - 5000) as Instant } };
    const device = await openOver(saying(200, encodeJson(stale)), clock);
    await clock.runFor(60_000);
    const state = await device.observe(never);
    expect([state.at, state.control.at, state.routing.at]).toEqual([60_000, 55_000, 60_000]);
  });
});

describe("the effect of a failed call", () => {
  const closed = new LinksealError("transport.closed", "no reply", {
    effect: "none",
    where: "unix:/x",
    next: "linkseal status",
  });
  const unreachable = new LinksealError("transport.unreachable", "the site does not answer", {
    effect: "none",
    where: "unix:/x",
    next: "linkseal status",
  });

  it.each([
    {
      name: "a lost reply",
      dial: failing(closed),
      read: "transport.closed none",
      write: "transport.closed unknown",
    },
    {
      name: "an unreachable site",
      dial: failing(unreachable),
      read: "transport.unreachable none",
      write: "transport.unreachable none",
    },
    {
      name: "an unknown refusal",
      dial: saying(500, "oops"),
      read: "device.unparsed none",
      write: "device.unparsed unknown",
    },
    {
      name: "a code that devices may not use",
      dial: saying(
        422,
        '{"code":"journal.corrupt","effect":"none","where":"x","text":"x","next":"x"}',
      ),
      read: "device.unparsed none",
      write: "device.unparsed unknown",
    },
    {
      name: "a refusal with effect applied",
      dial: saying(
        504,
        '{"code":"transport.closed","effect":"applied","where":"x","text":"x","next":"x"}',
      ),
      read: "transport.closed none",
      write: "transport.closed applied",
    },
  ])("$name: reading $dial is $read, writing is $write", async ({ dial, read, write }) => {
    const device = await openOver(dial);
    const reported = ({ code, effect }: LinksealError): string => `${code} ${effect}`;
    expect(reported(await refused(device.observe(never)))).toBe(read);
    expect(reported(await refused(device.prepare(addKey, keys, never)))).toBe(read);
    const put = simPeer(dial, "unix:/x", portId, "link1").put(want, async () => undefined, never);
    expect(reported(await refused(put))).toBe(write);
    expect(reported(await refused(device.transaction.apply("final", never)))).toBe(write);
    expect(reported(await refused(device.transaction.confirm(never)))).toBe(write);
    expect(reported(await refused(device.transaction.rollback(never)))).toBe(write);
  });

  const silent: Dialer = {
    ...saying(0, ""),
    http: (_request, signal) =>
      new Promise((_resolve, reject) => {
        signal.addEventListener("abort", () => reject(signal.reason));
      }),
  };

  it("a call without an answer ends at its deadline", async () => {
    const clock = new SimClock(wallStart);
    const device = await openOver(silent, clock);
    const error = await refused(settled(clock, device.routesTo("192.0.2.1", never)));
    expect([error.code, error.effect, clock.now()]).toEqual(["transport.timeout", "none", 20_000]);
  });

  it("a commit without an answer ends later than the slowest router", async () => {
    const clock = new SimClock(wallStart);
    const { transaction } = await openOver(silent, clock);
    const error = await refused(settled(clock, transaction.apply("final", never)));
    const reported = [error.code, error.effect, clock.now()];
    expect(reported).toEqual(["transport.timeout", "unknown", 45_000]);
  });

  it("a malformed answer of a vault is vault.unreachable", async () => {
    const vault = simVault(saying(500, "oops"), "unix:/x");
    expect((await refused(vault.versions("psk", never))).code).toBe("vault.unreachable");
    const id = "https://v/secrets/psk";
    expect((await refused(vault.read(id, never))).code).toBe("vault.malformedKey");
  });
});

describe("key octets", () => {
  const forms = [
    cakHex,
    cakHex.toUpperCase(),
    Buffer.from(cak).toString("latin1"),
    Buffer.from(cak).toString("base64"),
  ];

  it("key octets are filled in only by the transport, in the form of the hole", () => {
    using secret = Secret.take("cak", Uint8Array.of(0x0a, 0xff, 0x00));
    const hole = (as: "raw" | "hex" | "HEX") => ({ secret, as });
    const text = command`k=${hole("hex")} ${hole("HEX")} ${hole("raw")}.`;
    expect(Buffer.from(fillCommand(text)).toString("latin1")).toBe(
      "k=0aff00 0AFF00 \u000a\u00ff\u0000.",
    );
  });

  it.each([
    ["preview", 200, { token: "t-1", preview: `+ key ${cakHex}\n- ${cakHex.toUpperCase()}` }],
    ["refusal", 422, refusalOf(`bad line: set key ${cakHex.toUpperCase()}`)],
    ["token", 200, { token: `t-${cakHex}`, preview: "x" }],
    ["overlong refusal", 422, refusalOf(cakHex.repeat(99))],
  ])("key octets that a reply echoes in a %s are never shown", async (_name, status, body) => {
    const device = await openOver(saying(status, encodeJson(body)));
    const seen: string[] = [];
    try {
      seen.push(inspect(await device.prepare(addKey, keys, never)));
    } catch (error) {
      seen.push(inspect(error, { depth: 9 }));
    }
    const { length } = seen.join();
    expect(length).toBeGreaterThan(0);
    for (const form of forms) expect(seen.join()).not.toContain(form);
  });

  it("a key resolver that fails leaves no other secret behind", async () => {
    const held = Secret.take("cak", Uint8Array.of(1, 2, 3));
    const other = { ...key, cakSecretId: "https://v/secrets/other/1" };
    const device = await openOver(saying(200, "{}"));
    const change = [
      ...addKey,
      { kind: "macsec.replaceKey", port: "et-0/0/0", key: other } as const,
    ];
    let calls = 0;
    const resolver = async (): Promise<Secret> => {
      calls += 1;
      if (calls === 1) return held;
      throw new LinksealError("vault.denied", "no", { effect: "none", where: "v", next: "look" });
    };
    expect((await refused(device.prepare(change, resolver, never))).code).toBe("vault.denied");
    expect(() => held.use(() => 0)).toThrow("already wiped");
  });
});

function refusalOf(text: string): object {
  return { code: "device.rejected", effect: "none", where: "edge-a", text, next: "look" };
}

describe("malformed replies", () => {
  const junk = [
    null,
    -1,
    1e308,
    "",
    "\u0000\u001b[2J",
    [],
    {},
    true,
    { "#": "1" },
    "x".repeat(2000),
  ];

  function spoil(prng: Prng, reply: HttpReply): HttpReply {
    const status = prng.chance(0.1) ? prng.pick([0, 204, 404, 422, 500]) : reply.status;
    const { headers } = reply;
    const body = reply.body.slice();
    const text = new TextDecoder().decode(body);
    switch (prng.between(0, 3)) {
      case 0:
        body[prng.between(0, body.length - 1)] = prng.uint32() & 0xff;
        return { status, headers, body };
      case 1:
        return { status, headers, body: body.slice(0, prng.between(0, body.length - 1)) };
      case 2:
        return {
          status,
          headers,
          body: new TextEncoder().encode(text + text.slice(prng.between(0, 99))),
        };
      default:
        return { status, headers, body: new TextEncoder().encode(rewritten(prng, text)) };
    }
  }

  // One value somewhere in the tree becomes junk, disappears, or is repeated.
  function rewritten(prng: Prng, text: string): string {
    let left = prng.between(0, [...text.matchAll(/[,:[{]/g)].length);
    const alter = (value: unknown): unknown => {
      left -= 1;
      if (left === 0) return prng.chance(0.3) ? Array(600).fill(value) : prng.pick(junk);
      if (Array.isArray(value)) return value.map(alter);
      if (typeof value !== "object" || value === null) return value;
      return Object.fromEntries(
        Object.entries(value).map(([name, inner]) => [
          prng.chance(0.01) ? "__proto__" : name,
          alter(inner),
        ]),
      );
    };
    try {
      return JSON.stringify(alter(JSON.parse(text)));
    } catch {
      return text.slice(1);
    }
  }

  it("2,000 spoilt replies give a sound answer or a LinksealError", async () => {
    const seed = "malformed-replies-1";
    const prng = new Prng(seed);
    const bench = buildBench(seed);
    let spoiling = false;
    const dial = handlerDialer(bench.handler, (reply) => (spoiling ? spoil(prng, reply) : reply));
    const device = await settled(bench.clock, openSim(bench.clock, dial, "unix:/x"));
    const peer = simPeer(dial, "unix:/x", portId, "link1");
    const vault = simVault(dial, "unix:/x");
    const psk = bench.vault.put("psk", "swordfish", { tags: { a: "b" } });
    const calls: readonly (() => Promise<unknown>)[] = [
      () => device.observe(never),
      () => device.observe(never),
      () => device.observe(never),
      () => device.prepare(addKey, keys, never),
      () => device.recall("t-1" as TransactionToken, never),
      () => device.probe?.("et-0/0/0", 5, never) ?? Promise.resolve(),
      () => device.routesTo("192.0.2.1", never),
      () => openSim(bench.clock, dial, "unix:/x"),
      () => peer.observe(never),
      () => peer.put(want, async () => undefined, never),
      () => vault.versions("psk", never),
      () => vault.read(psk, never),
    ];
    spoiling = true;
    let refusedCount = 0;
    for (let turn = 0; turn < 2000; turn += 1) {
      const call = calls[turn % calls.length] ?? (() => Promise.resolve());
      try {
        assertSound(await settled(bench.clock, call()));
      } catch (error) {
        refusedCount += 1;
        const failure = error instanceof LinksealError ? undefined : error;
        expect(failure, `seed ${seed}, reply ${turn}`).toBeUndefined();
      }
    }
    expect(refusedCount).toBeGreaterThan(1000);
  });

  // An accepted value must not contain anything that breaks a reader: no junk number, no control
  // character.
  function assertSound(value: unknown): void {
    if (typeof value === "number" && !Number.isFinite(value)) throw new Error(`${value}`);
    if (typeof value === "string" && /[^\n\P{Cc}]/u.test(value))
      throw new Error("control character");
    if (value instanceof Secret || typeof value !== "object" || value === null) return;
    for (const inner of Object.values(value)) assertSound(inner);
  }
});
