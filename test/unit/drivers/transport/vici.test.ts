import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as rest } from "node:timers/promises";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { openStream } from "#drivers/transport/stream.ts";
import { ViciClient } from "#drivers/transport/vici.ts";
import {
  PacketReader,
  packetBytesMax,
  packets,
  readMessage,
  readPacket,
  type ViciMessage,
  type ViciSection,
  type ViciValue,
  writeMessage,
  writePacket,
} from "#drivers/transport/vici-wire.ts";
import { LinksealError } from "#hal/error.ts";
import { Secret } from "#hal/secret.ts";
import { noStreams } from "#hal/world.ts";
import { Prng } from "#sim/base/prng.ts";
import { effort } from "../../../effort.ts";
import { bytesOf, type CharonReply, TestCharon } from "../../kit/vici-peer.ts";

const never = new AbortController().signal;
const octetsOf = (message: ViciMessage): Uint8Array<ArrayBuffer> => bytesOf(writeMessage(message));

function plain(value: ViciValue): unknown {
  if (typeof value === "string" || !(value instanceof Map)) return value;
  return Object.fromEntries([...(value as ViciSection)].map(([name, one]) => [name, plain(one)]));
}

async function refusal(run: Promise<unknown>): Promise<LinksealError> {
  const error = await run.then(
    () => undefined,
    (caught: unknown) => caught,
  );
  if (!(error instanceof LinksealError)) throw new Error(`not refused: ${String(error)}`);
  return error;
}

const sas: ViciMessage = {
  "hub-1": {
    uniqueid: "3",
    state: "ESTABLISHED",
    "local-host": "198.51.100.1",
    "tasks-active": ["CHILD_REKEY"],
    "child-sas": {
      "hub-1-7": { "spi-in": "c1c2c3c4", "if-id-in": "0000002a", "local-ts": ["0.0.0.0/0"] },
    },
  },
};

describe("a message of VICI", () => {
  it("a message is written as the protocol's document says", () => {
    const message = { key1: "value1", section1: { sub: { key2: "value2" }, list1: ["a", "b"] } };
    const text = "\x03\x04key1\x00\x06value1\x01\x08section1\x01\x03sub\x03\x04key2\x00\x06value2";
    const rest = "\x02\x04\x05list1\x05\x00\x01a\x05\x00\x01b\x06\x02";
    expect(Buffer.from(octetsOf(message)).toString("latin1")).toBe(text + rest);
    expect(plain(readMessage(octetsOf(message)))).toEqual(message);
  });

  it("a message is read back as it was, whatever is in it", () => {
    const name = fc.string({ minLength: 1, maxLength: 60 }).filter((text) => text !== "__proto__");
    const { message } = fc.letrec<{ message: ViciMessage }>((tie) => ({
      message: fc.dictionary(
        name,
        fc.oneof({ maxDepth: 5 }, fc.string(), fc.array(fc.string()), tie("message")),
        { maxKeys: 5 },
      ),
    }));
    fc.assert(
      fc.property(message, (reported) => {
        expect(plain(readMessage(octetsOf(reported)))).toEqual({ ...reported });
      }),
      { numRuns: effort(2_000, 50_000), verbose: true },
    );
  });

  it("a message may have names like members of Object", () => {
    const read = readMessage(octetsOf(Object.fromEntries([["constructor", "x"]])));
    expect(read.get("constructor")).toBe("x");
    expect(read.get("toString")).toBeUndefined();
  });

  it("a message has a key as a hole, which is only in the octets", () => {
    using psk = Secret.take("psk", new TextEncoder().encode("canary-of-a-psk"));
    const octets = writeMessage({ id: "hub-1", data: psk });
    expect(octets).toContain(psk);
    expect(JSON.stringify(octets)).not.toContain("canary");
    expect(readMessage(bytesOf(octets)).get("data")).toBe("canary-of-a-psk");
  });

  const bad: Readonly<Record<string, readonly number[]>> = {
    "an early end of a name": [3, 5, 97],
    "an early end of a value": [3, 1, 97, 0, 9, 98],
    "a name of nothing": [3, 0, 0, 0],
    "a section without its end": [1, 1, 97],
    "an end without a beginning": [2],
    "a list without its end": [4, 1, 97, 5, 0, 0],
    "an item outside a list": [5, 0, 0],
    "a value inside a list": [4, 1, 97, 3, 1, 98, 0, 0, 6],
    "an element of no kind": [7],
    "a name that occurs twice": [3, 1, 97, 0, 0, 3, 1, 97, 0, 0],
    "sections too deep": Array.from({ length: 9 }, () => [1, 1, 97]).flat(),
  };
  it.each(Object.entries(bad))("a message with %s is refused", (_what, octets) => {
    expect(() => readMessage(Uint8Array.from(octets))).toThrow(LinksealError);
  });

  it("a message with more elements than charon's is refused", () => {
    const items = new Uint8Array(3 * 20_001).fill(0).map((_, at) => (at % 3 === 0 ? 5 : 0));
    const octets = Uint8Array.of(4, 1, 97, ...items, 6);
    expect(() => readMessage(octets)).toThrow("too many elements");
  });
});

