// The verbs events, journal and doctor, and those about drivers.

import type { Command } from "commander";
import { drivers, readers, type Standing } from "#drivers/index.ts";
import { isoTime } from "../model/iso-time.ts";
import { jsonText, visible } from "../model/text.ts";
import programs from "../programs.json" with { type: "json" };
import type { Entry } from "../store/journal/journal.ts";
import { type VaultOptions, withCredential } from "./credential-option.ts";
import { doctor, findingsText, hostChecks, vaultFindings } from "./doctor.ts";
import type { CheckOptions } from "./driver-contact.ts";
import type { ReadOptions } from "./driver-read.ts";
import { eventLine, eventsAfter, lostLine } from "./progress.ts";
import { risky } from "./risk-option.ts";
import { type Common, Session } from "./session.ts";
import { collected, exit, verb } from "./shape.ts";
import { outKind, table } from "./table.ts";
import { absentError } from "./verbs-absent.ts";

export function registerDeviceVerbs(program: Command): void {
  verb(
    program
      .command("events")
      .description("the latest events; as JSON one event a line")
      .option("-f, --follow", "go on with what happens, until interrupted"),
    "linkseal events -f",
  ).action(events);
  const journal = program.command("journal").description("the journal: its state, last records");
  verb(journal, "linkseal journal").action(showJournal);
  verb(
    journal
      .command("accept-loss")
      .description("start a new chain after a damaged journal; says what was dropped"),
    "linkseal journal accept-loss",
  ).action(acceptLoss);
  verb(
    withCredential(
      program
        .command("doctor")
        .description(
          "check host, agent, vault and both ends of every link; exit status 4 if any is wrong",
        )
        .option("--bundle [file]", "write what is safe to show outside into a file, to post it"),
    ),
    "linkseal doctor",
  ).action(checkUp);
}

/** Adds the verbs about drivers that send queries at most. */
export function registerDrivers(program: Command): void {
  const driver = program.command("driver").description("the device drivers of this version");
  verb(
    driver.command("list").description("every driver and what it offers"),
    "linkseal driver list",
  ).action(listDrivers);
  verb(
    risky(
      driver
        .command("check [file]")
        .description("try every conformance case on a router of a lab; exit status 4 if one fails")
        .requiredOption("--device <name>", "a device of FILE; to be written to, a lab's own")
        .option("--port <port>", "a port of it that may be written to; given twice", collected)
        .option("--tunnel <local,remote>", "ends of a tunnel that may be put and removed")
        .option("--read-only", "send the queries alone to any device, and show what is understood")
        .option("--bundle <file>", "with --read-only: write the replies, fit to show outside"),
    ),
    "linkseal driver check --device lab-1 --port et-0/0/10 --port et-0/0/11 " +
      "--accept-risk=lab-device",
  ).action(contact);
  verb(
    driver
      .command("read [file]")
      .description("show what a driver understands of a saved reply; exit status 4 if not all")
      .requiredOption("--driver <name>", "the driver whose reader is used")
      .option("--query <text>", "the query that FILE (or - for standard input) is the reply to")
      .option("--release <release>", "release of the device, for the record")
      .option("--model <model>", "model of the device, for the record")
      .option("--list", "list the queries that the driver sends, and what each is for")
      .option("--bundle <file>", "read a bundle of `driver check --read-only`"),
    "linkseal driver read --driver iosxe --query 'show mka sessions detail' reply.txt",
  ).action(readReply);
}

/** The most events that are shown at first. */
const shownMax = 1_000;

async function events(options: Common & { follow?: true }): Promise<void> {
  const session = new Session(options);
  const waitMs = 25_000;
  for (let after = 0, isFirst = true; ; isFirst = false) {
    const wanted = isFirst ? { after, newest: shownMax } : { after, waitMs };
    const { events: found, lost } = await eventsAfter(session, wanted);
    if (lost > 0 && !isFirst) session.note(lostLine(lost));
    for (const event of found) {
      process.stdout.write(`${session.json ? jsonText(event) : eventLine(event)}\n`);
    }
    after = found.at(-1)?.n ?? after;
    if (options.follow !== true) return;
  }
}

interface JournalAnswer {
  readonly state: string;
  readonly records: readonly Entry[];
}

