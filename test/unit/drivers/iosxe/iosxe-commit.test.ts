// What a change at a router without a candidate leaves behind where it goes wrong in the middle.

import { describe, expect, it } from "vitest";
import type { Device, DeviceChange, Transaction } from "#hal/device.ts";
import type { LinksealError } from "#hal/error.ts";
import { type Command, preview, Secret } from "#hal/secret.ts";
import { IosxeEmulator } from "#sim/emulators/iosxe.ts";
import { channelTo } from "#sim/lab/emulator-channel.ts";
import {
  type Place,
  type Platform,
  placeOf,
  platforms,
  wayOf,
} from "../../../conformance/place.ts";
import { never, refused, settled } from "../../kit/site-bench.ts";
import { addKey, protect } from "../change-kit.ts";
import { CutRouter } from "../cut-kit.ts";
import { port } from "./iosxe-kit.ts";

const change: DeviceChange = [protect(port(0)), addKey(port(0), 1, "primary")];

/** A connection that ends as a line is said, and what was said on all of them. */
class Stage {
  readonly place: Place<IosxeEmulator>;
  readonly lines: string[] = [];
  endsAt: string | undefined;

  constructor(platform: Platform<IosxeEmulator> = platforms["C8500-12X4QC 17.15.1"]) {
    this.place = placeOf(platform);
  }

  async open(): Promise<Device> {
    const { rig, emulator } = this.place;
    const target = { device: rig.router.name, address: "192.0.2.1" };
    const way = wayOf(this.place, target, async (to) => {
      const inner = channelTo(to.device, (wire) => emulator.connect(wire));
      return {
        ...inner,
        write: async (text: Command, signal) => {
          const line = preview(text).trim();
          this.lines.push(line);
          if (line === this.endsAt) await inner[Symbol.asyncDispose]();
          await inner.write(text, signal);
        },
      };
    });
    return await this.run(way.open());
  }

  run<T>(promise: Promise<T>): Promise<T> {
    return settled(this.place.rig.clock, promise);
  }

  async prepare(device: Device): Promise<Transaction> {
    const keys = async () => Secret.take("cak", new Uint8Array(32).fill(7));
    return await this.run(device.prepare(change, keys, never));
  }

  refused(promise: Promise<unknown>): Promise<LinksealError> {
    return refused(settled(this.place.rig.clock, promise));
  }

  get macsec() {
    return this.place.rig.router.configured(port(0))?.macsec;
  }
}

/** A release that does not know what its version promises. */
function liar(hasArchive: boolean): Platform<IosxeEmulator> {
  const model = {
    platform: "C8500-12X4QC",
    version: "17.15.01a",
    hasArchive,
    isRecent: false,
    wiring: {},
  };
  const { less, ...platform } = platforms["C8500-12X4QC 17.15.1"];
  const commit = hasArchive ? {} : { commit: { kind: "immediate" } as const };
  return {
    ...platform,
    less: { ...less, ...commit },
    emulatorOf: (router) => new IosxeEmulator(router, model),
  };
}

