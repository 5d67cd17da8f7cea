// A router that carries out a request that the agent no longer awaits: a drain or a shutdown that
// comes minutes after the agent gave up the reply.

import { describe, expect, it } from "vitest";
import type { LinksealEvent } from "#agent/model/events.ts";
import { group, Pair } from "../unit/kit/rotate-kit.ts";
import { never, settled } from "../unit/kit/site-bench.ts";

const primary = `${group}/primary`;
/** Sets a deadline that leaves time for one missing reply. */
const patient = (text: string): string =>
  text.replace("verify: 20s", "verify: 90s").replace("confirm: 60s", "confirm: 5m");
const hard = (text: string): string =>
  patient(text)
    .replace("drain: prepend", "drain: peeringShutdown")
    .replace("acceptRisks:", "acceptRisks:\n  - { risk: hardDrain, until: 2027-11-24 }");

class LatePair extends Pair {
  static override async adopted(options: Parameters<typeof Pair.adopted>[0]): Promise<LatePair> {
    return Object.setPrototypeOf(await Pair.adopted(options), LatePair.prototype);
  }

  /**
   * Runs a rotation whose first final change on the primary link is carried out that many ms after
   * its request.
   */
  async rotateLate(ms: number, target = primary): Promise<void> {
    this.newKeys();
    const { router } = this.link("primary");
    router.lateFinalMs = { low: ms, high: ms };
    router.setFault("finalsLate", true);
    const asked = { by: "test", risks: [], urgency: "planned" } as const;
    await settled(this.site.clock, this.agent.commands.rotate(target, asked, never));
    await this.reach("primary draining");
    // The router has the request in its queue and does not answer for half a minute.
    await this.run(10_000);
    router.setFault("finalsLate", false);
  }

  late() {
    return this.agent.memory.late[primary] ?? [];
  }

  events(code: string): readonly LinksealEvent[] {
    return this.agent.events.after(0).events.filter((event) => event.code === code);
  }

  /** An operator drains a link on its router. */
  drainThere(name: "primary" | "secondary"): void {
    const link = this.link(name);
    link.router.manualEdit((config) => {
      const port = config.ports.get(link.port);
      if (port !== undefined) port.drain = "peeringShutdown";
    });
  }
}

const seconds = (value: number): number => value * 1000;

describe("a late drain of our own", () => {
  // Regression: a first drain had no answer, a second drain and the rotation were done, and minutes
  // later the router carried out the first drain. The agent took it for an operator's drain and
  // never undid it; when the sibling then failed, both links were out for 405 s.
  it("a late drain is undone once it is observed, and then the sibling may fail", async () => {
    const pair = await LatePair.adopted({ overlap: "keychain", edit: hard });
    const start = pair.site.clock.now();
    await pair.rotateLate(seconds(680));
    await pair.reach("primary done");
    expect(pair.outcomes()).toEqual(["rotated"]);
    expect(pair.site.clock.now() - start).toBeLessThan(seconds(600));
    expect(pair.drained()).toEqual([false, false]);
    await pair.run(seconds(700), () => pair.drained()[0] === true);
    expect(pair.site.clock.now() - start).toBeGreaterThan(seconds(680));
    expect(await pair.run(seconds(15), () => pair.drained()[0] === false)).toBe(true);
    await pair.run(seconds(2));
    expect(pair.events("drain-given-back")).toMatchObject([
      {
        ...{ about: primary, severity: "warning" },
        text: expect.stringContaining("linkseal sent a drain at 2026-11-24T"),
      },
    ]);
    expect(pair.late()).toEqual([]);
    await pair.run(seconds(825) - (pair.site.clock.now() - start));
    pair.link("secondary").fibre.setUp(false);
    await pair.run(seconds(10));
    expect(pair.carrying()).toEqual([true, false]);
    expect(pair.drained()).toEqual([false, false]);
    expect(pair.violations()).toEqual([]);
  });

  it("a late drain is undone by the next process too", async () => {
    const pair = await LatePair.adopted({ overlap: "keychain", edit: hard });
    await pair.rotateLate(seconds(400));
    await pair.reach("primary done");
    await pair.end();
    await pair.run(seconds(500), () => pair.drained()[0] === true);
    expect(pair.drained()).toEqual([true, false]);
    await pair.live();
    expect(await pair.run(seconds(30), () => pair.drained()[0] === false)).toBe(true);
    expect(pair.violations()).toEqual([]);
  });

  it("a late drain may hit the first link, and the second link waits for it", async () => {
    const pair = await LatePair.adopted({ overlap: "keychain", edit: hard });
    await pair.rotateLate(seconds(600), group);
    await pair.reach("secondary gated");
    await pair.run(seconds(20));
    expect(pair.campaign().reason).toMatchObject({
      code: "gated.closed",
      cause: {
        ...{ code: "gate.siblingUnhealthy", sibling: "primary" },
        cause: { code: "sibling.lateChange", what: "drain" },
      },
    });
    await pair.run(seconds(600), () => pair.drained()[0] === true);
    expect(pair.drained()).toEqual([true, false]);
    await pair.reach("secondary done");
    expect(pair.outcomes()).toEqual(["rotated", "rotated"]);
    expect(pair.violations()).toEqual([]);
  });

  it("a drain that never comes delays the second link by twenty minutes at most", async () => {
    const pair = await LatePair.adopted({ overlap: "keychain", edit: patient });
    await pair.rotateLate(seconds(86_400), group);
    await pair.reach("secondary gated");
    expect(await pair.run(seconds(900), () => pair.state() !== "secondary gated")).toBe(false);
    expect(await pair.run(seconds(360), () => pair.state() !== "secondary gated")).toBe(true);
    await pair.reach("secondary done");
    expect(pair.violations()).toEqual([]);
  });

  it("a late drain counts as the operator's if they have drained the link meanwhile", async () => {
    const pair = await LatePair.adopted({ overlap: "keychain", edit: patient });
    await pair.rotateLate(seconds(400));
    await pair.reach("primary done");
    await settled(pair.site.clock, pair.agent.commands.drain(primary, "nora", never));
    await pair.run(seconds(600));
    expect(pair.drained()).toEqual([true, false]);
    expect(pair.events("drain-given-back")).toEqual([]);
    await settled(pair.site.clock, pair.agent.commands.undrain(primary, never));
    await pair.run(seconds(30));
    expect(pair.drained()).toEqual([false, false]);
  });

  it("an operator's late drain is theirs, and is undone after their undrain", async () => {
    const pair = await LatePair.adopted({ overlap: "keychain", edit: patient });
    const { router } = pair.link("primary");
    router.lateFinalMs = { low: seconds(200), high: seconds(200) };
    router.setFault("finalsLate", true);
    const asked = pair.agent.commands.drain(primary, "nora", never);
    await expect(settled(pair.site.clock, asked)).rejects.toThrow("may or may not be in force");
    router.setFault("finalsLate", false);
    await settled(pair.site.clock, pair.agent.commands.undrain(primary, never));
    await pair.run(seconds(300), () => pair.drained()[0] === true);
    expect(await pair.run(seconds(15), () => pair.drained()[0] === false)).toBe(true);
    await pair.run(seconds(2));
    expect(pair.events("drain-given-back")).toHaveLength(1);
  });
});

