// No packet of a protected prefix leaves in the clear: the block policies, the interface of a
// tunnel, and how both are undone.

import { describe, expect, it } from "vitest";
import { blockedAmong, canonicalPrefix, openedAmong } from "#drivers/linux/net/guard.ts";
import { readGuard } from "#drivers/linux/net/guard-file.ts";
import { type NetOperation, previewOf, readOperation } from "#drivers/linux/net/operation.ts";
import {
  applyTunnelOperation,
  type TunnelContext,
  undoOfTunnelOperation,
} from "#drivers/linux/net/tunnel-applier.ts";
import type { TunnelOperation } from "#drivers/linux/net/tunnel-operation.ts";
import { waysOf } from "#drivers/linux/net/tunnel-routes.ts";
import type { Link } from "#drivers/linux/netlink/rtnetlink-link.ts";
import type { Route } from "#drivers/linux/netlink/rtnetlink-route.ts";
import { type NewPolicy, putPolicy } from "#drivers/linux/netlink/xfrm.ts";
import { Malformed } from "#hal/decoder.ts";
import { LinksealError } from "#hal/error.ts";
import { known } from "#hal/model.ts";
import type { Instant } from "#hal/world.ts";
import { SimClock } from "#sim/base/clock.ts";
import { SimDisk } from "#sim/base/disk.ts";
import { Prng } from "#sim/base/prng.ts";
import { never, refused, settled, wallStart } from "../../../kit/site-bench.ts";
import { TunnelKernel } from "../../../kit/tunnel-kernel.ts";

const hub = "10.100.0.0/16";
const block: TunnelOperation = { kind: "ipsec.block", prefixes: [hub] };
const link = { name: "hub-1", ifId: 42, mtu: 1400, prefixes: [hub] };
const carry: TunnelOperation = { kind: "ipsec.carry", link };
const drop: TunnelOperation = { kind: "ipsec.drop", name: "hub-1" };
const unmake: TunnelOperation = { kind: "ipsec.unmake", name: "hub-1", ifId: 42 };

class Scene {
  readonly clock = new SimClock(wallStart);
  readonly kernel = new TunnelKernel();
  readonly disk = new SimDisk({ clock: this.clock, prng: new Prng("guard"), writeMs: 0 });
  readonly forgotten: string[] = [];
  readonly logged: string[] = [];
  unreachable = false;
  readonly context: TunnelContext = {
    routes: this.kernel.socket("route"),
    xfrm: this.kernel.socket("xfrm"),
    disk: this.disk,
    bootId: "boot-1",
    log: { write: (_level, code) => void this.logged.push(code) },
    forget: async (name) => {
      const details = { effect: "none", where: "charon", next: "" } as const;
      if (this.unreachable) throw new LinksealError("transport.unreachable", "gone", details);
      this.forgotten.push(name);
    },
  };

  carry(...operations: readonly TunnelOperation[]): Promise<void> {
    return settled(
      this.clock,
      (async () => {
        for (const operation of operations)
          await applyTunnelOperation(operation, this.context, never);
      })(),
    );
  }

  undo(operation: TunnelOperation): Promise<TunnelOperation | undefined> {
    return settled(this.clock, undoOfTunnelOperation(operation, this.context, never));
  }

  blocked(prefix = hub): boolean {
    const { policies, links } = this.kernel;
    return blockedAmong([prefix], policies, links, []).length === 1;
  }

  stored(): Promise<readonly string[]> {
    const read = readGuard(this.disk, this.context.log);
    return settled(
      this.clock,
      read.then(({ prefixes }) => prefixes),
    );
  }

  async put(policy: NewPolicy): Promise<void> {
    await this.context.xfrm.write([putPolicy(policy)], never);
  }
}