async function showJournal(options: Common): Promise<void> {
  const session = new Session(options);
  const { state, records } = await session.view<JournalAnswer>("/v1/journal");
  await session.show({ schema: "linkseal.journal/1", state, records }, async (shown) => {
    const cells = shown.records.map((record) => [
      String(record.seq),
      isoTime(record.at),
      record.kind,
      summaryOf(record),
    ]);
    const rows = await table(["record", "written", "kind", "content"], cells, outKind());
    return `journal: ${shown.state}\n${rows}`;
  });
}

const summaryMax = 100;

function summaryOf({ seq: _s, at: _a, host: _h, kind: _k, mac: _m, ...rest }: Entry): string {
  const text = visible(JSON.stringify(rest));
  return text.length > summaryMax ? `${text.slice(0, summaryMax)}…` : text;
}

async function acceptLoss(options: Common): Promise<void> {
  const session = new Session(options);
  const { state } = await session.admin<{ state: string }>("/v1/journal/accept-loss", {});
  await session.show(
    { schema: "linkseal.journal/1", state, records: [] },
    (shown) => `journal: ${shown.state}; its last record says what was dropped`,
  );
}

interface DoctorOptions extends VaultOptions {
  readonly bundle?: true | string;
}

async function checkUp(options: DoctorOptions): Promise<void> {
  const session = new Session(options);
  const host = await hostChecks(options.socket);
  const findings = [
    ...host.findings,
    ...(host.agent === "here" ? await doctor(session) : []),
    ...(await vaultFindings(session, options)),
  ];
  if (options.bundle !== undefined) {
    const { writeBundle } = await import("./doctor-bundle.ts");
    const asked = options.bundle === true ? undefined : options.bundle;
    const written = await writeBundle(session, findings, asked);
    session.note(`${written.file}: ${written.bytes} bytes, safe to post; read it before you do`);
  }
  await session.show({ schema: "linkseal.doctor/1", findings }, ({ findings: shown }) =>
    findingsText(shown),
  );
  const codes = findings.map(({ code }) => code);
  if (codes.includes("agent.unreachable")) return exit(5);
  if (codes.includes("agent.forbidden")) return exit(8);
  exit(findings.some(({ severity }) => severity === "error") ? 4 : 0);
}

async function listDrivers(options: Common): Promise<void> {
  const list = Object.values(drivers).map(({ name, offers }) => {
    const [, reader] = Object.entries(readers).find(([own]) => own === name) ?? [];
    return { name, offers, queries: reader?.rows ?? [] };
  });
  await new Session(options).show({ schema: "linkseal.drivers/1", drivers: list }, (shown) =>
    table(
      ["driver", "commit", "macsec", "ipsec", "drain", "probe", "layouts of replies"],
      shown.drivers.map(({ name, offers: { commit, macsec, ipsec, drain, probe }, queries }) => [
        name,
        commit.kind,
        macsec === undefined ? "-" : `${macsec.suites.length} suites, overlap ${macsec.overlap}`,
        ipsec === undefined ? "-" : ipsec.keying.join(", "),
        drain === undefined ? "-" : drain.means.join(", "),
        probe === true ? "yes" : "-",
        standingsText(queries),
      ]),
      outKind(),
    ),
  );
}

const standings = ["confirmed", "documented", "inferred", "unknown"] as const;

/** Counts the layouts of replies by how each is known: `20 confirmed, 8 documented`. */
function standingsText(queries: readonly { readonly standing: Standing }[]): string {
  const counts = standings.map((standing) => ({
    standing,
    count: queries.filter((one) => one.standing === standing).length,
  }));
  const found = counts.filter(({ count }) => count > 0);
  return found.map(({ standing, count }) => `${count} ${standing}`).join(", ") || "-";
}

async function readReply(file: string | undefined, options: ReadOptions): Promise<void> {
  const verb = await import("./driver-read.ts");
  await verb.readReply(file, options);
}

async function contact(file: string | undefined, options: CheckOptions): Promise<void> {
  if (options.readOnly !== true) throw absentError("driver check", programs.lab.package);
  const { contactDevice } = await import("./driver-contact.ts");
  await contactDevice(file, options);
}
