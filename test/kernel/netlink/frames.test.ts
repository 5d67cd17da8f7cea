import { afterEach, describe, expect, it } from "vitest";
import { etherTypeEapol, FrameChannel, paeGroup } from "#drivers/transport/frames.ts";
import { addNetwork, enterNetwork, ip, ipJson, leaveNetworks, native, until } from "../lab.ts";
import { wireFrames } from "./wire-frames.ts";

const networkDown = 100;

interface Heard {
  readonly frames: string[];
  readonly troubles: number[];
}

function open(network: string, port = "wire"): { channel: FrameChannel; heard: Heard } {
  enterNetwork(network);
  const [link] = ipJson<{ ifindex: number }[]>("link", "show", port);
  const heard: Heard = { frames: [], troubles: [] };
  const channel = new FrameChannel(native, link?.ifindex ?? 0, {
    frame: (octets) => heard.frames.push(Buffer.from(octets).toString("hex")),
    trouble: (errno) => heard.troubles.push(errno),
  });
  return { channel, heard };
}

function frame(etherType: number, fill: number, length: number): Uint8Array {
  const octets = new Uint8Array(length).fill(fill);
  octets.set(paeGroup);
  octets.set([2, 0, 0, 0, 0, 1, etherType >> 8, etherType & 0xff], 6);
  return octets;
}

function wire(): [string, string] {
  const [left, right] = [addNetwork(), addNetwork()];
  ip("-n", left, "link", "add", "wire", "type", "veth", "peer", "wire", "netns", right);
  for (const network of [left, right]) {
    ip("-n", network, "link", "set", "wire", "mtu", "9000");
    ip("-n", network, "link", "set", "wire", "addrgenmode", "none");
    ip("-n", network, "link", "set", "wire", "up");
  }
  return [left, right];
}

afterEach(leaveNetworks);

describe("frames of EAPOL", { timeout: 120_000 }, () => {
  it("an EAPOL frame goes from port to port, whole, alone, and not to its sender", async () => {
    const [left, right] = wire();
    const [near, far] = [open(left), open(right)];
    using sender = near.channel;
    using _receiver = far.channel;
    const sent = [frame(etherTypeEapol, 7, 60), frame(etherTypeEapol, 8, 9014)];
    sender.send(frame(0x0800, 9, 60));
    for (const one of sent) sender.send(one);
    await until(() => far.heard.frames.length >= 2 || undefined);
    expect(far.heard.frames).toEqual(sent.map((one) => Buffer.from(one).toString("hex")));
    expect(near.heard).toEqual({ frames: [], troubles: [] });
  });

  it("a port that is down refuses frames with the reason", async () => {
    const [left] = wire();
    const { channel, heard } = open(left);
    using sender = channel;
    ip("-n", left, "link", "set", "wire", "down");
    await until(() => heard.troubles.includes(networkDown) || undefined);
    expect(() => sender.send(frame(etherTypeEapol, 7, 60))).toThrow(
      expect.objectContaining({ code: "transport.closed", effect: "none" }),
    );
    ip("-n", left, "link", "delete", "wire");
    sender[Symbol.dispose]();
  });

  // IPv6, which sends many packets by itself, is off here.
  it("EAPOL and MACsec frames do not count as clear data; all data does, to the last", async () => {
    const [left, right] = wire();
    using sender = open(left).channel;
    using receiver = open(right).channel;
    const rise = (...types: readonly number[]): bigint => {
      receiver.takeClear();
      for (const type of types) sender.send(frame(type, 0, 60));
      return receiver.takeClear();
    };
    const flood = Array<number>(10_000).fill(etherTypeEapol);
    expect(rise(...flood)).toBe(0n);
    expect(rise(...flood, 0x0806, ...flood)).toBe(1n);
    expect(rise(0x88e5, 0x88e5)).toBe(0n);
    expect(rise(0x0800, 0x86dd, 0x0806)).toBe(3n);
    expect(rise(...Array<number>(20_000).fill(0x0800))).toBe(20_000n);
    expect([receiver.takeClear(), sender.takeClear()]).toEqual([0n, 0n]);
  });

  it("control of the link does not count as clear data, and an address hides no data", () => {
    const [left, right] = wire();
    using sender = open(left).channel;
    using receiver = open(right).channel;
    const counted = wireFrames.map(({ kind, octets }) => {
      receiver.takeClear();
      sender.send(octets);
      sender.send(octets);
      return { kind, frames: 2n, clear: receiver.takeClear() };
    });
    const lines = counted.map((one) => `${one.kind}: ${one.frames} sent, ${one.clear} counted`);
    console.log(lines.join("\n"));
    expect(counted).toEqual(
      wireFrames.map(({ kind, is }) => ({ kind, frames: 2n, clear: is === "data" ? 2n : 0n })),
    );
  });

  it("frames are heard and counted only on a port that exists", () => {
    wire();
    expect(() => native.openClearCount(0)).toThrow("Invalid argument");
    expect(() => native.openClearCount(4711)).toThrow("No such device");
  });

  it.each([
    ["no port", 0, 0x888e],
    ["a port that is not there", 4711, 0x888e],
    ["a length instead of a type", 1, 1500],
  ])("a request without a port and a type fails: %s is refused", (_name, port, etherType) => {
    expect(() => native.openFrames(port, etherType, paeGroup, () => undefined)).toThrow(
      /^(Invalid argument|No such device)$/,
    );
  });
});