describe("packets of VICI", () => {
  it("packets are found in a stream however it is cut", () => {
    const whole = Buffer.concat(
      [sas, {}, { a: "b" }].map((message) =>
        bytesOf(writePacket(packets.event, "list-sa", writeMessage(message))),
      ),
    );
    const numRuns = effort(300, 5_000);
    const cuts = fc.array(fc.integer({ min: 1, max: whole.length }), { maxLength: 40 });
    fc.assert(
      fc.property(cuts, (at) => {
        const reader = new PacketReader();
        const ends = [...at, whole.length].toSorted((a, b) => a - b);
        const found = ends.flatMap((end, i) =>
          [...reader.push(whole.subarray(ends[i - 1] ?? 0, end))].map((packet) =>
            plain(readMessage(readPacket(packet).body)),
          ),
        );
        expect(found).toEqual([sas, {}, { a: "b" }]);
      }),
      { numRuns, verbose: true },
    );
  });

  it("packets longer than charon's own limit are refused before they are complete", () => {
    const head = new Uint8Array(4);
    new DataView(head.buffer).setUint32(0, packetBytesMax + 1);
    expect(() => [...new PacketReader().push(head)]).toThrow(LinksealError);
    expect(() => [...new PacketReader().push(new Uint8Array(4))]).toThrow(LinksealError);
  });
});

const runs = effort(5_000, 1_000_000);
const seed = process.env["LINKSEAL_SEED"] ?? "vici";

describe(`hostile VICI (LINKSEAL_SEED=${seed})`, () => {
  it(`of ${runs} changed packets none does more than be refused`, () => {
    const prng = new Prng(seed);
    const good = [sas, { success: "yes" }, { a: ["x", "y"], b: { c: { d: "e" } } }].flatMap(
      (message) => [
        bytesOf(writePacket(packets.event, "list-sa", writeMessage(message))),
        bytesOf(writePacket(packets.response, undefined, writeMessage(message))),
      ],
    );
    const ends = { taken: 0, refused: 0 };
    for (let run = 0; run < runs; run += 1) {
      const octets = mutated(prng, good);
      try {
        for (const packet of new PacketReader().push(octets)) {
          readMessage(readPacket(packet).body);
          ends.taken += 1;
        }
      } catch (error) {
        if (!(error instanceof LinksealError) || error.code !== "device.unparsed") throw error;
        ends.refused += 1;
      }
    }
    // Both happen often, or the changes are the wrong ones.
    expect(Math.min(ends.taken, ends.refused)).toBeGreaterThan(runs / 20);
  });

  it("a hostile packet only ever ends the client's connection", async () => {
    const prng = new Prng(`${seed}-client`);
    const good = bytesOf(writePacket(packets.response, undefined, writeMessage(sas)));
    for (let run = 0; run < effort(2_000, 50_000); run += 1) {
      const charon = new TestCharon(() => "silence");
      using client = new ViciClient(charon.channel);
      const answer = client.ask("version", {}, "unknown", never).catch((error: unknown) => error);
      charon.channel.give(mutated(prng, [good]));
      charon.channel[Symbol.dispose]();
      const reply = await answer;
      if (reply instanceof Map) continue;
      expect(reply).toBeInstanceOf(LinksealError);
      expect((reply as LinksealError).effect).toMatch(/unknown|none/);
    }
  });
});

