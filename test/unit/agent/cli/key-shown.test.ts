// Which key a status, the page and the metrics show as in use while a rotation runs, held against
// the router.

import { describe, expect, it } from "vitest";
import type { Paint } from "#agent/cli/paint.ts";
import { statusText } from "#agent/cli/status-text.ts";
import { keysText, shortCkn } from "#agent/model/ckn-text.ts";
import { pageSnapshot } from "#agent/page/snapshot.ts";
import { exposition } from "#agent/telemetry/exposition.ts";
import { familiesOf, measured } from "#agent/telemetry/metric.ts";
import { metricRows } from "#agent/telemetry/metric-rows.ts";
import { momentOf } from "#agent/web/model.ts";
import { keyText } from "#agent/web/rows.ts";
import { group } from "../../kit/agent-bench.ts";
import { Pair } from "../../kit/rotate-kit.ts";

const asIs = (text: string): string => text;
const plain: Paint = { strong: asIs, faint: asIs, bad: asIs, verdict: asIs };

/** What is shown of the primary link at one moment. */
function shown({ agent }: Pair) {
  const snapshot = pageSnapshot(agent);
  const [link] = snapshot.status.groups[0]?.links ?? [];
  if (link === undefined) throw new Error("no link");
  const moment = momentOf({ snapshot, cameAt: 0 }, { kind: "open" }, 0);
  const text = exposition(familiesOf(metricRows, measured(agent)));
  const series = `linkseal_key_in_use{site="demo",group="${group}",link="primary",key=`;
  const metric = text.split("\n").filter((line) => line.startsWith(series));
  return {
    link,
    line: statusText(snapshot.status, plain)
      .split("\n")
      .find((each) => each.includes("  primary ")),
    page: keyText(link, moment),
    lost: keyText(link, { ...moment, isStale: true }),
    metric: metric.find((line) => line.endsWith(" 1"))?.slice(series.length),
  };
}

describe.each(["planned", "emergency"] as const)("in a rotation that is %s", (urgency) => {
  it("the retired key is not shown as in use from proving until the link is done", async () => {
    const pair = await Pair.adopted({ overlap: "keychain" });
    const before = shown(pair);
    const old = before.link.ckn ?? "";
    expect(before.line).toContain(`  key ${shortCkn(old)} (`);
    pair.newKeys();
    await pair.rotate(urgency);
    await pair.reach("primary restoring");
    const fresh = pair.campaign().links[0]?.new.key.ckn ?? "";
    expect(pair.keysOn("primary")).toEqual([fresh]);
    const between = shown(pair);
    const both = `${shortCkn(fresh)} in use, ${shortCkn(old)} accepted`;
    expect(between.line).toContain(`  key ${both} (`);
    expect(between.page).toContain(both);
    expect(between.link).toMatchObject({ ckn: old, keyInUse: fresh, keyNext: fresh });
    expect(between.metric).toBe('"next"} 1');
    expect(between.lost).toContain(`in use not known, ${shortCkn(old)} accepted`);
    const { keys } = (await pair.ask("GET /v1/keys")) as { keys: readonly unknown[] };
    expect(keys[0]).toMatchObject({ ckn: old, keyInUse: fresh });
    await pair.reach("secondary done");
    const after = shown(pair);
    expect(after.link).toMatchObject({ ckn: fresh, keyInUse: fresh, keyNext: null });
    expect([before.link.keyInUse, before.link.keyNext, before.metric]).toEqual([
      ...[old, null],
      '"accepted"} 1',
    ]);
    expect([after.metric, pair.violations()]).toEqual(['"accepted"} 1', []]);
    await pair.end();
  });
});

it.each([
  ["aa", "aa", "aa (1 d)"],
  ["aa", "bb", "bb in use, aa accepted (1 d)"],
  ["aa", null, "in use not known, aa accepted (1 d)"],
  [null, "bb", "bb in use, none accepted"],
  [null, null, undefined],
])("accepted key %s and key in use %s are shown as %s", (ckn, keyInUse, text) => {
  expect(keysText({ ckn, keyInUse }, " (1 d)")).toBe(text);
});

it("a router that cannot be reached reports no key in use", async () => {
  const pair = await Pair.adopted({ overlap: "keychain" });
  pair.link("primary").router.setFault("unreachable", true);
  await pair.run(120_000);
  const { link, line, metric } = shown(pair);
  expect(link).toMatchObject({ ckn: expect.any(String), keyInUse: null });
  expect([line, metric]).toEqual([expect.stringContaining("key in use not known, "), undefined]);
  await pair.end();
});
