// The doctor beside a campaign that begins while it looks.

import { describe, expect, it } from "vitest";
import { doctorReport } from "#agent/operate/doctor/report.ts";
import { Pair } from "../../kit/rotate-kit.ts";
import { never, settled } from "../../kit/site-bench.ts";

describe("a campaign that begins meanwhile", () => {
  it("a key that a campaign staged while the vault was read is no extra key", async () => {
    const pair = await Pair.adopted({ overlap: "keychain" });
    const { memory: atRest, supervisor } = pair.agent;
    pair.newKeys();
    await pair.rotate();
    await pair.reach("primary switching");
    let asked = 0;
    const agent = {
      supervisor,
      get memory() {
        asked += 1;
        // The lines of routers are asked first, and then whether a campaign runs.
        return asked <= 2 ? atRest : pair.agent.memory;
      },
    };
    const { clock } = pair.site;
    const report = await settled(clock, doctorReport(agent, clock.wall(), never));
    expect(report.findings).toEqual([]);
    expect(asked).toBeGreaterThan(2);
  });
});
