// Events beside a rotation: drains by hand, drift, a newer intent.

import { describe, expect, it } from "vitest";
import { group, Pair } from "../unit/kit/rotate-kit.ts";
import { never, settled } from "../unit/kit/site-bench.ts";

const manual = (text: string): string => text.replace("farEnd: agent", "farEnd: manual");

describe("a drain by hand", () => {
  const primary = `${group}/primary`;
  const by = async (pair: Pair, act: "drain" | "undrain"): Promise<void> => {
    const { commands } = pair.agent;
    const done: Promise<unknown> =
      act === "drain" ? commands.drain(primary, "test", never) : commands.undrain(primary, never);
    await settled(pair.site.clock, done);
  };

  it("a drain by hand lasts until it is undone, and delays campaigns", async () => {
    const pair = await Pair.adopted({ overlap: "keychain" });
    await by(pair, "drain");
    await pair.run(120_000);
    expect(pair.drained()).toEqual([true, false]);
    pair.newKeys();
    await expect(pair.rotate()).rejects.toThrow("drained by hand");
    await by(pair, "undrain");
    await pair.run(30_000);
    expect(pair.drained()).toEqual([false, false]);
    await pair.rotate();
    await pair.reach("secondary done");
    expect(pair.violations()).toEqual([]);
  });

  it("a drain by hand ends by itself when the sibling fails", async () => {
    const pair = await Pair.adopted({ overlap: "keychain" });
    await by(pair, "drain");
    await pair.run(60_000);
    pair.link("secondary").fibre.setUp(false);
    await pair.run(60_000);
    expect(pair.drained()).toEqual([false, false]);
    expect(pair.agent.memory.drains).toEqual({});
    expect(pair.violations()).toEqual([]);
  });

  it("a drain that linkseal does not know is reported, and undone only on request", async () => {
    const pair = await Pair.adopted({ overlap: "keychain" });
    pair.link("primary").router.manualEdit((config) => {
      const port = config.ports.get(pair.link("primary").port);
      if (port !== undefined) port.drain = "prepend";
    });
    await pair.run(120_000);
    expect(pair.drained()).toEqual([true, false]);
    const { warnings } = pair.agent.status();
    expect(warnings.find(({ code }) => code === "drained-by-hand")?.text).toContain("no reason");
    await by(pair, "undrain");
    await pair.run(30_000);
    expect(pair.drained()).toEqual([false, false]);
  });

  it("a drain of the sibling is undone while a campaign waits for it", async () => {
    const pair = await Pair.adopted({ overlap: "keychain" });
    pair.newKeys();
    await pair.rotate();
    pair.link("secondary").router.manualEdit((config) => {
      const port = config.ports.get(pair.link("secondary").port);
      if (port !== undefined) port.drain = "prepend";
    });
    await pair.run(60_000);
    expect(pair.state()).toBe("primary gated");
    const { commands } = pair.agent;
    await expect(settled(pair.site.clock, commands.undrain(primary, never))).rejects.toThrow(
      "runs",
    );
    await settled(pair.site.clock, commands.undrain(`${group}/secondary`, never));
    await pair.reach("secondary done");
    expect(pair.violations()).toEqual([]);
  });

  it("a drain beside a sibling that does not carry is refused", async () => {
    const pair = await Pair.adopted({ overlap: "keychain" });
    pair.link("secondary").fibre.setUp(false);
    await pair.run(60_000);
    await expect(by(pair, "drain")).rejects.toThrow("secondary is not carrying");
  });
});

// Regression: the far end and the router could never agree, so the new key was tried, not proven,
// and removed again.
describe("a port whose settings have drifted", () => {
  it("a port whose settings have drifted is not rotated until they are as accepted", async () => {
    const pair = await Pair.adopted({ overlap: "keychain" });
    const include = (includeSci: boolean): void =>
      pair.link("primary").router.manualEdit((config) => {
        const port = config.ports.get(pair.link("primary").port);
        if (port?.macsec !== undefined) port.macsec = { ...port.macsec, includeSci };
      });
    const { includeSci } = pair.agent.memory.bindings[`${group}/primary`]?.settings ?? {};
    include(includeSci !== true);
    pair.newKeys();
    await pair.rotate();
    await pair.run(60_000);
    expect(pair.state()).toBe("primary gated");
    const { reason } = pair.campaign();
    expect(reason.code).toBe("gated.closed");
    expect(["bgp.down", "port.drifted"]).toContain("cause" in reason && reason.cause.code);
    include(includeSci === true);
    await pair.reach("secondary done");
    expect(pair.outcomes()).toEqual(["rotated", "rotated"]);
    expect(pair.violations()).toEqual([]);
  });
});

describe("a command that was given before", () => {
  it("A5: the second proceed writes nothing, and is nothing to do", async () => {
    const pair = await Pair.adopted({ overlap: "keychain", edit: manual });
    pair.newKeys();
    await pair.rotate();
    await pair.reach("primary awaitingPeer");
    const { commands } = pair.agent;
    const proceed = { verb: "proceed", farEndDone: false } as const;
    const twice = [1, 2].map(() => commands.rotation(proceed, group, "test"));
    const given = await settled(pair.site.clock, Promise.all(twice));
    expect(given.map(({ isNew }) => isNew)).toEqual([true, false]);
    expect(given[1]?.campaign).toEqual(given[0]?.campaign);
  });
});

// Regression: the rotation was taken for the change of settings that the newer intent wants.
describe("a rotation that runs before the change of a newer intent", () => {
  it("a rotation that runs first leaves the change of a newer intent to be made", async () => {
    const pair = await Pair.adopted({ overlap: "keychain" });
    pair.newKeys();
    await pair.rotate();
    await pair.reach("primary staged");
    const text = pair.config().replaceAll("macsec: { ", "macsec: { includeSci: false, ");
    const request = { text, file: "newer.yaml", who: "test", queue: true };
    await settled(pair.site.clock, pair.agent.apply(request, never));
    await pair.reach("secondary done");
    expect(pair.outcomes()).toEqual(["rotated", "rotated"]);
    await pair.run(1_200_000);
    expect(pair.campaign().kind).toBe("change");
    expect(pair.outcomes()).toEqual(["changed", "changed"]);
    expect(pair.violations()).toEqual([]);
  });
});
