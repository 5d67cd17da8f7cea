// A pair on two edge hosts of a real kernel: the agent on the first of them,
// keys and the far end's management simulated, the far end's hardware wpa_supplicant.

import { join } from "node:path";
import { setTimeout as rest } from "node:timers/promises";
import { ask } from "#agent/cli/client.ts";
import type { SocketRole } from "#agent/host/places.ts";
import type { CampaignShape } from "#agent/rotation/campaign-shape.ts";
import type { ApplyAnswer } from "#agent/runtime/agent-shapes.ts";
import type { Status } from "#agent/runtime/health/status.ts";
import { LinksealError } from "#hal/error.ts";
import { instantAfter } from "#hal/world.ts";
import { type Served, serveSite } from "#sim/serve/site.ts";
import { siteHandler } from "#sim/site/protocol.ts";
import { buildSite, type Site } from "#sim/site/site.ts";
import { makeRoom, startFlows, startRouter } from "../../kernel/host/router.ts";
import type { TrafficCounters } from "../../kernel/host/traffic.ts";
import type { Daemon } from "../../kernel/ipsec/daemon.ts";
import { enterNetwork, ip, ipBatch, leaveNetworks, until } from "../../kernel/lab.ts";
import { readyMark } from "../../process/program.ts";
import { farPort, StandIn } from "../stand-in.ts";
import { WireWatch } from "../wire.ts";
import { agentKey, EdgeHost, killAll } from "./edge-host.ts";
import {
  buildNetworks,
  edges,
  farRouting,
  insideRouting,
  loopbacks,
  type Networks,
  path,
} from "./networks.ts";
import { pskOf, secretOf, startGateway, tunnelLines } from "./tunnels.ts";

const suite = "gcm-aes-256";
export const group = "erd-demo";
const pollMs = 1_000;
/** The simulated vault goes on by turns of this time. */
const paceMs = 200;
const patienceMs = 900_000;
/** Time in ms from the end of the old key at the far end to the start of the new one. */
const gapMs = 3_000;

/** A packet each `everyMs`; those of one `turnMs` leave together: each turn costs this computer. */
export interface Rate {
  readonly everyMs: number;
  readonly turnMs: number;
}

/** The end of a campaign: what became of it, and how long it took. */
export interface PairEnd {
  readonly outcomes: string;
  readonly seconds: number;
}

export class PairLab implements AsyncDisposable {
  readonly networks: Networks;
  readonly site: Site;
  readonly first: EdgeHost;
  readonly second: EdgeHost;
  readonly wires: readonly WireWatch[];
  readonly #folder: string;
  readonly #say: (line: string) => void;
  readonly #standIn: StandIn;
  readonly #over = new AbortController();
  #login = "";
  /** Whether the config wants SecTAGs with the SCI, and both tunnels. */
  #includeSci = true;
  #hasTunnels = false;
  #gateway: Daemon | undefined;
  #hostKey = "";
  #served: Served | undefined;
  #pace: Promise<void> | undefined;
  #following: Promise<void> | undefined;
  #agentOutput = (): string => "";

  private constructor(folder: string, say: (line: string) => void) {
    this.#folder = folder;
    this.#say = say;
    makeRoom();
    this.networks = buildNetworks();
    const [a, b] = edges;
    this.first = new EdgeHost(a, this.networks, join(folder, "a"));
    this.second = new EdgeHost(b, this.networks, join(folder, "b"));
    this.#standIn = new StandIn(this.networks.far);
    this.wires = edges.map(({ port }) => new WireWatch(this.networks.far, farPort(port)));
    enterNetwork(this.networks.inside);
    const shape = { seed: "pair", name: "demo", groups: 1, tunnels: 0, start: "clear" } as const;
    this.site = buildSite({ ...shape, farEndDelayMs: { low: 2_000, high: 4_000 } });
  }

