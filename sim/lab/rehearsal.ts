// Tries a rotation before it is made: the real agent on a simulated copy of the link group, with
// keys of its own, through the whole campaign in virtual time, while the oracle checks the
// promises.

import type { Campaign } from "#agent/model/campaign.ts";
import { riskNames } from "#agent/model/desired.ts";
import { reasonText } from "#agent/model/reason-text.ts";
import type { Agent } from "#agent/runtime/agent.ts";
import type { Rehearsal, RehearsalRequest } from "#agent/runtime/campaigns/rehearsal-shape.ts";
import type { RehearsalSnapshot } from "#agent/runtime/campaigns/rehearsal-snapshot.ts";
import { LinksealError } from "#hal/error.ts";
import { type Instant, instantAfter, type Log } from "#hal/world.ts";
import { SimDisk } from "../base/disk.ts";
import { formatViolation, watchSite } from "../oracle/oracle.ts";
import { watchOutages } from "../oracle/outage.ts";
import { buildSite, type Site, type SiteOptions } from "../site/site.ts";
import { proofBounds } from "./oracle-bounds.ts";
import { simulatedAgent, simulatedWorld } from "./simulate.ts";

const adoptAfterMs = 30_000;
/** A rotation that has not ended by then counts as failed, in virtual milliseconds. */
const rotationMsMax = 86_400_000;
const stepMs = 2_000;
const personMsUsual = 60_000;
/** The site is observed for so long after the campaign, in virtual milliseconds. */
const afterMs = 30_000;

interface RehearsalOptions extends RehearsalRequest {
  /** Ends the rehearsal early; the caller, which has a clock, bounds the real time. */
  readonly stop: AbortSignal;
}

export async function rehearse(options: RehearsalOptions): Promise<Rehearsal> {
  const stage = await Stage.open(options);
  await stage.rotate();
  return stage.report();
}

class Stage {
  readonly #options: RehearsalOptions;
  readonly #site: Site;
  readonly #agent: Agent;
  readonly #oracle: ReturnType<typeof watchSite>;
  readonly #outages: ReturnType<typeof watchOutages>;
  readonly #ended = new AbortController();
  #begunAt: Instant;
  #lostBefore = 0n;
  #trouble: string | undefined;
  #askedAt: Instant | undefined;

  private constructor(options: RehearsalOptions, site: Site, agent: Agent) {
    this.#options = options;
    this.#site = site;
    this.#agent = agent;
    this.#oracle = watchSite(site, proofBounds(options.twin.proof));
    this.#outages = watchOutages(site);
    this.#begunAt = site.clock.now();
  }

  /** Opens a site with both links protected and adopted, and a fresh pair in the vault. */
  static async open(options: RehearsalOptions): Promise<Stage> {
    const { twin, target, stop } = options;
    const site = buildSite(siteOf(twin));
    const disk = new SimDisk({ clock: site.clock, prng: site.prng.fork("disk"), writeMs: 2 });
    const prng = site.prng.fork("agent");
    const world = simulatedWorld({ site, disk, log: silence, prng });
    const agent = await settled(site, simulatedAgent(world), stop);
    const stage = new Stage(options, site, agent);
    const { signal } = stage.#ended;
    agent.run(signal).catch((error: unknown) => {
      if (!signal.aborted) stage.#trouble = error instanceof Error ? error.message : "it broke";
    });
    const request = { text: twin.config, file: "twin.yaml", who: "rehearsal", queue: false };
    const answer = await settled(site, agent.apply(request, signal), stop);
    if (answer.kind !== "accepted")
      throw new Error(`the config of the rehearsal was ${answer.kind}`);
    // A put of an earlier process, although there was none, may take effect for so long.
    const graceMs = agent.intent?.desired.rotation.putGraceMs ?? 0;
    await site.clock.runFor(adoptAfterMs + graceMs, () => stop.aborted);
    await settled(site, agent.commands.adopt(twin.group, [], signal), stop);
    for (const link of site.links) {
      if (target !== twin.group && target !== link.id) continue;
      site.vault.generatePair(link.key, (link.settings ?? unset(link.id)).suite);
    }
    return stage;
  }

  async rotate(): Promise<void> {
    const { target, urgency, stop } = this.#options;
    const { clock } = this.#site;
    this.#lostBefore = this.#lost();
    this.#begunAt = clock.now();
    const asked = { by: "rehearsal", risks: riskNames, urgency };
    await settled(this.#site, this.#agent.commands.rotate(target, asked, this.#ended.signal), stop);
    const giveUpAt = instantAfter(clock.now(), rotationMsMax);
    while (!this.#isOver() && clock.now() < giveUpAt) {
      await clock.runFor(stepMs, () => stop.aborted);
      await this.#person();
    }
    const over = this.#isOver();
    if (!over) this.#trouble ??= "it did not end within a day";
    if (stop.aborted) this.#trouble = "it took too long on this machine";
    await clock.runFor(afterMs, () => stop.aborted);
    this.#ended.abort();
  }

  #isOver(): boolean {
    const { stop } = this.#options;
    const state = this.#campaign()?.state;
    return stop.aborted || this.#trouble !== undefined || state === "done" || state === "held";
  }

