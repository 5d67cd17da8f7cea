// The report for paper: one HTML file without scripts or external resources, rendered from the
// signed document, which it also contains octet for octet.

import { barOf, legend } from "./bar.ts";
import type { Answer, Report, Subject } from "./document.ts";
import { interruptionsOf, type KeyUse, keyUses, outagesOf } from "./outages.ts";
import { canonical, type SignedReport } from "./statement.ts";
import { type Column, safe, tableOf } from "./table.ts";

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
  const { about, subjects, changes, chain, seal } = signed;
  const uses = keyUses(signed);
  const parts = [
    `<h1>Protection of ${safe(about.site)}</h1>`,
    `<p>From ${timeOf(about.from)} to ${timeOf(about.to)} UTC, as recorded by host ` +
      `${safe(about.host)}. All times are UTC.</p>`,
    ...notes(signed),
    "<h2>Summary</h2>",
    tableOf(
      summaryColumns,
      subjects.map((subject) => summaryRow(subject, signed)),
    ),
    "<p>Planned: while a campaign worked on the link, or an operator had drained it, by the " +
      "changes of the period. Traffic in the clear is never planned.</p>",
    "<h2>Key age and rotation</h2>",
    tableOf(
      keyColumns,
      uses.map((use) => keyRow(use)),
    ),
    ...(subjects.length === 0 ? [] : ["<h2>Over time</h2>", legend]),
    ...subjects.flatMap((subject) => subjectParts(subject, signed)),
    "<h2>Changes, and who asked</h2>",
    tableOf(
      changeColumns,
      changes.map(({ record, at, what, about: of, who, text }) => [
        ...[String(record), timeOf(at), what, of, who ?? "-", text],
      ]),
    ),
    "<h2>The record itself</h2>",
    "<p>Interruptions of the record: the agent began or ended, observed nothing, or lost records." +
      "</p>",
    tableOf(
      [
        ["at", "time"],
        ["what", "word"],
        ["text", "text"],
      ],
      interruptionsOf(signed).map(({ at, what, text }) => [timeOf(at), what, text]),
    ),
    tableOf([["chain"], ["record", "word"], ["hash", "hash"]], chainRows(chain)),
    "<h2>Seal</h2>",
    `<pre>${safe(seal.statement)}signature ${safe(seal.signature)}</pre>`,
    "<h2>Document</h2>",
    "<p>What was signed, for <code>linkseal report verify</code>.</p>",
    `${open}${safe(canonical(signed))}${close}`,
  ];
  return `${head(signed)}${parts.join("\n")}\n</body>\n</html>\n`;
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
@page { size: A4; margin: 14mm }
body { font: 9.5pt/1.4 sans-serif; max-width: 68em; margin: 0 auto; padding: 1em; color: #111;
  background: #fff }
h1 { font-size: 16pt } h2 { font-size: 13pt; margin-top: 1.6em } h3 { font-size: 11pt }
h1, h2, h3 { break-after: avoid } h2 + p { break-after: avoid }
table { border-collapse: collapse; width: 100%; margin: 0.5em 0 1em; font-size: 8.5pt;
  font-variant-numeric: tabular-nums }
th, td { border-bottom: 1px solid #bbb; padding: 0.2em 0.5em 0.2em 0; text-align: left;
  vertical-align: top; overflow-wrap: break-word }
th, .time, .word { white-space: nowrap }
.text { overflow-wrap: anywhere; min-width: 9em }
.hash { font: 7pt/1.6 monospace; overflow-wrap: anywhere }
tr { break-inside: avoid } thead { display: table-header-group }
pre { white-space: pre-wrap; overflow-wrap: anywhere; font-size: 7pt }
figure { margin: 0.5em 0 1em; break-inside: avoid }
.bar { box-sizing: border-box; display: block; width: 100%; height: 20px; border: 1px solid #111 }
.axis { display: flex; justify-content: space-between; font-size: 8pt }
.legend { display: flex; flex-wrap: wrap; gap: 0.3em 2em; margin: 0.5em 0; padding: 0 }
.legend li { display: flex; align-items: center; gap: 0.5em; list-style: none }
.legend svg { width: 26px; height: 20px; border: 1px solid #111 }
.protected { fill: #0072b2 } .unplanned { fill: #d55e00 } .planned { fill: #e69f00 }
@media print { body { padding: 0; max-width: none } svg { print-color-adjust: exact } }
</style>
</head>
<body>
`;
}

function chainRows({ before, first, last, heads = [] }: Report["chain"]): readonly string[][] {
  const ends = Object.entries({ before, first, last });
  return [
    ...ends.map(([name, end]) => [name, `${end?.seq ?? "-"}`, end?.hash ?? "-"]),
    ...heads.map(({ seq, at, hash }) => [`head of ${timeOf(at)}`, `${seq}`, hash]),
  ];
}

function notes({ about, subjects }: Report): readonly string[] {
  const list = [
    ...(about.recordedFrom === null
      ? []
      : [`The records begin at ${timeOf(about.recordedFrom)}: everything before it is unknown.`]),
    ...(about.end === "final"
      ? []
      : ["The end of the period was not confirmed yet when this was made."]),
    ...(subjects.length === 0 ? ["No link or tunnel was recorded in this period."] : []),
  ];
  return list.map((text) => `<p>${text}</p>`);
}

/** `2026-11-24 10:00:00.000` of a moment of the document, which is in UTC. */
function timeOf(at: string): string {
  return at.replace("T", " ").replace("Z", "");
}

const summaryColumns: readonly Column[] = [
  ["link or tunnel", "word"],
  ["protected", "time"],
  ["planned outage", "time"],
  ["unplanned outage", "time"],
  ["unknown", "time"],
];

function summaryRow(subject: Subject, report: Report): readonly string[] {
  const { name, totals } = subject;
  const { planned, unplanned } = outagesOf(subject, report);
  const cell = (answer: Answer): string =>
    `${totals[answer].percent} % (${spanOf(totals[answer].ms)})`;
  const outage = ({ ms, count }: typeof planned): string =>
    count === 0 ? "none" : `${spanOf(ms)} (${count})`;
  return [name, cell("protected"), outage(planned), outage(unplanned), cell("unknown")];
}

const keyColumns: readonly Column[] = [
  ["link", "word"],
  ["key (CKN)", "word"],
  ["in use from", "time"],
  ["until", "time"],
  ["made", "time"],
  ["age then", "word"],
  ["limit", "word"],
  ["replaced in time", "text"],
];

const keyAnswers: Readonly<Record<KeyUse["answer"], string>> = {
  inTime: "yes",
  late: "no: older than the limit",
  unproven: "not provable: no record of the period says when it was made",
  noLimit: "no limit is configured",
};

const dayMs = 86_400_000;

function keyRow({ link, ckn, from, to, made, limitMs, answer }: KeyUse): readonly string[] {
  const time = (at: number): string => timeOf(new Date(at).toISOString()).slice(0, 16);
  const days = (ms: number): string => `${Math.floor(ms / dayMs)} d`;
  const age = made === undefined ? `at least ${days(to - from)}` : days(to - made);
  return [
    ...[link, shortOf(ckn), time(from), time(to), made === undefined ? "-" : time(made), age],
    ...[limitMs === undefined ? "-" : days(limitMs), keyAnswers[answer]],
  ];
}

const changeColumns: readonly Column[] = [
  ["record", "word"],
  ["at", "time"],
  ["what", "word"],
  ["about"],
  ["who", "text"],
  ["text", "text"],
];

/** A duration with milliseconds: `1 d 02:03:04.005`. */
export function spanOf(ms: number): string {
  const days = Math.floor(ms / dayMs);
  const rest = ms - days * dayMs;
  const two = (value: number): string => String(Math.floor(value)).padStart(2, "0");
  const clock = `${two(rest / 3_600_000)}:${two((rest / 60_000) % 60)}:${two((rest / 1000) % 60)}`;
  const fraction = String(rest % 1000).padStart(3, "0");
  return `${days === 0 ? "" : `${days} d `}${clock}.${fraction}`;
}

function subjectParts(subject: Subject, report: Report): readonly string[] {
  const { name, kind, intervals, keys } = subject;
  return [
    `<h3>${kind === "link" ? "Link" : "Tunnel"} ${safe(name)}</h3>`,
    barOf(subject, report),
    ...(keys.length === 0
      ? []
      : [
          tableOf(
            [
              ["protected with", "word"],
              ["CKN", "hash"],
              ["for", "time"],
            ],
            keys.map(({ suite, ckn, ms }) => [suite ?? "-", ckn ?? "-", spanOf(ms)]),
          ),
        ]),
    tableOf(
      [
        ["from", "time"],
        ["to", "time"],
        ["answer", "word"],
        ["suite", "word"],
        ["CKN", "word"],
        ["reasons", "text"],
      ],
      intervals.map(({ from, to, answer, verdict, suite, ckn, reasons }) => [
        ...[timeOf(from), timeOf(to), answerText(answer, verdict), suite ?? "-", shortOf(ckn)],
        reasons.join(", "),
      ]),
    ),
  ];
}

function answerText(answer: Answer, verdict: Subject["intervals"][number]["verdict"]): string {
  return answer === "notProtected" ? `not protected: ${verdict}` : answer;
}

function shortOf(ckn: string | null): string {
  if (ckn === null) return "-";
  return ckn.length <= 12 ? ckn : `${ckn.slice(0, 8)}…${ckn.slice(-4)}`;
}
