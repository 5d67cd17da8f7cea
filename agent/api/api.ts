// Requests on the two local sockets, as pure request-to-reply; docs/protocol.md is written from
// `routes`.

import { LinksealError } from "#hal/error.ts";
import { encodeJson } from "#hal/json.ts";
import type { WallTime } from "#hal/world.ts";
import type { Agent } from "../agent.ts";
import type { Campaign } from "../campaign/model.ts";
import type { OperatorVerb } from "../campaign/verbs.ts";
import { type RiskName, riskNames } from "../desired.ts";
import { doctorReport } from "../doctor/report.ts";
import type { Intent } from "../intent/intent.ts";
import type { Plan } from "../plan.ts";
import { madeReport } from "../report/made.ts";
import { makeScorecard } from "../scorecard/scorecard.ts";
import { campaignReport } from "./campaign-report.ts";
import { keyReport } from "./key-report.ts";
import { errorShape } from "./shape.ts";

/** What a socket may ask for: `view` looks, `admin` also changes. */
export type SocketRole = "view" | "admin";

export interface ApiRequest {
  readonly method: string;
  /** Path with its query. */
  readonly path: string;
  readonly body: string;
  readonly role: SocketRole;
  /** Who is recorded in journal and audit. */
  readonly who: string;
}

export interface ApiReply {
  readonly status: number;
  readonly body: string;
}

interface Call {
  readonly agent: Agent;
  readonly now: WallTime;
  readonly query: ReadonlyMap<string, string>;
  readonly body: Readonly<Record<string, unknown>>;
  readonly who: string;
  readonly signal: AbortSignal;
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>;
}

interface Route {
  readonly role: SocketRole;
  readonly title: string;
  readonly run: (call: Call) => unknown;
}

const eventWaitMsMax = 30_000;

