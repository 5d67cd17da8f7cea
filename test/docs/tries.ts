// How often each surface is attacked by the tests, read from the tests themselves: a test draws so
// many cases as its `effort` names, and a test that finds one which succeeds fails.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { attacks } from "../process/hostile-router.ts";
import { ownAttacks } from "../process/hostile-service-cost.ts";
import { services } from "../process/hostile-services.ts";
import { swollen } from "../process/swollen-router.ts";

/** Tries of a file: the sum of its drawn cases, `times` as many. */
interface Drawn {
  readonly file: string;
  readonly times?: number;
  /** It takes minutes, and so runs only if it is named. */
  readonly isAlone?: true;
}

interface Surface {
  readonly surface: string;
  /** Tries of the offensive review of 2026-11, and how many succeeded then; 0 = none. */
  readonly review: readonly [tried: number, succeeded: number];
  readonly drawn: readonly Drawn[];
}

const root = join(import.meta.dirname, "../..");
const unit = (name: string, times = 1): Drawn => ({ file: `test/unit/${name}.test.ts`, times });

const surfaces: readonly Surface[] = [
  {
    surface: "requests over `view.sock` and `admin.sock`",
    review: [6_186, 1],
    drawn: [unit("agent/api/api-hostile")],
  },
  {
    surface: "refusals in number against the evidence",
    review: [6_000, 2],
    drawn: [{ file: "test/process/evidence-flood.test.ts", isAlone: true }],
  },
  { surface: "NETCONF framing", review: [19, 2], drawn: [unit("drivers/transport/netconf")] },
  { surface: "XML", review: [0, 0], drawn: [unit("drivers/transport/xml-second-reading")] },
  {
    surface: "replies that are changed octet by octet, each vendor",
    review: [872_000, 0],
    drawn: [
      unit("drivers/transport/cli-hostile"),
      { file: "test/unit/drivers/hostile-kit.ts", times: 4 },
    ],
  },
  {
    surface: "replies of which rows are lost, moved and garbled, each vendor",
    review: [0, 0],
    drawn: [{ file: "test/unit/drivers/dirty-answers.ts", times: 4 }],
  },
  {
    surface: "whole observations of damaged routers over SSH, each vendor in up to ten states",
    review: [105, 0],
    drawn: [
      { file: "test/conformance/damaged.test.ts", times: 7 },
      { file: "test/peers/damaging-proxy.test.ts", times: 4 },
    ],
  },
  {
    surface: "SNMPv3 replies",
    review: [2_500, 0],
    drawn: [unit("drivers/transport/snmp-hostile")],
  },
  {
    surface: "replies of Azure, its vault and its sign-in",
    review: [11, 3],
    drawn: [unit("agent/azure/azure-hostile")],
  },
  {
    surface: "messages of the kernel",
    review: [0, 0],
    drawn: [unit("drivers/linux/netlink/netlink-hostile")],
  },
  {
    surface: "MKPDUs, and requests to an MKA process",
    review: [0, 0],
    drawn: [unit("drivers/linux/mka/kay-hostile"), unit("drivers/linux/mka/mka-protocol")],
  },
  { surface: "packets of charon", review: [0, 0], drawn: [unit("drivers/transport/vici")] },
  {
    surface: "requests to `linkseal-net`",
    review: [4_099, 0],
    drawn: [unit("drivers/linux/net/net-requests")],
  },
  {
    surface: "frames between an agent and `linkseal peer`, at both ends",
    review: [0, 0],
    drawn: [unit("drivers/linux/peer/peer-hostile")],
  },
  {
    surface: "files of the state folders",
    review: [10, 2],
    drawn: [unit("agent/host/files-hostile")],
  },
  { surface: "config files", review: [0, 0], drawn: [unit("agent/config/config")] },
  {
    surface: "documents of a scorecard",
    review: [0, 0],
    drawn: [unit("agent/evidence/scorecard/documents")],
  },
];

const numberOf = (text: string): number => Number(text.replaceAll("_", ""));

/** Returns the cases that a file draws, at each change and in the long run. */
function drawnIn({ file, times = 1, isAlone }: Drawn): readonly [number, number] {
  const text = readFileSync(join(root, file), "utf8");
  // Numbers of cases grow in the long run; other uses of it are times and steps.
  const cases = /(?:runs|numRuns|looks|mutations|refusals|run <)\W+effort\(([\d_]+), ([\d_]+)\)/gi;
  const all = [...text.matchAll(cases)].map(([, usual = "", long = ""]) => [
    numberOf(usual),
    numberOf(long),
  ]);
  if (all.length === 0) throw new RangeError(`${file} draws no cases`);
  const sum = (which: 0 | 1): number => all.reduce((total, one) => total + (one[which] ?? 0), 0);
  return [isAlone ? 0 : times * sum(0), times * sum(1)];
}

const shown = (count: number): string => count.toLocaleString("en");

function rowOf({ surface, review, drawn }: Surface): string {
  const counts = drawn.map(drawnIn);
  const [usual, long] = [0, 1].map((which) =>
    counts.reduce((total, one) => total + (one[which as 0 | 1] ?? 0), 0),
  );
  const files = drawn.map(
    ({ file }) => `[${/([\w-]+)(?:\.test)?\.ts$/.exec(file)?.[1]}](../${file})`,
  );
  const [tried, succeeded] = review.map(shown);
  const before = review[0] === 0 ? "-" : `${tried} / ${succeeded}`;
  const now = `${usual === 0 ? "-" : shown(usual ?? 0)} | ${shown(long ?? 0)}`;
  return `| ${surface} | ${before} | ${now} | ${files.join(", ")} |`;
}

/** Returns the part `tries` of docs/attacks.md. */
export function triesPart(): { readonly tries: string } {
  const routers = attacks.size + swollen.size;
  const others = services.size + ownAttacks.length;
  return {
    tries: [
      "| surface | the review: tried / succeeded | at each change | long run | by |",
      "| --- | --- | --- | --- | --- |",
      ...surfaces.map(rowOf),
      "",
      `Beside these, ${routers} kinds of hostile routers and ${others} of services and clients are`,
      "tried for what they cost.",
    ].join("\n"),
  };
}
