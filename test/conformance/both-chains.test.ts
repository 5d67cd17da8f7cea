// A router with IOS XR whose primary and fallback chain both change in one commit: the emulated one
// ends the session then, so that a driver that does this is noticed.

import { describe, expect, it } from "vitest";
import type { Dialer } from "#hal/world.ts";
import * as kit from "#sim/conformance/kit.ts";
import { IosxrEmulator } from "#sim/emulators/iosxr.ts";
import { channelTo } from "#sim/lab/emulator-channel.ts";
import { placeOf, platforms, wayOf } from "./place.ts";
import { benchOf, drive } from "./rig.ts";

/** A link under its first key, with the next key in the fallback chain. */
async function withTwoKeys() {
  const place = placeOf(platforms["8201-32FH 7.11.2"]);
  const { rig, emulator } = place;
  if (!(emulator instanceof IosxrEmulator)) throw new TypeError("it is not IOS XR");
  const channel: Dialer["channel"] = async (to) =>
    channelTo(to.device, (wire) => emulator.connect(wire));
  const target = { device: rig.router.name, address: "192.0.2.1" };
  const run = <T>(part: Promise<T>): Promise<T> => drive(rig.clock, part);
  const bench = await run(benchOf(rig, wayOf(place, target, channel)));
  const [port] = bench.ports;
  const old = await run(kit.secure(bench, port));
  const next = kit.freshKey(bench);
  await run(kit.commit(bench, kit.addSecond(bench, port, next)));
  await run(bench.wait(20_000));
  const type = async (...lines: readonly string[]): Promise<void> => {
    const typed = channelTo(rig.router.name, (wire) => emulator.connect(wire));
    const all = ["configure exclusive", ...lines, "commit", "end"];
    for (const text of all) await run(typed.write([`${text}\n`], kit.never));
    await run(bench.wait(20_000));
  };
  return { bench, port, old, next, emulator, type, run };
}

describe("both key chains of a port with IOS XR", () => {
  it("end the session if they change places in one commit, and it comes back", async () => {
    const { bench, port, old, emulator, type, run } = await withTwoKeys();
    const attached = (): string | undefined =>
      emulator.current
        .find(({ line }) => line === `interface ${port}`)
        ?.children.find(({ line }) => line.startsWith("macsec "))?.line;
    const found = /^macsec psk-keychain (\S+) fallback-psk-keychain (\S+) policy (\S+)$/;
    const [, primary, fallback, policy] = found.exec(attached() ?? "") ?? [];
    const chains = `psk-keychain ${fallback} fallback-psk-keychain ${primary}`;
    const swapped = `macsec ${chains} policy ${policy}`;
    const before = kit.truthOf(bench, port);
    await type(`interface ${port}`, swapped);
    expect(attached()).toBe(swapped);
    expect(kit.truthOf(bench, port).lostFrames).toBeGreaterThan(before.lostFrames);
    await run(
      kit.until(bench, "the session under the key of the far end", () => {
        const { principal, carries } = kit.truthOf(bench, port);
        return principal === old.ckn && carries;
      }),
    );
  });

  it("leave the session alone if one of them changes", async () => {
    const { bench, port, next, run } = await withTwoKeys();
    const before = kit.truthOf(bench, port);
    const remove = { kind: "macsec.removeKey", port, ckn: next.ckn } as const;
    await run(kit.commit(bench, remove));
    await run(bench.wait(20_000));
    expect(kit.truthOf(bench, port).lostFrames).toBe(before.lostFrames);
  });
});