/** Every verb of the protocol, by `METHOD /path`. */
export const routes: Readonly<Record<string, Route>> = {
  "GET /v1/status": {
    role: "view",
    title: "The health of everything in the accepted intent (linkseal.status/1)",
    run: ({ agent }) => agent.status(),
  },
  "GET /v1/rotation": {
    role: "view",
    title: "The last campaign of each group, or of ?group=NAME (linkseal.campaign/1)",
    run: ({ agent, query }) => campaigns(agent, query.get("group")),
  },
  "GET /v1/events": {
    role: "view",
    title: "Events after ?after=N; waits up to ?waitMs=MS for the next one (linkseal.event/1)",
    run: events,
  },
  "GET /v1/keys": {
    role: "view",
    title: "Keys in use, by link, with their versions and ages (linkseal.keys/1)",
    run: async ({ agent, now, signal }) => await keyReport(agent, now, signal),
  },
  "GET /v1/psk": {
    role: "view",
    title: "Keys that tunnels share: versions in use and what comes (linkseal.psks/1)",
    run: ({ agent }) => ({
      schema: "linkseal.psks/1",
      psks: agent.crew?.tunnelAuths.psks() ?? [],
    }),
  },
  "GET /v1/doctor": {
    role: "view",
    title: "Both ends, the vault and the way to them against every rule (linkseal.doctor/1)",
    run: async ({ agent, now, signal }) => await doctorReport(agent, now, signal),
  },
  "GET /v1/config": {
    role: "view",
    title: "The accepted intent: number, hash, who, when and text",
    run: ({ agent }) => {
      const { number, sha256, who, at, text } = intentOf(agent);
      return { number, sha256, who, at, text };
    },
  },
  "GET /v1/config/history": {
    role: "view",
    title: "Every accepted config: number, hash, who and when",
    run: ({ agent }) => ({ history: agent.intents.history() }),
  },
  "GET /v1/config/diff": {
    role: "view",
    title: "The difference from config ?number=N to the one in force",
    run: ({ agent, query }) => {
      const { number } = intentOf(agent);
      return { diff: agent.intents.diff(numberOf(query.get("number")), number) };
    },
  },
  "GET /v1/report": {
    role: "view",
    title: "Signed evidence of ?from= to ?to=, days or moments in UTC (linkseal.report/1)",
    run: async ({ agent, query }) =>
      await madeReport(agent, { from: query.get("from"), to: query.get("to") }),
  },
  "GET /v1/report/key": {
    role: "view",
    title: "The public half of the key that signs reports (linkseal.reportKey/1)",
    run: ({ agent }) => {
      const { publicKey, keyId } = agent.evidence.sealer;
      return { schema: "linkseal.reportKey/1", keyId, publicKey };
    },
  },
  "GET /v1/scorecard": {
    role: "view",
    title: "Microsoft's Zero Trust recommendations, each with its evidence (linkseal.scorecard/1)",
    run: async ({ agent, now, signal }) => await makeScorecard(agent, now, signal),
  },
  "GET /v1/journal": {
    role: "view",
    title: "The journal: its state and its last records",
    run: ({ agent }) => ({
      state: agent.journalState,
      records: agent.journal.records().slice(-100),
    }),
  },
  "POST /v1/page/code": {
    role: "view",
    title: "A code that opens the status page once, and where that is (linkseal.page-code/1)",
    run: ({ agent }) => {
      if (agent.door === undefined) throw noPage();
      return { schema: "linkseal.page-code/1", url: agent.door.url, ...agent.door.code() };
    },
  },
  "POST /v1/journal/accept-loss": {
    role: "admin",
    title: "Starts a new chain after a damaged journal; says what was dropped",
    run: async ({ agent, who }) => {
      await agent.journal.acceptLoss(who);
      return { state: agent.journalState };
    },
  },
  "POST /v1/plan": {
    role: "admin",
    title:
      "What a config {text, file} would change at both ends (linkseal.plan/1), from a fresh look",
    run: async ({ agent, body, signal }) => {
      const file = body["file"] === undefined ? "config" : textOf(body, "file");
      return await agent.plan(configText(agent, body), file, signal);
    },
  },
  "POST /v1/apply": {
    role: "admin",
    title: "Makes {text, file, shown?, queue} the accepted intent",
    run: async ({ agent, body, who, signal }) =>
      await agent.apply(
        {
          text: textOf(body, "text"),
          file: textOf(body, "file"),
          who,
          queue: body["queue"] === true,
          ...(body["shown"] === undefined ? {} : { shown: body["shown"] as Plan }),
        },
        signal,
      ),
  },
  "POST /v1/config/rollback": {
    role: "admin",
    title: "Accepts the text of config {number} again, as a new number, with present keys",
    run: async ({ agent, body, who, signal }) => {
      const text = agent.intents.text(numberOf(body["number"]));
      if (text === undefined) throw missing("there is no config of that number");
      return await agent.apply({ text, file: "history", who, queue: false }, signal);
    },
  },
  "POST /v1/enrol": {
    role: "admin",
    title: "Begins the enrolment of {target} (group or group/link) with accepted {risks}",
    run: async ({ agent, body, who, signal }) =>
      campaignReport(
        agent,
        await agent.orders.enrol(textOf(body, "target"), { by: who, risks: risksOf(body) }, signal),
      ),
  },
  "POST /v1/adopt": {
    role: "admin",
    title: "Takes {target}, protected by hand, into the intent; writes to no device",
    run: async ({ agent, body, signal }) => ({
      adopted: await agent.orders.adopt(textOf(body, "target"), listOf(body, "risks"), signal),
    }),
  },
  "POST /v1/rotation/proceed": campaignVerb("proceed", "Says that the far end may be changed now"),
  "POST /v1/rotation/revert": campaignVerb("revert", "Takes a parked campaign back to the old key"),
  "POST /v1/rotation/resume": campaignVerb("resume", "Lets a held campaign go on"),
  "POST /v1/rotation/abandon": campaignVerb("abandon", "Ends a campaign whose link carries"),
  "POST /v1/rotate": {
    role: "admin",
    title:
      "Begins the rotation of {target} (group or group/link), with accepted {risks}, {urgency}",
    run: async ({ agent, body, who, signal }) =>
      campaignReport(
        agent,
        await agent.orders.rotate(
          textOf(body, "target"),
          { by: who, risks: risksOf(body), urgency: urgencyOf(body) },
          signal,
        ),
      ),
  },
  "POST /v1/rotate/plan": {
    role: "admin",
    title:
      "What the rotation of {target} would do, with {risks}, {urgency}; a note with a code " +
      "would keep it from beginning (linkseal.plan/1)",
    run: async ({ agent, body, who, signal }) =>
      await agent.orders.previewRotation(
        textOf(body, "target"),
        { by: who, risks: risksOf(body), urgency: urgencyOf(body) },
        signal,
      ),
  },
  "POST /v1/rotate/twin": {
    role: "admin",
    title: "What a rehearsal of {target} has to know of this site; no key (linkseal.twin/1)",
    run: ({ agent, body }) => agent.orders.twin(textOf(body, "target")),
  },
  "POST /v1/psk/proceed": {
    role: "admin",
    title: "The far end of {tunnel} has the newest key, or gets it: ours follows, by proof",
    run: async ({ agent, body, who, signal }) =>
      await agent.orders.proceedPsk(textOf(body, "tunnel"), who, signal),
  },
  "POST /v1/drain": {
    role: "admin",
    title: "Moves the traffic of {link}, a link or tunnel, to its siblings until it is undrained",
    run: async ({ agent, body, who, signal }) => {
      await agent.orders.drain(textOf(body, "link"), who, signal);
      return { drained: textOf(body, "link") };
    },
  },
  "POST /v1/undrain": {
    role: "admin",
    title: "Gives the traffic of {link} back",
    run: async ({ agent, body, signal }) => {
      await agent.orders.undrain(textOf(body, "link"), signal);
      return { undrained: textOf(body, "link") };
    },
  },
  "POST /v1/retire/tunnel": {
    role: "admin",
    title:
      "Takes the tunnel {name}, which no config names any more, off its device and forgets it, " +
      "with {risks}; its prefixes stay blocked (linkseal.retire/1)",
    run: async ({ agent, body, signal }) =>
      await agent.orders.retireTunnel(textOf(body, "name"), risksOf(body), signal),
  },
  "POST /v1/retire": {
    role: "admin",
    title: "Forgets the link {name}; both ends stay as they are",
    run: async ({ agent, body }) => {
      await agent.orders.retireLink(textOf(body, "name"));
      return { retired: textOf(body, "name") };
    },
  },
};

