// A whole rotation of one port, by the changes that a campaign makes.

import type { DeviceChange, PortChange } from "#hal/device.ts";
import type { Ckn, KeyRef } from "#hal/model.ts";
import type { DeviceBench } from "#sim/conformance/bench.ts";
import * as kit from "#sim/conformance/kit.ts";

/** A device, and how each change is made on it. */
export interface Stepping {
  readonly bench: DeviceBench;
  step(change: DeviceChange, committed?: "final" | "confirmed" | "takenBack"): Promise<void>;
}

const removeKey = (bench: DeviceBench, { ckn }: { readonly ckn: Ckn }): PortChange => ({
  kind: "macsec.removeKey",
  port: bench.ports[0],
  ckn,
});

/** Drains the port, rotates its key as the platform can, and restores it. */
export async function rotate(stepping: Stepping, old: KeyRef, next: KeyRef): Promise<void> {
  const { bench } = stepping;
  const [port] = bench.ports;
  const { drain, macsec } = bench.device.capabilities;
  const [means] = drain?.means ?? [];
  const isOnNext = (): boolean => kit.truthOf(bench, port).principal === next.ckn;
  if (means !== undefined) await stepping.step([{ kind: "port.drain", port, means }], "confirmed");
  if (macsec?.overlap === "none") {
    await stepping.step([{ kind: "macsec.replaceKey", port, key: next }]);
    bench.giveFarEnd(port, next, kit.suiteOf(bench));
    await kit.until(bench, "the new key as principal", isOnNext);
  } else {
    if (kit.timer.needs(bench.device.capabilities)) {
      await stepping.step([kit.addSecond(bench, port, next)], "takenBack");
    }
    await stepping.step([kit.addSecond(bench, port, next)], "confirmed");
    if (macsec?.overlap === "fallback") {
      await stepping.step([{ kind: "macsec.promoteKey", port, ckn: next.ckn, keys: [next, old] }]);
    }
    bench.giveFarEnd(port, next, kit.suiteOf(bench));
    await kit.until(bench, "the new key as principal", isOnNext);
    await bench.wait(20_000);
    await stepping.step([removeKey(bench, old)]);
  }
  if (means !== undefined) await stepping.step([{ kind: "port.restore", port, means }]);
}
