// Exempt prefixes of tunnels may also leave under the MACsec of ports: past the block by a strict,
// encrypting SecY alone, whatever comes and goes in whatever order.

import { describe, expect, it } from "vitest";
import {
  exemptPrefixStates,
  readExemptPrefixes,
  waysUnderMacsec,
} from "#drivers/linux/net/exempt-prefixes.ts";
import { blockedAmong } from "#drivers/linux/net/guard.ts";
import { previewOf, readOperation } from "#drivers/linux/net/operation.ts";
import {
  applyTunnelOperation,
  restoreExemptPrefixes,
  type TunnelContext,
  undoOfTunnelOperation,
} from "#drivers/linux/net/tunnel-applier.ts";
import type { TunnelOperation } from "#drivers/linux/net/tunnel-operation.ts";
import type { Link } from "#drivers/linux/netlink/rtnetlink-link.ts";
import { putPolicy } from "#drivers/linux/netlink/xfrm.ts";
import { Malformed } from "#hal/decoder.ts";
import { SimClock } from "#sim/base/clock.ts";
import { SimDisk } from "#sim/base/disk.ts";
import { Prng } from "#sim/base/prng.ts";
import { never, settled, wallStart } from "../../../kit/site-bench.ts";
import { TunnelKernel } from "../../../kit/tunnel-kernel.ts";

const hub = "10.100.0.0/16";
const block: TunnelOperation = { kind: "ipsec.block", prefixes: [hub] };
const back = (...ports: readonly string[]): TunnelOperation => ({
  kind: "ipsec.back",
  backings: [{ prefix: hub, ports }],
});
const carry: TunnelOperation = {
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
  readonly context: TunnelContext = {
    routes: this.kernel.socket("route"),
    xfrm: this.kernel.socket("xfrm"),
    disk: this.disk,
    bootId: "boot-1",
    log: { write: (_level, code) => void this.logged.push(code) },
  };

  constructor(...links: readonly Link[]) {
    this.kernel.links = [...links];
  }

  carry(...operations: readonly TunnelOperation[]): Promise<void> {
    const all = async (): Promise<void> => {
      for (const operation of operations)
        await applyTunnelOperation(operation, this.context, never);
    };
    return settled(this.clock, all());
  }

  undo(operation: TunnelOperation): Promise<TunnelOperation | undefined> {
    return settled(this.clock, undoOfTunnelOperation(operation, this.context, never));
  }

  /** Does what linkseal-net does when the kernel reports a change. */
  async links(...links: readonly Link[]): Promise<void> {
    this.kernel.links = [...links];
    await settled(this.clock, restoreExemptPrefixes(this.context, never));
  }

  /** The links that the prefix leaves by past its block. */
  ways(): readonly number[] {
    return this.kernel.policies
      .filter(({ action, direction }) => action === "allow" && direction === "out")
      .map(({ selector }) => selector.link)
      .toSorted((a, b) => a - b);
  }

  /** The links whose inbound packets are exempt from the block. */
  passed(): readonly number[] {
    return this.kernel.links.flatMap(({ index, perFamily }) =>
      perFamily?.inet?.settings?.disablePolicy === 1 ? index : [],
    );
  }

  async reported() {
    const { policies, links } = this.kernel;
    const stored = await settled(this.clock, readExemptPrefixes(this.disk, this.context.log));
    const ways = waysUnderMacsec(stored, links);
    return {
      blocked: blockedAmong([hub], policies, links, ways).length === 1,
      open: exemptPrefixStates(stored, policies, links).flatMap(({ open }) => open),
    };
  }
}

