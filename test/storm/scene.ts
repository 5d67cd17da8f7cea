// The scene of one seed: how its group is configured, which faults strike it, and who acts.

import type { Prng } from "#sim/base/prng.ts";
import type { RoutersPerGroup } from "#sim/site/site-plan.ts";

export interface Scene {
  readonly routers: 2 | 4;
  readonly perGroup: RoutersPerGroup;
  readonly start: "clear" | "protected";
  readonly farEnd: "agent" | "manual";
  readonly drain: "prepend" | "gracefulShutdown" | "none";
  readonly retire: "afterProof" | "afterSoak";
  readonly quirk: "none" | "shutBeforeKeyChange";
  readonly begins: "byHand" | "byVaultVersion";
  /** Closed half an hour out of two, or the whole first day. */
  readonly closed: "never" | "windows" | "freeze";
  /** `accepted`: the agent cannot see the far end of a manual group, by an accepted risk. */
  readonly unseen: "accepted" | "refused";
  /** The mean time between two strikes anywhere at the site; undefined for no faults. */
  readonly strikeMs: number | undefined;
  readonly kindChance: number;
  /**
   * The mean number of calls to disk and World after which the agent crashes; undefined for none.
   */
  readonly deathCalls: number | undefined;
  readonly disk: "sound" | "spoilt";
  /** `hasty`: deadlines that a slow router or far end misses, under a timer that outlasts them. */
  readonly deadlines: "patient" | "hasty";
  /** The number of quiet samples that a drain needs. */
  readonly samples: 1 | 3;
  /** The interval of the agent's observations while nothing is under way. */
  readonly poll: "10s" | "20s";
  /** The packet rate of the routing alone: with BFD, or BGP and little else. */
  readonly routingPps: number;
  /** The number of faults that wait for a state, in each fault schedule. */
  readonly targeted: number;
  /** The end that makes the SAKs; links that were protected by hand have the far end. */
  readonly server: "far end" | "router";
}

export function drawScene(prng: Prng): Scene {
  const weighted = <T>(...rows: readonly (readonly [T, number])[]): T =>
    prng.pick(rows.flatMap((row) => Array.from({ length: row[1] }, () => row)))[0];
  return {
    routers: weighted([2, 9], [4, 1]),
    start: weighted(["protected", 8], ["clear", 2]),
    farEnd: weighted(["agent", 6], ["manual", 4]),
    drain: weighted(["prepend", 5], ["gracefulShutdown", 3], ["none", 2]),
    retire: weighted(["afterProof", 1], ["afterSoak", 1]),
    quirk: weighted(["none", 3], ["shutBeforeKeyChange", 1]),
    begins: weighted(["byHand", 3], ["byVaultVersion", 1]),
    closed: weighted(["never", 10], ["windows", 2], ["freeze", 1]),
    unseen: weighted(["refused", 3], ["accepted", 1]),
    strikeMs: weighted([undefined, 1], [20_000, 3], [60_000, 5], [180_000, 3]),
    kindChance: weighted([0.1, 2], [0.3, 2], [0.6, 1]),
    deathCalls: weighted([undefined, 1], [150, 1], [600, 2], [2_000, 2]),
    disk: weighted(["sound", 3], ["spoilt", 1]),
    deadlines: weighted(["patient", 1], ["hasty", 1]),
    samples: weighted([1, 2], [3, 1]),
    routingPps: weighted([0.2, 1], [1, 3]),
    targeted: weighted([0, 2], [1, 2], [3, 2], [6, 1]),
    perGroup: weighted(["two", 9], ["one", 1]),
    poll: weighted(["10s", 1], ["20s", 3]),
    server: weighted(["far end", 2], ["router", 1]),
  };
}

const until = "until: 2027-11-24";
const windows = Array.from({ length: 12 }, (_, index) => {
  const hour = String(index * 2).padStart(2, "0");
  const end = String(index * 2 + 1).padStart(2, "0");
  return `"daily ${hour}:00-${end}:30 UTC"`;
});

const deadlineLines: Readonly<Record<Scene["deadlines"], readonly string[]>> = {
  patient: ["  verify: 110s", "  confirm: 3m", "  farEnd: 4m"],
  hasty: ["  verify: 30s", "  confirm: 6m", "  farEnd: 100s"],
};

/** Returns shortened waiting times, so that a rotation takes a few minutes of virtual time. */
const waits = ({ deadlines, samples }: Scene): readonly string[] => [
  "rotation:",
  "  settle: 6s",
  "  soak: 4s",
  ...deadlineLines[deadlines],
  "  putGrace: 20s",
  `  drained: { samples: ${samples}, every: 1s }`,
];

/** A router with this priority is the key server: the simulated far end has 8. */
const serves = (macsec: string): string =>
  macsec.includes("keyServerPriority")
    ? macsec.replace(/keyServerPriority: \d+/, "keyServerPriority: 5")
    : `${macsec}, keyServerPriority: 4`;

/** Returns the config of the site for this scene; `macsec` is the block of every link. */
export function sceneText(scene: Scene, siteText: string, macsec: string): string {
  const { farEnd, drain, retire, quirk, begins, closed, unseen, poll } = scene;
  const on = begins === "byHand" ? "hand" : "vaultVersion";
  const settings = scene.server === "router" && scene.start === "clear" ? serves(macsec) : macsec;
  const window = closed === "windows" ? `, window: [${windows.join(", ")}]` : "";
  const group = [
    `    drain: ${drain}`,
    `    retire: ${retire}`,
    `    rotate: { on: ${on}${window} }`,
    ...(closed === "freeze" ? ['    freeze: ["2026-11-24/2026-11-24"]'] : []),
  ];
  const risks = [
    "shortSettle",
    "noProbe",
    ...(drain === "none" ? ["noDrain"] : []),
    ...(unseen === "accepted" ? ["farEndUnseen"] : []),
  ];
  const quirks = quirk === "none" ? "" : `\n    quirks: [${quirk}]`;
  return [
    siteText
      .trimEnd()
      .replace("farEnd: agent", `farEnd: ${farEnd}`)
      .replaceAll("    driver: sim", `    driver: sim${quirks}`)
      .replaceAll("    drain: prepend", group.join("\n"))
      .replaceAll(/macsec: \{[^}]*\}/g, `macsec: { ${settings} }`),
    ...risks.map((risk) => `  - { risk: ${risk}, ${until} }`),
    `health: { poll: ${poll} }`,
    ...waits(scene),
    "",
  ].join("\n");
}
