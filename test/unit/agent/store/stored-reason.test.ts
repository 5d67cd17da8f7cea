// Reasons in the journal: data for this version, a sentence for the versions that read no other.

import { describe, expect, it } from "vitest";
import type { Reason } from "#agent/model/reason.ts";
import {
  emptyMemory,
  type JournalRecord,
  type Memory,
  remember,
} from "#agent/store/journal/memory.ts";
import { fromStored, recollect, toStored } from "#agent/store/journal/stored.ts";
import { campaignOf } from "../../kit/campaign-kit.ts";
import { bindingOf } from "../../kit/snapshot-kit.ts";

const reason: Reason = {
  code: "gated.closed",
  cause: { code: "gate.siblingUnhealthy", sibling: "b", cause: { code: "sibling.drained" } },
};
const because = "gate.siblingUnhealthy: b is not carrying: it is drained";
const campaign = campaignOf("gated", { reason });
const record: JournalRecord = { kind: "campaign", campaign };
const memory: Memory = remember(emptyMemory, record);

/** A record as the bytes of a journal bring it back. */
const throughJson = (stored: object): { readonly kind: string } =>
  JSON.parse(JSON.stringify(stored)) as { readonly kind: string };

describe("the reason of a stored campaign", () => {
  it("is data beside its sentence, in a record and in the moves of a snapshot", () => {
    expect(toStored(record)).toMatchObject({ campaign: { reason, because, state: "gated" } });
    expect(toStored({ kind: "snapshot", memory })).toMatchObject({
      memory: {
        campaigns: { "erd-demo": { reason, because } },
        trails: { "erd-demo": [{ state: "gated", reason, because }] },
      },
    });
  });

  it("comes back as it was, and its sentence does not", () => {
    expect(fromStored(throughJson(toStored(record)))).toEqual(throughJson(record));
    const snapshot: JournalRecord = { kind: "snapshot", memory };
    expect(fromStored(throughJson(toStored(snapshot)))).toEqual(throughJson(snapshot));
  });

  it.each([
    ["an earlier version", {}],
    ["a later version, with a code of its own", { reason: { code: "gated.later" } }],
    [
      "a later version, with a cause of its own",
      { reason: { code: "gated.closed", cause: { code: "gate.later" } } },
    ],
  ])("of %s is read as its sentence", (_version, more) => {
    const { reason: _reason, ...before } = campaign;
    const written = { ...before, because: "as it was written", ...more };
    const recorded = { code: "recorded", text: "as it was written" };
    const read = recollect([throughJson({ kind: "campaign", campaign: written })]);
    expect(read.campaigns["erd-demo"]?.reason).toEqual(recorded);
    expect(read.trails["erd-demo"]?.[0]?.reason).toEqual(recorded);
    expect(read.campaigns["erd-demo"]).not.toHaveProperty("because");
  });

  it("asks nothing of other records", () => {
    const others: JournalRecord = { kind: "binding", link: "a/b", binding: bindingOf() };
    expect(toStored(others)).toEqual(others);
    expect(fromStored(others)).toBe(others);
  });
});
