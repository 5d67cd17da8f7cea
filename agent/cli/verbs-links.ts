// The verbs status, links and tunnels: the health of everything.

import type { Command } from "commander";
import { keysText } from "../model/ckn-text.ts";
import { readable } from "../model/text.ts";
import type { Status } from "../runtime/health/status.ts";
import { usage } from "./failure.ts";
import { paintFor } from "./paint.ts";
import { type Common, Session } from "./session.ts";
import { exit, verb } from "./shape.ts";
import { showStatus, verdictExit } from "./status.ts";
import {
  ageText,
  azureLines,
  backupLines,
  bgpText,
  reasonLines,
  saLines,
  shareText,
  statusText,
} from "./status-text.ts";
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
      .description("every link, or those of a group, with keys and counters"),
    "linkseal links erd-dub/primary",
  ).action(links);
  verb(
    program.command("tunnels [name]").description("every tunnel, or one"),
    "linkseal tunnels hub-1",
  ).action(tunnels);
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
    process.stdout.write(`${clear}${statusText(seen, paint)}\n`);
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
  const result = { schema: "linkseal.links/1", at, links: wanted };
  await session.show(result, (shown) => linksText(shown.links, shown.at, session));
  exit(everyProtected(wanted));
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
    const lines = [...reasonLines(row.reasons, paint, "  "), ...azureLines(row, at)];
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
  await session.show({ schema: "linkseal.tunnels/1", at, tunnels: wanted }, async (shown) => {
    const cells = shown.tunnels.map(({ name: tunnel, verdict, azure, ...inside }) => {
      const word = azure === null ? "-" : `${azure.connection}, ${ageText(azure.ageMs)}`;
      return [tunnel, paint.verdict(verdict), bgpText(inside), shareText(inside), word];
    });
    const why = shown.tunnels.flatMap(({ name: about, reasons, ...inside }) => {
      const facts = [...saLines(inside), ...backupLines(inside, shown.at)];
      const lines = [...facts.map((line) => `  ${line}`), ...reasonLines(reasons, paint, "  ")];
      return lines.length === 0 ? [] : [about, ...lines];
    });
    const head = ["tunnel", "verdict", "BGP inside", "share", "gateway reports"];
    return [await table(head, cells, outKind()), ...why].join("\n");
  });
  exit(everyProtected(wanted));
}

// An empty list proves no protection, so it counts as unknown.
function everyProtected(parts: readonly { readonly verdict: Status["verdict"] }[]): 0 | 4 {
  const bad = parts.find(({ verdict }) => verdict !== "protected");
  return verdictExit(parts.length === 0 ? "unknown" : (bad?.verdict ?? "protected"));
}

function unknownName(what: string, name: string): Error {
  return usage(`the accepted intent names no ${what} ${JSON.stringify(name)}`, "linkseal status");
}
