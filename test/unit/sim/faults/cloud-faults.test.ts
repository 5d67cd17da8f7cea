import { describe, expect, it } from "vitest";
import { FaultConsole } from "#sim/faults/fault-console.ts";
import { cloudFaults } from "#sim/faults/faults.ts";
import { watchSite } from "#sim/oracle/oracle.ts";
import { buildSite } from "#sim/site/site.ts";
import { simulatedAzure } from "../../kit/arm-bench.ts";

describe("a fault of a simulated cloud", () => {
  it.each(cloudFaults)(
    "the fault $name is known only at a site with a simulated cloud",
    async ({ name }) => {
      const shape = { seed: "f", name: "demo", groups: 1, tunnels: 2 } as const;
      const site = buildSite({ ...shape, start: "protected" });
      await site.clock.runFor(60_000);
      const faultConsole = new FaultConsole(site, watchSite(site));
      expect(() => faultConsole.strike(name)).toThrow(`no fault ${name}`);
      faultConsole.posture = simulatedAzure(site).arm.posture;
      expect(faultConsole.strike(name)).toContain(name);
      expect([...site.msees.values()].map((msee) => msee.hasFault("operationRefused"))).toEqual([
        name === "operation-refused",
      ]);
      expect(faultConsole.heal(name)).toContain("healed");
      expect([...site.msees.values()].map((msee) => msee.hasFault("operationRefused"))).toEqual([
        false,
      ]);
    },
  );
});
