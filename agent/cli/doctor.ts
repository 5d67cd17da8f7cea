// Finds what is wrong on this host, with the agent and at the site; it asks and changes nothing.

import { existsSync, statSync } from "node:fs";
import { LinksealError } from "#hal/error.ts";
import { explain } from "../explain/explain.ts";
import { hasCommands } from "../explain/steps.ts";
import { findSocket, type SocketRole } from "../host/places.ts";
import type { Finding } from "../model/finding.ts";
import { severityOf } from "../model/severity.ts";
import type { DoctorReport } from "../operate/doctor/report.ts";
import type { Status } from "../runtime/health/status.ts";
import type { Intent } from "../store/intent/intent.ts";
import { defaultConfig, readConfig } from "./config-file.ts";
import type { VaultOptions } from "./credential-option.ts";
import type { Session } from "./session.ts";

type Part = Pick<Finding, "code" | "about" | "here" | "next"> & Partial<Pick<Finding, "there">>;

function finding({ code, about, here, next, there }: Part): Finding {
  const found = explain(code);
  return {
    code,
    severity: severityOf(code),
    about,
    here,
    there: there ?? null,
    rule: found.kind === "known" ? found.explanation.title : code,
    source: `linkseal explain ${code}`,
    next,
  };
}

/**
 * Returns the findings about this host, which need no agent; `elsewhere` = it serves the agent of
 * another host, and has none to ask.
 */
export async function hostChecks(
  socket: string | undefined,
): Promise<{ readonly findings: readonly Finding[]; readonly agent: "here" | "elsewhere" }> {
  const { hostFacts } = await import("../host/host-facts.ts");
  const { hostFindings, servesAnother } = await import("../operate/doctor/host-rules.ts");
  const facts = await hostFacts();
  const agent = servesAnother(facts.units ?? []) ? "elsewhere" : "here";
  return { agent, findings: [...hostFindings(facts), ...socketChecks(socket)] };
}

/**
 * Reports sockets that other users may open: a user who may open one may use it, so only owner and
 * group may.
 */
function socketChecks(flag: string | undefined): readonly Finding[] {
  const paths = (["view", "admin"] as const).flatMap((role) => socketsOf(role, flag));
  return [...new Set(paths)].flatMap((path) => {
    const mode = statSync(path, { throwIfNoEntry: false })?.mode ?? 0;
    if ((mode & 0o006) === 0) return [];
    const here = `everybody on this host may open ${path} (mode ${(mode & 0o777).toString(8)})`;
    const next = `chmod o= ${path}, and find out who opened it`;
    return [finding({ code: "socket-open", about: "host", here, next })];
  });
}

function socketsOf(role: SocketRole, flag: string | undefined): readonly string[] {
  try {
    const search = findSocket(role, flag);
    return search.kind === "found" ? search.paths : [];
  } catch {
    // A folder that this user may not enter: the question to the agent fails and reports it.
    return [];
  }
}

/**
 * Returns the findings that the agent reports; an agent that does not answer becomes a finding too.
 */
export async function doctor(session: Session): Promise<readonly Finding[]> {
  try {
    const status = await session.view<Status>("/v1/status");
    const { findings } = await session.view<DoctorReport>("/v1/doctor");
    return [
      ...(await journalFindings(session)),
      ...(await configFindings(session, status)),
      ...findings,
      ...statusFindings(status).filter((candidate) => !isReported(candidate, findings)),
    ];
  } catch (error) {
    if (!(error instanceof LinksealError)) throw error;
    const { code, where, message, next } = error;
    return [finding({ code, about: where, here: message, next })];
  }
}

/**
 * Checks the vault with the operator's own identity, which also works without an agent; empty if
 * the operator named no identity and no file.
 */
