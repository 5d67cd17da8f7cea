// A rotation on a simulated site whose hardware fails at a later SAK of a new key: it is found while
// the old key is the way back.

import { describe, expect, it } from "vitest";
import { reasonText } from "#agent/model/reason-text.ts";
import type { EndpointFault } from "#sim/mka/port-endpoint.ts";
import { routerWith } from "#sim/site/site-plan.ts";
import { AgentBench, group } from "../../../kit/agent-bench.ts";
import { never, settled } from "../../../kit/site-bench.ts";

const suite = "gcm-aes-xpn-256";
const hourMs = 3_600_000;

type Server = "router" | "far end";

/** The simulated far end has priority 8, and the lowest number is the key server. */
const priorities: Readonly<Record<Server, number>> = { router: 4, "far end": 16 };

class Enrolled extends AgentBench {
  /** The SAKs that the agent asked the routers for, by link. */
  readonly asked: (string | undefined)[] = [];

  static async by(server: Server): Promise<Enrolled> {
    const model = { capabilities: routerWith("keychain") };
    const bench = new Enrolled("clear", `later SAKs, ${server}`, () => model);
    bench.site.attach({
      effect: ({ what, link }) => {
        if (what === "macsec.rekeySak") bench.asked.push(link);
      },
    });
    await bench.live();
    const macsec = `macsec: { suite: ${suite}, keyServerPriority: ${priorities[server]} }`;
    await bench.apply(bench.config((text) => text.replaceAll(/macsec: \{[^}]*\}/g, macsec)));
    await bench.reach("secondary done", hourMs);
    await bench.run(120_000);
    expect(bench.link("primary").edge.session().keyServer).toBe(
      server === "router" ? "self" : "peer",
    );
    return bench;
  }

  plant(fault: EndpointFault): void {
    this.link("primary").edge.setFault(fault, true);
  }

  async rotate(urgency: "planned" | "emergency" = "planned"): Promise<void> {
    for (const { key } of this.site.links) this.site.vault.generatePair(key, suite);
    const asked = { by: "test", risks: [], urgency };
    await settled(this.site.clock, this.agent.commands.rotate(group, asked, never));
    const over = () => this.agent.memory.campaigns[group]?.state === "done";
    expect(await this.run(hourMs, over)).toBe(true);
  }

  outcomes(): readonly (string | undefined)[] {
    return (this.agent.memory.campaigns[group]?.links ?? []).map(({ outcome }) => outcome);
  }

  ckns(): readonly string[] {
    return this.link("primary")
      .edge.keys()
      .map(({ ckn }) => ckn);
  }

  trail(): readonly string[] {
    return (this.agent.memory.trails[group] ?? []).map(({ reason }) => reasonText(reason));
  }
}

describe("a rotation of a router that makes the SAKs", () => {
  it("four later SAKs are asked for on each link, and nothing is lost", async () => {
    const bench = await Enrolled.by("router");
    await bench.rotate();
    expect(bench.outcomes()).toEqual(["rotated", "rotated"]);
    for (const name of ["primary", "secondary"]) {
      expect(bench.asked.filter((link) => link === `${group}/${name}`)).toHaveLength(4);
    }
    expect(bench.violations()).toEqual([]);
  });

  it.each(["staleAn", "oldSakAfterRollover"] as const)(
    "hardware with the fault %s is found while the old key is the way back",
    { timeout: 60_000 },
    async (fault) => {
      const bench = await Enrolled.by("router");
      const before = bench.ckns();
      bench.plant(fault);
      await bench.rotate();
      expect(bench.outcomes()).toEqual(["reverted", undefined]);
      expect(bench.ckns()).toEqual(before);
      expect(bench.trail().some((text) => /SAK \d of 4 after the first one/.test(text))).toBe(true);
      expect(bench.carrying()).toEqual([true, true]);
      expect(bench.violations()).toEqual([]);
    },
  );

  it("an emergency asks for no later SAK while the old key is there", async () => {
    const bench = await Enrolled.by("router");
    await bench.rotate("emergency");
    expect(bench.outcomes()).toEqual(["rotated", "rotated"]);
    expect(bench.trail().some((text) => text.includes("after the first one"))).toBe(false);
  });
});

describe("a rotation of a router whose far end makes the SAKs", () => {
  it("no later SAK is asked for", async () => {
    const bench = await Enrolled.by("far end");
    await bench.rotate();
    expect(bench.outcomes()).toEqual(["rotated", "rotated"]);
    expect(bench.asked).toEqual([]);
    expect(bench.violations()).toEqual([]);
  });
});
