import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type KernelSockets, observeKernel } from "#drivers/linux/macsec/kernel-observation.ts";
import {
  type ControlledPort,
  type KernelObservation,
  readPort,
} from "#drivers/linux/macsec/port.ts";
import { NetlinkChannel } from "#drivers/transport/netlink.ts";
import { type CipherSuite, type MacsecFrames, type MacsecPort, strongValue } from "#hal/model.ts";
import type { Instant } from "#hal/world.ts";
import {
  addNetwork,
  enterNetwork,
  ip,
  ipBatch,
  ipJson,
  leaveNetworks,
  native,
  netlinkFamilies,
  soon,
  until,
} from "../lab.ts";

const clock = { now: () => performance.now() as Instant };
const keyId = "0102030405060708090a0b0c07000000";
const peer = "port 1 address 02:00:00:00:00:0b";

let network = "";
let sockets: KernelSockets & { readonly all: DisposableStack };
beforeEach(() => {
  network = addNetwork();
  enterNetwork(network);
  const all = new DisposableStack();
  const open = (family: number): NetlinkChannel => all.use(new NetlinkChannel(native, family));
  const { route, generic } = netlinkFamilies;
  sockets = { routes: open(route), generic: open(generic), all };
  ipBatch([
    "link add wire address 02:00:00:00:00:0a type veth peer name far",
    "link set wire addrgenmode none mtu 9000",
    "link set far addrgenmode none mtu 9000 up",
    "link set wire up",
  ]);
});
afterEach(() => {
  sockets.all.dispose();
  leaveNetworks();
});

const key = (suite: CipherSuite): string => "11".repeat(suite.includes("256") ? 32 : 16);
const extended = (suite: CipherSuite, ssci: number): string =>
  suite.includes("xpn") ? `xpn 10 ssci ${ssci} salt ${"33".repeat(12)}` : "pn 10";

/** Makes a SecY with a key in both directions, as MKA would leave it. */
function secure(suite: CipherSuite, ...more: string[]): void {
  const rx = `macsec add ms rx ${peer}`;
  ipBatch([
    `link add link wire name ms type macsec port 1 cipher ${suite} encrypt on`,
    `macsec add ms tx sa 0 ${extended(suite, 1)} on key ${keyId} ${key(suite)}`,
    rx,
    `${rx} sa 0 ${extended(suite, 2)} on key ${keyId} ${key(suite)}`,
    "link set ms addrgenmode none up",
    ...more,
  ]);
}

async function observe(): Promise<KernelObservation> {
  return await observeKernel(sockets, clock, soon());
}

interface ObservedPort {
  readonly port: MacsecPort;
  readonly controlled: ControlledPort;
}

async function observed(): Promise<ObservedPort> {
  const { port, controlled } = readPort("wire", await observe()) ?? {};
  const known = controlled === undefined ? undefined : strongValue(controlled);
  if (port === undefined || known === undefined) throw new Error("the port has no SecY");
  return { port, controlled: known };
}

interface IpMacsec {
  readonly cipher_suite: string;
  readonly inc_sci: boolean;
}

interface IpLink {
  readonly mtu: number;
  readonly master?: string;
  readonly linkinfo: { readonly info_data: IpMacsec };
}

function byIp(): IpLink {
  const [link] = ipJson<IpLink[]>("link", "show", "ms");
  if (link === undefined) throw new Error("ip knows no ms");
  return link;
}

