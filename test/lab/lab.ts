// A site on a real kernel: an edge router that linkseal manages, with BGP over two links, a
// stand-in for the far end, keys in a vault behind Microsoft's own client, and an operator.

import { type ChildProcess, execFile } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as rest } from "node:timers/promises";
import { promisify } from "node:util";
import { ask } from "#agent/cli/client.ts";
import type { Plan } from "#agent/compare/plan.ts";
import type { CampaignShape } from "#agent/rotation/campaign-shape.ts";
import type { Rehearsal } from "#agent/runtime/campaigns/rehearsal-shape.ts";
import type { RehearsalSnapshot } from "#agent/runtime/campaigns/rehearsal-snapshot.ts";
import type { LinkStatus, Status } from "#agent/runtime/health/status.ts";
import type { PortName } from "#hal/model.ts";
import { parseCkn } from "#hal/model.ts";
import { type Output, Programs } from "../kernel/host/programs.ts";
import { buildPair, type Pair, startTraffic, stopRouter } from "../kernel/host/router.ts";
import type { TrafficCounters } from "../kernel/host/traffic.ts";
import { enterNetwork, ip, ipBatch, leaveNetworks } from "../kernel/lab.ts";
import { readyMark } from "../process/program.ts";
import { type FarKey, farPort, StandIn } from "./stand-in.ts";
import { WireWatch } from "./wire.ts";

const suite = "gcm-aes-256";

interface LabLink {
  readonly name: string;
  readonly port: PortName;
}

export const links = [
  { name: "primary", port: "p1" },
  { name: "secondary", port: "p2" },
] as const;

interface Served {
  readonly child: ChildProcess;
  readonly output: () => string;
}

const pollMs = 1000;
/**
 * A change of the far end takes, at this speed, at least a quarter of a minute in the simulated
 * cloud.
 */
const cloudSpeed = "5";
const patienceMs = 900_000;
/**
 * Time in ms from the end of the old key at the far end to the start of the new one: the change is
 * not atomic.
 */
const gapMs = 3000;

/**
 * The time, by the wall clock, at which the stand-in at the end of a link was started with a new
 * key.
 */
interface FarChange {
  readonly atMs: number;
  readonly link: string;
}

export class Lab implements AsyncDisposable {
  readonly pair: Pair;
  readonly standIn: StandIn;
  readonly programs: Programs;
  readonly wires: ReadonlyMap<PortName, WireWatch>;
  readonly folder: string;
  readonly group = "erd-lab";
  readonly #say: (line: string) => void;
  readonly #processes = new Map<string, Served>();
  readonly #farChanges: FarChange[] = [];
  #cloudOutput = "";

  private constructor(folder: string, pair: Pair, say: (line: string) => void) {
    this.folder = folder;
    this.pair = pair;
    this.#say = say;
    this.standIn = new StandIn(pair.far.network);
    this.programs = new Programs(folder, pair.edge.network);
    this.wires = new Map(
      links.map(({ port }) => [port, new WireWatch(pair.far.network, farPort(port))]),
    );
    enterNetwork(pair.edge.network);
  }

  /** Opens the lab; both links run in the clear when it resolves, as before an enrolment. */
  static async open(folder: string, say: (line: string) => void): Promise<Lab> {
    say("two networks with two links between them, and FRR at both ends");
    const pair = await buildPair();
    quiet(pair);
    const lab = new Lab(folder, pair, say);
    say("a vault behind TLS, linkseal-net, linkseal-mka@p1, linkseal-mka@p2 and the agent");
    await lab.startCloud();
    for (const name of ["net", "mka p1", "mka p2", "agent"]) await lab.start(name);
    return lab;
  }

  async startCloud(): Promise<void> {
    const argv = ["sim", "azure", "--speed", cloudSpeed];
    const { child, output } = await this.programs.serveUntil("# Azure Arc", ...argv);
    this.#cloudOutput = output();
    this.#processes.set("cloud", { child, output });
    const ca = this.#reported("ca");
    this.programs.environment = { NODE_EXTRA_CA_CERTS: ca };
  }

  /** Starts a program such as `agent` or `mka p1`; resolves once it reports that it is ready. */
  async start(name: string): Promise<void> {
    const words = name.split(" ");
    this.#processes.set(name, await this.programs.serveUntil(readyMark, ...words));
  }

