// What would be done, in which order, and what is left to a person.

import { describe, expect, it } from "vitest";
import type { LinkView } from "#agent/campaign/facts.ts";
import type { Desired, DesiredLink } from "#agent/desired.ts";
import { emptyMemory, type Memory } from "#agent/journal/memory.ts";
import { type Plan, plan, samePlan, standingOf } from "#agent/plan.ts";
import { type DeviceState, type IpsecTunnel, known, unknown } from "#hal/model.ts";
import { keyOne } from "./campaign-kit.ts";
import { capabilities, ckn, sampleState } from "./site-bench.ts";
import {
  at,
  clearPort,
  desiredOf,
  link,
  linkNamed,
  peerOff,
  peerOn,
  securedPort,
  settings,
  stateOf,
  viewOf,
  wall,
} from "./view-kit.ts";

const now = at(0);
const bound: Memory = {
  ...emptyMemory,
  bindings: {
    "erd-demo/primary": { key: keyOne, since: wall, created: wall, how: "enrolled" },
  },
};
const on = viewOf(stateOf(securedPort()), { peer: peerOn() });
const unread = unknown("queryFailed", now);

describe("how a link stands to the intent", () => {
  const cells: readonly (readonly [string, LinkView, Memory, string, string])[] = [
    ["clear at both ends", viewOf(stateOf(clearPort())), emptyMemory, "clear", ""],
    ["router unread", viewOf(undefined), emptyMemory, "unreadable", "edge-a cannot be read"],
    [
      "no such port",
      viewOf(stateOf(clearPort({ port: "et-9" }))),
      emptyMemory,
      "unreadable",
      "no port",
    ],
    [
      "keys unread",
      viewOf(stateOf(clearPort({ keys: unread }))),
      emptyMemory,
      "unreadable",
      "settings",
    ],
    [
      "settings unread",
      viewOf(stateOf(clearPort({ settings: unread }))),
      emptyMemory,
      "unreadable",
      "settings",
    ],
    [
      "far end unread",
      viewOf(stateOf(clearPort()), { peer: undefined }),
      emptyMemory,
      "unreadable",
      "far end",
    ],
    ["a key on the router", on, emptyMemory, "unmanaged", "router already"],
    [
      "must-secure, no key",
      viewOf(stateOf(clearPort({ settings: known(settings, now) }))),
      emptyMemory,
      "unmanaged",
      "router already",
    ],
    [
      "a key on the far end alone",
      viewOf(stateOf(clearPort()), { peer: peerOn() }),
      emptyMemory,
      "unmanaged",
      "far end already",
    ],
    ["ours", on, bound, "managed", ""],
    [
      "ours, far end unread",
      viewOf(stateOf(securedPort()), { peer: undefined }),
      bound,
      "managed",
      "",
    ],
  ];
  it.each(cells)("%s", (_name, view, memory, kind, why) => {
    const standing = standingOf(view, memory, capabilities);
    expect(standing.kind).toBe(kind);
    expect("why" in standing ? standing.why : "").toContain(why);
  });

  const drifts: readonly (readonly [string, LinkView, readonly string[], boolean])[] = [
    ["none", on, [], false],
    [
      "a leaf that is hitless",
      viewOf(
        stateOf(securedPort({ settings: known({ ...settings, sakRekeyMs: undefined }, now) })),
        { peer: peerOn() },
      ),
      ["sakRekeyMs is off"],
      true,
    ],
    [
      "a leaf that is not",
      viewOf(
        stateOf(securedPort({ settings: known({ ...settings, suite: "gcm-aes-128" }, now) })),
        { peer: peerOn() },
      ),
      ["suite is gcm-aes-128"],
      false,
    ],
    [
      "one of each: not mended by halves",
      viewOf(
        stateOf(
          securedPort({
            settings: known({ ...settings, suite: "gcm-aes-128", sakRekeyMs: undefined }, now),
          }),
        ),
        { peer: peerOn() },
      ),
      ["suite", "sakRekeyMs"],
      false,
    ],
    [
      "MACsec gone",
      viewOf(stateOf(clearPort()), { peer: peerOn() }),
      ["policy is absent", "is gone"],
      false,
    ],
    [
      "the key is gone",
      viewOf(stateOf(securedPort({ keys: known([{ ckn: ckn("f"), role: "primary" }], now) })), {
        peer: peerOn(),
      }),
      ["is gone"],
      false,
    ],
    [
      "far end off",
      viewOf(stateOf(securedPort()), { peer: peerOff }),
      ["another CAK", "suite none", "SCI off"],
      false,
    ],
    [
      "far end with another key",
      viewOf(stateOf(securedPort()), {
        peer: peerOn({ ...keyOne, cakSecretId: "https://v/secrets/a/2" }),
      }),
      ["another CAK"],
      false,
    ],
    [
      "far end shut",
      viewOf(stateOf(securedPort()), { peer: peerOn(keyOne, { admin: "down" }) }),
      ["administratively down"],
      false,
    ],
  ];
  it.each(drifts)("drift: %s", (_name, view, texts, mendable) => {
    const standing = standingOf(view, bound, capabilities);
    const drift = standing.kind === "managed" ? standing.drift : [];
    expect(drift.map(({ text }) => text)).toEqual(
      texts.map((text) => expect.stringContaining(text)),
    );
    expect(drift.some(({ repair }) => repair !== undefined)).toBe(mendable);
  });

  it("mends nothing for a device whose abilities are not known yet", () => {
    const port = securedPort({ settings: known({ ...settings, sakRekeyMs: undefined }, now) });
    const standing = standingOf(viewOf(stateOf(port), { peer: peerOn() }), bound, undefined);
    expect(standing).toMatchObject({ drift: [{ repair: undefined }] });
  });
});

