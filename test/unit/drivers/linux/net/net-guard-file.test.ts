// The file of blocked prefixes when it is damaged, and the release of one prefix.

import { describe, expect, it } from "vitest";
import { readGuard } from "#drivers/linux/net/guard-file.ts";
import { releasePrefix } from "#drivers/linux/net/guard-release.ts";
import {
  applyTunnelOperation,
  type TunnelContext,
  undoOfTunnelOperation,
} from "#drivers/linux/net/tunnel-applier.ts";
import type { TunnelOperation } from "#drivers/linux/net/tunnel-operation.ts";
import { SimClock } from "#sim/base/clock.ts";
import { SimDisk } from "#sim/base/disk.ts";
import { Prng } from "#sim/base/prng.ts";
import { never, settled, wallStart } from "../../../kit/site-bench.ts";
import { TunnelKernel } from "../../../kit/tunnel-kernel.ts";

const hub = "10.100.0.0/16";
const block: TunnelOperation = { kind: "ipsec.block", prefixes: [hub] };
const link = { name: "hub-1", ifId: 42, mtu: 1400, prefixes: [hub] };

class Scene {
  readonly clock = new SimClock(wallStart);
  readonly disk = new SimDisk({ clock: this.clock, prng: new Prng("guard"), writeMs: 0 });
  context: TunnelContext = this.#contextOf(new TunnelKernel());

  #contextOf(kernel: TunnelKernel): TunnelContext {
    return {
      ...{ routes: kernel.socket("route"), xfrm: kernel.socket("xfrm") },
      ...{ disk: this.disk, bootId: "boot-1", log: { write: () => undefined } },
    };
  }

  /** Another network namespace, or the same one after a boot. */
  elsewhere(): void {
    this.context = this.#contextOf(new TunnelKernel());
  }

  run<T>(work: Promise<T>): Promise<T> {
    return settled(this.clock, work);
  }

  carry(operation: TunnelOperation): Promise<void> {
    return this.run(applyTunnelOperation(operation, this.context, never));
  }

  release(prefix: string): Promise<string> {
    return this.run(releasePrefix(prefix, this.context, never));
  }

  read(): ReturnType<typeof readGuard> {
    return this.run(readGuard(this.disk, this.context.log));
  }
}

describe("a damaged file of blocked prefixes", () => {
  it.each([
    ["a changed digit", (text: string) => text.replace("10.100", "10.101")],
    ["half of it", (text: string) => text.slice(0, text.length / 2)],
    ["nothing", () => ""],
    ["another document", () => "null"],
  ])("is noticed, and opens no prefix of a tunnel: %s", async (_, harm) => {
    const scene = new Scene();
    await scene.carry(block);
    await scene.carry({ kind: "ipsec.carry", link });
    const text = new TextDecoder().decode(await scene.run(scene.disk.read("guard")));
    await scene.run(scene.disk.replace("guard", new TextEncoder().encode(harm(text))));
    const { state, prefixes } = await scene.read();
    expect(state).toBe("damaged");
    expect(prefixes).toContain(hub);
    // The next block of the agent makes it whole again.
    const undo = () => scene.run(undoOfTunnelOperation(block, scene.context, never));
    expect(await undo()).toBeDefined();
    await scene.carry(block);
    const mended = await scene.read();
    expect(mended.state).toBe("whole");
    expect(mended.prefixes).toContain(hub);
    expect(await undo()).toBeUndefined();
  });
});

describe("the release of a prefix", () => {
  // It printed "1 prefixes are no longer blocked" for each of these, with exit status 0.
  it("a prefix that is not blocked by itself is not reported as released", async () => {
    const scene = new Scene();
    await scene.carry(block);
    await expect(scene.release("10.100.1.0/24")).rejects.toMatchObject({
      ...{ code: "usage", effect: "none", next: `linkseal guard --release ${hub}` },
      message: expect.stringContaining(`what blocks packets of it is ${hub}`),
    });
    await expect(scene.release("10.99.0.0/16")).rejects.toMatchObject({ code: "usage" });
    await expect(scene.release("everything")).rejects.toMatchObject({ code: "usage" });
    expect((await scene.read()).prefixes).toEqual([hub]);
    expect(await scene.release(hub)).toBe(`${hub} is no longer blocked`);
    await expect(scene.release(hub)).rejects.toMatchObject({ code: "usage" });
  });

  it("a prefix within another blocked one is reported as blocked still", async () => {
    const scene = new Scene();
    await scene.carry({ kind: "ipsec.block", prefixes: [hub, "10.100.1.0/24"] });
    const text = await scene.release("10.100.1.0/24");
    expect(text).toContain(`packets of it are still blocked as ${hub}`);
  });

  it("a prefix that another network namespace blocks is not reported as open there", async () => {
    const scene = new Scene();
    await scene.carry(block);
    scene.elsewhere();
    expect(await scene.release(hub)).toContain("was not blocked here");
  });
});
