// The verb fleet: waves, permits and freezes of many sites. It asks the engine, as a hub, and no
// agent.

import type { Command } from "commander";
import { Option } from "commander";
import { usage } from "../../cli/failure.ts";
import { declined, refuseWithoutTerminal, saysYes } from "../../cli/question.ts";
import { Session } from "../../cli/session.ts";
import { collected } from "../../cli/shape.ts";
import { outKind, table } from "../../cli/table.ts";
import { durationMs } from "../../config/units.ts";
import { type Asked, isName, isText } from "../../fleet/records.ts";
import type { Wave } from "../../fleet/wave.ts";
import { isoTime } from "../../model/iso-time.ts";
import { readable } from "../../model/text.ts";
import programs from "../../programs.json" with { type: "json" };
import type { ActPlace, OfferedPermit } from "../fleet-acts.ts";
import { type EngineOptions, loginOf, withEngineOptions } from "./engine-option.ts";
import { registerPropose } from "./verbs-fleet-propose.ts";
import { registerFleetStatus } from "./verbs-fleet-status.ts";

const server = "--server tls://hub-1.example.net:4222 --key hub.seed";

export function registerFleet(program: Command): void {
  const fleet = program.command("fleet").description(programs.hub.verbs.fleet);
  registerFleetStatus(fleet);
  withEngineOptions(
    fleet.command("waves [name]").description("all waves, or what each group of one does"),
    `linkseal fleet waves ${server}`,
  ).action(showWaves);
  withEngineOptions(
    asking(beginCommand(fleet)),
    `linkseal fleet begin keys-2027 --groups dublin.core,cork.core --canary dublin.core ` +
      `--share 2 --bake 2h ${server}`,
  ).action(begin);
  withEngineOptions(
    asking(
      fleet
        .command("resume <name>")
        .description("let a wave that is stopped go on")
        .option("--without <groups>", "leave these out from now on (SITE.GROUP)", collected),
    ),
    `linkseal fleet resume keys-2027 ${server}`,
  ).action(resume);
  withEngineOptions(
    fleet
      .command("stop <name>")
      .description("no more permits of a wave; what has begun goes on to its end")
      .option("--why <sentence>", "why, for those who look at it", "a person stopped it"),
    `linkseal fleet stop keys-2027 ${server}`,
  ).action(stop);
  withEngineOptions(
    asking(
      fleet
        .command("permit <site> <group>")
        .description("permit what a group asks for, apart from any wave")
        .option("--within <duration>", "it has to begin within this time", "1h"),
    ),
    `linkseal fleet permit dublin core ${server}`,
  ).action(permit);
  withEngineOptions(
    fleet
      .command("withdraw <site> <group>")
      .description("take a permit back: no further link is taken; a wave that gave it stops"),
    `linkseal fleet withdraw dublin core ${server}`,
  ).action(withdraw);
  withEngineOptions(
    fleet
      .command("freeze [site]")
      .description("no link is taken at any site, or at one; what is under way ends its link")
      .requiredOption("--why <sentence>", "why, for those who look at it"),
    `linkseal fleet freeze --why "the exchange is being moved" ${server}`,
  ).action((site: string | undefined, options: FreezeOptions) => freeze(site, options));
  withEngineOptions(
    asking(
      fleet
        .command("thaw [site]")
        .description("end a freeze")
        .option("--why <sentence>", "why, for those who look at it", "the reason is gone"),
    ),
    `linkseal fleet thaw ${server}`,
  ).action((site: string | undefined, options: FreezeOptions & Asking) => thaw(site, options));
  registerPropose(fleet);
}

const beginCommand = (fleet: Command): Command =>
  fleet
    .command("begin <name>")
    .description(
      "begin a wave: a canary, then shares; it stops at the first failure. Required: --groups, " +
        "--canary, --share and --bake",
    )
    .requiredOption("--groups <groups>", "all groups, as SITE.GROUP; may be repeated", collected)
    .requiredOption("--canary <groups>", "those that go first", collected)
    .requiredOption("--share <share>", "how many at once at most: 2, or 10% of all")
    .requiredOption("--bake <duration>", "how long sites are watched after each stage, such as 2h")
    .addOption(
      new Option("--kind <kind>", "what is permitted")
        .choices(["rotate", "enrol", "change"])
        .default("rotate"),
    )
    .option("--within <duration>", "a permit has to begin within this time", "1h")
    .option("--end-within <duration>", "a campaign that takes longer is a failure", "12h");

