// The verb scorecard: from the agent and Azure, or from exported documents without either.

import type { Command } from "commander";
import type { WallTime } from "#hal/world.ts";
import { judgeDocuments, type Scorecard } from "../evidence/scorecard/scorecard.ts";
import { isoTime } from "../model/iso-time.ts";
import { readDocuments } from "./documents-folder.ts";
import { type Common, Session } from "./session.ts";
import { exit, verb } from "./shape.ts";

export function registerScorecard(program: Command): void {
  verb(
    program
      .command("scorecard")
      .description(
        "Microsoft's Zero Trust recommendations: proven, failed or not verifiable; exit status 4 " +
          "if one failed",
      )
      .option(
        "--documents <folder>",
        "judge the exported JSON documents in it, without an agent and without an identity",
      ),
    "linkseal scorecard --documents exported",
  ).action(showScorecard);
}

interface ScorecardOptions extends Common {
  readonly documents?: string;
}

const verdictWords = {
  proven: "proven",
  failed: "FAILED",
  notVerifiable: "not verifiable",
} as const;

async function showScorecard(options: ScorecardOptions): Promise<void> {
  const session = new Session(options);
  const card =
    options.documents === undefined
      ? await session.view<Scorecard>("/v1/scorecard")
      : judgeDocuments(await readDocuments(options.documents), isoTime(Date.now() as WallTime));
  await session.show(card, ({ rows, counts, ...read }) =>
    [
      ...rows.flatMap(({ id, recommendation, verdict, evidence, next }) => [
        `${verdictWords[verdict]}: ${recommendation} (${id})`,
        ...evidence.map((text) => `    ${text}`),
        ...(next === null ? [] : [`    next: ${next}`]),
      ]),
      "",
      `${counts.proven} proven, ${counts.failed} failed, ${counts.notVerifiable} not verifiable`,
      ...readText(read),
    ].join("\n"),
  );
  exit(card.counts.failed > 0 ? 4 : 0);
}

function readText({ scopes, documents }: Pick<Scorecard, "scopes" | "documents">): string[] {
  if (documents === null) {
    return [scopes.length === 0 ? "nothing of Azure was read" : `read: ${scopes.join(", ")}`];
  }
  const { files, resources, others, refused } = documents;
  return [
    `read: ${files} files, ${resources} resources, and ${others} of other types`,
    ...refused.map(({ file, why }) => `not read: ${file}: ${why}`),
  ];
}
