// A key that an emergency declared compromised stays an error until no link holds it, on a whole
// agent beside the simulated site.

import { describe, expect, it } from "vitest";
import { group, Pair } from "../unit/kit/rotate-kit.ts";

const code = "compromised-key-in-use";
const secondary = `${group}/secondary`;

function warned(pair: Pair, about: string = secondary) {
  return pair.agent.status().warnings.find((one) => one.code === code && one.about === about);
}

/** An emergency whose vault refuses from the moment the second link is in this state. */
async function refusedIn(state: string, overlap: "keychain" | "none" = "keychain"): Promise<Pair> {
  const pair = await Pair.adopted({ overlap });
  pair.newKeys();
  await pair.rotate("emergency");
  await pair.reach(state);
  pair.site.vault.setFault("denied", true);
  return pair;
}

describe("an emergency during which the vault refuses", () => {
  it("ends with one link reverted, and that link is an error with a next act until rotated", async () => {
    const pair = await refusedIn("secondary draining");
    await pair.reach("secondary done");
    expect(pair.outcomes()).toEqual(["rotated", "reverted"]);
    pair.site.vault.setFault("denied", false);
    await pair.run(120_000);
    expect(warned(pair)).toMatchObject({
      severity: "error",
      next: `linkseal rotate ${secondary} --emergency`,
    });
    expect(pair.agent.status().verdict).not.toBe("protected");
  });

  it("costs no drained minute: the vault is asked before the link is drained", async () => {
    const pair = await refusedIn("primary restoring");
    await pair.reach("secondary gated");
    const drained: string[] = [];
    pair.site.attach({
      effect: ({ what, link }) => {
        if (what === "port.drain") drained.push(link ?? "");
      },
    });
    await pair.run(600_000);
    expect(pair.state()).toBe("secondary gated");
    expect(drained).toEqual([]);
    pair.site.vault.setFault("denied", false);
    await pair.reach("secondary done");
    expect(pair.outcomes()).toEqual(["rotated", "rotated"]);
  });
});
