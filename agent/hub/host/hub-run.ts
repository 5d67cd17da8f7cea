// The service `linkseal hub run`: a connection to the engine that it keeps, and the waves of it.

import { hostname } from "node:os";
import type { LogLevel } from "#hal/world.ts";
import { NatsEngine } from "../../fleet/nats-engine.ts";
import { findAddon, refuseDumps } from "../../host/addon.ts";
import { hostClock } from "../../host/clock.ts";
import { openerOf } from "../../host/engine-stream.ts";
import { hostEntropy } from "../../host/entropy.ts";
import { hostLog } from "../../host/log.ts";
import { Manager } from "../../host/manager.ts";
import { type HubEvent, lineOf } from "../hub-events.ts";
import { runWaves } from "../wave-run.ts";
import type { HubLogin } from "./hub-session.ts";

/** A loop that has not turned for this long hangs, in milliseconds: each request has 10 s. */
const turnMsMax = 900_000;

/** Runs until SIGTERM or SIGINT, then resolves to 0; or to 1 after a defect, which is logged. */
export async function runHub({ inbox, ...login }: HubLogin, level: LogLevel): Promise<0 | 1> {
  const stop = new AbortController();
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, () => stop.abort());
  const { JOURNAL_STREAM: journalStream } = process.env;
  const native = findAddon();
  const log = hostLog({ level, clock: hostClock, fd: 1, journalStream, native });
  refuseDumps(native, log);
  const tell = (event: HubEvent): void => {
    const { level: of, code, text, fields } = lineOf(event);
    log.write(of, code, text, fields);
  };
  const name = `${hostname().slice(0, 200)} ${process.pid}`;
  const world = { clock: hostClock, entropy: hostEntropy };
  const engine = new NatsEngine({
    ...{ world, inbox, name: "linkseal hub run", isHub: true, open: openerOf(login) },
    changed: (state) => tell({ kind: "engine", state }),
    lacking: (lack) => tell({ kind: "lack", lack }),
  });
  const manager = native === undefined ? undefined : new Manager(native, log);
  // The connection outlives the waves, so that the lease is given up.
  const over = new AbortController();
  let turnedAt = hostClock.now();
  const turned = (): void => {
    turnedAt = hostClock.now();
  };
  log.write("info", "ready", "READY: runs the waves of many sites", { name });
  manager?.ready();
  const late = () => (hostClock.now() - turnedAt > turnMsMax ? "the loop of waves" : undefined);
  void manager?.watch(late, over.signal);
  const connected = engine.run(over.signal);
  const status = await runWaves({ world, engine, name, tell, turned }, stop.signal)
    .then(() => 0 as const)
    .catch((error: unknown) => {
      log.write("error", "hub.internal", error instanceof Error ? String(error.stack) : "");
      return 1 as const;
    });
  manager?.stopping();
  over.abort();
  await connected;
  if (status === 0) log.write("info", "stopped", "stopped; sites go on, and no permit is given");
  return status;
}
