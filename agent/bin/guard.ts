// linkseal guard: block policies before a network exists, and the one way to take one back.

import { readGuard } from "#drivers/linux/net/guard-file.ts";
import { releasePrefix } from "#drivers/linux/net/guard-release.ts";
import { readStoredState, stateName } from "#drivers/linux/net/stored-state.ts";
import { applyTunnelOperation } from "#drivers/linux/net/tunnel-applier.ts";
import { families, NetlinkChannel } from "#drivers/transport/netlink.ts";
import type { LogLevel } from "#hal/world.ts";
import { loadAddon } from "../host/addon.ts";
import { hostWorld } from "../host/host.ts";
import { netPlaces } from "../host/places.ts";

/**
 * Lists ports and prefixes that stay without traffic or blocked when linkseal is removed: the SecYs
 * that linkseal made, and the prefixes of block policies. It reads linkseal-net's state folder and
 * needs no privilege.
 */
export async function listHeld(level: LogLevel): Promise<readonly string[]> {
  const { state } = netPlaces(undefined);
  const { disk, log } = await hostWorld({ state, level });
  const { standing } = readStoredState(await disk.read(stateName), log);
  const { prefixes } = await readGuard(disk, log);
  return [
    ...Object.keys(standing).map((port) => `port ${port}`),
    ...prefixes.map((prefix) => `prefix ${prefix}`),
  ];
}

export interface GuardOptions {
  /** A prefix that may leave in the clear from now on; undefined = block all accepted prefixes. */
  readonly release: string | undefined;
  readonly level: LogLevel;
}

/**
 * Blocks again the prefixes that were accepted last, before a network exists, or releases one; ends
 * at once. Resolves to 1 if the file of the prefixes is damaged, so that the unit counts as failed:
 * what can be known of it is blocked, and may lack a prefix.
 * @throws LinksealError also if a prefix that is to be released is not blocked, or still is
 */
export async function runGuard({ release, level }: GuardOptions): Promise<0 | 1> {
  const { state } = netPlaces(undefined);
  const { disk, log } = await hostWorld({ state, level });
  const native = loadAddon();
  using routes = new NetlinkChannel(native, families.route);
  using xfrm = new NetlinkChannel(native, families.xfrm);
  // A block depends on nothing that a boot removes.
  const context = { routes, xfrm, disk, log, bootId: "" };
  const { signal } = new AbortController();
  if (release !== undefined) {
    log.write("info", "guard", await releasePrefix(release, context, signal));
    return 0;
  }
  const guard = await readGuard(disk, log);
  const { prefixes } = guard;
  await applyTunnelOperation({ kind: "ipsec.block", prefixes }, context, signal);
  const which = prefixes.join(", ") || "none";
  log.write("info", "guard", `blocked outside of tunnels: ${which}`);
  if (guard.state === "whole") return 0;
  log.write("error", "guard-damaged", `${state}/guard is not as it was written: compare the list`, {
    next: "linkseal plan --accepted",
  });
  return 1;
}
