// `driver check` on a router that stands in for one of a lab: nothing but the driver touches it.

import { beforeAll, describe, expect, it } from "vitest";
import { readXml } from "#drivers/transport/xml.ts";
import type { Device, Driver } from "#hal/device.ts";
import type { Verdict } from "#sim/conformance/suite.ts";
import { channelTo } from "#sim/lab/emulator-channel.ts";
import { checkDriver, type LabTunnel } from "#sim/lab/lab-bench.ts";
import { driverOf, type Platform, placeOf, platforms, worldOf } from "./place.ts";
import { drive } from "./rig.ts";

async function checked(
  driver: Driver,
  platform: Platform = platforms["ptx10008 23.4R2"],
  tunnel?: LabTunnel,
): Promise<ReadonlyMap<string, Verdict>> {
  const place = placeOf(platform);
  const { rig, emulator } = place;
  const { ports } = platform;
  const world = worldOf(place, async (to) =>
    channelTo(to.device, (wire) => emulator.connect(wire)),
  );
  const target = { device: rig.router.name, address: "192.0.2.1" };
  const report = (): void => undefined;
  const ends = tunnel === undefined ? {} : { tunnel };
  const checking = checkDriver({ driver, target, world, ports, ...ends, report });
  return await drive(rig.clock, checking);
}

const failed = (verdicts: ReadonlyMap<string, Verdict>): readonly string[] =>
  [...verdicts].flatMap(([name, verdict]) =>
    verdict.kind === "failed" ? [`${name}: ${verdict.text}`] : [],
  );

describe("a driver on a router of a lab", () => {
  beforeAll(async () => {
    await readXml(new TextEncoder().encode("<warm/>"), "nowhere");
  });

  it("a driver on a lab router passes every case that needs no other end", async () => {
    const verdicts = await checked(driverOf("junos"));
    expect(failed(verdicts)).toEqual([]);
    const kinds = Object.groupBy([...verdicts.values()], ({ kind }) => kind);
    expect(kinds.ok?.length).toBeGreaterThan(30);
    expect(kinds.untried?.length).toBeGreaterThan(0);
  });

  it.each([
    ["8201-32FH 7.11.2", 30],
    ["7280CR3MK 4.30.5M", 30],
    ["C8500-12X4QC 17.15.1", 30],
    // Nothing reverts a change there.
    ["C9336C-FX2 9.3.6", 20],
  ] as const)(
    "a driver on a lab router with a command line passes those cases as well: %s",
    async (name, least) => {
      const platform: Platform = platforms[name];
      const verdicts = await checked(driverOf(platform.vendor), platform);
      expect(failed(verdicts)).toEqual([]);
      const kinds = Object.groupBy([...verdicts.values()], ({ kind }) => kind);
      expect(kinds.ok?.length).toBeGreaterThan(least);
    },
  );

  it.each(["srx4600 23.4R2", "C8500-12X4QC 17.15.1", "AWE-5510 4.32.2F"] as const)(
    "a tunnel without an answering gateway is tried on a lab router: %s",
    async (name) => {
      const platform: Platform = platforms[name];
      const ends = { local: "198.51.100.1", remote: "203.0.113.77" };
      const verdicts = await checked(driverOf(platform.vendor), platform, ends);
      expect(failed(verdicts)).toEqual([]);
      const kinds = [...verdicts].filter(([one]) => one.startsWith("tunnel:"));
      expect(Object.fromEntries(kinds.map(([one, { kind }]) => [one.slice(8), kind]))).toEqual({
        "comes up and is reported as it is": "untried",
        "put again changes nothing": "ok",
        "other settings take effect": "ok",
        "a change of its path leaves its SAs alone": "ok",
        "removing one that is not there changes nothing": "ok",
        "removed is gone": "ok",
        "reverts in time without a confirm": "ok",
        "child rekey interrupts nothing": "refused",
        "ike rekey interrupts nothing": "refused",
        "reauthenticate interrupts nothing": "refused",
        "one that is not there cannot be rekeyed": "refused",
      });
    },
  );

  it("a driver that commits without its timer fails a case on a lab router", async () => {
    const inner = driverOf("junos");
    const spoilt: Driver = {
      ...inner,
      open: async (...words) => {
        const device: Device = await inner.open(...words);
        return {
          ...device,
          prepare: async (...more) => {
            const transaction = await device.prepare(...more);
            return {
              ...transaction,
              apply: (_within, signal) => transaction.apply("final", signal),
            };
          },
        };
      },
    };
    expect(failed(await checked(spoilt)).join("\n")).toContain("apply: reverts in time");
  });
});
