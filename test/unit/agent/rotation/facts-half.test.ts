// A change of settings that a router took by half, as the tables see it.

import { describe, expect, it } from "vitest";
import type { CampaignLink } from "#agent/model/campaign.ts";
import { portFacts } from "#agent/rotation/facts.ts";
import { known, type MacsecSettings } from "#hal/model.ts";
import { campaignOf, keyOne } from "../../kit/campaign-kit.ts";
import {
  at,
  link,
  quietHistory as quiet,
  securedPort,
  session,
  snapshotOf,
  stateOf,
} from "../../kit/snapshot-kit.ts";

const now = at(0);
// A router whose session ended between two lines of a policy made the campaign stop for good.
describe("half of a change", () => {
  const [first] = campaignOf("queued", { kind: "change" }).links;
  const { suite, includeSci } = link.settings;
  const other = suite === "gcm-aes-xpn-256" ? "gcm-aes-xpn-128" : "gcm-aes-xpn-256";
  const wanted = { suite: other, includeSci: !includeSci, keyServerPriority: 20 } as const;
  if (first === undefined) throw new Error("a campaign has links");
  const whole: CampaignLink = {
    ...first,
    old: { key: keyOne, settings: link.settings },
    new: { key: keyOne, settings: { ...link.settings, ...wanted } },
  };
  const halves: readonly (readonly [string, Partial<MacsecSettings>, "old" | "new"])[] = [
    ["the router's own part", { keyServerPriority: 20 }, "old"],
    ["what both ends agree on", { suite: other, includeSci: !includeSci }, "new"],
    ["a part of what both ends agree on", { suite: other }, "old"],
  ];
  const seen = (over: Partial<MacsecSettings>) => ({
    ...{ ...link.settings, policy: "mustSecure" as const, ...over },
  });
  const factsOf = (over: Partial<MacsecSettings>, moved?: "old" | "new") => {
    const history = moved === undefined ? quiet : { ...quiet, moved: { at: now, to: moved } };
    const port = securedPort({ settings: known(seen(over), now) });
    return portFacts(snapshotOf(stateOf(port)), whole, history);
  };

  it.each(halves)("a port with %s is half changed", (_name, over, carriedBy) => {
    expect(factsOf(over)).toMatchObject({ keys: "half", carriedBy });
  });

  it("a mixture that both ends do not agree on, and that carries, follows the far end", () => {
    expect(factsOf({ suite: other }, "new")?.carriedBy).toBe("new");
    expect(factsOf({ suite: other }, "old")?.carriedBy).toBe("old");
  });

  it.each([
    ["a value of neither", { suite: other, keyServerPriority: 30 }],
    ["a foreign value where nothing changes", { suite: other, replayWindow: 77 }],
    ["clear frames", { suite: other, policy: "shouldSecure" }],
  ] as const)("a port with %s is not half changed", (_name, over) => {
    expect(factsOf(over)?.keys).toBe("else");
  });

  it("half of a change that MKA does not secure is carried by nothing", () => {
    const port = securedPort({
      settings: known(seen({ suite: other }), now),
      session: known({ ...session, livePeers: 0 }, now),
    });
    const facts = portFacts(snapshotOf(stateOf(port)), whole, quiet);
    expect(facts).toMatchObject({ keys: "half", carriedBy: "nothing" });
  });
});
