// Routers that save apart from their commit: a change that is in force is saved too, whatever
// becomes of the connection in between.

import { describe, expect, it } from "vitest";
import type { Device, DeviceChange, Transaction } from "#hal/device.ts";
import { LinksealError } from "#hal/error.ts";
import { type Command, preview, Secret } from "#hal/secret.ts";
import type { ByteChannel } from "#hal/world.ts";
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

type Saving = Place["emulator"] & { isSaved(): boolean };

interface Row {
  readonly vendor: string;
  readonly platform: Platform<Saving>;
  /** The line that saves. */
  readonly line: string;
}

const iosxe = platforms["C8500-12X4QC 17.15.1"];
const eos = platforms["7280CR3MK 4.30.5M"];
const nxos = platforms["C9336C-FX2 9.3.6"];
const timed: readonly Row[] = [
  { vendor: "iosxe", platform: iosxe, line: "write memory" },
  { vendor: "eos", platform: eos, line: "write memory" },
];
const rows: readonly Row[] = [
  ...timed,
  { vendor: "nxos", platform: nxos, line: "copy running-config startup-config" },
];

/** Their commits are saved with them. */
const durable: readonly Platform[] = [platforms["ptx10008 23.4R2"], platforms["8201-32FH 7.11.2"]];

/** A router whose connection ends as it is asked to save. */
class Stage {
  readonly #place: Place<Saving>;
  readonly #saving: string;
  /** How often it was asked to save. */
  asked = 0;
  /** How many of the next requests to save end their connection. */
  cuts = 0;
  /** No connection is made after one that was cut. */
  isGoneAfterCut = false;
  #isGone = false;

  constructor({ platform, line }: Row) {
    this.#place = placeOf(platform);
    this.#saving = line;
  }

  get isSaved(): boolean {
    return this.#place.emulator.isSaved();
  }

  /** It can be reached again. */
  returns(): void {
    this.#isGone = false;
    this.isGoneAfterCut = false;
  }

  async open(): Promise<Device> {
    const { rig } = this.#place;
    const target = { device: rig.router.name, address: "192.0.2.1" };
    return await this.run(
      wayOf(this.#place, target, async (to) => this.#channel(to.device)).open(),
    );
  }

  #channel(device: string): ByteChannel {
    if (this.#isGone) {
      const details = { effect: "none", where: device, next: "linkseal status" } as const;
      throw new LinksealError("transport.unreachable", "no route to host", details);
    }
    const { emulator } = this.#place;
    const inner = channelTo(device, (wire) => emulator.connect(wire));
    const write = async (text: Command, signal: AbortSignal): Promise<void> => {
      if (preview(text).trim() === this.#saving) {
        this.asked += 1;
        if (this.cuts > 0) {
          this.cuts -= 1;
          this.#isGone = this.isGoneAfterCut;
          await inner[Symbol.asyncDispose]();
        }
      }
      await inner.write(text, signal);
    };
    return { ...inner, write };
  }