describe("a port is read as ip reads it", { timeout: 120_000 }, () => {
  it.each<CipherSuite>(["gcm-aes-128", "gcm-aes-256", "gcm-aes-xpn-128", "gcm-aes-xpn-256"])(
    "a port with %s and a key in both directions is read as ip reads it",
    async (suite) => {
      secure(suite);
      const { port, controlled } = await observed();
      const { info_data: reported } = byIp().linkinfo;
      expect(reported.cipher_suite.toLowerCase()).toBe(suite);
      const settings = { suite, includeSci: reported.inc_sci, replayWindow: undefined };
      expect(controlled).toMatchObject(settings);
      expect(strongValue(port.liveSuite)).toBe(suite);
      expect(controlled).toMatchObject({ name: "ms", failOpen: [], keyAgreement: "same" });
      const keyName = "0102030405060708090a0b0c/7";
      expect(controlled.saks).toEqual([{ an: 0, keyId: keyName, receive: true, transmit: true }]);
      expect(ip("macsec", "show", "ms")).toContain(`state on, key ${keyId}`);
      const { settings: whole, session, keys, mkpdus } = port;
      for (const one of [whole, session, keys, mkpdus]) expect(one.kind).toBe("unknown");
    },
  );

  it.each([
    ["validateNotStrict", "link set ms type macsec validate check"],
    ["validateNotStrict", "link set ms type macsec validate disabled"],
    ["protectOff", "link set ms type macsec protect off"],
    ["encryptOff", "link set ms type macsec encrypt off"],
    ["addressOnUncontrolledPort", "addr add 10.9.0.1/32 dev wire noprefixroute"],
    ["routeOnUncontrolledPort", "route add 10.9.0.0/24 dev wire"],
  ])("a SecY changed to %s is read as should-secure", async (name, command) => {
    secure("gcm-aes-xpn-256");
    expect((await observed()).controlled.failOpen).toEqual([]);
    ipBatch([command]);
    const { controlled } = await observed();
    expect(controlled.failOpen).toEqual([name]);
  });

  it("the replay window, the SCI left out and another size are read as ip reads them", async () => {
    const set = "link set ms type macsec";
    secure(
      "gcm-aes-128",
      `${set} replay on window 64`,
      `${set} send_sci off`,
      "link set ms mtu 8000",
    );
    const { controlled } = await observed();
    const { mtu, linkinfo } = byIp();
    expect(linkinfo.info_data).toMatchObject({ replay_protect: true, window: 64, inc_sci: false });
    expect(controlled).toMatchObject({ replayWindow: 64, includeSci: false });
    expect([controlled.mtu, mtu]).toEqual([8000, 8000]);
  });

  it("a port in a VRF is read with its addresses of both families", async () => {
    secure(
      "gcm-aes-256",
      "link add red type vrf table 7",
      "link set red up",
      "link set ms master red",
      "addr add 10.0.0.1/30 dev ms",
      "addr add fd00::1/64 dev ms nodad",
    );
    const { controlled } = await observed();
    expect([controlled.vrf, byIp().master]).toEqual(["red", "red"]);
    expect(controlled.addresses).toEqual(["10.0.0.1/30", "fd00::1/64"]);
    expect(controlled.failOpen).toEqual([]);
  });
});

describe("keys and light of a port", { timeout: 120_000 }, () => {
  it("ports whose directions have different keys, or one key, are told apart", async () => {
    const suite = "gcm-aes-xpn-128";
    secure(suite);
    const other = "f1".repeat(16);
    const rx = `macsec add ms rx ${peer}`;
    ipBatch([
      `macsec set ms rx ${peer} sa 0 off`,
      `macsec del ms rx ${peer} sa 0`,
      `${rx} sa 0 ${extended(suite, 2)} on key ${other} ${key(suite)}`,
    ]);
    expect((await observed()).controlled.keyAgreement).toBe("different");
    ipBatch([`macsec set ms rx ${peer} sa 0 off`]);
    expect((await observed()).controlled.keyAgreement).toBe("oneWay");
    ipBatch(["macsec set ms tx sa 0 off"]);
    const { port, controlled } = await observed();
    expect(controlled.keyAgreement).toBe("none");
    expect(port.liveSuite).toMatchObject({ kind: "known", value: undefined });
  });

  it("a port that loses its light, is shut or is removed is read as such", async () => {
    secure("gcm-aes-128");
    ip("link", "set", "far", "down");
    const dark = await until(async () => {
      const { port } = await observed();
      return strongValue(port.linkUp) === false ? port : undefined;
    });
    expect(strongValue(dark.admin)).toBe("up");
    ip("link", "set", "wire", "down");
    expect(strongValue((await observed()).port.admin)).toBe("down");
    ip("link", "delete", "wire");
    expect(readPort("wire", await observe())).toBeUndefined();
  });

  it("a port without a SecY is known to have no keys", async () => {
    const { port } = readPort("wire", await observe()) ?? {};
    expect(port?.settings).toMatchObject({ kind: "known", value: undefined });
    expect(port?.session).toMatchObject({
      kind: "known",
      value: { controlledPort: "unprotected" },
    });
    ipBatch(["link add link wire name ms type macsec cipher gcm-aes-128 encrypt on"]);
    expect((await observed()).controlled).toMatchObject({ saks: [], keyAgreement: "none" });
  });
});

