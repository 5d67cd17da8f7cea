// The plan for a far end that drifted, and for settings that need a campaign.

import { describe, expect, it } from "vitest";
import { type Plan, plan } from "#agent/compare/plan.ts";
import type { Desired, DesiredLink } from "#agent/model/desired.ts";
import { emptyMemory, type Memory } from "#agent/store/journal/memory.ts";
import type { PeerDetails, PeerState } from "#hal/device.ts";
import { known } from "#hal/model.ts";
import { keyOne } from "../../kit/campaign-kit.ts";
import { capabilities, sampleState } from "../../kit/site-bench.ts";
import {
  at,
  bindingOf,
  desired,
  linkNamed,
  peerOn,
  securedPort,
  stateOf,
} from "../../kit/snapshot-kit.ts";

const wanted = linkNamed("primary").settings;
const bindings = {
  "erd-demo/primary": bindingOf(),
  "erd-demo/secondary": bindingOf({ settings: linkNamed("secondary").settings }),
};
const bound: Memory = { ...emptyMemory, bindings };

interface Scene {
  readonly desired?: Desired;
  readonly memory?: Memory;
  /** The far end of the primary link. */
  readonly peer?: PeerState;
  readonly port?: Parameters<typeof securedPort>[0];
}

/**
 * Plans for two accepted links that carry and are as the intent wants them, except for the scene.
 */
function planned(scene: Scene): Plan {
  const tunnels = sampleState("edge-a", at(0)).ipsec;
  return plan({
    desired: scene.desired ?? desired,
    memory: scene.memory ?? bound,
    snapshot: (link: DesiredLink) => {
      const settings = known({ ...link.settings, policy: "mustSecure" as const }, at(0));
      const over = link.name === "primary" ? scene.port : {};
      const state = stateOf(securedPort({ port: link.port, settings, ...over }));
      const peer = link.name === "primary" ? (scene.peer ?? peerOn()) : peerOn();
      return { link, state, peer, probe: undefined };
    },
    state: () => stateOf(securedPort(), { ipsec: tunnels }),
    capabilities: () => capabilities,
    made: () => undefined,
    sends: () => undefined,
    acceptsRisk: () => false,
  });
}

describe("the plan of a far end that was changed outside linkseal", () => {
  it("a far end that was not changed gives an empty plan", () => {
    const { steps, notes, wouldChange } = planned({});
    expect([steps, notes, wouldChange]).toEqual([[], [], false]);
  });

  const moved = { ...keyOne, cakSecretId: "https://demo.vault.sim/secrets/erd-demo-1-cak/9" };
  const ids = `cknSecretIdentifier ${keyOne.cknSecretId} cakSecretIdentifier ${keyOne.cakSecretId}`;
  const drifts: readonly (readonly [string, PeerState, string])[] = [
    ["its key", peerOn(moved), `~ ${ids}`],
    ["its suite", peerOn(keyOne, { suite: "gcm-aes-128" }), "~ cipher GcmAesXpn256"],
    ["its SCI", peerOn(keyOne, { sci: "off" }), "~ sciState Enabled"],
    ["its state", peerOn(keyOne, { admin: "down" }), "~ adminState Enabled"],
    [
      "two of them",
      peerOn(keyOne, { suite: "gcm-aes-128", sci: "off" }),
      "~ cipher GcmAesXpn256, sciState Enabled",
    ],
  ];
  it.each(drifts)(
    "a changed far end gives one step for a person, with the wanted value, for %s",
    (_name, peer, preview) => {
      const { steps, notes, wouldChange } = planned({ peer });
      expect(steps).toEqual([
        {
          ...{ n: 1, where: "erd-demo link1", link: "erd-demo/primary", by: "person", risk: null },
          does:
            "a person looks at both ends, of which the far end was changed outside linkseal: " +
            "`linkseal ends erd-demo/primary` prints the write, if one is safe",
          preview,
          darkMs: { low: 500, high: 15_000 },
        },
      ]);
      expect([notes, wouldChange]).toEqual([[], false]);
    },
  );

  it("the step for a changed far end names the SCI that the intent wants", () => {
    const bare = (link: DesiredLink): DesiredLink =>
      link.name === "primary" ? { ...link, settings: { ...wanted, includeSci: false } } : link;
    const groups = desired.groups.map((group) => ({ ...group, links: group.links.map(bare) }));
    const settings = { ...wanted, includeSci: false };
    const memory = {
      ...bound,
      bindings: { ...bindings, "erd-demo/primary": bindingOf({ settings }) },
    };
    const { steps } = planned({ desired: { ...desired, groups }, memory, peer: peerOn() });
    expect(steps.map(({ preview }) => preview)).toEqual(["~ sciState Disabled"]);
  });

  it("a contradiction that no step mends becomes a note of the plan", () => {
    const details: PeerDetails = {
      identity: "missing",
      ...{ bandwidthGbps: 40, cipher: undefined, failure: undefined },
      ...{ provisioning: { port: undefined, link: undefined }, circuits: [] },
    };
    const { notes } = planned({ peer: peerOn(keyOne, { details }) });
    expect(notes.map(({ text }) => text).join("\n")).toContain("has 40 Gbit/s");
    expect(notes[0]).toMatchObject({
      about: "erd-demo/primary",
      next: expect.stringMatching(/\S/),
    });
  });
});

describe("the plan of settings that differ from the accepted ones", () => {
  const memory = {
    ...bound,
    bindings: {
      ...bindings,
      "erd-demo/primary": bindingOf({ settings: { ...wanted, suite: "gcm-aes-128" } }),
    },
  };
  const before = {
    settings: known({ ...wanted, suite: "gcm-aes-128", policy: "mustSecure" } as const, at(0)),
  };

  it("changed settings that no driver mends plan a campaign over both ends", () => {
    const { steps, wouldChange } = planned({ memory, port: before });
    expect(wouldChange).toBe(true);
    expect(steps.map(({ where }) => where)).toContain("erd-demo link1");
    const reported = steps.map(({ does, preview }) => `${does}: ${preview}`).join("\n");
    expect(reported).toContain("gcm-aes-xpn-256");
    expect(reported).toContain("the next settings");
    expect(steps.some(({ by }) => by === "person")).toBe(false);
  });

  it("changed settings that both ends have, or that interrupt nothing, plan no campaign", () => {
    expect(planned({ memory }).steps).toEqual([]);
    const rekey = bindingOf({ settings: { ...wanted, sakRekeyMs: undefined } });
    const port = {
      settings: known({ ...wanted, sakRekeyMs: undefined, policy: "mustSecure" } as const, at(0)),
    };
    const other = { ...bound, bindings: { ...bindings, "erd-demo/primary": rekey } };
    const { steps, notes } = planned({ memory: other, port });
    expect(steps).toMatchObject([
      { by: "reconcile", preview: "~ edge-a et-0/0/0: sakRekeyMs is off, wanted 28800000" },
    ]);
    expect(notes).toEqual([]);
  });

  it("settings that were accepted as wanted plan nothing", () => {
    const { steps, notes } = planned({ port: before });
    expect(steps).toEqual([]);
    expect(notes.map(({ next }) => next)).toContain("linkseal doctor");
  });
});