function mutated(prng: Prng, good: readonly Uint8Array[]): Uint8Array {
  const octets = Uint8Array.from(prng.pick(good));
  for (let change = prng.between(1, 3); change > 0; change -= 1) {
    const at = prng.between(4, octets.length - 1);
    octets[at] = prng.chance(0.5) ? prng.between(0, 8) : prng.uint32();
  }
  const cut = prng.chance(0.2) ? octets.slice(0, prng.between(5, octets.length)) : octets;
  const length = prng.chance(0.9) ? cut.length - 4 : prng.between(0, 2 ** 31);
  new DataView(cut.buffer).setUint32(0, length);
  return cut;
}

const clientOf = (deliver: (command: string) => CharonReply) => {
  const charon = new TestCharon(({ command }) => deliver(command));
  return { charon, client: new ViciClient(charon.channel) };
};

describe("a client of charon", () => {
  it("a client sends one command after the other, whichever caller sends it", async () => {
    const { charon, client } = clientOf((command) => ({ answer: { of: command } }));
    const commands = ["version", "stats", "reload-settings"];
    const answers = await Promise.all(
      commands.map((command) => client.ask(command, {}, "none", never)),
    );
    expect(answers.map((answer) => answer.get("of"))).toEqual(commands);
    expect(charon.asked.map(({ command }) => command)).toEqual(commands);
  });

  it("a client gets what a command streams, and stops listening afterwards", async () => {
    const events = [1, 2, 3].map((n) => ({ name: "list-sa", message: { n: String(n) } }));
    const { charon, client } = clientOf(() => ({ events, answer: {} }));
    const found = await client.list("list-sas", "list-sa", {}, never);
    expect(found.map((section) => section.get("n"))).toEqual(["1", "2", "3"]);
    expect(charon.registered).toEqual(new Set());
  });

  it("a client receives an event until it is closed", async () => {
    const { charon, client } = clientOf(() => ({ answer: {} }));
    const heard: ViciSection[] = [];
    await client.hear("log", (section) => heard.push(section), never);
    charon.emit("log", { msg: "one" });
    await client.ask("version", {}, "none", never);
    expect(heard.map((section) => section.get("msg"))).toEqual(["one"]);
    client[Symbol.dispose]();
    expect(charon.channel.closed).toBe(true);
  });

  it("a client that leaves unregisters first, and a silent charon does not keep it", async () => {
    const { charon, client } = clientOf(() => ({ answer: {} }));
    for (const event of ["log", "ike-updown"]) await client.hear(event, () => undefined, never);
    expect(charon.registered).toEqual(new Set(["log", "ike-updown"]));
    await client.leave(never);
    expect(charon.registered).toEqual(new Set());
    expect(charon.channel.closed).toBe(true);

    const hung = clientOf(() => "silence");
    await hung.client.hear("log", () => undefined, never);
    const asked = hung.client.ask("initiate", {}, "unknown", never).catch(() => undefined);
    const limit = new AbortController();
    const left = hung.client.leave(limit.signal);
    await rest(0);
    expect(hung.charon.channel.closed).toBe(false);
    limit.abort();
    await Promise.all([left, asked]);
    expect(hung.charon.channel.closed).toBe(true);
  });

  it("a client reports what this charon does not know, and goes on", async () => {
    const { client } = clientOf((command) => (command === "odd" ? "unknown" : { answer: {} }));
    const refused = await refusal(client.ask("odd", {}, "unknown", never));
    expect([refused.code, refused.effect]).toEqual(["device.unsupported", "none"]);
    const deaf = await refusal(client.hear("alert", () => undefined, never));
    expect(deaf.code).toBe("device.unsupported");
    expect(await client.ask("version", {}, "none", never)).toEqual(new Map());
  });

  it("a client gives up a hung charon at the deadline and sends it nothing more", async () => {
    const { charon, client } = clientOf(() => "silence");
    const over = new Error("over");
    const limit = new AbortController();
    const answer = client.ask("initiate", {}, "unknown", limit.signal);
    await rest(0);
    expect(charon.asked).toHaveLength(1);
    limit.abort(over);
    await expect(answer).rejects.toBe(over);
    expect(charon.channel.closed).toBe(true);
    const next = await refusal(client.ask("version", {}, "unknown", never));
    expect([next.code, next.effect]).toEqual(["transport.closed", "none"]);
  });

  it("a client does not accept a reply without a request", async () => {
    const { charon, client } = clientOf(() => ({ answer: {} }));
    charon.channel.give(bytesOf(writePacket(packets.response, undefined, [])));
    await rest(0);
    const error = await refusal(client.ask("version", {}, "unknown", never));
    expect(error.code).toBe("device.unparsed");
    expect(charon.channel.closed).toBe(true);
  });

  it("a client reports the effect of a lost reply as its caller knows it", async () => {
    for (const effect of ["none", "unknown"] as const) {
      const { charon, client } = clientOf(() => {
        charon.channel[Symbol.dispose]();
        return "silence";
      });
      const error = await refusal(client.ask("terminate", {}, effect, never));
      expect([error.code, error.effect]).toEqual(["transport.closed", effect]);
    }
  });

  it("a client ends a stream whose events are too long together", async () => {
    const names = Array.from({ length: 2_000 }, (_, index) => [`n${index}`, "v"] as const);
    const message = Object.fromEntries(names);
    const events = Array.from({ length: 101 }, () => ({ name: "list-sa", message }));
    const { client } = clientOf(() => ({ events, answer: {} }));
    const error = await refusal(client.list("list-sas", "list-sa", {}, never));
    expect(error.code).toBe("device.unparsed");
  });

  it("a client ends a stream that has no end", async () => {
    const events = Array.from({ length: 20_001 }, () => ({ name: "list-sa", message: {} }));
    const { client } = clientOf(() => ({ events, answer: {} }));
    const error = await refusal(client.list("list-sas", "list-sa", {}, never));
    expect(error.code).toBe("device.unparsed");
  });
});

