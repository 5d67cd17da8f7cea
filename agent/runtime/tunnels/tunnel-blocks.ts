// Blocks around what tunnels protect: put before anything else of a config, and final.

import { withDeadline } from "#hal/deadline.ts";
import type { DeviceChange, Driver, KeyResolver } from "#hal/device.ts";
import { LinksealError } from "#hal/error.ts";
import type { World } from "#hal/world.ts";
import { verify } from "../../health/verify.ts";
import type { Desired } from "../../model/desired.ts";
import type { Lookout } from "../polling/lookout.ts";
import { TunnelWishes, type TunnelWishesParts } from "./tunnel-wishes.ts";

const effectMsMax = 60_000;

/** No block needs a key. */
const noKeys: KeyResolver = () => Promise.reject(new Error("a block has no key"));

/**
 * Nothing is journaled: to put a block twice is to put it once. Throws what the device says against
 * it, or `verify.mismatch` where a look does not show it.
 */
export async function putBlocks(
  { world, lookout, device }: Pick<TunnelWishesParts, "device"> & BlockParts,
  change: DeviceChange,
  signal: AbortSignal,
): Promise<void> {
  const limit = { ms: effectMsMax, where: device, effect: "unknown" } as const;
  await withDeadline(world.clock, limit, signal, async (bounded) => {
    const session = await lookout.device(device, bounded);
    const transaction = await session.prepare(change, noKeys, bounded);
    await transaction.apply("final", bounded);
  });
  const after = await lookout.look(device, signal);
  const gaps = after === undefined ? [] : verify(change, after);
  if (gaps.length === 0) return;
  throw new LinksealError("verify.mismatch", gaps.join("; "), {
    ...{ effect: "applied", where: device, next: "linkseal tunnels" },
  });
}

interface BlockParts {
  readonly world: Pick<World, "clock">;
  readonly lookout: Pick<Lookout, "device" | "look">;
}

export interface AcceptedBlocks extends Omit<TunnelWishesParts, "device" | "lookout" | "world"> {
  readonly world: Pick<World, "clock" | "entropy" | "log">;
  readonly lookout: Lookout;
  readonly drivers: Readonly<Record<string, Driver>>;
}

/**
 * On every device of a config that has just been stored, before it is called accepted. It waits for
 * no look, for which a busy host may take too long. What cannot be blocked now is logged, and each
 * turn of the device's own loop tries it again. Closes the lookout.
 */
export async function blockAccepted(parts: AcceptedBlocks, signal: AbortSignal): Promise<void> {
  const { lookout, desired, drivers, world } = parts;
  await Promise.all(
    devicesWithBlocks(desired, drivers).map(async (device) => {
      try {
        const limit = { ms: effectMsMax, where: device, effect: "none" } as const;
        await withDeadline(world.clock, limit, signal, (bounded) =>
          lookout.device(device, bounded),
        );
        const state = hasBackup(desired, device) ? await lookout.look(device, signal) : undefined;
        const change = new TunnelWishes({ ...parts, device }).toBlock(state);
        if (change.length > 0) await putBlocks({ ...parts, device }, change, signal);
      } catch (error) {
        if (!(error instanceof LinksealError)) throw error;
        world.log.write("warn", error.code, error.message, { device });
      }
    }),
  );
  await lookout.close();
}

function hasBackup({ tunnels }: Desired, name: string): boolean {
  return tunnels.some(({ device, backs }) => device === name && backs !== undefined);
}

function devicesWithBlocks(
  { devices, tunnels }: Desired,
  drivers: AcceptedBlocks["drivers"],
): readonly string[] {
  return devices
    .filter(({ driver }) => drivers[driver]?.offers.ipsec?.blocks === true)
    .map(({ name }) => name)
    .filter((name) => tunnels.some(({ device }) => device === name));
}
