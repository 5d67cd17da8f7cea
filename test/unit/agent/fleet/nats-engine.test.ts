// The client of the engine, and servers that are dead, slow or lying: each answer is ok, refused or
// unknown within its limit, and nothing that a server sends is kept.

import { afterEach, describe, expect, it } from "vitest";
import { answerMsMax, type EngineState, type Written } from "#agent/fleet/engine.ts";
import { NatsEngine } from "#agent/fleet/nats-engine.ts";
import { LinksealError } from "#hal/error.ts";
import { SimClock } from "#sim/base/clock.ts";
import { Prng } from "#sim/base/prng.ts";
import { never, settled, wallStart } from "../../kit/site-bench.ts";
import { Wire } from "../../kit/wire-kit.ts";

const info = 'INFO {"server_id":"S","max_payload":1048576,"headers":true,"nonce":"abc_D-1"}\r\n';
const token = "00".repeat(16);
const inbox = `linkseal.inbox.a.${token}`;
const octets = Buffer.from("value");

/** An engine and the servers that it dials, one wire after another. */
class Bench {
  readonly clock = new SimClock(wallStart);
  readonly wires: Wire[] = [];
  readonly states: EngineState[] = [];
  readonly engine: NatsEngine;
  readonly #end = new AbortController();
  isReachable = true;
  readonly lacks: string[] = [];

