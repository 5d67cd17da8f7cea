// A flood of foreign MKPDUs and the control protocols of a neighbour do not count as data in the
// clear, and do not hide such data.

import { setTimeout as rest } from "node:timers/promises";
import { afterEach, expect, it } from "vitest";
import { etherTypeEapol, FrameChannel, paeGroup } from "#drivers/transport/frames.ts";
import { enterNetwork, ipJson, leaveNetworks, native, until } from "../lab.ts";
import { wireFrames } from "../netlink/wire-frames.ts";
import { address, keyOf, makeSecy, Station, wire } from "./station.ts";
import { ping } from "./traffic.ts";

afterEach(leaveNetworks);

/** Many times more than fit into the socket of the MKPDUs at once. */
const burst = 1_000;
const bursts = 10;
/** Octets of the destination and source addresses. */
const addressBytes = 12;

/** Opens the wire at the far end: frames that are sent here arrive at the near port. */
function farWire(network: string): {
  readonly channel: FrameChannel;
  readonly heard: Uint8Array[];
} {
  enterNetwork(network);
  const [link] = ipJson<{ ifindex: number }[]>("link", "show", "wire");
  const heard: Uint8Array[] = [];
  const channel = new FrameChannel(native, link?.ifindex ?? 0, {
    frame: (octets) => heard.push(Uint8Array.from(octets)),
    trouble: () => undefined,
  });
  return { channel, heard };
}

/** Returns an MKPDU of the near end as another CA would send it. */
function foreign(mkpdu: Uint8Array, ckn: string): Buffer {
  const octets = Buffer.from(mkpdu);
  const at = octets.indexOf(Buffer.from(ckn, "hex"));
  expect(at).toBeGreaterThan(addressBytes);
  octets[at] = (octets[at] ?? 0) ^ 0xff;
  octets.set([2, 0, 0, 0, 0, 1], paeGroup.length);
  return octets;
}

function arp(): Uint8Array {
  const octets = new Uint8Array(60);
  octets.fill(0xff, 0, 6);
  octets.set([2, 0, 0, 0, 0, 1, 0x08, 0x06], 6);
  return octets;
}

it("control and 10,000 MKPDUs of another CA are no clear data; one ARP frame is", async () => {
  const networks = wire();
  networks.forEach((network, index) => {
    makeSecy(network, { suite: "gcm-aes-xpn-256", sci: "on" });
    address(network, index);
  });
  const { channel, heard } = farWire(networks[1]);
  using wireAtFarEnd = channel;
  await using a = new Station(networks[0]);
  await using b = new Station(networks[1], { keyServerPriority: 32 });
  const key = keyOf("c0ffee", 32);
  for (const one of [a, b]) await one.add(key);
  await until(async () => (await a.secured()) === (await b.secured()) || undefined);
  const clear = async (): Promise<bigint | undefined> => {
    const observed = await a.observe();
    return observed.kind === "bound" ? observed.clear : undefined;
  };
  const unknownCkn = async (): Promise<boolean> => {
    const observed = await a.observe();
    return observed.kind === "bound" && observed.kay.mkpdus.unknownCkn > 0n;
  };
  expect(await clear()).toBe(0n);
  const mkpdu = await until(() => heard.find((octets) => octets.length > addressBytes));
  const frame = foreign(mkpdu, key.ckn);
  expect(frame.readUInt16BE(addressBytes)).toBe(etherTypeEapol);

  // A neighbour with LLDP, LACP, spanning tree and CDP on: five frames of each.
  const control = wireFrames.filter(({ is }) => is === "control");
  for (let round = 0; round < 5; round += 1) {
    for (const { octets } of control) wireAtFarEnd.send(octets);
  }
  expect(await clear()).toBe(0n);

  // Both ends run in this process: between two bursts their timers run.
  for (let count = 0; count < bursts; count += 1) {
    for (let sent = 0; sent < burst; sent += 1) wireAtFarEnd.send(frame);
    await rest(0);
  }
  await until(async () => (await unknownCkn()) || undefined);
  expect(await clear()).toBe(0n);

  for (let sent = 0; sent < burst; sent += 1) {
    wireAtFarEnd.send(frame);
    if (sent === burst / 2) wireAtFarEnd.send(arp());
  }
  // It is read at once, before the MKPDUs that wait in the socket.
  expect(await clear()).toBe(1n);
  await until(async () => (await a.secured()) === (await b.secured()) || undefined);
  await until(async () => (await ping(networks[0], "10.0.0.2")) === 5 || undefined);
  expect(await clear()).toBe(1n);
}, 200_000);
