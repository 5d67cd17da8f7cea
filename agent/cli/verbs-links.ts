// The verbs status, links and tunnels: the health of everything.

import type { Command } from "commander";
import type { EndsReport, LinkDetail } from "../api/link-detail.ts";
import { blockLines, type FilledStep, stepLines } from "../explain/steps.ts";
import { keysText } from "../model/ckn-text.ts";
import { severityOf } from "../model/severity.ts";
import { readable } from "../model/text.ts";
import type { Status } from "../runtime/health/status.ts";
import { usage } from "./failure.ts";
import { fitted, terminalColumns } from "./fit.ts";
import { linkText } from "./link-text.ts";
import { paintFor } from "./paint.ts";
import { type Common, Session } from "./session.ts";
import { exit, verb } from "./shape.ts";
import { showStatus, verdictExit } from "./status.ts";
import {
  ageText,
  azureLines,
  backupLines,
  bgpText,
  confidentialityLines,
  laterSakLines,
  reasonLines,
  saLines,
  shareText,
  statusText,
} from "./status-text.ts";
import { stepsAbout } from "./steps.ts";
import { outKind, table } from "./table.ts";

export function registerLinks(program: Command): void {
  verb(
    program
      .command("status")
      .description("the health of everything, and why; exit status 4 if not all is protected")
      .option("--watch", "show it again and again, until interrupted")
      .option("--check", "one line, for monitoring"),
    "linkseal status --watch",
  ).action(status);
  verb(
    program
      .command("links [name]")
      .description(
        "every link, or those of a group; of one link everything: both ends, counters, what to do",
      ),
    "linkseal links erd-dub/primary",
  ).action(links);
  verb(
    program
      .command("ends <link>")
      .description(
        "read both ends of a link anew and print the one write that makes them fit, or why none " +
          "is safe; writes nothing",
      ),
    "linkseal ends erd-dub/primary",
  ).action(ends);
  verb(
    program.command("tunnels [name]").description("every tunnel, or one"),
    "linkseal tunnels hub-1",
  ).action(tunnels);
}

async function ends(link: string, options: Common): Promise<void> {
  const session = new Session(options);
  const report = await session.admin<EndsReport>("/v1/ends", { link });
  await session.show(report, ({ id, write, text, commands, next }) =>
    [
      `${id}: ${text}`,
      ...(write === null ? [] : ["Run this now, and not later: what both ends show may change."]),
      ...commands.flatMap((one) => blockLines(one, "  ")),
      ...(next === null ? [] : [`next: ${next}`]),
    ].join("\n"),
  );
}

interface StatusOptions extends Common {
  readonly watch?: true;
  readonly check?: true;
}

async function status(options: StatusOptions): Promise<void> {
  const { socket } = options;
  const [json, check] = [options.json === true, options.check === true];
  if (options.watch !== true) return exit(await showStatus({ json, check, socket }));
  if (json || check) throw usage("--watch is for people", "linkseal status --json");
  await watch(new Session(options));
}

const redrawMs = 1_000;
const clearScreen = "\u001b[H\u001b[2J";

/** Shows the status again and again until Ctrl-C ends the process. */
async function watch(session: Session): Promise<never> {
  const paint = paintFor(process.stdout);
  const clear = process.stdout.isTTY ? clearScreen : "";
  for (;;) {
    const seen = readable(await session.view<Status>("/v1/status"));
    process.stdout.write(`${clear}${fitted(statusText(seen, paint), terminalColumns())}\n`);
    await new Promise((resolve) => setTimeout(resolve, redrawMs));
  }
}

type LinkRow = Status["groups"][number]["links"][number] & { readonly group: string };

async function links(name: string | undefined, options: Common): Promise<void> {
  const session = new Session(options);
  const { groups, at } = await session.view<Status>("/v1/status");
  const all = groups.flatMap(({ name: group, links: own }) =>
    own.map((link): LinkRow => ({ group, ...link })),
  );
  const isWanted = (link: LinkRow): boolean =>
    [undefined, link.group, link.name, `${link.group}/${link.name}`].includes(name);
  const wanted = all.filter(isWanted);
  if (name !== undefined && wanted.length === 0) throw unknownName("link or group", name);
  const detail = await detailOf(session, name, wanted);
  // The detail was read later: a list from before it could contradict it.
  const shown = detail === null ? wanted : wanted.map(({ group }) => ({ group, ...detail.status }));
  const result = { schema: "linkseal.links/1", at, links: shown, detail };
  await session.show(result, (one) =>
    one.detail === null
      ? linksText(one.links, one.at, session)
      : linkText(one.detail, one.at, session.paint),
  );
  exit(everyProtected(shown));
}