interface Scene {
  readonly desired?: Desired;
  readonly memory?: Memory;
  readonly view?: (link: DesiredLink) => LinkView;
  readonly state?: (device: string) => DeviceState | undefined;
}

const clearOn = (each: DesiredLink): LinkView => ({
  ...viewOf(stateOf(clearPort({ port: each.port }))),
  link: each,
});

function planned({
  desired = desiredOf(),
  memory = emptyMemory,
  view = clearOn,
  state,
}: Scene): Plan {
  return plan({
    desired,
    memory,
    view,
    state: state ?? (() => stateOf(clearPort())),
    capabilities: () => capabilities,
  });
}

const tunnel = sampleState("edge-a", now).ipsec[0] as IpsecTunnel;
const repairing = desiredOf((text) => text.replace("repair: off", "repair: on"));
const wrongRekey = (each: DesiredLink): LinkView => {
  const port = securedPort({ settings: known({ ...settings, sakRekeyMs: undefined }, now) });
  return each.name === "primary"
    ? { ...viewOf(stateOf(port), { peer: peerOn() }), link: each }
    : clearOn(each);
};

describe("the plan", () => {
  it("of a first day: the tunnel, then one link after the other in the config's order", () => {
    const { steps, notes, wouldChange } = planned({});
    expect(wouldChange).toBe(true);
    expect(notes).toEqual([]);
    expect(steps.map(({ n }) => n)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9]);
    const seen = steps.map((step) => `${step.where} ${step.link}`);
    const secondary = ["edge-b", "erd-demo link2", "edge-b", "edge-b"];
    const primary = ["edge-a", "erd-demo link1", "edge-a", "edge-a"];
    expect(seen).toEqual([
      "edge-a null",
      ...secondary.map((where) => `${where} erd-demo/secondary`),
      ...primary.map((where) => `${where} erd-demo/primary`),
    ]);
  });

  it("says where a link is dark, for how long, and under which risk", () => {
    const dark = planned({}).steps.filter(({ risk }) => risk !== null);
    expect(dark).toHaveLength(2);
    expect(dark[0]).toMatchObject({ risk: "breakBeforeMake", darkMs: { low: 500, high: 15_000 } });
  });

  it("shows no secret, only where one goes", () => {
    const previews = planned({}).steps.map(({ preview }) => preview);
    expect(previews.join("\n")).toContain("[secret cak]");
    expect(previews.join("\n")).toContain("[secret psk]");
  });

  it("says that a person gives the key where the far end is manual", () => {
    const manual = desiredOf((text) => text.replace("farEnd: agent", "farEnd: manual"));
    const does = planned({ desired: manual }).steps.map((step) => step.does);
    expect(does).toContain("wait for a person to give the far end its first key");
  });

  it("is empty once everything is as wanted", () => {
    const desired = desiredOf((text) => text.replace(/links:[\s\S]*tunnels:/, "$&"));
    const managed = (each: DesiredLink): LinkView => ({
      ...viewOf(stateOf(securedPort({ port: each.port })), { peer: peerOn() }),
      link: { ...each, settings: link.settings },
    });
    const binding = { key: keyOne, since: wall, created: wall, how: "adopted" } as const;
    const bindings = { "erd-demo/primary": binding, "erd-demo/secondary": binding };
    const state = (): DeviceState => stateOf(clearPort(), { ipsec: [tunnel] });
    const memory = { ...emptyMemory, bindings };
    expect(planned({ desired, memory, view: managed, state })).toEqual({
      schema: "linkseal.plan/1",
      wouldChange: false,
      steps: [],
      notes: [],
    });
  });

  it("leaves a link with a key of nobody's to adoption", () => {
    const view = (each: DesiredLink): LinkView => ({
      ...viewOf(stateOf(securedPort({ port: each.port })), { peer: peerOn() }),
      link: each,
    });
    const { steps, notes } = planned({ view });
    expect(steps.filter((step) => step.link !== null)).toEqual([]);
    expect(notes[0]).toMatchObject({ next: "linkseal adopt erd-demo/secondary" });
  });

  it("notes what it cannot read and plans nothing there", () => {
    const view = (each: DesiredLink): LinkView => ({ ...viewOf(undefined), link: each });
    const { steps, notes } = planned({ view, state: () => undefined });
    expect(steps).toEqual([]);
    expect(notes.map(({ about }) => about)).toEqual([
      "hub-1",
      "erd-demo/secondary",
      "erd-demo/primary",
    ]);
  });

  it("mends drift only where repair is on", () => {
    const off = planned({ memory: bound, view: wrongRekey });
    expect(off.notes[0]?.text).toContain("sakRekeyMs");
    expect(off.notes[0]?.next).toContain("repair: on");
    expect(off.steps.some(({ does }) => does.startsWith("mend"))).toBe(false);
    const mended = planned({ desired: repairing, memory: bound, view: wrongRekey });
    expect(mended.steps.filter(({ does }) => does.startsWith("mend"))).toHaveLength(1);
  });
});

describe("the plan that was shown", () => {
  const fresh = planned({});
  const wire: unknown = JSON.parse(JSON.stringify(fresh));
  it("is the same after a journey over a socket", () => {
    expect(samePlan(wire, fresh)).toBe(true);
    expect(samePlan(fresh, planned({ view: wrongRekey, memory: bound }))).toBe(false);
  });

  const odd: readonly unknown[] = [undefined, null, 7, "x", [], {}, { steps: null }, { steps: [] }];
  it.each(odd)("is not %j", (shown) => {
    expect(samePlan(shown, fresh)).toBe(false);
  });

  it("is not one with a step that differs in any field", () => {
    for (const field of ["n", "where", "link", "does", "preview", "darkMs", "risk"] as const) {
      const [first, ...rest] = fresh.steps;
      expect(samePlan({ steps: [{ ...first, [field]: null }, ...rest] }, fresh), field).toBe(
        fresh.steps[0]?.[field] === null,
      );
      expect(samePlan({ steps: [{ ...first, [field]: "other" }, ...rest] }, fresh)).toBe(false);
    }
  });

  it("names links by the config's order", () => {
    expect(linkNamed("secondary").azureLink).toBe("link2");
  });
});
