// `linkseal sim`: a simulated site for trials. The modules that run it are loaded on demand.

import { type Command, InvalidArgumentError, Option } from "commander";
import { rehearsalText } from "#agent/cli/rotation-text.ts";
import { type Common, Session } from "#agent/cli/session.ts";
import { collected, exit, withExample } from "#agent/cli/shape.ts";
import programs from "#agent/programs.json" with { type: "json" };
import type { Rehearsal, RehearsalRequest } from "#agent/runtime/campaigns/rehearsal-shape.ts";
import { routerNames } from "#drivers/index.ts";
import type { SimAzureOptions } from "./sim-azure.ts";
import type { SimRouterOptions } from "./sim-router.ts";
import type { ServeOptions } from "./sim-serve.ts";
import type { SiteRunOptions } from "./sim-site.ts";

/** Adds the verbs of `linkseal sim`. */
export function registerSim(program: Command): void {
  const sim = program.command("sim").description(programs.lab.verbs.sim);
  const site = sim
    .command("site")
    .description("an agent and its simulated site in one process, on virtual time")
    .option("--once", "end when nothing more will happen; exit status 0, or 4 if not all is well")
    .option("--json", "print the last status as JSON")
    .option("--fault <name>", "strike NAME, or NAME@SECONDS; may be repeated", collected)
    .option("--list-faults", "the faults, and when each strikes by itself");
  withExample(simulation(site), "linkseal sim site --once --speed max").action(runSite);
  const serve = sim
    .command("serve")
    .description("the simulated site alone, behind a Unix socket, for agents of their own")
    .requiredOption("--socket <path>", "where it answers: `address: unix:PATH` of its devices")
    .option("--oracle-file <file>", "keep what the oracle of the promises sees in FILE, as JSON")
    .option(
      "--agent <path>",
      "view socket of the agent: the oracle judges its reports too, by the limits of its config",
    );
  withExample(simulation(serve), "linkseal sim serve --socket /tmp/site.sock --speed 20").action(
    serveAlone,
  );
  registerAzure(sim);
  registerPosture(sim);
  registerRouter(sim);
  const fault = sim
    .command("fault [name]")
    .description("strike or heal a fault at a running simulated site")
    .option("--heal", "put right what it did")
    .option("--link <group/link>", "the link to strike; the first one if not given")
    .option("--cak <version>", "for far-ahead and far-back: the version that the far end gets")
    .option("--list", "every fault, and what is struck now")
    .option("--json", "one JSON document on standard output")
    .option(
      "--socket <path>",
      "socket of the site; if not given: that of the config in force, or of `npm start`",
    );
  withExample(fault, "linkseal sim fault peer-silent --link erd-demo/secondary").action(strike);
  const rehearsal = sim
    .command("rehearse")
    .description("rehearse what standard input describes, as `linkseal rotate --rehearse` asks for")
    .option("--json", "one JSON document on standard output");
  withExample(rehearsal, "linkseal sim rehearse < rehearsal.json").action(rehearseInput);
}

function registerPosture(sim: Command): void {
  const posture = sim
    .command("posture <aspect> <state>")
    .description("make a part of the simulated cloud good, bad, absent or denied, for scorecards")
    .option("--json", "one JSON document on standard output")
    .requiredOption("--socket <path>", "socket of the site behind `sim azure`");
  withExample(posture, "linkseal sim posture vnetEncryption bad --socket /tmp/site.sock").action(
    pose,
  );
}

async function pose(
  aspect: string,
  state: string,
  { json, socket }: { readonly json?: true; readonly socket: string },
): Promise<void> {
  const { askToPose } = await import("./sim-serve.ts");
  process.stdout.write(`${await askToPose(socket, json === true, { aspect, state })}\n`);
}

function registerAzure(sim: Command): void {
  const azure = sim
    .command("azure")
    .description("the simulated site behind a simulated cloud: vault, identities, management API")
    .option(
      "--port <port>",
      "where HTTPS answers on 127.0.0.1; 0 takes one that is free",
      portOf,
      0,
    )
    .option("--socket <path>", "where the routers of the site answer; a fresh one if not given")
    .option("--arc-folder <path>", "where key files of Azure Arc go; a fresh folder if not given");
  withExample(simulation(azure), "linkseal sim azure --speed 1 --port 8443").action(runAzure);
}

