// A pair that the agent enrolled, and the faults of hardware that show at a later SAK of a new key.

import type { Campaign } from "#agent/model/campaign.ts";
import type { OnDecision } from "#agent/model/decision.ts";
import { reasonText } from "#agent/model/reason-text.ts";
import type { Status } from "#agent/runtime/health/status.ts";
import type { EndpointFault } from "#sim/mka/port-endpoint.ts";
import { routerWith } from "#sim/site/site-plan.ts";
import { AgentBench, group } from "./agent-bench.ts";
import { never, settled } from "./site-bench.ts";

const suite = "gcm-aes-xpn-256";
const hourMs = 3_600_000;

/** The end that makes the SAKs. */
type Server = "router" | "far end";
export type LinkName = "primary" | "secondary";

/** The simulated far end has priority 8, and the lowest number is the key server. */
const priorities: Readonly<Record<Server, number>> = { router: 4, "far end": 16 };

interface EnrolledOptions {
  readonly server: Server;
  readonly seed?: string;
  readonly onDecision?: OnDecision;
}

export class Enrolled extends AgentBench {
  /** The links of the SAKs that the agent asked the routers for, in order. */
  readonly asked: (string | undefined)[] = [];

  static async by({ server, seed = "later SAKs", onDecision }: EnrolledOptions): Promise<Enrolled> {
    const model = { capabilities: routerWith("keychain") };
    const bench = new Enrolled("clear", `${seed}, ${server}`, () => model);
    bench.onDecision = onDecision;
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
    const is = bench.link("primary").edge.session().keyServer;
    if (is !== (server === "router" ? "self" : "peer")) throw new Error(`the key server is ${is}`);
    return bench;
  }

  plant(fault: EndpointFault, name: LinkName = "primary"): void {
    this.link(name).edge.setFault(fault, true);
  }

  /** Rotates the pair; throws unless that ends within an hour. */
  async rotate(urgency: Campaign["urgency"] = "planned"): Promise<void> {
    for (const { key } of this.site.links) this.site.vault.generatePair(key, suite);
    const asked = { by: "test", risks: [], urgency };
    await settled(this.site.clock, this.agent.commands.rotate(group, asked, never));
    const isOver = () => this.agent.memory.campaigns[group]?.state === "done";
    if (!(await this.run(hourMs, isOver))) throw new Error(`it did not end: ${this.state()}`);
  }

  outcomes(): readonly (string | undefined)[] {
    return (this.agent.memory.campaigns[group]?.links ?? []).map(({ outcome }) => outcome);
  }

  /** Returns the CKNs on the router of a link. */
  ckns(name: LinkName = "primary"): readonly string[] {
    return this.link(name)
      .edge.keys()
      .map(({ ckn }) => ckn);
  }

  /** Returns the watches of later SAKs that the status shows, by link. */
  watches(): readonly Status["groups"][number]["links"][number]["laterSaks"][] {
    return this.agent.status().groups.flatMap(({ links }) => links.map((link) => link.laterSaks));
  }

  /** Returns the sentences of the campaign's moves. */
  trail(): readonly string[] {
    return (this.agent.memory.trails[group] ?? []).map(({ reason }) => reasonText(reason));
  }
}

export { group };
