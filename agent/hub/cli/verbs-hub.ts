// The verb hub: prepares and judges the engine of many sites, and reads what sites publish there.
// It asks the engine and no agent.

import { readFile, writeFile } from "node:fs/promises";
import type { Command } from "commander";
import type { LogLevel } from "#hal/world.ts";
import { usage } from "../../cli/failure.ts";
import { Session } from "../../cli/session.ts";
import { exit, logLevel, withExample } from "../../cli/shape.ts";
import type { Head } from "../../evidence/report/head.ts";
import programs from "../../programs.json" with { type: "json" };
import type { HubFinding } from "../engine-doctor.ts";
import type { StoreRow } from "../setup.ts";
import { asHub, type EngineOptions, loginOf, withEngineOptions } from "./engine-option.ts";

export function registerHub(program: Command): void {
  const hub = program.command("hub").description(programs.hub.verbs.hub);
  withExample(
    hub
      .command("key <file>")
      .description("make the key of a user: the seed into a new file, its public half printed"),
    "linkseal hub key fleet-key.seed",
  ).action(makeKey);
  withExample(
    hub
      .command("config <users>")
      .description("print nats-server's configuration for a list of `hub KEY`, `site NAME KEY`"),
    "linkseal hub config users.txt > nats-server.conf",
  ).action(printConfig);
  const server = "--server tls://hub-1.example.net:4222 --key hub.seed";
  withEngineOptions(
    hub.command("setup").description("make the streams that are missing; it changes none"),
    `linkseal hub setup ${server}`,
  ).action(setUp);
  withEngineOptions(
    hub
      .command("doctor")
      .description(
        "judge the engine; with a site's key, try what the site must and must not be able to do",
      )
      .option("--monitor <url>", "monitoring port of the server, such as http://127.0.0.1:8222")
      .option("--site <name>", "site whose user is tried")
      .option("--site-key <file>", "the seed of that user"),
    `linkseal hub doctor ${server} --monitor http://127.0.0.1:8222`,
  ).action(judge);
  asHub(
    hub
      .command("page")
      .description("serve a page of all sites; linkseal page code --socket PATH opens it")
      .option("--listen <address>", "where a browser finds it", "127.0.0.1:9444")
      .option("--certificate <reference>", "credential:NAME or file:PATH; beyond loopback needed")
      .option("--certificate-key <reference>", "its key, likewise")
      .option("--socket <path>", "where it gives login codes"),
    `linkseal hub page ${server}`,
  ).action(servePage);
  withEngineOptions(
    hub
      .command("heads <site>")
      .description("print the heads of a site's audit log, for report verify --heads"),
    `linkseal hub heads dublin ${server} > heads.txt`,
  ).action(printHeads);
  withEngineOptions(
    hub
      .command("report <site>")
      .description("the newest report that a site has published, for report verify")
      .requiredOption("--out <file>", "where to write it"),
    `linkseal hub report dublin ${server} --out dublin.json`,
  ).action(writeReport);
  asHub(
    hub
      .command("run")
      .description("run the waves of the fleet, as linkseal-hub.service does; several may run")
      .addOption(logLevel()),
    `linkseal hub run ${server}`,
  ).action(runWaves);
}

async function makeKey(path: string): Promise<void> {
  const { writeUserKey } = await import("../host/hub-session.ts");
  process.stdout.write(`${await writeUserKey(path)}\n`);
}

async function printConfig(path: string): Promise<void> {
  const { parseUsers, serverConfig } = await import("../server-config.ts");
  const text = await readFile(path, "utf8").catch(() => {
    throw usage(`${path} cannot be read`, "linkseal hub config --help");
  });
  const parsed = parseUsers(text);
  if (parsed.kind === "fault") {
    throw usage(`line ${parsed.line} of ${path}: ${parsed.why}`, "linkseal hub config --help");
  }
  process.stdout.write(serverConfig(parsed.users));
}

interface RunOptions extends Omit<EngineOptions, "json"> {
  readonly logLevel: LogLevel;
}

async function runWaves(options: RunOptions): Promise<void> {
  const { runHub } = await import("../host/hub-run.ts");
  exit(await runHub(await loginOf(options), options.logLevel));
}

async function setUp(options: EngineOptions): Promise<void> {
  const { withEngine } = await import("../host/hub-session.ts");
  const { makeStores } = await import("../setup.ts");
  const rows = await withEngine(await loginOf(options), makeStores);
  const shown = { schema: "linkseal.hubSetup/1", stores: rows };
  await new Session(options).show(shown, ({ stores }) => stores.map(storeText).join("\n"));
  exit(rows.every(({ state: { kind } }) => kind === "made" || kind === "asWanted") ? 0 : 1);
}

