// A new pre-shared key of a tunnel on a simulated site: the whole agent, its vault, its router and
// a gateway, with kills and restarts on the way.

import { describe, expect, it } from "vitest";
import type { Agent } from "#agent/runtime/agent.ts";
import { SimDisk } from "#sim/base/disk.ts";
import { simulatedAgent, simulatedWorld } from "#sim/lab/simulate.ts";
import { buildSite } from "#sim/site/site.ts";
import { never, refused, settled } from "../unit/kit/site-bench.ts";

const psks = { new: "A_new_PSK_of_the_gateway" } as const;

class Stage {
  readonly site = buildSite({
    ...{ seed: "psk", name: "demo", groups: 1, tunnels: 1, start: "clear" },
  });
  readonly #disk = new SimDisk({
    ...{ clock: this.site.clock, prng: this.site.prng.fork("disk"), writeMs: 2 },
  });
  readonly events: string[] = [];
  agent: Agent | undefined;
  #stop = new AbortController();

  async start(): Promise<Agent> {
    const { site } = this;
    this.#stop.abort();
    const stop = new AbortController();
    this.#stop = stop;
    const log = { write: (_level: string, code: string) => void this.events.push(code) };
    const world = simulatedWorld({ site, disk: this.#disk, log, prng: site.prng.fork("agent") });
    const agent = await settled(site.clock, simulatedAgent(world));
    agent.run(stop.signal).catch((error: unknown) => {
      if (!stop.signal.aborted) throw error;
    });
    this.agent = agent;
    return agent;
  }

  async apply(agent: Agent): Promise<void> {
    const text = this.site.config("unix:/run/linkseal-sim/site.sock");
    const request = { text, file: "site.yaml", who: "test", queue: false };
    const answer = await settled(this.site.clock, agent.apply(request, never));
    if (answer.kind !== "accepted") throw new Error(`the config was ${answer.kind}`);
  }

  tunnel() {
    const [found] = [...this.site.routers.values()].flatMap((router) =>
      router.tunnels().map((tunnel) => ({ router, tunnel })),
    );
    if (found === undefined) throw new Error("no router has a tunnel");
    return found;
  }

  /** Sets the key that the gateway accepts from the next authentication on. */
  giveGateway(psk: string): void {
    const { router, tunnel } = this.tunnel();
    router.setGatewayPsk(tunnel.spec.remoteAddress, new TextEncoder().encode(psk));
  }

  spis(): readonly number[] {
    const { sas } = this.tunnel().tunnel.read();
    return sas.kind === "known" ? sas.value.map(({ spi }) => spi) : [];
  }

  waits(agent: Agent): boolean {
    const { warnings } = agent.status();
    return warnings.some(({ code, about }) => code === "waiting-for-person" && about === "hub-1");
  }

  async pass(ms: number): Promise<void> {
    await this.site.clock.runFor(ms);
  }
}

describe("a new pre-shared key on a simulated site", () => {
  it("a new key is refused while the gateway has the old one, and taken over a kill", async () => {
    const stage = new Stage();
    const agent = await stage.start();
    await stage.apply(agent);
    await stage.pass(60_000);
    expect(stage.site.tunnelTruth()).toMatchObject([{ name: "hub-1", up: true }]);
    const id = stage.site.vault.put("hub-1-psk", psks.new);
    const before = stage.spis();
    const proceed = () =>
      settled(stage.site.clock, (stage.agent as Agent).commands.proceedPsk("hub-1", "ann", never));
    const error = await refused(proceed());
    expect(error).toMatchObject({ code: "verify.mismatch", effect: "none" });
    expect(stage.spis()).toEqual(before);
    await stage.pass(10_000);
    expect(stage.waits(agent)).toBe(true);
    // The gateway changes first, the agent is killed, and its successor knows the pending change.
    stage.giveGateway(psks.new);
    await stage.start();
    await stage.pass(60_000);
    expect(stage.site.tunnelTruth()).toMatchObject([{ up: true }]);
    const own = { tunnel: "hub-1", kind: "psk", farEnd: "manual", pair: null };
    const done = { ...own, secretId: id, next: null };
    expect(await proceed()).toEqual(done);
    expect(stage.spis()).not.toEqual(before);
    await stage.pass(60_000);
    expect(stage.waits(stage.agent as Agent)).toBe(false);
    expect(stage.site.tunnelTruth()).toMatchObject([{ up: true }]);
  });
});
