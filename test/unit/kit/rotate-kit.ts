// A pair that was protected by hand and adopted, ready for a rotation by the real agent.

import type { Campaign } from "#agent/model/campaign.ts";
import type { RiskName } from "#agent/model/desired.ts";
import type { Capabilities } from "#hal/device.ts";
import { type Overlap, routerWith } from "#sim/site/site-plan.ts";
import { AgentBench, group } from "./agent-bench.ts";
import { never, settled } from "./site-bench.ts";

export const overlaps: readonly Overlap[] = ["keychain", "fallback", "none"];

const suite = "gcm-aes-xpn-256";

export interface PairOptions {
  readonly overlap: Overlap;
  readonly edit?: (config: string) => string;
  readonly capabilities?: Partial<Capabilities>;
  /** Absent = two. */
  readonly routers?: "one" | "two";
}

export class Pair extends AgentBench {
  #lostBefore = 0;

  static async adopted({ overlap, edit, capabilities, routers }: PairOptions): Promise<Pair> {
    const model = { capabilities: { ...routerWith(overlap), ...capabilities } };
    const pair = new Pair("protected", `rotate ${overlap}`, () => model, routers);
    await pair.live();
    await pair.apply(pair.config(edit));
    await pair.run(20_000);
    await settled(pair.site.clock, pair.agent.commands.adopt(group, [], never));
    pair.#lostBefore = pair.lost();
    return pair;
  }

  /** Makes a fresh pair of secrets for every link, as an operator puts them into the vault. */
  newKeys(): void {
    for (const { key } of this.site.links) this.site.vault.generatePair(key, suite);
  }

  async rotate(
    urgency: Campaign["urgency"] = "planned",
    risks: readonly RiskName[] = [],
  ): Promise<Campaign> {
    const asked = { by: "test", risks, urgency };
    return await settled(this.site.clock, this.agent.commands.rotate(group, asked, never));
  }

  async say(verb: "proceed" | "resume" | "revert" | "abandon", farEndDone = false): Promise<void> {
    await settled(
      this.site.clock,
      this.agent.commands.rotation({ verb, farEndDone }, group, "test"),
    );
  }

  campaign(): Campaign {
    const campaign = this.agent.memory.campaigns[group];
    if (campaign === undefined) throw new Error("no campaign has run");
    return campaign;
  }

  outcomes(): readonly (string | undefined)[] {
    return this.campaign().links.map(({ outcome }) => outcome);
  }

  /** Returns the states of the campaign so far, link by link. */
  trail(): readonly string[] {
    return (this.agent.memory.trails[group] ?? []).map(({ link, state }) => `${link} ${state}`);
  }

  /** Returns the frames of the pair that were lost, or had no route, since its adoption. */
  lost(): number {
    const { out, in: into } = this.site.pairTraffic(group);
    return Number(out.lost + into.lost + out.unrouted + into.unrouted) - this.#lostBefore;
  }

  /** Returns the CKNs on the router of a link. */
  keysOn(name: "primary" | "secondary"): readonly string[] {
    return this.link(name)
      .edge.keys()
      .map(({ ckn }) => ckn);
  }
}

export { group };
