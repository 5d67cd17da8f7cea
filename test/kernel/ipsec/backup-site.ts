// An edge with two links under MACsec and, over another wire, a tunnel as their backup: BGP over
// all three leads to one protected prefix. wpa_supplicant is the far end of the links, charon that
// of the tunnel; keys and settings of the far ends come from a simulated cloud.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as rest } from "node:timers/promises";
import type { Status } from "#agent/runtime/health/status.ts";
import type { TunnelSpec } from "#hal/tunnel-spec.ts";
import { type Pace, paceClock, type Served, serveSite } from "#sim/serve/site.ts";
import { siteHandler } from "#sim/site/protocol.ts";
import { buildSite as buildCloud } from "#sim/site/site.ts";
import { links } from "../../lab/lab.ts";
import { farPort, StandIn } from "../../lab/stand-in.ts";
import { readyMark } from "../../process/program.ts";
import { Programs, type Started } from "../host/programs.ts";
import { buildPair, edgeAs, farAs, type Pair, stopRouter, type } from "../host/router.ts";
import { ip, ipBatch, leaveNetworks } from "../lab.ts";
import { Daemon } from "./daemon.ts";
import { gatewayPsk, inner, loadAzure, spec, strong } from "./site.ts";

const outer = { edge: "198.18.0.1", gateway: "198.18.0.2" } as const;
const inside = { edge: "169.254.21.2", gateway: "169.254.21.1" } as const;
const gatewayAs = 65_515;
const gatewayIfId = 7;
const suite = "gcm-aes-256";
/** A higher speed makes the far end of a link follow the simulated cloud sooner. */
const cloudSpeed = 5;

const backup: TunnelSpec = {
  ...spec,
  localAddress: outer.edge,
  remoteAddress: outer.gateway,
  bgp: { local: inside.edge, peer: inside.gateway, asn: gatewayAs },
};

export class BackupSite implements AsyncDisposable {
  readonly pair: Pair;
  readonly programs: Programs;
  readonly charon: Daemon;
  readonly far: Daemon;
  readonly #folder = mkdtempSync(join(tmpdir(), "linkseal-backup-"));
  /** The far ends of the links. */
  readonly standIn: StandIn;
  /** Its vault is the agent's. */
  readonly cloud: ReturnType<typeof buildCloud>;
  /** The agent, and the MKA process of each port as `mka PORT`. */
  readonly processes = new Map<string, Started>();
  readonly #over = new AbortController();
  #following: Promise<void> = Promise.resolve();
  #served: Served | undefined;
  #pace: Pace | undefined;

  private constructor(pair: Pair) {
    this.pair = pair;
    this.programs = new Programs(this.#folder, pair.edge.network);
    this.charon = new Daemon(pair.edge.network);
    this.far = new Daemon(pair.far.network);
    this.standIn = new StandIn(pair.far.network);
    const shape = { seed: "backup", name: "demo", groups: 1, tunnels: 0, start: "clear" } as const;
    this.cloud = buildCloud(shape);
    this.cloud.vault.put("hub-1-psk", gatewayPsk);
    this.cloud.links[0]?.msee.setPort({ bandwidthGbps: 10 });
  }

  /** Opens the site: both links run in the clear, and no config has been accepted yet. */
  static async open(): Promise<BackupSite> {
    const pair = await buildPair();
    const site = new BackupSite(pair);
    site.#wire();
    site.#route();
    await site.charon.start();
    await site.far.start();
    await site.#gateway();
    const path = join(site.#folder, "site.sock");
    site.#served = await serveSite(siteHandler(site.cloud), path);
    site.#pace = paceClock(site.cloud.clock, { speed: cloudSpeed });
    site.#following = site.#follow();
    await site.programs.serve("net", "--charon", site.charon.socket);
    for (const name of [...links.map(({ port }) => `mka ${port}`), "agent"]) {
      site.processes.set(name, await site.programs.serveUntil(readyMark, ...name.split(" ")));
    }
    return site;
  }

  /** Builds the Internet between the two, and hosts behind them. */
  #wire(): void {
    const [edge, far] = [this.pair.edge.network, this.pair.far.network];
    const off = ["net.ipv6.conf.all.disable_ipv6=1", "net.ipv6.conf.default.disable_ipv6=1"];
    for (const network of [edge, far]) ip("netns", "exec", network, "sysctl", "-qw", ...off);
    ip("-n", edge, "link", "add", "wire", "type", "veth", "peer", "name", "wire", "netns", far);
    for (const [network, own, host] of [
      [edge, outer.edge, inner.edge],
      [far, outer.gateway, inner.gateway],
    ] as const) {
      const lines = [
        `addr add ${own}/30 dev wire`,
        "link set wire up",
        `addr add ${host}/32 dev lo`,
      ];
      ipBatch(lines, "-n", network);
    }
    ipBatch(
      [
        `link add gw type xfrm if_id ${gatewayIfId}`,
        "link set gw mtu 1400 up",
        `addr add ${inside.gateway} peer ${inside.edge}/32 dev gw`,
      ],
      "-n",
      far,
    );
  }

  /** Announces the same prefixes on all three paths; both ends prefer the links. */
  #route(): void {
    const { edge, far } = this.pair;
    const common = ["no bgp ebgp-requires-policy", "no bgp network import-check"];
    type(
      edge,
      "configure terminal",
      "ip prefix-list own seq 10 permit 10.1.0.0/16",
      `router bgp ${edgeAs}`,
      ...common,
      `neighbor ${inside.gateway} remote-as ${gatewayAs}`,
      `neighbor ${inside.gateway} timers connect 1`,
      "address-family ipv4 unicast",
      "network 10.1.0.0/16",
      `neighbor ${inside.gateway} route-map own-out out`,
    );
    type(
      far,
      "configure terminal",
      `router bgp ${farAs}`,
      ...common,
      `neighbor ${inside.edge} remote-as ${edgeAs}`,
      `neighbor ${inside.edge} local-as ${gatewayAs} no-prepend replace-as`,
      `neighbor ${inside.edge} timers connect 1`,
      "address-family ipv4 unicast",
      "network 10.100.0.0/16",
      ...["192.0.2.1", "192.0.2.5"].map((peer) => `neighbor ${peer} weight 200`),
    );
  }

