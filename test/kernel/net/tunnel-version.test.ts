// A new version of a tunnel by a process that is killed at any of its messages to the kernel, and
// is rolled back by its successor: the interface has what it had, and what others put there.

import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { NetControlServer } from "#drivers/linux/net/control-server.ts";
import { ownWays, policiesNow } from "#drivers/linux/net/guard.ts";
import type { NetOperation } from "#drivers/linux/net/operation.ts";
import type { TunnelLink } from "#drivers/linux/net/tunnel-operation.ts";
import { NetlinkChannel } from "#drivers/transport/netlink.ts";
import type { NetlinkSocket } from "#hal/netlink.ts";
import { PacedClock } from "../host/clock.ts";
import { MemoryDisk } from "../host/memory-disk.ts";
import {
  addNetwork,
  enterNetwork,
  ip,
  leaveNetworks,
  native,
  netlinkFamilies,
  soon,
} from "../lab.ts";

let network = "";
let sockets: DisposableStack;
beforeEach(() => {
  network = addNetwork();
  enterNetwork(network);
  ip("-n", network, "link", "set", "lo", "up");
  sockets = new DisposableStack();
});
afterEach(() => {
  sockets.dispose();
  leaveNetworks();
});

const name = "hub-1";
const peers = ["169.254.1.1/32", "169.254.1.5/32", "2001:db8:ffff::1/128"] as const;
const [one, two, six] = ["10.1.0.0/16", "10.2.0.0/16", "2001:db8:2::/48"] as const;
const version = (prefixes: readonly string[], ends?: TunnelLink["ends"]): NetOperation => ({
  kind: "ipsec.carry",
  link: { ...{ name, ifId: 42, mtu: 1400, prefixes }, ...(ends === undefined ? {} : { ends }) },
});
const block: NetOperation = { kind: "ipsec.block", prefixes: [one, two, six, ...peers] };

const led = version([one]);
const ledWide = version([one, two, six]);
const paired = version([one, peers[0]], { local: "169.254.1.2", peer: "169.254.1.1" });
const elsewhere = version([one, peers[1]], { local: "169.254.1.6", peer: "169.254.1.5" });
const over6 = version([six, peers[2]], { local: "2001:db8:ffff::2", peer: "2001:db8:ffff::1" });

/** The messages that all lives may still send. */
interface Budget {
  left: number;
}

function crashing(socket: NetlinkSocket, budget: Budget): NetlinkSocket {
  return {
    ask: (request, read, signal) => socket.ask(request, read, signal),
    async write(requests, signal) {
      const refusals = [];
      for (const request of requests) {
        if (budget.left === 0) await new Promise<never>(() => undefined);
        budget.left -= 1;
        refusals.push(...(await socket.write([request], signal)));
      }
      return refusals;
    },
    [Symbol.dispose]: () => undefined,
  };
}

const open = (family: number): NetlinkChannel => sockets.use(new NetlinkChannel(native, family));

async function life(disk: MemoryDisk, budget: Budget): Promise<NetControlServer> {
  const entropy = { bytes: (length: number) => crypto.getRandomValues(new Uint8Array(length)) };
  return await NetControlServer.open({
    world: { clock: new PacedClock(1), disk, entropy, log: { write: () => undefined } },
    bootId: "boot",
    sockets: {
      routes: crashing(open(netlinkFamilies.route), budget),
      generic: open(netlinkFamilies.generic),
      xfrm: crashing(open(netlinkFamilies.xfrm), budget),
    },
  });
}

async function commit(server: NetControlServer, operation: NetOperation): Promise<void> {
  const { token } = await server.prepare([operation], soon());
  await server.apply(token, "final", soon());
}

/** What leads into the interface. */
async function now(): Promise<readonly string[]> {
  const show = (...what: readonly string[]): readonly string[] =>
    ip("-n", network, ...what, "dev", name).split("\n");
  const xfrm = open(netlinkFamilies.xfrm);
  const ways = ownWays(await policiesNow(xfrm, soon())).map(({ destination }) => destination);
  return [
    ...[...show("-4", "route", "show"), ...show("-6", "route", "show")],
    ...show("-o", "address", "show").map((line) => line.replace(/^\d+: /, "")),
    ...ways.map((way) => `way ${way}`),
  ]
    .map((line) => line.trim())
    .filter((line) => line !== "")
    .toSorted();
}

const others = [
  ["10.1.0.0/16", "proto", "bgp", "metric", "20"],
  ["10.2.0.0/16", "metric", "50"],
  ["10.9.0.0/16", "proto", "static"],
] as const;

describe("a version of a tunnel", () => {
  it.each([
    ["with more prefixes", led, ledWide],
    ["with fewer prefixes", ledWide, led],
    ["with other addresses of BGP", paired, elsewhere],
    ["with BGP over IPv6 instead of routes", ledWide, over6],
    ["with routes instead of BGP over IPv6", over6, ledWide],
  ])("a tunnel's version %s leaves nothing, wherever its process is killed", async (...row) => {
    const [, before, next] = row;
    const disk = new MemoryDisk();
    const budget = { left: Number.POSITIVE_INFINITY };
    let server = await life(disk, budget);
    await commit(server, block);
    await commit(server, before);
    for (const route of others) ip("-n", network, "route", "add", ...route, "dev", name);
    const made = await now();
    // A route of ours that went is not put back where another one leads into the interface.
    const needed = made.filter((line) => !/^10\.[12]\.0\.0.* proto static/.test(line));
    expect(needed.filter((line) => line.startsWith("way"))).not.toEqual([]);
    let deaths = 0;
    for (let messages = 0; ; messages += 1) {
      const { token } = await server.prepare([next], soon());
      budget.left = messages;
      let isDone = false;
      const applied = server.apply(token, 60_000, soon()).then(() => {
        isDone = true;
      });
      const dead = (async () => {
        while (budget.left > 0 && !isDone) await new Promise((go) => setTimeout(go, 5));
        await new Promise((go) => setTimeout(go, 50));
      })();
      await Promise.race([applied, dead]);
      server.close();
      budget.left = Number.POSITIVE_INFINITY;
      server = await life(disk, budget);
      await server.rollback(token, soon());
      const left = await now();
      expect(made, `killed before message ${messages}`).toEqual(expect.arrayContaining([...left]));
      expect(left, `killed before message ${messages}`).toEqual(expect.arrayContaining(needed));
      if (isDone) break;
      deaths += 1;
    }
    server.close();
    expect(deaths).toBeGreaterThan(2);
  });
});
