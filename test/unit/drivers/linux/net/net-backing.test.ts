// What tunnels protect may ride under the MACsec of ports as well: past the block by a tight SecY
// alone, whatever comes and goes in whatever order.

import { describe, expect, it } from "vitest";
import { readBackings, toldBackings, waysUnderMacsec } from "#drivers/linux/net/backing.ts";
import { blockedAmong } from "#drivers/linux/net/guard.ts";
import { previewOf, readPart } from "#drivers/linux/net/part.ts";
import {
  carryTunnelPart,
  restoreBackings,
  type TunnelHands,
  undoOfTunnelPart,
} from "#drivers/linux/net/tunnel-hands.ts";
import type { TunnelPart } from "#drivers/linux/net/tunnel-part.ts";
import type { Link } from "#drivers/linux/netlink/rtnetlink-link.ts";
import { putPolicy } from "#drivers/linux/netlink/xfrm.ts";
import { Malformed } from "#drivers/local/shape.ts";
import { SimClock } from "#sim/base/clock.ts";
import { SimDisk } from "#sim/base/disk.ts";
import { Prng } from "#sim/base/prng.ts";
import { never, settled, wallStart } from "../../../kit/site-bench.ts";
import { TunnelKernel } from "../../../kit/tunnel-kernel.ts";

const hub = "10.100.0.0/16";
const block: TunnelPart = { kind: "ipsec.block", prefixes: [hub] };
const back = (...ports: readonly string[]): TunnelPart => ({
  kind: "ipsec.back",
  backings: [{ prefix: hub, ports }],
});
const carry: TunnelPart = {
  kind: "ipsec.carry",
  link: { name: "hub-1", ifId: 42, mtu: 1400, prefixes: [hub] },
};

const tight = { validation: "strict", protect: true, encrypt: true };
const made = (index: number, name: string, more: object = {}): Link =>
  ({ index, name, hardware: 1, flags: 1, unnamed: [], ...more }) as unknown as Link;
const port = made(1, "p1");
const other = made(2, "p2");
const secy = (index: number, below: number, settings: object = tight): Link =>
  made(index, `ms${index}`, { link: below, info: { kind: "macsec", macsec: settings } });
const vlan = (index: number, below: number): Link =>
  made(index, `ms.${index}`, { link: below, info: { kind: "vlan" } });

class Scene {
  readonly clock = new SimClock(wallStart);
  readonly kernel = new TunnelKernel();
  readonly disk = new SimDisk({ clock: this.clock, prng: new Prng("backing"), writeMs: 0 });
  readonly logged: string[] = [];
  readonly hands: TunnelHands = {
    routes: this.kernel.socket("route"),
    xfrm: this.kernel.socket("xfrm"),
    disk: this.disk,
    bootId: "boot-1",
    log: { write: (_level, code) => void this.logged.push(code) },
  };

  constructor(...links: readonly Link[]) {
    this.kernel.links = [...links];
  }

  carry(...parts: readonly TunnelPart[]): Promise<void> {
    const all = async (): Promise<void> => {
      for (const part of parts) await carryTunnelPart(part, this.hands, never);
    };
    return settled(this.clock, all());
  }

  undo(part: TunnelPart): Promise<TunnelPart | undefined> {
    return settled(this.clock, undoOfTunnelPart(part, this.hands, never));
  }

  /** As linkseal-net does when the kernel tells of a change. */
  async links(...links: readonly Link[]): Promise<void> {
    this.kernel.links = [...links];
    await settled(this.clock, restoreBackings(this.hands, never));
  }

  /** Links that the prefix leaves by past its block. */
  ways(): readonly number[] {
    return this.kernel.policies
      .filter(({ action, direction }) => action === "allow" && direction === "out")
      .map(({ selector }) => selector.link)
      .toSorted((a, b) => a - b);
  }

  /** Links whose inbound packets nothing is held against. */
  passed(): readonly number[] {
    return this.kernel.links.flatMap(({ index, perFamily }) =>
      perFamily?.inet?.settings?.disablePolicy === 1 ? index : [],
    );
  }

  async told() {
    const { policies, links } = this.kernel;
    const kept = await settled(this.clock, readBackings(this.disk, this.hands.log));
    const ways = waysUnderMacsec(kept, links);
    return {
      blocked: blockedAmong([hub], policies, links, ways).length === 1,
      open: toldBackings(kept, policies, links).flatMap(({ open }) => open),
    };
  }
}