/** The detail belongs to one link that is named; null = a group or all links are asked for. */
async function detailOf(
  session: Session,
  name: string | undefined,
  [link, ...more]: readonly LinkRow[],
): Promise<LinkDetail | null> {
  if (link === undefined || more.length > 0 || name === undefined || name === link.group) {
    return null;
  }
  const id = `${link.group}/${link.name}`;
  return await session.view<LinkDetail>(`/v1/link?name=${encodeURIComponent(id)}`);
}

async function linksText(
  rows: readonly LinkRow[],
  at: string,
  { paint }: Session,
): Promise<string> {
  const head = [
    "link",
    "verdict",
    "port",
    "suite",
    "key",
    "days",
    "router",
    "rx ok",
    "tx protected",
  ];
  const cells = rows.map((row) => [
    `${row.group}/${row.name}`,
    paint.verdict(row.verdict),
    `${row.device} ${row.port}`,
    row.suite ?? "-",
    keysText(row) ?? "-",
    row.keyAgeDays === null ? "-" : String(row.keyAgeDays),
    ageText(row.ages.controlPlaneMs),
    row.frames?.rxOk ?? "-",
    row.frames?.txProtected ?? "-",
  ]);
  const why = rows.flatMap((row) => {
    const lines = [
      ...reasonLines(row.reasons, paint, "  "),
      ...confidentialityLines(row),
      ...laterSakLines(row),
      ...azureLines(row, at),
    ];
    return lines.length === 0 ? [] : [`${row.group}/${row.name}`, ...lines];
  });
  return [await table(head, cells, outKind()), ...why].join("\n");
}

async function tunnels(name: string | undefined, options: Common): Promise<void> {
  const session = new Session(options);
  const { tunnels: all, at } = await session.view<Status>("/v1/status");
  const wanted = all.filter((tunnel) => name === undefined || tunnel.name === name);
  if (name !== undefined && wanted.length === 0) throw unknownName("tunnel", name);
  const { paint } = session;
  const steps = name === undefined ? [] : await tunnelSteps(session, wanted);
  const result = { schema: "linkseal.tunnels/1", at, tunnels: wanted, steps };
  await session.show(result, async (shown) => {
    const cells = shown.tunnels.map(({ name: tunnel, verdict, azure, ...inside }) => {
      const word = azure === null ? "-" : gatewayText(azure);
      return [tunnel, paint.verdict(verdict), bgpText(inside), shareText(inside), word];
    });
    const why = shown.tunnels.flatMap(({ name: about, reasons, ...inside }) => {
      const facts = [...saLines(inside), ...backupLines(inside, shown.at)];
      const lines = facts.map((line) => `  ${line}`);
      if (shown.steps.length === 0) lines.push(...reasonLines(reasons, paint, "  "));
      return lines.length === 0 ? [] : [about, ...lines];
    });
    const head = ["tunnel", "verdict", "BGP inside", "share", "gateway reports"];
    const todo = shown.steps.flatMap(({ code, text, steps: own }) => [
      `${severityOf(code)}: ${text} ${paint.faint(`(${code})`)}`,
      ...stepLines(own, "  "),
    ]);
    return [await table(head, cells, outKind()), ...why, ...todo].join("\n");
  });
  exit(everyProtected(wanted));
}

/** Names the tunnel's own status where it differs from that of the connection. */
function gatewayText({
  connection,
  instance,
  ageMs,
}: NonNullable<Status["tunnels"][number]["azure"]>): string {
  const own = instance === null || instance === connection ? "" : `, ${instance} at this instance`;
  return `${connection}${own}, ${ageText(ageMs)}`;
}

interface ReasonSteps {
  readonly code: string;
  readonly text: string;
  readonly steps: readonly FilledStep[];
}

/** Returns what to do about each reason of a tunnel that is named. */
async function tunnelSteps(
  session: Session,
  [tunnel]: readonly Status["tunnels"][number][],
): Promise<readonly ReasonSteps[]> {
  if (tunnel === undefined) return [];
  const found: ReasonSteps[] = [];
  for (const { code, text } of tunnel.reasons) {
    found.push({ code, text, steps: await stepsAbout(session, code, tunnel.name) });
  }
  return found;
}

// An empty list proves no protection, so it counts as unknown.
function everyProtected(parts: readonly { readonly verdict: Status["verdict"] }[]): 0 | 4 {
  const bad = parts.find(({ verdict }) => verdict !== "protected");
  return verdictExit(parts.length === 0 ? "unknown" : (bad?.verdict ?? "protected"));
}

function unknownName(what: string, name: string): Error {
  return usage(`the accepted intent names no ${what} ${JSON.stringify(name)}`, "linkseal status");
}
