// One end of the traffic between two networks: numbered packets at a steady rate in several flows.
// A line of input starts it and the end of the input stops it; then it prints what it sent and
// received. The interface of its address may be rebuilt meanwhile.

import { createSocket } from "node:dgram";
import { setTimeout as rest } from "node:timers/promises";

export interface TrafficCounters {
  readonly sent: number;
  /** Counts each number once. */
  readonly received: number;
  /** The first packets that the sender's own kernel refused: number and reason. */
  readonly refused: readonly string[];
  /** The first numbers that never arrived, of those before the last one that did. */
  readonly missing: readonly number[];
  /** The longest time in which no packet arrived, in ms of the wall clock. */
  readonly silence: { readonly from: number; readonly until: number };
}

const [own = "", far = "", everyMsText = "5", flowsText = "16", turnMsText = everyMsText] =
  process.argv.slice(2);
const flows = Number(flowsText);
const firstPort = 9000;
const everyMs = Number(everyMsText);
const turnMs = Number(turnMsText);
const lastOnesMs = 2000;
const missingMax = 20;

const arrived = new Set<number>();
let silence = { from: 0, until: 0 };
let last: number | undefined;

function came(packet: number): void {
  const now = performance.timeOrigin + performance.now();
  if (last !== undefined && now - last > silence.until - silence.from) {
    silence = { from: last, until: now };
  }
  last = now;
  arrived.add(packet);
}

const sockets = await Promise.all(
  Array.from({ length: flows }, async (_, flow) => {
    const socket = createSocket({ type: "udp4", recvBufferSize: 4_000_000 });
    socket.on("message", (bytes) => came(bytes.readUInt32BE()));
    // A bind that fails must reject: otherwise the caller would wait for ever.
    await new Promise<void>((bound, failed) => {
      socket.once("error", failed);
      socket.bind(firstPort + flow, own, () => {
        socket.off("error", failed);
        bound();
      });
    });
    socket.on("error", () => undefined);
    return socket;
  }),
);

let sent = 0;
const refused: string[] = [];
let stopped = false;
process.stdin.once("end", () => {
  stopped = true;
});
console.log("ready");
await new Promise((resolve) => process.stdin.once("data", resolve));
const start = performance.now();
while (!stopped) {
  // Packets of a late turn are sent now, so that the rate is kept.
  for (const now = performance.now() - start; sent * everyMs < now; sent += 1) {
    const packet = Buffer.alloc(64);
    packet.writeUInt32BE(sent);
    const number = sent;
    const flow = Math.floor((sent * everyMs) / turnMs) % flows;
    sockets[flow]?.send(packet, firstPort + flow, far, (error) => {
      if (error !== null && refused.length < missingMax) refused.push(`${number} ${error.message}`);
    });
  }
  await rest(turnMs);
}
await rest(lastOnesMs);
// The sockets close before the result is printed: the next flows may use the same addresses.
await Promise.all(
  sockets.map((socket) => new Promise<void>((closed) => socket.close(() => closed()))),
);
const newest = Math.max(0, ...[...arrived].slice(-1000));
const missing = Array.from({ length: newest }, (_, packet) => packet)
  .filter((packet) => !arrived.has(packet))
  .slice(0, missingMax);
const counters: TrafficCounters = { sent, received: arrived.size, refused, missing, silence };
console.log(JSON.stringify(counters));
