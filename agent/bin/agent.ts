// The service: an agent on this host with its sockets. When it ends, every device stays as it is.

import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { LinksealError } from "#hal/error.ts";
import type { LogLevel, World } from "#hal/world.ts";
import { findAddon, refuseDumps } from "../host/addon.ts";
import {
  hostClock,
  hostWorld,
  lockState,
  openHostKey,
  openReportKey,
  readHostId,
} from "../host/host.ts";
import { Manager } from "../host/manager.ts";
import { agentPlaces, type Places } from "../host/places.ts";
import { serveApi } from "../host/server.ts";
import { runTelemetry } from "../host/telemetry.ts";
import type { DesiredDevice } from "../model/desired.ts";
import { cloudsOf, openAgent } from "../operate/open.ts";
import type { Agent } from "../runtime/agent.ts";
import { measureLag } from "../runtime/polling/loop-lag.ts";
import { Watchdog } from "../runtime/polling/watchdog.ts";
import { IntentStore } from "../store/intent/intent.ts";
import { logEvents } from "../telemetry/event-log.ts";

export interface ServiceOptions {
  /** `unix:PATH` of the simulated site whose clock is followed; absent = found in the intent. */
  readonly site: string | undefined;
  readonly level: LogLevel;
}

/**
 * Runs until SIGTERM or SIGINT, then resolves to 0; resolves to 1 after a defect, which was logged.
 * @throws LinksealError that says why the agent cannot start
 */
export async function runService(options: ServiceOptions): Promise<0 | 1> {
  const stop = stopSignal();
  const places = agentPlaces();
  const plain = await hostWorld({ state: places.state, level: options.level });
  const native = findAddon();
  refuseDumps(native, plain.log);
  await using _lock = await lockState(places.state);
  const address = options.site ?? (await simulatedSite(plain));
  const { state } = places;
  const world =
    address === undefined ? plain : await hostWorld({ state, level: options.level, site: address });
  using hostKey = await openHostKey(places.state);
  using reportKey = await openReportKey(places.state);
  const identity = { hostKey, reportKey, host: await readHostId() };
  const clouds = cloudsOf(world, () => import("../host/credentials.ts"));
  const agent = await openAgent(world, identity, clouds);
  if (address === undefined) warnOfSites(agent, world);
  logEvents(agent.events, world.log);
  const manager = native === undefined ? undefined : new Manager(native, world.log);
  return await serve({ agent, world, places, native, manager }, stop);
}

/**
 * The longest turn of a loop, in milliseconds. An observation, a step and a vault request each have
 * a deadline far below it.
 */
const turnMsMax = 900_000;

interface Service {
  readonly agent: Agent;
  readonly world: World;
  readonly places: Places;
  /** undefined = there is no addon, so that clients stay unknown. */
  readonly native: ReturnType<typeof findAddon>;
  /** undefined = there is no addon, so that the service manager cannot be notified. */
  readonly manager: Manager | undefined;
}

async function serve(service: Service, stop: AbortSignal): Promise<0 | 1> {
  const { agent, world, places, native, manager } = service;
  const defect = new AbortController();
  const end = AbortSignal.any([stop, defect.signal]);
  const broken = (error: unknown): void => {
    if (defect.signal.aborted) return;
    world.log.write("error", "agent.internal", defectText(error));
    defect.abort();
  };
  const api = await serveApi(agent, world, places, { native, broken });
  world.log.write("info", "ready", readyText(agent), { runtime: places.runtime });
  manager?.ready();
  const watchdog = new Watchdog(turnMsMax);
  // The watchdog uses this host's own clock: that of a simulated site may be stopped or run fast.
  void manager?.watch(() => watchdog.late(agent.heartbeats, hostClock.now()), end);
  void measureLag(agent.loopLag, hostClock, end);
  void watchFile(agent, places, world, end);
  const telling = runTelemetry(agent, world, { kind: places.kind, native, broken }, end);
  await agent.run(end).catch((error: unknown) => {
    // Loops end by the signal that stops them; any other end is a defect.
    if (!end.aborted) broken(error);
  });
  manager?.stopping();
  await Promise.all([api.close(), telling]);
  await agent.close();
  if (defect.signal.aborted) return 1;
  world.log.write("info", "stopped", "stopped; every device stays as it is");
  return 0;
}

const fileMs = 10_000;
const fileBytesMax = 1_000_000;

/**
 * Reads the config file again and again. A changed file changes nothing by itself; that it differs
 * from the intent becomes a warning.
 */
async function watchFile(
  agent: Agent,
  places: Places,
  world: World,
  end: AbortSignal,
): Promise<void> {
  while (!end.aborted) {
    agent.fileText = await readSmall(join(places.config, "linkseal.yaml"));
    await world.clock.sleep(fileMs, end).catch(() => undefined);
  }
}

// A file that cannot be read counts as absent; `plan` and `apply` report why when they read it.
async function readSmall(path: string): Promise<string | undefined> {
  try {
    const { size } = await stat(path);
    return size > fileBytesMax ? undefined : await readFile(path, "utf8");
  } catch {
    return undefined;
  }
}

function stopSignal(): AbortSignal {
  const stop = new AbortController();
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, () => stop.abort());
  return stop.signal;
}

function readyText(agent: Agent): string {
  const { intent, intentDamage } = agent;
  if (intentDamage !== undefined) return `READY: only observes: ${intentDamage.message}`;
  return intent === undefined
    ? "READY: no config has been accepted yet"
    : `READY: serves intent ${intent.number} of site ${intent.desired.site}`;
}

/**
 * Returns the address of the simulated site if all devices of the accepted intent are simulated and
 * in one place.
 */
async function simulatedSite(world: World): Promise<string | undefined> {
  const intents = await IntentStore.open(world.disk);
  const devices = intactDevices(intents);
  const addresses = new Set(
    devices.map(({ driver, address }) => (driver === "sim" ? address : "")),
  );
  const [first] = addresses;
  return addresses.size === 1 && first !== "" ? first : undefined;
}

// The agent reports a damaged intent itself; damage must not prevent the start.
function intactDevices(intents: IntentStore): readonly DesiredDevice[] {
  try {
    return intents.current()?.desired.devices ?? [];
  } catch (error) {
    if (!(error instanceof LinksealError)) throw error;
    return [];
  }
}

// The clock of running loops cannot be exchanged, and a site that runs faster looks slow on ours.
function warnOfSites(agent: Agent, world: World): void {
  agent.events.listen(({ code }) => {
    if (code !== "intent-accepted") return;
    const devices = agent.intent?.desired.devices ?? [];
    if (devices.length === 0 || devices.some(({ driver }) => driver !== "sim")) return;
    const text = "the devices are simulated, and this agent does not follow their clock";
    const next = "start it again, or with --site unix:PATH";
    world.log.write("warn", "site-clock", text, { next });
  });
}

function defectText(error: unknown): string {
  if (error instanceof LinksealError) return `${error.code}: ${error.message}`;
  if (!(error instanceof Error)) return "a value that is not an Error was thrown";
  return error.stack ?? error.message;
}
