// docs/claims.md: each positive statement of the product, and the facts that it rests on.

import { type ClaimRow, claims, type FactRow } from "#agent/model/claims.ts";

const uses: Readonly<Record<ClaimRow["use"], string>> = {
  takes: "An effect that takes (drains, changes a key, removes one) waits for it.",
  tells: "It is said, and no effect waits for it.",
};

/** Returns the text of docs/claims.md. */
export function claimsPage(): string {
  const sections = Object.entries<ClaimRow>(claims).map(([name, { says, use, facts }]) =>
    [
      `## ${says[0]?.toUpperCase()}${says.slice(1)} (\`${name}\`)\n`,
      `${uses[use]}\n`,
      "| what was seen | of | counts for | read from | where |",
      "| --- | --- | --- | --- | --- |",
      ...Object.values(facts).map(rowOf),
      "",
    ].join("\n"),
  );
  return [
    "# Claims\n",
    "This page is for a reviewer who asks what linkseal has seen before it says something good.\n",
    "Generated from [the table](../agent/model/claims.ts), the only place that forms such a",
    "statement. Each one holds while every fact of its row was seen, strong and in time; that",
    "nothing speaks against it is no fact. Where one was not seen the answer is `unknown`, and",
    "where its opposite was seen, that. An effect that gives (undrain, restore, the way back)",
    "waits for none of them but that the link can carry.\n",
    "`npm test -- claims` takes each fact away, on every platform or from the agent's own records",
    "(missing, nonsense, old, weak, contradicted, otherwise; for verdicts and records also two at",
    "once) and sees the claim fall; then it searches for worlds in which all facts were seen and",
    "the claim is false. One kind is known, and named there: frames that vanish behind the far",
    "end's port show in a round trip alone, which is the claim `delivered`. `npm test -- said`",
    "prints what a whole agent says each second beside a capture, while far ends, programs and",
    "vaults on a real kernel deceive it.\n",
    ...sections,
  ].join("\n");
}

function rowOf({ says, of, counts, shownBy, onlyWhere }: FactRow): string {
  const read = shownBy.map((name) => `\`${name}\``).join(", ");
  return `| ${says} | ${of} | ${counts} | ${read} | ${onlyWhere ?? "everywhere"} |`;
}