interface Asking {
  readonly yes?: true;
}

const asking = (command: Command): Command => command.option("--yes", "do not ask");

/** Asks the person what gives; false = the person said no. */
async function agrees(options: Asking, session: Session, text: string, question: string) {
  session.note(text);
  if (options.yes === true) return true;
  refuseWithoutTerminal("the same with --yes");
  return await saysYes(question);
}

async function atHub<T>(
  options: EngineOptions,
  f: (place: ActPlace, acts: typeof import("../fleet-acts.ts")) => Promise<T>,
): Promise<T> {
  const { actNow, withHubEngine } = await import("../host/hub-engine.ts");
  const acts = await import("../fleet-acts.ts");
  const login = await loginOf(options);
  return await withHubEngine(login, (engine, signal) => f({ engine, signal, act: actNow() }, acts));
}

async function showWaves(name: string | undefined, options: EngineOptions): Promise<void> {
  const session = new Session(options);
  const { waveHead, waveRow, waveText } = await import("./wave-text.ts");
  if (name !== undefined) {
    const shown = await atHub(options, async (place, acts) => ({
      ...{ schema: "linkseal.fleetWave/1", leader: await acts.leaderOf(place) },
      ...(await acts.shownWave(place, name)),
    }));
    return await session.show(shown, (found) =>
      [waveText(found), `hub that leads: ${found.leader ?? "none"}`].join("\n"),
    );
  }
  const shown = await atHub(options, async (place, acts) => {
    const stored = await acts.allWaves(place);
    const waves = stored.flatMap(({ wave }) => (wave === undefined ? [] : [wave]));
    const unreadable = stored.flatMap((each) => (each.wave === undefined ? [each.name] : []));
    const leader = await acts.leaderOf(place);
    return { schema: "linkseal.fleetWaves/1", leader, waves, unreadable };
  });
  await session.show(shown, async ({ leader, waves, unreadable }) =>
    [
      await table(waveHead, waves.map(waveRow), outKind()),
      ...unreadable.map((each) => `${each}: its record cannot be read, and gives no permit`),
      `hub that leads: ${leader ?? "none"}`,
    ].join("\n"),
  );
}

interface BeginOptions extends EngineOptions, Asking {
  readonly groups: readonly string[];
  readonly canary: readonly string[];
  readonly share: string;
  readonly bake: string;
  readonly kind: Asked["kind"];
  readonly within: string;
  readonly endWithin: string;
}

async function begin(name: string, options: BeginOptions): Promise<void> {
  const session = new Session(options);
  const { plannedWave } = await import("../wave-plan.ts");
  const { planLines } = await import("./wave-text.ts");
  const { actNow } = await import("../host/hub-engine.ts");
  const { groups, canary, share, kind } = options;
  const times = {
    bakeMs: msOf("--bake", options.bake),
    permitMs: msOf("--within", options.within),
    lateMs: msOf("--end-within", options.endWithin),
  };
  const planned = plannedWave({ name, kind, groups, canary, share, ...times }, actNow());
  if (planned.kind === "fault") throw usage(planned.why, "linkseal fleet begin --help");
  const { wave } = planned;
  const stages = wave.stages.map(
    (stage, at) => `  ${at + 1}: ${stage.map((each) => `${each.site}.${each.group}`).join(", ")}`,
  );
  const text = [...planLines(wave), ...stages].join("\n");
  if (!(await agrees(options, session, text, "Begin it?"))) return declined();
  await atHub(options, (place, acts) => acts.beginWave(place, wave));
  await showWave(session, wave);
}

interface ResumeOptions extends EngineOptions, Asking {
  readonly without?: readonly string[];
}

