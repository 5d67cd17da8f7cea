// Blocks around protected prefixes: written before anything else of a config, and final.

import { withDeadline } from "#hal/deadline.ts";
import type { DeviceChange, Driver, KeyResolver } from "#hal/device.ts";
import { LinksealError } from "#hal/error.ts";
import type { World } from "#hal/world.ts";
import { verify } from "../../health/verify.ts";
import type { Desired } from "../../model/desired.ts";
import type { DeviceCache } from "../polling/device-cache.ts";
import { TunnelWishes, type TunnelWishesParts } from "./tunnel-wishes.ts";

const effectMsMax = 60_000;

/** A block needs no key. */
const noKeys: KeyResolver = () => Promise.reject(new Error("a block has no key"));

/**
 * Writes blocks. Nothing is journaled, because writing a block twice has the same effect as once.
 * @throws LinksealError the device's refusal, or `verify.mismatch` if an observation does not show
 * it.
 */
export async function putBlocks(
  { world, deviceCache, device }: Pick<TunnelWishesParts, "device"> & BlockParts,
  change: DeviceChange,
  signal: AbortSignal,
): Promise<void> {
  const limit = { ms: effectMsMax, where: device, effect: "unknown" } as const;
  await withDeadline(world.clock, limit, signal, async (bounded) => {
    const session = await deviceCache.device(device, bounded);
    const transaction = await session.prepare(change, noKeys, bounded);
    await transaction.apply("final", bounded);
  });
  const after = await deviceCache.observe(device, signal);
  const gaps = after === undefined ? [] : verify(change, after);
  if (gaps.length === 0) return;
  throw new LinksealError("verify.mismatch", gaps.join("; "), {
    ...{ effect: "applied", where: device, next: "linkseal tunnels" },
  });
}

interface BlockParts {
  readonly world: Pick<World, "clock">;
  readonly deviceCache: Pick<DeviceCache, "device" | "observe">;
}

export interface AcceptedBlocks
  extends Omit<TunnelWishesParts, "device" | "deviceCache" | "world"> {
  readonly world: Pick<World, "clock" | "entropy" | "log">;
  readonly deviceCache: DeviceCache;
  readonly drivers: Readonly<Record<string, Driver>>;
}

/**
 * Writes the blocks on every device of a config that was just stored, before it is reported as
 * accepted. It waits for no observation, which may take long on a busy host. A failure is logged,
 * and each turn of the device's own loop tries again. Closes the device cache.
 */
export async function blockAccepted(parts: AcceptedBlocks, signal: AbortSignal): Promise<void> {
  const { deviceCache, desired, drivers, world } = parts;
  await Promise.all(
    devicesWithBlocks(desired, drivers).map(async (device) => {
      try {
        const limit = { ms: effectMsMax, where: device, effect: "none" } as const;
        await withDeadline(world.clock, limit, signal, (bounded) =>
          deviceCache.device(device, bounded),
        );
        const state = hasBackup(desired, device)
          ? await deviceCache.observe(device, signal)
          : undefined;
        const change = new TunnelWishes({ ...parts, device }).toBlock(state);
        if (change.length > 0) await putBlocks({ ...parts, device }, change, signal);
      } catch (error) {
        if (!(error instanceof LinksealError)) throw error;
        world.log.write("warn", error.code, error.message, { device });
      }
    }),
  );
  await deviceCache.close();
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
