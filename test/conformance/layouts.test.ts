// Routers of Cisco in layouts that are drawn: whatever a router adds to its answers or leaves out,
// the same is read.

import { inspect } from "node:util";
import { describe, expect, it } from "vitest";
import type { DeviceState } from "#hal/model.ts";
import { Prng } from "#sim/base/prng.ts";
import { secure } from "#sim/conformance/kit.ts";
import { type CiscoLayout, drawLayout, plainLayout } from "#sim/emulators/cisco-layout.ts";
import { IosxeEmulator } from "#sim/emulators/iosxe.ts";
import { IosxrEmulator } from "#sim/emulators/iosxr.ts";
import { channelTo } from "#sim/lab/emulator-channel.ts";
import { type Platform, placeOf, platforms, wayOf } from "./place.ts";
import { benchOf, drive } from "./rig.ts";

const seed = process.env["LINKSEAL_SEED"] ?? "layouts";
const count = 20;

/** Observes a router with a key on one of its ports, twice. */
async function observed(platform: Platform): Promise<readonly DeviceState[]> {
  const place = placeOf(platform);
  const { rig, emulator } = place;
  const target = { device: rig.router.name, address: "192.0.2.1" };
  const way = wayOf(place, target, async (to) =>
    channelTo(to.device, (wire) => emulator.connect(wire)),
  );
  const run = async () => {
    const bench = await benchOf(rig, way);
    await secure(bench, bench.ports[0]);
    const { device } = bench;
    const never = new AbortController().signal;
    return [await device.observe(never), await device.observe(never)];
  };
  return await drive(rig.clock, run());
}

/** The readings that do not depend on the moment, and the reasons of those that are unknown. */
function standing({ control, macsec, routing, ipsec }: DeviceState): string {
  const ports = macsec.map(({ port, admin, linkUp, settings, keys, session, rate }) =>
    [port, admin, linkUp, settings, keys, session, rate].map((one) =>
      typeof one === "string" || one.kind === "unknown" ? one : one.value,
    ),
  );
  const routes = routing.kind === "known" ? routing.value : routing.why;
  const tunnels = ipsec.map(({ name, ike }) => [name, ike.kind]);
  return inspect([control.kind, ports, routes, tunnels], { depth: 9, breakLength: 120 });
}

const bootOf = ({ control }: DeviceState): string | undefined =>
  control.kind === "known" ? control.value.bootId : undefined;

const routers = {
  "IOS XE": (layout: CiscoLayout): Platform => ({
    ...platforms["C8500-12X4QC 17.15.1"],
    emulatorOf: (router) => {
      const model = { platform: "C8500-12X4QC", version: "17.15.01a", layout, wiring: {} };
      return new IosxeEmulator(router, { ...model, hasArchive: true, isRecent: true });
    },
  }),
  "IOS XR": (layout: CiscoLayout): Platform => ({
    ...platforms["8201-32FH 7.11.2"],
    emulatorOf: (router) => {
      const model = { platform: "8201-32FH", version: "7.11.2", layout, wiring: {} };
      return new IosxrEmulator(router, model);
    },
  }),
};

describe("an emulated router of Cisco", () => {
  it.each(Object.entries(routers))(
    "an emulated router with %s is read alike in each layout",
    async (name, routerOf) => {
      console.log(`layouts of ${name}: LINKSEAL_SEED=${seed}, ${count} layouts`);
      const prng = new Prng(`${seed}/${name}`);
      const layouts = Array.from({ length: count }, () => drawLayout(prng));
      const [plain] = await observed(routerOf(plainLayout));
      if (plain === undefined) throw new Error("no observation");
      expect(standing(plain)).toContain("controlledPort: 'secured'");
      expect(standing(plain)).not.toContain("unknown");
      for (const layout of layouts) {
        const [first, second] = await observed(routerOf(layout));
        if (first === undefined || second === undefined) throw new Error("no observation");
        expect(standing(first), inspect(layout)).toBe(standing(plain));
        expect(bootOf(second), inspect(layout)).toBe(bootOf(first));
      }
      // Each form was drawn.
      for (const key of Object.keys(plainLayout) as (keyof CiscoLayout)[]) {
        expect(new Set(layouts.map((layout) => layout[key])).size).toBeGreaterThan(1);
      }
    },
  );
});
