// What the page says first about a site, and what it lists below its cause.

import { describe, expect, it } from "vitest";
import { runsOf } from "#agent/web/day-strip.ts";
import { isFound, isLarge } from "#agent/web/model.ts";
import { siteSentence } from "#agent/web/sentence.ts";
import { consequencesOf } from "#agent/web/warnings.ts";
import { momentAt } from "../../../peers/page-moments.ts";

type Options = Parameters<typeof momentAt>[1];
const sentenceOf = (options: Options) => {
  const { tone, text } = siteSentence(momentAt(1, options)) ?? {};
  return `${tone}: ${text}`;
};

describe("the sentence of a site", () => {
  const [one, two] = ["erd-dub/primary", "erd-dub/secondary"] as const;
  const cases: readonly (readonly [string, Options, string])[] = [
    ["a calm site", { groups: 1 }, "good: All links and tunnels are protected."],
    [
      "both links down",
      { groups: 1, verdicts: { [one]: "down", [two]: "down" }, planned: { [one]: "rotate" } },
      "bad: No link of erd-dub carries traffic.",
    ],
    [
      "one link down",
      { groups: 1, verdicts: { [one]: "down" } },
      "bad: erd-dub/primary is down; erd-dub/secondary is protected.",
    ],
    [
      "one link down in planned work",
      { groups: 1, verdicts: { [one]: "down" }, planned: { [one]: "rotate" } },
      "plan: erd-dub/primary is out of service as planned (rotation); erd-dub/secondary is " +
        "protected.",
    ],
    [
      "a link in the clear in planned work, which stays an alarm",
      { groups: 1, verdicts: { [one]: "unprotected" }, planned: { [one]: "enrol" } },
      "bad: erd-dub/primary is unprotected: traffic may pass in the clear.",
    ],
    [
      "a down link beside a degraded one",
      { groups: 1, verdicts: { [one]: "degraded", [two]: "down" } },
      "bad: erd-dub/secondary is down; erd-dub/primary is degraded.",
    ],
    [
      "an unknown link",
      { groups: 1, verdicts: { [two]: "unknown" } },
      "care: erd-dub/secondary is unknown.",
    ],
    [
      "five links down of many",
      {
        groups: 9,
        verdicts: Object.fromEntries(
          [1, 2, 3, 4, 5].map((n) => [`erd-00${n}/primary`, "down" as const]),
        ),
      },
      "bad: erd-001/primary, erd-002/primary, erd-003/primary and 2 more are down.",
    ],
    [
      "a tunnel alone",
      { groups: 1, tunnels: 1, because: { code: "device-unreachable", about: "edge-a" } },
      "bad: All links are protected. Tunnel not protected: hub-1 (down).",
    ],
  ];

  it.each(cases)("the sentence of %s says it", (_name, options, text) => {
    expect(sentenceOf(options)).toBe(text);
  });

  it("the sentence of a site whose links are all down names no group", () => {
    const { groups } = momentAt(1, { groups: 3 }).status;
    const all = groups.flatMap(({ name, links }) => links.map((link) => `${name}/${link.name}`));
    const verdicts = Object.fromEntries(all.map((id) => [id, "down" as const]));
    expect(sentenceOf({ groups: 3, verdicts })).toBe("bad: No link of this site carries traffic.");
  });

  it("a site without a config has no sentence, because its reasons say it", () => {
    expect(siteSentence(momentAt(1, { groups: 0 }))).toBeUndefined();
  });
});

it("what follows from a warning is listed below it", () => {
  const because = { code: "mka-no-live-peer", about: "erd-dub/primary" } as const;
  const moment = momentAt(1, { groups: 1, tunnels: 2, because });
  expect([...consequencesOf(moment)]).toEqual([
    [
      "mka-no-live-peer erd-dub/primary",
      [
        { kind: "tunnel", id: "hub-1", verdict: "down" },
        { kind: "tunnel", id: "hub-2", verdict: "down" },
      ],
    ],
  ]);
});

it("rows are short above twenty links and tunnels", () => {
  expect([10, 11].map((groups) => isLarge(momentAt(1, { groups })))).toEqual([false, true]);
  expect(isLarge(momentAt(1, { groups: 10, tunnels: 1 }))).toBe(true);
});

it("a search finds a text that has each of its words, in any case", () => {
  const text = "link erd-dub/primary down edge-a et-0/0/0";
  const searches = ["", "ERD-DUB", "down edge", "edge-a prim", "edge-b", "down up"];
  expect(searches.map((search) => isFound(text, search))).toEqual([
    ...[true, true, true, true],
    ...[false, false],
  ]);
});

it("equal states of a day are one part of its strip", () => {
  expect(runsOf("--ppx")).toEqual([
    { state: "-", from: 0, slots: 2 },
    { state: "p", from: 2, slots: 2 },
    { state: "x", from: 4, slots: 1 },
  ]);
  expect(runsOf("")).toEqual([]);
});
