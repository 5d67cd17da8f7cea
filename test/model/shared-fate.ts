// The agent's host ends, and the sibling with it: what time alone then makes of the link.

import { type RiskName, riskMeanings } from "#agent/model/desired.ts";
import { missingRisks } from "#agent/runtime/campaigns/begin.ts";
import { rotationRisks } from "#agent/runtime/campaigns/rotation.ts";
import type { DeviceCache } from "#agent/runtime/polling/device-cache.ts";
import { desired } from "../unit/kit/snapshot-kit.ts";
import { agentStarts, Events } from "./campaign-events.ts";
import { die } from "./campaign-moves.ts";
import { campaignIn } from "./campaign-observation.ts";
import {
  type Config,
  copy,
  drainsHard,
  type Fate,
  isUp,
  pack,
  start,
  type World,
  wordCount,
} from "./campaign-world.ts";

/** Says whether traffic comes back without the agent, for one configuration. */
export class HostEnd {
  readonly #config: Config;
  readonly #known = new Map<string, boolean>();

  constructor(config: Config) {
    this.#config = config;
  }

  /** Returns what breaks if the agent's host ends now, and stays away; undefined = nothing. */
  judge(world: World): string | undefined {
    // What people did, and a far end that passes no frames, no agent undoes for certain.
    if (world.meddled === 1 || world.handShut === 1 || world.deadSak === 1) return undefined;
    const to = start(this.#config, 0, 0, 0);
    copy(world, to);
    die(to);
    // Everything else is well: only what the campaign has done is left.
    const well = { cut: 0, routerUnseen: 0, farUnseen: 0, refuses: 0, windowShut: 0 };
    Object.assign(to, well, { siblingCut: 1, siblingDrained: 0, siblingLate: 0, siblingUnread: 0 });
    Object.assign(to, { faultsLeft: 0, wordsLeft: 0, before: to.record });
    return this.#returns(to) ? undefined : "FATE: traffic does not return by itself";
  }

  #returns(world: World): boolean {
    const key = keyOf(world);
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const next: World[] = [];
    const events = new Events(this.#config, (to, label, kind) => {
      if (kind === "fault" || label === agentStarts || keyOf(to) === key) return;
      if (to.siblingCut === 0 || to.hardened !== world.hardened) return;
      next.push({ ...to });
    });
    events.of(world);
    const isBack = next.length === 0 ? this.#carries(world) : next.every((to) => this.#returns(to));
    this.#known.set(key, isBack);
    return isBack;
  }

  #carries(world: World): boolean {
    const isLedAway = world.drained === 1 && drainsHard(world, this.#config);
    return isUp(world, this.#config) && !isLedAway;
  }
}

function keyOf(world: World): string {
  const words = new Int32Array(wordCount);
  pack(world, words, 0);
  return words.join();
}

const others: readonly RiskName[] = (Object.keys(riskMeanings) as RiskName[]).filter(
  (risk) => risk !== "agentOnSibling",
);

/** Asks the real guard whether such a campaign begins where the risk is not accepted. */
export function begins(config: Config, drain: Fate["drain"]): boolean {
  const [first, second] = desired.devices;
  const [group] = desired.groups;
  if (first === undefined || second === undefined || group === undefined) throw new RangeError();
  const quirks = config.shutsFirst ? (["shutBeforeKeyChange"] as const) : [];
  const devices = [
    { ...first, driver: "linux", address: "unix:/run/linkseal-net/net.sock" },
    { ...second, driver: "linux", address: "ssh://192.0.2.2", quirks },
  ];
  const means = drain === "hard" ? "peeringShutdown" : "prepend";
  const site = { ...desired, devices, groups: [{ ...group, drain: means } as const] };
  const link = group.links.find(({ device }) => device === second.name);
  if (link === undefined) throw new RangeError();
  const { links } = campaignIn(start(config, 0, 0, 0).record, config);
  const risks = config.kind === "rotate" ? rotationRisks(group, links) : ["breakBeforeMake"];
  const deviceCache = { capabilities: () => ({ probe: true }) } as unknown as DeviceCache;
  const asked = { by: "a person", risks: [], links: undefined, urgency: config.urgency };
  const accepting = { asked, acceptsRisk: (risk: RiskName) => others.includes(risk) };
  const parts = { deviceCache, desired: site };
  return missingRisks(parts, [link], risks as readonly RiskName[], accepting).length === 0;
}
