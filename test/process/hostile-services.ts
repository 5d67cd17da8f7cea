// Services that want to exhaust the agent, and clients of its own sockets that do: SNMP agents, a
// charon, an MKA process, an HTTP server, administrators. Runs as a process of its own.

import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { connect, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as rest } from "node:timers/promises";
import { connect as secureConnect } from "node:tls";
import { packets, writeMessage, writePacket } from "#drivers/transport/vici-wire.ts";
import type { SnmpObject } from "#sim/emulators/snmp.ts";
import { serveSnmp } from "#sim/serve/snmp.ts";
import { agentOf, Interloper, names, user } from "../unit/kit/snmp-kit.ts";
import { bytesOf } from "../unit/kit/vici-peer.ts";

/** A service that was asked for: where it answers, or where its clients will come. */
interface ServiceServed {
  readonly attack: string;
  /** A UDP port, or the path of a socket. */
  readonly at: number | string;
}

export type ServiceNews = readonly ServiceServed[];

/** Clients that have reached each of our own sockets so far, by its path; a test may ask for it. */
export type ClientCounts = Readonly<Record<string, number>>;

const came: Record<string, number> = {};

function count(path: string): void {
  came[path] = (came[path] ?? 0) + 1;
}

export const community = "planted-canary-community";

type Serve = (path: string) => Promise<number | string>;

const shown = 40;

/** A table of one column that has more rows for each question. */
const table =
  (octets: number): Serve =>
  async () => {
    const value = new Uint8Array(octets).fill(65);
    let from = 1;
    const objects = (): readonly SnmpObject[] => {
      from += 25;
      const index = Array.from({ length: shown }, (_, row) => from + row);
      return index.map((row) => ({ oid: `${names}.${row}`, type: "octets", value }));
    };
    return (await serveSnmp({ port: 0, objects, users: [user], community })).port;
  };

/** Each true reply arrives a thousand times before it, with a code that its key did not make. */
const forged: Serve = async () => {
  const agent = await agentOf();
  const between = await Interloper.before(agent.port);
  between.way.reply = (message, { security }) => {
    if (security !== 3) return "pass";
    const wrong = Buffer.from(message);
    wrong[wrong.length - 1] = (wrong.at(-1) ?? 0) ^ 1;
    return Array.from({ length: 1_000 }, () => wrong);
  };
  return between.port;
};

/** Writes pieces again and again, as fast as the other end takes them. */
async function pour(socket: Socket, octets: Uint8Array): Promise<void> {
  while (socket.writable) {
    if (socket.write(octets)) continue;
    await new Promise<void>((resolve) => {
      socket.once("drain", resolve).once("close", resolve);
    });
  }
}

function socketAt(path: string, play: (socket: Socket, octets: Buffer) => void): Promise<string> {
  const server = createServer((socket) => {
    socket.on("error", () => undefined).on("data", (octets: Buffer) => play(socket, octets));
  });
  return new Promise((resolve) => server.listen(path, () => resolve(path)));
}

const event = (message: Parameters<typeof writeMessage>[0]): Buffer =>
  Buffer.from(bytesOf(writePacket(packets.event, "list-sa", writeMessage(message))));

/** A charon that confirms what it is asked, and then streams `piece` without an end. */
const charon =
  (piece: () => Uint8Array): Serve =>
  (path) => {
    const confirmed = bytesOf(writePacket(packets.confirmed, undefined, []));
    return socketAt(path, (socket, octets) => {
      if (octets[4] === packets.register) socket.write(confirmed);
      else void pour(socket, piece());
    });
  };

const wide = Object.fromEntries(Array.from({ length: 18_000 }, (_, index) => [`a${index}`, "b"]));
const nested = { a: { b: { c: { d: { e: { f: "g" } } } } } };
const long = Buffer.concat([Buffer.from([0xff, 0xff, 0xff, 0xff]), Buffer.alloc(65_536)]);

/** An MKA process whose reply is a frame of this text. */
const framed =
  (text: () => string): Serve =>
  (path) => {
    const octets = Buffer.from(text());
    const frame = Buffer.concat([Buffer.alloc(4), octets]);
    frame.writeUInt32BE(octets.length);
    return socketAt(path, (socket) => void socket.write(frame));
  };

const head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n";

/** A vault that answers with these octets again and again, and never ends. */
const http =
  (first: string, piece: string): Serve =>
  (path) =>
    socketAt(path, (socket) => {
      socket.write(first);
      void pour(socket, Buffer.from(piece));
    });

const drizzled: Serve = (path) =>
  socketAt(path, (socket) => {
    socket.setNoDelay(true).write(`${head}transfer-encoding: chunked\r\n\r\n`);
    void pour(socket, Buffer.from("1\r\nX\r\n".repeat(8_000)));
  });