  /** Opens the lab; both links run in the clear when it resolves, as before an enrolment. */
  static async open(folder: string, say: (line: string) => void): Promise<PairLab> {
    say("four networks: inside, edge-a, edge-b, and the far end of both links");
    const lab = new PairLab(folder, say);
    lab.#served = await serveSite(siteHandler(lab.site), lab.#socket);
    lab.#pace = lab.#keepPace();
    const { inside, far } = lab.networks;
    await startRouter(inside, loopbacks.inside, insideRouting());
    await startRouter(far, loopbacks.far, farRouting());
    const key = agentKey(folder);
    lab.#login = key.path;
    lab.#hostKey = lab.second.admit(key.publicKey);
    say("on both edges: FRR, linkseal-net, linkseal-mka; on edge-b linkseal-peer behind sshd");
    await lab.first.boot();
    say("edge-a serves");
    await lab.second.boot();
    say("edge-b serves");
    await lab.startAgent();
    say("the agent runs on edge-a");
    lab.#following = lab.#follow();
    return lab;
  }

  get #socket(): string {
    return join(this.#folder, "site.sock");
  }

  /** Starts the agent on its host. */
  async startAgent(): Promise<void> {
    this.#agentOutput = (await this.first.programs.serveUntil(readyMark, "agent")).output;
  }

  /** The warnings of all programs. */
  complaints(): readonly string[] {
    const all = [this.#agentOutput(), this.first.output(), this.second.output()].join("");
    return all.split("\n").filter((line) => /"level":"(?:warn|error)"/.test(line));
  }

  async #ask<T>(role: SocketRole, path: string, body?: unknown): Promise<T> {
    const socket = join(this.#folder, "a", "run", `${role}.sock`);
    const method = body === undefined ? "GET" : "POST";
    return (await ask({
      role,
      method,
      path,
      ...(body === undefined ? {} : { body }),
      socket,
    })) as T;
  }

  status(): Promise<Status> {
    return this.#ask("view", "/v1/status");
  }

  async campaign(): Promise<CampaignShape | undefined> {
    const shown = await this.#ask<{ campaigns: readonly CampaignShape[] }>(
      "view",
      `/v1/rotation?group=${group}`,
    );
    return shown.campaigns[0];
  }

  /** Accepts the config, by which both links are enrolled. */
  async enrol(): Promise<PairEnd> {
    await this.#apply(this.config());
    return await this.#ended("");
  }

  /** Accepts a config with another setting, which changes both links, one after the other. */
  async change(): Promise<PairEnd> {
    const before = markOf(await this.campaign());
    this.#includeSci = !this.#includeSci;
    await this.#apply(this.config());
    return await this.#ended(before);
  }

  /** Starts a charon on each edge host and the gateway, and accepts a config with both tunnels. */
  async openTunnels(): Promise<void> {
    for (const edge of edges) this.site.vault.put(secretOf(edge), pskOf(edge));
    for (const { charon } of [this.first, this.second]) await charon.start();
    this.#say("  a charon runs on each edge host");
    this.#gateway = await startGateway(this.networks.far, ({ name }) => this.networks[name]);
    this.#hasTunnels = true;
    await this.#apply(this.config());
    let last = "";
    await until(async () => {
      const { verdict, tunnels } = await this.status();
      const shown = tunnels.map(({ name, verdict: own, reasons }) =>
        [name, own, ...reasons.map(({ text }) => text)].join(": "),
      );
      const story = [verdict, ...shown].join("; ");
      if (story !== last) this.#say(`  ${story}`);
      last = story;
      const isUp = verdict === "protected" && tunnels.length === edges.length;
      return isUp ? true : undefined;
    }, patienceMs);
  }