describe("a change at IOS XE", () => {
  it("a change is armed before its first line and saved once it is confirmed", async () => {
    const stage = new Stage();
    const device = await stage.open();
    const transaction = await stage.prepare(device);
    stage.lines.length = 0;
    await stage.run(transaction.apply(60_000, never));
    const sent = stage.lines.filter((one) => /^(?:configure|end|write|event)/.test(one));
    expect(sent).toEqual([
      "configure terminal revert timer 5",
      `event manager environment linkseal_commit ${transaction.token}`,
      "end",
      "configure revert timer 2",
    ]);
    expect(stage.place.emulator.isSaved()).toBe(false);
    await stage.run(transaction.confirm(never));
    expect(stage.place.emulator.isSaved()).toBe(true);
    expect(stage.macsec?.policy).toBe("mustSecure");
    await device[Symbol.asyncDispose]();
  });

  it("a change with a refused line is reverted as a whole", async () => {
    const stage = new Stage(liar(true));
    const device = await stage.open();
    const transaction = await stage.prepare(device);
    const error = await stage.refused(transaction.apply("final", never));
    expect(error).toMatchObject({ code: "device.rejected", effect: "none" });
    expect(stage.place.emulator.isArmed).toBe(false);
    expect(stage.place.emulator.current.some(({ line }) => line.startsWith("mka policy"))).toBe(
      false,
    );
    await device[Symbol.asyncDispose]();
  });

  it("a change with a refused line reports that part stays if nothing reverts it", async () => {
    const stage = new Stage(liar(false));
    const device = await stage.open();
    const transaction = await stage.prepare(device);
    const error = await stage.refused(transaction.apply("final", never));
    expect(error).toMatchObject({ code: "device.rejected", effect: "unknown" });
    expect(error.message).toContain("the lines before it stay");
    expect(stage.macsec).toBeUndefined();
    await device[Symbol.asyncDispose]();
  });

  it("a change that lost its confirm reverts by itself and is not done twice", async () => {
    const stage = new Stage();
    const device = await stage.open();
    const transaction = await stage.prepare(device);
    stage.endsAt = "configure confirm";
    const lost = await stage.refused(transaction.apply("final", never));
    expect(lost).toMatchObject({ effect: "unknown" });
    stage.endsAt = undefined;
    expect(stage.macsec).toBeDefined();
    expect((await stage.refused(transaction.apply("final", never))).code).toBe("device.locked");
    await stage.place.rig.clock.runFor(5 * 60_000);
    expect(stage.macsec).toBeUndefined();
    await stage.run(transaction.apply("final", never));
    await stage.place.rig.clock.runFor(10 * 60_000);
    expect(stage.macsec?.policy).toBe("mustSecure");
    await device[Symbol.asyncDispose]();
  });

  it("a change waits for a timer of another session, and is never mistaken for it", async () => {
    const stage = new Stage();
    const device = await stage.open();
    const transaction = await stage.prepare(device);
    await stage.run(transaction.apply("final", never));
    stage.place.emulator.arm(10);
    const recalled = await stage.run(device.recall(transaction.token, never));
    expect(recalled.kind).toBe("absent");
    const other = [{ kind: "port.shut", port: port(0) }] as const;
    const keys = async () => Secret.take("cak", new Uint8Array(32).fill(7));
    const error = await stage.refused(device.prepare(other, keys, never));
    expect(error.code).toBe("device.locked");
    await device[Symbol.asyncDispose]();
  });

  // The mark is settled after the confirm. If the session ended in between, a timer of a person
  // counted as ours, and was ended.
  it.each([
    { what: "that is final", within: "final" },
    { what: "that waited for its confirm", within: 120_000 },
  ] as const)("a change $what, completed later, owns no person's timer", async ({ within }) => {
    const router = new CutRouter(platforms["C8500-12X4QC 17.15.1"]);
    const device = await router.open();
    const transaction = await router.prepare(device, change);
    if (within !== "final") await router.run(transaction.apply(within, never));
    const last = () =>
      within === "final" ? transaction.apply(within, never) : transaction.confirm(never);
    await router.cutAt(/\.settled$/, last);
    await device[Symbol.asyncDispose]();
    await using successor = await router.open();
    await router.run(successor.complete?.([], never) ?? Promise.reject(new Error("absent")));
    const { emulator } = router.place;
    const mark = `event manager environment linkseal_commit ${transaction.token}.settled`;
    expect([emulator.isSaved(), router.lines.includes(mark)]).toEqual([true, true]);
    await router.type("enable", "configure terminal revert timer 10", "end");
    const recalled = await router.run(successor.recall(transaction.token, never));
    expect([recalled.kind, emulator.isArmed]).toEqual(["absent", true]);
  });
});