  /** The processes of linkseal on the router host, and their outputs. */
  get processes(): readonly { readonly pid: number; readonly output: () => string }[] {
    const own = [...this.#processes].filter(([name]) => name !== "cloud");
    return own.flatMap(([, { child, output }]) =>
      child.pid === undefined ? [] : [{ pid: child.pid, output }],
    );
  }

  /** Returns the warnings that the programs of the router host printed. */
  complaints(): readonly string[] {
    return this.processes.flatMap(({ output }) =>
      output()
        .split("\n")
        .filter((line) => /"level":"(?:warn|error)"/.test(line)),
    );
  }

  get farChanges(): readonly FarChange[] {
    return this.#farChanges;
  }

  async end(name: string, signal: "SIGKILL" | "SIGTERM"): Promise<void> {
    const child = this.#processes.get(name)?.child;
    if (child === undefined) throw new Error(`${name} does not run`);
    this.#processes.delete(name);
    child.kill(signal);
    await once(child, "close");
  }

  #reported(name: string): string {
    return new RegExp(`^(?:export )?${name}[ =](.*)$`, "m").exec(this.#cloudOutput)?.[1] ?? "";
  }

  /** Runs an operator's command. */
  run(...words: readonly string[]): Promise<Output> {
    return this.programs.run(...words);
  }

  async #json<T>(...words: readonly string[]): Promise<T> {
    const { out, err } = await this.run(...words, "--json");
    try {
      return JSON.parse(out) as T;
    } catch {
      throw new Error(`linkseal ${words.join(" ")}: ${err}${out}`);
    }
  }

  status(): Promise<Status> {
    return this.#json("status");
  }

  async link(name: string): Promise<LinkStatus> {
    const { groups } = await this.status();
    const found = groups[0]?.links.find((link) => link.name === name);
    if (found === undefined) throw new Error(`the status has no link ${name}`);
    return found;
  }

  async campaign(): Promise<CampaignShape | undefined> {
    const shown = await this.#json<{ campaigns: readonly CampaignShape[] }>("rotation", "show");
    return shown.campaigns.find((one) => one.group === this.group);
  }

  /**
   * Accepts the site's config, and does the operator's part until both links are protected.
   * Resolves to the reason if the campaign does not go on.
   */
  async enrol(): Promise<string | undefined> {
    await this.configure("prepend");
    this.#say("config accepted: both links are to be enrolled, one after the other");
    return await this.#follow(keysOf(undefined));
  }

  /** Path of the accepted config. */
  get file(): string {
    return join(this.folder, "site.yaml");
  }

  /** Applies a config; `none`: a link is changed while it carries traffic. */
  async configure(drain: "prepend" | "none"): Promise<void> {
    writeFileSync(this.file, this.config(drain));
    const applied = await this.run("apply", this.file, "--yes");
    if (applied.status !== 0) throw new Error(`the config was not accepted: ${applied.err}`);
  }

