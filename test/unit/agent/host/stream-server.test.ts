// Streams at a Unix socket: how many clients there may be, and which of them ends for another.

import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { serveStreams } from "#agent/host/stream-server.ts";
import type { StreamChannel } from "#hal/world.ts";

const folder = mkdtempSync(join(tmpdir(), "linkseal-streams-"));
const path = join(folder, "peer.sock");
let isAdmitted = true;
let served: Awaited<ReturnType<typeof serveStreams>>;
const clients: Socket[] = [];

/** Sends back what arrives. */
async function echo(channel: StreamChannel): Promise<void> {
  for (let got = await channel.read(); got !== undefined; got = await channel.read()) {
    await channel.write([got]);
  }
  channel[Symbol.dispose]();
}

beforeAll(async () => {
  const broken = (error: unknown): never => {
    throw error;
  };
  served = await serveStreams({
    ...{ path, clientsMax: 2, serve: echo, broken },
    admits: () => isAdmitted,
  });
});
afterAll(async () => {
  for (const client of clients) client.destroy();
  await served.close();
  rmSync(folder, { recursive: true });
});

/** Opens a client; resolves to what came back to it, empty = it was cut off. */
async function opened(): Promise<{ readonly client: Socket; readonly echoed: string }> {
  const client = connect(path);
  clients.push(client);
  client.on("error", () => client.destroy());
  client.write("hello");
  const echoed = new Promise<string>((resolve) => {
    client.once("data", (octets) => resolve(String(octets)));
    client.once("close", () => resolve(""));
  });
  return { client, echoed: await echoed };
}

describe("a server of streams that is full", () => {
  it("a session that hangs does not lock the next one out: the oldest ends", async () => {
    const first = await opened();
    const second = await opened();
    const gone = once(first.client, "close");
    const third = await opened();
    expect([first, second, third].map(({ echoed }) => echoed)).toEqual(["hello", "hello", "hello"]);
    await gone;
    expect([second, third].map(({ client }) => client.destroyed)).toEqual([false, false]);
  });

  it("a client that may not connect ends no other", async () => {
    isAdmitted = false;
    const { echoed } = await opened();
    isAdmitted = true;
    expect(echoed).toBe("");
    expect(clients.slice(1, 3).map(({ destroyed }) => destroyed)).toEqual([false, false]);
  });
});
