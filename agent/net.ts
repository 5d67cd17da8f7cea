// linkseal-net: the one process beside the MKA participants that may change this kernel's network.
// It has a fixed list of verbs, knows no key, and answers one user.

import { chmod, readFile } from "node:fs/promises";
import { dirname } from "node:path";
import { NetDesk } from "#drivers/linux/net/desk.ts";
import { answerNet } from "#drivers/linux/net/requests.ts";
import { monitor, NetlinkChannel } from "#drivers/transport/netlink.ts";
import { encodeJson } from "#hal/json.ts";
import type { LogLevel } from "#hal/world.ts";
import { loadAddon, tellManager } from "./host/addon.ts";
import { mayAsk, usersWhoMayAsk } from "./host/clients.ts";
import { openFolder } from "./host/folder.ts";
import { hostWorld, lockState } from "./host/host.ts";
import { netPlaces } from "./host/places.ts";
import { serveUnix } from "./host/unix-server.ts";

export interface NetOptions {
  /** Path of the socket; the usual place if absent. */
  readonly socket: string | undefined;
  /** Number or name of the user who may ask, beside the one that this process runs as. */
  readonly client: string | undefined;
  readonly level: LogLevel;
}

const families = { route: 0, xfrm: 6, generic: 16 } as const;
/** RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR and RTNLGRP_IPV6_IFADDR. */
const groups = [1, 5, 9] as const;
const requestBytesMax = 100_000;
const bootIdFile = "/proc/sys/kernel/random/boot_id";

/** Runs until SIGTERM or SIGINT; what waits for a confirm then is its successor's to undo. */
export async function runNet(options: NetOptions): Promise<0 | 1> {
  const end = Promise.withResolvers<0 | 1>();
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, () => end.resolve(0));
  const places = netPlaces(options.socket);
  const world = await hostWorld({ state: places.state, level: options.level });
  await using _lock = await lockState(places.state);
  const native = loadAddon();
  using routes = new NetlinkChannel(native, families.route);
  using generic = new NetlinkChannel(native, families.generic);
  using xfrm = new NetlinkChannel(native, families.xfrm);
  const bootId = (await readFile(bootIdFile, "latin1")).trim();
  const desk = await NetDesk.open({ world, bootId, sockets: { routes, generic, xfrm } });
  using _monitor = monitor(native, families.route, groups, {
    message: () => desk.noteChange(),
    resync: () => desk.noteChange(),
  });
  const users = await usersWhoMayAsk(options.client);
  await openFolder(dirname(places.socket), "reachable");
  const served = await serveUnix({
    path: places.socket,
    requestBytesMax,
    admits: (socket) => mayAsk(native, users, socket, world.log),
    answer: (call, gone) => answerNet(desk, call, gone),
    tooLong,
    broken(error) {
      world.log.write("error", "net.internal", error instanceof Error ? String(error.stack) : "");
      end.resolve(1);
    },
  });
  // Whoever else the group of the folder lets in is turned away by his number.
  if (options.client !== undefined) await chmod(places.socket, 0o660);
  world.log.write("info", "ready", "READY: serves this kernel's network", { at: places.socket });
  tellManager(native, world.log);
  const status = await end.promise;
  await served.close();
  desk.close();
  world.log.write("info", "stopped", "stopped; the kernel's network stays as it is");
  return status;
}

function tooLong(): { status: number; body: string } {
  const text = `the request is longer than ${requestBytesMax} bytes`;
  const refused = { code: "device.rejected", effect: "none", text, where: "linkseal-net" };
  return { status: 413, body: encodeJson({ ...refused, next: "linkseal status" }) };
}
