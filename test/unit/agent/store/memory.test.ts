// What a journal makes the agent remember.

import { describe, expect, it } from "vitest";
import type { CampaignState } from "#agent/model/campaign.ts";
import {
  emptyMemory,
  type JournalRecord,
  type Memory,
  type Move,
  named,
  openCampaign,
  remember,
} from "#agent/store/journal/memory.ts";
import { recollect } from "#agent/store/journal/stored.ts";
import { campaignOf } from "../../kit/campaign-kit.ts";
import { bindingOf, wall } from "../../kit/snapshot-kit.ts";

const binding = bindingOf({ how: "adopted" });
const link = "erd-demo/primary";
const running = campaignOf("proving");
const psk = { kind: "psk", secretId: "https://v/secrets/hub-1/1" } as const;
const records = {
  campaign: { kind: "campaign", campaign: running },
  binding: { kind: "binding", link, binding },
  tunnel: { kind: "tunnel", name: "hub-1", intent: 3 },
  pending: { kind: "pending", device: "edge-a", token: "t-1" },
} as const satisfies Record<string, JournalRecord>;

function move(state: CampaignState): Move {
  const { since, reason } = running;
  return { at: since, link: "primary", state, reason };
}

const commitOf = (token: string) => ({ token, since: wall, moves: [] });
const unsaved = (token: string) =>
  ({ kind: "unsaved", device: "edge-a", commit: commitOf(token) }) as const;
const saved = (token: string) => ({ kind: "saved", device: "edge-a", token }) as const;
const unsavedOf = (...tokens: readonly string[]) => ({
  unsaved: { "edge-a": tokens.map(commitOf) },
});

const proposalEnd = { end: "applied", signer: "anna", by: "test" } as const;