describe("a blocked prefix", () => {
  it("a blocked prefix is blocked in all three directions, and after the next boot", async () => {
    const scene = new Scene();
    expect(scene.blocked()).toBe(false);
    await scene.carry(block);
    expect(scene.blocked()).toBe(true);
    expect(scene.kernel.policies.map(({ direction, action }) => `${direction} ${action}`)).toEqual([
      ...["out block", "in block", "forward block"],
    ]);
    expect(await scene.stored()).toEqual([hub]);
  });

  // The guard of a boot wrote its file anew before it blocked, and blocked nothing on a full disk.
  it("a full disk opens no prefix that was blocked before a boot", async () => {
    const scene = new Scene();
    await scene.carry(block);
    scene.kernel.policies = [];
    scene.disk.setFault("full", true);
    await scene.carry(block);
    expect(scene.blocked()).toBe(true);
    const other: TunnelOperation = { kind: "ipsec.block", prefixes: ["10.101.0.0/16"] };
    await expect(scene.carry(other)).rejects.toMatchObject({ code: "journal.full" });
    expect(await scene.stored()).toEqual([hub]);
  });

  it.each(["out", "in", "forward"])(
    "a blocked prefix is open without its policy %s",
    async (direction) => {
      const scene = new Scene();
      await scene.carry(block);
      const { kernel } = scene;
      kernel.policies = kernel.policies.filter((policy) => policy.direction !== direction);
      expect(scene.blocked()).toBe(false);
      expect(await scene.undo(block)).toBeDefined();
      await scene.carry(block);
      expect(scene.blocked()).toBe(true);
    },
  );

  const opener = { source: "0.0.0.0/0", destination: hub, direction: "out", priority: 0 } as const;
  it.each<[string, Partial<NewPolicy>]>([
    ["for all of it", {}],
    ["for a part of it", { destination: "10.100.7.0/24" }],
    ["for more than it", { destination: "10.0.0.0/8" }],
    ["for everything", { destination: "0.0.0.0/0" }],
    ["on the way in", { direction: "in", source: hub, destination: "0.0.0.0/0" }],
    ["out of one port", { link: 2 }],
  ])("a prefix is open where a policy ahead of the block lets it pass: %s", async (_what, more) => {
    const scene = new Scene();
    scene.kernel.links = [{ index: 2, name: "p1" } as Link];
    await scene.put({ ...opener, ...more });
    await scene.carry(block);
    expect(scene.blocked()).toBe(false);
    const { policies, links } = scene.kernel;
    expect(openedAmong([hub, "10.101.0.0/16"], policies, links, [])).toMatchObject([
      {
        prefix: hub,
        by: expect.stringMatching(/^the xfrm policy \S+ -> \S+, dir \w+, priority 0$/),
      },
    ]);
  });

  // A child of charon with `mode = pass` and a fixed priority preceded the block, or replaced it,
  // and the prefix left in the clear.
  it.each<[string, Partial<NewPolicy>]>([
    ["for all of it", {}],
    ["for a part of it", { destination: "10.100.7.0/24" }],
    ["for everything", { destination: "0.0.0.0/0" }],
    ["on the way in", { direction: "in", source: hub, destination: "0.0.0.0/0" }],
  ])("no policy of charon precedes or replaces a block: %s", async (_what, more) => {
    for (const order of ["before", "after"]) {
      const scene = new Scene();
      const theirs = { ...opener, priority: 1, ...more };
      if (order === "before") await scene.put(theirs);
      await scene.carry(block);
      if (order === "after") await scene.put(theirs);
      expect(scene.blocked()).toBe(true);
      const { policies, links } = scene.kernel;
      expect(openedAmong([hub], policies, links, [])).toEqual([]);
      const actions = policies.map(({ action }) => action).toSorted();
      expect(actions).toEqual(["allow", "block", "block", "block"]);
    }
  });

  it.each<[string, Partial<NewPolicy>]>([
    ["of another prefix", { destination: "10.101.0.0/16" }],
    ["behind the block", { destination: "10.100.7.0/24", priority: 5_000 }],
    ["of the block's priority that is newer", {}],
    ["of an interface's own", { ifId: 42 }],
    ["that blocks as well", { destination: "10.100.7.0/24", action: "block" }],
    ["of the other family", { source: "::/0", destination: "::/0" }],
    ["of a link that is gone", { link: 9 }],
  ])("a prefix stays blocked beside a policy %s", async (_what, more) => {
    const scene = new Scene();
    await scene.carry(block);
    await scene.put({ ...opener, ...more });
    expect(scene.blocked()).toBe(true);
  });

  it("a block stays when the change that it came with is undone", async () => {
    const scene = new Scene();
    await scene.carry(block);
    expect(await scene.undo(block)).toBeUndefined();
    const both: TunnelOperation = { kind: "ipsec.block", prefixes: [hub, "10.101.0.0/16"] };
    const second = await scene.undo(both);
    await scene.carry(both);
    expect([scene.blocked(hub), scene.blocked("10.101.0.0/16")]).toEqual([true, true]);
    if (second === undefined) throw new Error("it is not there already");
    await scene.carry(second);
    expect([scene.blocked(hub), scene.blocked("10.101.0.0/16")]).toEqual([true, true]);
    expect(await scene.stored()).toEqual([hub, "10.101.0.0/16"]);
  });

  it("a block is on the disk before it is in the kernel", async () => {
    const scene = new Scene();
    scene.kernel.refuses = 0;
    const error = await refused(scene.carry(block));
    expect(error.message).toContain("EPERM");
    expect(await scene.stored()).toEqual([hub]);
  });

  it("an unreadable file of blocks is logged, and counts as empty", async () => {
    const scene = new Scene();
    for (const text of ["{", "[]", '{"prefixes":["x/8"]}', '{"prefixes":["10.0.0.0/0"]}']) {
      await settled(scene.clock, scene.disk.replace("guard", new TextEncoder().encode(text)));
      expect(await scene.stored()).toEqual([]);
    }
    expect(scene.logged).toHaveLength(4);
  });
});

