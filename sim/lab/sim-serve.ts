// The simulated site in a process of its own, and how another process strikes its faults.

import { rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as rest } from "node:timers/promises";
import { usage } from "#agent/cli/failure.ts";
import { Session } from "#agent/cli/session.ts";
import { hostDialer } from "#agent/host/host.ts";
import { agentPlaces } from "#agent/host/places.ts";
import { errorFromShape } from "#agent/model/error-shape.ts";
import { nearest } from "#agent/model/nearest.ts";
import { columns, jsonText, visible, visibleLines } from "#agent/model/text.ts";
import type { Intent } from "#agent/store/intent/intent.ts";
import type { MacsecCapabilities } from "#hal/device.ts";
import { LinksealError } from "#hal/error.ts";
import { decodeJson, encodeJson } from "#hal/json.ts";
import { leashMs, stopAsked, taken, verdictOf } from "./sim-run.ts";

export interface ServeOptions {
  readonly socket: string;
  readonly speed: number;
  readonly seed: string;
  readonly start: "clear" | "protected";
  readonly overlap: MacsecCapabilities["overlap"];
  readonly oracleFile?: string;
  /** View socket of the agent that is judged; absent = no report of an agent is. */
  readonly agent?: string;
}

/** Real milliseconds between two checks for new findings of the oracle. */
const oracleMs = 500;

/** Serves until SIGTERM or SIGINT; resolves to 0, or to 1 if the oracle saw a broken promise. */
export async function serveUntilStopped(options: ServeOptions): Promise<0 | 1> {
  const { demoSite, leashClock, paceClock, routersThatHold, serveSite } = await import(
    "./simulate.ts"
  );
  const { AgentJudge } = await import("./agent-judge.ts");
  const { socket, speed, seed, start, overlap, oracleFile, agent } = options;
  const staff = demoSite(seed, start, routersThatHold(overlap));
  const { site, oracle, faultConsole } = staff;
  site.setSpeed(speed);
  const leash = leashClock(faultConsole.handler(), site.clock, leashMs);
  const served = await serveSite(leash.handler, socket).catch(taken("socket"));
  const pace = paceClock(site.clock, { speed, hold: leash.hold });
  process.stderr.write(`site ${site.plan.name}, seed ${seed}, serves unix:${socket}\n`);
  const keep = async (): Promise<void> => {
    if (oracleFile !== undefined) await replaceFile(oracleFile, encodeJson(faultConsole.verdict()));
  };
  const { strayedAt } = leash;
  const judge =
    agent === undefined ? undefined : new AgentJudge({ socket: agent, staff, strayedAt });
  const stop = stopAsked();
  let lastCount = -1;
  while (!stop.aborted) {
    await judge?.turn();
    if (oracle.violations.length !== lastCount) await keep();
    lastCount = oracle.violations.length;
    await Promise.race([rest(oracleMs, undefined, { signal: stop }).catch(ignore), pace.done]);
  }
  await pace.stop();
  await served.close();
  await keep();
  return await verdictOf(staff);
}

/** Ignores the abort of a sleep: the caller checks the signal. */
function ignore(): void {}

// A reader sees the old file or the new one, never a part.
async function replaceFile(path: string, text: string): Promise<void> {
  await writeFile(`${path}~`, `${text}\n`);
  await rename(`${path}~`, path);
}

/** Returns the socket at which `npm start` serves its site. */
export function siteSocketOf(runtime: string): string {
  return join(runtime, "site.sock");
}

export interface Strike {
  readonly name: string;
  readonly link: string | undefined;
  /** Version of the CAK that the far end gets; undefined = as the fault chooses. */
  readonly cak: string | undefined;
  readonly heal: true | undefined;
}

/**
 * Asks the site to strike or heal; resolves to its reply as text or JSON.
 * @throws LinksealError of the site, or with `agent.unreachable`
 */