describe("a socket of this host as a channel", () => {
  async function served<T>(
    serve: (socket: Socket) => void,
    use: (path: string) => Promise<T>,
  ): Promise<T> {
    const folder = mkdtempSync(join(tmpdir(), "linkseal-stream-"));
    const path = join(folder, "charon.vici");
    const sockets: Socket[] = [];
    const server = createServer((socket) => {
      sockets.push(socket.on("error", () => undefined));
      serve(socket);
    });
    await new Promise<void>((resolve) => server.listen(path, resolve));
    try {
      return await use(path);
    } finally {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
      rmSync(folder, { recursive: true });
    }
  }

  it("a socket carries octets both ways and ends with the other end", async () => {
    await served(
      (socket) => socket.on("data", (octets) => socket.end(octets)),
      async (path) => {
        using channel = await openStream(path, never);
        using psk = Secret.take("psk", Uint8Array.of(1, 2, 3));
        await channel.write([Uint8Array.of(0), psk]);
        const read: number[] = [];
        for (;;) {
          const octets = await channel.read();
          if (octets === undefined) break;
          read.push(...octets);
        }
        expect(read).toEqual([0, 1, 2, 3]);
        expect(await channel.read()).toBeUndefined();
      },
    );
  });

  it("a socket ends a wait when it is closed here", async () => {
    await served(
      () => undefined,
      async (path) => {
        const channel = await openStream(path, never);
        const wait = channel.read();
        await rest(20);
        channel[Symbol.dispose]();
        expect(await wait).toBeUndefined();
        expect((await refusal(channel.write([Uint8Array.of(1)]))).code).toBe("transport.closed");
      },
    );
  });

  it("a missing socket is unreachable, and a World without sockets refuses it", async () => {
    const absent = await refusal(openStream("/nowhere/charon.vici", never));
    expect([absent.code, absent.effect]).toEqual(["transport.unreachable", "none"]);
    const none = await refusal(noStreams("/run/charon.vici", never));
    expect([none.code, none.effect]).toEqual(["device.unsupported", "none"]);
    const over = new AbortController();
    over.abort(new Error("over"));
    await expect(openStream("/nowhere", over.signal)).rejects.toThrow("over");
  });
});
