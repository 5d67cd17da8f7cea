import { describe, expect, it } from "vitest";
import type { Native, NativeSocket } from "#drivers/transport/native.ts";
import { monitor, NetlinkChannel } from "#drivers/transport/netlink.ts";
import {
  attribute,
  controlTypes,
  encodeRequests,
  netlinkFlags,
} from "#drivers/transport/netlink-wire.ts";
import type { NetlinkMessage, NetlinkRequest } from "#hal/netlink.ts";
import { Secret } from "#hal/secret.ts";
import { messagesIn } from "../../kit/recorded.ts";

const agains = -11;
const overrun = -105;
const handle: NativeSocket = { noun: "native socket" };
const never = new AbortController().signal;

/** A kernel that answers from a script: octets to receive, or an error number. */
class ScriptedKernel {
  readonly sent: Uint8Array[] = [];
  readonly rooms: Uint8Array[] = [];
  closes = 0;
  #answers: (Uint8Array | number)[] = [];
  #onReadable = (): void => undefined;

  readonly native: Native = {
    openNetlink: (_family, _bytes, onReadable) => {
      this.#onReadable = onReadable;
      return handle;
    },
    receive: (_socket, room) => this.#receive(room),
    send: (_socket, message) => {
      this.sent.push(Uint8Array.from(message));
      this.lastBuffer = message;
      return message.length;
    },
    close: () => {
      this.closes += 1;
    },
    joinGroup: () => undefined,
    openFrames: () => handle,
    openClearCount: () => -1,
    takeClearCount: () => 0,
    limitReceive: () => undefined,
    peerCredentials: () => ({ pid: 1, uid: 1, gid: 1 }),
    notify: () => undefined,
    openMemory: () => -1,
    checkMemory: () => undefined,
    refuseDumps: () => undefined,
  };
  lastBuffer: Uint8Array = new Uint8Array();

  #receive(room: Uint8Array): number {
    this.rooms.push(room);
    const next = this.#answers.shift() ?? agains;
    if (typeof next === "number") return next;
    room.set(next);
    return next.length;
  }

  answer(...answers: (Uint8Array | number)[]): void {
    this.#answers.push(...answers);
    for (const _ of answers) this.#onReadable();
  }

  /** Resolves once so many sends were made. */
  async sends(count: number): Promise<void> {
    while (this.sent.length < count) await new Promise((resolve) => setImmediate(resolve));
  }
}

function message(type: number, sequence: number, body: Uint8Array, flags = 0): Uint8Array {
  return encodeRequests([{ type, flags, body: [body] }], sequence);
}

const number = (value: number): Uint8Array => new Uint8Array(Int32Array.of(value).buffer);
const data = (sequence: number, value: number, flags = 0): Uint8Array =>
  message(100, sequence, number(value), netlinkFlags.multi | flags);
const done = (sequence: number, code = 0): Uint8Array =>
  message(controlTypes.done, sequence, number(code), netlinkFlags.multi);
const ack = (sequence: number, code = 0): Uint8Array =>
  message(
    controlTypes.error,
    sequence,
    Buffer.concat([number(code), new Uint8Array(16)]),
    netlinkFlags.capped,
  );
const all = (...parts: Uint8Array[]): Uint8Array => Buffer.concat(parts);

const dump: NetlinkRequest = { type: 1, flags: netlinkFlags.dump, body: [] };
const change: NetlinkRequest = { type: 2, flags: 0, body: [] };
const read = ({ view, start }: NetlinkMessage): number => view.getInt32(start, true);