/** 64 clients of a socket of ours that send the same again and again, as long as it exists. */
const clients =
  (octets: () => Buffer): Serve =>
  async (path) => {
    const sent = octets();
    const come = (): void => {
      const socket = connect(path, () => {
        count(path);
        socket.write(sent);
      });
      socket
        .on("error", () => undefined)
        .resume()
        .once("close", () => setTimeout(come, 20));
    };
    for (let count = 0; count < 64; count += 1) come();
    return path;
  };

/** A body in chunks of one octet. */
const crumbs = (): Buffer => {
  const head = "POST /v1/apply HTTP/1.1\r\nhost: l\r\ntransfer-encoding: chunked\r\n\r\n";
  return Buffer.from(head + "1\r\nX\r\n".repeat(1_900_000));
};

/** 64 clients that ask, and never read what comes. */
const deaf: Serve = async (path) => {
  const come = (): void => {
    const socket = connect(path, () => {
      count(path);
      socket.write("GET /long HTTP/1.1\r\nhost: l\r\n\r\n");
    });
    socket
      .on("error", () => undefined)
      .pause()
      .once("close", () => setTimeout(come, 20));
    setTimeout(() => socket.destroy(), 1_000);
  };
  for (let count = 0; count < 64; count += 1) come();
  return path;
};

/** A browser that sends each octet of a request without an end in a record of its own. */
async function crumble(port: number, path: string): Promise<void> {
  // The page of this test has a certificate that it made itself.
  const socket = secureConnect({ host: "127.0.0.1", port, rejectUnauthorized: false });
  socket.on("error", () => undefined).resume();
  const closed = once(socket, "close").catch(() => undefined);
  await once(socket, "secureConnect");
  count(path);
  socket.setNoDelay(true);
  for (const one of `GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: ${"a".repeat(9_000)}`) {
    // Octets that wait are put into one record.
    await new Promise<void>((resolve) => socket.write(one, () => resolve()));
    if (!socket.writable) break;
  }
  await closed;
}

/** 32 of them; `path` will hold the port of the page. */
const browsers: Serve = async (path) => {
  const keepComing = async (): Promise<void> => {
    for (;;) {
      const port = Number(await readFile(path, "latin1").catch(() => "0"));
      if (port > 0) await crumble(port, path).catch(() => undefined);
      await rest(20);
    }
  };
  for (let count = 0; count < 32; count += 1) void keepComing();
  return path;
};

const asked = "GET /v1/status HTTP/1.1\r\nhost: l\r\n\r\n";
const post = (body: string): Buffer =>
  Buffer.from(
    `POST /v1/apply HTTP/1.1\r\nhost: l\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
  );
const frameOf = (octets: number): Buffer => {
  const frame = Buffer.alloc(4 + octets, 65);
  frame.writeUInt32BE(octets);
  return frame;
};

export const services: ReadonlyMap<string, Serve> = new Map<string, Serve>([
  ["snmp: long values", table(3_000)],
  ["snmp: very many values", table(1)],
  ["snmp: forged replies", forged],
  ["snmp v2c: very many values", table(1)],
  ["vici: events without an end", charon(() => event(nested))],
  ["vici: the most elements", charon(() => event(wide))],
  ["vici: a length that lies", charon(() => long)],
  ["mka: a length that lies", (path) => socketAt(path, (socket) => void pour(socket, long))],
  ["mka: the most values", framed(() => `[${"0,".repeat(130_000)}0]`)],
  ["mka: the deepest list", framed(() => "[".repeat(260_000))],
  ["https: a body without an end", http(`${head}\r\n`, "[".repeat(65_536))],
  ["https: chunks of one octet", drizzled],
  ["https: headers without an end", http(head, `x-a: ${"a".repeat(4_000)}\r\n`)],
  ["admin.sock: the longest bodies", clients(() => post("[".repeat(1_999_999)))],
  ["admin.sock: very many values", clients(() => post(`{"a":[${"0,".repeat(990_000)}0]}`))],
  ["admin.sock: bodies in pieces of one octet", clients(crumbs)],
  ["view.sock: long replies that nothing reads", deaf],
  ["view.sock: one request after the other", clients(() => Buffer.from(asked.repeat(300_000)))],
  ["view.sock: requests without an end", clients(() => Buffer.from("GET /v1/status HTTP/1.1\r\n"))],
  ["page: records of one octet", browsers],
  ["net.sock: the longest questions", clients(() => frameOf(100_000))],
  ["net.sock: a length that lies", clients(() => long)],
]);

if (process.argv[1] === import.meta.filename) {
  const folder = mkdtempSync(join(tmpdir(), "linkseal-hostile-"));
  process.on("disconnect", () => {
    rmSync(folder, { recursive: true });
    process.exit();
  });
  process.on("message", () => process.send?.(came));
  const attacks = JSON.parse(process.argv[2] ?? "") as readonly string[];
  const serving = attacks.map(async (attack, index): Promise<ServiceServed> => {
    const at = await services.get(attack)?.(join(folder, `${index}.sock`));
    if (at === undefined) throw new RangeError(`no attack ${attack}`);
    return { attack, at };
  });
  process.send?.(await Promise.all(serving));
}