describe("a prefix that tunnels protect as the backup of ports", () => {
  it("an exempt prefix passes by the SecY and VLANs on it alone", async () => {
    const scene = new Scene(port, secy(3, 1), vlan(4, 3), other, secy(5, 2), vlan(6, 1));
    await scene.carry(back("p1"), block);
    expect([scene.ways(), scene.passed()]).toEqual([
      [3, 4],
      [3, 4],
    ]);
    expect(await scene.reported()).toEqual({ blocked: true, open: ["p1"] });
  });

  it("an exempt prefix is exempt before it is blocked, so its traffic goes on", async () => {
    const scene = new Scene(port, secy(3, 1));
    await scene.carry(back("p1"), block);
    const actions = scene.kernel.policies.map(({ action }) => action);
    expect(actions).toEqual(["allow", "block", "block", "block"]);
  });

  it("an exempt prefix passes by a SecY that is made later, and by none that is gone", async () => {
    const scene = new Scene(port);
    await scene.carry(back("p1"), block);
    expect([scene.ways(), await scene.reported()]).toEqual([[], { blocked: true, open: [] }]);
    await scene.links(port, secy(7, 1));
    expect([scene.ways(), scene.passed()]).toEqual([[7], [7]]);
    await scene.links(port);
    expect([scene.ways(), await scene.reported()]).toEqual([[], { blocked: true, open: [] }]);
    await scene.links(port, secy(8, 1), vlan(9, 8));
    expect([scene.ways(), scene.passed()]).toEqual([
      [8, 9],
      [8, 9],
    ]);
  });

  it("an exempt prefix goes on under one port's MACsec when another's is gone", async () => {
    const scene = new Scene(port, secy(3, 1), other, secy(5, 2));
    await scene.carry(back("p1", "p2"), block);
    await scene.links(...scene.kernel.links.filter(({ index }) => index !== 3));
    expect([scene.ways(), scene.passed()]).toEqual([[5], [5]]);
    expect(await scene.reported()).toEqual({ blocked: true, open: ["p2"] });
  });

  it("an exempt prefix never passes by the port itself or a SecY that fails open", async () => {
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

  it("an exempt prefix stays exempt, and blocked, when its tunnel is undone", async () => {
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

  it("an exempt prefix that is given back to tunnels is blocked on ports", async () => {
    const scene = new Scene(port, secy(3, 1), other, secy(5, 2));
    await scene.carry(back("p1", "p2"), block, carry);
    await scene.carry(back());
    const [tunnel] = scene.kernel.links.filter(({ name }) => name === "hub-1");
    expect([scene.ways(), scene.passed()]).toEqual([[tunnel?.index], []]);
    expect(await scene.undo(back())).toBeUndefined();
  });

  it("a prefix that is no longer blocked is no longer exempt", async () => {
    const scene = new Scene(port, secy(3, 1));
    await scene.carry(back("p1"), block, { kind: "ipsec.unblock", prefixes: [hub] });
    expect([scene.kernel.policies, scene.passed()]).toEqual([[], []]);
    await scene.links(port, secy(3, 1));
    expect(scene.kernel.policies).toEqual([]);
  });

  it("a foreign policy that lets the prefix pass is left alone, and shown as open", async () => {
    const scene = new Scene(port, secy(3, 1), other);
    const theirs = { source: "0.0.0.0/0", destination: hub, direction: "out", link: 2 } as const;
    await scene.context.xfrm.write([putPolicy({ ...theirs, priority: 0 })], never);
    await scene.carry(back("p1"), block);
    await scene.links(...scene.kernel.links);
    expect(scene.ways()).toEqual([2, 3]);
    expect((await scene.reported()).blocked).toBe(false);
  });

  it("exempt prefixes are restored by the command that restores the blocks", async () => {
    const scene = new Scene(port, secy(3, 1));
    await scene.carry(back("p1"), block);
    scene.kernel.policies = [];
    await scene.carry(block);
    expect([scene.ways(), (await scene.reported()).blocked]).toEqual([[3], true]);
  });

  it("exempt prefixes in an unreadable file pass nowhere, and this is logged", async () => {
    const scene = new Scene(port, secy(3, 1));
    for (const text of ["{", "[]", '{"prefixes":[{"prefix":"x","ports":[]}]}']) {
      await settled(scene.clock, scene.disk.replace("backing", new TextEncoder().encode(text)));
      expect((await scene.reported()).open).toEqual([]);
    }
    expect(scene.logged).toHaveLength(3);
  });
});

describe("the operation of exempt prefixes", () => {
  it("an operation of exempt prefixes is read back unchanged, and has a preview", () => {
    for (const operation of [back("p1", "p2"), back()]) {
      expect(readOperation(JSON.parse(JSON.stringify(operation)))).toEqual(operation);
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
  ])("the malformed operation %j is refused", (operation) => {
    expect(() => readOperation(operation)).toThrow(Malformed);
  });
});
