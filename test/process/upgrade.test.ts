// An agent of the first version with a package is killed in the middle of a rotation, and the agent
// of this clone goes on with its state folder, as after an upgrade: beside routers of two vendors
// over real SSH and NETCONF, with keys and far end behind TLS, whose protocols are not linkseal's.

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import type { Campaign } from "#agent/model/campaign.ts";
import { sightOf } from "#sim/conformance/canary.ts";
import { effort } from "../effort.ts";
import { buildFirstVersion, firstVersion, whyNoFirstVersion } from "../first-version.ts";
import { cannotRun } from "../why-not.ts";
import type { Death } from "./deadly-site.ts";
import { adopted, rotated, rotation, seed, speed } from "./loopback-kit.ts";
import type { Platform } from "./loopback-site.ts";
import { Stage } from "./stage.ts";

interface Upgrade {
  readonly nth: number;
  readonly when: Death;
  readonly platforms: readonly Platform[];
}

/** At its write of the far end a link is drained, and after it the ends have different keys. */
const upgrades: readonly Upgrade[] = effort(
  [{ nth: 1, when: "after", platforms: ["iosxr", "junos"] }],
  (
    [
      ["iosxr", "junos"],
      ["eos", "iosxe"],
    ] as const
  ).flatMap((platforms) =>
    [1, 2].flatMap((nth): Upgrade[] => [
      { nth, when: "before", platforms },
      { nth, when: "after", platforms },
    ]),
  ),
);

/** Drivers of that version do not understand each layout in which a router shows a route. */
const asked = { target: "erd-demo", risks: ["ownPathUnknown"], urgency: "planned" } as const;

/** Its labels of commits on IOS XR are too long for releases with the shorter limit. */
const labelMax = 30;

const nothing = (): void => undefined;

/** Returns the records of campaigns in the journal, after the first `from` records. */
function campaignsIn(stage: Stage, from: number): readonly Campaign[] {
  const lines = readFileSync(join(stage.state, "journal"), "utf8").trimEnd().split("\n");
  return lines.slice(from).flatMap((line) => {
    const record = JSON.parse(line) as { readonly campaign?: Campaign };
    return record.campaign ?? [];
  });
}

const moveOf = ({ links, at, state }: Campaign): string => `${links[at]?.name} ${state}`;

function filesIn(folder: string): readonly string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => readFileSync(join(parentPath, name), "latin1"));
}

/** What a site is like after a rotation: nothing is left of it. */
async function expectRotated(stage: Stage): Promise<void> {
  const { truth, violations, canaries } = await stage.account();
  expect(violations).toEqual([]);
  const links = truth.groups.flatMap((group) => group.links);
  expect(links.length).toBe(2);
  for (const { id, farKey, ...link } of links) {
    expect(link, id).toMatchObject({
      ...{ secured: true, bgpUp: true, drained: false, commitPending: false },
      edgeKeys: [farKey],
    });
  }
  const keys = canaries.map(({ bytes }) => bytes);
  expect(keys.length).toBeGreaterThan(3);
  const outputs = stage.programs.map(({ output }) => output);
  expect(sightOf(keys, [...outputs, ...filesIn(stage.state)])).toBeUndefined();
}

describe(`an upgrade from ${firstVersion}`, () => {
  const why = whyNoFirstVersion();
  let command = "";
  beforeAll(() => {
    if (why === undefined) command = buildFirstVersion();
  });

  it.for(upgrades)(
    "a rotation cut off $when far end write $nth beside $platforms ends",
    async ({ nth, when, platforms }, context) => {
      if (why !== undefined) cannotRun(context, why);
      const fate = { request: "far end put", nth, when };
      const setting = { seed, start: "protected", speed, fate, platforms, labelMax } as const;
      await using stage = await Stage.open(setting, "loopback-site.ts");
      const before = await adopted(stage, command);
      const records = stage.records();
      stage.send({ kind: "newKeys" });
      await stage.admin("/v1/rotate", asked);
      expect(await rotated(stage, before, nothing)).toBe("dead");
      const stored = campaignsIn(stage, records);
      const moves = stored.map(moveOf).filter((move, at, all) => move !== all[at - 1]);
      expect(moves.length).toBeGreaterThan(2);
      const { truth } = await stage.account();
      const links = truth.groups.flatMap((each) => each.links);
      expect(links.filter((link) => link.drained).length).toBe(1);

      const after = await stage.live();
      const config = await stage.view("/v1/config");
      expect(config).toMatchObject({ number: 1, text: stage.config });
      const found = await rotation(stage);
      expect(
        found?.steps.map(({ link, state }) => `${link} ${state}`).slice(0, moves.length),
      ).toEqual(moves);
      const keys = stored.at(-1)?.links.map((link) => link.new.key.cakSecretId);
      expect(found?.links.map((link) => link.cakSecretId)).toEqual(keys);
      expect(await stage.view("/v1/journal")).toMatchObject({ state: "whole" });

      expect(await rotated(stage, after, nothing)).toBe("done: rotated, rotated");
      const { warnings } = await stage.status();
      expect(warnings.filter(({ severity }) => severity === "error")).toEqual([]);
      await expectRotated(stage);
    },
  );
});
