// Many sites in one process: each has the agent's own client of the engine, a connection and a user
// of its own, and publishes what was recorded as often as an agent does.
// Arguments: server, CA, folder of the seeds, file with the recording, `publish`, or `campaign`
// (each asks for one, too), and names of the sites.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { NatsEngine } from "#agent/fleet/nats-engine.ts";
import { inboxPrefix } from "#agent/fleet/subjects.ts";
import { hostClock } from "#agent/host/clock.ts";
import { openerOf } from "#agent/host/engine-stream.ts";
import { hostEntropy } from "#agent/host/entropy.ts";
import { campaign } from "./campaign.ts";
import { type Recording, recordedEvent, recordedStatus } from "./recorded.ts";

/** As the agent's publisher: a status each 30 s, and some event of each site each five minutes. */
const statusMs = 30_000;
const eventMs = 300_000;
/** Sites that connect at a time: on a busy machine, more would run out of the server's patience. */
const connectingMost = 8;

const [server = "", ca = "", folder = "", file = "", life = "", ...names] = process.argv.slice(2);
const recording = JSON.parse(readFileSync(file, "utf8")) as Recording;
const end = new AbortController();
process.once("SIGTERM", () => end.abort());
const waited = (ms: number): Promise<void> =>
  hostClock.sleep(ms, end.signal).catch(() => undefined);
let areConnected = false;

async function connected(name: string): Promise<NatsEngine> {
  const world = { clock: hostClock, entropy: hostEntropy };
  const open = openerOf({ servers: [server], ca, key: `file:${join(folder, `${name}.seed`)}` });
  const engine = new NatsEngine({ world, inbox: inboxPrefix(name), name, open });
  void engine.run(end.signal);
  while (engine.state.kind !== "connected" && !end.signal.aborted) await waited(50);
  return engine;
}

async function live(name: string, index: number, engine: NatsEngine): Promise<void> {
  const put = async (turn: number): Promise<void> => {
    const octets = recordedStatus(recording, turn + index, name);
    if (engine.state.kind === "connected")
      await engine.put("linkseal-status", name, octets, end.signal);
  };
  const tell = async (): Promise<void> => {
    for (let turn = 0; !end.signal.aborted; turn += 1) {
      await put(turn);
      // After the first one, the sites are not in step.
      await waited(turn === 0 ? Math.random() * statusMs : statusMs);
    }
  };
  const happen = async (): Promise<void> => {
    for (let seq = 0; !end.signal.aborted; seq += 1) {
      await waited(seq === 0 ? Math.random() * eventMs : eventMs);
      const octets = recordedEvent(recording, seq);
      await engine.publish("LINKSEAL-EVENTS", name, { octets }, end.signal);
      await put(seq);
    }
  };
  const change = async (): Promise<void> => {
    // Sites that ask read their permits again and again, beside others that still connect.
    while (!areConnected && !end.signal.aborted) await waited(500);
    const say = (line: object): void => console.log(JSON.stringify(line));
    await campaign({ site: name, engine, end: end.signal, tell: say });
    await put(index);
  };
  await Promise.all([tell(), happen(), ...(life === "campaign" ? [change()] : [])]);
}

const lives: Promise<void>[] = [];
const left = [...names.entries()];
async function connectAll(): Promise<void> {
  for (let next = left.shift(); next !== undefined; next = left.shift()) {
    const [index, name] = next;
    lives.push(live(name, index, await connected(name)));
  }
}
await Promise.all(Array.from({ length: connectingMost }, connectAll));
areConnected = true;
console.log("connected");
await Promise.all(lives);
