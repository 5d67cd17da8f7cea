// A whole agent on a simulated site whose vault it reads by Microsoft's own client.

import { openRecords } from "#agent/operate/open.ts";
import { Agent } from "#agent/runtime/agent.ts";
import type { LinkStatus, Status, WarningStatus } from "#agent/runtime/health/status.ts";
import { drivers } from "#drivers/index.ts";
import type { KeyVault } from "#hal/vault.ts";
import { SimDisk } from "#sim/base/disk.ts";
import { simulatedIdentity, simulatedWorld } from "#sim/lab/simulate.ts";
import { type Oracle, watchSite } from "#sim/oracle/oracle.ts";
import type { SiteLink } from "#sim/site/site.ts";
import { hasty } from "../../../short-waits.ts";
import { group } from "../../kit/agent-bench.ts";
import { cloudWith, simFarEnd } from "../../kit/cloud-kit.ts";
import { never } from "../../kit/site-bench.ts";
import {
  type AzureBench,
  azureBench,
  certificateIdentity,
  driven,
  hostOf,
} from "../azure-bench.ts";

const address = "unix:/run/linkseal-sim/site.sock";
const suite = "gcm-aes-xpn-256";

export class AzureAgentBench {
  readonly azure: AzureBench;
  readonly oracle: Oracle;
  readonly agent: Agent;
  readonly log: string[];
  readonly broken: unknown[] = [];
  readonly #busy: { calls: number };
  readonly #stop = new AbortController();

  private constructor(
    azure: AzureBench,
    made: { agent: Agent; log: string[]; busy: { calls: number } },
  ) {
    this.azure = azure;
    this.oracle = watchSite(azure.site);
    this.agent = made.agent;
    this.log = made.log;
    this.#busy = made.busy;
    const { signal } = this.#stop;
    this.agent.run(signal).catch((error: unknown) => {
      if (!signal.aborted) this.broken.push(error);
    });
  }

  /** Both links protected by hand, adopted, and watched for a while. */
  static async adopted(): Promise<AzureAgentBench> {
    const azure = azureBench(certificateIdentity, hostOf(), "protected");
    const bench = new AzureAgentBench(azure, await openOn(azure));
    await bench.settle(bench.agent.apply({ ...bench.#request(), queue: false }, never));
    await bench.run(20_000);
    await bench.settle(bench.agent.commands.adopt(group, [], never));
    await bench.run(120_000);
    return bench;
  }

  #request() {
    const rotate = "    drain: prepend\n    rotate: { on: vaultVersion }";
    const text = hasty(this.azure.site.config(address)).replace("    drain: prepend", rotate);
    return { text, file: "demo.yaml", who: "test" };
  }

  async end(): Promise<void> {
    this.#stop.abort();
    await this.run(1_000);
  }

  async settle<T>(promise: Promise<T>): Promise<T> {
    return await driven(this.azure.site.clock, promise);
  }

  /** True if `until` came within `ms`; time goes slowly only while a library works. */
  async run(ms: number, until: () => boolean = () => false): Promise<boolean> {
    const { clock } = this.azure.site;
    const end = clock.now() + ms;
    while (clock.now() < end && !until()) {
      await clock.runFor(end - clock.now(), () => until() || this.#busy.calls > 0);
      if (this.#busy.calls > 0) await driven(clock, this.#idle());
    }
    return until();
  }

  async #idle(): Promise<void> {
    while (this.#busy.calls > 0) await this.azure.site.clock.sleep(10);
  }

  link(name: "primary" | "secondary"): SiteLink {
    const link = this.azure.site.link(`${group}/${name}`);
    if (link === undefined) throw new Error(`no link ${name}`);
    return link;
  }

  /** A fresh pair for every link, as an operator puts it into the vault. */
  newKeys(): void {
    for (const { key } of this.azure.site.links) this.azure.site.vault.generatePair(key, suite);
  }

  status(): Status {
    return this.agent.status();
  }

  links(): readonly LinkStatus[] {
    return this.status().groups.flatMap(({ links }) => links);
  }

  warning(code: string): WarningStatus | undefined {
    return this.status().warnings.find((warning) => warning.code === code);
  }
}

/** An agent as it is opened on a router's host, but for who reads the vault. */
async function openOn(azure: AzureBench) {
  const { site } = azure;
  const { clock, prng } = site;
  const log: string[] = [];
  const busy = { calls: 0 };
  const world = simulatedWorld({
    site,
    disk: new SimDisk({ clock, prng: prng.fork("disk"), writeMs: 2 }),
    log: {
      write: (level, code, text, fields) => {
        log.push(JSON.stringify([level, code, text, fields]));
      },
    },
    prng: prng.fork("agent"),
  });
  const agent = new Agent({
    ...{ world, drivers },
    ...(await driven(clock, openRecords(world, simulatedIdentity()))),
    clouds: () =>
      cloudWith({
        vault: counted(azure.vault, busy),
        pace: "polled",
        farEnd: simFarEnd(world.dial, address),
      }),
  });
  return { agent, log, busy };
}

function counted(vault: KeyVault, busy: { calls: number }): KeyVault {
  const during = async <T>(call: Promise<T>): Promise<T> => {
    busy.calls += 1;
    try {
      return await call;
    } finally {
      busy.calls -= 1;
    }
  };
  return {
    versions: (name, signal) => during(vault.versions(name, signal)),
    read: (id, signal) => during(vault.read(id, signal)),
  };
}
