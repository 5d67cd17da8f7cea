// An edge with charon, linkseal-net and the agent beside a stand-in for the gateway, tested by
// commands and their output; the vault is simulated.

import type { ChildProcess } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Status } from "#agent/runtime/health/status.ts";
import { paceClock, serveSite } from "#sim/serve/site.ts";
import { siteHandler } from "#sim/site/protocol.ts";
import { buildSite as buildCloud } from "#sim/site/site.ts";
import { Programs } from "../host/programs.ts";
import { enterNetwork, leaveNetworks, until } from "../lab.ts";
import type { Daemon } from "./daemon.ts";
import { buildSite, gatewayPsk, type TunnelSite } from "./site.ts";

/** Each query starts a program, which is slow in an emulator. */
export const patienceMs = 150_000;

const health = ["health: { poll: 2s, staleAfter: 30s, evidence: 90s }", ""];

/** The part of a site that the agent is at. */
interface Edge {
  readonly edge: string;
  readonly charon: Daemon;
  readonly far: Disposable;
}

export class AgentSite<Site extends Edge = TunnelSite> {
  readonly tunnels: Site;
  readonly #remote: string;
  readonly cloud: ReturnType<typeof buildCloud>;
  readonly programs: Programs;
  readonly #folder: string;
  readonly #ends: (() => unknown)[] = [];
  agent: ChildProcess | undefined;

  private constructor(tunnels: Site, remote: string, folder: string) {
    this.tunnels = tunnels;
    this.#remote = remote;
    this.#folder = folder;
    // The vault is simulated; everything else is this kernel and charon.
    const shape = { seed: "tunnel", name: "demo", groups: 1, tunnels: 0, start: "clear" } as const;
    this.cloud = buildCloud(shape);
    this.cloud.vault.put("hub-1-psk", gatewayPsk);
    this.programs = new Programs(folder, tunnels.edge);
  }

  static async open(): Promise<AgentSite> {
    return await AgentSite.at(await buildSite(), "198.51.100.2");
  }

  /** Opens an agent at an edge whose gateway has the outer address `remote`. */
  static async at<Site extends Edge>(tunnels: Site, remote: string): Promise<AgentSite<Site>> {
    const folder = mkdtempSync(join(tmpdir(), "linkseal-tunnel-"));
    const site = new AgentSite(tunnels, remote, folder);
    enterNetwork(site.tunnels.edge);
    const served = await serveSite(siteHandler(site.cloud), join(folder, "site.sock"));
    const pace = paceClock(site.cloud.clock, { speed: 1 });
    site.#ends.push(
      () => pace.stop(),
      () => served.close(),
    );
    await site.programs.serve("net", "--charon", site.tunnels.charon.socket);
    site.agent = await site.programs.serve("agent");
    return site;
  }

  async close(): Promise<void> {
    this.programs[Symbol.dispose]();
    for (const end of this.#ends) await end();
    for (const daemon of [this.tunnels.charon, this.tunnels.far]) daemon[Symbol.dispose]();
    leaveNetworks();
    rmSync(this.#folder, { recursive: true });
  }

  /** Returns a config with one tunnel to these prefixes; "" = no tunnel. */
  config(remote = "10.100.0.0/16", more: readonly string[] = []): string {
    const tunnel = [
      "tunnels:",
      "  - name: hub-1",
      "    device: edge",
      "    local: { address: 198.51.100.1 }",
      `    remote: { address: ${this.#remote} }`,
      `    protects: { local: [10.1.0.0/16], remote: [${remote}] }`,
      "    auth: { psk: hub-1-psk }",
      ...more,
    ];
    return [
      "version: 1",
      "site: kernel",
      `azure: { cloud: sim, vault: "unix:${join(this.#folder, "site.sock")}" }`,
      "devices:",
      "  - name: edge",
      "    driver: linux",
      `    address: "unix:${join(this.#folder, "run", "net.sock")}"`,
      `    charon: "unix:${this.tunnels.charon.socket}"`,
      ...(remote === "" ? [] : tunnel),
      ...health,
    ].join("\n");
  }

  async apply(text: string): Promise<void> {
    const { err } = await this.programs.run("apply", this.#write(text), "--yes");
    if (!err.includes("Accepted as config")) throw new Error(`not accepted: ${err}`);
  }

  async plan(text: string): Promise<string> {
    return (await this.programs.run("plan", this.#write(text), "--json")).out;
  }

  #write(text: string): string {
    const file = join(this.#folder, "site.yaml");
    writeFileSync(file, text);
    return file;
  }

  async status(): Promise<Status> {
    return await this.programs.status();
  }

  async untilVerdict(verdict: string): Promise<void> {
    const isSo = async () =>
      (await this.status()).tunnels[0]?.verdict === verdict ? true : undefined;
    await until(isSo, patienceMs);
  }

  async reasonOf(code: string): Promise<string | undefined> {
    const { tunnels } = await this.status();
    return tunnels[0]?.reasons.find((reason) => reason.code === code)?.text;
  }
}
