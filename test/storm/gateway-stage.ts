// An agent whose tunnels end at gateways of a simulated Azure, with routers and vault of a
// simulated site: only the agent changes the pre-shared keys.

import type { OnDecision } from "#agent/model/decision.ts";
import type { AuthInUse, TunnelChangeState } from "#agent/model/tunnel-change.ts";
import { openRecords } from "#agent/operate/open.ts";
import { Agent } from "#agent/runtime/agent.ts";
import { named } from "#agent/store/journal/memory.ts";
import { drivers, simVault } from "#drivers/index.ts";
import type { Dialer, Disk, HttpReply, HttpRequest, World } from "#hal/world.ts";
import type { SimAzure } from "#sim/azure/azure.ts";
import { connectionId } from "#sim/azure/estate.ts";
import { SimDisk } from "#sim/base/disk.ts";
import { simulatedDialer, simulatedIdentity } from "#sim/lab/simulate.ts";
import { siteHandler } from "#sim/site/protocol.ts";
import { buildSite, type Site } from "#sim/site/site.ts";
import { planSite, type SitePlan } from "#sim/site/site-plan.ts";
import { armDialer, farEnds, simulatedAzure } from "../unit/kit/arm-bench.ts";
import { cloudWith } from "../unit/kit/cloud-kit.ts";
import { CrashingWorld, type CrashPoint } from "./crashing-world.ts";

const address = "unix:/run/linkseal-sim/site.sock";
const vaultBase = "https://kv-demo.vault.azure.net";
const underWay: ReadonlySet<TunnelChangeState> = new Set(["giving", "switching", "returning"]);

/** All tunnels lead to one prefix, so that each is the other's sibling. */
function siblingPlan(tunnels: number): SitePlan {
  const plan = planSite("demo", 1, tunnels);
  const remotePrefix = plan.tunnels[0]?.remotePrefix ?? "";
  return { ...plan, tunnels: plan.tunnels.map((one) => ({ ...one, remotePrefix })) };
}

/** Two tunnels of one router to the two instances of a gateway, with one connection and key. */
export function pairPlan(connection: string): SitePlan {
  const plan = siblingPlan(2);
  const [first] = plan.tunnels;
  if (first === undefined) throw new RangeError("no tunnel");
  const { device, group, localAddress, pskSecret } = first;
  const shared = { device, group, localAddress, pskSecret, connection };
  return { ...plan, tunnels: plan.tunnels.map((one) => ({ ...one, ...shared })) };
}

/** Returns a config with tunnels only, whose keys the agent sends to their gateways. */
export function gatewayConfig(site: Site, azure: string, address: string): string {
  const { plan } = site;
  const devices = [...new Set(plan.tunnels.map(({ device }) => device))];
  return [
    "version: 1",
    "site: demo",
    `azure: { ${azure} }`,
    "devices:",
    ...devices.map((name) => `  - { name: ${name}, driver: sim, address: "${address}" }`),
    "tunnels:",
    ...plan.tunnels.flatMap((tunnel) => [
      `  - name: ${tunnel.name}`,
      `    device: ${tunnel.device}`,
      `    local: { address: ${tunnel.localAddress} }`,
      "    remote:",
      `      address: ${tunnel.remoteAddress}`,
      `      azureConnection: ${connectionId(site, tunnel)}`,
      `    protects: { local: [${tunnel.localPrefix}], remote: [${tunnel.remotePrefix}] }`,
      `    auth: { psk: ${tunnel.pskSecret}, farEnd: agent }`,
    ]),
    "health: { poll: 5s, staleAfter: 20s, evidence: 90s }",
    "",
  ].join("\n");
}

export class GatewayStage {
  readonly site: Site;
  readonly cloud: SimAzure;
  /** Calls of the current process since `watch`, as the fault that kills it counts them. */
  readonly calls: string[] = [];
  /** Everything that the agent wrote, logged or answered. */
  readonly emitted: string[] = [];
  /** Moments at which a tunnel had no SA, or at which two of them changed at once. */
  readonly wrong: string[] = [];
  /** Spoils replies of the management API. */
  alter: (reply: HttpReply, request: HttpRequest) => HttpReply = (reply) => reply;
  readonly #disk: SimDisk;
  readonly #hook: { readonly onDecision?: OnDecision };
  #agent: Agent | undefined;
  #watching = false;
  #starts = 0;

  constructor(seed: string, tunnels: number | SitePlan = 1, onDecision?: OnDecision) {
    this.#hook = onDecision === undefined ? {} : { onDecision };
    const plan = typeof tunnels === "number" ? siblingPlan(tunnels) : tunnels;
    const names = { seed, name: "demo", groups: 1, tunnels: plan.tunnels.length } as const;
    this.site = buildSite({ ...names, start: "clear", vaultBase, plan });
    this.cloud = simulatedAzure(this.site);
    const { clock, prng } = this.site;
    this.#disk = new SimDisk({ clock, prng: prng.fork("disk"), writeMs: 2 });
  }

