// The documented way to rotate by hand, as an operator does it: the secret version in Azure for one
// link, then the key on its router, then an observation. There is no overlap, and one link is
// changed at a time.

import type { Ckn, KeyRef } from "#hal/model.ts";
import type { Instant } from "#hal/world.ts";
import { type OutageTime, watchOutages } from "#sim/oracle/outage.ts";
import type { PortConfig } from "#sim/router/router-config.ts";
import type { Site, SiteLink } from "#sim/site/site.ts";
import type { PairTraffic } from "#sim/site/traffic.ts";
import { ScriptedAgent } from "../scripted-agent.ts";

interface ManualOperator {
  /** Time from the decision to type a line on the router until it is committed. */
  readonly typeMs: number;
  /** Time from one observation of the portal or of the router to the next. */
  readonly observeMs: number;
  /** The number of good observations in a row after which the operator believes them. */
  readonly observations: number;
  readonly patienceMs: number;
}

export interface ByHandOptions {
  /** Whether the operator drains the link first, as the document advises. */
  readonly drain: "yes" | "no";
  readonly operator?: Partial<ManualOperator>;
}

export interface ByHand {
  readonly outcome: "rotated" | "stuck";
  readonly key: KeyRef;
  readonly outage: OutageTime;
  /** Lost frames of the pair, both directions summed. */
  readonly lostFrames: bigint;
  readonly tookMs: number;
}

const usual: ManualOperator = {
  typeMs: 30_000,
  observeMs: 10_000,
  observations: 3,
  patienceMs: 1_800_000,
};

/** Rotates both links. It takes virtual time, so the caller runs the site's clock. */
export async function rotateByHand(
  site: Site,
  link: SiteLink,
  options: ByHandOptions,
): Promise<ByHand> {
  const operator = { ...usual, ...options.operator };
  const { clock } = site;
  const watch = watchOutages(site);
  const start = clock.now();
  const before = lostIn(site.pairTraffic(link.group));
  const key = new ScriptedAgent(site).newKey(link);
  const cak = Uint8Array.from(Buffer.from(site.vault.valueForFarEnd(key.cakSecretId), "hex"));
  const types = async (edit: (port: PortConfig) => void): Promise<void> => {
    await clock.sleep(operator.typeMs);
    onRouter(link, edit);
  };

  if (options.drain === "yes") {
    await types((port) => {
      port.drain = "prepend";
    });
    await observes(site, operator, () => link.router.drainSettled(link.port));
  }
  await clock.sleep(operator.typeMs);
  link.msee.manualEdit(link.azureLink, { key });
  await observes(site, operator, () => farShows(link, key));
  await types((port) => {
    port.keys = [{ ckn: key.ckn, cak, role: "primary" }];
  });
  const rotated = await observes(site, operator, () => routerShows(link, key.ckn));
  if (options.drain === "yes") {
    await types((port) => {
      port.drain = undefined;
    });
  }
  return {
    outcome: rotated ? "rotated" : "stuck",
    key,
    outage: watch.time(link.id, start),
    lostFrames: lostIn(site.pairTraffic(link.group)) - before,
    tookMs: clock.now() - start,
  };
}

function onRouter(link: SiteLink, edit: (port: PortConfig) => void): void {
  link.router.manualEdit((config) => {
    const port = config.ports.get(link.port);
    if (port !== undefined) edit(port);
  });
}

/** Tells whether the portal shows the key; that does not mean that the hardware has it. */
function farShows(link: SiteLink, key: KeyRef): boolean {
  const { pointsAt, provisioning } = link.msee.observe(link.azureLink);
  return provisioning === "settled" && pointsAt?.cakSecretId === key.cakSecretId;
}

function routerShows(link: SiteLink, ckn: Ckn): boolean {
  const session = link.edge.session();
  return session.controlledPort === "secured" && session.principalCkn === ckn;
}

async function observes(
  site: Site,
  operator: ManualOperator,
  good: () => boolean,
): Promise<boolean> {
  const end = (site.clock.now() + operator.patienceMs) as Instant;
  let inARow = 0;
  while (inARow < operator.observations && site.clock.now() < end) {
    await site.clock.sleep(operator.observeMs);
    inARow = good() ? inARow + 1 : 0;
  }
  return inARow >= operator.observations;
}

function lostIn({ out, in: back }: PairTraffic): bigint {
  return out.lost + out.unrouted + back.lost + back.unrouted;
}
