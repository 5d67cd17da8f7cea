// Whose work both ends of a link show, and when a journal counts as older than the link.

import { beforeEach, describe, expect, it } from "vitest";
import { endsWith, originOf, RecordAge } from "#agent/compare/record-age.ts";
import type { LinkSnapshot } from "#agent/model/link-snapshot.ts";
import { type KeyRef, known, unknown } from "#hal/model.ts";
import { keyOne } from "../../kit/campaign-kit.ts";
import { ckn } from "../../kit/site-bench.ts";
import {
  at,
  peerOff,
  peerOn,
  securedPort,
  session,
  snapshotOf,
  stateOf,
} from "../../kit/snapshot-kit.ts";

const later: KeyRef = { ...keyOne, ckn: ckn("b"), cakSecretId: `${keyOne.cakSecretId}9` };
const foreign: KeyRef = { ...later, cakSecretId: "https://other.vault/secrets/their-cak/1" };

/** What the router and the far end use; undefined = that end shows no key. */
function ends(router: KeyRef | undefined, far: KeyRef | undefined): LinkSnapshot {
  const read = known({ ...session, principalCkn: router?.ckn }, at(0));
  const port = securedPort({ session: read });
  return snapshotOf(stateOf(port), { peer: far === undefined ? peerOff : peerOn(far) });
}

describe("the table of signs", () => {
  const signs = { missing: 0, isFromStart: true, isOurVault: true };
  it.each([
    ["cannotTell", {}],
    ["restored", { missing: 3 }],
    ["another", { isFromStart: false, missing: 3 }],
    ["otherOwner", { isOurVault: false, isFromStart: false, missing: 3 }],
  ] as const)("says %s", (origin, over) => {
    expect(originOf({ ...signs, ...over })).toBe(origin);
  });
});

it.each([
  ["both ends have it", ends(keyOne, keyOne), "kept"],
  ["the router has it alone", ends(keyOne, later), "kept"],
  ["the far end has it alone", ends(later, keyOne), "kept"],
  ["neither has it", ends(later, later), "left"],
  ["the router shows none", ends(undefined, later), undefined],
  ["the far end shows none", ends(later, undefined), undefined],
  [
    "the router was not read",
    snapshotOf(stateOf(securedPort({ session: unknown("queryFailed", at(0)) })), {
      peer: peerOn(later),
    }),
    undefined,
  ],
] as const)("a key of the journal where %s", (_, snapshot, seen) => {
  expect(endsWith(snapshot, keyOne)).toBe(seen);
});

describe("a journal", () => {
  let age: RecordAge;
  beforeEach(() => {
    age = new RecordAge();
  });

  it("is older than a link whose ends never had its key since this process began", () => {
    expect(age.older(ends(undefined, later), keyOne, 0)).toBeUndefined();
    const text = age.older(ends(later, later), keyOne, 0);
    expect(text).toMatch(/^the state is older than erd-demo\/primary: both ends use the key bbbb/);
    expect(text).toContain("or both ends were changed while no agent ran here");
    const restored = age.older(ends(later, later), keyOne, 7);
    expect(restored).toMatch(/an old copy was put back: the audit log knows 7 records/);
  });

  it.each([
    ["both ends were seen with its key", ends(keyOne, keyOne)],
    ["one end was seen with its key", ends(later, keyOne)],
  ])("is not older where %s before", (_, before) => {
    age.older(before, keyOne, 0);
    expect(age.older(ends(later, later), keyOne, 7)).toBeUndefined();
  });

  it("is not older than a link that this process gave its key, and that moved on since", () => {
    age.older(ends(keyOne, keyOne), keyOne, 0);
    const newest = { ...later, ckn: ckn("d"), cakSecretId: `${keyOne.cakSecretId}8` };
    expect(age.older(ends(newest, newest), later, 0)).toBeUndefined();
    const adopted = new RecordAge();
    adopted.older(ends(later, later), keyOne, 0);
    expect(adopted.older(ends(newest, newest), later, 0)).toBeUndefined();
  });

  it("says nothing of a key of another secret", () => {
    expect(age.older(ends(foreign, foreign), keyOne, 7)).toBeUndefined();
  });
});