  #world(): World {
    const note = <T>(what: string, run: () => Promise<T>): Promise<T> => {
      if (this.#watching) this.calls.push(what);
      return run();
    };
    const keep = (bytes: Uint8Array): void => {
      this.emitted.push(Buffer.from(bytes).toString("latin1"));
    };
    const disk = this.#disk;
    const noted: Disk = {
      read: (name) => note(`read ${name}`, () => disk.read(name)),
      list: (prefix) => note(`list ${prefix}`, () => disk.list(prefix)),
      append: (name, bytes) => {
        keep(bytes);
        return note(`append ${name}`, () => disk.append(name, bytes));
      },
      replace: (name, bytes) => {
        keep(bytes);
        return note(`replace ${name}`, () => disk.replace(name, bytes));
      },
    };
    const near = simulatedDialer(siteHandler(this.site));
    const far = armDialer(this.cloud);
    const dial: Dialer = {
      ...far,
      http: (request, signal) =>
        note(`${request.method} ${request.path}`, async () =>
          request.to === address
            ? await near.http(request, signal)
            : this.alter(await far.http(request, signal), request),
        ),
    };
    const entropy = this.site.prng.fork(`agent ${this.#starts}`);
    const log: World["log"] = {
      write: (level, code, text, fields) => {
        this.emitted.push(JSON.stringify([level, code, text, fields]));
      },
    };
    return { clock: this.site.clock, entropy, disk: noted, dial, log };
  }

  /** Runs one process of the agent; the first one applies the config. */
  async live(crashPoint?: CrashPoint): Promise<CrashingWorld> {
    this.#starts += 1;
    const crashing = new CrashingWorld(this.#world(), crashPoint, () => this.#disk.crash());
    this.#agent = undefined;
    void this.#process(crashing.world);
    return crashing;
  }

  async #process(world: World): Promise<void> {
    const records = await openRecords(world, simulatedIdentity());
    const far = farEnds(world.clock, this.cloud, world.dial);
    const agent = new Agent({
      ...{ world, drivers, ...records, ...this.#hook },
      clouds: () =>
        cloudWith({
          vault: simVault(world.dial, address),
          pace: "polled",
          farEnd: () => {
            throw new RangeError("there is no link here");
          },
          gatewayKey: (resource) => far.gateway(resource),
        }),
    });
    this.#agent = agent;
    const { signal } = new AbortController();
    void agent.run(signal);
    if (agent.intent !== undefined) return;
    await this.site.clock.sleep(1_000);
    const azure = `cloud: public, vault: "${vaultBase}", identity: { kind: arc }`;
    const text = gatewayConfig(this.site, azure, address);
    const answer = await agent.apply({ text, file: "demo", who: "test", queue: false }, signal);
    if (answer.kind !== "accepted") throw new Error(JSON.stringify(answer));
  }

  get agent(): Agent {
    if (this.#agent === undefined) throw new RangeError("no agent lives");
    return this.#agent;
  }

  inUse(tunnel = "hub-1"): AuthInUse | undefined {
    return this.#agent === undefined ? undefined : named(this.#agent.memory.auths, tunnel);
  }

  /** Resolves once every tunnel is up with the key that linkseal sent. */
  async begin(): Promise<CrashingWorld> {
    const crashing = await this.live();
    const isUp = (): boolean =>
      this.site.tunnelTruth().every(({ name, up }) => up && this.inUse(name) !== undefined);
    await this.site.clock.runFor(300_000, isUp);
    if (!isUp()) throw new Error("no tunnel came up");
    // The reports and counters of the set-up settle in this time.
    await this.site.clock.runFor(30_000);
    this.#watching = true;
    return crashing;
  }

  newKey(tunnel: string, value: string): string {
    return this.site.vault.put(`${tunnel}-psk`, value);
  }

  #watch(): void {
    for (const { name, up } of this.site.tunnelTruth()) {
      if (!up) this.wrong.push(`${name} is down at ${this.site.clock.now()}`);
    }
    const auths = Object.values(this.#agent?.memory.auths ?? {});
    const many = auths.filter(({ next }) => next !== undefined && underWay.has(next.state));
    const versions = new Set(many.map(({ next }) => next?.auth.secretId));
    if (versions.size > 1) this.wrong.push(`two change at once at ${this.site.clock.now()}`);
  }

  /** Resolves to false when the time is up. */
  async until(holds: () => boolean, limitMs = 1_200_000): Promise<boolean> {
    await this.site.clock.runFor(limitMs, () => {
      this.#watch();
      return holds();
    });
    return holds();
  }

  isSettled(tunnel = "hub-1"): boolean {
    const inUse = this.inUse(tunnel);
    return inUse !== undefined && inUse.next === undefined;
  }

  /** Checks that both ends have one key: a fresh authentication makes new SAs. */
  async agree(tunnel = "hub-1"): Promise<boolean> {
    const spis = (): string => {
      const sas = this.#simTunnel(tunnel).read().sas;
      return sas.kind === "known" ? sas.value.map(({ spi }) => spi).join() : "";
    };
    const before = spis();
    this.#simTunnel(tunnel).rekey("reauthenticate");
    await this.site.clock.runFor(10_000);
    return spis() !== before && this.site.tunnelTruth().every(({ up }) => up);
  }

  #simTunnel(name: string) {
    const all = [...this.site.routers.values()].flatMap((router) => router.tunnels());
    const found = all.find(({ spec }) => spec.name === name);
    if (found === undefined) throw new RangeError(`no tunnel ${name}`);
    return found;
  }

  /** Returns the status codes of all key writes that reached the management API. */
  puts(): readonly string[] {
    return this.cloud.answered.flatMap(({ method, path, status }) =>
      method === "PUT" && /\/sharedkey(s\/default)?\?/i.test(path) ? String(status) : [],
    );
  }

  /** Returns the places in the agent's output that contain a key. */
  leaks(...keys: readonly string[]): readonly string[] {
    const forms = keys.flatMap((key) => {
      const octets = Buffer.from(key);
      return [key, octets.toString("hex"), octets.toString("base64"), encodeURIComponent(key)];
    });
    return this.emitted.filter((text) => forms.some((form) => text.includes(form)));
  }
}
