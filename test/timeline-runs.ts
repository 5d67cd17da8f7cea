// The runs that docs/timelines.md shows: the real agent on the simulated site, with its default
// waiting times.

import { buildSite } from "#sim/site/site.ts";
import { type Overlap, routerWith } from "#sim/site/site-plan.ts";
import { rotateByHand } from "./fleet/by-hand.ts";
import { hasty } from "./short-waits.ts";
import { type Cost, markdownTable, spanText, Timeline } from "./timelines.ts";
import { group, Pair } from "./unit/kit/rotate-kit.ts";
import { settled } from "./unit/kit/site-bench.ts";

interface Run {
  readonly title: string;
  readonly overlap: Overlap;
  readonly config?: (text: string) => string;
  readonly happens: (pair: Pair, timeline: Timeline) => Promise<void>;
}

const minuteMs = 60_000;
const hourMs = 3_600_000;
const farEndMs = 30 * minuteMs;

const unhurried = (text: string): string => text.replace(hasty(""), "\n");
const manual = (text: string): string => text.replace("farEnd: agent", "farEnd: manual");
const afterSoak = (text: string): string =>
  text.replace("    drain: prepend", "    drain: prepend\n    retire: afterSoak");

async function toTheEnd(_pair: Pair, timeline: Timeline): Promise<void> {
  await timeline.reach("secondary done");
}

async function personAfterHours(pair: Pair, timeline: Timeline): Promise<void> {
  await timeline.reach("primary awaitingPeer");
  await timeline.run(3 * hourMs);
  timeline.note("`linkseal rotation proceed erd-demo`");
  await pair.say("proceed");
  await timeline.reach("primary switching");
  await timeline.run(2 * minuteMs);
  const link = pair.link("primary");
  const key = pair.campaign().links[0]?.new.key;
  if (key === undefined) throw new Error("the campaign has no first link");
  link.msee.manualEdit(link.azureLink, { key });
  await timeline.reach("secondary awaitingPeer");
}

async function farEndTakesAnother(pair: Pair, timeline: Timeline): Promise<void> {
  const { far, farPort } = pair.link("primary");
  const isBare = (): boolean => far.keys().length === 0;
  await timeline.reach("primary switching");
  await timeline.run(farEndMs, isBare);
  timeline.note("fault: its hardware takes another CAK than it is told");
  farPort.setTwist("cak", true);
  await timeline.reach("primary reverting");
  await timeline.run(farEndMs, isBare);
  timeline.note("the fault is over");
  farPort.setTwist("cak", false);
  await timeline.reach("primary done");
}

async function agentDies(pair: Pair, timeline: Timeline): Promise<void> {
  await timeline.reach("primary switching");
  await timeline.run(5_000);
  timeline.note("fault: the agent is killed");
  await pair.end();
  await timeline.run(5 * minuteMs);
  timeline.note("the agent is started again, and waits for `putGrace`");
  await pair.live();
  await timeline.reach("secondary done");
}

async function siblingFails(pair: Pair, timeline: Timeline): Promise<void> {
  await timeline.reach("primary proving");
  await timeline.run(5_000);
  timeline.note("fault: the fibre of the sibling is cut");
  pair.link("secondary").fibre.setUp(false);
  await timeline.run(3 * minuteMs);
  timeline.note("the fibre of the sibling is mended");
  pair.link("secondary").fibre.setUp(true);
  await timeline.reach("secondary done");
}

const runs: readonly Run[] = [
  { title: "Keychain, the agent writes the far end", overlap: "keychain", happens: toTheEnd },
  { title: "Fallback key, the agent writes the far end", overlap: "fallback", happens: toTheEnd },
  { title: "One key only, the agent writes the far end", overlap: "none", happens: toTheEnd },
  {
    title: "Keychain, a person changes the far end three hours later",
    overlap: "keychain",
    config: manual,
    happens: personAfterHours,
  },
  {
    title: "Keychain, `retire: afterSoak`",
    overlap: "keychain",
    config: afterSoak,
    happens: toTheEnd,
  },
  {
    title: "Reverted: the far end takes another key",
    overlap: "keychain",
    happens: farEndTakesAnother,
  },
  { title: "The agent is killed in `switching`", overlap: "keychain", happens: agentDies },
  { title: "The sibling fails in `proving`", overlap: "keychain", happens: siblingFails },
];

async function play({ title, overlap, config, happens }: Run) {
  const edit = (text: string): string => (config ?? ((same) => same))(unhurried(text));
  const pair = await Pair.adopted({ overlap, edit });
  await pair.run(5 * minuteMs);
  pair.newKeys();
  const timeline = new Timeline(pair);
  await pair.rotate();
  await happens(pair, timeline);
  const violations = pair.violations();
  if (violations.length > 0) throw new Error(violations.join("\n"));
  const cost = timeline.cost(title);
  const { theirsMs, oursMs, lostFrames } = cost;
  const outage = `${tenths(theirsMs)} theirs, ${tenths(oursMs)} ours`;
  const sum = `Dark: ${outage}. Frames of the pair lost: ${lostFrames}.`;
  return { text: [`### ${title}`, timeline.table(), sum].join("\n\n"), cost };
}

async function byHand(drain: "yes" | "no"): Promise<Cost> {
  const site = buildSite({
    ...{ seed: "rotate keychain", name: "demo", groups: 1, tunnels: 1, start: "protected" },
    models: () => ({ capabilities: routerWith("keychain") }),
  });
  await site.clock.runFor(6 * minuteMs);
  const link = site.link(`${group}/primary`);
  if (link === undefined) throw new RangeError("the demo has a primary link");
  const { outcome, outage, lostFrames, tookMs } = await settled(
    site.clock,
    rotateByHand(site, link, { drain }),
  );
  const { theirsMs, oursMs } = outage;
  const name = `By hand, ${drain === "yes" ? "drained" : "not drained"}`;
  return { name, outcome, tookMs, theirsMs, oursMs, lostFrames: Number(lostFrames) };
}

const tenths = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;

function costTable(costs: readonly Cost[]): string {
  const head = ["run", "outcome", "took", "dark, theirs", "dark, ours", "frames lost"];
  const rows = costs.map(({ name, outcome, tookMs, theirsMs, oursMs, lostFrames }) => [
    ...[name, outcome, spanText(tookMs), tenths(theirsMs), tenths(oursMs), String(lostFrames)],
  ]);
  return markdownTable([head, ...rows]);
}

/** Returns all runs as text, each by the name of its place in the document. */
export async function timelines(): Promise<Readonly<Record<"costs" | "timelines", string>>> {
  const played = [];
  for (const run of runs) played.push(await play(run));
  const costs = [...played.map(({ cost }) => cost), await byHand("yes"), await byHand("no")];
  return { costs: costTable(costs), timelines: played.map(({ text }) => text).join("\n\n") };
}
