// A journal that a newer version wrote: this one does not begin on it, and says what is taken.

import { describe, expect, it } from "vitest";
import { emptyMemory } from "#agent/store/journal/memory.ts";
import { refuseNewer } from "#agent/store/journal/newer.ts";
import { LinksealError } from "#hal/error.ts";
import { campaignOf } from "../../kit/campaign-kit.ts";
import { wall } from "../../kit/snapshot-kit.ts";

const drained = {
  kind: "handDrain",
  link: "erd-demo/secondary",
  drain: { by: "anna", since: wall },
};
const open = { kind: "campaign", campaign: campaignOf("proving", { kind: "rotate" }) };
const ended = { kind: "campaign", campaign: campaignOf("done") };

function refusalOf(...entries: readonly { readonly kind: string }[]): LinksealError | undefined {
  try {
    refuseNewer(entries);
    return undefined;
  } catch (error) {
    if (error instanceof LinksealError) return error;
    throw error;
  }
}

describe("a journal", () => {
  it.each([
    ["with kinds of this version alone", [open, drained]],
    ["whose loss was accepted", [{ kind: "journal.lossAccepted" }, open]],
    ["that begins with a snapshot of this version", [{ kind: "snapshot", memory: emptyMemory }]],
    ["of an earlier version, whose snapshot has fewer parts", [{ kind: "snapshot", memory: {} }]],
  ])("%s is read", (_, entries) => {
    expect(refusalOf(...entries)).toBeUndefined();
  });

  it.each([
    ["a kind of record", [{ kind: "lease" }], "lease"],
    [
      "a part of a snapshot",
      [{ kind: "snapshot", memory: { ...emptyMemory, leases: {} } }],
      "leases",
    ],
    ["a part of a later snapshot", [{ kind: "snapshotPart", memory: { leases: {} } }], "leases"],
  ])("with %s that this version does not know is refused", (_, entries, name) => {
    const refusal = refusalOf(...entries);
    expect(refusal).toMatchObject({ code: "journal.newer", effect: "none", where: "journal" });
    expect(refusal?.message).toContain(`(${name})`);
    expect(refusal?.next).toBe("install the newer version again");
  });

  it("is refused with what is taken, and how it is given back", () => {
    const refusal = refusalOf(open, drained, { kind: "lease" });
    expect(refusal?.message).toMatch(/a campaign \(rotate\) of erd-demo is proving; /);
    expect(refusal?.message).toMatch(/erd-demo\/secondary is drained by hand$/);
    expect(refusal?.next).toBe(
      "install the newer version again, then linkseal rotation show erd-demo",
    );
    expect(refusalOf(ended, drained, { kind: "lease" })?.next).toMatch(
      /then linkseal undrain erd-demo\/secondary$/,
    );
  });
});
