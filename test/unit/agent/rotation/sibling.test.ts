// Whether a link may be leaned on while the other one is worked on.

import { describe, expect, it } from "vitest";
import type { Failure, LinkSnapshot } from "#agent/model/link-snapshot.ts";
import type { SiblingCause } from "#agent/model/reason.ts";
import {
  type Alarm,
  doubtOf,
  lostOf,
  type Sibling,
  type SiblingParts,
  siblingOf,
  standingOfAll,
} from "#agent/rotation/sibling.ts";
import type { DeviceCache } from "#agent/runtime/polling/device-cache.ts";
import { emptyMemory } from "#agent/store/journal/memory.ts";
import { type DeviceState, known, unknown } from "#hal/model.ts";
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
  /** The last reading that lacked nothing; absent = none is fresh. */
  readonly whole?: DeviceState;
  readonly peerFailure?: Failure;
  readonly alarm?: Alarm["standing"];
  readonly unbound?: true;
  readonly ownCommitOn?: string;
}

const unread = unknown("queryFailed", at(0));
const alarm: SiblingCause = { code: "health.notJudged" };
const keyed = snapshotOf(stateOf(securedPort()), { peer: peerOn() });
const elsewhere = { ...keyed, peer: peerOn({ ...keyOne, cakSecretId: "https://v/x/2" }) };

function judged({ snapshot = keyed, ...scene }: Scene): Sibling {
  const deviceCache = {
    ...{ failure: () => scene.failure, peerFailure: () => scene.peerFailure },
    lastWhole: () => scene.whole,
  };
  const bindings = scene.unbound ? {} : { "erd-demo/primary": bindingOf() };
  const parts: SiblingParts = {
    world: { clock: new SimClock(wall) },
    deviceCache: deviceCache as unknown as DeviceCache,
    memory: () => ({ ...emptyMemory, bindings }),
    alarm: () => (scene.alarm ? { standing: scene.alarm, cause: alarm } : undefined),
  };
  const sibling = siblingOf(parts, snapshot, scene.ownCommitOn);
  expect([sibling.name, sibling.snapshot]).toEqual(["primary", snapshot]);
  return sibling;
}

function gapOf(scene: Scene): SiblingCause | undefined {
  const { standing, cause } = judged(scene);
  expect(standing).toBe(cause === undefined ? "carrying" : cause === alarm ? "unsure" : "lost");
  return cause;
}

describe("a sibling", () => {
  it("a sibling carries under its key, and in clear before its first one", () => {
    expect(gapOf({})).toBeUndefined();
    expect(gapOf({ snapshot: snapshotOf(stateOf(clearPort())), unbound: true })).toBeUndefined();
  });

  it("a sibling that was never read is lost while its router does not answer", () => {
    expect(gapOf({ failure: failure("no answer") })).toEqual({
      ...{ code: "sibling.failed", error: "x", text: "no answer" },
    });
  });

  it("one failed read, or one that lacks something, does not make a sibling lost", () => {
    const whole = stateOf(securedPort());
    const partly = snapshotOf(stateOf(securedPort({ session: unread })), { peer: peerOn() });
    const failed = { code: "sibling.failed", error: "x", text: "no answer" };
    const standing = (scene: Scene) => {
      const { standing: is, cause } = judged(scene);
      return [is, cause];
    };
    expect(standing({ failure: failure("no answer"), whole })).toEqual(["unsure", failed]);
    const none = snapshotOf(undefined, { peer: peerOn() });
    for (const snapshot of [partly, none]) {
      expect(standing({ snapshot, whole })).toEqual(["unsure", { code: "sibling.unread" }]);
      expect(standing({ snapshot })).toEqual(["lost", { code: "sibling.unread" }]);
      expect(standing({ snapshot, whole, alarm: "lost" })).toEqual(["lost", alarm]);
    }
    const dark = stateOf(securedPort({ linkUp: known(false, at(0)) }));
    expect(standing({ failure: failure("no answer"), whole: dark })).toEqual(["lost", failed]);
    const partlyDark = stateOf(securedPort({ session: unread, linkUp: known(false, at(0)) }));
    const snapshot = snapshotOf(partlyDark, { peer: peerOn() });
    expect(standing({ snapshot, whole })).toEqual(["lost", { code: "sibling.linkDown" }]);
  });

  it("a sibling with a key of ours is unsure while the health evaluator objects", () => {
    expect(gapOf({ alarm: "unsure" })).toBe(alarm);
    const clear = snapshotOf(stateOf(clearPort()));
    expect(gapOf({ alarm: "unsure", snapshot: clear, unbound: true })).toBeUndefined();
    expect(gapOf({ alarm: "unsure", snapshot: clear })).toEqual({ code: "sibling.unsecured" });
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