describe("one record", () => {
  const cells: readonly (readonly [string, readonly JournalRecord[], Partial<Memory>])[] = [
    [
      "a campaign",
      [records.campaign],
      { campaigns: { "erd-demo": running }, trails: { "erd-demo": [move("proving")] } },
    ],
    [
      "its next step",
      [records.campaign, { kind: "campaign", campaign: campaignOf("held") }],
      {
        campaigns: { "erd-demo": campaignOf("held") },
        trails: { "erd-demo": [move("proving"), move("held")] },
      },
    ],
    [
      "a mark in the same state is no move",
      [records.campaign, { kind: "campaign", campaign: campaignOf("proving", { proved: true }) }],
      {
        campaigns: { "erd-demo": campaignOf("proving", { proved: true }) },
        trails: { "erd-demo": [move("proving")] },
      },
    ],
    [
      "the next campaign begins a trail of its own",
      [
        { kind: "campaign", campaign: campaignOf("done") },
        { kind: "campaign", campaign: campaignOf("queued") },
      ],
      {
        campaigns: { "erd-demo": campaignOf("queued") },
        trails: { "erd-demo": [move("queued")] },
      },
    ],
    [
      "a link drained by hand",
      [{ kind: "handDrain", link, drain: { by: "test", since: wall } }],
      { drains: { [link]: { by: "test", since: wall } } },
    ],
    [
      "and given back",
      [
        { kind: "handDrain", link, drain: { by: "test", since: wall } },
        { kind: "handDrain", link, drain: null },
      ],
      {},
    ],
    [
      "the last sixteen measures of a kind",
      Array.from({ length: 18 }, (_, ms) => ({ kind: "measured", what: "commit edge-a", ms })),
      { measures: { "commit edge-a": Array.from({ length: 16 }, (_, index) => index + 2) } },
    ],
    ["a binding", [records.binding], { bindings: { [link]: binding } }],
    ["a link that is forgotten", [records.binding, { kind: "forget", link }], { bindings: {} }],
    ["a tunnel", [records.tunnel], { tunnels: { "hub-1": 3 } }],
    [
      "the pre-shared key of a tunnel",
      [{ kind: "auth", name: "hub-1", inUse: { auth: psk } }],
      { auths: { "hub-1": { auth: psk } } },
    ],
    [
      "the pre-shared key of two tunnels",
      [{ kind: "sharedAuth", names: ["hub-1", "hub-2"], inUse: { auth: psk } }],
      { auths: { "hub-1": { auth: psk }, "hub-2": { auth: psk } } },
    ],
    [
      "a proposal that was applied",
      [{ kind: "proposal", sha256: "ab", ended: proposalEnd }],
      { proposals: { ab: proposalEnd } },
    ],
    [
      "the newest 256 proposals",
      Array.from({ length: 300 }, (_, at) => ({
        ...{ kind: "proposal", sha256: `p${at}`, ended: proposalEnd },
      })),
      {
        proposals: Object.fromEntries(
          Array.from({ length: 256 }, (_, at) => [`p${at + 44}`, proposalEnd]),
        ),
      },
    ],
    ["a pending transaction", [records.pending], { pending: { "edge-a": "t-1" } }],
    [
      "one that is settled",
      [records.pending, { kind: "pending", device: "edge-a", token: null }],
      { pending: {} },
    ],
    ["a commit that is not known to be saved", [unsaved("t")], unsavedOf("t")],
    [
      "one that is sent again once",
      [unsaved("t"), unsaved("u"), unsaved("t")],
      unsavedOf("t", "u"),
    ],
    ["one of two", [unsaved("t"), unsaved("u"), saved("t")], unsavedOf("u")],
    ["of commits that were saved nothing", [unsaved("t"), saved("t"), saved("x")], {}],
    [
      "the newest 16 that were never saved",
      Array.from({ length: 20 }, (_, at) => unsaved(`t${at}`)),
      unsavedOf(...Array.from({ length: 16 }, (_, at) => `t${at + 4}`)),
    ],
    [
      "the last change of a device that was to be final",
      [
        { kind: "effect", place: "edge-a", what: "drain", token: "t" },
        { kind: "effect", place: "edge-a", what: "promote", token: "u" },
      ],
      { finals: { "edge-a": "u" } },
    ],
    [
      "of a change that is confirmed later nothing",
      [
        { kind: "effect", place: "edge-a", what: "drain", token: "t" },
        { kind: "effect", place: "edge-a", what: "stage", token: "u" },
      ],
      {},
    ],
    [
      "the last operation of a far end",
      [
        { kind: "operation", link, operation: "op-1" },
        { kind: "operation", link, operation: "op-2" },
      ],
      { operations: { [link]: "op-2" } },
    ],
    [
      "a snapshot stands for all before it",
      [
        records.tunnel,
        { kind: "snapshot", memory: { ...emptyMemory, bindings: { [link]: binding } } },
        records.pending,
      ],
      { bindings: { [link]: binding }, pending: { "edge-a": "t-1" } },
    ],
  ];
  it.each(cells)("a journal record changes the memory: %s", (_name, given, expected) => {
    expect(given.reduce(remember, emptyMemory)).toEqual({ ...emptyMemory, ...expected });
  });

  it("a journal record does not change the old memory object", () => {
    const before = remember(emptyMemory, records.binding);
    remember(before, { kind: "forget", link });
    expect(before.bindings[link]).toEqual(binding);
  });
});

describe("a whole journal", () => {
  it("a memory is the same after a round trip through JSON", () => {
    const all = Object.values(records);
    const read: { kind: string }[] = JSON.parse(JSON.stringify(all));
    expect(recollect(read)).toEqual(recollect(all));
  });

  it("records of unknown or later kinds are ignored", () => {
    const strange = [
      { kind: "journal.lossAccepted", who: "admin" },
      records.binding,
      { kind: "rotation.of.2031" },
      { kind: "constructor" },
    ];
    expect(recollect(strange)).toEqual({ ...emptyMemory, bindings: { [link]: binding } });
  });
});

describe("names that come from outside", () => {
  it.each(["constructor", "__proto__", "toString", "hasOwnProperty"])(
    "the name %s is not an entry of a memory",
    (name) => {
      expect(openCampaign(emptyMemory, name)).toBeUndefined();
      expect(named(emptyMemory.tunnels, name)).toBeUndefined();
    },
  );

  it("an open campaign is one that has not ended", () => {
    const memory = remember(emptyMemory, records.campaign);
    expect(openCampaign(memory, "erd-demo")).toBe(running);
    const ended = remember(memory, { kind: "campaign", campaign: campaignOf("done") });
    expect(openCampaign(ended, "erd-demo")).toBeUndefined();
    expect(openCampaign(memory, "other")).toBeUndefined();
  });
});