describe("a channel to the kernel", () => {
  it("a channel collects a dump up to its end and ignores replies to other sockets", async () => {
    const kernel = new ScriptedKernel();
    using channel = new NetlinkChannel(kernel.native, 0);
    const found = channel.ask(dump, read, never);
    await kernel.sends(1);
    kernel.answer(all(data(1, 10), data(99, 11)), agains, all(data(1, 12), done(1)));
    expect(await found).toEqual({ kind: "answered", found: [10, 12] });
  });

  it("a channel reads a dump again that changed or lost a message while it was read", async () => {
    const kernel = new ScriptedKernel();
    using channel = new NetlinkChannel(kernel.native, 0);
    const found = channel.ask(dump, read, never);
    await kernel.sends(1);
    kernel.answer(all(data(1, 1), data(1, 2, netlinkFlags.dumpInterrupted), done(1)));
    await kernel.sends(2);
    kernel.answer(data(2, 1), overrun, all(data(2, 3), done(2)));
    await kernel.sends(3);
    kernel.answer(all(data(3, 4), done(3)));
    expect(await found).toEqual({ kind: "answered", found: [4] });
  });

  it("a channel gives up a dump that changes each time", async () => {
    const kernel = new ScriptedKernel();
    using channel = new NetlinkChannel(kernel.native, 0);
    const found = channel.ask(dump, read, never);
    found.catch(() => undefined);
    for (let sequence = 1; sequence <= 10; sequence += 1) {
      await kernel.sends(sequence);
      kernel.answer(all(data(sequence, 1, netlinkFlags.dumpInterrupted), done(sequence)));
    }
    await expect(found).rejects.toMatchObject({ code: "transport.closed", effect: "none" });
  });

  it("a channel keeps no more than 100,000 objects of a dump, and reads to its end", async () => {
    const kernel = new ScriptedKernel();
    using channel = new NetlinkChannel(kernel.native, 0);
    const found = channel.ask(dump, read, never);
    found.catch(() => undefined);
    await kernel.sends(1);
    const page = all(...Array.from({ length: 1_000 }, (_, value) => data(1, value)));
    for (let pages = 0; pages < 101; pages += 1) kernel.answer(page);
    kernel.answer(done(1));
    await expect(found).rejects.toMatchObject({ code: "device.unparsed", effect: "none" });
    const again = channel.ask(dump, read, never);
    await kernel.sends(2);
    kernel.answer(all(data(2, 7), done(2)));
    expect(await again).toEqual({ kind: "answered", found: [7] });
  });

  it("a channel reports each refusal by name, with the kernel's own message", async () => {
    const kernel = new ScriptedKernel();
    using channel = new NetlinkChannel(kernel.native, 0);
    const written = channel.write([change, change, change], never);
    await kernel.sends(1);
    const words = attribute(1, [new TextEncoder().encode("it is\u0007 there\0")]);
    const why = Buffer.concat([number(-17), new Uint8Array(16), ...(words as Uint8Array[])]);
    const flags = netlinkFlags.capped | netlinkFlags.hasAttributes;
    kernel.answer(all(ack(1), message(controlTypes.error, 2, why, flags), ack(3, -1)));
    expect(await written).toEqual([
      undefined,
      { name: "EEXIST", text: "it is there" },
      { name: "EPERM", text: undefined },
    ]);
  });

  it("a channel sends changes in batches, each after the reply to the one before", async () => {
    const kernel = new ScriptedKernel();
    using channel = new NetlinkChannel(kernel.native, 0);
    const written = channel.write(
      Array.from({ length: 200 }, () => change),
      never,
    );
    await kernel.sends(1);
    const acks = (from: number, to: number): Uint8Array =>
      all(...Array.from({ length: to - from + 1 }, (_, index) => ack(from + index)));
    const flags = messagesIn(Uint8Array.from(kernel.sent[0] ?? [])).map((one) => one.flags);
    expect(flags.indexOf(netlinkFlags.request | netlinkFlags.ack)).toBe(127);
    kernel.answer(acks(1, 127));
    expect(kernel.sent).toHaveLength(1);
    kernel.answer(acks(128, 128));
    await kernel.sends(2);
    kernel.answer(acks(129, 200));
    expect(await written).toHaveLength(200);
    expect(kernel.sent.map((octets) => octets.length)).toEqual([128 * 16, 72 * 16]);
  });

  it("a channel does not know the effect of a change whose reply was lost", async () => {
    const kernel = new ScriptedKernel();
    using channel = new NetlinkChannel(kernel.native, 0);
    const written = channel.write([change, change], never);
    await kernel.sends(1);
    kernel.answer(ack(1), overrun);
    await expect(written).rejects.toMatchObject({ code: "transport.closed", effect: "unknown" });
    const next = channel.write([change], never);
    await kernel.sends(2);
    kernel.answer(ack(3));
    expect(await next).toEqual([undefined]);
  });

  it("a channel wipes a key in what was sent and in what was received", async () => {
    const kernel = new ScriptedKernel();
    using channel = new NetlinkChannel(kernel.native, 0);
    using key = Secret.take("key", new Uint8Array(8).fill(0x5a));
    const written = channel.write([{ ...change, body: [key] }], never);
    await kernel.sends(1);
    expect(Buffer.from(kernel.sent[0] ?? []).includes(Buffer.alloc(8, 0x5a))).toBe(true);
    expect(kernel.lastBuffer.every((octet) => octet === 0)).toBe(true);
    kernel.answer(all(message(100, 1, new Uint8Array(8).fill(0x5a)), ack(1)));
    await written;
    expect(kernel.rooms[0]?.every((octet) => octet === 0)).toBe(true);
  });

  it("a channel ends a wait by its signal and keeps the next request behind it", async () => {
    const kernel = new ScriptedKernel();
    using channel = new NetlinkChannel(kernel.native, 0);
    const over = new AbortController();
    const first = channel.ask(dump, read, over.signal);
    await kernel.sends(1);
    over.abort(new Error("too late"));
    await expect(first).rejects.toThrow("too late");
    const second = channel.ask(dump, read, never);
    await new Promise((resolve) => setImmediate(resolve));
    expect(kernel.sent).toHaveLength(1);
    kernel.answer(all(data(1, 5), done(1)));
    await kernel.sends(2);
    kernel.answer(all(data(2, 6), done(2)));
    expect(await second).toEqual({ kind: "answered", found: [6] });
  });

  it("a channel reads on behind a message that it cannot read, and then reports it", async () => {
    const kernel = new ScriptedKernel();
    using channel = new NetlinkChannel(kernel.native, 0);
    const found = channel.ask(dump, read, never);
    await kernel.sends(1);
    kernel.answer(Uint8Array.of(9, 0, 0, 0, 1, 2, 3, 4));
    await expect(found).rejects.toMatchObject({ code: "device.unparsed" });
  });

  it("a channel that is closed rejects its open requests once", async () => {
    const kernel = new ScriptedKernel();
    const channel = new NetlinkChannel(kernel.native, 0);
    const written = channel.write([change], never);
    await kernel.sends(1);
    channel[Symbol.dispose]();
    channel[Symbol.dispose]();
    await expect(written).rejects.toMatchObject({ code: "transport.closed", effect: "unknown" });
    await expect(channel.write([change], never)).rejects.toMatchObject({ effect: "none" });
    expect(kernel.closes).toBe(1);
  });
});

describe("a monitor of the kernel", () => {
  it("a monitor requests a resync when a message was lost or could not be read", () => {
    const kernel = new ScriptedKernel();
    const heard: string[] = [];
    using _listening = monitor(kernel.native, 0, [1], {
      message: (one) => heard.push(String(read(one))),
      resync: () => heard.push("resync"),
    });
    kernel.answer(data(0, 7), overrun, data(0, 8), agains, Uint8Array.of(1, 2, 3));
    expect(heard).toEqual(["7", "resync", "8", "resync"]);
  });
});