  run<T>(promise: Promise<T>): Promise<T> {
    return settled(this.#place.rig.clock, promise);
  }

  async prepare(device: Device): Promise<Transaction> {
    const [port] = this.#place.platform.ports;
    const over = { suite: "gcm-aes-xpn-256", replayWindow: 64 } as const;
    const change: DeviceChange = [protect(port, over), addKey(port, 1, "primary")];
    const keys = async () => Secret.take("cak", new Uint8Array(32).fill(7));
    return await this.run(device.prepare(change, keys, never));
  }
}

/** A change in force whose save was never reported; the router answers again. */
async function cutOff(row: Row) {
  const stage = new Stage(row);
  const device = await stage.open();
  const transaction = await stage.prepare(device);
  Object.assign(stage, { cuts: 1, isGoneAfterCut: true });
  const error = await refused(stage.run(transaction.apply("final", never)));
  stage.returns();
  expect(stage.isSaved).toBe(false);
  return { stage, device, transaction, error };
}

describe("a commit that is not saved with it", () => {
  it.each(rows)("is saved if its connection ends at the save: $vendor", async (row) => {
    const stage = new Stage(row);
    await using device = await stage.open();
    const transaction = await stage.prepare(device);
    stage.cuts = 1;
    await stage.run(transaction.apply("final", never));
    expect([stage.isSaved, stage.asked]).toEqual([true, 2]);
  });

  it.each(timed)("is saved if the connection of its confirm ends there: $vendor", async (row) => {
    const stage = new Stage(row);
    await using device = await stage.open();
    const transaction = await stage.prepare(device);
    await stage.run(transaction.apply(120_000, never));
    expect(stage.asked).toBe(0);
    stage.cuts = 1;
    await stage.run(transaction.confirm(never));
    expect([stage.isSaved, stage.asked]).toEqual([true, 2]);
  });

  it.each(rows)("is in force where no other connection is made: $vendor", async (row) => {
    const { device, error } = await cutOff(row);
    await using _ = device;
    expect(error).toMatchObject({ code: "transport.unreachable", effect: "applied" });
    expect(error.message).toContain("it was not saved");
  });

  it.each(rows)("is saved by its repetition: $vendor", async (row) => {
    const { stage, device, transaction } = await cutOff(row);
    await using _ = device;
    await stage.run(transaction.apply("final", never));
    expect([stage.isSaved, stage.asked]).toEqual([true, 2]);
  });

  it.each(rows)("is saved by a successor that changes nothing: $vendor", async (row) => {
    const { stage, device } = await cutOff(row);
    await device[Symbol.asyncDispose]();
    await using successor = await stage.open();
    const again = await stage.prepare(successor);
    expect(again.preview).toBe("");
    await stage.run(again.apply("final", never));
    expect([stage.isSaved, stage.asked]).toEqual([true, 2]);
  });

  it.each(rows)("is saved by a successor that knows of it: $vendor", async (row) => {
    const { stage, device } = await cutOff(row);
    await device[Symbol.asyncDispose]();
    await using successor = await stage.open();
    await stage.run(successor.complete?.([], never) ?? Promise.reject(new Error("absent")));
    expect([stage.isSaved, stage.asked]).toEqual([true, 2]);
  });

  it.each(timed)("is not saved by a successor before its confirm: $vendor", async (row) => {
    const stage = new Stage(row);
    const device = await stage.open();
    const transaction = await stage.prepare(device);
    await stage.run(transaction.apply(120_000, never));
    await device[Symbol.asyncDispose]();
    await using successor = await stage.open();
    const completed = successor.complete?.([], never) ?? Promise.resolve();
    const error = await refused(stage.run(completed));
    expect(error).toMatchObject({ code: "device.locked", effect: "none" });
    expect([stage.isSaved, stage.asked]).toEqual([false, 0]);
  });

  it.each(rows)("that fails to be saved again is in force: $vendor", async (row) => {
    const { stage, device } = await cutOff(row);
    await using _ = device;
    stage.cuts = 2;
    const completed = device.complete?.([], never) ?? Promise.resolve();
    const error = await refused(stage.run(completed));
    expect(error).toMatchObject({ effect: "applied" });
    expect(error.message).toContain("it was not saved");
  });

  it.each(durable)("is not known where a commit saves by itself: $vendor", async (platform) => {
    const place = placeOf(platform);
    const target = { device: place.rig.router.name, address: "192.0.2.1" };
    const channel = async () => channelTo(target.device, (wire) => place.emulator.connect(wire));
    await using device = await settled(place.rig.clock, wayOf(place, target, channel).open());
    expect("complete" in device).toBe(false);
  });

  it.each(timed)("is saved by the repetition of its confirm: $vendor", async (row) => {
    const stage = new Stage(row);
    await using device = await stage.open();
    const transaction = await stage.prepare(device);
    await stage.run(transaction.apply(120_000, never));
    Object.assign(stage, { cuts: 1, isGoneAfterCut: true });
    const error = await refused(stage.run(transaction.confirm(never)));
    expect([error.effect, stage.isSaved]).toEqual(["applied", false]);
    stage.returns();
    await stage.run(transaction.confirm(never));
    expect(stage.isSaved).toBe(true);
  });
});