function storeText({ name, state }: StoreRow): string {
  switch (state.kind) {
    case "made":
      return `${name}: made`;
    case "asWanted":
      return `${name}: exists, as wanted`;
    case "missing":
      return `${name}: missing`;
    case "other":
      return `${name}: exists with other settings, left as they are: ${state.settings.join(", ")}`;
    case "refused":
      return `${name}: not made: ${state.why}`;
  }
}

interface DoctorOptions extends EngineOptions {
  readonly monitor?: string;
  readonly site?: string;
  readonly siteKey?: string;
}

async function judge(options: DoctorOptions): Promise<void> {
  const { site, siteKey } = options;
  if ((site === undefined) !== (siteKey === undefined)) {
    throw usage("--site and --site-key go together", "linkseal hub doctor --help");
  }
  const findings = await findingsOf(options);
  const shown = { schema: "linkseal.hubDoctor/1", findings };
  await new Session(options).show(shown, (all) => all.findings.map(findingText).join("\n"));
  exit(findings.some(({ verdict }) => verdict === "bad") ? 1 : 0);
}

async function findingsOf(options: DoctorOptions): Promise<readonly HubFinding[]> {
  const { monitor, site, siteKey } = options;
  const { readVarz, withEngine } = await import("../host/hub-session.ts");
  const doctor = await import("../engine-doctor.ts");
  const { inboxPrefix } = await import("../../fleet/subjects.ts");
  const varz = monitor === undefined ? undefined : await readVarz(monitor, doctor.serverBytesMax);
  const login = await loginOf(options);
  return await withEngine(login, async (hub) => {
    const found = [...doctor.serverFindings(varz), ...(await doctor.storeFindings(hub))];
    if (site === undefined || siteKey === undefined) return found;
    const own = { ...(await loginOf({ ...options, key: siteKey })), inbox: inboxPrefix(site) };
    const rights = await withEngine(own, (session) => doctor.rightsFindings(site, session, hub));
    return [...found, ...rights];
  });
}

const findingText = ({ check, verdict, text }: HubFinding): string =>
  `${verdict.padEnd(7)} ${check}: ${text}`;

interface PageOptions extends EngineOptions {
  readonly listen: string;
  readonly certificate?: string;
  readonly certificateKey?: string;
  readonly socket?: string;
}

async function servePage(options: PageOptions): Promise<void> {
  const { listen, certificate, certificateKey: key, socket } = options;
  const [, six, four = "", port] = /^(?:\[([\da-f:]+)\]|([\d.]+)):(\d{1,5})$/i.exec(listen) ?? [];
  if (port === undefined || (certificate === undefined) !== (key === undefined)) {
    const text = "--listen is ADDRESS:PORT, and --certificate and --certificate-key go together";
    throw usage(text, "linkseal hub page --help");
  }
  const pair = certificate === undefined || key === undefined ? {} : { tls: { certificate, key } };
  const { serveHubPage } = await import("../host/hub-page.ts");
  const { hubSocket } = await import("../../host/places.ts");
  const page = {
    login: await loginOf(options),
    settings: { host: six ?? four, port: Number(port), ...pair },
    socket: hubSocket(socket),
    level: "info",
  } as const;
  const stop = new AbortController();
  for (const signal of ["SIGTERM", "SIGINT"]) process.once(signal, () => stop.abort());
  exit(await serveHubPage(page, stop.signal));
}

async function printHeads(site: string, options: EngineOptions): Promise<void> {
  const { withEngine } = await import("../host/hub-session.ts");
  const { publishedHeads } = await import("../reading.ts");
  const { headText } = await import("../../evidence/report/head.ts");
  const found = await withEngine(await loginOf(options), (hub) => publishedHeads(hub, site));
  const session = new Session(options);
  const shown: { readonly schema: string; readonly heads: readonly Head[] } = {
    ...{ schema: "linkseal.hubHeads/1", heads: found.heads },
  };
  await session.show(shown, ({ heads }) => heads.map(headText).join("\n"));
  if (found.other > 0) session.note(`messages that are no head: ${found.other}`);
}

async function writeReport(
  site: string,
  options: EngineOptions & { readonly out: string },
): Promise<void> {
  const { withEngine } = await import("../host/hub-session.ts");
  const { publishedReport } = await import("../reading.ts");
  const octets = await withEngine(await loginOf(options), (hub) => publishedReport(hub, site));
  if (octets === undefined) {
    throw usage(`site ${site} has published no report`, `linkseal hub heads ${site}`);
  }
  await writeFile(options.out, octets).catch(() => {
    throw usage(`${options.out} cannot be written`, "linkseal hub report --help");
  });
}