describe("the interface of a tunnel", () => {
  it("a tunnel's interface is made with its routes and the way past the block", async () => {
    const scene = new Scene();
    await scene.carry(block, carry);
    const [made] = scene.kernel.links;
    expect(made).toMatchObject({ name: "hub-1", mtu: 1400, info: { kind: "xfrm" } });
    expect(made?.info?.xfrm).toMatchObject({ ifId: 42 });
    const [route] = scene.kernel.routes;
    expect(route).toMatchObject({
      destination: "10.100.0.0",
      destinationLength: 16,
      outputLink: made?.index,
      protocol: 4,
    });
    expect(scene.blocked()).toBe(true);
    const way = scene.kernel.policies.find(({ action }) => action === "allow");
    expect(way?.selector.link).toBe(made?.index);
    // The policy comes before the interface is up and routes lead into it.
    expect(scene.kernel.acts.slice(3)).toEqual([
      ...["newLink", "updatePolicy", "updatePolicy", "deletePolicy", "newLink", "newRoute"],
    ]);
  });

  const orderOut = ({ kernel }: Scene): string =>
    kernel.policies
      .filter(({ direction }) => direction === "out")
      .toSorted((a, b) => a.index - b.index)
      .map(({ action, selector }) => `${action} ${selector.destination}`)
      .join(", ");

  it("a way into a tunnel is older than every block that it leads past", async () => {
    const scene = new Scene();
    const wide: TunnelOperation = { kind: "ipsec.block", prefixes: [hub, "10.0.0.0/8"] };
    await scene.carry(wide, carry);
    expect(orderOut(scene)).toBe("allow 10.100.0.0, block 10.100.0.0, block 10.0.0.0");
    await scene.carry(wide, carry);
    expect(orderOut(scene)).toBe("allow 10.100.0.0, block 10.100.0.0, block 10.0.0.0");
    expect([scene.blocked(), scene.blocked("10.0.0.0/8")]).toEqual([true, true]);
    expect(await scene.undo(carry)).toBeUndefined();
  });

  it("a prefix is blocked after each step of its way past the block, refused or not", async () => {
    for (let at = 3; at < 9; at += 1) {
      const scene = new Scene();
      await scene.carry(block);
      scene.kernel.refuses = at;
      await scene.carry(carry).catch(() => undefined);
      expect([at, scene.blocked()]).toEqual([at, true]);
      await scene.carry(carry);
      expect([at, scene.blocked(), await scene.undo(carry)]).toEqual([at, true, undefined]);
    }
  });

  it("a way behind a block is a gap of the tunnel's interface", async () => {
    const scene = new Scene();
    await scene.carry(carry);
    await scene.carry(block);
    expect(await scene.undo(carry)).toBeUndefined();
    const { kernel } = scene;
    kernel.policies = kernel.policies.filter(({ action }) => action === "block");
    const own = { direction: "out", priority: 0, user: 1 } as const;
    const made = kernel.links[0]?.index ?? 0;
    await scene.put({ ...own, source: "0.0.0.0/0", destination: hub, link: made });
    expect(await scene.undo(carry)).toEqual(carry);
    await scene.carry(carry);
    expect(await scene.undo(carry)).toBeUndefined();
  });

  it("a released prefix has no block left, however often it was renewed", async () => {
    const scene = new Scene();
    const two = { ...link, name: "hub-2", ifId: 43 };
    await scene.carry(block, carry, { kind: "ipsec.carry", link: two });
    await scene.carry({ kind: "ipsec.unblock", prefixes: [hub] });
    expect(scene.kernel.policies.filter(({ action }) => action === "block")).toEqual([]);
  });

  it("a tunnel's interface is left alone if it is whole, and repaired if it is not", async () => {
    const scene = new Scene();
    expect(await scene.undo(carry)).toEqual(unmake);
    await scene.carry(carry);
    expect(await scene.undo(carry)).toBeUndefined();
    scene.kernel.routes = [];
    expect(await scene.undo(carry)).toEqual(carry);
    await scene.carry(carry);
    expect(scene.kernel.routes).toHaveLength(1);
    expect(scene.kernel.links).toHaveLength(1);
    expect(await scene.undo({ ...carry, link: { ...link, mtu: 1350 } })).toBeDefined();
  });

  it("a tunnel never takes an interface or a number of another link", async () => {
    const scene = new Scene();
    await scene.carry(carry);
    const other = { ...carry, link: { ...link, name: "hub-2" } };
    expect((await refused(scene.undo(other))).message).toContain("another interface's");
    const number = { ...carry, link: { ...link, ifId: 43 } };
    expect((await refused(scene.undo(number))).message).toContain("number 43");
    const { kernel } = scene;
    kernel.links = kernel.links.map((one) => ({ ...one, info: { kind: "veth" } as never }));
    expect((await refused(scene.undo(carry))).message).toContain("another link of this host");
    expect(await scene.undo(drop)).toEqual(drop);
    await scene.carry(drop);
    expect(kernel.links).toHaveLength(1);
    expect(await scene.undo(drop)).toBeUndefined();
  });

  it("a dropped interface loses routes and way past the block, and leaves the block", async () => {
    const scene = new Scene();
    await scene.carry(block, carry);
    expect(await scene.undo(drop)).toEqual(carry);
    await scene.carry(drop);
    expect([scene.kernel.links, scene.kernel.routes]).toEqual([[], []]);
    expect(scene.kernel.policies.map(({ action }) => action)).toEqual(["block", "block", "block"]);
    expect(scene.blocked()).toBe(true);
    expect(scene.forgotten).toEqual([]);
    expect(await scene.undo(drop)).toBeUndefined();
    await scene.carry(drop);
  });

  it("an interface with BGP has two addresses and no route, also when restored", async () => {
    const scene = new Scene();
    const { kernel } = scene;
    const ends = { local: "169.254.21.2", peer: "169.254.21.1" };
    const prefixes = [hub, "169.254.21.1/32"];
    const paired: TunnelOperation = { kind: "ipsec.carry", link: { ...link, prefixes, ends } };
    expect(await scene.undo(paired)).toEqual(unmake);
    await scene.carry({ kind: "ipsec.block", prefixes }, paired);
    const [made] = kernel.links;
    expect(kernel.addresses).toMatchObject([
      { link: made?.index, local: ends.local, address: ends.peer, prefixLength: 32 },
    ]);
    expect(kernel.routes).toEqual([]);
    expect(prefixes.every((prefix) => scene.blocked(prefix))).toBe(true);
    expect(await scene.undo(paired)).toBeUndefined();
    await scene.carry(paired);
    expect(kernel.addresses).toHaveLength(1);
    const other = { ...link, prefixes, ends: { ...ends, peer: "169.254.21.5" } };
    expect(await scene.undo({ kind: "ipsec.carry", link: other })).toBeDefined();
    kernel.addresses = [];
    expect(await scene.undo(paired)).toEqual(paired);
    await scene.carry(paired);
    expect(await scene.undo(drop)).toEqual(paired);
    await scene.carry(drop);
    expect([kernel.links, kernel.addresses]).toEqual([[], []]);
    expect(scene.blocked("169.254.21.1/32")).toBe(true);
  });

  it("an interface with BGP over IPv6 has the peer as a host prefix", async () => {
    const scene = new Scene();
    const ends = { local: "2001:db8::2", peer: "2001:db8::1" };
    const six = { ...link, prefixes: ["2001:db8:100::/48"], ends };
    await scene.carry({ kind: "ipsec.carry", link: six });
    expect(scene.kernel.addresses).toMatchObject([{ address: ends.peer, prefixLength: 128 }]);
  });

  const sa = (spi: number, ifId: number) =>
    ({ spi, destination: "203.0.113.1", ipProtocol: 50, attributes: { ifId } }) as never;

  it("an interface that is undone is forgotten by charon, with all its SAs", async () => {
    const scene = new Scene();
    await scene.carry(carry);
    scene.kernel.sas = [sa(1, 42), sa(2, 42), sa(3, 43)];
    await scene.carry(unmake);
    expect(scene.forgotten).toEqual(["hub-1"]);
    expect(scene.kernel.sas.map(({ spi }) => spi)).toEqual([3]);
    expect(scene.kernel.links).toEqual([]);
    expect(await scene.undo(unmake)).toBeUndefined();
  });

  it("an interface is undone although charon is unreachable, and this is logged", async () => {
    const scene = new Scene();
    await scene.carry(carry);
    scene.unreachable = true;
    await scene.carry(unmake);
    expect(scene.kernel.links).toEqual([]);
    expect(scene.logged).toEqual(["transport.unreachable"]);
  });

  it("a sweep ends exactly the SAs that it names", async () => {
    const scene = new Scene();
    scene.kernel.sas = [sa(1, 42), sa(2, 42), sa(3, 43)];
    const sweep = (...spis: readonly number[]): TunnelOperation => ({
      ...{ kind: "ipsec.sweep", name: "hub-1", ifId: 42 },
      sas: spis.map((spi) => ({ spi })),
    });
    expect(await scene.undo(sweep(9))).toBeUndefined();
    expect(await scene.undo(sweep(1, 3))).toEqual(sweep());
    await scene.carry(sweep(1, 3));
    expect(scene.kernel.sas.map(({ spi }) => spi)).toEqual([2, 3]);
  });
});

