// Lets the oracle of a simulated site judge an agent in another process: by the config that this
// agent has accepted, and by what it reports at its view socket.

import { ask } from "#agent/cli/client.ts";
import { parseInForce } from "#agent/config/index.ts";
import { verdictOrder } from "#agent/model/health.ts";
import { LinksealError } from "#hal/error.ts";
import type { Instant } from "#hal/world.ts";
import { configBounds } from "./oracle-bounds.ts";
import type { StaffedSite } from "./simulate.ts";

export interface JudgeParts {
  /** Path of the agent's view socket. */
  readonly socket: string;
  readonly staff: Pick<StaffedSite, "site" | "oracle">;
  /** The last time at which the site did not wait for the agent any more; undefined = never. */
  readonly strayedAt: () => Instant | undefined;
}

type ReportedStatus = Parameters<StaffedSite["oracle"]["reported"]>[0];

/** The longest wait for one answer, in real milliseconds. */
const patienceMs = 2_000;

/** Asks one agent again and again. */
export class AgentJudge {
  readonly #parts: JudgeParts;
  #text: string | undefined;
  /** How long an agent that got no processor may need to catch up, in virtual milliseconds. */
  #quietMs = 0;

  constructor(parts: JudgeParts) {
    this.#parts = parts;
  }

  /** Asks once; an agent that does not answer, or has no config yet, reports nothing. */
  async turn(): Promise<void> {
    const { site, oracle } = this.#parts.staff;
    try {
      this.#learn(textOf(await this.#ask("/v1/config")));
      const askedAt = site.clock.now();
      const status = statusOf(await this.#ask("/v1/status"));
      if (status !== undefined && !this.#hasStrayed(askedAt)) oracle.reported(status, askedAt);
    } catch (error) {
      if (!(error instanceof LinksealError)) throw error;
    }
  }

  #ask(path: string): Promise<unknown> {
    const { socket } = this.#parts;
    return ask({ role: "view", method: "GET", path, socket, patienceMs });
  }

  #learn(text: string | undefined): void {
    if (text === undefined || text === this.#text) return;
    this.#text = text;
    const parsed = parseInForce(text, "the accepted config");
    if (parsed.kind !== "ok") return;
    const bounds = configBounds(parsed.desired);
    this.#quietMs = bounds.dataMs;
    this.#parts.staff.oracle.judgeBy(bounds);
  }

  /** Time ran on while the agent was dead, or got no processor: it could not see what happened. */
  #hasStrayed(now: Instant): boolean {
    const at = this.#parts.strayedAt();
    return at !== undefined && now - at <= this.#quietMs;
  }
}

function textOf(answer: unknown): string | undefined {
  if (typeof answer !== "object" || answer === null || !("text" in answer)) return undefined;
  return typeof answer.text === "string" ? answer.text : undefined;
}

/** Only a whole status of this version can be compared with the truth. */
function statusOf(answer: unknown): ReportedStatus | undefined {
  return isStatus(answer) ? answer : undefined;
}

function isStatus(value: unknown): value is ReportedStatus {
  if (!isJudged(value)) return false;
  const { schema, groups, tunnels } = value;
  return schema === "linkseal.status/1" && isListOf(groups, isGroup) && isListOf(tunnels, isNamed);
}

const isGroup = (value: unknown): boolean => isNamed(value) && isListOf(value["links"], isNamed);

function isNamed(value: unknown): value is Members {
  return isJudged(value) && typeof value["name"] === "string";
}

function isJudged(value: unknown): value is Members {
  if (typeof value !== "object" || value === null || !("verdict" in value)) return false;
  return verdictOrder.some((verdict) => verdict === value.verdict);
}

type Members = Readonly<Record<string, unknown>>;

function isListOf(value: unknown, is: (each: unknown) => boolean): boolean {
  return Array.isArray(value) && value.every(is);
}