describe("a drain that an operator made on the router", () => {
  it("an operator's drain stays while the sibling carries, and ends when that fails", async () => {
    const pair = await LatePair.adopted({ overlap: "keychain", edit: hard });
    pair.drainThere("primary");
    await pair.run(seconds(120));
    expect(pair.drained()).toEqual([true, false]);
    pair.link("secondary").fibre.setUp(false);
    expect(await pair.run(seconds(15), () => pair.drained()[0] === false)).toBe(true);
    await pair.run(seconds(10));
    expect(pair.carrying()).toEqual([true, false]);
    expect(pair.events("drain-given-back")).toMatchObject([
      { text: expect.stringMatching(/which was moved away on the router: secondary is not carry/) },
    ]);
    pair.link("secondary").fibre.setUp(true);
    await pair.run(seconds(120));
    expect(pair.drained()).toEqual([false, false]);
    expect(pair.events("drain-given-back")).toHaveLength(1);
  });

  it("a drain of a shut port stays, even when the sibling fails", async () => {
    const pair = await LatePair.adopted({ overlap: "keychain", edit: hard });
    const { router, port } = pair.link("primary");
    pair.drainThere("primary");
    router.manualEdit((config) => {
      const typed = config.ports.get(port);
      if (typed !== undefined) typed.admin = "down";
    });
    pair.link("secondary").fibre.setUp(false);
    await pair.run(seconds(120));
    expect(pair.drained()).toEqual([true, false]);
    expect(router.configured(port)?.admin).toBe("down");
    expect(pair.events("drain-given-back")).toEqual([]);
  });

  it("a drain of the sibling ends when the link of the campaign fails", async () => {
    const pair = await LatePair.adopted({ overlap: "keychain", edit: hard });
    pair.newKeys();
    pair.link("primary").msee.setFault("slow", true);
    await pair.rotate();
    await pair.reach("primary switching");
    pair.link("primary").fibre.setUp(false);
    pair.drainThere("secondary");
    expect(await pair.run(seconds(15), () => pair.drained()[1] === false)).toBe(true);
    await pair.run(seconds(10));
    expect(pair.carrying()).toEqual([false, true]);
    expect(pair.events("drain-given-back")).toMatchObject([{ about: `${group}/secondary` }]);
  });
});

describe("a port that a router shuts late", () => {
  it("a port that is shut late is opened again, during its link's turn and after it", async () => {
    const quirk = (text: string): string =>
      patient(text).replaceAll(
        "    driver: sim",
        "    driver: sim\n    quirks: [shutBeforeKeyChange]",
      );
    const pair = await LatePair.adopted({ overlap: "keychain", edit: quirk });
    pair.newKeys();
    const asked = { by: "test", risks: [], urgency: "planned" } as const;
    await settled(pair.site.clock, pair.agent.commands.rotate(primary, asked, never));
    await pair.reach("primary staging");
    const { router, port } = pair.link("primary");
    router.lateFinalMs = { low: seconds(400), high: seconds(400) };
    router.setFault("finalsLate", true);
    await pair.run(seconds(10));
    router.setFault("finalsLate", false);
    await pair.reach("primary done");
    expect(pair.outcomes()).toEqual(["rotated"]);
    const isShut = (): boolean => router.configured(port)?.admin === "down";
    expect(await pair.run(seconds(400), isShut)).toBe(true);
    expect(await pair.run(seconds(15), () => !isShut())).toBe(true);
    await pair.run(seconds(30));
    expect(pair.carrying()).toEqual([true, true]);
    expect(pair.violations()).toEqual([]);
  });
});
