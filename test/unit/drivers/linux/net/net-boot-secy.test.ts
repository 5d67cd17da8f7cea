// The SecYs that a boot removed are made again, also after the kernel refused one.

import { describe, expect, it } from "vitest";
import type { NetOperation } from "#drivers/linux/net/operation.ts";
import { addAddress } from "#drivers/linux/netlink/rtnetlink-address.ts";
import type { Link } from "#drivers/linux/netlink/rtnetlink-link.ts";
import { never } from "../../../kit/site-bench.ts";
import { NetHost } from "./net-host.ts";

const ethernet = 1;
const up = 1;

function port(index: number, name: string): Link {
  const plain = { index, name, hardware: ethernet, flags: up, mtu: 1500, info: {} };
  return { ...plain, address: `02:00:00:00:00:0${index}`, unnamed: [] } as never;
}

const foreign = (index: number, name: string): Link =>
  ({ ...port(index, name), info: { kind: "dummy" } }) as Link;

const protect = (name: string): NetOperation => ({
  kind: "macsec.protect",
  port: name,
  settings: { suite: "gcm-aes-256", includeSci: true, replayWindow: undefined },
});

const ports = (): readonly Link[] => [port(2, "p1"), port(3, "p2")];

async function withSecys(): Promise<NetHost> {
  const host = new NetHost();
  host.kernel.links = [...ports()];
  await host.start();
  await host.commit(protect("p1"));
  await host.commit(protect("p2"));
  host.log.length = 0;
  return host;
}

/** Boots with an address on each port, which a boot puts there. */
async function boot(host: NetHost, links: readonly Link[], refuses?: number): Promise<void> {
  const before = host.kernel.acts.length;
  host.kernel.refuses = refuses === undefined ? undefined : before + 2 + refuses;
  await host.boot([...links], async ({ kernel }) => {
    const addresses = [2, 3].map((link) =>
      addAddress({ link, local: `192.0.2.${link}`, prefixLength: 31 }),
    );
    await kernel.socket("route").write(addresses, never);
  });
}

const addressesOn = (host: NetHost, name: string) => {
  const index = host.kernel.links.find((link) => link.name === name)?.index;
  return host.kernel.addresses.flatMap(({ link, local }) => (link === index ? local : []));
};

const both = ["ms-p1", "ms-p2", "p1", "p2"];
const errors = (host: NetHost) => host.log.filter((line) => line.startsWith("error"));

describe("the SecY of a port after a boot", () => {
  it("a boot's SecYs are made again, with what was on their ports", async () => {
    const host = await withSecys();
    await boot(host, ports());
    expect(host.names).toEqual(both);
    expect([addressesOn(host, "p1"), addressesOn(host, "ms-p1")]).toEqual([[], ["192.0.2.2"]]);
    expect(host.log.filter((line) => line.includes("secy-made-again"))).toHaveLength(2);
  });

  // One refused call left the port in the clear until linkseal-net was started again. A refused
  // removal of an address is asked again at once.
  it.each([
    ["the end of link-local addresses", 0, ["192.0.2.2"]],
    ["the SecY itself", 2, []],
    ["that it comes up", 3, []],
  ] as const)(
    "a boot's SecY is made soon and without another change if the kernel refused %s",
    async (_what, act, left) => {
      const host = await withSecys();
      await boot(host, ports(), act);
      expect(host.names).toContain("ms-p2");
      expect(addressesOn(host, "p1")).toEqual(left);
      await host.clock.runFor(2_000);
      expect(host.names).toEqual(both);
      expect([addressesOn(host, "p1"), addressesOn(host, "ms-p1")]).toEqual([[], ["192.0.2.2"]]);
      expect(host.kernel.links.every(({ flags }) => flags === up)).toBe(true);
      expect(errors(host)).toHaveLength(1);
    },
  );

  it("a SecY that cannot be made leaves its port dark, and is tried ever later", async () => {
    const host = await withSecys();
    await boot(host, [...ports(), foreign(9, "ms-p1")]);
    expect(host.names).toEqual(both);
    expect(host.kernel.links.filter(({ info }) => info?.kind === "macsec")).toHaveLength(1);
    // Nothing of it leaves in the clear meanwhile.
    expect(addressesOn(host, "p1")).toEqual([]);
    const before = host.kernel.acts.length;
    for (let second = 0; second < 600; second += 1) {
      host.server.noteChange();
      await host.clock.runFor(1_000);
    }
    // The waits are 1, 2, 4 ... 60 s: 6 in the first minute, and one in each after that.
    const tries = (host.kernel.acts.length - before) / 2;
    expect(tries).toBeGreaterThan(10);
    expect(tries).toBeLessThan(18);
    expect(errors(host)).toHaveLength(1);
    host.kernel.links = host.kernel.links.filter(({ info }) => info?.kind !== "dummy");
    await host.clock.runFor(75_000);
    expect(host.names).toEqual(both);
  });

  // The addresses that waited for the SecY came back to the port, in the clear.
  it("a trial on a port that waits for its SecY is reverted to that SecY", async () => {
    const host = await withSecys();
    await boot(host, [...ports(), foreign(9, "ms-p1")]);
    host.kernel.links = host.kernel.links.filter(({ info }) => info?.kind !== "dummy");
    const settings = { suite: "gcm-aes-xpn-128", includeSci: false, replayWindow: undefined };
    await host.apply({ kind: "macsec.protect", port: "p1", settings } as NetOperation);
    await host.clock.runFor(61_000);
    expect(host.names).toEqual(both);
    expect([addressesOn(host, "p1"), addressesOn(host, "ms-p1")]).toEqual([[], ["192.0.2.2"]]);
    await boot(host, ports());
    const secys = host.kernel.links.filter(({ info }) => info?.kind === "macsec");
    expect(new Set(secys.map(({ info }) => JSON.stringify(info?.macsec)))).toHaveLength(1);
  });

  it("a SecY that is due is made by a successor within the boot", async () => {
    const host = await withSecys();
    await boot(host, [...ports(), foreign(9, "ms-p1")]);
    host.kernel.links = host.kernel.links.filter(({ info }) => info?.kind !== "dummy");
    await host.start();
    expect(host.names).toEqual(both);
  });
});