  /** Puts a new pair for each link into the vault, as an operator does. */
  async offerKeys(): Promise<void> {
    const operator = [
      ...["--credential", "certificate", "--tenant", this.#reported("AZURE_TENANT_ID")],
      ...["--client", this.#reported("AZURE_CLIENT_ID")],
      ...["--certificate", this.#reported("AZURE_CLIENT_CERTIFICATE_PATH")],
    ];
    const made = await this.run("keys", "generate", this.group, ...operator);
    if (made.status !== 0) throw new Error(`no new keys: ${made.err}`);
    this.#say("a new pair for each link is in the vault");
  }

  /** Returns the rotation as the agent rehearsed it on a simulated copy of this pair. */
  rehearsal(): Promise<Rehearsal> {
    return this.#json("rotate", this.group, "--dry-run", "--rehearse");
  }

  /** Returns the rehearsal snapshot. */
  async twin(): Promise<RehearsalSnapshot> {
    const socket = join(this.folder, "run", "admin.sock");
    const body = { target: this.group };
    const path = "/v1/rotate/twin";
    return (await ask({ role: "admin", method: "POST", path, body, socket })) as RehearsalSnapshot;
  }

  /** Returns the plan of a rotation to the keys in the vault. */
  dryRun(): Promise<Plan> {
    return this.#json("rotate", this.group, "--dry-run");
  }

  /**
   * Requests a rotation to the keys in the vault and goes on as `enrol` does; calls `seen` on the
   * way.
   */
  async rotate(seen?: (campaign: CampaignShape) => Promise<void>): Promise<string | undefined> {
    const before = keysOf(await this.campaign());
    const begun = await this.run("rotate", this.group);
    if (begun.status !== 0) throw new Error(`the rotation was not begun: ${begun.err}`);
    return await this.#follow(before, seen);
  }

  /** Does the operator's part of a campaign, until one to other keys than before has ended. */
  async #follow(
    before: string,
    hear: (campaign: CampaignShape) => Promise<void> = async () => undefined,
  ): Promise<string | undefined> {
    let seen = "";
    const asked = new Set<string>();
    for (const begun = performance.now(); ; await rest(pollMs)) {
      if (performance.now() - begun > patienceMs) return `it takes too long: ${seen}`;
      const campaign = await this.campaign();
      const { verdict, groups } = await this.status();
      const isOver = campaign?.state === "done" && keysOf(campaign) !== before;
      const isBack = campaign?.links.some(({ outcome }) => outcome === "reverted") ?? false;
      if (isOver && isBack) return pathOf(campaign);
      if (isOver && verdict === "protected") return undefined;
      const blind = groups
        .flatMap(({ links: each }) => each.flatMap(({ reasons }) => reasons))
        .find(({ code }) => code === "device-unreachable");
      const story = campaign === undefined ? await this.#why() : storyOf(campaign);
      const now = blind === undefined ? story : `${story}; ${blind.text}`;
      if (now !== seen) this.#say(`  ${now}`);
      seen = now;
      if (campaign === undefined) continue;
      if (campaign.state === "held") return campaign.because;
      await hear(campaign);
      await this.#obey(campaign, asked);
    }
  }

  /** Returns the reason that is reported while no campaign runs. */
  async #why(): Promise<string> {
    const { groups, warnings } = await this.status();
    const reasons = groups.flatMap(({ links: each }) => each.flatMap((link) => link.reasons));
    return [...reasons, ...warnings].map(({ code }) => code).join(", ") || "no reason is reported";
  }

  async #obey(campaign: CampaignShape, asked: Set<string>): Promise<void> {
    const { link, state } = campaign;
    const want = campaign.links.find(({ name }) => name === link);
    const port = links.find(({ name }) => name === link)?.port;
    if (link === null || want === undefined || port === undefined) return;
    if (state === "awaitingPeer") await this.run("rotation", "proceed", this.group);
    if (state !== "switching" || asked.has(want.cakSecretId)) return;
    asked.add(want.cakSecretId);
    this.#say(`  a person points the far end of ${port} at the key ${want.ckn.slice(0, 8)}…`);
    const key = await this.#pointed(port, want);
    await this.standIn.give(port, key, gapMs);
    this.#farChanges.push({ atMs: this.standIn.startedAt, link });
  }

