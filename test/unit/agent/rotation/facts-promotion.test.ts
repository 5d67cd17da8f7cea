// Whether the new key of a campaign has to become the primary one, by its record and its router.

import { describe, expect, it } from "vitest";
import { portFacts } from "#agent/rotation/facts.ts";
import { known } from "#hal/model.ts";
import { campaignOf, keyOne } from "../../kit/campaign-kit.ts";
import { at, securedPort, snapshotOf, stateOf } from "../../kit/snapshot-kit.ts";

const now = at(0);
const [entry] = campaignOf("queued", { kind: "rotate" }).links;
if (entry?.old === undefined) throw new Error("a rotation has an old key");
const before = entry.old.key.ckn;
const rotate = { ...entry, new: { ...entry.new, key: keyOne } };

const roles = {
  absent: [{ ckn: before, role: "primary" }],
  beside: [
    { ckn: before, role: "primary" },
    { ckn: keyOne.ckn, role: "fallback" },
  ],
  leading: [
    { ckn: keyOne.ckn, role: "primary" },
    { ckn: before, role: "fallback" },
  ],
} as const;

describe("the promotion of a new key", () => {
  it.each([
    { overlap: "fallback", offered: "fallback", keys: "absent", promotion: "none" },
    { overlap: "fallback", offered: "fallback", keys: "beside", promotion: "due" },
    { overlap: "fallback", offered: "fallback", keys: "leading", promotion: "done" },
    // Without contact the record of the campaign decides.
    { overlap: "fallback", offered: undefined, keys: "beside", promotion: "due" },
    // An earlier version began it, and this one promotes no key on IOS XR.
    { overlap: "fallback", offered: "keychain", keys: "beside", promotion: "none" },
    { overlap: "fallback", offered: "keychain", keys: "leading", promotion: "none" },
    { overlap: "keychain", offered: "keychain", keys: "beside", promotion: "none" },
    { overlap: "keychain", offered: "fallback", keys: "beside", promotion: "none" },
    { overlap: "breakBeforeMake", offered: "fallback", keys: "beside", promotion: "none" },
  ] as const)(
    "of a campaign with $overlap, on a router that offers $offered, is $promotion: key $keys",
    ({ overlap, offered, keys, promotion }) => {
      const snapshot = snapshotOf(stateOf(securedPort({ keys: known(roles[keys], now) })));
      const seen = portFacts(
        snapshot,
        { ...rotate, overlap },
        {
          ...{ moved: undefined, pending: "none", overlap: offered },
          ...{ outageSince: undefined, settleMs: 18_000, now },
        },
      );
      expect(seen?.promotion).toBe(promotion);
    },
  );
});