const statisticsOf = (text: string, name: string): bigint =>
  [...text.matchAll(new RegExp(`"${name}":(\\d+)`, "g"))].reduce(
    (sum, [, count]) => sum + BigInt(count ?? 0),
    0n,
  );

interface Counted {
  readonly after: KernelObservation;
  readonly port: MacsecPort;
  readonly frames: MacsecFrames;
  readonly reported: string;
}

// The kernel itself sends packets now and then, so we read ours before and after that of `ip`.
async function still(before: KernelObservation): Promise<Counted> {
  return await until(async () => {
    const [first, reported, after] = [
      await observed(),
      ip("-j", "-s", "macsec", "show", "ms"),
      await observe(),
    ];
    const { port } = readPort("wire", after, before) ?? {};
    const frames = port === undefined ? undefined : strongValue(port.frames);
    if (port === undefined || frames === undefined) return undefined;
    const was = strongValue(first.port.frames);
    const moved = was?.rxOk !== frames.rxOk || was.txProtected !== frames.txProtected;
    return moved ? undefined : { after, port, frames, reported };
  });
}

describe("what passes a port", { timeout: 120_000 }, () => {
  it("the frames of a port are counted as ip counts them, with a rate between polls", async () => {
    const suite = "gcm-aes-xpn-256";
    const far = addNetwork();
    ip("link", "set", "far", "netns", far);
    secure(suite, "addr add 10.0.0.1/30 dev ms");
    const rx = "macsec add ms rx port 1 address 02:00:00:00:00:0a";
    const ends = [
      "link set far addrgenmode none address 02:00:00:00:00:0b up",
      `link add link far name ms type macsec port 1 cipher ${suite} encrypt on`,
      `macsec add ms tx sa 0 ${extended(suite, 2)} on key ${keyId} ${key(suite)}`,
      rx,
      `${rx} sa 0 ${extended(suite, 1)} on key ${keyId} ${key(suite)}`,
      "link set ms addrgenmode none up",
      "addr add 10.0.0.2/30 dev ms",
    ];
    ipBatch(ends, "-n", far);
    const before = await observe();
    const ping = ["-c", "20", "-i", "0.02", "-w", "60", "10.0.0.2"];
    expect(ip("netns", "exec", network, "busybox", "ping", ...ping)).toContain(", 0% ");
    const { after, port, frames, reported } = await still(before);
    expect(frames.rxOk).toBeGreaterThanOrEqual(20n);
    // ip prints it for the channel and again for its one SA.
    expect(2n * frames.rxOk).toBe(statisticsOf(reported, "InPktsOK"));
    expect(frames.txProtected).toBeGreaterThanOrEqual(20n);
    expect(frames.nextPn).toBe(frames.txProtected + 10n);
    expect(frames).toMatchObject({ txClear: 0n, rxNotValid: 0n, rxNoSci: 0n, rxClear: undefined });
    const rate = strongValue(port.rate);
    const seconds = (after.at - before.at) / 1000;
    const speed = Number(ip("netns", "exec", network, "cat", "/sys/class/net/wire/speed"));
    expect(rate?.lineBps).toBe(speed * 1_000_000);
    expect(rate?.rxPps).toBeGreaterThanOrEqual(20 / seconds);
    expect(rate?.txBps).toBeGreaterThanOrEqual((20 * 8 * 98) / seconds);
  });
});
