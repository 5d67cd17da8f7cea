import { describe, expect, it } from "vitest";
import { type OwnSettings, outcomeOf } from "#drivers/linux/mka/staging.ts";

const state = { keys: [], principal: undefined, keyServer: "none" } as const;

describe("settings of MKA that are in effect already", () => {
  const settings: OwnSettings = {
    keyServerPriority: 16,
    delayProtection: "off",
    sakRekeyMs: undefined,
  };

  it("equal settings are no change, in whatever order their fields are", () => {
    const others = Object.fromEntries(Object.entries(settings).toReversed()) as typeof settings;
    for (const wanted of [settings, others]) {
      const outcome = outcomeOf([{ kind: "configure", settings: wanted }], { ...state, settings });
      expect(outcome).toEqual({ kind: "deeds", deeds: [] });
    }
  });

  it.each<Partial<OwnSettings>>([{ keyServerPriority: 17 }, { sakRekeyMs: 28_800_000 }])(
    "settings are changed by %j",
    (other) => {
      const wanted = { ...settings, ...other };
      const outcome = outcomeOf([{ kind: "configure", settings: wanted }], { ...state, settings });
      const deed = { kind: "configure", settings: wanted, former: settings };
      expect(outcome).toEqual({ kind: "deeds", deeds: [deed] });
    },
  );
});
