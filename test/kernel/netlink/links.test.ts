import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { dumpMacsec, macsecFamily, readMacsec } from "#drivers/linux/macsec/macsec.ts";
import { askFamily, readFamily } from "#drivers/linux/netlink/genetlink.ts";
import { dumpAddresses, readAddress } from "#drivers/linux/netlink/rtnetlink-address.ts";
import { dumpLinks, type Link, readLink } from "#drivers/linux/netlink/rtnetlink-link.ts";
import {
  dumpRoutes,
  dumpRules,
  readRoute,
  readRule,
} from "#drivers/linux/netlink/rtnetlink-route.ts";
import { NetlinkChannel } from "#drivers/transport/netlink.ts";
import type { NetlinkRequest, Reader } from "#hal/netlink.ts";
import {
  addNetwork,
  enterNetwork,
  found,
  ipJson,
  leaveNetworks,
  native,
  netlinkFamilies,
  soon,
  until,
} from "../lab.ts";
import { expectSame } from "./beside.ts";
import { addressAsIp, linkAsIp, macsecAsIp, type NameOf } from "./links-as-ip.ts";
import { unnamedIn } from "./plain.ts";
import { routeAsIp, ruleAsIp } from "./routes-as-ip.ts";
import { buildSite } from "./site.ts";

interface IpLink {
  readonly ifname: string;
  readonly flags: readonly string[];
  readonly addr_info: readonly object[];
}

const ipv4 = 2;
const ipv6 = 10;

async function dump<T>(
  socket: NetlinkChannel,
  request: NetlinkRequest,
  read: Reader<T>,
): Promise<readonly T[]> {
  const all = found(await socket.ask(request, read, soon()));
  expect(unnamedIn(all)).toEqual([]);
  return all;
}

// The kernel itself sends packets now and then, so we read ours before and after that of `ip`.
async function still<O, T>(ours: () => Promise<O>, theirs: () => T): Promise<[O, T]> {
  return await until(async () => {
    const [before, other, after] = [await ours(), theirs(), await ours()];
    return JSON.stringify(before) === JSON.stringify(after) ? [after, other] : undefined;
  });
}

beforeEach(() => {
  enterNetwork(addNetwork());
  buildSite();
});
afterEach(leaveNetworks);

describe("links are read as ip reads them", { timeout: 120_000 }, () => {
  const nameIn =
    (links: readonly Link[]): NameOf =>
    (index) =>
      links.find((link) => link.index === index)?.name;

  it("links of every kind have their settings and counters as in ip", async () => {
    using socket = new NetlinkChannel(native, netlinkFamilies.route);
    const [ours, theirs] = await still(
      async () => {
        const links = await dump(socket, dumpLinks(), readLink);
        return links.map((link) => linkAsIp(link, nameIn(links)));
      },
      () => ipJson<IpLink[]>("-s", "link"),
    );
    const sorted = theirs.map((link) => ({ ...link, flags: link.flags.toSorted() }));
    expectSame("ip -j -d -s link", ours, sorted);
    expect(sorted).toHaveLength(11);
  });

  it("addresses of both families are read as ip reads them", async () => {
    using socket = new NetlinkChannel(native, netlinkFamilies.route);
    const links = await dump(socket, dumpLinks(), readLink);
    const [ours, theirs] = await still(
      async () => {
        const addresses = await dump(socket, dumpAddresses(), readAddress);
        return links.map(({ index }) =>
          addresses.filter(({ link }) => link === index).map(addressAsIp),
        );
      },
      () => ipJson<IpLink[]>("addr").map((link) => link.addr_info),
    );
    expectSame("ip -j -d addr", ours, theirs);
    expect(theirs.flat().length).toBeGreaterThan(10);
  });

  it("routes and rules of every table are read as ip reads them", async () => {
    using socket = new NetlinkChannel(native, netlinkFamilies.route);
    const links = await dump(socket, dumpLinks(), readLink);
    for (const [family, option] of [
      [ipv4, "-4"],
      [ipv6, "-6"],
    ] as const) {
      const [routes, theirs] = await still(
        async () => {
          const all = await dump(socket, dumpRoutes(family), readRoute);
          return all.map((route) => routeAsIp(route, nameIn(links)));
        },
        () => ipJson<object[]>(option, "route", "show", "table", "all"),
      );
      // ip adds this field, for which it queries the next hop object by itself.
      const plain = theirs.map((route) => ({ ...route, nh_info: undefined }));
      expectSame(`ip -j -d ${option} route show table all`, routes, plain);

      expect(theirs.length).toBeGreaterThan(10);
      const rules = (await dump(socket, dumpRules(family), readRule)).map(ruleAsIp);
      expectSame(`ip -j -d ${option} rule`, rules, ipJson<object[]>(option, "rule"));
    }
  });

  it("every SecY has its channels, SAs and counters as in ip", async () => {
    using routes = new NetlinkChannel(native, netlinkFamilies.route);
    using socket = new NetlinkChannel(native, netlinkFamilies.generic);
    const links = await dump(routes, dumpLinks(), readLink);
    const [family] = await dump(socket, askFamily(macsecFamily), readFamily);
    expect(family).toMatchObject({ name: "macsec", version: 1 });
    // It has no multicast group: changes are seen only by reading.
    expect(family?.groups).toBeUndefined();
    const number = family?.id ?? 0;
    const [ours, theirs] = await still(
      async () => {
        const devices = await dump(socket, dumpMacsec(number), readMacsec(number));
        return devices.map((device) => macsecAsIp(device, nameIn(links)));
      },
      () => ipJson<object[]>("-s", "macsec", "show"),
    );
    expectSame("ip -j -d -s macsec show", ours, theirs);
    expect(theirs).toHaveLength(4);
  });
});
