// The verb report with its key and verification: what an auditor gets, and how to check it.

import { readFile, stat, writeFile } from "node:fs/promises";
import type { Command } from "commander";
import { LinksealError } from "#hal/error.ts";
import { type Head, headsIn } from "../evidence/report/head.ts";
import { checkHeads } from "../evidence/report/heads.ts";
import { htmlOf, spanOf } from "../evidence/report/html.ts";
import { interruptionsOf, keyUses, outagesOf } from "../evidence/report/outages.ts";
import { reportFile, type SignedReport } from "../evidence/report/statement.ts";
import { publicKeyOf, type Verified, verifyReport } from "../evidence/report/verify.ts";
import { shortCkn } from "../model/ckn-text.ts";
import { readable } from "../model/text.ts";
import { usage } from "./failure.ts";
import { type Common, Session } from "./session.ts";
import { collected, exit, verb } from "./shape.ts";
import { outKind, table } from "./table.ts";

export function registerEvidence(program: Command): void {
  const report = program
    .command("report")
    .description("signed evidence of when each link and tunnel was provably protected")
    .option("--from <time>", "a day or a moment in UTC; the first record if not given")
    .option("--to <time>", "the end, not included; as far as all is confirmed if not given")
    .option("--html", "one HTML file to print, which contains the signed document too")
    .option("--out <file>", "write it there and not to standard output");
  verb(
    report,
    "linkseal report --from 2026-11-01 --to 2026-12-01 --html --out november.html",
  ).action(makeReport);
  verb(
    report
      .command("key")
      .description("the public half of the key that signs reports, for those who check them"),
    "linkseal report key",
  ).action(showKey);
  verb(
    report
      .command("verify <file>")
      .description(
        "check a report, JSON or HTML, without an agent; exit status 1 if it was changed",
      )
      .requiredOption("--key <file>", "the PEM that `report key` printed, from a source you trust")
      .option(
        "--head <head>",
        "a head that another log stored, as text: the report must contain it; may be given again",
        collected,
      )
      .option("--heads <file>", "the same for each head in a file, such as journalctl's export"),
    "linkseal report verify november.html --key report-key.pem --heads heads.export",
  ).action(checkReport);
}

interface ReportOptions extends Common {
  readonly from?: string;
  readonly to?: string;
  readonly html?: true;
  readonly out?: string;
}

async function makeReport(options: ReportOptions): Promise<void> {
  const { from, to, html, json, out } = options;
  if (html === true && json === true) throw usage("--html or --json, not both", help);
  const terms = Object.entries({ from, to }).flatMap(([name, value]) =>
    value === undefined ? [] : [`${name}=${encodeURIComponent(value)}`],
  );
  const session = new Session(options);
  const signed = await session.view<SignedReport>(`/v1/report?${terms.join("&")}`);
  if (html !== true && json !== true && out === undefined) {
    const [, keyId = ""] = /^key (.*)$/m.exec(signed.seal.statement) ?? [];
    await session.show({ ...signed, keyId }, summary);
    return;
  }
  const file = html === true ? htmlOf(signed) : reportFile(signed);
  if (out === undefined) process.stdout.write(file);
  else await writeFile(out, file).catch(unwritable(out));
}

const help = "linkseal report --help";

function unwritable(path: string): (error: NodeJS.ErrnoException) => never {
  return ({ code }) => {
    throw usage(`${path} cannot be written (${code})`, help);
  };
}

async function summary(shown: SignedReport & { readonly keyId: string }): Promise<string> {
  const { about, subjects, changes, keyId } = shown;
  const broken = interruptionsOf(shown);
  const rows = subjects.map((subject) => {
    const { planned, unplanned } = outagesOf(subject, shown);
    const share = ({ percent, ms }: { readonly percent: string; readonly ms: number }): string =>
      `${percent} % (${spanOf(ms)})`;
    const outage = ({ ms, count }: typeof planned): string =>
      count === 0 ? "none" : `${spanOf(ms)} (${count})`;
    const { totals } = subject;
    const outages = [outage(planned), outage(unplanned)];
    return [subject.name, share(totals.protected), ...outages, share(totals.unknown)];
  });
  const columns = ["link or tunnel", "protected", "planned", "unplanned", "unknown"];
  return [
    `${about.site}, ${about.from} to ${about.to}`,
    ...(about.end === "final" ? [] : ["the end of it is not confirmed yet"]),
    ...(about.recordedFrom === null ? [] : [`the records begin at ${about.recordedFrom}`]),
    await table(columns, rows, outKind()),
    "planned and unplanned: outages, with their number; the rest of a report has each",
    ...lateKeys(shown),
    ...(await requests(changes)),
    `changes and warnings: ${changes.length}; interruptions of the record: ${broken.length}`,
    `signed with ${keyId}`,
    "the whole of it: --html or --json, with --out FILE",
  ].join("\n");
}

