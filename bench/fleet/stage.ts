// Debian's nats-server, sites that publish, the hub's page as it is installed, and a viewer of it.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as rest } from "node:timers/promises";
import { ask } from "#agent/cli/client.ts";
import type { FleetView } from "#agent/hub/fleet-shape.ts";
import { withEngine } from "#agent/hub/host/hub-session.ts";
import { hubInbox } from "#agent/hub/server-accounts.ts";
import { makeStores } from "#agent/hub/setup.ts";
import { firstLine } from "../../test/first-line.ts";
import { NatsStage } from "../../test/peers/nats-stage.ts";
import { enter, sessionOf, Viewer } from "../../test/process/page-client.ts";
import { cpuMs, megabytes } from "./process.ts";
import { record } from "./recording.ts";

const command = join(import.meta.dirname, "../..", "agent", "bin.js");
const sitesProgram = join(import.meta.dirname, "sites.ts");
let recording: Promise<string> | undefined;

/** A hub with this many sites. */
export class FleetStage implements AsyncDisposable {
  readonly nats: NatsStage;
  readonly names: readonly string[];
  readonly #children: ChildProcess[] = [];
  #viewer: Viewer | undefined;
  #hub: ChildProcess | undefined;
  /** Time of each site's newest status on the page, by its own words. */
  readonly #shown = new Map<string, string>();
  /** Milliseconds from a site's writing of a status until the viewer has it. */
  readonly #lags: number[] = [];
  #views = 0;

  private constructor(nats: NatsStage, names: readonly string[]) {
    this.nats = nats;
    this.names = names;
  }

  static async open(count: number): Promise<FleetStage> {
    const names = Array.from({ length: count }, (_, n) => `s${String(n).padStart(5, "0")}`);
    // NATS's own client needs consumers, which a hub does not.
    const wider = (text: string): string =>
      text
        .replace('"$JS.API.INFO"', '"$JS.API.>"\n        "$JS.ACK.>"\n        "$JS.FC.>"')
        .replace('subscribe: { allow: [\n        "linkseal.hub.>"', '$&\n        "_INBOX.>"');
    const stage = new FleetStage(await NatsStage.start(wider, names), names);
    await withEngine(stage.login, makeStores);
    await stage.#begin();
    return stage;
  }

  get login() {
    const { server, ca, keys } = this.nats;
    return { servers: [server], ca, key: `file:${keys.hub}`, inbox: hubInbox };
  }

  async #begin(): Promise<void> {
    const { server, ca, folder, keys } = this.nats;
    const socket = join(folder, "hub.sock");
    const login = ["--server", server, "--ca", ca, "--key", keys.hub];
    const place = ["--listen", "127.0.0.1:0", "--socket", socket];
    this.#hub = this.#spawn(command, "hub", "page", ...login, ...place);
    await firstLine(this.#hub.stdout ?? process.stdin);
    const file = join(folder, "recording.json");
    recording ??= record().then((found) => JSON.stringify(found));
    writeFileSync(file, await recording);
    const sites = this.#spawn(sitesProgram, server, ca, folder, file, "publish", ...this.names);
    await firstLine(sites.stdout ?? process.stdin);
    await this.#view(socket);
    await this.fresh(0);
  }

  #spawn(...words: readonly string[]): ChildProcess {
    const child = spawn(process.execPath, [...words], { stdio: ["ignore", "pipe", "inherit"] });
    child.stdout?.resume();
    this.#children.push(child);
    return child;
  }

  /** The address of the page with a login code. */
  async code(socket = join(this.nats.folder, "hub.sock")): Promise<string> {
    const asked = { role: "view", method: "POST", path: "/v1/page/code", socket } as const;
    const { url, code } = (await ask(asked)) as { readonly url: string; readonly code: string };
    return `${url}#${code}`;
  }

  async #view(socket: string): Promise<void> {
    const [url = "", code = ""] = (await this.code(socket)).split("#");
    const place = { port: Number(new URL(url).port) };
    const viewer = new Viewer(place, sessionOf(await enter(place, code)));
    this.#viewer = viewer;
    viewer.socket.on("message", () => {
      const [text] = viewer.texts.splice(0);
      this.#take(JSON.parse(text ?? "") as FleetView);
    });
    if ((await viewer.answered) !== 101) throw new Error("the page has no room for a viewer");
  }

  #take({ sites }: FleetView): void {
    const now = Date.now();
    this.#views += 1;
    for (const { site, told } of sites) {
      if (told === null || this.#shown.get(site) === told.at) continue;
      this.#shown.set(site, told.at);
      this.#lags.push(now - Date.parse(told.at));
    }
  }

  /** Waits until the page shows of each site a status that it wrote after that moment. */
  async fresh(since: number): Promise<void> {
    const isFresh = (site: string): boolean => Date.parse(this.#shown.get(site) ?? "") > since;
    while (!this.names.every(isFresh)) await rest(50);
  }

  /** Looks on for a while. */
  async watch(seconds: number): Promise<Watched> {
    const pids = { hub: this.#hub?.pid ?? 0, engine: this.nats.pid };
    this.#lags.length = 0;
    const before = { hub: cpuMs(pids.hub), engine: cpuMs(pids.engine), views: this.#views };
    await rest(seconds * 1_000);
    const lags = this.#lags.toSorted((a, b) => a - b);
    return {
      ageMs: lags[Math.ceil(lags.length * 0.99) - 1] ?? Number.NaN,
      hubMsPerUpdate: (cpuMs(pids.hub) - before.hub) / (this.#views - before.views),
      engineMsPerSecond: (cpuMs(pids.engine) - before.engine) / seconds,
      hubMegabytes: megabytes(pids.hub),
      engineMegabytes: megabytes(pids.engine),
    };
  }

  /** Ends the engine as a power cut does; resolves to the seconds until all sites are fresh. */
  async killEngine(): Promise<number> {
    const killed = Date.now();
    await this.nats.kill();
    await this.nats.run();
    await this.fresh(killed);
    return (Date.now() - killed) / 1_000;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#viewer?.socket.terminate();
    for (const child of this.#children) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      const ended = once(child, "exit");
      child.kill("SIGKILL");
      await ended;
    }
    await this.nats[Symbol.asyncDispose]();
  }
}

/** What was seen meanwhile. */
export interface Watched {
  /** How long ago a site wrote what the page shows of it, at the 99th percentile of all updates. */
  readonly ageMs: number;
  readonly hubMsPerUpdate: number;
  readonly engineMsPerSecond: number;
  readonly hubMegabytes: number;
  readonly engineMegabytes: number;
}
