// Every verb of the two sockets. docs/protocol.md is generated from this table.

import { LinksealError } from "#hal/error.ts";
import type { SitePlan } from "../compare/site-plan.ts";
import { madeReport } from "../evidence/report/made.ts";
import { userOf } from "../model/client.ts";
import type { EventsAfter } from "../model/events.ts";
import { azureCheck } from "../operate/azure-setup/agent-check.ts";
import type { OperatorVerb } from "../rotation/verbs.ts";
import type { Agent } from "../runtime/agent.ts";
import type { ApplyAnswer } from "../runtime/agent-shapes.ts";
import { campaignReport } from "../runtime/campaigns/campaign-report.ts";
import type { Intent } from "../store/intent/intent.ts";
import { keyReport } from "./key-report.ts";
import { endsReport, linkDetail, stepsAbout } from "./link-detail.ts";
import {
  anything,
  flag,
  maybe,
  name,
  names,
  risks,
  text,
  urgency,
  usage,
  whole,
} from "./member.ts";
import { proposalReport } from "./proposal-report.ts";
import { type Call, changes, done, type Outcome, type Route, reads } from "./route.ts";

const eventWaitMsMax = 30_000;
const nothing = {};

/** All routes, by `METHOD /path`. */
export const routes: Readonly<Record<string, Route>> = {
  "GET /v1/status": reads("view", {
    title: "The health of everything in the accepted intent (linkseal.status/1)",
    members: nothing,
    run: ({ reports, signal }) => reports.status.get(signal),
  }),
  "GET /v1/link": reads("view", {
    title: "Everything that is known about the link {name}, with steps (linkseal.link/1)",
    members: { name },
    run: ({ agent }, asked) => {
      const detail = linkDetail(agent, asked.name);
      if (detail === undefined) throw usage("there is no such link", "linkseal links");
      return detail;
    },
  }),
  "GET /v1/steps": reads("view", {
    title: "What to do about {code} where it is about {about}, with commands filled in",
    members: { code: name, about: name },
    run: ({ agent }, { code, about }) => ({ steps: stepsAbout(agent, code, about) }),
  }),
  "GET /v1/rotation": reads("view", {
    title: "The last campaign of each group, or of ?group=NAME (linkseal.campaign/1)",
    members: { group: maybe.name },
    run: ({ agent }, { group }) => campaigns(agent, group),
  }),
  "GET /v1/events": reads("view", {
    title:
      "Events after ?after=N, of which ?newest=N at most; waits up to ?waitMs=MS for the next " +
      "one (linkseal.event/1). `lost`: how many after N are not kept any more",
    waits: ({ waitMs = 0 }) => waitMs > 0,
    members: { after: maybe.whole, newest: maybe.whole, waitMs: maybe.whole },
    run: (call, { after = 0, newest, waitMs = 0 }) => events(call, { after, newest, waitMs }),
  }),
  "GET /v1/keys": reads("view", {
    title: "Accepted keys, by link, with versions and ages, and the keys in use (linkseal.keys/1)",
    waits: () => true,
    members: nothing,
    run: async ({ agent, now, signal }) => await keyReport(agent, now, signal),
  }),
  "GET /v1/psk": reads("view", {
    title: "Keys that tunnels share: versions in use and what comes (linkseal.psks/1)",
    members: nothing,
    run: ({ agent }) => ({
      schema: "linkseal.psks/1",
      psks: agent.supervisor?.tunnelChanges.psks() ?? [],
    }),
  }),
  "GET /v1/doctor": reads("view", {
    title: "Both ends, the vault and the way to them against every rule (linkseal.doctor/1)",
    waits: () => true,
    members: nothing,
    run: async ({ reports, signal }) => await reports.doctor.get(signal),
  }),
  "GET /v1/config": reads("view", {
    title: "The accepted intent: number, hash, who, when and text",
    members: nothing,
    run: ({ agent }) => {
      const { number, sha256, who, at, text: config } = intentOf(agent);
      return { number, sha256, who, at, text: config };
    },
  }),
  "GET /v1/config/history": reads("view", {
    title: "Every accepted config: number, hash, who and when",
    members: nothing,
    run: ({ agent }) => ({ history: agent.intents.history() }),
  }),
  "GET /v1/config/diff": reads("view", {
    title: "The difference from config ?number=N to the one in force",
    members: { number: whole },
    run: ({ agent }, { number }) => ({
      diff: agent.intents.diff(number, intentOf(agent).number),
    }),
  }),
  "GET /v1/report": reads("view", {
    title: "Signed evidence of ?from= to ?to=, days or moments in UTC (linkseal.report/1)",
    waits: () => true,
    members: { from: maybe.name, to: maybe.name },
    run: async ({ agent }, { from, to }) => await madeReport(agent, { from, to }),
  }),
  "GET /v1/report/key": reads("view", {
    title: "The public half of the key that signs reports (linkseal.reportKey/1)",
    members: nothing,
    run: ({ agent }) => {
      const { publicKey, keyId } = agent.evidence.signer;
      return { schema: "linkseal.reportKey/1", keyId, publicKey };
    },
  }),
  "GET /v1/scorecard": reads("view", {
    title: "Microsoft's Zero Trust recommendations, each with its evidence (linkseal.scorecard/1)",
    waits: () => true,
    members: nothing,
    run: async ({ reports, signal }) => await reports.scorecard.get(signal),
  }),
  "GET /v1/journal": reads("view", {
    title: "The journal: its state and its last records",
    members: nothing,
    run: ({ agent }) => ({
      state: agent.journalState,
      records: agent.journal.records().slice(-100),
    }),
  }),
  "POST /v1/page/code": reads("view", {
    title: "A code that opens the status page once, and where that is (linkseal.page-code/1)",
    members: nothing,
    run: ({ agent, client }) => {
      if (agent.pageLogin === undefined) throw noPage();
      return {
        schema: "linkseal.page-code/1",
        url: agent.pageLogin.url,
        ...agent.pageLogin.code(userOf(client)),
      };
    },
  }),
  "POST /v1/journal/accept-loss": changes({
    title: "Starts a new chain after a damaged journal; says what was dropped",
    members: nothing,
    about: () => "journal",
    run: async ({ agent, who }) => {
      await agent.journal.acceptLoss(who);
      return { state: agent.journalState };
    },
  }),
  "POST /v1/plan": reads("admin", {
    title:
      "What a config {text, file} changes of the one in force, and then at both ends, observed " +
      "anew (linkseal.plan/1)",
    members: { text: maybe.text, file: maybe.name },
    // A request without a text plans the intent in force again.
    run: async ({ agent, signal }, asked) =>
      await agent.plan(asked.text ?? intentOf(agent).text, asked.file ?? "config", signal),
  }),
  "POST /v1/config/compare": reads("admin", {
    title: "The settings in which a config {text, file} differs from the one in force",
    members: { text, file: name },
    run: ({ agent }, asked) => agent.compare(asked.text, asked.file),
  }),
  "POST /v1/azure/check": reads("admin", {
    title:
      "What Azure has of the rights and settings that a config {text, file} needs, asked with " +
      "the identity of that config (linkseal.azure-check/1)",
    members: { text: maybe.text, file: maybe.name },
    run: async ({ agent, now, signal }, asked) =>
      await azureCheck(
        agent,
        { text: asked.text ?? intentOf(agent).text, file: asked.file ?? "config" },
        now,
        signal,
      ),
  }),
  "POST /v1/apply": changes({
    title:
      "Makes {text, file, shown?, queue} the accepted intent; with a plan as `shown`, of which " +
      "the member `agreed` is enough, only if that is still the plan",
    members: { text, file: name, shown: anything, queue: flag },
    about: ({ file }) => file,
    outcome: applyOutcome,
    run: async ({ agent, who, signal }, asked) => {
      const { shown, ...rest } = asked;
      const plan = shown === undefined ? {} : { shown: shown as Pick<SitePlan, "agreed"> };
      return await agent.apply({ ...rest, who, ...plan }, signal);
    },
  }),
  "GET /v1/proposal": reads("view", {
    title: "The signed proposal of a hub, and what it waits for (linkseal.proposalState/1)",
    members: nothing,
    run: ({ agent }) => proposalReport(agent.proposals.state()),
  }),
  "POST /v1/proposal/apply": changes({
    title:
      "Makes the config of the proposal {sha256, shown?} the accepted intent, as POST /v1/apply " +
      "does, if it still counts",
    members: { sha256: name, shown: anything },
    about: ({ sha256 }) => `proposal ${sha256.slice(0, 16)}`,
    outcome: applyOutcome,
    run: async ({ agent, who, signal }, { sha256, shown }) => {
      const plan = shown === undefined ? {} : { shown: shown as Pick<SitePlan, "agreed"> };
      return await agent.proposals.apply({ sha256, who, ...plan }, signal);
    },
  }),
  "POST /v1/proposal/reject": changes({
    title: "The proposal {sha256} is never applied",
    members: { sha256: name },
    about: ({ sha256 }) => `proposal ${sha256.slice(0, 16)}`,
    run: async ({ agent, who }, { sha256 }) => {
      await agent.proposals.reject(sha256, who);
      return { rejected: sha256 };
    },
  }),
  "POST /v1/config/rollback": changes({
    title: "Accepts the text of config {number} again, as a new number, with present keys",
    members: { number: whole },
    about: ({ number }) => `config ${number}`,
    outcome: applyOutcome,
    run: async ({ agent, who, signal }, { number }) => {
      const config = agent.intents.text(number);
      if (config === undefined) throw missing("there is no config of that number");
      return await agent.apply({ text: config, file: "history", who, queue: false }, signal);
    },
  }),
  "POST /v1/enrol": changes({
    title: "Begins the enrolment of {target} (group or group/link) with accepted {risks}",
    members: { target: name, risks },
    about: ({ target }) => target,
    run: async ({ agent, who, signal }, { target, risks: accepted }) =>
      campaignReport(
        agent,
        await agent.commands.enrol(target, { by: who, risks: accepted }, signal),
      ),
  }),
  "POST /v1/adopt": changes({
    title:
      "Takes {target}, configured manually, into the intent, with {risks}; writes to no device",
    members: { target: name, risks: names },
    about: ({ target }) => target,
    run: async ({ agent, signal }, asked) => ({
      adopted: await agent.commands.adopt(asked.target, asked.risks, signal),
    }),
    outcome: ({ adopted }) => (adopted.length > 0 ? done : nothingToDo),
  }),
  "POST /v1/ends": reads("admin", {
    title:
      "The one next step at the ends of {link}, from both ends read anew; writes nothing " +
      "(linkseal.ends/1)",
    waits: () => true,
    members: { link: name },
    run: async ({ agent, signal }, { link }) =>
      endsReport(agent, link, await agent.commands.ends(link, signal)),
  }),
  "POST /v1/rotation/proceed": campaignVerb("proceed", "Says that the far end may be changed now"),
  "POST /v1/rotation/revert": campaignVerb("revert", "Takes a parked campaign back to the old key"),
  "POST /v1/rotation/resume": campaignVerb("resume", "Lets a stopped campaign go on"),
  "POST /v1/rotation/abandon": campaignVerb(
    "abandon",
    "Ends a campaign whose link is untouched or carries traffic",
  ),
  "POST /v1/rotate": changes({
    title:
      "Begins the rotation of {target} (group or group/link), with accepted {risks}, {urgency}",
    members: { target: name, risks, urgency },
    about: ({ target }) => target,
    run: async ({ agent, who, signal }, { target, ...asked }) =>
      campaignReport(agent, await agent.commands.rotate(target, { by: who, ...asked }, signal)),
  }),
  "POST /v1/rotate/plan": reads("admin", {
    title:
      "What the rotation of {target} would do, with {risks}, {urgency}; a note with a code " +
      "would keep it from beginning (linkseal.plan/1)",
    members: { target: name, risks, urgency },
    run: async ({ agent, who, signal }, { target, ...asked }) =>
      await agent.commands.previewRotation(target, { by: who, ...asked }, signal),
  }),
  "POST /v1/rotate/twin": reads("admin", {
    title: "What a rehearsal of {target} has to know about this site; no key (linkseal.twin/1)",
    members: { target: name },
    run: ({ agent }, { target }) => agent.commands.twin(target),
  }),
  "POST /v1/psk/proceed": changes({
    title: "The far end of {tunnel} has the newest key, or gets it: ours follows, by proof",
    members: { tunnel: name },
    about: ({ tunnel }) => tunnel,
    run: async ({ agent, who, signal }, { tunnel }) =>
      await agent.commands.proceedPsk(tunnel, who, signal),
  }),
  "POST /v1/drain": changes({
    title: "Moves the traffic of {link}, a link or tunnel, to its siblings until it is undrained",
    members: { link: name },
    about: ({ link }) => link,
    run: async ({ agent, who, signal }, { link }) => {
      await agent.commands.drain(link, who, signal);
      return { drained: link };
    },
  }),
  "POST /v1/undrain": changes({
    title: "Gives the traffic of {link} back; `changed` = it had been moved away",
    members: { link: name },
    about: ({ link }) => link,
    run: async ({ agent, signal }, { link }) => ({
      undrained: link,
      changed: (await agent.commands.undrain(link, signal)) === "given back",
    }),
    outcome: ({ changed }) => (changed ? done : nothingToDo),
  }),
  "POST /v1/retire/tunnel": changes({
    title:
      "Takes the tunnel {name}, which no config names any more, off its device and forgets it, " +
      "with {risks}; its prefixes stay blocked (linkseal.retire/1)",
    members: { name, risks },
    about: (asked) => asked.name,
    run: async ({ agent, signal }, asked) =>
      await agent.commands.retireTunnel(asked.name, asked.risks, signal),
  }),
  "POST /v1/retire": changes({
    title: "Forgets the link {name}; both ends stay as they are",
    members: { name },
    about: (asked) => asked.name,
    run: async ({ agent }, asked) => {
      await agent.commands.retireLink(asked.name);
      return { retired: asked.name };
    },
  }),
};

