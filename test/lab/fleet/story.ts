// What happens in the lab of many sites: each step says what is promised, and what was found.

import { judgeDelay } from "../../storm/permit-delay.ts";
import { type Hall, membersIn, wave } from "./hall.ts";
import type { RealSite } from "./real-site.ts";

/** A promise, and how it is broken; nothing found = it was kept. */
export interface Promised {
  readonly what: string;
  readonly found: readonly string[];
  readonly seconds: number;
}

/** The longest time in which a site reads a freeze, with room for a slow computer. */
const readsMs = 20_000;
const why = "the exchange is being moved";

export class Story {
  readonly promises: Promised[] = [];
  /** Milliseconds until another hub led, and until the engine was read again. */
  readonly times = { takeoverMs: 0, engineMs: 0 };
  readonly #hall: Hall;
  readonly #say: (line: string) => void;
  readonly #broken: string;

  constructor(hall: Hall, say: (line: string) => void) {
    this.#hall = hall;
    this.#say = say;
    this.#broken = hall.names.recorded[0] ?? "";
  }

  async run(): Promise<void> {
    await this.#step("all sites ask, and nothing begins without a permit", () => this.#ask());
    await this.#step("the canary goes first, and alone", () => this.#canary());
    await this.#step("a campaign that fails stops the wave", () => this.#fail());
    await this.#step("it is resumed without that site", () => this.#resume());
    await this.#step("the hub that leads is killed: the other leads", () => this.#killHub());
    await this.#step("the engine is killed, and starts again", () => this.#killEngine());
    await this.#step("frozen sites take no link", () => this.#freeze());
    await this.#step("thawed, the wave goes on to its end", () => this.#thaw());
    await this.#step("each whole site did what it does without a hub, later", () => this.#judge());
    await this.#step("the hub knows all sites, and its page is there", () => this.#look());
  }