  /** Changes the far end by the management API; the stand-in's hardware is changed elsewhere. */
  async #pointed(
    port: PortName,
    want: { readonly cakSecretId: string; readonly cknSecretId: string },
  ): Promise<FarKey> {
    const person = join(import.meta.dirname, "person.ts");
    const { network } = this.pair.edge;
    const argv = ["netns", "exec", network, process.execPath, person];
    const own = ["IDENTITY_ENDPOINT", "IDENTITY_HEADER"].map((name) => [
      name,
      this.#reported(name),
    ]);
    const env = { ...process.env, ...Object.fromEntries(own), ...this.programs.environment };
    const far = [
      this.#reported("arm"),
      this.#reported("expressRoutePort"),
      port.replace("p", "link"),
    ];
    const all = [...argv, ...far, want.cakSecretId, want.cknSecretId];
    const { stdout } = await promisify(execFile)("ip", all, { env });
    const { cak, ckn } = JSON.parse(stdout) as { readonly cak: string; readonly ckn: string };
    const name = parseCkn(ckn);
    if (name === undefined) throw new Error("the vault holds no CKN");
    return { ckn: name, cak, suite };
  }

  config(drain: "prepend" | "none"): string {
    const site = join(this.folder, "run", "net.sock");
    const identity = [
      `kind: clientCertificate, tenant: ${this.#reported("AZURE_TENANT_ID")}`,
      `client: ${this.#reported("AZURE_CLIENT_ID")}`,
      `certificate: "file:${this.#reported("AZURE_CLIENT_CERTIFICATE_PATH")}"`,
    ];
    const link = ({ name, port }: LabLink, index: number): string[] => [
      `      - { name: ${name}, device: edge, port: ${port}, azureLink: link${index + 1},`,
      `          speed: 10G, macsec: { suite: ${suite} },`,
      `          key: { cak: erd-demo-${index + 1}-cak, ckn: erd-demo-${index + 1}-ckn } }`,
    ];
    return [
      "version: 1",
      "site: lab",
      "azure:",
      "  cloud: loopback",
      `  vault: ${this.#reported("vault")}`,
      `  authority: ${this.#reported("authority")}`,
      `  arm: ${this.#reported("arm")}`,
      "  farEnd: manual",
      `  identity: { ${identity.join(", ")} }`,
      "devices:",
      `  - { name: edge, driver: linux, address: "unix:${site}",`,
      `      frr: ${this.pair.edge.frr.shell.at(-1)} }`,
      "groups:",
      `  - name: ${this.group}`,
      `    expressRoutePort: ${this.#reported("expressRoutePort")}`,
      `    drain: ${drain}`,
      "    links:",
      ...links.flatMap(link),
      "health: { poll: 2s, staleAfter: 15s, evidence: 90s }",
      // Operators should not set such short times; a lab should not take long.
      "rotation:",
      // A machine in an emulator may be slow, so these limits are long.
      "  { settle: 8s, soak: 4s, verify: 5m, confirm: 15m, putGrace: 5s,",
      "    drained: { samples: 2, every: 1s } }",
      "acceptRisks:",
      ...["breakBeforeMake", "shortSettle", ...(drain === "none" ? ["noDrain"] : [])].map(
        (risk) => `  - { risk: ${risk}, until: 2027-11-24 }`,
      ),
      "",
    ].join("\n");
  }

  /** Returns the counters of each SecY, at both ends. */
  counters(): string {
    const { edge, far } = this.pair;
    return [edge, far].map(({ network }) => ip("-s", "-n", network, "macsec", "show")).join("\n");
  }

  /** Runs `ip` on the edge router. */
  ip(...argv: readonly string[]): string {
    return ip("-n", this.pair.edge.network, ...argv);
  }

  /**
   * Sends numbered packets across both links, 200 a second each way, until the result is called.
   */
  traffic(): Promise<() => Promise<readonly TrafficCounters[]>> {
    return startTraffic(this.pair);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.standIn[Symbol.dispose]();
    for (const wire of this.wires.values()) wire[Symbol.dispose]();
    this.programs[Symbol.dispose]();
    for (const router of [this.pair.edge, this.pair.far]) stopRouter(router);
    leaveNetworks();
  }
}

/** Returns the keys that a campaign brings. */
const keysOf = (campaign: CampaignShape | undefined): string =>
  campaign?.links.map(({ ckn }) => ckn).join() ?? "";

/** Returns the states of a campaign, and the reasons. */
const pathOf = (campaign: CampaignShape | undefined): string =>
  campaign?.steps.map(({ link, state, because }) => `${link} ${state}: ${because}`).join("; ") ??
  "";

const storyOf = ({ link, state, because }: CampaignShape): string => `${link} ${state}: ${because}`;

// Packets that IPv6 sends by itself on the wire below would be data in the clear.
function quiet({ edge, far }: Pair): void {
  for (const { network } of [edge, far]) {
    const off = ["net.ipv6.conf.all.disable_ipv6=1", "net.ipv6.conf.default.disable_ipv6=1"];
    ip("netns", "exec", network, "sysctl", "-qw", ...off);
  }
}

export function secyOn(network: string, port: PortName): string | undefined {
  const output = ip("-n", network, "link", "show", "type", "macsec");
  return new RegExp(`^\\d+: (\\S+)@${port}:`, "m").exec(output)?.[1];
}

export function light(network: string, port: string, state: "up" | "down"): void {
  ipBatch([`link set ${port} ${state}`], "-n", network);
}
