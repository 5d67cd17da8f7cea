// Whether a link may be leaned on while the other one is worked on.

import { describe, expect, it } from "vitest";
import type { Failure, LinkView } from "#agent/model/link-view.ts";
import {
  doubtOf,
  lostOf,
  type Sibling,
  type SiblingParts,
  siblingOf,
  standingOfAll,
} from "#agent/rotation/sibling.ts";
import type { Lookout } from "#agent/runtime/polling/lookout.ts";
import { emptyMemory } from "#agent/store/journal/memory.ts";
import { SimClock } from "#sim/base/clock.ts";
import { keyOne } from "../../kit/campaign-kit.ts";
import {
  at,
  bindingOf,
  clearPort,
  peerOn,
  securedPort,
  stateOf,
  viewOf,
  wall,
} from "../../kit/view-kit.ts";

const failure = (text: string): Failure => ({ code: "x", text, next: "wait", since: at(0) });

interface Scene {
  readonly view?: LinkView;
  readonly failure?: Failure;
  readonly peerFailure?: Failure;
  readonly alarm?: string;
  readonly unbound?: true;
  readonly ownCommitOn?: string;
}

const keyed = viewOf(stateOf(securedPort()), { peer: peerOn() });
const elsewhere = { ...keyed, peer: peerOn({ ...keyOne, cakSecretId: "https://v/x/2" }) };

function carries({ view = keyed, ...scene }: Scene): string {
  const lookout = { failure: () => scene.failure, peerFailure: () => scene.peerFailure };
  const bindings = scene.unbound ? {} : { "erd-demo/primary": bindingOf() };
  const parts: SiblingParts = {
    world: { clock: new SimClock(wall) },
    lookout: lookout as unknown as Lookout,
    memory: () => ({ ...emptyMemory, bindings }),
    alarm: () =>
      scene.alarm === undefined ? undefined : { standing: "unsure", text: scene.alarm },
  };
  const { name, standing, carries: text, view: seen } = siblingOf(parts, view, scene.ownCommitOn);
  expect([name, seen]).toEqual(["primary", view]);
  const expected = { carrying: "carrying", [scene.alarm ?? ""]: "unsure" }[text] ?? "lost";
  expect(standing).toBe(expected);
  return text;
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

  it("does not while a commit waits on its router, but for one of the campaign itself", () => {
    const view = viewOf(stateOf(securedPort(), {}, { commitPending: true }), { peer: peerOn() });
    expect(carries({ view })).toBe("a commit is pending on it");
    expect(carries({ view, ownCommitOn: "elsewhere" })).toBe("a commit is pending on it");
    expect(carries({ view, ownCommitOn: view.link.device })).toBe("carrying");
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
  const one = (name: string, standing: Sibling["standing"], carries: string): Sibling => ({
    ...{ name, standing, carries },
    view: keyed,
  });
  const carrying = one("a", "carrying", "carrying");
  const unsure = one("b", "unsure", "it has not been judged yet");
  const lost = one("c", "lost", "it is drained");

  it("carry where each of them is known to", () => {
    for (const all of [[], [carrying, carrying]]) {
      expect([standingOfAll(all), doubtOf(all), lostOf(all)]).toEqual([
        "carrying",
        undefined,
        undefined,
      ]);
    }
  });

  it("are in doubt by the first that nobody can tell of, which gives nothing up", () => {
    const doubt = "b is not carrying: it has not been judged yet";
    const all = [carrying, unsure, unsure];
    expect([standingOfAll(all), doubtOf(all), lostOf(all)]).toEqual(["unsure", doubt, undefined]);
  });

  it("are lost by the first that is, whoever is in doubt before it", () => {
    const all = [carrying, unsure, lost];
    expect(standingOfAll(all)).toBe("lost");
    expect(lostOf(all)).toBe("c is not carrying: it is drained");
  });
});