  async #apply(text: string): Promise<void> {
    const body = { file: "site.yaml", text, queue: false };
    const answer = await this.#ask<ApplyAnswer>("admin", "/v1/apply", body);
    if (answer.kind !== "accepted") throw new Error(`not accepted: ${JSON.stringify(answer)}`);
  }

  /** Puts new keys into the vault, and rotates the group, or one link, to them. */
  async rotate(
    target = group,
    seen?: (campaign: CampaignShape) => Promise<void>,
  ): Promise<PairEnd> {
    const before = markOf(await this.campaign());
    for (const { key, id } of this.site.links) {
      if (id.startsWith(target)) this.site.vault.generatePair(key, suite);
    }
    await this.#ask("admin", "/v1/rotate", { target, risks: [], urgency: "planned" });
    return await this.#ended(before, seen);
  }

  /**
   * Waits until another campaign than before has ended and both links are protected; an
   * agent that is away meanwhile does not count.
   */
  async #ended(
    before: string,
    seen: (campaign: CampaignShape) => Promise<void> = async () => undefined,
  ): Promise<PairEnd> {
    let last = "";
    for (const begun = performance.now(); ; await rest(pollMs)) {
      const seconds = Math.round((performance.now() - begun) / 1000);
      const campaign = await this.#unlessAway(() => this.campaign());
      const story =
        campaign === undefined || campaign.state === "done"
          ? await this.#why()
          : `${campaign.link} ${campaign.state}: ${campaign.because}`;
      if (story !== last) this.#say(`  ${story}`);
      last = story;
      if (performance.now() - begun > patienceMs) return { outcomes: `not over: ${last}`, seconds };
      if (campaign === undefined) continue;
      if (markOf(campaign) !== before) {
        if (campaign.state === "held") return { outcomes: `held: ${campaign.because}`, seconds };
        const status = campaign.state === "done" && (await this.#unlessAway(() => this.status()));
        if (status && status.verdict === "protected") {
          return { outcomes: outcomesOf(campaign), seconds };
        }
        await seen(campaign);
      }
    }
  }

  /** Returns what is reported while no campaign runs. */
  async #why(): Promise<string> {
    const status = await this.#unlessAway(() => this.status());
    if (status === undefined) return "no agent answers";
    const reasons = status.groups.flatMap(({ links }) => links.flatMap((link) => link.reasons));
    return [...reasons, ...status.warnings].map(({ code, text }) => `${code}: ${text}`).join("; ");
  }

  async #unlessAway<T>(probe: () => Promise<T>): Promise<T | undefined> {
    try {
      return await probe();
    } catch (error) {
      if (error instanceof LinksealError) return undefined;
      throw error;
    }
  }

  async #keepPace(): Promise<void> {
    const { clock } = this.site;
    const [begun, start] = [performance.now(), clock.now()];
    for (; !this.#over.signal.aborted; await rest(paceMs)) {
      await clock.run(instantAfter(start, performance.now() - begun));
    }
  }

  /** The far end's hardware follows its management, which the agent changes. */
  async #follow(): Promise<void> {
    const { signal } = this.#over;
    const given = new Map<string, { readonly ckn: string; readonly sci: "on" | "off" }>();
    while (!signal.aborted) {
      await rest(pollMs);
      for (const [index, link] of this.site.links.entries()) {
        const ckn = link.far.keys()[0]?.ckn;
        const { pointsAt, sci } = link.msee.observe(link.azureLink);
        const port = edges[index]?.port;
        if (ckn === undefined || pointsAt === undefined || port === undefined) continue;
        const [before, held] = [given.get(port), { ckn, sci }];
        if (before?.ckn === ckn && before.sci === sci) continue;
        // It drops frames of the other form, which wpa_supplicant would take.
        if (before?.sci !== sci && before !== undefined && this.#sciOf(index) !== sci) {
          this.#standIn.silence(port);
          continue;
        }
        given.set(port, held);
        const cak = this.site.vault.valueForFarEnd(pointsAt.cakSecretId).toLowerCase();
        this.#say(`  the far end of ${port} follows to the key ${ckn.slice(0, 8)}…`);
        await this.#standIn.give(port, { ckn, cak, suite }, gapMs);
      }
    }
  }

  /** Whether the SecTAGs that an edge sends carry the SCI; undefined = it has no SecY. */
  #sciOf(index: number): "on" | "off" | undefined {
    const host = index === 0 ? this.first : this.second;
    const secy = host.secy();
    if (secy === undefined) return undefined;
    const shown = ip("-n", host.network, "-d", "link", "show", "dev", secy);
    return /send_sci (on|off)/.exec(shown)?.[1] as "on" | "off" | undefined;
  }

  config(): string {
    const login = `{ user: root, key: "file:${this.#login}", hostKey: "${this.#hostKey}" }`;
    const hosts = [
      { host: this.first, reach: `address: "unix:${this.first.net}"` },
      { host: this.second, reach: `address: ssh://${path.beyond}, ssh: ${login}` },
    ];
    return [
      "version: 1",
      "site: pair",
      `azure: { cloud: sim, vault: "unix:${this.#socket}", farEnd: agent }`,
      "devices:",
      ...hosts.flatMap(({ host, reach }) => [
        `  - { name: ${host.plan.name}, driver: linux, frr: ${host.network},`,
        `      charon: "unix:${host.charon.socket}", ${reach} }`,
      ]),
      "groups:",
      `  - name: ${group}`,
      `    expressRoutePort: "${this.site.plan.groups[0]?.expressRoutePort}"`,
      "    drain: prepend",
      "    links:",
      ...edges.flatMap(({ name, link, port }, index) => [
        `      - { name: ${link}, device: ${name}, port: ${port}, azureLink: link${index + 1},`,
        `          speed: 10G, macsec: { suite: ${suite}, includeSci: ${this.#includeSci} },`,
        `          key: { cak: ${group}-${index + 1}-cak, ckn: ${group}-${index + 1}-ckn } }`,
      ]),
      ...(this.#hasTunnels ? tunnelLines() : []),
      "health: { poll: 5s, staleAfter: 15s, evidence: 90s }",
      "rotation:",
      "  { settle: 8s, soak: 4s, verify: 60s, confirm: 2m, farEnd: 5m, putGrace: 5s,",
      "    drained: { samples: 2, every: 1s } }",
      "acceptRisks:",
      ...["breakBeforeMake", "shortSettle", "agentOnSibling"].map(
        (risk) => `  - { risk: ${risk}, until: 2027-11-24 }`,
      ),
      "",
    ].join("\n");
  }

  /** Takes the light off the path between the agent and the second host, or gives it back. */
  path(state: "up" | "down"): void {
    ipBatch([`link set ${path.port} ${state}`], "-n", this.networks["edge-a"]);
  }

  /** Frames of data in the clear so far, on both wires. */
  clear(): number {
    return this.wires.reduce((sum, wire) => sum + wire.clear, 0);
  }

  /** Sends numbered packets each way, until the result is called. */
  traffic({ everyMs, turnMs }: Rate): Promise<() => Promise<readonly TrafficCounters[]>> {
    const { inside, far } = this.networks;
    return startFlows([inside, loopbacks.inside], [far, loopbacks.far], everyMs, 16, turnMs);
  }

  /** The same through the tunnel of one edge host. */
  tunnelTraffic(
    { plan: { tunnel }, network }: EdgeHost,
    { everyMs, turnMs }: Rate,
  ): Promise<() => Promise<readonly TrafficCounters[]>> {
    const { far } = this.networks;
    return startFlows([network, tunnel.inside], [far, tunnel.beyond], everyMs, 16, turnMs);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#over.abort();
    await this.#following?.catch(() => undefined);
    this.#standIn[Symbol.dispose]();
    for (const wire of this.wires) wire[Symbol.dispose]();
    for (const host of [this.first, this.second]) host[Symbol.dispose]();
    await this.#pace;
    await this.#served?.close();
    this.#gateway?.[Symbol.dispose]();
    for (const network of [this.networks.inside, this.networks.far]) killAll(network);
    leaveNetworks();
  }
}

/** Names a campaign: by its kind and the keys that it brings. */
const markOf = (campaign: CampaignShape | undefined): string =>
  campaign === undefined ? "" : `${campaign.kind} ${campaign.links.map(({ ckn }) => ckn).join()}`;

const outcomesOf = ({ links }: CampaignShape): string =>
  links.map(({ name, outcome }) => `${name} ${outcome}`).join(", ");
