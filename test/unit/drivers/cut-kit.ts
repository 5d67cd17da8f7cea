// A router whose connection ends as a line is sent, and that no other reaches until then: what a
// killed agent leaves there.

import type { Device, DeviceChange, Transaction } from "#hal/device.ts";
import { LinksealError } from "#hal/error.ts";
import { type Command, preview, Secret } from "#hal/secret.ts";
import type { ByteChannel } from "#hal/world.ts";
import { IosxeEmulator } from "#sim/emulators/iosxe.ts";
import { channelTo } from "#sim/lab/emulator-channel.ts";
import { type Place, type Platform, placeOf, platforms, wayOf } from "../../conformance/place.ts";
import { never, refused, settled } from "../kit/site-bench.ts";

/** Without an archive no timer takes back what was cut off. */
export function xeWithoutArchive(): Platform<IosxeEmulator> {
  const { less, ...platform } = platforms["C8500-12X4QC 17.15.1"];
  const model = {
    ...{ platform: "C8500-12X4QC", version: "17.15.01a", hasArchive: false, isRecent: true },
    wiring: {},
  };
  return {
    ...platform,
    less: { ...less, commit: { kind: "immediate" } },
    emulatorOf: (router) => new IosxeEmulator(router, model),
  };
}

export class CutRouter<E extends Place["emulator"]> {
  readonly place: Place<E>;
  /** The lines that were sent over all connections. */
  readonly lines: string[] = [];
  readonly #way: ReturnType<typeof wayOf>;
  /** Its connection ends before the router gets such a line. */
  #endsAt: RegExp | undefined;
  #isGone = false;

  constructor(platform: Platform<E>) {
    this.place = placeOf(platform);
    const target = { device: this.place.rig.router.name, address: "192.0.2.1" };
    // One world, so that no two transactions have one token.
    this.#way = wayOf(this.place, target, async (to) => this.#channel(to.device));
  }

  async open(): Promise<Device> {
    return await this.run(this.#way.open());
  }

  run<T>(promise: Promise<T>): Promise<T> {
    return settled(this.place.rig.clock, promise);
  }

  async prepare(device: Device, change: DeviceChange): Promise<Transaction> {
    const keys = async () => Secret.take("cak", new Uint8Array(32).fill(7));
    return await this.run(device.prepare(change, keys, never));
  }

  /** Makes a change. */
  async make(device: Device, change: DeviceChange): Promise<Transaction> {
    const transaction = await this.prepare(device, change);
    this.lines.length = 0;
    await this.run(transaction.apply("final", never));
    return transaction;
  }

  /** Makes a change whose connection ends at a line; returns its transaction and error. */
  async cut(device: Device, change: DeviceChange, line: RegExp) {
    const transaction = await this.prepare(device, change);
    const error = await this.cutAt(line, () => transaction.apply("final", never));
    return { transaction, error };
  }

  /** Runs an effect whose connection ends at a line; forgets the lines that were sent. */
  async cutAt(line: RegExp, f: () => Promise<unknown>): Promise<LinksealError> {
    this.#endsAt = line;
    this.lines.length = 0;
    const error = await refused(this.run(f()));
    this.#endsAt = undefined;
    if (!this.#isGone) throw new Error(`no ${line} was sent: ${error.message}`);
    this.#isGone = false;
    this.lines.length = 0;
    return error;
  }

  /** Types lines as a person does. */
  async type(...lines: readonly string[]): Promise<string> {
    const { emulator, rig } = this.place;
    let printed = "";
    const send = (octets: Uint8Array): void => {
      printed += new TextDecoder().decode(octets);
    };
    const session = emulator.connect({ send, close: () => undefined });
    for (const line of lines) {
      session?.receive(new TextEncoder().encode(`${line}\n`));
      await rig.clock.runFor(5_000);
    }
    return printed;
  }

  #channel(device: string): ByteChannel {
    if (this.#isGone) {
      const details = { effect: "none", where: device, next: "linkseal status" } as const;
      throw new LinksealError("transport.unreachable", "no route to host", details);
    }
    const inner = channelTo(device, (wire) => this.place.emulator.connect(wire));
    const write = async (text: Command, signal: AbortSignal): Promise<void> => {
      const line = preview(text).trim();
      if (this.#endsAt?.test(line) === true) {
        this.#isGone = true;
        await inner[Symbol.asyncDispose]();
      } else {
        this.lines.push(line);
      }
      await inner.write(text, signal);
    };
    return { ...inner, write };
  }
}
