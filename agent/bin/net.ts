// linkseal-net: apart from the MKA clients the only process that may change this kernel's network.
// It has a fixed list of verbs, knows no key, and answers one user.

import { chmod, readFile } from "node:fs/promises";
import { dirname } from "node:path";
import { forget as forgetTunnel, withCharon } from "#drivers/linux/ipsec/charon.ts";
import { NetControlServer } from "#drivers/linux/net/control-server.ts";
import { answerNet } from "#drivers/linux/net/requests.ts";
import type { Native } from "#drivers/transport/native.ts";
import { families, monitor, NetlinkChannel } from "#drivers/transport/netlink.ts";
import { openStream } from "#drivers/transport/stream.ts";
import { encodeJson } from "#hal/json.ts";
import type { Log, LogLevel } from "#hal/world.ts";
import { loadAddon } from "../host/addon.ts";
import { mayAsk, usersWhoMayAsk } from "../host/clients.ts";
import { openFolder } from "../host/folder.ts";
import { hostWorld, lockState } from "../host/host.ts";
import { Manager } from "../host/manager.ts";
import { netPlaces } from "../host/places.ts";
import { serveUnix } from "../host/unix-server.ts";

export interface NetOptions {
  /** Path of the socket; undefined = the default place. */
  readonly socket: string | undefined;
  /** Number or name of the user who may ask, in addition to the one that this process runs as. */
  readonly client: string | undefined;
  /** Path of charon's socket; undefined = strongSwan's default place. */
  readonly charon: string | undefined;
  readonly level: LogLevel;
}

/** Multicast groups RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR and RTNLGRP_IPV6_IFADDR. */
const groups = [1, 5, 9] as const;
/** Multicast groups RTNLGRP_IPV4_ROUTE and RTNLGRP_IPV6_ROUTE. */
const routeGroups = [7, 11] as const;
const charonSocket = "/run/charon.vici";
const requestBytesMax = 100_000;
const bootIdFile = "/proc/sys/kernel/random/boot_id";

/**
 * Runs until SIGTERM or SIGINT; the next process undoes what waits for a confirm at that time.
 * Resolves to 1 after a defect, which was logged.
 * @throws LinksealError that says why the service cannot start
 */
export async function runNet(options: NetOptions): Promise<0 | 1> {
  const end = Promise.withResolvers<0 | 1>();
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, () => end.resolve(0));
  const places = netPlaces(options.socket);
  const world = await hostWorld({ state: places.state, level: options.level });
  await using _lock = await lockState(places.state);
  const native = loadAddon();
  native.refuseDumps();
  using routes = new NetlinkChannel(native, families.route);
  using generic = new NetlinkChannel(native, families.generic);
  using xfrm = new NetlinkChannel(native, families.xfrm);
  using filter = openFilter(native, world.log);
  const bootId = (await readFile(bootIdFile, "latin1")).trim();
  const charon = { path: options.charon ?? charonSocket, stream: openStream, clock: world.clock };
  const forget = (tunnel: string, signal: AbortSignal): Promise<void> =>
    withCharon(charon, signal, (client) => forgetTunnel(client, tunnel, signal));
  const sockets = { routes, generic, xfrm, ...(filter === undefined ? {} : { filter }) };
  const server = await NetControlServer.open({ world, bootId, sockets, forget });
  using _monitor = monitor(native, families.route, groups, {
    message: () => server.noteChange(),
    resync: () => server.noteChange(),
  });
  using _routes = monitor(native, families.route, routeGroups, {
    message: (message) => server.noteRoute(message),
    resync: () => server.noteChange(),
  });
  const users = await usersWhoMayAsk(options.client);
  await openFolder(dirname(places.socket), "reachable");
  const broken = (error: unknown): void => {
    world.log.write("error", "net.internal", error instanceof Error ? String(error.stack) : "");
    end.resolve(1);
  };
  const served = await serveUnix({
    path: places.socket,
    requestBytesMax,
    admits: (socket) => mayAsk(native, users, socket, world.log),
    answer: (call, gone) => answerNet(server, call, gone),
    refused: tooLong,
    broken,
  });
  // Other users whom the folder's group lets in are refused by their number.
  if (options.client !== undefined) await chmod(places.socket, 0o660);
  world.log.write("info", "ready", "READY: serves this kernel's network", { at: places.socket });
  const manager = new Manager(native, world.log);
  const over = new AbortController();
  manager.ready();
  // Its work is to answer and to undo in time: a running event loop does both.
  void manager.watch(() => undefined, over.signal);
  const status = await end.promise;
  over.abort();
  await served.close();
  server.close();
  world.log.write("info", "stopped", "stopped; the kernel's network stays as it is");
  return status;
}

/**
 * Opens the netfilter socket; undefined = a kernel without nftables, where tunnels come up all the
 * same.
 */
function openFilter(native: Native, log: Log): NetlinkChannel | undefined {
  try {
    return new NetlinkChannel(native, families.filter);
  } catch (error) {
    const why = error instanceof Error ? error.message : "it is not there";
    log.write("warn", "mss-not-clamped", `the MSS of TCP through tunnels is left alone: ${why}`);
    return undefined;
  }
}

function tooLong(): { status: number; body: string } {
  const text = `the request is longer than ${requestBytesMax} bytes`;
  const refused = { code: "device.rejected", effect: "none", text, where: "linkseal-net" };
  return { status: 413, body: encodeJson({ ...refused, next: "linkseal status" }) };
}