export async function askToStrike(
  socket: string | undefined,
  json: boolean,
  strike: Strike,
): Promise<string> {
  const { faults } = (await ask(socket, "GET", "/faults", [])) as FaultAnswer;
  if (!faults.some(({ name }) => name === strike.name)) {
    throw unknownFault(strike.name, faults, "linkseal sim fault --list");
  }
  return textOf(await ask(socket, "POST", "/fault", [encodeJson(strike)]), json);
}

/**
 * Sets a property of the simulated cloud to good, bad, absent or unreadable.
 * @throws LinksealError of the site, or with `agent.unreachable`
 */
export async function askToPose(
  socket: string | undefined,
  json: boolean,
  pose: { readonly aspect: string; readonly state: string },
): Promise<string> {
  return textOf(await ask(socket, "POST", "/posture", [encodeJson(pose)]), json);
}

function textOf(answer: unknown, json: boolean): string {
  if (json) return jsonText(answer);
  return typeof answer === "object" && answer !== null && "text" in answer
    ? visibleLines(String(answer.text))
    : "done";
}

interface FaultAnswer {
  readonly faults: readonly { readonly name: string; readonly title: string }[];
  readonly active: readonly string[];
}

/** Makes the error for a fault that the site does not know, with the name that was meant. */
export function unknownFault(
  text: string,
  faults: readonly { readonly name: string }[],
  next: string,
): LinksealError {
  const meant = nearest(
    text,
    faults.map(({ name }) => name),
  );
  const hint = meant === undefined ? "" : `; did you mean ${visible(meant)}?`;
  return usage(`no fault is named ${JSON.stringify(text)}${hint}`, next);
}

/**
 * Lists the faults, and those that are active.
 * @throws LinksealError of the site, or with `agent.unreachable`
 */
export async function askFaults(socket: string | undefined, json: boolean): Promise<string> {
  const answer = await ask(socket, "GET", "/faults", []);
  if (json) return jsonText(answer);
  const { faults, active } = answer as FaultAnswer;
  const rows = columns(faults.map(({ name, title }) => [visible(name), visible(title)]));
  const now = active.length === 0 ? "nothing is struck now" : `struck now: ${active.join(", ")}`;
  return [...rows, "", visible(now)].join("\n");
}

/** Returns the socket that the agent's config names, or else that of `npm start`. */
async function siteSocket(): Promise<string> {
  return (await socketInConfig()) ?? siteSocketOf(agentPlaces().runtime);
}

/** A site is struck while its agent hangs, too. */
const agentMsMax = 3_000;

async function socketInConfig(): Promise<string | undefined> {
  try {
    const { text } = await new Session({}).view<Pick<Intent, "text">>("/v1/config", agentMsMax);
    const { parseConfig } = await import("#agent/config/index.ts");
    const parsed = parseConfig(text, "config");
    const azure = parsed.kind === "ok" ? parsed.desired.azure : undefined;
    return azure?.cloud === "sim" ? /^unix:(.+)$/.exec(azure.vault)?.[1] : undefined;
  } catch (error) {
    if (error instanceof LinksealError) return undefined;
    throw error;
  }
}

const replyBytesMax = 1_000_000;
const replyMsMax = 10_000;

async function ask(
  socket: string | undefined,
  method: "GET" | "POST",
  path: string,
  body: readonly string[],
): Promise<unknown> {
  const to = `unix:${socket ?? (await siteSocket())}`;
  const request = { to, method, path, body, replyBytesMax };
  const reply = await hostDialer
    .http(request, AbortSignal.timeout(replyMsMax))
    .catch((error: unknown) => {
      throw unreachable(to, error);
    });
  const answer = decodeJson(new TextDecoder().decode(reply.body));
  if (reply.status === 200) return answer;
  throw errorFromShape(answer) ?? usage("the site did not understand", "linkseal sim fault --list");
}

function unreachable(to: string, cause: unknown): LinksealError {
  const why = cause instanceof Error ? cause.message : "no answer";
  return new LinksealError("agent.unreachable", `no simulated site answers: ${why}`, {
    effect: "none",
    where: to,
    next: "npm start",
    cause,
  });
}
