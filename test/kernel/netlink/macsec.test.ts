import { execFile, execFileSync } from "node:child_process";
import { promisify } from "node:util";
import { afterEach, describe, expect, it } from "vitest";
import {
  dumpMacsec,
  type MacsecDevice,
  type MacsecWriter,
  macsecFamily,
  macsecWriter,
  readMacsec,
} from "#drivers/linux/macsec/macsec.ts";
import { askFamily, readFamily } from "#drivers/linux/netlink/genetlink.ts";
import { addAddress, removeAddress } from "#drivers/linux/netlink/rtnetlink-address.ts";
import {
  addMacsecLink,
  changeLink,
  changeMacsecLink,
  deleteLink,
  dumpLinks,
  linkGroup,
  readLink,
} from "#drivers/linux/netlink/rtnetlink-link.ts";
import { monitor, NetlinkChannel } from "#drivers/transport/netlink.ts";
import type { CipherSuite } from "#hal/model.ts";
import type { NetlinkRequest } from "#hal/netlink.ts";
import { Secret } from "#hal/secret.ts";
import {
  addNetwork,
  enterNetwork,
  found,
  ip,
  leaveNetworks,
  native,
  netlinkFamilies,
  soon,
  until,
} from "../lab.ts";

const deviceName = "ms0";
const mtu = 1400;

/** One end of a wire, with a MACsec device that our own messages made. */
class End implements Disposable {
  readonly network: string;
  readonly address: string;
  readonly routes: NetlinkChannel;
  readonly generic: NetlinkChannel;
  readonly #station: string;
  readonly #suite: CipherSuite;
  number = 0;
  device = 0;

  constructor(network: string, host: number, suite: CipherSuite) {
    this.network = network;
    this.address = `10.0.0.${host}`;
    this.#station = `02000000000${host}`;
    this.#suite = suite;
    enterNetwork(network);
    this.routes = new NetlinkChannel(native, netlinkFamilies.route);
    this.generic = new NetlinkChannel(native, netlinkFamilies.generic);
  }

  get sci(): string {
    return `${this.#station}0001`;
  }

  get #isExtended(): boolean {
    return this.#suite.includes("xpn");
  }

  async indexOf(name: string): Promise<number> {
    const links = found(await this.routes.ask(dumpLinks(), readLink, soon()));
    const link = links.find((one) => one.name === name);
    if (link === undefined) throw new Error(`no link ${name}`);
    return link.index;
  }

  async done(socket: NetlinkChannel, ...requests: NetlinkRequest[]): Promise<void> {
    const refusal = (await socket.write(requests, soon())).find((one) => one !== undefined);
    if (refusal !== undefined) throw new Error(`refused: ${refusal.name} ${refusal.text ?? ""}`);
  }

  async build(): Promise<void> {
    const below = await this.indexOf("wire");
    const settings = { sci: this.sci, cipherSuite: this.#suite, encrypt: true } as const;
    await this.done(this.routes, addMacsecLink({ name: deviceName, below, mtu, settings }));
    this.device = await this.indexOf(deviceName);
    await this.done(
      this.routes,
      addAddress({ link: this.device, local: this.address, prefixLength: 24 }),
      changeLink(this.device, { up: true }),
    );
    const [family] = found(await this.generic.ask(askFamily(macsecFamily), readFamily, soon()));
    this.number = family?.id ?? 0;
  }

  get writer(): MacsecWriter {
    return macsecWriter(this.number);
  }

  sa(an: number, ssci: number): Parameters<MacsecWriter["addTxSa"]>[1] {
    const octets = this.#suite.includes("256") ? 32 : 16;
    const sak = Secret.take("SAK", new Uint8Array(octets).fill(0x40 + an));
    const keyId = `0${an}`.repeat(16);
    const base = { an, nextPn: 1n, keyId, sak };
    const salt = Secret.take("salt", new Uint8Array(12).fill(0x33));
    return this.#isExtended ? { ...base, extended: { ssci, salt } } : base;
  }

  async observe(): Promise<MacsecDevice> {
    const request = dumpMacsec(this.number);
    const read = readMacsec(this.number);
    const [device] = found(await this.generic.ask(request, read, soon()));
    if (device === undefined) throw new Error("no SecY");
    return device;
  }

  [Symbol.dispose](): void {
    this.routes[Symbol.dispose]();
    this.generic[Symbol.dispose]();
  }
}

async function wire(suite: CipherSuite): Promise<[End, End]> {
  const [left, right] = [addNetwork(), addNetwork()];
  ip("-n", left, "link", "add", "wire", "type", "veth", "peer", "wire", "netns", right);
  for (const network of [left, right]) ip("-n", network, "link", "set", "wire", "up");
  const ends: [End, End] = [new End(left, 1, suite), new End(right, 2, suite)];
  for (const end of ends) await end.build();
  return ends;
}

/** Receivers get the key before senders, so that no frame meets an end without its key. */
async function installSa(ends: readonly [End, End], an: number): Promise<void> {
  const [left, right] = ends;
  for (const [end, peer, ssci] of [
    [left, right, 2],
    [right, left, 1],
  ] as const) {
    const channel = { link: end.device, sci: peer.sci };
    if (an === 0) await end.done(end.generic, end.writer.addRxSc(channel));
    await end.done(end.generic, end.writer.addRxSa(channel, end.sa(an, ssci)));
  }
  for (const [end, ssci] of [
    [left, 1],
    [right, 2],
  ] as const) {
    await end.done(end.generic, end.writer.addTxSa(end.device, end.sa(an, ssci)));
  }
}