describe("the operations of a tunnel", () => {
  const sweep = { kind: "ipsec.sweep", name: "hub-1", ifId: 42, sas: [{ spi: 1 }] } as const;
  const unblock = { kind: "ipsec.unblock", prefixes: [hub] } as const;
  const ends = { local: "169.254.21.2", peer: "169.254.21.1" };
  const paired = { kind: "ipsec.carry", link: { ...link, ends } } as const;
  const operations: readonly NetOperation[] = [block, carry, paired, drop, unmake, sweep, unblock];

  it("operations of a tunnel are read back unchanged", () => {
    for (const operation of operations) {
      expect(readOperation(JSON.parse(JSON.stringify(operation)))).toEqual(operation);
      expect(previewOf(operation).join()).toMatch(/^[+-] /);
    }
  });

  it.each([
    { kind: "ipsec.block", prefixes: ["0.0.0.0/0"] },
    { kind: "ipsec.block", prefixes: ["::/0"] },
    { kind: "ipsec.block", prefixes: ["10.0.0.0/33"] },
    { kind: "ipsec.block", prefixes: ["10.0.0.0"] },
    { kind: "ipsec.block", prefixes: ["hub"] },
    { kind: "ipsec.carry", link: { ...link, ifId: -1 } },
    { kind: "ipsec.carry" },
    { kind: "ipsec.carry", link: { ...link, ends: { ...ends, peer: "hub" } } },
    { kind: "ipsec.carry", link: { ...link, ends: { ...ends, local: "fe80::1%eth0" } } },
    { kind: "ipsec.carry", link: { ...link, ends: { local: ends.local } } },
    { kind: "ipsec.sweep", name: "hub-1", ifId: 42, sas: [1] },
  ])("the malformed tunnel operation %j is refused", (operation) => {
    expect(() => readOperation(operation)).toThrow(Malformed);
  });

  it.each([
    ["10.100.7.9/16", "10.100.0.0/16"],
    ["10.0.0.1/32", "10.0.0.1/32"],
    ["255.255.255.255/1", "128.0.0.0/1"],
    ["2001:DB8:0:0:1::/64", "2001:db8::/64"],
    ["2001:db8::ff/33", "2001:db8::/33"],
  ])("the prefix %s is normalised to %s", (written, kernel) => {
    expect(canonicalPrefix(written)).toBe(kernel);
  });
});

