// Packets of so many flows, as many of each, from one address to another; ends when all are sent.

import { createSocket } from "node:dgram";
import { setTimeout as rest } from "node:timers/promises";

const [own = "", far = "", flows = "1", each = "1"] = process.argv.slice(2);
const firstPort = 20_000;
const discard = 9;

for (let flow = 0; flow < Number(flows); flow += 1) {
  const socket = createSocket("udp4");
  // Nobody listens there.
  socket.on("error", () => undefined);
  await new Promise<void>((bound) => socket.bind(firstPort + flow, own, bound));
  for (let packet = 0; packet < Number(each); packet += 1) {
    await new Promise((sent) => socket.send("x", discard, far, sent));
    // The queue of an interface is short.
    if (packet % 50 === 49) await rest(1);
  }
  socket.close();
}
