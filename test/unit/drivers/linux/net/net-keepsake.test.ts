// What a port loses when it is shut comes back also if an open was refused halfway.

import { describe, expect, it } from "vitest";
import { addAddress } from "#drivers/linux/netlink/rtnetlink-address.ts";
import type { Link } from "#drivers/linux/netlink/rtnetlink-link.ts";
import { never, refused } from "../../../kit/site-bench.ts";
import { NetHost } from "./net-host.ts";
import { open, shut } from "./net-kernel.ts";

const index = 2;
const vlanIndex = 3;

const ethernet = { hardware: 1, mtu: 1500, unnamed: [] };
const port = { ...ethernet, index, name: "p1", flags: 1, info: {} } as never as Link;
const vlan = {
  ...{ ...ethernet, index: vlanIndex, name: "p1.7", link: index, flags: 0 },
  info: { kind: "vlan", vlan: { id: 7, protocol: "8100" } },
} as never as Link;

const local = "2001:db8::1";
const later = "2001:db8::2";

async function put(host: NetHost, address: string): Promise<void> {
  const request = addAddress({ link: index, local: address, prefixLength: 64 });
  await host.kernel.socket("route").write([request], never);
}

/** A port with an address of IPv6, and a VLAN on it that an operator has shut; the port is shut. */
async function withShutPort(): Promise<NetHost> {
  const host = new NetHost();
  host.kernel.links = [port, vlan];
  await put(host, local);
  await host.start();
  await host.commit(shut("p1"));
  expect(host.kernel.addresses).toEqual([]);
  return host;
}

/** The port's and the VLAN's flags, and the addresses. */
const now = ({ kernel }: NetHost) => ({
  flags: kernel.links.map(({ flags }) => flags),
  addresses: kernel.addresses.map((address) => address.local ?? "").toSorted(),
});

describe("the keepsake of a port", () => {
  // The port was shut again with a new snapshot, which had none of what had not come back yet.
  it.each([1, 2])(
    "a keepsake is not overwritten if the kernel refuses to shut a VLAN, %i times",
    async (times) => {
      const host = await withShutPort();
      for (let time = 0; time < times; time += 1) {
        // The port and its VLAN are up by then.
        host.kernel.refuses = host.kernel.acts.length + 2;
        const error = await refused(host.apply(open("p1")));
        expect(error).toMatchObject({ code: "device.rejected", effect: "none" });
        expect(now(host).flags[0]).toBe(0);
      }
      await host.commit(open("p1"));
      expect(now(host)).toEqual({ flags: [1, 0], addresses: [local] });
    },
  );

  it("a keepsake has also what the port got after an open that was not taken back", async () => {
    const host = await withShutPort();
    host.kernel.refuses = host.kernel.acts.length + 2;
    host.kernel.refusals = 2;
    const error = await refused(host.apply(open("p1")));
    expect(error).toMatchObject({ code: "device.rejected", effect: "unknown" });
    await put(host, later);
    await host.clock.runFor(60_000);
    await host.commit(open("p1"));
    expect(now(host)).toEqual({ flags: [1, 0], addresses: [local, later] });
  });
});