  #campaign(): Campaign | undefined {
    return this.#agent.memory.campaigns[this.#options.twin.group];
  }

  /** Acts as the operator: sends `proceed`, and changes the far end when asked to. */
  async #person(): Promise<void> {
    const campaign = this.#campaign();
    const { twin, stop, personMs = personMsUsual } = this.#options;
    if (campaign === undefined || twin.farEnd !== "manual") return;
    const { clock } = this.#site;
    const isAsked = campaign.state === "awaitingPeer" || campaign.state === "switching";
    if (!isAsked || this.#isMoved(campaign)) {
      this.#askedAt = undefined;
      return;
    }
    this.#askedAt ??= clock.now();
    if (clock.now() < this.#askedAt + personMs) return;
    this.#askedAt = undefined;
    if (campaign.state === "switching") this.#moveFarEnd(campaign);
    else {
      const input = { verb: "proceed", farEndDone: false } as const;
      await settled(this.#site, this.#agent.commands.rotation(input, twin.group, "a person"), stop);
    }
  }

  #isMoved(campaign: Campaign): boolean {
    const { link, entry } = this.#underWay(campaign);
    return link?.msee.observe(link.azureLink).pointsAt?.cakSecretId === entry?.new.key.cakSecretId;
  }

  #moveFarEnd(campaign: Campaign): void {
    const { link, entry } = this.#underWay(campaign);
    if (link !== undefined && entry !== undefined) {
      link.msee.manualEdit(link.azureLink, { key: entry.new.key });
    }
  }

  #underWay({ links, at, group }: Campaign) {
    const entry = links[at];
    return { entry, link: this.#site.link(`${group}/${entry?.name ?? ""}`) };
  }

  #lost(): bigint {
    const { out, in: into } = this.#site.pairTraffic(this.#options.twin.group);
    return out.lost + into.lost + out.unrouted + into.unrouted;
  }

  report(): Rehearsal {
    const { target, twin } = this.#options;
    const campaign = this.#campaign();
    const broken = this.#oracle.violations.map(formatViolation);
    const links = (campaign?.links ?? []).map(({ name, outcome }) => ({
      link: `${twin.group}/${name}`,
      outcome: outcome ?? null,
      dark: this.#outages.time(`${twin.group}/${name}`, this.#begunAt),
      steps: this.#steps(name),
    }));
    const left = links.find(({ outcome }) => outcome !== "rotated");
    const bad =
      this.#trouble ??
      broken[0] ??
      (left === undefined ? undefined : `${left.link} is ${this.#standing(campaign)}`);
    return {
      schema: "linkseal.rehearsal/1",
      target,
      verdict: bad === undefined && links.length > 0 ? "good" : "bad",
      because: bad ?? "every link was rotated and every promise kept",
      tookMs: Math.max(0, ...links.flatMap(({ steps }) => steps.map(({ atMs }) => atMs))),
      links,
      lostFrames: String(this.#lost() - this.#lostBefore),
      brokenPromises: broken,
    };
  }

  #standing(campaign: Campaign | undefined): string {
    return campaign === undefined
      ? "not begun"
      : `${campaign.state}: ${reasonText(campaign.reason)}`;
  }

  #steps(name: string): Rehearsal["links"][number]["steps"] {
    const trail = this.#agent.memory.trails[this.#options.twin.group] ?? [];
    const begun = trail[0]?.at ?? 0;
    return trail
      .filter(({ link }) => link === name)
      .map(({ at, state, reason }) => ({
        ...{ atMs: at - begun, state, reason },
        because: reasonText(reason),
      }));
  }
}

const silence: Log = { write: () => undefined };

/**
 * Runs virtual time until the promise is settled.
 * @throws LinksealError with `verify.timeout` if the rehearsal is stopped first
 */
async function settled<T>(site: Site, promise: Promise<T>, stop: AbortSignal): Promise<T> {
  let done = false;
  const mark = (): void => {
    done = true;
  };
  promise.then(mark, mark);
  await site.clock.runFor(rotationMsMax, () => done || stop.aborted);
  if (!done) {
    const details = { effect: "none", where: "rehearsal", next: "linkseal rotate --help" } as const;
    throw new LinksealError("verify.timeout", "it took too long on this machine", details);
  }
  return await promise;
}

function unset(link: string): never {
  throw new Error(`no settings are planned for ${link}`);
}

function siteOf(twin: RehearsalSnapshot): SiteOptions {
  const { site: name, group, expressRoutePort, farEndMs } = twin;
  // The simulated far end takes its two links by number, whichever is first in the group.
  const numbered = twin.links.toSorted((a, b) => (a.azureLink < b.azureLink ? -1 : 1));
  const links = numbered.map((link) => ({
    ...{ ...link, id: `${group}/${link.name}`, group },
    settings: { ...wholeSettings(link.settings), policy: "mustSecure" as const },
  }));
  const plan = { name, groups: [{ name: group, expressRoutePort, links }], tunnels: [] };
  const delay = farEndDelay(farEndMs);
  return {
    ...{ seed: "rehearsal", name, groups: 1, tunnels: 0, start: "protected", plan },
    models: (device) => modelOf(twin, device),
    ...(delay === undefined ? {} : { farEndDelayMs: delay }),
  };
}

/** JSON over a socket drops members that are undefined. */
function wholeSettings(settings: RehearsalSnapshot["links"][number]["settings"]) {
  const { replayWindow, sakRekeyMs, ...rest } = settings;
  return { ...rest, replayWindow, sakRekeyMs };
}

function modelOf({ devices }: RehearsalSnapshot, device: string) {
  const found = devices.find(({ name }) => name === device);
  if (found === undefined) throw new Error(`no router ${device} in the rehearsal`);
  const { capabilities, commitMs } = found;
  const slowest = commitMs.length === 0 ? {} : { commitMs: Math.max(...commitMs) };
  return { capabilities, ...slowest };
}

/** What was measured ends only when the management API reports it, so many milliseconds later. */
const operatorDelayMs = 2_500;

function farEndDelay(measured: readonly number[]): SiteOptions["farEndDelayMs"] {
  if (measured.length === 0) return undefined;
  const begins = (ms: number): number => Math.max(1_000, Math.round(ms - operatorDelayMs));
  return { low: begins(Math.min(...measured)), high: begins(Math.max(...measured)) };
}