describe("a prefix that tunnels protect as the backup of ports", () => {
  it("passes its block by the SecY and by VLANs on it, and stays blocked elsewhere", async () => {
    const scene = new Scene(port, secy(3, 1), vlan(4, 3), other, secy(5, 2), vlan(6, 1));
    await scene.carry(back("p1"), block);
    expect([scene.ways(), scene.passed()]).toEqual([
      [3, 4],
      [3, 4],
    ]);
    expect(await scene.told()).toEqual({ blocked: true, open: ["p1"] });
  });

  it("is open before it is blocked, so that what rides there now goes on", async () => {
    const scene = new Scene(port, secy(3, 1));
    await scene.carry(back("p1"), block);
    const actions = scene.kernel.policies.map(({ action }) => action);
    expect(actions).toEqual(["allow", "block", "block", "block"]);
  });

  it("passes a SecY that is made later, and none that is gone", async () => {
    const scene = new Scene(port);
    await scene.carry(back("p1"), block);
    expect([scene.ways(), await scene.told()]).toEqual([[], { blocked: true, open: [] }]);
    await scene.links(port, secy(7, 1));
    expect([scene.ways(), scene.passed()]).toEqual([[7], [7]]);
    await scene.links(port);
    expect([scene.ways(), await scene.told()]).toEqual([[], { blocked: true, open: [] }]);
    await scene.links(port, secy(8, 1), vlan(9, 8));
    expect([scene.ways(), scene.passed()]).toEqual([
      [8, 9],
      [8, 9],
    ]);
  });

  it("goes on under the MACsec of one port when that of another is gone", async () => {
    const scene = new Scene(port, secy(3, 1), other, secy(5, 2));
    await scene.carry(back("p1", "p2"), block);
    await scene.links(...scene.kernel.links.filter(({ index }) => index !== 3));
    expect([scene.ways(), scene.passed()]).toEqual([[5], [5]]);
    expect(await scene.told()).toEqual({ blocked: true, open: ["p2"] });
  });

  it("never leaves by the port itself, nor by a SecY that lets anything be read", async () => {
    for (const settings of [
      { ...tight, encrypt: false },
      { ...tight, protect: false },
      { ...tight, validation: "check" },
    ]) {
      const scene = new Scene(port, secy(3, 1, settings), vlan(4, 3), vlan(5, 1));
      await scene.carry(back("p1"), block);
      expect([scene.ways(), scene.passed()]).toEqual([[], []]);
      await scene.links(port, secy(3, 1), vlan(4, 3), vlan(5, 1));
      expect(scene.ways()).toEqual([3, 4]);
      await scene.links(
        ...scene.kernel.links.map((link) =>
          link.index === 3 ? { ...link, ...secy(3, 1, settings) } : link,
        ),
      );
      expect([scene.ways(), scene.passed()]).toEqual([[], []]);
    }
  });

  it("stays that, like its block, when what it was put with is undone", async () => {
    const scene = new Scene(port, secy(3, 1), other, secy(5, 2));
    await scene.carry(back("p1"), block, carry);
    const undo = await scene.undo(back("p1", "p2"));
    await scene.carry(back("p1", "p2"));
    expect(scene.passed()).toEqual([3, 5]);
    if (undo === undefined) throw new Error("it is not there already");
    await scene.carry(undo);
    expect(scene.passed()).toEqual([3, 5]);
    expect(await scene.undo(back("p1", "p2"))).toBeUndefined();
  });

  it("that is given back to tunnels alone is shut there", async () => {
    const scene = new Scene(port, secy(3, 1), other, secy(5, 2));
    await scene.carry(back("p1", "p2"), block, carry);
    await scene.carry(back());
    const [tunnel] = scene.kernel.links.filter(({ name }) => name === "hub-1");
    expect([scene.ways(), scene.passed()]).toEqual([[tunnel?.index], []]);
    expect(await scene.undo(back())).toBeUndefined();
  });

  it("that is not blocked any more is nobody's backup either", async () => {
    const scene = new Scene(port, secy(3, 1));
    await scene.carry(back("p1"), block, { kind: "ipsec.unblock", prefixes: [hub] });
    expect([scene.kernel.policies, scene.passed()]).toEqual([[], []]);
    await scene.links(port, secy(3, 1));
    expect(scene.kernel.policies).toEqual([]);
  });

  it("leaves what somebody else lets pass alone, and says that it is open", async () => {
    const scene = new Scene(port, secy(3, 1), other);
    await scene.carry(back("p1"), block);
    const theirs = { source: "0.0.0.0/0", destination: hub, direction: "out", link: 2 } as const;
    await scene.hands.xfrm.write([putPolicy({ ...theirs, priority: 10 })], never);
    await scene.links(...scene.kernel.links);
    expect(scene.ways()).toEqual([2, 3]);
    expect((await scene.told()).blocked).toBe(false);
  });

  it("is put again by what loads the blocks", async () => {
    const scene = new Scene(port, secy(3, 1));
    await scene.carry(back("p1"), block);
    scene.kernel.policies = [];
    await scene.carry(block);
    expect([scene.ways(), (await scene.told()).blocked]).toEqual([[3], true]);
  });

  it("on a disk that makes no sense passes nowhere, which is told", async () => {
    const scene = new Scene(port, secy(3, 1));
    for (const text of ["{", "[]", '{"prefixes":[{"prefix":"x","ports":[]}]}']) {
      await settled(scene.clock, scene.disk.replace("backing", new TextEncoder().encode(text)));
      expect((await scene.told()).open).toEqual([]);
    }
    expect(scene.logged).toHaveLength(3);
  });
});

describe("the part of it", () => {
  it("comes back from the disk as it was, and tells what it does", () => {
    for (const part of [back("p1", "p2"), back()]) {
      expect(readPart(JSON.parse(JSON.stringify(part)))).toEqual(part);
    }
    expect(previewOf(back("p1", "p2"))).toEqual([
      `+ pass ${hub} under the MACsec of p1, p2, while it is tight`,
    ]);
    expect(previewOf(back())).toEqual([`- pass ${hub} under the MACsec of ports`]);
  });

  it.each([
    { kind: "ipsec.back" },
    { kind: "ipsec.back", backings: [{ prefix: hub }] },
    { kind: "ipsec.back", backings: [{ prefix: "0.0.0.0/0", ports: ["p1"] }] },
    { kind: "ipsec.back", backings: [{ prefix: "2001:db8::/32", ports: ["p1"] }] },
  ])("is refused as %j", (part) => {
    expect(() => readPart(part)).toThrow(Malformed);
  });
});
