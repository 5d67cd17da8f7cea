// A Junos router with two routing engines: a switchover after any commit brings back nothing old.

import { beforeAll, describe, expect, it } from "vitest";
import { readXml } from "#drivers/transport/xml.ts";
import { commit, freshKey, prepare, revertMs, wanted } from "#sim/conformance/kit.ts";
import { JunosEmulator } from "#sim/emulators/junos.ts";
import { channelTo } from "#sim/lab/emulator-channel.ts";
import { type Platform, placeOf, platforms, wayOf } from "./place.ts";
import { benchOf, drive } from "./rig.ts";

const never = new AbortController().signal;

function placed(secondEngine: "OK" | "Present" | undefined) {
  const model = { model: "mx480", version: "22.2R3.15", wiring: {} };
  const engines = secondEngine === undefined ? {} : { secondEngine };
  const platform: Platform<JunosEmulator> = {
    ...platforms["mx480 22.2R3"],
    emulatorOf: (router) => new JunosEmulator(router, { ...model, ...engines }),
  };
  const place = placeOf(platform);
  const { rig, emulator } = place;
  const target = { device: rig.router.name, address: "192.0.2.1" };
  const way = wayOf(place, target, async (to) =>
    channelTo(to.device, (wire) => emulator.connect(wire)),
  );
  const isSame = () => JSON.stringify(emulator.second) === JSON.stringify(emulator.current);
  return { rig, way, isSame };
}

describe("a router with two routing engines", () => {
  beforeAll(async () => {
    await readXml(new TextEncoder().encode("<warm/>"), "nowhere");
  });

  it("both routing engines have each commit: final, confirmed, and taken back", async () => {
    const { rig, way, isSame } = placed("OK");
    const run = async () => {
      const bench = await benchOf(rig, way);
      const [port] = bench.ports;
      const key = { kind: "macsec.addKey", port, key: freshKey(bench), role: "primary" } as const;
      const settings = wanted(bench);
      await commit(bench, { kind: "macsec.protect", port, settings }, key);
      expect(isSame()).toBe(true);
      const shut = [{ kind: "port.shut", port }] as const;
      const confirmed = await prepare(bench, shut);
      await confirmed.apply(revertMs, never);
      expect(isSame()).toBe(true);
      await confirmed.confirm(never);
      expect(isSame()).toBe(true);
      const undone = await prepare(bench, [{ kind: "port.open", port }]);
      await undone.apply(revertMs, never);
      await undone.rollback(never);
      expect(isSame()).toBe(true);
      expect(await bench.device.observe(never)).not.toHaveProperty("obstacles");
    };
    await drive(rig.clock, run());
  });

  it("one that cannot take commits holds none back, and is reported", async () => {
    const { rig, way, isSame } = placed("Present");
    const run = async () => {
      const bench = await benchOf(rig, way);
      await commit(bench, { kind: "port.shut", port: bench.ports[0] });
      expect(isSame()).toBe(false);
      const { obstacles } = await bench.device.observe(never);
      expect(obstacles).toEqual([{ kind: "secondEngine", state: "notReady" }]);
    };
    await drive(rig.clock, run());
  });

  it("a router with one is never asked to synchronize", async () => {
    const { rig, way } = placed(undefined);
    const run = async () => {
      const bench = await benchOf(rig, way);
      await commit(bench, { kind: "port.shut", port: bench.ports[0] });
      expect(await bench.device.observe(never)).not.toHaveProperty("obstacles");
    };
    await drive(rig.clock, run());
  });
});
