// An agent whose routers use a vendor's dialect; the vault and the far ends are those of one
// simulated site.

import { simCloud } from "#agent/azure/sim-cloud.ts";
import { reasonText } from "#agent/model/reason-text.ts";
import { openRecords } from "#agent/operate/open.ts";
import { Agent } from "#agent/runtime/agent.ts";
import { drivers } from "#drivers/index.ts";
import type { Device, Driver } from "#hal/device.ts";
import { preview } from "#hal/secret.ts";
import type { ByteChannel } from "#hal/world.ts";
import { twiceASecond } from "#sim/base/clock.ts";
import { SimDisk } from "#sim/base/disk.ts";
import type { Prng } from "#sim/base/prng.ts";
import type { EmulatorSession, Wire } from "#sim/emulators/netconf.ts";
import { channelTo } from "#sim/lab/emulator-channel.ts";
import { simulatedIdentity, simulatedWorld } from "#sim/lab/simulate.ts";
import { formatViolation, type Oracle, watchSite } from "#sim/oracle/oracle.ts";
import type { Router } from "#sim/router/router.ts";
import { buildSite, type Site } from "#sim/site/site.ts";
import type { RouterModel } from "#sim/site/site-plan.ts";
import { hasty } from "../short-waits.ts";
import { CrashingWorld } from "../storm/crashing-world.ts";
import { settled } from "../unit/kit/site-bench.ts";

const address = "unix:/run/linkseal-sim/site.sock";
const group = "erd-demo";
const never = new AbortController().signal;

/** Removes the lines in which a terminal echoes a key that was typed. */
function unechoed(text: string, echo: RegExp): Uint8Array {
  const lines = text.split("\r\n").filter((one) => !echo.test(one));
  return new TextEncoder().encode(lines.join("\r\n"));
}

/** A platform, and the simulated routers that stand for it. */
export interface Spoken {
  readonly driver: Driver;
  readonly model: RouterModel;
  readonly emulatorOf: (router: Router) => Emulator;
  /** Matches a line in which a terminal echoes a key; absent = it echoes none. */
  readonly echo?: RegExp;
}

interface Emulator {
  connect(wire: Wire): EmulatorSession | undefined;
}

export class RouterStage {
  readonly site: Site;
  readonly oracle: Oracle;
  /** Counts of the agent's changes to keys of routers, by name. */
  readonly keyEffects = new Map<string, number>();
  /** Chance from 0 to 1 that the connection breaks before, and again after, each write. */
  cuts = 0;
  cut = 0;
  /** Returns true for a line that kills the agent before it reaches its router. */
  kills: (device: string, line: string) => boolean = () => false;
  /** Returns true for a line at which the connection breaks before it reaches its router. */
  cutsLine: (device: string, line: string) => boolean = () => false;
  /** The codes of the log of all agents. */
  readonly logged: string[] = [];
  /** Rewrites the config that the first agent gets. */
  rewrites: (config: string) => string = (config) => config;
  readonly #faultPrng: Prng;
  readonly #emulators: ReadonlyMap<string, Emulator>;
  readonly #spoken: Spoken;
  readonly #disk: SimDisk;
  #starts = 0;
  #crashing: CrashingWorld | undefined;
  /** Every call of the newest process, as the fault that kills it counts them. */
  called: readonly string[] = [];
  #agent: Agent | undefined;

