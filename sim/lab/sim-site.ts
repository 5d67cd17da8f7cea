// `npm start`: the agent, its simulated site, their sockets and the live picture in one process.

import { mkdtemp, open, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { paintFor } from "#agent/cli/paint.ts";
import { verdictExit } from "#agent/cli/status.ts";
import { statusText } from "#agent/cli/status-text.ts";
import { findAddon } from "#agent/host/addon.ts";
import { FsDisk } from "#agent/host/disk.ts";
import { hostEntropy } from "#agent/host/entropy.ts";
import { hostDialer } from "#agent/host/host.ts";
import { hostLog } from "#agent/host/log.ts";
import { agentPlaces, type Places } from "#agent/host/places.ts";
import { serveApi } from "#agent/host/server.ts";
import { runTelemetry } from "#agent/host/telemetry.ts";
import { columns, jsonText, readable } from "#agent/model/text.ts";
import type { Agent } from "#agent/runtime/agent.ts";
import type { Status } from "#agent/runtime/health/status.ts";
import type { MacsecCapabilities } from "#hal/device.ts";
import { LinksealError } from "#hal/error.ts";
import type { World } from "#hal/world.ts";
import { type AskedFault, Demo } from "./demo.ts";
import { configBounds } from "./oracle-bounds.ts";
import { stopAsked, verdictOf } from "./sim-run.ts";
import { siteSocketOf, unknownFault } from "./sim-serve.ts";
import { Stage } from "./sim-stage.ts";
import type { StaffedSite } from "./simulate.ts";

type Simulation = typeof import("./simulate.ts");

export interface SiteRunOptions {
  readonly once?: true;
  readonly json?: true;
  readonly fault?: readonly string[];
  readonly speed: number;
  readonly seed: string;
  readonly start: "clear" | "protected";
  readonly overlap: MacsecCapabilities["overlap"];
}

const momentText = {
  beforeFirstEffect: "before the first effect",
  afterProtected: "once all is protected",
};

export async function listFaults(json: boolean): Promise<0> {
  const faults = (await import("./simulate.ts")).faultList();
  const rows = columns(faults.map(({ name, title, when }) => [name, title, momentText[when]]));
  process.stdout.write(json ? `${jsonText({ faults })}\n` : `${rows.join("\n")}\n`);
  return 0;
}

/**
 * Runs the demo; resolves to the exit status.
 * @throws LinksealError with `usage` or `journal.locked`, or the error that stopped the agent
 */
export async function runDemo(options: SiteRunOptions): Promise<number> {
  const simulation = await import("./simulate.ts");
  const { demoSite, routersThatHold } = simulation;
  const staff = demoSite(options.seed, options.start, routersThatHold(options.overlap));
  const faults = askedFaults(options.fault ?? [], simulation, staff);
  const stop = stopAsked();
  const play = await openPlay(options, simulation, staff, faults);
  const sockets = await openSockets(options, simulation, play).catch(async (error: unknown) => {
    await play.close();
    await rm(play.folder, { recursive: true });
    throw error;
  });
  const stage = new Stage({ ...options, ...play, places: sockets.places });
  stage.begin();
  const running = AbortSignal.any([stop, play.ended.signal]);
  for (const loop of [play.agent.run(running), play.demo.run(running)]) {
    loop.catch((error: unknown) => {
      if (!running.aborted) play.fail(error);
    });
  }
  staff.site.setSpeed(options.speed);
  const pace = simulation.paceClock(staff.site.clock, {
    speed: options.speed,
    until: () => running.aborted || (options.once === true && play.demo.settled),
    hold: play.isDiskBusy,
  });
  await pace.done;
  const status = play.agent.status();
  play.ended.abort();
  await play.agent.close();
  await sockets.close();
  stage.end();
  await play.close();
  const { failure } = play;
  if (failure !== undefined) throw failure.error;
  if (options.once === true) {
    const words = options.json === true ? jsonText(status) : wordsOf(status);
    process.stdout.write(`${words}\n`);
  }
  return await exitOf(options, play, status.verdict);
}

function wordsOf(status: ReturnType<Agent["status"]>): string {
  return `\n${statusText(readable(status), paintFor(process.stdout))}`;
}

async function exitOf(
  options: SiteRunOptions,
  { staff }: Play,
  verdict: Parameters<typeof verdictExit>[0],
): Promise<number> {
  if ((await verdictOf(staff)) === 1) return 1;
  if (options.once !== true) return 0;
  // A fault that was requested and changed nothing is not a success.
  return (options.fault ?? []).length > 0 ? 4 : verdictExit(verdict);
}

/** Parses `NAME` or `NAME@SECONDS`. */
function askedFaults(
  texts: readonly string[],
  { faultList }: Simulation,
  { faultConsole }: StaffedSite,
): readonly AskedFault[] {
  const list = faultList();
  return texts.map((text) => {
    const [, name, seconds] = /^([^@]+)(?:@(\d{1,4}(?:\.\d+)?))?$/.exec(text) ?? [];
    const fault = list.find((each) => each.name === name);
    if (name === undefined || fault === undefined) {
      throw unknownFault(name ?? text, list, "linkseal sim site --list-faults");
    }
    const when = seconds === undefined ? fault.when : { atMs: Number(seconds) * 1000 };
    return { name, when, strike: () => faultConsole.strike(name) };
  });
}

/** Everything of one run. */
interface Play {
  readonly staff: StaffedSite;
  readonly agent: Agent;
  readonly world: World;
  readonly demo: Demo;
  readonly folder: string;
  /** Port of the status page, once the config is in force; undefined = there is none. */
  readonly pagePort: number | undefined;
  readonly isDiskBusy: () => boolean;
  readonly ended: AbortController;
  /** The error that stopped the run. */
  readonly failure: { readonly error: unknown } | undefined;
  readonly fail: (error: unknown) => void;
  close(): Promise<void>;
}

async function openPlay(
  options: SiteRunOptions,
  { simulatedAgent, simulatedWorld }: Simulation,
  staff: StaffedSite,
  faults: readonly AskedFault[],
): Promise<Play> {
  const { site, oracle } = staff;
  const folder = await mkdtemp(join(tmpdir(), "linkseal-demo-"));
  const disk = await FsDisk.open(join(folder, "state"));
  const logFile = await open(join(folder, "linkseal.log"), "a", 0o600);
  const { clock } = site;
  const log = hostLog({ level: "info", clock, fd: logFile.fd, journalStream: undefined });
  const world = simulatedWorld({ site, disk, log, prng: site.prng.fork("agent") });
  const agent = await simulatedAgent(world);
  const pagePort = options.once === true ? undefined : await freePort(pagePortUsual);
  const text = site.config(`unix:${siteSocketOf(agentPlaces().runtime)}`) + pageConfig(pagePort);
  await writeFile(join(folder, "demo.yaml"), text, { mode: 0o600 });
  const config = options.start === "clear" ? text : undefined;
  const reported = (status: Status): void => {
    if (agent.intent !== undefined) oracle.judgeBy(configBounds(agent.intent.desired));
    oracle.reported(status);
  };
  const demo = new Demo({ site, agent, faults, config, reported });
  const ended = new AbortController();
  let failure: Play["failure"];
  return {
    staff,
    agent,
    world,
    demo,
    folder,
    pagePort,
    isDiskBusy: () => disk.isBusy,
    ended,
    get failure() {
      return failure;
    },
    fail: (error) => {
      failure ??= { error };
      ended.abort();
    },
    close: () => logFile.close(),
  };
}

const pagePortUsual = 9443;

/** Returns the usual port, or any free one if another program uses that. */
function freePort(usual: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", (error) => {
      if (usual === 0) reject(error);
      else resolve(freePort(0));
    });
    server.listen({ host: "127.0.0.1", port: usual, exclusive: true }, () => {
      const address = server.address();
      const port = typeof address === "object" && address !== null ? address.port : usual;
      server.close(() => resolve(port));
    });
  });
}

