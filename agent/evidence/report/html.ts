// The report for paper: one HTML file without scripts or external resources, rendered from the
// signed document, which it also contains octet for octet.

import type { Answer, Report, Subject } from "./document.ts";
import { canonical, type SignedReport } from "./statement.ts";

const open = '<pre id="document">';
const close = "</pre>";

/** Extracts the document that such a file contains; undefined = it contains none. */
export function embeddedDocument(html: string): string | undefined {
  const start = html.indexOf(open);
  const end = html.indexOf(close, start);
  if (start === -1 || end === -1) return undefined;
  return html
    .slice(start + open.length, end)
    .replace(/&(lt|gt|quot|amp);/g, (_all, name: string) => characters[name] ?? "");
}

const characters: Readonly<Record<string, string>> = { lt: "<", gt: ">", quot: '"', amp: "&" };

/** Renders a signed report as an HTML file that can be printed and verified. */
export function htmlOf(signed: SignedReport): string {
  const { about, subjects, changes, breaks, chain, seal } = signed;
  const parts = [
    `<h1>Protection of ${safe(about.site)}</h1>`,
    `<p>From ${about.from} to ${about.to}, as recorded by host ${safe(about.host)}.</p>`,
    ...notes(signed),
    "<h2>Summary</h2>",
    tableOf(["link or tunnel", "protected", "not protected", "unknown"], subjects.map(summaryRow)),
    ...subjects.flatMap((subject) => subjectParts(subject, signed)),
    "<h2>Changes, and who asked</h2>",
    tableOf(
      ["record", "at", "what", "about", "who", "text"],
      changes.map(({ record, at, what, about: of, who, text }) => [
        ...[String(record), at, what, of, who ?? "-", text],
      ]),
    ),
    "<h2>The record itself</h2>",
    tableOf(
      ["at", "what", "text"],
      breaks.map(({ at, what, text }) => [at, what, text]),
    ),
    tableOf(["chain", "record", "hash"], chainRows(chain)),
    "<h2>Seal</h2>",
    `<pre>${safe(seal.statement)}signature ${safe(seal.signature)}</pre>`,
    "<h2>Document</h2>",
    "<p>What was signed, for <code>linkseal report verify</code>.</p>",
    `${open}${safe(canonical(signed))}${close}`,
  ];
  return `${head(signed)}${parts.join("\n")}\n</body>\n</html>\n`;
}

function safe(text: string): string {
  return text
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;");
}

