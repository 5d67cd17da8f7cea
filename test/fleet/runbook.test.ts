// The steps of docs/held.md for a stopped campaign work as described.

import { describe, expect, it } from "vitest";
import type { Cause, Reason } from "#agent/model/reason.ts";
import type { KeyRef } from "#hal/model.ts";
import type { PortConfig } from "#sim/router/router-config.ts";
import type { Overlap } from "#sim/site/site-plan.ts";
import { Pair } from "../unit/kit/rotate-kit.ts";

const manual = (text: string): string => text.replace("farEnd: agent", "farEnd: manual");

class Case {
  readonly pair: Pair;

  private constructor(pair: Pair) {
    this.pair = pair;
  }

  static async begun(
    overlap: Overlap,
    state: string,
    edit: (text: string) => string = (text) => text,
  ): Promise<Case> {
    const pair = await Pair.adopted({ overlap, edit });
    pair.newKeys();
    await pair.rotate();
    const asked = edit === manual && !["awaitingPeer", "queued"].includes(state);
    if (asked) {
      await pair.reach("primary awaitingPeer");
      await pair.say("proceed");
    }
    await pair.reach(`primary ${state}`);
    return new Case(pair);
  }

  key(which: "old" | "new"): KeyRef {
    const key = this.pair.campaign().links[0]?.[which]?.key;
    if (key === undefined) throw new Error(`the campaign has no ${which} key`);
    return key;
  }

  /** Does the operator's work at the portal, until the operation has ended. */
  async pointFarEnd(which: "old" | "new"): Promise<void> {
    const link = this.pair.link("primary");
    link.msee.manualEdit(link.azureLink, { key: this.key(which) });
    await this.pair.run(90_000);
  }

  onRouter(edit: (port: PortConfig) => void): void {
    const link = this.pair.link("primary");
    link.router.manualEdit((config) => {
      const port = config.ports.get(link.port);
      if (port !== undefined) edit(port);
    });
  }

  removeFromRouter(which: "old" | "new"): void {
    const { ckn } = this.key(which);
    this.onRouter((port) => {
      port.keys = port.keys.filter((key) => key.ckn !== ckn);
    });
  }

  /** The operator does not come at once; the sibling carries the traffic meanwhile. */
  async held(row: Reason["code"], cause?: Cause["code"]): Promise<void> {
    const { pair } = this;
    await pair.reach("primary held");
    await pair.run(120_000);
    const { reason } = pair.campaign();
    const found = "cause" in reason ? reason.cause.code : undefined;
    const stays = pair.state() === "primary held" && pair.carrying()[1] === true;
    const isMeant = reason.code === row && (cause === undefined || found === cause);
    if (!stays || !isMeant) throw new Error(`${pair.state()}: ${JSON.stringify(reason)}`);
  }

  async ends(verb: "resume" | "revert"): Promise<Ending> {
    const { pair } = this;
    await pair.say(verb);
    const ended = (): boolean => pair.outcomes()[0] !== undefined;
    await pair.run(1_200_000, () => ended() && pair.carrying()[0] === true);
    const [outcome] = pair.outcomes();
    return { outcome, carrying: pair.carrying(), violations: pair.violations() };
  }
}

interface Ending {
  readonly outcome: string | undefined;
  readonly carrying: readonly boolean[];
  readonly violations: readonly string[];
}

const wellDone = (outcome: "rotated" | "reverted"): Ending => ({
  outcome,
  carrying: [true, true],
  violations: [],
});

describe("the runbook's way out of a stopped campaign", () => {
  it("a far end that failed: revert ends reverted", async () => {
    const at = await Case.begun("keychain", "staged");
    const { msee } = at.pair.link("primary");
    msee.setFault("fails", true);
    await at.held("switching.farFailed", "farEnd.failed");
    msee.setFault("fails", false);
    expect(await at.ends("revert")).toEqual(wellDone("reverted"));
  });

  it("a far end that failed: the same document again and resume end rotated", async () => {
    const at = await Case.begun("keychain", "staged");
    const { msee } = at.pair.link("primary");
    msee.setFault("fails", true);
    await at.held("switching.farFailed", "farEnd.failed");
    msee.setFault("fails", false);
    await at.pointFarEnd("new");
    expect(await at.ends("resume")).toEqual(wellDone("rotated"));
  });

  it("an old key removed by hand: the new pair at the far end and resume end rotated", async () => {
    const at = await Case.begun("keychain", "staged");
    at.removeFromRouter("old");
    await at.held("staged.strange", "port.oldKeyGone");
    await at.pointFarEnd("new");
    expect(await at.ends("resume")).toEqual(wellDone("rotated"));
  });

  it("a new key removed by hand: resume ends rotated", async () => {
    const at = await Case.begun("keychain", "proving");
    at.removeFromRouter("new");
    await at.held("proving.newKeyGone");
    expect(await at.ends("resume")).toEqual(wellDone("rotated"));
  });

  it("no proof: the old pair at the far end and revert end reverted", async () => {
    const at = await Case.begun("keychain", "switching", manual);
    const { farPort, far, msee, azureLink } = at.pair.link("primary");
    msee.manualEdit(azureLink, { key: at.key("new") });
    await at.pair.run(90_000, () => far.keys().length === 0);
    farPort.setTwist("cak", true);
    await at.held("proving.lateHeld");
    farPort.setTwist("cak", false);
    await at.pointFarEnd("old");
    expect(await at.ends("revert")).toEqual(wellDone("reverted"));
  });

  it("a router with one key that was changed back by hand: resume ends rotated", async () => {
    const at = await Case.begun("none", "switching", manual);
    const { msee, azureLink } = at.pair.link("primary");
    msee.manualEdit(azureLink, { key: at.key("new") });
    await at.pair.reach("primary proving");
    msee.manualEdit(azureLink, { key: at.key("old") });
    await at.held("proving.farBackBroken");
    expect(await at.ends("resume")).toEqual(wellDone("reverted"));
  });

  it("a third pair at the far end: the right pair there and resume end rotated", async () => {
    const at = await Case.begun("keychain", "awaitingPeer", manual);
    const { msee, azureLink } = at.pair.link("primary");
    const third = at.pair.site.vault.generatePair(at.pair.link("primary").key, "gcm-aes-xpn-256");
    msee.manualEdit(azureLink, { key: third });
    await at.held("awaitingPeer.farOther");
    await at.pointFarEnd("new");
    expect(await at.ends("resume")).toEqual(wellDone("rotated"));
  });
});

describe("after abandon with both keys on the router", () => {
  it("an abandoned campaign with both keys on the router: rotate uses the same pair", async () => {
    const at = await Case.begun("keychain", "awaitingPeer", manual);
    await at.pair.run(30_000);
    const before = at.key("new");
    await at.pair.say("abandon");
    await at.pair.rotate();
    await at.pair.reach("primary awaitingPeer");
    expect(at.key("new")).toEqual(before);
    expect(at.pair.keysOn("primary")).toHaveLength(2);
    expect(at.pair.violations()).toEqual([]);
  });
});