  constructor(
    seed: string,
    spoken: Spoken,
    tunnels = 0,
    farEndDelayMs = { low: 6_000, high: 18_000 },
  ) {
    const { model, emulatorOf } = spoken;
    this.#spoken = spoken;
    const size = { seed, name: "demo", groups: 1, tunnels, start: "clear" } as const;
    this.site = buildSite({ ...size, farEndDelayMs, models: () => model });
    this.oracle = watchSite(this.site);
    this.#faultPrng = this.site.prng.fork("weather");
    this.oracle.expectDrained();
    const { clock, prng } = this.site;
    this.#disk = new SimDisk({ clock, prng: prng.fork("disk"), writeMs: 2 });
    this.site.onEffect(({ by, what }) => {
      if (by !== "agent" || !/^macsec\..*Key$/.test(what)) return;
      this.keyEffects.set(what, (this.keyEffects.get(what) ?? 0) + 1);
    });
    this.#emulators = new Map(
      [...this.site.routers].map(([name, router]) => [name, emulatorOf(router)]),
    );
  }

  /**
   * Runs one process of the agent, which gets its config if its disk is empty. It resolves as
   * virtual time passes, so a caller that runs the clock must not await it.
   */
  async begin(): Promise<void> {
    const { driver } = this.#spoken;
    const disk = this.#disk;
    const prng = this.site.prng.fork(this.#starts === 0 ? "agent" : `agent ${this.#starts}`);
    this.#starts += 1;
    const log = {
      write: (_: string, code: string, text: string) => {
        this.logged.push(code);
        this.#output(code, text);
      },
    };
    const bare = simulatedWorld({ site: this.site, disk, log, prng });
    const channels = new Set<ByteChannel>();
    const channel = async ({ device }: { readonly device: string }) => {
      const opened = this.#channel(device);
      channels.add(opened);
      return opened;
    };
    // The kernel closes the descriptors of a process that has ended, after the routers have
    // finished their current work.
    const die = (): void => {
      disk.crash();
      this.site.clock.after(1, () => {
        for (const one of channels) void one[Symbol.asyncDispose]();
      });
    };
    const near = { ...bare, dial: { ...bare.dial, channel } };
    const called: string[] = [];
    this.called = called;
    const crashing = new CrashingWorld(near, undefined, die, (what) => called.push(what));
    this.#crashing = crashing;
    const { world } = crashing;
    const records = await openRecords(world, simulatedIdentity());
    const agent = new Agent({
      ...{ world, ...records },
      drivers: { ...drivers, [driver.name]: this.#heard(driver) },
      clouds: () => simCloud(world.dial, address),
    });
    this.#agent = agent;
    agent.events.listen((event) => this.#output("events", JSON.stringify(event)));
    void agent.run(never);
    if (agent.intent !== undefined) return;
    const request = {
      text: this.rewrites(this.#config()),
      file: "fleet.yaml",
      who: "test",
      queue: false,
    };
    const answer = await agent.apply(request, never);
    if (answer.kind !== "accepted") throw new Error(JSON.stringify(answer));
  }

  /** Messages to a router may hold a key; replies and log lines must not. */
  #channel(device: string): ByteChannel {
    const inner = channelTo(device, (wire) => this.#emulators.get(device)?.connect(wire));
    let output = "";
    // Some messages do not arrive, and some that arrive get no answer.
    const cut = async (): Promise<void> => {
      if (!this.#faultPrng.chance(this.cuts)) return;
      this.cut += 1;
      await inner[Symbol.asyncDispose]();
    };
    return {
      ...inner,
      write: async (text, signal) => {
        if (this.kills(device, preview(text).trim())) {
          this.crashing.kill();
          return await new Promise<never>(() => undefined);
        }
        if (this.cutsLine(device, preview(text).trim())) await inner[Symbol.asyncDispose]();
        await cut();
        await inner.write(text, signal);
        await cut();
      },
      read: async (signal) => {
        const octets = await inner.read(signal);
        if (octets === undefined) return undefined;
        const { echo } = this.#spoken;
        if (echo === undefined) this.oracle.emitted(`answer of ${device}`, octets);
        else {
          // A line may arrive in pieces; it is checked once it is whole.
          output += new TextDecoder().decode(octets);
          const end = output.lastIndexOf("\r\n") + 2;
          if (end > 1)
            this.oracle.emitted(`answer of ${device}`, unechoed(output.slice(0, end), echo));
          if (end > 1) output = output.slice(end);
        }
        return octets;
      },
    };
  }

  /** The router that a device of the config is, with its emulator. */
  emulator(device: string): Emulator | undefined {
    return this.#emulators.get(device);
  }

  /** All that the agent has stored. */
  stored(): ReturnType<SimDisk["contents"]> {
    return this.#disk.contents();
  }

  #output(where: string, text: string): void {
    this.oracle.emitted(where, text);
  }

  /** The oracle gets the agent's observations and requests, as it does with simulated devices. */
  #heard(driver: Driver): Driver {
    const { oracle } = this;
    const open: Driver["open"] = async (target, ...others): Promise<Device> => {
      const device = await driver.open(target, ...others);
      return {
        ...device,
        observe: async (signal) => {
          const state = await device.observe(signal);
          oracle.observed(state);
          return state;
        },
        prepare: async (change, keys, signal) => {
          oracle.asked(target.device, change);
          const transaction = await device.prepare(change, keys, signal);
          return {
            ...transaction,
            apply: (within, applied) => {
              oracle.sent(target.device, transaction.token);
              return transaction.apply(within, applied);
            },
          };
        },
      };
    };
    return { ...driver, open };
  }

  #config(): string {
    return [...this.site.routers.keys()].reduce(
      (text, name, index) => {
        const device = [
          `  - name: ${name}`,
          `    driver: ${this.#spoken.driver.name}`,
          `    address: 192.0.2.${index + 10}`,
          `    ssh: { user: linkseal, key: agent, hostKey: "SHA256:${String(index).repeat(43)}" }`,
          "",
        ];
        return text.replace(
          new RegExp(`  - name: ${name}\n    driver: sim\n.*\n`),
          device.join("\n"),
        );
      },
      hasty(this.site.config(address)),
    );
  }

  /** The World of the running agent, or of the last one that ran. */
  get crashing(): CrashingWorld {
    if (this.#crashing === undefined) throw new RangeError("no agent has lived");
    return this.#crashing;
  }

  get agent(): Agent {
    if (this.#agent === undefined) throw new RangeError("no agent lives");
    return this.#agent;
  }

  /** State of the group, and the reason. */
  get rest(): string {
    const campaign = this.agent.memory.campaigns[group];
    const { verdict, groups } = this.agent.status();
    const troubled = groups.flatMap(({ links }) =>
      links.filter((one) => one.verdict !== "protected"),
    );
    const reasons = troubled.flatMap((link) => link.reasons);
    const why = campaign === undefined ? "" : reasonText(campaign.reason);
    const links = reasons.map(({ text }) => text).join("; ");
    return `${verdict}, campaign ${campaign?.state ?? "none"}: ${why} ${links}`;
  }

  isProtected(): boolean {
    const campaign = this.agent.memory.campaigns[group]?.state;
    return campaign === "done" && this.agent.status().verdict === "protected";
  }

  /** Resolves once it is reached, or throws after half an hour. */
  async until(reached: () => boolean): Promise<void> {
    const { clock } = this.site;
    await clock.runFor(1_800_000, twiceASecond(clock, reached));
  }

  /** Resolves once the campaign has ended and everything is protected. */
  async settled(): Promise<void> {
    await this.until(() => this.isProtected());
  }

  newPairs(): void {
    for (const { key } of this.site.links) this.site.vault.generatePair(key, "gcm-aes-xpn-256");
  }

  /** Asks for a rotation; it resolves as virtual time passes. */
  async ask(): Promise<void> {
    const asked = { by: "test", risks: [], urgency: "planned" } as const;
    await this.agent.commands.rotate(group, asked, never);
  }

  /** Rotates to a pair that the vault has just received. */
  async rotate(): Promise<void> {
    this.newPairs();
    await this.run(this.ask());
  }

  /**
   * Returns the outcome of each link in a rotation away from this key; undefined = no such
   * rotation.
   */
  outcomeOf(old: string | undefined): string | undefined {
    const campaign = this.agent.memory.campaigns[group];
    const isIt = campaign?.kind === "rotate" && campaign.links[0]?.old?.key.ckn === old;
    return isIt ? campaign.links.map(({ outcome }) => outcome).join(", ") : undefined;
  }

  /** Resumes campaigns that faults have stopped, as an operator would. */
  async resumed(): Promise<void> {
    if (this.agent.memory.campaigns[group]?.state !== "held") return;
    const output = { verb: "resume", farEndDone: false } as const;
    await this.run(this.agent.commands.rotation(output, group, "test"));
    await this.settled();
  }

  async run<T>(promise: Promise<T>): Promise<T> {
    return await settled(this.site.clock, promise);
  }

  complaints(): readonly string[] {
    return this.oracle.violations.map(formatViolation);
  }
}