function registerRouter(sim: Command): void {
  const router = sim
    .command("router")
    .description("both routers of a simulated site behind real SSH servers, in their own dialect")
    .addOption(
      new Option(
        "--platform <name>",
        "what they speak; those of iosxe and junos-srx end tunnels too",
      )
        .choices([...routerNames, "junos-srx"])
        .default("junos"),
    )
    .option(
      "--port <port>",
      "where the first answers on 127.0.0.1, the second one behind it; 0 takes free ones",
      portOf,
      0,
    )
    .option("--socket <path>", "where vault and far end answer; a fresh one if not given")
    .option("--seed <seed>", "the same seed gives the same site", "1")
    .addOption(
      new Option("--start <state>", "links in the clear, or with manually configured MACsec")
        .choices(["clear", "protected"])
        .default("clear"),
    );
  withExample(router, "linkseal sim router --platform junos --port 2222").action(runRouter);
}

function portOf(text: string): number {
  if (/^\d{1,5}$/.test(text) && Number(text) <= 65_535) return Number(text);
  throw new InvalidArgumentError("It must be a port number, or 0.");
}

async function runRouter(options: SimRouterOptions): Promise<void> {
  exit(await (await import("./sim-router.ts")).serveRoutersUntilStopped(options));
}

async function runAzure(options: SimAzureOptions): Promise<void> {
  exit(await (await import("./sim-azure.ts")).serveAzureUntilStopped(options));
}

function simulation(command: Command): Command {
  return command
    .option("--speed <factor>", "virtual seconds in a second, or `max`", speedOf, 20)
    .option("--seed <seed>", "the same seed gives the same site", "1")
    .addOption(
      new Option("--start <state>", "links in the clear, or with manually configured MACsec")
        .choices(["clear", "protected"])
        .default("clear"),
    )
    .addOption(
      new Option("--overlap <kind>", "how the routers keep a new key beside the old one")
        .choices(["keychain", "fallback", "none"])
        .default("keychain"),
    );
}

const speedMax = 100_000;

function speedOf(text: string): number {
  if (text === "max") return Number.POSITIVE_INFINITY;
  const speed = Number(text);
  if (/^\d+(\.\d+)?$/.test(text) && speed > 0 && speed <= speedMax) return speed;
  throw new InvalidArgumentError(`It must be above 0, at most ${speedMax}, or "max".`);
}

async function runSite(options: SiteRunOptions & { readonly listFaults?: true }): Promise<void> {
  const { listFaults, runDemo } = await import("./sim-site.ts");
  exit(
    options.listFaults === true ? await listFaults(options.json === true) : await runDemo(options),
  );
}

async function serveAlone(options: ServeOptions): Promise<void> {
  exit(await (await import("./sim-serve.ts")).serveUntilStopped(options));
}

interface FaultOptions {
  readonly heal?: true;
  readonly link?: string;
  readonly cak?: string;
  readonly list?: true;
  readonly json?: true;
  readonly socket?: string;
}

async function strike(name: string | undefined, options: FaultOptions): Promise<void> {
  const { askFaults, askToStrike } = await import("./sim-serve.ts");
  const { heal, link, cak, list, json, socket } = options;
  const message =
    name === undefined || list === true
      ? await askFaults(socket, json === true)
      : await askToStrike(socket, json === true, { name, link, cak, heal });
  process.stdout.write(`${message}\n`);
}

const rehearsalMsMax = 20_000;

/** Rehearses, for 20 s of real time at most. */
export async function rehearseBriefly(request: RehearsalRequest): Promise<Rehearsal> {
  const { rehearse } = await import("./rehearsal.ts");
  return await rehearse({ ...request, stop: AbortSignal.timeout(rehearsalMsMax) });
}

async function rehearseInput(options: Common): Promise<void> {
  const { requestIn } = await import("./rehearsal-input.ts");
  const rehearsal = await rehearseBriefly(await requestIn(process.stdin));
  await new Session(options).show(rehearsal, rehearsalText);
}