  /** `octet`: the value of every octet of the two that are drawn for a wait; 255 = the longest. */
  constructor({ octet = 255, ...role }: { readonly isHub?: true; readonly octet?: number } = {}) {
    const entropy = {
      bytes: (length: number) => new Uint8Array(length).fill(length === 2 ? octet : 0),
    };
    const key = { publicKey: "UKEY", sign: (nonce: string) => `signed ${nonce}` };
    this.engine = new NatsEngine({
      ...{ world: { clock: this.clock, entropy }, inbox: "linkseal.inbox.a", name: "linkseal a" },
      open: async () => {
        if (!this.isReachable) {
          const details = { effect: "none", where: "tls://hub:1", next: "wait" } as const;
          throw new LinksealError("transport.unreachable", "it does not answer", details);
        }
        const wire = new Wire();
        this.wires.push(wire);
        return { channel: wire, key };
      },
      ...role,
      changed: (state) => this.states.push(state),
      lacking: ({ reason, stream }) => {
        this.lacks.push(`${reason} ${stream}`);
      },
    });
    void this.engine.run(this.#end.signal);
  }

  get wire(): Wire {
    const wire = this.wires.at(-1);
    if (wire === undefined) throw new Error("no server was dialled");
    return wire;
  }

  async connect(): Promise<this> {
    await this.clock.runFor(1);
    this.wire.give(`${info}PONG\r\n`);
    await this.clock.runFor(1);
    return this;
  }

  /** The answer to a put, after the server has sent this. */
  async put(reply: string | Uint8Array): Promise<Written> {
    const written = this.engine.put("linkseal-status", "a", octets, never);
    await this.clock.runFor(1);
    this.wire.give(reply);
    return await settled(this.clock, written);
  }

  end(): void {
    this.#end.abort();
  }
}

const benches: Bench[] = [];
const bench = (...of: ConstructorParameters<typeof Bench>): Bench => {
  const made = new Bench(...of);
  benches.push(made);
  return made;
};
afterEach(() => {
  for (const each of benches.splice(0)) each.end();
});

const message = (body: string, headers = "", subject = `${inbox}.1`): string => {
  if (headers === "") return `MSG ${subject} 1 ${body.length}\r\n${body}\r\n`;
  const head = `${headers}\r\n\r\n`;
  return `HMSG ${subject} 1 ${head.length} ${head.length + body.length}\r\n${head}${body}\r\n`;
};
const ack = '{"stream":"KV_linkseal-status","seq":7}';
const place = "Nats-Stream: s\r\nNats-Subject: x";

describe("the client of the engine", () => {
  it("the client signs in, subscribes its own inbox alone, and is connected", async () => {
    const at = await bench().connect();
    expect(at.wire.sent).toContain('"nkey":"UKEY","sig":"signed abc_D-1"');
    expect(at.wire.sent).toContain(`SUB ${inbox}.* 1\r\nPING\r\n`);
    expect(at.engine.state.kind).toBe("connected");
  });

  it("an acknowledged write is ok; one dropped as a repeat is unknown", async () => {
    const at = await bench().connect();
    expect(await at.put(message(ack))).toEqual({ kind: "ok", revision: 7 });
    expect(at.wire.sent).toContain(`PUB $KV.linkseal-status.a ${inbox}.1 5\r\nvalue\r\n`);
    const dropped = '{"stream":"KV_linkseal-status","seq":7,"duplicate":true}';
    expect(await at.put(message(dropped, "", `${inbox}.2`))).toEqual({ kind: "unknown" });
  });

  it("a user whose subjects have no responder was silent: its stream is told once", async () => {
    const at = await bench().connect();
    await at.put(message(ack));
    expect(at.lacks).toEqual([]);
    await at.put(message("", "NATS/1.0 503", `${inbox}.2`));
    await at.put(message("", "NATS/1.0 503", `${inbox}.3`));
    expect(at.lacks).toEqual(["missing KV_linkseal-status"]);
  });

  it("a user that lacks a right was silent: its stream is told once", async () => {
    const at = await bench().connect();
    const refusal = "-ERR 'Permissions Violation for Publish to \"$KV.linkseal-status.a\"'\r\n";
    await at.put(refusal);
    await at.put(refusal);
    expect(at.lacks).toEqual(["denied KV_linkseal-status"]);
  });

  it.each<readonly [string, string, Written]>([
    ["no stream", message("", "NATS/1.0 503"), { kind: "refused", reason: "missing" }],
    [
      "another revision",
      message('{"error":{"code":400,"err_code":10071,"description":"x"},"seq":0}'),
      { kind: "refused", reason: "conflict" },
    ],
    [
      "a full subject",
      message('{"error":{"err_code":10077,"description":"maximum messages per subject exceeded"}}'),
      { kind: "refused", reason: "full" },
    ],
    ["another error", message('{"error":{"err_code":1}}'), { kind: "refused", reason: "other" }],
    [
      "no right",
      "-ERR 'Permissions Violation for Publish to \"$KV.linkseal-status.a\"'\r\n",
      { kind: "refused", reason: "denied" },
    ],
    ["no JSON", message("{"), { kind: "unknown" }],
    ["JSON of another kind", message("[1]"), { kind: "unknown" }],
    ["another stream", message('{"stream":"KV_x","seq":7}'), { kind: "unknown" }],
    ["number 0", message('{"stream":"KV_linkseal-status","seq":0}'), { kind: "unknown" }],
    ["a number beyond all", message(ack.replace("7", "1e300")), { kind: "unknown" }],
    ["a longer answer than was asked for", message("x".repeat(5_000)), { kind: "unknown" }],
    ["JSON that is too deep", message("[".repeat(2_000)), { kind: "unknown" }],
  ])("%s: the write is that", async (_what, reply, wanted) => {
    const at = await bench().connect();
    expect(await at.put(reply)).toEqual(wanted);
  });

  it.each<readonly [string, string, unknown]>([
    [
      "a value",
      message("v", `NATS/1.0\r\n${place}\r\nNats-Sequence: 9`),
      { kind: "value", revision: 9, octets: Uint8Array.from(Buffer.from("v")) },
    ],
    [
      "a deleted key",
      message("", `NATS/1.0\r\n${place}\r\nNats-Sequence: 9\r\nKV-Operation: DEL`),
      { kind: "absent", revision: 9 },
    ],
    ["no key", message("", "NATS/1.0 404 Message Not Found"), { kind: "absent", revision: 0 }],
    ["no bucket", message("", "NATS/1.0 503"), { kind: "refused", reason: "missing" }],
    [
      "a reply that was copied into the bucket",
      message("v", `NATS/1.0\r\n${place}\r\nNats-Sequence: 1\r\n${place}\r\nNats-Sequence: 9`),
      { kind: "refused", reason: "forged" },
    ],
    ["no revision", message("v", `NATS/1.0\r\n${place}`), { kind: "unknown" }],
    [
      "a revision that is none",
      message("v", `NATS/1.0\r\n${place}\r\nNats-Sequence: -1`),
      { kind: "unknown" },
    ],
    ["no headers", message("v"), { kind: "unknown" }],
  ])("%s: the read is that", async (_what, reply, wanted) => {
    const at = await bench().connect();
    const read = at.engine.get("linkseal-permits", "a.g", never);
    await at.clock.runFor(1);
    at.wire.give(reply);
    expect(await settled(at.clock, read)).toEqual(wanted);
    expect(at.wire.sent).toContain(
      `PUB $JS.API.DIRECT.GET.KV_linkseal-permits.$KV.linkseal-permits.a.g ${inbox}.1 0\r\n`,
    );
  });

  it("a compare-and-set carries its revision, and no message has an id", async () => {
    const at = await bench().connect();
    void at.engine.update("linkseal-asks", "a.g", octets, 3, never);
    void at.engine.publish("LINKSEAL-EVENTS", "a", { octets, after: 8 }, never);
    await at.clock.runFor(1);
    expect(at.wire.sent).toContain("Nats-Expected-Last-Subject-Sequence: 3\r\n");
    expect(at.wire.sent).toMatch(
      /HPUB linkseal\.events\.a .*\r\n.*\r\nNats-Expected-[a-z-]*: 8\r/i,
    );
    void at.engine.publish("LINKSEAL-HEADS", "a", { octets }, never);
    await at.clock.runFor(1);
    expect(at.wire.sent).toContain("\r\nPUB linkseal.heads.a ");
    expect(at.wire.sent).not.toContain("Nats-Msg-Id");
  });

  it("without a connection every act is refused at once, and nothing is queued", async () => {
    const at = bench();
    at.isReachable = false;
    await at.clock.runFor(300_000);
    const written = await at.engine.put("linkseal-status", "a", octets, never);
    expect(written).toEqual({ kind: "refused", reason: "disconnected" });
    at.isReachable = true;
    await at.clock.runFor(120_000);
    expect(at.wire.sent).toBe("");
  });

  it("a server that does not answer makes each act unknown after its limit", async () => {
    const at = await bench().connect();
    const began = at.clock.now();
    const written = at.engine.put("linkseal-status", "a", octets, never);
    expect(await settled(at.clock, written)).toEqual({ kind: "unknown" });
    expect(at.clock.now() - began).toBe(answerMsMax);
  });

  it("an act that is not awaited any more is unknown at once", async () => {
    const at = await bench().connect();
    const stop = new AbortController();
    const written = at.engine.put("linkseal-status", "a", octets, stop.signal);
    stop.abort();
    expect(await written).toEqual({ kind: "unknown" });
  });

  it("a lost connection makes what waits unknown, and a new one is made", async () => {
    const at = await bench().connect();
    const written = at.engine.put("linkseal-status", "a", octets, never);
    await at.clock.runFor(1);
    at.wire.hangUp();
    expect(await settled(at.clock, written)).toEqual({ kind: "unknown" });
    expect(at.states.map(({ kind }) => kind)).toEqual(["connected", "disconnected"]);
    await at.clock.runFor(10_000);
    expect(at.wires).toHaveLength(2);
    await at.connect();
    expect(at.engine.state.kind).toBe("connected");
  });
});

describe("servers that are dead, slow or lying", () => {
  it("a server that sends nothing is left, and the waits grow to a minute", async () => {
    const at = bench();
    await at.clock.runFor(3_600_000);
    // 10 s for the server and 60 s of rest each, after the first few.
    expect(at.wires.length).toBeGreaterThan(40);
    expect(at.wires.length).toBeLessThan(60);
    expect(at.wires.slice(0, -1).every(({ isClosed }) => isClosed)).toBe(true);
    expect(at.engine.state).toMatchObject({ why: "the server did not answer in time" });
    // One outage is one message for the log.
    expect(at.states).toHaveLength(1);
  });

  it("a thousand sites whose engine starts again come back over seconds", async () => {
    const clock = new SimClock(wallStart);
    const prng = new Prng("a thousand sites");
    const end = new AbortController();
    const attempts: number[] = [];
    const open = () => {
      attempts.push(clock.now());
      const details = { effect: "none", where: "tls://hub:1", next: "wait" } as const;
      throw new LinksealError("transport.unreachable", "it does not answer", details);
    };
    for (let site = 0; site < 1_000; site += 1) {
      const world = { clock, entropy: prng.fork(`site ${site}`) };
      const engine = new NatsEngine({ world, inbox: "i", name: "n", open: async () => open() });
      void engine.run(end.signal);
    }
    await clock.runFor(20_000);
    end.abort();
    const again = attempts.slice(1_000, 2_000);
    expect([Math.min(...again) >= 1_000, Math.max(...again) <= 8_000]).toEqual([true, true]);
    const inSecond = Array.from(
      { length: 8 },
      (_, second) => again.filter((at) => Math.floor(at / 1_000) === second).length,
    );
    // One part in seven of them is 143; some that come for the third time are among the last.
    expect(Math.max(...inSecond)).toBeLessThan(200);
  });

  it("a hub waits at most 30 s, and at random within it", async () => {
    const reached = async (octet: number): Promise<number> => {
      const at = bench({ isHub: true, octet });
      at.isReachable = false;
      await at.clock.runFor(600_000);
      at.isReachable = true;
      let waited = 0;
      for (; at.wires.length === 0 && waited <= 60; waited += 1) await at.clock.runFor(1_000);
      return waited;
    };
    expect(await reached(255)).toBeLessThanOrEqual(31);
    expect(await reached(127)).toBeLessThanOrEqual(16);
  });

  it("an end that was asked for is not reported as a failure", async () => {
    const at = await bench().connect();
    at.end();
    await at.clock.runFor(1_000);
    expect(at.engine.state.kind).toBe("disconnected");
    expect(at.states.map(({ kind }) => kind)).toEqual(["connected"]);
  });

  it("a connected server that goes quiet is asked for a sign, and then left", async () => {
    const at = await bench().connect();
    await at.clock.runFor(120_000);
    expect(at.wires[0]?.sent.match(/PING\r\n/g)?.length).toBeGreaterThan(1);
    expect(at.wires[0]?.isClosed).toBe(true);
  });

  it("a server that answers signs of life is kept", async () => {
    const at = await bench().connect();
    at.wire.heard = (text) => text.endsWith("PING\r\n") && at.wire.give("PONG\r\n");
    await at.clock.runFor(3_600_000);
    expect(at.wires).toHaveLength(1);
  });

  it("a server that takes no octets is left after the limit", async () => {
    const at = await bench().connect();
    at.wire.isStuck = true;
    const written = at.engine.put("linkseal-status", "a", octets, never);
    expect(await settled(at.clock, written)).toEqual({ kind: "unknown" });
    await at.clock.runFor(answerMsMax);
    expect(at.wires[0]?.isClosed).toBe(true);
  });

  it("at most 64 acts wait for a server, and the next one is refused", async () => {
    const at = await bench().connect();
    at.wire.isStuck = true;
    const waiting = Array.from({ length: 64 }, () =>
      at.engine.put("linkseal-status", "a", octets, never),
    );
    const refused = { kind: "refused", reason: "disconnected" };
    expect(await at.engine.put("linkseal-status", "a", octets, never)).toEqual(refused);
    await settled(at.clock, Promise.all(waiting));
  });

  it.each([
    ["a message of 900 MB", "MSG x 1 900000000\r\n"],
    ["a line without an end", "x".repeat(5_000)],
    ["what was not asked for, without an end", "PING\r\n".repeat(20_000)],
    ["messages that were not asked for", message("x".repeat(30_000)).repeat(3)],
    ["an INFO that is no JSON", "INFO {not\r\n"],
    ["an INFO without a limit", "INFO {}\r\n"],
    ["an error", "-ERR 'Stale Connection'\r\n"],
    ["an error about the user", "-ERR 'User Authentication Revoked'\r\n"],
    ["a refused inbox", `-ERR 'Permissions Violation for Subscription to "${inbox}.*"'\r\n`],
    ["words of no protocol", "HTTP/1.1 400 Bad Request\r\n"],
  ])("%s ends the connection, and no text of the server is repeated", async (_what, text) => {
    const at = await bench().connect();
    at.wire.give(text);
    await at.clock.runFor(1);
    expect(at.wires[0]?.isClosed).toBe(true);
    const { why = "" } = at.states.at(-1) as { readonly why?: string };
    expect(why).toMatch(/^(the|a) [a-z ']+$/);
  });

  it("answers to acts that nothing waits for are dropped", async () => {
    const at = await bench().connect();
    at.wire.give(message(ack, "", `${inbox}.99`));
    at.wire.give(message(ack, "", "linkseal.other"));
    expect(await at.put(message(ack))).toMatchObject({ kind: "ok" });
  });

  it("a value that is longer than the server takes is not sent", async () => {
    const at = bench();
    await at.clock.runFor(1);
    at.wire.give(`${info.replace("1048576", "20000")}PONG\r\n`);
    await at.clock.runFor(1);
    const large = new Uint8Array(10_000);
    const written = await at.engine.put("linkseal-status", "a", large, never);
    expect(written).toEqual({ kind: "refused", reason: "tooLarge" });
  });
});
