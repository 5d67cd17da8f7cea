// `npm run fleet:lab`: many sites on this computer, with an engine, two hubs and a wave.

import { parseArgs } from "node:util";
import { whyLacking } from "../../machine/place.ts";
import { hubLogin } from "../../peers/hub-process.ts";
import { Hall, membersIn, namesOf } from "./hall.ts";
import { Story } from "./story.ts";

const sitesMax = 200;
const usage = `npm run fleet:lab -- [--sites NUMBER] [--once] [--json]

Many sites on this computer: nats-server with the configuration that linkseal writes, two hubs and
their page, 2 to 5 whole sites (an agent of its own each, with simulated routers), and recorded
sites that ask, begin and end as an agent does. A wave gives all of them new keys: one site fails, a
hub and the engine are killed, all is frozen and thawed. Each whole site is compared with the same
site without a hub.

  --sites   6 to ${sitesMax}; 40 if not given
  --once    ends after the wave; otherwise all goes on for you to look at, until Ctrl-C
  --json    what was promised, what was found, counts and times as JSON, and nothing else

Exit status: 0 all was as promised, 4 it was not, 1 the lab itself failed, 2 this usage.`;

function options() {
  try {
    const { values } = parseArgs({
      options: {
        sites: { type: "string", default: "40" },
        once: { type: "boolean", default: false },
        json: { type: "boolean", default: false },
        help: { type: "boolean", default: false },
      },
    });
    const sites = Number(values.sites);
    return Number.isInteger(sites) && sites >= 6 && sites <= sitesMax
      ? { ...values, sites }
      : undefined;
  } catch {
    return undefined;
  }
}

async function main(): Promise<number> {
  const asked = options();
  if (asked === undefined || asked.help) {
    console.error(usage);
    return asked?.help === true ? 0 : 2;
  }
  const lacks = whyLacking(["nats-server", "openssl"]);
  if (lacks !== undefined) {
    console.error(lacks);
    return 1;
  }
  const stopped = new Promise<void>((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => resolve());
  });
  const say = (line: string): void => (asked.json ? console.error(line) : console.log(line));
  const begun = performance.now();
  const names = namesOf(asked.sites);
  say(`${names.real.length} whole sites and ${names.recorded.length} recorded ones`);
  await using hall = await Hall.open(names);
  const story = new Story(hall, say);
  const isOver = await Promise.race([story.run().then(() => true), stopped.then(() => false)]);
  if (!isOver) {
    for (const { name, log } of hall.real) console.error(`${name}:\n${log}`);
    return 1;
  }
  const isKept = story.promises.every(({ found }) => found.length === 0);
  if (asked.json) console.log(JSON.stringify(await documentOf(hall, story, begun), undefined, 2));
  if (!isKept) for (const { name, log } of hall.real) console.error(`${name}:\n${log}`);
  if (!asked.once) {
    const { url, code } = await hall.pageLogin();
    say(`\nthe hub's page: ${url}   login code: ${code}`);
    say(`other verbs: npx --no -- linkseal fleet status ${hubLogin(hall.nats).join(" ")}`);
    say("Ctrl-C ends it");
    await stopped;
  }
  return isKept ? 0 : 4;
}

async function documentOf(hall: Hall, { promises, times }: Story, begun: number) {
  const found = await hall.wave();
  const count = (kind: "reached" | "leftOut") => found && membersIn(found, kind).length;
  return {
    kept: promises.every(({ found }) => found.length === 0),
    sites: { whole: hall.real.length, recorded: hall.names.recorded.length },
    wave: {
      ...{ stages: found?.stages.length, share: hall.names.share },
      ...{ reached: count("reached"), leftOut: count("leftOut") },
    },
    effects: Object.fromEntries(hall.real.map(({ name, effects }) => [name, effects.length])),
    times: { ...times, seconds: Math.round((performance.now() - begun) / 1_000) },
    promises,
  };
}

process.exitCode = await main();
