// The verbs of a proposal: what a hub has brought for this site, applied or rejected by a person.

import type { Command } from "commander";
import { LinksealError } from "#hal/error.ts";
import type { ProposalReport, ProposalShape } from "../api/proposal-report.ts";
import type { SitePlan } from "../compare/site-plan.ts";
import { readable } from "../model/text.ts";
import type { ApplyAnswer } from "../runtime/agent-shapes.ts";
import { invalidConfig } from "./config-file.ts";
import { usage } from "./failure.ts";
import { sitePlanText } from "./plan-text.ts";
import { lastEvent } from "./progress.ts";
import { declined, refuseWithoutTerminal, saysYes } from "./question.ts";
import { type Common, Session } from "./session.ts";
import { exit, verb } from "./shape.ts";
import { type ApplyOptions, agreeToPlan, applyOptions, conclude, planOf } from "./verbs-config.ts";

const reject = "linkseal proposal reject";

export function registerProposal(program: Command): void {
  const proposal = program
    .command("proposal")
    .description("a config that a signer of this site has signed, and a hub has brought");
  verb(
    proposal
      .command("show")
      .description(
        "who signed it, what it waits for, and its plan; exit status 3 if one waits to be applied",
      ),
    "linkseal proposal show",
  ).action(show);
  verb(
    applyOptions(
      proposal.command("apply").description("make it the accepted intent, after showing its plan"),
    ),
    "linkseal proposal apply",
  ).action(apply);
  verb(
    proposal
      .command("reject")
      .description("never apply it; the same config can be proposed anew")
      .option("--yes", "do not ask"),
    reject,
  ).action(rejectIt);
}

async function show(options: Common): Promise<void> {
  const session = new Session(options);
  const report = await session.view<ProposalReport>("/v1/proposal");
  const plan = report.state === "waiting" ? await planIn(session, report.proposal) : null;
  await session.show({ ...report, plan }, shownText);
  exit(report.state === "waiting" ? 3 : 0);
}

/** Only the admin socket plans: without it the proposal is shown alone. */
async function planIn(session: Session, proposal: ProposalShape | null): Promise<SitePlan | null> {
  if (proposal === null) return null;
  try {
    return await planOf(session, fileOf(proposal));
  } catch (error) {
    if (error instanceof LinksealError && error.code.startsWith("agent.")) return null;
    throw error;
  }
}

const fileOf = ({ config }: ProposalShape) => ({ file: "proposal", text: config });

function shownText(report: ProposalReport & { readonly plan: SitePlan | null }): string {
  const { proposal, plan, why } = report;
  if (proposal === null) return `No proposal waits${why === null ? "" : `: ${why}`}.`;
  const { signer, basedOn, notAfter, sha256 } = proposal;
  return [
    `proposal   ${sha256}`,
    `signed by  ${signer.name} (${signer.fingerprint})`,
    `based on   config ${basedOn.number}`,
    `until      ${notAfter}`,
    `state      ${why ?? "it is applied soon"}`,
    ...(plan === null ? [] : ["", sitePlanText(plan)]),
  ].join("\n");
}

async function waiting(session: Session): Promise<ProposalShape> {
  const { state, proposal, why } = await session.view<ProposalReport>("/v1/proposal");
  if (state === "waiting" && proposal !== null) return proposal;
  throw usage(`no proposal waits${why === null ? "" : `: ${why}`}`, "linkseal proposal show");
}

async function apply(options: ApplyOptions): Promise<void> {
  const session = new Session(options);
  if (options.yes !== true) refuseWithoutTerminal("linkseal proposal apply --yes");
  const proposal = await waiting(session);
  const { sha256 } = proposal;
  const after = await lastEvent(session);
  const push = (agreed: unknown): Promise<ApplyAnswer> => {
    const shown = agreed === undefined ? {} : { shown: { agreed } };
    return session.admin<ApplyAnswer>("/v1/proposal/apply", { sha256, ...shown });
  };
  session.note(`Signed by ${signerText(proposal)}.\n`);
  const answer =
    options.yes === true
      ? await push(undefined)
      : await agreeToPlan(session, fileOf(proposal), push);
  if (answer === undefined) return declined();
  if (answer.kind === "refused") throw invalidConfig(answer.complaints, "proposal", reject);
  if (answer.kind === "busy") {
    const text = `a campaign runs on ${answer.groups.join(", ")}`;
    const next = "linkseal rotation show, then linkseal proposal apply";
    throw new LinksealError("gate.busy", text, { effect: "none", where: "proposal", next });
  }
  await conclude(session, answer, "proposal", options, after);
}

const signerText = ({ signer }: ProposalShape): string =>
  `${readable(signer).name} (${readable(signer).fingerprint})`;

async function rejectIt(options: ApplyOptions): Promise<void> {
  const session = new Session(options);
  if (options.yes !== true) refuseWithoutTerminal(`${reject} --yes`);
  const proposal = await waiting(session);
  if (options.yes !== true) {
    const question = `Reject what ${signerText(proposal)} proposes?`;
    if (!(await saysYes(question))) return declined();
  }
  const { sha256 } = proposal;
  await session.admin("/v1/proposal/reject", { sha256 });
  await session.show({ schema: "linkseal.proposalRejected/1", sha256 }, () => "Rejected.");
}
