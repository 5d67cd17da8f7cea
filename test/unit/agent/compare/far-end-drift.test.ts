// What a plan notes about a far end that is another one than before, or that was not read.

import { describe, expect, it } from "vitest";
import { type FarEndPlace, farEndNotes, isSameFarEnd } from "#agent/compare/far-end-drift.ts";
import { keyOne } from "../../kit/campaign-kit.ts";
import { linkNamed, peerOff, peerOn } from "../../kit/snapshot-kit.ts";

const portIn = (group: string): string =>
  "/subscriptions/01234567-89ab-cdef-0123-456789abcdef/resourceGroups/" +
  `${group}/providers/Microsoft.Network/expressRoutePorts/erd-dub`;
const place = (link: FarEndPlace["link"], resource = portIn("rg-a")): FarEndPlace => ({
  ...{ cloud: "public", resource, link },
});
const move = { from: place("link1"), to: place("link2"), kind: "planned" } as const;
const reading = {
  ...{ link: linkNamed("primary"), key: keyOne, peer: peerOn() },
  ...{ failure: undefined, move: undefined, isUnseen: false },
};
const failure = { text: "there is no such port (404)", next: "compare expressRoutePort" };

describe("the note about another far end", () => {
  it("both far ends and the fibre are named, and the command is filled in", () => {
    const [note] = farEndNotes({ ...reading, peer: peerOff, move });
    expect(note?.text).toContain("becomes link2 of erd-dub (before: link1 of erd-dub)");
    expect(note?.text).toContain("the fibre of edge-a et-0/0/0 must end at link2 of erd-dub");
    expect(note?.next).toMatch(
      /^az network express-route port link show .*--port-name erd-dub --name link2 --query /,
    );
    expect(note?.next).toContain("panel:patchPanelId");
  });

  it("two ports of the same name are told apart by their whole ids", () => {
    const to = place("link1", portIn("rg-b"));
    const [note] = farEndNotes({ ...reading, move: { ...move, to } });
    expect(note?.text).toContain(`link1 of ${portIn("rg-b")} (before: link1 of ${portIn("rg-a")})`);
    expect(note?.text).toContain("it has the key of this link");
  });

  it("a move in force is noted until its far end has the key of the link", () => {
    const done = { ...move, kind: "done" } as const;
    expect(farEndNotes({ ...reading, move: done })).toEqual([]);
    expect(farEndNotes({ ...reading, move: done, peer: peerOff })).toHaveLength(1);
    expect(farEndNotes({ ...reading, move: done, peer: undefined, failure })).toMatchObject([
      { text: expect.stringContaining(`it was not read yet (${failure.text})`), kind: "check" },
    ]);
  });

  it("resource ids that differ in upper and lower case are one port", () => {
    const upper = place("link1", portIn("RG-A"));
    expect(isSameFarEnd(place("link1"), upper)).toBe(true);
    expect(isSameFarEnd(place("link1"), { ...upper, link: "link2" })).toBe(false);
    expect(isSameFarEnd(place("link1"), { ...upper, cloud: "china" })).toBe(false);
    expect(isSameFarEnd(undefined, undefined)).toBe(false);
  });
});

describe("the note about a far end that was not read", () => {
  it("a far end that was not read is no far end as the config wants it", () => {
    expect(farEndNotes(reading)).toEqual([]);
    expect(farEndNotes({ ...reading, peer: undefined, failure })).toEqual([
      {
        about: "erd-demo/primary",
        text: `the far end was not read (${failure.text}); what it has is not known`,
        ...{ next: failure.next, kind: "check" },
      },
    ]);
  });

  it("a far end that a person maintains unseen is a limit, and no difference", () => {
    const [note] = farEndNotes({ ...reading, peer: undefined, isUnseen: true });
    expect(note?.kind).toBe("limit");
  });
});
