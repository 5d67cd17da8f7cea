// An emergency waits for no hub, and for no campaign that waits for one.

import { describe, expect, it } from "vitest";
import type { Campaign } from "#agent/model/campaign.ts";
import { permitsRequired } from "../../../../storm/permit-storm.ts";
import { group, Pair } from "../../../kit/rotate-kit.ts";
import { never, refused, settled } from "../../../kit/site-bench.ts";

/** A pair whose policy has begun a rotation that waits for a hub that is not there. */
async function waitingPair(): Promise<Pair> {
  const by = "drain: prepend\n    rotate: { on: vaultVersion }";
  const edit = (text: string): string =>
    `${text.replace("drain: prepend", by)}\n${permitsRequired}\n`;
  const pair = await Pair.adopted({ overlap: "keychain", edit });
  pair.newKeys();
  const isWaiting = (): boolean => causeOf(pair.agent.memory.campaigns[group]) === "gate.permit";
  await pair.run(1_800_000, isWaiting);
  expect(isWaiting()).toBe(true);
  return pair;
}

function causeOf(campaign: Campaign | undefined): string | undefined {
  const reason = campaign?.reason;
  return reason !== undefined && "cause" in reason ? reason.cause.code : undefined;
}

/** The commands that a dry run names because a campaign runs. */
async function planned(pair: Pair, urgency: Campaign["urgency"]): Promise<readonly string[]> {
  const asked = { by: "test", risks: [], urgency };
  const plan = pair.agent.commands.previewRotation(group, asked, never);
  const { notes } = await settled(pair.site.clock, plan);
  return notes.flatMap(({ code, next }) => (code === "gate.busy" ? [next ?? ""] : []));
}

describe("a campaign that waits for the hub's permit", () => {
  it("is ended by an emergency, which goes on to its end without a hub", async () => {
    const pair = await waitingPair();
    const { nonce } = pair.campaign();
    pair.newKeys();
    expect(await planned(pair, "emergency")).toEqual([]);
    const begun = await pair.rotate("emergency");
    expect([begun.urgency, begun.state]).toEqual(["emergency", "queued"]);
    expect(begun.nonce).not.toBe(nonce);
    await pair.run(3_600_000, () => pair.campaign().state === "done");
    expect(pair.outcomes()).toEqual(["rotated", "rotated"]);
    expect([pair.violations(), pair.broken]).toEqual([[], []]);
    await pair.end();
  });

  const newest = (pair: Pair): readonly string[] =>
    pair.site.links.map(({ key }) => pair.site.vault.versions(key.cak).at(-1)?.id ?? "");
  it.each<readonly [string, string, (pair: Pair) => void]>([
    [
      "the vault has no version of the key",
      "vault.malformedKey",
      ({ site }) => {
        for (const { key } of site.links) site.vault.delete(key.cak);
      },
    ],
    [
      "the vault has no newer key",
      "vault.unpaired",
      (pair) => {
        for (const id of newest(pair)) pair.site.vault.setEnabled(id, false);
      },
    ],
  ])("stays as it is if the emergency cannot begin: %s", async (_name, code, harm) => {
    const pair = await waitingPair();
    const { nonce } = pair.campaign();
    harm(pair);
    const error = await refused(pair.rotate("emergency"));
    expect([error.code, error.effect]).toEqual([code, "none"]);
    expect([pair.campaign().nonce, causeOf(pair.campaign())]).toEqual([nonce, "gate.permit"]);
    expect(pair.agent.supervisor?.waiting(group)).toBeUndefined();
    await pair.end();
  });

  it("refuses a planned rotation, and names the command that ends it", async () => {
    const pair = await waitingPair();
    expect(await refused(pair.rotate("planned", ["noPermit"]))).toMatchObject({
      ...{ code: "gate.busy", effect: "none", next: `linkseal rotation abandon ${group}` },
      message: "a campaign waits there for a permit of the hub, and must be ended first",
    });
    expect(await planned(pair, "planned")).toEqual([`linkseal rotation abandon ${group}`]);
    expect(pair.campaign().state).toBe("gated");
    await pair.end();
  });
});