/** The keys that were in use beyond the age that the config allows. */
function lateKeys(shown: SignedReport): readonly string[] {
  return keyUses(shown)
    .filter(({ answer }) => answer === "late")
    .map(({ link, ckn }) => `not replaced in time: the key ${shortCkn(ckn)} of ${link}`);
}

const requestsMax = 20;

/** The newest requests over the sockets, with who sent them. */
async function requests(changes: SignedReport["changes"]): Promise<readonly string[]> {
  const asked = changes.filter(({ what }) => what === "asked");
  if (asked.length === 0) return [];
  const rows = asked
    .slice(-requestsMax)
    .map(({ at, about, who, text }) => [at, about, text, who ?? "-"]);
  const head = asked.length > rows.length ? [`the newest ${rows.length} of ${asked.length}:`] : [];
  return [...head, await table(["request at", "about", "request", "who"], rows, outKind())];
}

interface ReportKey {
  readonly schema: string;
  readonly keyId: string;
  readonly publicKey: string;
}

async function showKey(options: Common): Promise<void> {
  const session = new Session(options);
  const key = await session.view<ReportKey>("/v1/report/key");
  if (session.json) {
    await session.show(key, () => "");
    return;
  }
  process.stdout.write(key.publicKey);
  session.note(key.keyId);
}

const fileBytesMax = 256 * 1024 * 1024;
const keyBytesMax = 10_000;

interface CheckOptions extends Common {
  readonly key: string;
  readonly head?: readonly string[];
  readonly heads?: string;
}

/** Returns the heads to hold against the report; undefined = the operator gave none. */
async function headsOf({ head, heads }: CheckOptions): Promise<readonly Head[] | undefined> {
  if (head === undefined && heads === undefined) return undefined;
  const texts = [...(head ?? [])];
  if (heads !== undefined) texts.push((await read(heads, fileBytesMax)).toString("latin1"));
  if (texts.every((text) => headsIn(text).length > 0)) return headsIn(texts.join("\n"));
  const next = "journalctl -u linkseal | grep linkseal-head";
  throw usage(`there is no head in ${heads ?? "--head"}`, next);
}

async function checkReport(file: string, options: CheckOptions): Promise<void> {
  const pem = await read(options.key, keyBytesMax);
  const key = publicKeyOf(pem.toString("latin1"));
  if (key === undefined) {
    throw usage(`${options.key} contains no Ed25519 public key in PEM`, "linkseal report key");
  }
  const heads = await headsOf(options);
  const verified = verifyReport(await read(file, fileBytesMax), key);
  const checked = verdictShape(file, verified, heads);
  await new Session(options).show(checked, (shown) => verdictText(shown));
  exit(checked.verdict === "sound" ? 0 : 1);
}

async function read(path: string, bytesMax: number): Promise<Buffer> {
  try {
    const { size } = await stat(path);
    if (size <= bytesMax) return await readFile(path);
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : "no errno";
    throw usage(`${path} cannot be read (${code})`, "linkseal report verify --help");
  }
  throw new LinksealError("usage", `${path} is longer than ${bytesMax} bytes`, {
    ...{ effect: "none", where: path, next: "linkseal report verify --help" },
  });
}

/** `heads`: null = none were given; `lacking` = the report is as signed and lacks one of them. */
function verdictShape(file: string, verified: Verified, given: readonly Head[] | undefined) {
  const schema = "linkseal.reportCheck/1";
  if (verified.kind === "changed") {
    return { schema, file, verdict: "changed" as const, faults: verified.faults };
  }
  const { about } = verified.report;
  const whole = { schema, file, about };
  if (given === undefined) return { ...whole, verdict: "sound" as const, heads: null, faults: [] };
  const { found, outside, faults } = checkHeads(verified.report, given);
  const verdict = faults.length === 0 ? ("sound" as const) : ("lacking" as const);
  return { ...whole, verdict, heads: { found, outside }, faults };
}

function verdictText(shown: ReturnType<typeof verdictShape>): string {
  const { file, faults } = readable(shown);
  const lines = faults.map(({ where, text }) => `  ${where}: ${text}`);
  if (shown.verdict === "changed") {
    const head = `${file} was changed after it was signed, or is not what it says:`;
    return [head, ...lines].join("\n");
  }
  const { site, from, to } = readable(shown.about);
  const signed = `${file} is as it was signed: ${site}, ${from} to ${to}`;
  const { heads } = shown;
  if (heads === null) return signed;
  const counted = `heads in its records: ${heads.found}, of another time or host: ${heads.outside}`;
  const lacking = "the log behind it is not the one whose heads were given:";
  return [signed, counted, ...(lines.length === 0 ? [] : [lacking, ...lines])].join("\n");
}