export async function vaultFindings(
  session: Session,
  options: VaultOptions,
): Promise<readonly Finding[]> {
  if (options.credential === undefined && options.file === undefined) return [];
  const { checkVault } = await import("./keys-open.ts");
  const { checks } = await checkVault(session, options);
  return checks.flatMap(({ link, finding: found }) => {
    if (found === undefined) return [];
    const { code, text, next } = found;
    const about = `${link.group}/${link.name}`;
    return [finding({ code, about, here: `as you see it: ${text}`, next })];
  });
}

async function journalFindings(session: Session): Promise<readonly Finding[]> {
  const { state } = await session.view<{ readonly state: string }>("/v1/journal");
  // A tail that a crash tore off is no loss: its effect was never begun.
  if (state !== "corrupt") return [];
  const next = "linkseal journal accept-loss";
  return [
    finding({ code: "journal-lossy", about: "journal", here: "the journal is corrupt", next }),
  ];
}

async function configFindings(session: Session, status: Status): Promise<readonly Finding[]> {
  const file = defaultConfig();
  if (!existsSync(file)) return [];
  const { text } = await readConfig(file);
  const intent =
    status.site === null ? undefined : await session.view<Omit<Intent, "desired">>("/v1/config");
  if (text === intent?.text) return [];
  const there = intent === undefined ? "no config is in force" : `config ${intent.number} differs`;
  const [code, next] = ["config-not-applied", `linkseal plan ${file}`];
  return [finding({ code, about: file, here: "the file", there, next })];
}

/**
 * True if a doctor rule reports the same with both sides and a source, as it does for every warning
 * of drift.
 */
function isReported(candidate: Finding, findings: readonly Finding[]): boolean {
  return findings.some(
    ({ code, about }) =>
      about === candidate.about && (code === candidate.code || candidate.code === "drift"),
  );
}

/**
 * Returns every reason of every verdict, and every warning that applies now and says something
 * else.
 */
export function statusFindings(status: Status): readonly Finding[] {
  const links = status.groups.flatMap(({ name: group, links: own }) =>
    own.map(({ name, reasons }) => ({ about: `${group}/${name}`, reasons })),
  );
  const tunnels = status.tunnels.map(({ name, reasons }) => ({ about: name, reasons }));
  const site = { about: status.site ?? "site", reasons: status.reasons };
  // What no round trip can show stands in the status; it is a limit and nothing that is wrong.
  const isWrong = (code: string): boolean => code !== "arrival-not-visible";
  const reasons = [site, ...links, ...tunnels].flatMap(({ about, reasons: own }) =>
    own
      .filter(({ code, because }) => code !== because?.code && isWrong(code))
      .map(({ code, text, next }) => finding({ code, about, here: text, next })),
  );
  // The status keeps an outage listed for a while after its end, but the doctor reports what is
  // wrong now.
  const warnings = status.warnings
    .filter(({ absentSince }) => absentSince === null)
    .filter((one) => !reasons.some(({ code, about }) => code === one.code && about === one.about))
    .map(({ code, about, text, next }) => finding({ code, about, here: text, next }));
  return [...reasons, ...warnings];
}

/** Returns findings as text; they must be readable (without control characters) already. */
export function findingsText(findings: readonly Finding[]): string {
  if (findings.length === 0) return "Nothing is wrong.";
  return findings.map(findingLines).join("\n");
}

function findingLines(found: Finding): string {
  const { code, severity, about, here, there, rule, source, next } = found;
  return [
    `${severity}: ${about} (${code})`,
    `  here:  ${here}`,
    ...(there === null ? [] : [`  there: ${there}`]),
    `  rule:  ${rule} (${source})`,
    `  next:  ${next}`,
    ...stepsLine(code, about, next),
  ].join("\n");
}

/** The steps have the commands for the router and for Azure, which do not fit into one line. */
function stepsLine(code: string, about: string, next: string): readonly string[] {
  const command = `linkseal explain ${code} ${about}`;
  const printed = [command, `linkseal links ${about}`, `linkseal tunnels ${about}`];
  return hasCommands(code) && !printed.includes(next) ? [`  steps: ${command}`] : [];
}