async function resume(name: string, options: ResumeOptions): Promise<void> {
  const session = new Session(options);
  const { waveText } = await import("./wave-text.ts");
  const shown = await atHub(options, (place, acts) => acts.shownWave(place, name));
  const text = waveText(readable(shown));
  if (!(await agrees(options, session, text, "Resume it?"))) return declined();
  const without = new Set(options.without ?? []);
  const wave = await atHub(options, (place, acts) => acts.resumeWave(place, name, without));
  await showWave(session, wave);
}

async function stop(
  name: string,
  options: EngineOptions & { readonly why: string },
): Promise<void> {
  const why = sentence(options.why);
  const wave = await atHub(options, (place, acts) => acts.stopWave(place, name, why));
  await showWave(new Session(options), wave);
}

async function showWave(session: Session, wave: Wave): Promise<void> {
  const shown = { schema: "linkseal.fleetWave/1", wave };
  await session.show(shown, (found) => `${found.wave.name}: ${found.wave.state.kind}`);
}

interface PermitOptions extends EngineOptions, Asking {
  readonly within: string;
}

async function permit(site: string, group: string, options: PermitOptions): Promise<void> {
  const session = new Session(options);
  const permitMs = msOf("--within", options.within);
  const offer = (place: ActPlace, acts: typeof import("../fleet-acts.ts")) =>
    acts.offeredPermit(place, named(site), named(group), permitMs);
  const offered = await atHub(options, offer);
  const text = offerText(readable(offered));
  if (!(await agrees(options, session, text, "Permit it?"))) return declined();
  await atHub(options, (place, acts) => acts.givePermit(place, offered));
  const shown = { schema: "linkseal.fleetPermit/1", permit: offered.permit };
  await session.show(shown, (found) => {
    const { notAfter } = found.permit;
    return `${site}.${group} may begin until ${isoTime(notAfter)}, by its own clock`;
  });
}

function offerText({ ask }: OfferedPermit): string {
  const { site, group, kind, config, keys, state } = ask;
  return [
    `${site}.${group} asks for ${kind}, by config ${config.number}; it is ${state.kind}`,
    ...keys.map((key) => `  ${key.link}: ${key.old ?? "no key"} -> ${key.new ?? "no other key"}`),
  ].join("\n");
}

async function withdraw(site: string, group: string, options: EngineOptions): Promise<void> {
  const waves = await atHub(options, (place, acts) =>
    acts.withdrawPermit(place, named(site), named(group)),
  );
  const shown = { schema: "linkseal.fleetWithdrawal/1", site, group, stopped: waves };
  await new Session(options).show(shown, ({ stopped }) =>
    [
      `${site}.${group} has no permit: it takes no further link`,
      ...stopped.map((name) => `the wave ${name} is stopped: linkseal fleet resume ${name}`),
    ].join("\n"),
  );
}

interface FreezeOptions extends EngineOptions {
  readonly why: string;
}

async function freeze(site: string | undefined, options: FreezeOptions): Promise<void> {
  await set(site, "frozen", options);
}

async function thaw(site: string | undefined, options: FreezeOptions & Asking): Promise<void> {
  const text = `${site ?? "all sites"}: links may be taken again, by permits that waves give`;
  const session = new Session(options);
  if (!(await agrees(options, session, text, "Thaw it?"))) return declined();
  await set(site, "thawed", options);
}

async function set(
  site: string | undefined,
  state: "frozen" | "thawed",
  options: FreezeOptions,
): Promise<void> {
  const why = sentence(options.why);
  const where = site === undefined ? undefined : named(site);
  await atHub(options, (place, acts) => acts.setFreeze(place, where, state, why));
  const shown = { schema: "linkseal.fleetFreeze/1", site: site ?? null, state, why };
  await new Session(options).show(shown, (found) => `${found.site ?? "all sites"}: ${state}`);
}

const help = "linkseal fleet --help";

function msOf(option: string, text: string): number {
  const ms = durationMs(text);
  if (ms >= 1_000 || (option === "--bake" && ms === 0)) return ms;
  throw usage(`${option} is a duration with its unit, such as 90s, 30m or 2h`, help);
}

function named(text: string): string {
  if (isName(text)) return text;
  throw usage("a site or group has a-z, 0-9 and -, and at most 63 characters", help);
}

function sentence(text: string): string {
  if (isText(text)) return text;
  throw usage("--why is one line of at most 300 characters", help);
}
