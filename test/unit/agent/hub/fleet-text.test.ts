// All sites as text: columns, what is listed and what is only counted.

import { describe, expect, it } from "vitest";
import { fleetLine, fleetText, siteText } from "#agent/hub/cli/fleet-text.ts";
import { FleetWatch } from "#agent/hub/fleet-watch.ts";
import { SimClock } from "#sim/base/clock.ts";
import { HubEngine } from "../../kit/hub-engine.ts";
import { settled, wallStart } from "../../kit/site-bench.ts";
import { downLink, siteStatus } from "../../kit/site-statuses.ts";

const plain = { strong: String, faint: String, bad: String, verdict: String };

async function watched(): Promise<FleetWatch> {
  const clock = new SimClock(wallStart);
  const engine = new HubEngine(clock);
  const watch = new FleetWatch(clock);
  const at = (): string => new Date(clock.wall()).toISOString();
  engine.put("linkseal-status", "ams", siteStatus("ams", { at: at() }));
  await clock.runFor(120_000);
  engine.put(
    "linkseal-status",
    "dublin",
    siteStatus("dublin", { at: at(), ...downLink("dublin") }),
  );
  for (const site of ["cork", "galway"]) {
    engine.put("linkseal-status", site, siteStatus(site, { at: at() }));
  }
  await settled(clock, watch.read(engine));
  return watch;
}

describe("fleet status", () => {
  it("what is wrong or silent is listed in columns, and the rest is counted", async () => {
    const view = (await watched()).view();
    expect(fleetText(view, plain)).toBe(
      [
        "fleet: down  4 sites: 1 down, 1 silent, 2 protected  2026-11-24T10:02:00Z",
        "",
        "dublin  down     config 3 abababab  oldest key 40 d  told 0.0 s ago",
        "  erd-dublin/primary  down  mka-no-live-peer",
        "ams     unknown  config 3 abababab  oldest key 40 d  " +
          "silent: told 2 min ago that it was protected",
      ].join("\n"),
    );
    expect(fleetLine(view, plain)).toBe("fleet: down: dublin down, ams silent");
  });

  it("a site is shown whole, and its own time as its own", async () => {
    const row = (await watched()).site("dublin");
    expect(row && siteText(row, plain).split("\n").slice(2)).toEqual([
      "  links and tunnels  1 protected, 1 down",
      "  said at            2026-11-24T10:02:00.000Z by its clock, version 0.2.0",
      "  audit log          record 120; the engine has 120",
      "  newest head        none",
      "  key                erd-dublin/primary: c0c0c0c0…c0c0 (40 d)",
      "  key                erd-dublin/secondary: c0c0c0c0…c0c0 (39 d)",
    ]);
  });
});
