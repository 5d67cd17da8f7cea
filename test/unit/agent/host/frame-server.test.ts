import { mkdtempSync, rmSync, statSync } from "node:fs";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type FrameService, serveFrames } from "#agent/host/frame-server.ts";
import { askFramed } from "#drivers/transport/framed.ts";
import { Secret } from "#hal/secret.ts";

let folder = "";
let path = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "linkseal-frames-"));
  path = join(folder, "port.sock");
});
afterEach(() => rmSync(folder, { recursive: true }));

const { signal } = new AbortController();
const requestBytesMax = 64;

async function served(changes: Partial<FrameService> = {}) {
  const asked: Uint8Array[] = [];
  const defects: unknown[] = [];
  const service = await serveFrames({
    path,
    requestBytesMax,
    admits: () => true,
    answer: async (question) => {
      asked.push(question);
      return Uint8Array.from(question).reverse();
    },
    broken: (error) => defects.push(error),
    ...changes,
  });
  return { asked, defects, [Symbol.asyncDispose]: () => service.close() };
}

function ask(...octets: readonly (Uint8Array | Secret)[]): Promise<Uint8Array> {
  return askFramed({ path, octets, replyBytesMax: 1000, effect: "unknown" }, signal);
}

/** What comes back for raw octets; undefined = the connection was closed without a word. */
async function raw(...chunks: readonly Uint8Array[]): Promise<Buffer> {
  const socket = connect(path);
  const back: Buffer[] = [];
  socket.on("error", () => undefined).on("data", (chunk) => back.push(chunk));
  const closed = new Promise<void>((resolve) => socket.once("close", () => resolve()));
  for (const chunk of chunks) {
    socket.write(chunk);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  await closed;
  return Buffer.concat(back);
}

describe("frames at a socket", () => {
  it("frames are answered one by one, each on a connection of its own", async () => {
    await using server = await served();
    const answers = await Promise.all([1, 2, 3].map((one) => ask(Uint8Array.of(one, 9))));
    expect(answers.map((answer) => [...answer])).toEqual([1, 2, 3].map((one) => [9, one]));
    expect([...(await ask())]).toEqual([]);
    const whole = new Uint8Array(requestBytesMax).fill(5);
    expect([...(await ask(whole))]).toEqual([...whole]);
    using key = Secret.take("cak", Uint8Array.of(7, 8));
    expect([...(await ask(Uint8Array.of(1), key))]).toEqual([8, 7, 1]);
    expect(server.defects).toEqual([]);
    expect(statSync(path).mode & 0o777).toBe(0o600);
  });

  it("a frame may come octet by octet", async () => {
    await using _server = await served();
    const octets = [0, 0, 0, 2, 5, 6].map((one) => Uint8Array.of(one));
    expect([...(await raw(...octets))]).toEqual([0, 0, 0, 2, 6, 5]);
  });

  it.each([
    ["longer than any question", [0, 0, 0, requestBytesMax + 1]],
    ["a length beyond all bounds", [0xff, 0xff, 0xff, 0xff, 1, 2]],
    ["more behind the question", [0, 0, 0, 1, 1, 2]],
    ["more than there is room for", Array.from({ length: 1000 }, () => 0)],
  ])("a client that sends %s is cut off, and its frame is not answered", async (_name, octets) => {
    await using server = await served();
    expect(await raw(Uint8Array.from(octets))).toHaveLength(0);
    expect(server.asked).toEqual([]);
    expect([...(await ask(Uint8Array.of(3)))]).toEqual([3]);
  });

  it("a client that goes on behind its question is cut off while it is answered", async () => {
    const left = Promise.withResolvers<unknown>();
    await using server = await served({
      answer: (_question, gone) =>
        new Promise((_resolve, reject) => {
          gone.addEventListener("abort", () => {
            left.resolve(gone.reason);
            reject(new Error("cut off"));
          });
        }),
    });
    expect(await raw(Uint8Array.of(0, 0, 0, 1, 1), Uint8Array.of(2))).toHaveLength(0);
    expect(await left.promise).toEqual(new Error("the client is gone"));
    expect(server.asked).toEqual([]);
  });

  it("frames of a user who may not ask are not read", async () => {
    await using server = await served({ admits: () => false });
    await expect(ask(Uint8Array.of(1))).rejects.toMatchObject({
      code: expect.stringMatching(/^transport\./),
    });
    expect(server.asked).toEqual([]);
  });

  it("many silent clients do not keep others out for long", async () => {
    await using server = await served();
    const silent = Array.from({ length: 16 }, () => connect(path));
    const gone = silent.map((socket) => new Promise((resolve) => socket.once("close", resolve)));
    for (const socket of silent) socket.on("error", () => undefined);
    await Promise.all(gone);
    expect([...(await ask(Uint8Array.of(3)))]).toEqual([3]);
    expect(server.asked).toHaveLength(1);
  });

  it("a defect in an answer is reported, and the client gets no answer", async () => {
    const defect = new Error("broken");
    await using server = await served({
      answer: async () => {
        throw defect;
      },
    });
    const lost = { code: "transport.closed", effect: "unknown" };
    await expect(ask(Uint8Array.of(1))).rejects.toMatchObject(lost);
    expect(server.defects).toEqual([defect]);
  });

  it("a frame server replaces a killed one's socket, never a running one's", async () => {
    await using _server = await served();
    await expect(served()).rejects.toMatchObject({ code: "journal.locked" });
    expect([...(await ask(Uint8Array.of(3)))]).toEqual([3]);
  });
});

describe("an answer", () => {
  const answering = async (octets: readonly number[]) => {
    const server = createServer((socket) => {
      socket.on("error", () => undefined).once("data", () => socket.end(Uint8Array.from(octets)));
    });
    await new Promise<void>((resolve) => server.listen(path, resolve));
    return { [Symbol.asyncDispose]: () => new Promise<void>((end) => server.close(() => end())) };
  };

  it.each([
    ["cut", [0, 0, 0, 3, 1]],
    ["without its length", [0, 0]],
    ["none at all", []],
    ["too long", [0, 0, 4, 0, 1]],
  ])("an answer of %s is lost, and its effect is unknown", async (_name, octets) => {
    await using _server = await answering(octets);
    await expect(ask(Uint8Array.of(1))).rejects.toMatchObject({
      ...{ code: "transport.closed", effect: "unknown", where: path },
    });
  });

  it("a missing server gives no answer, and an aborted wait ends", async () => {
    await expect(ask(Uint8Array.of(1))).rejects.toMatchObject({
      ...{ code: "transport.unreachable", effect: "none" },
    });
    const late = new AbortController();
    await using _server = await served({ answer: () => new Promise(() => undefined) });
    const question = { path, octets: [], replyBytesMax: 10, effect: "none" } as const;
    const asked = askFramed(question, late.signal);
    setTimeout(() => late.abort(new Error("enough")), 20);
    await expect(asked).rejects.toThrow("enough");
  });
});
