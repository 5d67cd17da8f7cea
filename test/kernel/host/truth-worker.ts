// The thread that reads the truth.

import { parentPort, workerData } from "node:worker_threads";
import { type KernelSockets, observeKernel } from "#drivers/linux/macsec/kernel-observation.ts";
import type { MacsecDevice } from "#drivers/linux/macsec/macsec.ts";
import { saksOf, secySettings } from "#drivers/linux/macsec/secy.ts";
import { type Link, linkFlags } from "#drivers/linux/netlink/rtnetlink-link.ts";
import { NetlinkChannel } from "#drivers/transport/netlink.ts";
import type { Instant } from "#hal/world.ts";
import { native, netlinkFamilies } from "../lab.ts";
import type { NetworkTruth, SecyTruth } from "./secy-truth.ts";

const { networks, shared } = workerData as {
  readonly networks: readonly string[];
  readonly shared: SharedArrayBuffer;
};
const head = new Int32Array(shared, 0, 2);
const body = new Uint8Array(shared, 8);
const sockets = networks.map((network): KernelSockets => {
  native.enterNamespace(`/run/netns/${network}`);
  return {
    routes: new NetlinkChannel(native, netlinkFamilies.route),
    generic: new NetlinkChannel(native, netlinkFamilies.generic),
  };
});
const clock = { now: () => performance.now() as Instant };
const { signal } = new AbortController();

parentPort?.on("message", (asked: "look" | "end") => {
  if (asked === "look") void report();
  else end();
});

// A thread that is ended from outside does not close its sockets.
function end(): void {
  for (const one of sockets) {
    one.routes[Symbol.dispose]();
    one.generic[Symbol.dispose]();
  }
  parentPort?.close();
}

async function report(): Promise<void> {
  const truths: NetworkTruth[] = [];
  for (const one of sockets) truths.push(await truthOf(one));
  const octets = new TextEncoder().encode(JSON.stringify(truths));
  body.set(octets);
  head[1] = octets.length;
  Atomics.store(head, 0, 1);
  Atomics.notify(head, 0);
}

async function truthOf(one: KernelSockets): Promise<NetworkTruth> {
  const { links, secys = [] } = await observeKernel(one, clock, signal);
  const found = links.flatMap((link): [string, SecyTruth][] => {
    const below = links.find(({ index }) => index === link.link)?.name;
    const secy = secys.find((device) => device.link === link.index);
    return secy === undefined || below === undefined ? [] : [[below, secyTruth(secy, link)]];
  });
  return {
    links: links.map(({ name = "", flags, carrier }) => ({
      name,
      admin: (flags & linkFlags.up) === 0 ? "down" : "up",
      light: (flags & linkFlags.up) !== 0 && carrier === true ? "on" : "off",
    })),
    secys: Object.fromEntries(found),
  };
}

function secyTruth(device: MacsecDevice, link: Link): SecyTruth {
  const settings = secySettings(device);
  if (settings === undefined) throw new Error("a SecY without its settings");
  const { suite, includeSci, replayWindow, failOpen } = settings;
  const saks = saksOf(device);
  const sends = saks.find(({ transmit }) => transmit)?.keyId;
  const { secyStatistics: secy } = device;
  const channels = (device.rxScs ?? []).flatMap(({ statistics }) => statistics ?? []);
  const sum = (...counts: readonly (bigint | undefined)[]): number =>
    counts.reduce<number>((total, count) => total + Number(count ?? 0n), 0);
  return {
    settings: {
      ...{ suite, includeSci, replayWindow, confidentialityOffset: 0 },
      policy: failOpen.length === 0 ? "mustSecure" : "shouldSecure",
    },
    ...(sends === undefined ? {} : { sends }),
    takes: saks.filter(({ receive }) => receive).map(({ keyId }) => keyId),
    lost: sum(
      ...[secy?.outPktsTooLong, secy?.inPktsBadTag, secy?.inPktsUnknownSci, secy?.inPktsNoSci],
      link.statistics?.txDropped,
      ...channels.flatMap((one) => [one.inPktsInvalid, one.inPktsLate, one.inPktsNotValid]),
      ...channels.flatMap((one) => [one.inPktsNotUsingSa, one.inPktsUnusedSa]),
    ),
  };
}
