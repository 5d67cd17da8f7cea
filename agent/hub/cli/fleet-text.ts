// All sites of an engine as text: what is wrong first, then what is silent; what is protected is
// counted. All input must be readable text (without control characters).

import type { Paint } from "../../cli/paint.ts";
import { shortCkn } from "../../model/ckn-text.ts";
import { columns, listed } from "../../model/text.ts";
import {
  type FleetView,
  freezeText,
  isOdd,
  noteText,
  progressText,
  type SiteRow,
  voiceText,
  type WaveRow,
} from "../fleet-shape.ts";

/** Returns the whole report. */
export function fleetText(view: FleetView, paint: Paint): string {
  const { at, sites, waves, freezes, all } = view;
  const lines = [`${headLine(view, paint)}  ${paint.faint(at)}`];
  if (freezes.length > 0) lines.push("", ...freezes.map((row) => paint.bad(freezeText(row))));
  const listedSites = sites.filter(isOdd);
  if (listedSites.length > 0) lines.push("", ...siteLines(listedSites, paint));
  if (sites.length < all) lines.push("", `and ${all - sites.length} more sites`);
  if (waves.length > 0) lines.push("", paint.strong("waves"));
  lines.push(...columns(waves.map(waveCells)).map((line) => `  ${line}`));
  return lines.join("\n");
}

/** Returns one line, such as `fleet: down: cork down, ams silent`. */
export function fleetLine(view: FleetView, paint: Paint): string {
  const odd = view.sites.filter(({ verdict }) => verdict !== "protected");
  const names = odd.map(({ site, verdict, voice }) => {
    return `${site} ${voice === "told" ? verdict : voice}`;
  });
  const why = names.length > 0 ? `: ${listed(names)}` : view.all === 0 ? ": no site" : "";
  return `${paint.strong("fleet")}: ${paint.verdict(view.verdict)}${why}`;
}

/** Returns everything that is known of one site. */
export function siteText(row: SiteRow, paint: Paint): string {
  const [line = ""] = columns([cellsOf(row, paint)]);
  const lines = [line, ...wrongLines(row, paint)];
  const { told, head } = row;
  if (told === null) return lines.join("\n");
  const counts = Object.entries(told.verdicts).map(([verdict, count]) => `${count} ${verdict}`);
  const newest = head === null ? "none" : `record ${head.seq} of ${head.at}`;
  const { newest: last, published, lost } = told.audit;
  const rest = [
    ["links and tunnels", counts.join(", ")],
    ["said at", `${told.at} by its clock, version ${told.version}`],
    ["audit log", `record ${last}; the engine has ${published}${lostText(lost)}`],
    ["newest head", newest],
    ...told.campaigns.first.map(({ group, kind, state, since }) => {
      return ["campaign", `${kind} of ${group}: ${state} since ${since}`];
    }),
    ...told.warnings.first.map(({ code, about, severity }) => {
      return ["warning", `${severity}: ${about}: ${code}`];
    }),
    ...told.keys.first.map(({ about, ckn, ageDays }) => {
      return ["key", `${about}: ${shortCkn(ckn)} (${ageDays} d)`];
    }),
  ];
  return [...lines, ...columns(rest).map((text) => `  ${text}`)].join("\n");
}

const lostText = (lost: number): string => (lost === 0 ? "" : `, and ${lost} were overwritten`);

function headLine({ verdict, verdicts, silent, all }: FleetView, paint: Paint): string {
  const unknown = verdicts.unknown - silent;
  const counts = [
    ...(["unprotected", "down"] as const).map((each) => [each, verdicts[each]] as const),
    ...([
      ["unknown", unknown],
      ["degraded", verdicts.degraded],
      ["silent", silent],
    ] as const),
    ["protected", verdicts.protected] as const,
  ].filter(([, count]) => count > 0);
  const sites = `${all} ${all === 1 ? "site" : "sites"}`;
  const text = counts.map(([name, count]) => `${count} ${name}`).join(", ");
  return `${paint.strong("fleet")}: ${paint.verdict(verdict)}  ${[sites, text].join(": ")}`;
}

function siteLines(rows: readonly SiteRow[], paint: Paint): readonly string[] {
  const heads = columns(rows.map((row) => cellsOf(row, paint)));
  return rows.flatMap((row, index) => [heads[index] ?? "", ...wrongLines(row, paint)]);
}

function cellsOf(row: SiteRow, paint: Paint): string[] {
  const { site, verdict, told } = row;
  const [oldest] = told?.keys.first ?? [];
  return [
    paint.strong(site),
    paint.verdict(verdict),
    told?.config == null ? "no config" : configText(told.config),
    oldest === undefined ? "no key" : `oldest key ${oldest.ageDays} d`,
    voiceText(row),
  ];
}

const configText = ({ number, sha256 }: { readonly number: number; readonly sha256: string }) =>
  `config ${number} ${sha256.slice(0, 8)}`;

function wrongLines({ told, voice, notes }: SiteRow, paint: Paint): readonly string[] {
  const lines = notes.map((note) => `  ${noteText(note)}`);
  // What was wrong before a silence may be over, or worse.
  if (told === null || voice !== "told") return lines;
  const { all, first } = told.wrong;
  const rows = columns(
    first.map(({ about, verdict, codes }) => [about, paint.verdict(verdict), codes.join(" ")]),
  );
  lines.push(...rows.map((row) => `  ${row}`));
  if (all > first.length) lines.push(`  and ${all - first.length} more`);
  return lines;
}

function waveCells(wave: WaveRow): string[] {
  const { name, kind, state, why, stage, stages } = wave;
  if (state === null) return [name, "its record cannot be read"];
  const words = why === null ? state : `${state}: ${why}`;
  return [name, kind ?? "", `stage ${stage} of ${stages}`, progressText(wave), words];
}
