// The signed proposal of a site: what was found at the engine, whether it counts, and its
// application by the same way as `linkseal apply`. P8: a hub that withholds it, or delivers an old,
// a forged or a second one, changes nothing that the site's own config does not allow.

import { LinksealError } from "#hal/error.ts";
import { type Clock, type Instant, instantAfter, type World } from "#hal/world.ts";
import type { ConfigPart, SitePlan } from "../compare/site-plan.ts";
import { type Complaint, needsPerson } from "../config/index.ts";
import { type ReadProposal, readProposal } from "../fleet/proposal.ts";
import type { ProposalSettings } from "../model/desired.ts";
import type { Reason } from "../model/health.ts";
import { clockOffsetMs, clockSkewMs, fresh } from "../model/link-snapshot.ts";
import type { Intent } from "../store/intent/intent.ts";
import { type JournalRecord, type Memory, named } from "../store/journal/memory.ts";
import type { ApplyAnswer, ApplyRequest } from "./agent-shapes.ts";
import type { SiteView } from "./health/site-view.ts";
import {
  type Hindrance,
  hindranceText,
  overText,
  type Proposal,
  type ProposalState,
  type Refusal,
  refusedText,
  signerText,
} from "./proposal-state.ts";

/** After a failure `auto` tries no sooner, in milliseconds: each attempt reads every device. */
const retryMs = 300_000;

/** The agent, as proposals need it. */
export interface ProposalAgent {
  readonly intent: Intent | undefined;
  readonly memory: Memory;
  readonly supervisor: Pick<SiteView, "intent" | "deviceCache"> | undefined;
  /** True while a config waits for the end of campaigns. */
  readonly isQueued: boolean;
  compare(
    text: string,
    file: string,
  ): { readonly complaints: readonly Complaint[] } | { readonly config: ConfigPart };
  apply(request: ApplyRequest, signal: AbortSignal): Promise<ApplyAnswer>;
  readonly write: (record: JournalRecord) => Promise<void>;
}

/** What a person agreed to. */
export interface AgreedProposal {
  /** SHA-256 of what was signed. */
  readonly sha256: string;
  readonly who: string;
  /** The plan that was shown; absent = any plan is accepted. */
  readonly shown?: Pick<SitePlan, "agreed">;
}

/** A record of the engine, read under one accepted config. */
interface Examined {
  readonly octets: Uint8Array;
  readonly number: number;
  readonly found: ReadProposal;
  /** How its config compares with the one in force; undefined = it is based on another one. */
  readonly compared: ReturnType<ProposalAgent["compare"]> | undefined;
}

/** The proposal of this site. */
export class Proposals {
  readonly #agent: ProposalAgent;
  readonly #clock: Clock;
  readonly #log: World["log"];
  #octets: Uint8Array | undefined;
  #examined: Examined | undefined;
  #failed: { readonly sha256: string; readonly text: string; readonly until: Instant } | undefined;
  #isApplying = false;
  #refusal: Refusal | undefined;

  constructor(agent: ProposalAgent, { clock, log }: Pick<World, "clock" | "log">) {
    this.#agent = agent;
    this.#clock = clock;
    this.#log = log;
  }

  /** Takes what the engine has now; undefined = nothing. It is kept while the engine is away. */
  take(octets: Uint8Array | undefined): void {
    this.#octets = octets;
  }

