// An agent at an edge with BGP inside its tunnels: the real programs; only the vault is simulated.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as rest } from "node:timers/promises";
import type { Status } from "#agent/runtime/health/status.ts";
import { paceClock, serveSite } from "#sim/serve/site.ts";
import { siteHandler } from "#sim/site/protocol.ts";
import { buildSite as buildCloud } from "#sim/site/site.ts";
import { Programs } from "../host/programs.ts";
import { leaveNetworks, until } from "../lab.ts";
import { type BgpSite, leaveBgpSite } from "./bgp-site.ts";
import { gatewayPsk } from "./site.ts";

type TunnelStatus = Status["tunnels"][number];

const isProtected = ({ verdict }: TunnelStatus): boolean => verdict === "protected";

export class BgpAgent<Far extends Disposable> {
  readonly site: BgpSite<Far>;
  readonly programs: Programs;
  /** Its vault is the agent's. */
  readonly cloud = buildCloud({ seed: "bgp", name: "demo", groups: 1, tunnels: 0, start: "clear" });
  readonly #folder = mkdtempSync(join(tmpdir(), "linkseal-bgp-"));
  readonly #ends: (() => unknown)[] = [];

  private constructor(site: BgpSite<Far>) {
    this.site = site;
    this.programs = new Programs(this.#folder, site.edge.network);
  }

  /** Starts the programs; `lines` is the rest of the config. */
  static async at<Far extends Disposable>(
    site: BgpSite<Far>,
    lines: readonly string[],
  ): Promise<BgpAgent<Far>> {
    const agent = new BgpAgent(site);
    try {
      await agent.#begin(lines);
    } catch (error) {
      await agent.close();
      throw error;
    }
    return agent;
  }

  async #begin(lines: readonly string[]): Promise<void> {
    const { programs, site, cloud } = this;
    const folder = this.#folder;
    for (const { name } of site.specs) cloud.vault.put(`${name}-psk`, gatewayPsk);
    const served = await serveSite(siteHandler(cloud), join(folder, "site.sock"));
    const pace = paceClock(cloud.clock, { speed: 1 });
    this.#ends.push(
      () => pace.stop(),
      () => served.close(),
    );
    writeFileSync(join(folder, "site.yaml"), [...configOf(site, folder), ...lines, ""].join("\n"));
    await programs.serve("net", "--charon", site.charon.socket);
    await programs.serve("agent");
    const { err } = await programs.run("apply", join(folder, "site.yaml"), "--yes");
    if (!err.includes("Accepted as config 1.")) throw new Error(`not accepted: ${err}`);
  }

  async status(): Promise<Status> {
    return await this.programs.status();
  }

  /** Waits until every tunnel is good. */
  async untilAll(patienceMs: number, isGood = isProtected): Promise<void> {
    let last: readonly TunnelStatus[] = [];
    await until(async () => {
      // An agent that has no time to answer has an error in its place.
      last = (await this.status()).tunnels ?? [];
      await rest(1_000);
      return last.length === this.site.specs.length && last.every(isGood) ? true : undefined;
    }, patienceMs).catch((error: unknown) => {
      throw new Error(JSON.stringify(last.filter((one) => !isGood(one))), { cause: error });
    });
  }

  async close(): Promise<void> {
    this.programs[Symbol.dispose]();
    for (const end of this.#ends) await end();
    leaveBgpSite(this.site);
    leaveNetworks();
    rmSync(this.#folder, { recursive: true });
  }
}

function configOf(site: BgpSite<Disposable>, folder: string): readonly string[] {
  return [
    "version: 1",
    "site: kernel",
    `azure: { cloud: sim, vault: "unix:${join(folder, "site.sock")}" }`,
    "devices:",
    "  - name: edge",
    "    driver: linux",
    `    address: "unix:${join(folder, "run", "net.sock")}"`,
    `    charon: "unix:${site.charon.socket}"`,
    `    frr: ${site.edge.frr.shell.at(-1)}`,
    "tunnels:",
    ...site.specs.flatMap(({ name, localAddress, remoteAddress, bgp }) => [
      `  - name: ${name}`,
      "    device: edge",
      `    local: { address: ${localAddress} }`,
      `    remote: { address: ${remoteAddress} }`,
      "    protects: { local: [10.1.0.0/16], remote: [10.100.0.0/16] }",
      `    auth: { psk: ${name}-psk }`,
      `    bgp: { local: ${bgp?.local}, peer: ${bgp?.peer} }`,
    ]),
  ];
}
