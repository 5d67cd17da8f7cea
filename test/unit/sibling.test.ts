// Whether a link may be leaned on while the other one is worked on.

import { describe, expect, it } from "vitest";
import { lostOf, type SiblingParts, siblingOf } from "#agent/campaign/sibling.ts";
import { emptyMemory } from "#agent/journal/memory.ts";
import type { LinkView } from "#agent/link-view.ts";
import type { Failure, Lookout } from "#agent/lookout.ts";
import { keyOne } from "./campaign-kit.ts";
import { at, bindingOf, clearPort, peerOn, securedPort, stateOf, viewOf } from "./view-kit.ts";

const failure = (text: string): Failure => ({ code: "x", text, next: "wait", since: at(0) });

interface Scene {
  readonly view?: LinkView;
  readonly failure?: Failure;
  readonly peerFailure?: Failure;
  readonly alarm?: string;
  readonly unbound?: true;
}

const keyed = viewOf(stateOf(securedPort()), { peer: peerOn() });
const elsewhere = { ...keyed, peer: peerOn({ ...keyOne, cakSecretId: "https://v/x/2" }) };

function carries({ view = keyed, ...scene }: Scene): string {
  const lookout = { failure: () => scene.failure, peerFailure: () => scene.peerFailure };
  const bindings = scene.unbound ? {} : { "erd-demo/primary": bindingOf() };
  const parts: SiblingParts = {
    lookout: lookout as unknown as Lookout,
    memory: () => ({ ...emptyMemory, bindings }),
    alarm: () => scene.alarm,
  };
  const sibling = siblingOf(parts, view);
  expect([sibling.name, sibling.view]).toEqual(["primary", view]);
  return sibling.carries;
}

describe("a sibling", () => {
  it("carries under its key, and in clear before its first one", () => {
    expect(carries({})).toBe("carrying");
    expect(carries({ view: viewOf(stateOf(clearPort())), unbound: true })).toBe("carrying");
  });

  it("does not while its router cannot be read, whatever was seen last", () => {
    expect(carries({ failure: failure("no answer") })).toBe("no answer");
  });

  it("does not while health says so, unless no key of ours is on it", () => {
    expect(carries({ alarm: "frames fail" })).toBe("frames fail");
    const clear = viewOf(stateOf(clearPort()));
    expect(carries({ alarm: "frames fail", view: clear, unbound: true })).toBe("carrying");
    const unsecured = carries({ alarm: "frames fail", view: clear });
    expect(unsecured).toBe("it is not secured by its key");
  });

  it("does not once its far end is pointed elsewhere, unless that is long past", () => {
    expect(carries({ view: elsewhere })).toBe("its far end was pointed at another key");
    expect(carries({ view: elsewhere, peerFailure: failure("gone") })).toBe("carrying");
  });

  it("in clear does not while its far end had a key when it was last heard", () => {
    const clear = viewOf(stateOf(clearPort()), { peer: peerOn() });
    const scene = { view: clear, peerFailure: failure("gone"), unbound: true } as const;
    expect(carries(scene)).toBe("its far end has a key and it has none");
  });
});

describe("several siblings", () => {
  const named = (name: string, carries: string) => ({ name, carries, view: keyed });

  it("carry, or the first that does not is named with its reason", () => {
    expect(lostOf([])).toBeUndefined();
    expect(lostOf([named("a", "carrying"), named("b", "carrying")])).toBeUndefined();
    const lost = [named("a", "carrying"), named("b", "it is drained"), named("c", "gone")];
    expect(lostOf(lost)).toBe("b is not carrying: it is drained");
  });
});