  /** What is known of the proposal. */
  state(): ProposalState {
    const { intent } = this.#agent;
    const settings = intent?.desired.fleet?.proposals;
    if (this.#octets === undefined || intent === undefined || settings === undefined) {
      return { kind: "none" };
    }
    const { found, compared } = this.#examine(this.#octets, intent, settings);
    if (found.kind === "none") return found;
    if (found.kind === "refused") return { kind: "refused", why: found.fault };
    const { kind: _, ...proposal } = found;
    const isOnForce = compared !== undefined;
    const ended = named(this.#agent.memory.proposals, proposal.sha256)?.end;
    if (ended !== undefined) {
      const end = ended === "applied" && isOnForce ? "unfinished" : ended;
      return { kind: "over", proposal, end };
    }
    if (!isOnForce) return { kind: "over", proposal, end: "overtaken" };
    if ("complaints" in compared) return { kind: "refused", why: "config" };
    const paths = compared.config.settings.map(({ path }) => path);
    if (paths.includes("site")) return { kind: "refused", why: "otherSite" };
    const clock = clockDoubt(this.#agent.supervisor, this.#clock);
    if (clock !== undefined) {
      return { kind: "waiting", proposal, hindrance: { kind: "clock", why: clock } };
    }
    if (this.#clock.wall() >= proposal.proposed.notAfter) {
      return { kind: "over", proposal, end: "expired" };
    }
    return { kind: "waiting", proposal, hindrance: this.#hindrance(proposal, settings, paths) };
  }

  /** What a person of the site has to know. */
  warnings(): readonly Pick<Reason, "code" | "text">[] {
    const state = this.state();
    switch (state.kind) {
      case "none":
      case "over":
        return [];
      case "refused":
        return [{ code: "proposal-refused", text: refusedText(state.why) }];
      case "waiting": {
        const { proposal, hindrance } = state;
        if (hindrance === undefined) return [];
        const { number } = proposal.proposed.basedOn;
        const what = `${signerText(proposal)} proposes a config in place of config ${number}`;
        return [{ code: "proposal-waiting", text: `${what}: ${hindranceText(hindrance)}` }];
      }
    }
  }

  /** With `auto`, applies a proposal that nothing hinders. */
  async turn(signal: AbortSignal): Promise<void> {
    const state = this.state();
    this.#noteRefusal(state.kind === "refused" ? state.why : undefined);
    if (state.kind !== "waiting" || state.hindrance !== undefined || this.#isApplying) return;
    const { proposal } = state;
    this.#isApplying = true;
    try {
      const who = `signed by ${signerText(proposal)}, applied by fleet.apply: auto`;
      const answer = await this.#push(proposal, { who, by: "auto" }, signal);
      if (answer.kind !== "accepted") this.#fail(proposal, answerText(answer));
    } catch (error) {
      // Another config was accepted while the plan was made.
      if (signal.aborted) return;
      if (!(error instanceof LinksealError)) throw error;
      this.#fail(proposal, error.message);
    } finally {
      this.#isApplying = false;
    }
  }

  /** The warning logs the first reason when it is raised; it stays while others follow. */
  #noteRefusal(why: Refusal | undefined): void {
    const before = this.#refusal;
    this.#refusal = why;
    if (why === undefined || before === undefined || before === why) return;
    const next = "linkseal proposal show";
    this.#log.write("warn", "proposal-refused", refusedText(why), { about: "site", next });
  }

  /**
   * Applies the proposal that a person agreed to.
   * @throws LinksealError if it is not that one, or does not count, and as `linkseal apply`
   */
  async apply(agreed: AgreedProposal, signal: AbortSignal): Promise<ApplyAnswer> {
    const proposal = this.#counting(agreed.sha256, "person");
    const who = `${agreed.who}; signed by ${signerText(proposal)}`;
    return await this.#push(proposal, { ...agreed, who, by: "person" }, signal);
  }

  /**
   * Never applies this proposal.
   * @throws LinksealError if it is not the one that waits, or `journal.*`
   */
  async reject(sha256: string, by: string): Promise<void> {
    const state = this.state();
    if (state.kind !== "waiting" || state.proposal.sha256 !== sha256) throw notThere(state);
    const ended = { end: "rejected", signer: signerText(state.proposal), by } as const;
    await this.#agent.write({ kind: "proposal", sha256, ended });
  }

  async #push(
    { sha256, proposed, signer }: Proposal,
    { who, shown, by }: Omit<AgreedProposal, "sha256"> & { readonly by: "auto" | "person" },
    signal: AbortSignal,
  ): Promise<ApplyAnswer> {
    const begin = async (): Promise<void> => {
      // The plan took its time: what counted before it may not count any more.
      this.#counting(sha256, by);
      const ended = { end: "applied", signer: signerText({ signer }), by: who } as const;
      await this.#agent.write({ kind: "proposal", sha256, ended });
    };
    const request = { text: proposed.config, file: "proposal", who, queue: false };
    const instead = { of: proposed.basedOn.number, begin };
    const plan = shown === undefined ? {} : { shown };
    return await this.#agent.apply({ ...request, ...plan, instead }, signal);
  }

  /** Returns the proposal if a person, or `auto`, may apply it now. */
  #counting(sha256: string, by: "auto" | "person"): Proposal {
    const state = this.state();
    if (state.kind !== "waiting" || state.proposal.sha256 !== sha256) throw notThere(state);
    const { proposal, hindrance } = state;
    if (hindrance === undefined || (by === "person" && hindrance.kind !== "clock")) return proposal;
    const code = hindrance.kind === "clock" ? "gate.stale" : "gate.busy";
    throw new LinksealError(code, hindranceText(hindrance), {
      ...{ effect: "none", where: "proposal", next: "linkseal status" },
    });
  }

  #examine(octets: Uint8Array, intent: Intent, { signers }: ProposalSettings): Examined {
    const before = this.#examined;
    const { number, sha256, desired } = intent;
    if (before?.number === number && Buffer.compare(before.octets, octets) === 0) return before;
    const found = readProposal(octets, { site: desired.site, signers });
    const based = found.kind === "proposed" ? found.proposed : undefined;
    const isOnForce = based?.basedOn.number === number && based.basedOn.sha256 === sha256;
    const compared = isOnForce ? this.#agent.compare(based.config, "proposal") : undefined;
    this.#examined = { octets, number, found, compared };
    return this.#examined;
  }