  async #gateway(): Promise<void> {
    const [own, peer] = [outer.gateway, outer.edge];
    await this.far.ask("load-shared", {
      ...{ id: "azure", type: "IKE", data: gatewayPsk, owners: [own, peer] },
    });
    const ends = [
      { auth: "psk", id: own },
      { auth: "psk", id: peer },
    ] as const;
    await loadAzure(this.far, strong, ends, { name: "azure", own, peer, ifId: gatewayIfId });
  }

  /** Sets the key to which the cloud points each far end on its hardware. */
  async #follow(): Promise<void> {
    const given = new Map<string, string>();
    const [first] = this.cloud.links;
    while (!this.#over.signal.aborted) {
      for (const [index, { port }] of links.entries()) {
        const link = index === 0 ? "link1" : "link2";
        const state = first?.msee.observe(link);
        const ckn = first?.msee.hardwareKey(link);
        const id = state?.pointsAt?.cakSecretId;
        if (id === undefined || ckn === undefined || given.get(port) === ckn) continue;
        given.set(port, ckn);
        const cak = this.cloud.vault.valueForFarEnd(id);
        await this.standIn.give(port, { ckn, cak, suite });
      }
      await rest(200);
    }
  }

  /** Applies the config; `prove` is that option of the backup tunnel, absent = there is none. */
  async apply(prove?: string): Promise<void> {
    const file = join(this.#folder, "site.yaml");
    writeFileSync(file, this.#config(prove));
    const { err, status } = await this.programs.run("apply", file, "--yes");
    if (status !== 0) throw new Error(`not accepted: ${err}`);
  }

  #config(prove: string | undefined): string {
    const site = `"unix:${join(this.#folder, "site.sock")}"`;
    const link = ({ name, port }: (typeof links)[number], index: number): string =>
      `      - { name: ${name}, device: edge, port: ${port}, azureLink: link${index + 1}, ` +
      `speed: 10G, macsec: { suite: ${suite} }, ` +
      `key: { cak: erd-demo-${index + 1}-cak, ckn: erd-demo-${index + 1}-ckn } }`;
    return [
      "version: 1",
      "site: kernel",
      `azure: { cloud: sim, vault: ${site}, farEnd: agent }`,
      "devices:",
      `  - { name: edge, driver: linux, address: "unix:${join(this.#folder, "run", "net.sock")}",`,
      `      charon: "unix:${this.charon.socket}", frr: ${this.pair.edge.frr.shell.at(-1)} }`,
      "groups:",
      "  - name: erd-demo",
      `    expressRoutePort: ${this.cloud.links[0]?.msee.name}`,
      "    drain: prepend",
      "    links:",
      ...links.map(link),
      ...(prove === undefined ? [] : tunnelLines(prove)),
      "health: { poll: 2s, staleAfter: 15s, evidence: 90s }",
      "rotation:",
      "  { settle: 8s, soak: 4s, verify: 5m, confirm: 15m, putGrace: 5s,",
      "    drained: { samples: 2, every: 1s } }",
      "acceptRisks:",
      "  - { risk: breakBeforeMake, until: 2027-11-24 }",
      "  - { risk: shortSettle, until: 2027-11-24 }",
      "",
    ].join("\n");
  }

  async status(): Promise<Status> {
    return await this.programs.status();
  }

  /** Sets whether light comes from the far end of both links. */
  light(state: "up" | "down"): void {
    const lines = links.map(({ port }) => `link set ${farPort(port)} ${state}`);
    ipBatch(lines, "-n", this.pair.far.network);
  }

  /**
   * Sets the preference at the edge, where routes over the links have 200 and those by the tunnel
   * 100.
   */
  preferLinks(localPreference: number): void {
    const map = ["route-map own-in permit 10", `set local-preference ${localPreference}`];
    type(this.pair.edge, "configure terminal", ...map);
  }

  /** Sets whether the gateway drops echo requests; BGP goes on as before. */
  swallowEchoes(word: "on" | "off"): void {
    const value = `net.ipv4.icmp_echo_ignore_all=${word === "on" ? 1 : 0}`;
    ip("netns", "exec", this.pair.far.network, "sysctl", "-qw", value);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#over.abort();
    await this.#following;
    this.programs[Symbol.dispose]();
    await this.#pace?.stop();
    await this.#served?.close();
    this.standIn[Symbol.dispose]();
    for (const daemon of [this.charon, this.far]) daemon[Symbol.dispose]();
    for (const router of [this.pair.edge, this.pair.far]) stopRouter(router);
    leaveNetworks();
    rmSync(this.#folder, { recursive: true });
  }
}

const tunnelLines = (prove: string): readonly string[] => [
  "tunnels:",
  `  - { name: ${backup.name}, device: edge, local: { address: ${outer.edge} },`,
  `      remote: { address: ${outer.gateway} }, auth: { psk: hub-1-psk },`,
  "      protects: { local: [10.1.0.0/16], remote: [10.100.0.0/16] },",
  `      bgp: { local: ${inside.edge}, peer: ${inside.gateway} },`,
  `      backs: erd-demo, prove: ${prove} }`,
];