function head({ about }: Report): string {
  const policy = "default-src 'none'; style-src 'unsafe-inline'";
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<title>linkseal report: ${safe(about.site)}, ${about.from} to ${about.to}</title>
<style>
@page { size: A4; margin: 15mm }
body { font: 10pt/1.4 sans-serif; max-width: 60em; margin: 0 auto; padding: 1em; color: #111 }
h1 { font-size: 16pt } h2 { font-size: 13pt; break-after: avoid } h3 { break-after: avoid }
table { border-collapse: collapse; width: 100%; margin: 0.5em 0 1em }
th, td { border-bottom: 1px solid #bbb; padding: 0.2em 0.5em; text-align: left; vertical-align: top;
  overflow-wrap: anywhere }
tr { break-inside: avoid } thead { display: table-header-group }
pre { white-space: pre-wrap; overflow-wrap: anywhere; font-size: 7pt }
svg { width: 100%; height: 18px; border: 1px solid #111 }
.protected { fill: #0072b2 } .notProtected { fill: #d55e00 } .unknown { fill: #fff }
@media print { svg { print-color-adjust: exact } }
</style>
</head>
<body>
`;
}

function chainRows({ before, first, last, heads = [] }: Report["chain"]): readonly string[][] {
  const ends = Object.entries({ before, first, last });
  return [
    ...ends.map(([name, end]) => [name, `${end?.seq ?? "-"}`, end?.hash ?? "-"]),
    ...heads.map(({ seq, at, hash }) => [`head of ${at}`, `${seq}`, hash]),
  ];
}

function notes({ about, subjects }: Report): readonly string[] {
  const list = [
    ...(about.recordedFrom === null
      ? []
      : [`The records begin at ${about.recordedFrom}: everything before it is unknown.`]),
    ...(about.end === "final"
      ? []
      : ["The end of the period was not confirmed yet when this was made."]),
    ...(subjects.length === 0 ? ["No link or tunnel was recorded in this period."] : []),
  ];
  return list.map((text) => `<p>${text}</p>`);
}

function tableOf(names: readonly string[], rows: readonly (readonly string[])[]): string {
  if (rows.length === 0) return "<p>None.</p>";
  const cells = (row: readonly string[], tag: "td" | "th"): string =>
    `<tr>${row.map((cell) => `<${tag}>${safe(cell)}</${tag}>`).join("")}</tr>`;
  const body = rows.map((row) => cells(row, "td")).join("\n");
  return `<table><thead>${cells(names, "th")}</thead><tbody>\n${body}\n</tbody></table>`;
}

function summaryRow({ name, totals }: Subject): readonly string[] {
  const cell = (answer: Answer): string =>
    `${totals[answer].percent} % (${spanOf(totals[answer].ms)})`;
  return [name, cell("protected"), cell("notProtected"), cell("unknown")];
}

/** A duration with milliseconds: `1 d 02:03:04.005`. */
export function spanOf(ms: number): string {
  const days = Math.floor(ms / 86_400_000);
  const rest = ms - days * 86_400_000;
  const two = (value: number): string => String(Math.floor(value)).padStart(2, "0");
  const clock = `${two(rest / 3_600_000)}:${two((rest / 60_000) % 60)}:${two((rest / 1000) % 60)}`;
  const fraction = String(rest % 1000).padStart(3, "0");
  return `${days === 0 ? "" : `${days} d `}${clock}.${fraction}`;
}

function subjectParts(subject: Subject, report: Report): readonly string[] {
  const { name, kind, intervals, keys } = subject;
  return [
    `<h2>${kind === "link" ? "Link" : "Tunnel"} ${safe(name)}</h2>`,
    barOf(subject, report),
    ...(keys.length === 0 ? [] : ["<h3>Protected with</h3>"]),
    ...(keys.length === 0
      ? []
      : [
          tableOf(
            ["suite", "CKN", "for"],
            keys.map(({ suite, ckn, ms }) => [suite ?? "-", ckn ?? "-", spanOf(ms)]),
          ),
        ]),
    tableOf(
      ["from", "to", "answer", "verdict", "suite", "CKN", "reasons"],
      intervals.map(({ from, to, answer, verdict, suite, ckn, reasons }) => [
        ...[from, to, answerText[answer], verdict, suite ?? "-", shortOf(ckn)],
        reasons.join(", "),
      ]),
    ),
  ];
}

const answerText: Readonly<Record<Answer, string>> = {
  protected: "protected",
  notProtected: "not protected",
  unknown: "unknown",
};

function shortOf(ckn: string | null): string {
  if (ckn === null) return "-";
  return ckn.length <= 12 ? ckn : `${ckn.slice(0, 8)}…${ckn.slice(-4)}`;
}

const width = 1_000_000;

/**
 * Full height = protected, half height = not protected, empty = unknown: readable without colour.
 */
function barOf({ intervals, name }: Subject, { about }: Report): string {
  const [start, end] = [Date.parse(about.from), Date.parse(about.to)];
  const place = (at: string): number =>
    Math.round(((Date.parse(at) - start) / (end - start)) * width);
  const boxes = intervals.map(({ from, to, answer }) => {
    const [x, w] = [place(from), place(to) - place(from)];
    const size = answer === "notProtected" ? 'y="9" height="9"' : 'y="0" height="18"';
    return `<rect class="${answer}" x="${x}" ${size} width="${w}"/>`;
  });
  const label = `When ${safe(name)} was protected: full yes, half height no, empty unknown`;
  const box = `viewBox="0 0 ${width} 18" preserveAspectRatio="none"`;
  return `<svg role="img" aria-label="${label}" ${box}>${boxes.join("")}</svg>`;
}