describe("the routes around what tunnels protect", () => {
  const at = 5 as Instant;
  const route = (to: string | undefined, bits: number, outputLink: number, more = {}): Route =>
    ({
      ...{ family: 2, destinationLength: bits, outputLink, kind: 1, protocol: 4, table: 254 },
      ...(to === undefined ? {} : { destination: to }),
      ...more,
    }) as Route;

  const links = [
    { index: 2, name: "p1", hardware: 1, flags: 1 },
    { index: 11, name: "hub-1", hardware: 65_534, flags: 1, info: { kind: "xfrm" } },
  ];
  const observation = (routes: readonly Route[]) =>
    ({ at, links, routes, addresses: [], secys: [], speeds: [] }) as never;

  it("routes around protected prefixes lead into a tunnel or over a port", () => {
    const routes = [
      route("10.100.0.0", 16, 11),
      route("10.100.7.0", 24, 2),
      route(undefined, 0, 2),
      route("10.0.0.0", 8, 2, { priority: 100 }),
      route("10.0.0.0", 8, 11, { priority: 50 }),
      route("192.0.2.0", 24, 2),
      route("10.100.1.0", 24, 2, { kind: 6 }),
      route("10.100.2.0", 24, 2, { table: 100 }),
    ];
    const tunnel = { kind: "tunnel", name: "hub-1" };
    const port = { kind: "port", port: "p1" };
    const reported = waysOf(observation(routes), known([hub], at));
    if (reported.kind !== "known") throw new Error("not known");
    expect(reported.value).toEqual([
      { prefix: "10.100.0.0/16", via: tunnel, best: true },
      { prefix: "10.100.7.0/24", via: port, best: true },
      { prefix: "0.0.0.0/0", via: port, best: true },
      { prefix: "10.0.0.0/8", via: port, best: false },
      { prefix: "10.0.0.0/8", via: tunnel, best: true },
    ]);
    const unread = { kind: "unknown", why: "queryFailed", at } as const;
    expect(waysOf(observation(routes), unread)).toBe(unread);
  });
});
