// Whether a link may be leaned on while the other one is worked on.

import { describe, expect, it } from "vitest";
import type { Failure, LinkSnapshot } from "#agent/model/link-snapshot.ts";
import type { SiblingCause } from "#agent/model/reason.ts";
import {
  doubtOf,
  lostOf,
  type Sibling,
  type SiblingParts,
  siblingOf,
  standingOfAll,
} from "#agent/rotation/sibling.ts";
import type { DeviceCache } from "#agent/runtime/polling/device-cache.ts";
import { emptyMemory } from "#agent/store/journal/memory.ts";
import { SimClock } from "#sim/base/clock.ts";
import { keyOne } from "../../kit/campaign-kit.ts";
import {
  at,
  bindingOf,
  clearPort,
  peerOn,
  securedPort,
  snapshotOf,
  stateOf,
  wall,
} from "../../kit/snapshot-kit.ts";

const failure = (text: string): Failure => ({ code: "x", text, next: "wait", since: at(0) });

interface Scene {
  readonly snapshot?: LinkSnapshot;
  readonly failure?: Failure;
  readonly peerFailure?: Failure;
  readonly alarm?: true;
  readonly unbound?: true;
  readonly ownCommitOn?: string;
}

const alarm: SiblingCause = { code: "health.notJudged" };
const keyed = snapshotOf(stateOf(securedPort()), { peer: peerOn() });
const elsewhere = { ...keyed, peer: peerOn({ ...keyOne, cakSecretId: "https://v/x/2" }) };

function gapOf({ snapshot = keyed, ...scene }: Scene): SiblingCause | undefined {
  const deviceCache = { failure: () => scene.failure, peerFailure: () => scene.peerFailure };
  const bindings = scene.unbound ? {} : { "erd-demo/primary": bindingOf() };
  const parts: SiblingParts = {
    world: { clock: new SimClock(wall) },
    deviceCache: deviceCache as unknown as DeviceCache,
    memory: () => ({ ...emptyMemory, bindings }),
    alarm: () => (scene.alarm ? { standing: "unsure", cause: alarm } : undefined),
  };
  const { name, standing, cause, snapshot: seen } = siblingOf(parts, snapshot, scene.ownCommitOn);
  expect([name, seen]).toEqual(["primary", snapshot]);
  expect(standing).toBe(cause === undefined ? "carrying" : cause === alarm ? "unsure" : "lost");
  return cause;
}

describe("a sibling", () => {
  it("a sibling carries under its key, and in clear before its first one", () => {
    expect(gapOf({})).toBeUndefined();
    expect(gapOf({ snapshot: snapshotOf(stateOf(clearPort())), unbound: true })).toBeUndefined();
  });

  it("a sibling is lost while its router cannot be read", () => {
    expect(gapOf({ failure: failure("no answer") })).toEqual({
      ...{ code: "sibling.failed", error: "x", text: "no answer" },
    });
  });

  it("a sibling with a key of ours is unsure while the health evaluator objects", () => {
    expect(gapOf({ alarm: true })).toBe(alarm);
    const clear = snapshotOf(stateOf(clearPort()));
    expect(gapOf({ alarm: true, snapshot: clear, unbound: true })).toBeUndefined();
    expect(gapOf({ alarm: true, snapshot: clear })).toEqual({ code: "sibling.unsecured" });
  });

  it("a sibling is lost while a commit of others waits on its router", () => {
    const snapshot = snapshotOf(stateOf(securedPort(), {}, { commitPending: true }), {
      peer: peerOn(),
    });
    expect(gapOf({ snapshot })).toEqual({ code: "sibling.commitPending" });
    expect(gapOf({ snapshot, ownCommitOn: "elsewhere" })).toEqual({
      code: "sibling.commitPending",
    });
    expect(gapOf({ snapshot, ownCommitOn: snapshot.link.device })).toBeUndefined();
  });

  it("a sibling is lost once its far end points elsewhere, unless it is silent now", () => {
    expect(gapOf({ snapshot: elsewhere })).toEqual({ code: "sibling.farEndMoved" });
    expect(gapOf({ snapshot: elsewhere, peerFailure: failure("gone") })).toBeUndefined();
  });

  it("a clear sibling is lost if its far end had a key when it was last read", () => {
    const clear = snapshotOf(stateOf(clearPort()), { peer: peerOn() });
    const scene = { snapshot: clear, peerFailure: failure("gone"), unbound: true } as const;
    expect(gapOf(scene)).toEqual({ code: "sibling.farEndKeyed" });
  });
});

describe("several siblings", () => {
  const carrying: Sibling = { name: "a", standing: "carrying", cause: undefined, snapshot: keyed };
  const unsure: Sibling = { name: "b", standing: "unsure", cause: alarm, snapshot: keyed };
  const drained = { code: "sibling.drained" } as const;
  const lost: Sibling = { name: "c", standing: "lost", cause: drained, snapshot: keyed };

  it("siblings carry if each of them is known to carry", () => {
    for (const all of [[], [carrying, carrying]]) {
      expect([standingOfAll(all), doubtOf(all), lostOf(all)]).toEqual([
        "carrying",
        undefined,
        undefined,
      ]);
    }
  });

  it("siblings are unsure by the first that is unsure, and none is lost", () => {
    const doubt = { code: "gate.siblingUnhealthy", sibling: "b", cause: alarm };
    const all = [carrying, unsure, unsure];
    expect([standingOfAll(all), doubtOf(all), lostOf(all)]).toEqual(["unsure", doubt, undefined]);
  });

  it("siblings are lost by the first that is lost, also after an unsure one", () => {
    const all = [carrying, unsure, lost];
    expect(standingOfAll(all)).toBe("lost");
    expect(lostOf(all)).toEqual({ code: "gate.siblingUnhealthy", sibling: "c", cause: drained });
  });
});