function campaignVerb(verb: OperatorVerb, title: string): Route {
  return {
    role: "admin",
    title: `${title} ({group})`,
    run: async ({ agent, body, who }) =>
      campaignReport(
        agent,
        await agent.orders.rotation(
          { verb, farEndDone: body["done"] === true },
          textOf(body, "group"),
          who,
        ),
      ),
  };
}

/** Answers any request; a broken one gets an error reply and never an exception. */
export async function answer(
  agent: Agent,
  request: ApiRequest,
  world: { now: WallTime; sleep: (ms: number, signal: AbortSignal) => Promise<void> },
  signal: AbortSignal,
): Promise<ApiReply> {
  try {
    const [path = "", search = ""] = request.path.split("?", 2);
    const route = Object.hasOwn(routes, `${request.method} ${path}`)
      ? routes[`${request.method} ${path}`]
      : undefined;
    if (route === undefined)
      throw missing(`no such request: ${request.method} ${path.slice(0, 80)}`);
    if (route.role === "admin" && request.role !== "admin") throw forbidden();
    const call: Call = {
      agent,
      now: world.now,
      query: new Map(new URLSearchParams(search)),
      body: bodyOf(request.body),
      who: request.who,
      signal,
      sleep: world.sleep,
    };
    return { status: 200, body: encodeJson((await heard(route, call, path)) ?? null) };
  } catch (error) {
    if (!(error instanceof LinksealError)) throw error;
    return { status: statusOf(error), body: encodeJson(errorShape(error)) };
  }
}

/** Whatever is asked for over the admin socket, and what became of it, is evidence. */
async function heard(route: Route, call: Call, path: string): Promise<unknown> {
  if (route.role !== "admin" || onlyLooks.has(path)) return await route.run(call);
  const { agent, who, body } = call;
  const about = ["target", "link", "group", "name", "file"].find((key) => key in body);
  const told = (outcome: string): void => {
    const subject = about === undefined ? "site" : String(body[about]);
    agent.asked(who, path.replace("/v1/", ""), subject, outcome);
  };
  try {
    const answered = await route.run(call);
    told(outcomeOf(answered));
    return answered;
  } catch (error) {
    told(error instanceof LinksealError ? `refused: ${error.code}` : "a defect of linkseal");
    throw error;
  }
}

const onlyLooks: ReadonlySet<string> = new Set(["/v1/plan", "/v1/rotate/plan", "/v1/rotate/twin"]);

