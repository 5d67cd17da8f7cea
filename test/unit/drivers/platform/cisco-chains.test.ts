import { describe, expect, it } from "vitest";
import { looseChains } from "#drivers/platform/cisco-chains.ts";

const held = { chains: new Map(["own-a", "own-b", "OPS"].map((name) => [name, undefined])) };

describe("key chains of ours that no interface has", () => {
  it.each([
    { about: "none is attached", attached: [[undefined, undefined]], loose: ["own-a", "own-b"] },
    { about: "one is attached elsewhere", attached: [["OPS"], ["own-a"]], loose: ["own-b"] },
    { about: "one is a fallback", attached: [["OPS", "own-b"]], loose: ["own-a"] },
    { about: "an interface is not understood", attached: [[], "unread" as const], loose: [] },
  ])("are known where $about", ({ attached, loose }) => {
    expect(looseChains("own", held, attached)).toEqual(loose);
  });

  it("are none where the port has no name for them", () => {
    expect(looseChains(undefined, held, [])).toEqual([]);
  });
});
