// A port that has lost its keys.

import { describe, expect, it } from "vitest";
import { emptyMemory, type Memory } from "#agent/journal/memory.ts";
import type { LinkView } from "#agent/link-view.ts";
import { standingOf } from "#agent/plan.ts";
import { known } from "#hal/model.ts";
import { keyOne } from "./campaign-kit.ts";
import { capabilities, ckn } from "./site-bench.ts";
import { at, bindingOf, peerOff, peerOn, securedPort, stateOf, viewOf } from "./view-kit.ts";

const now = at(0);
const bound: Memory = { ...emptyMemory, bindings: { "erd-demo/primary": bindingOf() } };

describe("a link whose router holds no key", () => {
  it("gives a bare port its key again, without being asked where a restart took it", () => {
    const addKey = { kind: "macsec.addKey", port: "et-0/0/0", key: keyOne, role: "primary" };
    const bare = securedPort({ keys: known([], now) });
    const gone = { ...bare, keyLoss: known("restart" as const, now) };
    const driftOf = (view: LinkView) => {
      const standing = standingOf(view, bound, capabilities);
      const found = standing.kind === "managed" ? standing.drift : [];
      return found.find(({ text }) => text.includes("is gone"));
    };
    expect(driftOf(viewOf(stateOf(bare), { peer: peerOn() }))).toEqual({
      text: expect.any(String),
      repair: [addKey],
    });
    for (const peer of [peerOn(), undefined]) {
      expect(driftOf(viewOf(stateOf(gone), { peer }))).toMatchObject({
        repair: [addKey],
        by: "restart",
      });
    }
    const other = securedPort({ keys: known([{ ckn: ckn("b"), role: "primary" }], now) });
    const elsewhere = { ...keyOne, cakSecretId: `${keyOne.cakSecretId}9` };
    for (const view of [
      viewOf(stateOf(other), { peer: peerOn() }),
      viewOf(stateOf(gone), { peer: peerOff }),
      viewOf(stateOf(gone), { peer: peerOn(elsewhere) }),
    ]) {
      expect(driftOf(view)).toEqual({ text: expect.any(String), repair: undefined });
    }
  });
});