function pageConfig(port: number | undefined): string {
  return port === undefined ? "" : `serve: { page: { listen: "127.0.0.1:${port}" } }\n`;
}

interface Sockets {
  /** undefined = no sockets are served. */
  readonly places: Places | undefined;
  close(): Promise<void>;
}

async function openSockets(
  options: SiteRunOptions,
  { serveSite }: Simulation,
  { staff, agent, world, fail, ended }: Play,
): Promise<Sockets> {
  const places = agentPlaces();
  try {
    const api = await serveApi(agent, world, places, { native: findAddon(), broken: fail });
    const site = await serveSite(staff.faultConsole.handler(), siteSocketOf(places.runtime)).catch(
      async (error: unknown) => {
        await api.close();
        throw error;
      },
    );
    // Telemetry is outside of the simulation, and uses no randomness of its seed.
    const outside = { ...world, dial: hostDialer, entropy: hostEntropy };
    const { kind } = places;
    const parts = { kind, native: undefined, broken: fail };
    const telemetry = runTelemetry(agent, outside, parts, ended.signal);
    return {
      places,
      close: async () => {
        await Promise.all([api.close(), site.close(), telemetry]);
      },
    };
  } catch (error) {
    // With --once only the outcome counts, which needs no sockets.
    if (options.once !== true || !(error instanceof LinksealError)) throw error;
    process.stderr.write(`no sockets are served: ${error.message} (${error.where})\n`);
    return { places: undefined, close: async () => undefined };
  }
}
