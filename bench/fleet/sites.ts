// Many sites in one process: each has the agent's own client of the engine, a connection and a user
// of its own, and publishes what was recorded as often as an agent does.
// Arguments: server, CA, folder of the seeds, file with the recording, and names of the sites.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { NatsEngine } from "#agent/fleet/nats-engine.ts";
import { inboxPrefix } from "#agent/fleet/subjects.ts";
import { hostClock } from "#agent/host/clock.ts";
import { openerOf } from "#agent/host/engine-stream.ts";
import { hostEntropy } from "#agent/host/entropy.ts";
import { type Recording, recordedEvent, recordedStatus } from "./recorded.ts";

/** As the agent's publisher: a status each 30 s, and some event of each site each five minutes. */
const statusMs = 30_000;
const eventMs = 300_000;
/** Sites that begin in one second. */
const beginPerSecond = 100;

const [server = "", ca = "", folder = "", file = "", ...names] = process.argv.slice(2);
const recording = JSON.parse(readFileSync(file, "utf8")) as Recording;
const end = new AbortController();
process.once("SIGTERM", () => end.abort());
const waited = (ms: number): Promise<void> =>
  hostClock.sleep(ms, end.signal).catch(() => undefined);
let begun = 0;

async function live(name: string, index: number): Promise<void> {
  await waited((index * 1_000) / beginPerSecond);
  const world = { clock: hostClock, entropy: hostEntropy };
  const open = openerOf({ servers: [server], ca, key: `file:${join(folder, `${name}.seed`)}` });
  const engine = new NatsEngine({ world, inbox: inboxPrefix(name), name, open });
  void engine.run(end.signal);
  while (engine.state.kind !== "connected" && !end.signal.aborted) await waited(50);
  begun += 1;
  if (begun === names.length) console.log("connected");
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
  await Promise.all([tell(), happen()]);
}

await Promise.all(names.map(live));