  async #step(what: string, act: () => Promise<readonly string[]>): Promise<void> {
    const begun = performance.now();
    const found = await act();
    const seconds = Math.round((performance.now() - begun) / 100) / 10;
    this.promises.push({ what, found, seconds });
    this.#say(`${found.length === 0 ? "kept" : "BROKEN"}  ${what} (${seconds} s)`);
    for (const line of found) this.#say(`        ${line}`);
  }

  async #ask(): Promise<readonly string[]> {
    const hall = this.#hall;
    await hall.startHubs();
    this.#say("      the hubs and their page run");
    await hall.startSites([this.#broken]);
    this.#say("      all sites run, and their rotations are due within some minutes of theirs");
    await hall.until(() => hall.allAsk());
    this.#say("      all sites ask");
    await hall.pass(readsMs);
    return untouched(hall.real);
  }

  async #canary(): Promise<readonly string[]> {
    const hall = this.#hall;
    const { groups, share } = hall.names;
    const [canary = ""] = groups;
    const words = ["--canary", canary, "--share", String(share), "--bake", "0s", "--yes"];
    const begun = await hall.type(
      ...["fleet", "begin", wave, "--groups", groups.join(","), ...words],
    );
    if (begun.status !== 0) return [begun.err];
    let early: readonly string[] = [];
    await hall.untilWave(({ stage }) => {
      if (stage === 0) early = [...untouched(hall.real.slice(1)), ...hall.recorded.begun];
      return stage > 0;
    });
    const [first] = hall.real;
    return [...early, ...(first?.links.length === 2 ? [] : ["the canary did not rotate"])];
  }

  async #fail(): Promise<readonly string[]> {
    const hall = this.#hall;
    const { state } = await hall.untilWave((found) => found.state.kind === "stopped");
    const wanted = `${this.#broken}.g: notReached`;
    const is = state.kind === "stopped" ? state.why : "";
    await hall.pass(readsMs);
    const later = (await hall.wave())?.stages.slice(2).flat() ?? [];
    const names = new Set(later.map(({ site }) => site));
    return [
      ...(is === wanted ? [] : [`it stopped because of ${is}`]),
      ...untouched(hall.real.filter(({ name }) => names.has(name))),
      ...hall.recorded.begun.filter((site) => names.has(site)),
    ];
  }

  async #resume(): Promise<readonly string[]> {
    const hall = this.#hall;
    const without = ["--without", `${this.#broken}.g`, "--yes"];
    const { status, err } = await hall.type("fleet", "resume", wave, ...without);
    if (status !== 0) return [err];
    await hall.untilWave(({ stage }) => stage > 1);
    return [];
  }

  async #killHub(): Promise<readonly string[]> {
    const hall = this.#hall;
    const led = hall.leader;
    const killed = performance.now();
    await led?.end("SIGKILL");
    await hall.slowly(() => hall.until(() => hall.leader !== undefined));
    this.times.takeoverMs = Math.round(performance.now() - killed);
    return led === undefined || hall.leader === led ? ["no hub led"] : [];
  }

  async #killEngine(): Promise<readonly string[]> {
    const hall = this.#hall;
    await hall.nats.kill();
    const { status } = await hall.type("fleet", "waves", wave);
    await hall.nats.run();
    const started = performance.now();
    await hall.untilWave(() => true);
    this.times.engineMs = Math.round(performance.now() - started);
    await hall.untilWave(({ stage }) => stage > 2);
    return status === 1 ? [] : [`without an engine fleet waves ended with ${status}`];
  }

  async #freeze(): Promise<readonly string[]> {
    const hall = this.#hall;
    const last = hall.real.at(-1);
    if (last === undefined) return ["there is no whole site"];
    await hall.until(() => last.links.length === 1);
    const [link = ""] = last.links;
    const { status, err } = await hall.type("fleet", "freeze", "--why", why);
    if (status !== 0) return [err];
    await hall.untilWave(({ state }) => state.kind === "frozen");
    // What may have read the engine before the freeze takes its link.
    await hall.pass(readsMs);
    const before = hall.real.map(({ links }) => links.length);
    const open = hall.real.filter(({ links }) => links.length === 1);
    await hall.until(() => open.every((site) => site.hasRestored(site.links[0] ?? "")));
    await hall.pass(2 * readsMs);
    const permit = await hall.type("fleet", "permit", last.name, last.group, "--yes");
    return [
      ...(last.links.length === 1 ? [] : [`${last.name} took a link after ${link}`]),
      ...hall.real.flatMap(({ name, links }, at) =>
        links.length === before[at] ? [] : [`${name} took ${links.at(-1)}`],
      ),
      ...(permit.status === 6 ? [] : [`a permit of a frozen site ended with ${permit.status}`]),
    ];
  }

  async #thaw(): Promise<readonly string[]> {
    const hall = this.#hall;
    const { status, err } = await hall.type("fleet", "thaw", "--yes");
    if (status !== 0) return [err];
    const found = await hall.untilWave(({ state }) => state.kind === "done");
    const { names, recorded } = hall;
    const reached = membersIn(found, "reached").length;
    const leftOut = membersIn(found, "leftOut").map(({ site }) => site);
    const all = names.groups.length;
    return [
      ...(reached === all - 1 ? [] : [`${reached} of ${all} have reached their end`]),
      ...(leftOut.join() === this.#broken ? [] : [`left out: ${leftOut.join()}`]),
      ...(recorded.begun.length === names.recorded.length ? [] : ["a recorded site began twice"]),
      ...(recorded.openMost <= names.share ? [] : [`${recorded.openMost} were open at once`]),
    ];
  }

  async #judge(): Promise<readonly string[]> {
    const { real, asked, complaints } = this.#hall;
    const found = [...complaints];
    for (const site of real) {
      const ask = asked.get(site.name);
      if (ask === undefined) return [`${site.name} has not asked`];
      const free = await site.alone();
      const judged = judgeDelay(free, site.since(ask.at));
      found.push(...judged.map((line) => `${site.name}: ${line}`));
      if (site.effects.length < free.effects.length)
        found.push(`${site.name} did not do all of it`);
      found.push(...site.violations.map((line) => `${site.name}: ${line}`));
    }
    return found;
  }

  async #look(): Promise<readonly string[]> {
    const hall = this.#hall;
    const { url } = await hall.pageLogin();
    const page = await fetch(url);
    const { all, silent, verdicts } = await hall.status();
    const sites = hall.names.groups.length;
    return [
      ...(page.status === 200 ? [] : [`the page answers ${page.status}`]),
      ...(all === sites ? [] : [`the hub knows ${all} sites`]),
      ...(silent === 0 ? [] : [`${silent} sites are silent`]),
      ...(verdicts.protected === sites ? [] : [JSON.stringify(verdicts)]),
    ];
  }
}

const untouched = (sites: readonly RealSite[]): readonly string[] =>
  sites.flatMap(({ name, links }) => links.map((link) => `${link} of ${name} was taken`));