/** An `apply` may be answered without being done. */
function outcomeOf(answered: unknown): string {
  const kind =
    typeof answered === "object" && answered !== null && "kind" in answered ? answered.kind : "";
  return typeof kind === "string" && kind !== "" ? kind : "done";
}

function statusOf(error: LinksealError): number {
  if (error.code === "agent.forbidden") return 403;
  return error.code === "usage" || error.code === "config.invalid" ? 400 : 409;
}

async function events(call: Call): Promise<unknown> {
  const after = numberOf(call.query.get("after") ?? "0");
  const waitMs = Math.min(numberOf(call.query.get("waitMs") ?? "0"), eventWaitMsMax);
  const { events: ring } = call.agent;
  if (ring.after(after).length === 0 && waitMs > 0) {
    const arrived = new AbortController();
    const stop = ring.listen(() => arrived.abort());
    await call
      .sleep(waitMs, AbortSignal.any([arrived.signal, call.signal]))
      // Both ends of the wait are answers: an event came, or none did.
      .catch(() => undefined);
    stop();
  }
  return { events: ring.after(after) };
}

function campaigns(agent: Agent, group: string | undefined): unknown {
  const all = Object.values(agent.memory.campaigns);
  const wanted = group === undefined ? all : all.filter((campaign) => campaign.group === group);
  return { campaigns: wanted.map((campaign) => campaignReport(agent, campaign)) };
}

const bodyBytesMax = 2_000_000;

function bodyOf(text: string): Readonly<Record<string, unknown>> {
  if (text === "") return {};
  if (text.length > bodyBytesMax) throw usage("the request body is too long");
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === "object" && value !== null && !Array.isArray(value)) {
      return { ...value };
    }
  } catch {
    throw usage("the request body is not JSON");
  }
  throw usage("the request body is not a JSON object");
}

/** The config of the request; without one, the intent in force is planned again. */
function configText(agent: Agent, body: Call["body"]): string {
  if (body["text"] !== undefined) return textOf(body, "text");
  return intentOf(agent).text;
}

function intentOf(agent: Agent): Intent {
  const { intent, intentDamage } = agent;
  if (intent !== undefined) return intent;
  throw intentDamage ?? missing("no config has been accepted yet");
}

function textOf(body: Call["body"], name: string): string {
  const value = body[name];
  if (typeof value === "string" && value !== "") return value;
  throw usage(`the request lacks the text "${name}"`);
}

function listOf(body: Call["body"], name: string): readonly string[] {
  const value = body[name] ?? [];
  if (Array.isArray(value) && value.every((each) => typeof each === "string")) return value;
  throw usage(`"${name}" is not a list of texts`);
}

function risksOf(body: Call["body"]): readonly RiskName[] {
  return listOf(body, "risks").map((name) => {
    const risk = riskNames.find((each) => each === name);
    if (risk === undefined) throw usage(`there is no risk named ${JSON.stringify(name)}`);
    return risk;
  });
}

function urgencyOf(body: Call["body"]): Campaign["urgency"] {
  const value = body["urgency"] ?? "planned";
  if (value === "planned" || value === "emergency") return value;
  throw usage('"urgency" is planned or emergency');
}

function numberOf(value: unknown): number {
  const number = typeof value === "string" && /^\d{1,9}$/.test(value) ? Number(value) : value;
  if (typeof number === "number" && Number.isSafeInteger(number) && number >= 0) return number;
  throw usage("a whole number is missing");
}

function usage(text: string): LinksealError {
  const details = { effect: "none", where: "socket", next: "linkseal --help" } as const;
  return new LinksealError("usage", text, details);
}

function missing(text: string): LinksealError {
  return new LinksealError("usage", text, {
    effect: "none",
    where: "socket",
    next: "linkseal apply FILE",
  });
}

function noPage(): LinksealError {
  return new LinksealError("usage", "the status page is not served", {
    effect: "none",
    where: "serve.page",
    next: "set serve.page, linkseal apply FILE; if it is set, the log of the agent says why",
  });
}

function forbidden(): LinksealError {
  return new LinksealError("agent.forbidden", "this socket may look but not change anything", {
    effect: "none",
    where: "view socket",
    next: "join the group of the admin socket",
  });
}