  #hindrance(
    { sha256 }: Proposal,
    { apply }: ProposalSettings,
    changed: readonly string[],
  ): Hindrance | undefined {
    if (apply === "propose") return { kind: "person" };
    const paths = changed.filter(needsPerson);
    if (paths.length > 0) return { kind: "authority", paths };
    if (this.#agent.isQueued) return { kind: "queued" };
    const failed = this.#failed;
    const isFresh = failed?.sha256 === sha256 && this.#clock.now() < failed.until;
    return isFresh ? { kind: "failed", text: failed.text } : undefined;
  }

  #fail({ sha256 }: Proposal, text: string): void {
    this.#failed = { sha256, text, until: instantAfter(this.#clock.now(), retryMs) };
  }
}

/** Why this host's clock may not be used; undefined = the devices' clocks confirm it. */
function clockDoubt(
  supervisor: ProposalAgent["supervisor"],
  clock: Clock,
): "unread" | "apart" | undefined {
  if (supervisor === undefined) return "unread";
  const { devices, health } = supervisor.intent.desired;
  const offsets = devices.flatMap(({ name }) => {
    const state = fresh(supervisor.deviceCache.state(name), health, clock.now());
    const offsetMs = state === undefined ? undefined : clockOffsetMs(state, clock);
    return offsetMs === undefined ? [] : [offsetMs];
  });
  if (offsets.length === 0) return "unread";
  return offsets.some((each) => Math.abs(each) > clockSkewMs.error) ? "apart" : undefined;
}

function answerText(answer: Exclude<ApplyAnswer, { readonly kind: "accepted" }>): string {
  switch (answer.kind) {
    case "refused":
      return `its config is not valid: ${answer.complaints[0]?.what ?? ""}`;
    case "busy":
      return `a campaign runs on ${answer.groups.join(", ")}`;
    case "unchanged":
      return "its config is in force already";
    case "changed":
    case "queued":
      return "it was not accepted";
  }
}

function notThere(state: ProposalState): LinksealError {
  const [code, text] =
    state.kind === "waiting"
      ? (["gate.planChanged", "another proposal is there now"] as const)
      : (["usage", `no proposal waits: ${whyNot(state)}`] as const);
  const next = "linkseal proposal show";
  return new LinksealError(code, text, { effect: "none", where: "proposal", next });
}

function whyNot(state: Exclude<ProposalState, { readonly kind: "waiting" }>): string {
  switch (state.kind) {
    case "none":
      return "the engine has shown none";
    case "refused":
      return refusedText(state.why);
    case "over":
      return overText(state.proposal, state.end);
  }
}