/** The outcome of a request for what is so already. */
const nothingToDo: Outcome = { effect: "none", text: "nothing to do" };

/** Returns the outcome of an `apply`, which may be answered without any change. */
function applyOutcome({ kind }: ApplyAnswer): Outcome {
  switch (kind) {
    case "accepted":
    case "queued":
      return { effect: "applied", text: kind };
    case "unchanged":
      return nothingToDo;
    case "refused":
    case "changed":
    case "busy":
      return { effect: "none", text: kind };
  }
}

function campaignVerb(verb: OperatorVerb, title: string): Route {
  return changes({
    title: `${title} ({group}, and {done} if the far end was changed already)`,
    members: { group: name, done: flag },
    about: ({ group }) => group,
    run: async ({ agent, who }, { group, done: farEndDone }) => {
      const asked = { verb, farEndDone };
      const { campaign, isNew } = await agent.commands.rotation(asked, group, who);
      return { report: campaignReport(agent, campaign), isNew };
    },
    outcome: ({ isNew }) => (isNew ? done : nothingToDo),
    reply: ({ report }) => report,
  });
}

interface AskedEvents {
  readonly after: number;
  readonly newest: number | undefined;
  readonly waitMs: number;
}

async function events(
  { agent: { events: ring }, sleep, signal }: Call,
  { after, newest, waitMs: waitAtMost }: AskedEvents,
): Promise<EventsAfter> {
  const waitMs = Math.min(waitAtMost, eventWaitMsMax);
  if (ring.after(after).events.length === 0 && waitMs > 0) {
    const arrived = new AbortController();
    const stop = ring.listen(() => arrived.abort());
    await sleep(waitMs, AbortSignal.any([arrived.signal, signal]))
      // The sleep rejects when an event arrived; both that and the end of the wait lead to a reply.
      .catch(() => undefined);
    stop();
  }
  const { events: found, lost } = ring.after(after);
  const skipped = newest === undefined ? 0 : Math.max(0, found.length - newest);
  return { events: found.slice(skipped), lost };
}

function campaigns(agent: Agent, group: string | undefined): unknown {
  const all = Object.values(agent.memory.campaigns);
  const wanted = group === undefined ? all : all.filter((campaign) => campaign.group === group);
  return { campaigns: wanted.map((campaign) => campaignReport(agent, campaign)) };
}

function intentOf(agent: Agent): Intent {
  const { intent, intentDamage } = agent;
  if (intent !== undefined) return intent;
  throw intentDamage ?? missing("no config has been accepted yet");
}

function missing(what: string): LinksealError {
  return usage(what, "linkseal apply FILE");
}

function noPage(): LinksealError {
  return new LinksealError("usage", "the status page is not served", {
    effect: "none",
    where: "serve.page",
    next: "set serve.page, linkseal apply FILE; if it is set, the log of the agent says why",
  });
}
