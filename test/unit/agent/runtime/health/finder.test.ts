// Tables of finders: who is asked, how often, and what a finding says of its own.

import { describe, expect, it } from "vitest";
import { type Finding, raisedIn, type Scene } from "#agent/runtime/health/finder.ts";

const scene = {} as Scene;
const of = { about: "erd/primary", within: ["edge-a", "erd"] };

describe("a table of finders", () => {
  it("a table reports in the order of its rows, with the code and the thing of each", () => {
    const rows = { "key-age": () => "too old", drift: () => ({ text: "differs", next: "look" }) };
    expect(raisedIn(rows, scene, of)).toEqual([
      { code: "key-age", text: "too old", next: "linkseal keys generate erd/primary", ...of },
      { code: "drift", text: "differs", next: "look", ...of },
    ]);
  });

  it("a search that two codes share runs once, and each finding keeps its own code", () => {
    let runs = 0;
    const shared = (): readonly Finding[] => {
      runs += 1;
      return [{ code: "key-age-soon", text: "soon" }];
    };
    const found = raisedIn({ "key-age": shared, "key-age-soon": shared }, scene, of);
    expect([runs, found.map(({ code }) => code)]).toEqual([1, ["key-age-soon"]]);
  });

  it("a finding about another thing is within that thing's group, and not within this one", () => {
    const rows = { "rotation-held": () => ({ about: "other/secondary", text: "held" }) };
    expect(raisedIn(rows, scene, of)).toMatchObject([
      { about: "other/secondary", within: ["other"], next: "linkseal rotation show other" },
    ]);
  });
});