function ping(from: End, to: End, ...options: string[]): string[] {
  return ["netns", "exec", from.network, "busybox", "ping", ...options, to.address];
}

const received = (output: string): string | undefined => /(\d+) packets received/.exec(output)?.[1];

afterEach(leaveNetworks);

describe("MACsec is built by our own messages", { timeout: 180_000 }, () => {
  it.each<CipherSuite>(["gcm-aes-128", "gcm-aes-256", "gcm-aes-xpn-128", "gcm-aes-xpn-256"])(
    "a SecY of our own messages passes traffic with %s",
    async (suite) => {
      const [left, right] = await wire(suite);
      using _left = left;
      using _right = right;
      await installSa([left, right], 0);
      const output = execFileSync("ip", ping(left, right, "-c", "3", "-w", "30"), {
        encoding: "utf8",
      });
      expect(received(output)).toBe("3");
      const [near, far] = [await left.observe(), await right.observe()];
      expect(near.secy).toMatchObject({ cipherSuite: suite, encrypt: true, validate: "strict" });
      const [txSa] = near.txSas ?? [];
      const [rxSa] = far.rxScs?.[0]?.sas ?? [];
      expect(txSa).toMatchObject({ an: 0, active: true, keyId: "00".repeat(16) });
      expect(rxSa).toMatchObject({ an: 0, active: true, keyId: txSa?.keyId });
      expect(rxSa?.statistics?.inPktsOk).toBeGreaterThanOrEqual(3n);
      expect(txSa?.ssci).toBe(suite.includes("xpn") ? 1 : undefined);
    },
  );

  it("a key change under traffic loses no packet", async () => {
    const [left, right] = await wire("gcm-aes-xpn-256");
    using _left = left;
    using _right = right;
    await installSa([left, right], 0);
    const argv = ping(left, right, "-i", "0.05", "-c", "100", "-w", "60");
    const stream = promisify(execFile)("ip", argv, { encoding: "utf8" });
    await until(async () => ((await right.observe()).txSas?.[0]?.pn ?? 0n) > 5n || undefined);
    await installSa([left, right], 1);
    for (const end of [left, right]) {
      await end.done(end.routes, changeMacsecLink(end.device, { encodingSa: 1 }));
    }
    for (const [end, peer] of [
      [left, right],
      [right, left],
    ] as const) {
      const channel = { link: end.device, sci: peer.sci };
      const early = await end.generic.write([end.writer.deleteRxSa(channel, 0)], soon());
      expect(early).toMatchObject([{ name: "EBUSY" }]);
      await end.done(
        end.generic,
        end.writer.updateRxSa(channel, { an: 0, active: false }),
        end.writer.deleteRxSa(channel, 0),
        end.writer.updateTxSa(end.device, { an: 0, active: false }),
        end.writer.deleteTxSa(end.device, 0),
      );
    }
    expect(received((await stream).stdout)).toBe("100");
    const device = await left.observe();
    expect(device.txSas).toMatchObject([{ an: 1, keyId: "01".repeat(16) }]);
    expect(device.rxScs).toMatchObject([{ sas: [{ an: 1, keyId: "01".repeat(16) }] }]);
    expect(device.secy?.encodingSa).toBe(1);
  });

  it("a packet number and the SCI in frames can be set, and a refusal has a reason", async () => {
    const [left, right] = await wire("gcm-aes-128");
    using _left = left;
    using _right = right;
    await installSa([left, right], 0);
    await left.done(
      left.generic,
      left.writer.updateTxSa(left.device, { an: 0, nextPn: 4_000_000_000n }),
    );
    await left.done(left.routes, changeMacsecLink(left.device, { includeSci: false }));
    const { secy, txSas } = await left.observe();
    expect(secy?.includeSci).toBe(false);
    expect(txSas?.[0]?.pn).toBeGreaterThanOrEqual(4_000_000_000n);
    const suite = changeMacsecLink(left.device, { cipherSuite: "gcm-aes-256" });
    const big = changeLink(left.device, { mtu: 1_000_000 });
    const refusals = await left.routes.write([suite, big], soon());
    expect(refusals).toMatchObject([{ name: "EINVAL" }, { name: "EINVAL" }]);
    expect(refusals[1]?.text).toContain("mtu");
    const channel = { link: left.device, sci: right.sci };
    await left.done(
      left.generic,
      left.writer.updateRxSa(channel, { an: 0, active: false }),
      left.writer.deleteRxSc(channel),
    );
    expect((await left.observe()).rxScs ?? []).toEqual([]);
  });

  it("a SecY is gone with its device, as the group of links reports", async () => {
    const [left, right] = await wire("gcm-aes-128");
    using _left = left;
    using _right = right;
    enterNetwork(left.network);
    const heard: string[] = [];
    using _monitor = monitor(native, netlinkFamilies.route, [linkGroup], {
      message: (message) => heard.push(`${message.type} ${readLink(message)?.name}`),
      resync: () => heard.push("resync"),
    });
    const local = left.address;
    await left.done(
      left.routes,
      removeAddress({ link: left.device, local, prefixLength: 24 }),
      changeLink(left.device, { up: false }),
      deleteLink(left.device),
    );
    await until(() => heard.includes(`17 ${deviceName}`) || undefined);
    expect(heard).toContain(`16 ${deviceName}`);
    await expect(left.observe()).rejects.toThrow("no SecY");
  });
});
