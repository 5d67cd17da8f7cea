// A newer pre-shared key that the agent writes to the gateway: first to the gateway, then to the
// router, proven, and withdrawn from both ends if the proof fails.

import { describe, expect, it } from "vitest";
import type { DesiredTunnel } from "#agent/model/desired.ts";
import { nextForRight } from "#agent/model/reason-text.ts";
import { emptyMemory } from "#agent/store/journal/memory.ts";
import { foundAuth } from "../../../kit/finder-kit.ts";
import { sharedKeyRight } from "../../../kit/rights-kit.ts";
import { refused } from "../../../kit/site-bench.ts";
import { desired as site, wall } from "../../../kit/snapshot-kit.ts";
import { failure, id, psk, Scene, version } from "./tunnel-change-kit.ts";

const told = { code: "recorded", text: "as it was" } as const;
const agents = { kind: "psk", secret: "hub-1-psk", farEnd: "agent" } as const;

/** After this time, no write of a predecessor can still land. */
const graceMs = 90_000;

/** A scene in which gateway and router both have the version in use. */
function scene(groups: typeof site.groups = site.groups): Scene {
  const made = new Scene(agents, groups);
  made.gateway = id(1);
  return made;
}

const codes = (made: Scene): readonly string[] =>
  foundAuth(made.memory, made.tunnel).map(({ code, next }) => `${code}: ${next}`);

describe("a newer pre-shared key that the agent gives to the gateway", () => {
  it("a newer key is written to gateway and router, proven, and then in use", async () => {
    const made = scene();
    await made.turn();
    expect(made.reported).toEqual(["give 2", "put 2", "reauthenticate"]);
    expect(made.states()).toEqual(["waiting", "giving", "switching", "none"]);
    expect(made.memory.auths["hub-1"]).toEqual({ auth: psk(2) });
    expect([made.gateway, made.router]).toEqual([id(2), id(2)]);
    expect(made.auths.psks()).toEqual([
      {
        ...{ tunnel: "hub-1", kind: "psk", farEnd: "agent", pair: null },
        ...{ secretId: id(2), next: null },
      },
    ]);
    expect(made.auths.isBusy("edge-a")).toBe(false);
  });

  it.each(["peer.denied", "peer.rejected", "peer.throttled", "peer.unreachable"] as const)(
    "a key that the gateway refuses with %s changes nothing, and is tried after five minutes",
    async (code) => {
      const made = scene();
      made.refusal = failure(code);
      await made.turn();
      expect(made.reported).toEqual(["give 2", code]);
      expect(made.next()).toMatchObject({
        state: "waiting",
        reason: { code: "tunnel.giving.notGiven" },
      });
      expect([made.gateway, made.router]).toEqual([id(1), id(1)]);
      expect(codes(made)).toEqual(["far-end-refused: linkseal psk show hub-1"]);
      await made.pass(290_000);
      await made.turn();
      expect(made.reported).toHaveLength(2);
      made.refusal = undefined;
      await made.pass(10_000);
      await made.turn();
      expect(made.memory.auths["hub-1"]).toEqual({ auth: psk(2) });
    },
  );

  it("a key whose right is missing is never given, and what is missing is named", async () => {
    const made = scene();
    made.rights = { missing: [sharedKeyRight], unknown: [] };
    await made.turn();
    expect(made.reported).toEqual([]);
    expect(new Set(made.states())).toEqual(new Set(["waiting"]));
    const because = made.because();
    expect(because).toContain(`${sharedKeyRight.action} at ${sharedKeyRight.scope}`);
    expect(because).not.toContain("giv");
    expect(made.rightsCalls).toEqual(["preSharedKey 60000"]);
    const refusal = await refused(made.proceed());
    expect([refusal.code, refusal.effect, refusal.next]).toEqual([
      ...["gate.rightsMissing", "none", nextForRight(sharedKeyRight)],
    ]);
    made.rights = { missing: [], unknown: [] };
    await made.turn();
    expect(made.memory.auths["hub-1"]).toEqual({ auth: psk(2) });
  });

  it("rights that are not known keep no key from the gateway", async () => {
    const made = scene();
    made.rights = { missing: [], unknown: [{ scope: "/s", why: "no", next: "give" }] };
    await made.turn();
    expect(made.memory.auths["hub-1"]).toEqual({ auth: psk(2) });
  });

  it("a right that is taken away while a key is given is named", async () => {
    const made = scene();
    made.refusal = failure("peer.unreachable", "unknown");
    await made.turn();
    made.refusal = failure("peer.denied");
    made.rights = { missing: [sharedKeyRight], unknown: [] };
    await made.pass(15_000);
    await made.turn();
    expect(made.next()).toMatchObject({ state: "giving" });
    expect(made.because()).toContain("the gateway may have either key: as it was said: ");
    expect(made.because()).toContain(sharedKeyRight.action);
    expect(made.rightsCalls.slice(-2)).toEqual(["forget", "preSharedKey 60000"]);
    made.refusal = undefined;
    await made.pass(15_000);
    await made.turn();
    expect(made.memory.auths["hub-1"]).toEqual({ auth: psk(2) });
  });

  it("a key whose reply was lost is written again soon, whatever Azure reports", async () => {
    const made = scene();
    made.refusal = failure("peer.unreachable", "unknown");
    await made.turn();
    expect(made.next()?.state).toBe("giving");
    expect(codes(made)).toEqual(["far-end-refused: linkseal psk show hub-1"]);
    // The gateway refuses because it is busy with the key that it accepted: the state is not as
    // before.
    made.refusal = failure("peer.rejected");
    await made.turn();
    expect(made.next()).toMatchObject({ state: "giving" });
    expect(made.because()).toContain("the gateway may have either key: as it was said");
    await made.turn();
    expect(made.reported.filter((each) => each.startsWith("give"))).toHaveLength(2);
    made.refusal = undefined;
    await made.pass(15_000);
    await made.turn();
    expect(made.memory.auths["hub-1"]).toEqual({ auth: psk(2) });
    expect(made.router).toBe(id(2));
  });

  it("a key that no fresh authentication proves is withdrawn from both ends", async () => {
    const made = scene();
    await made.pass(graceMs);
    made.trouble = failure("device.rejected");
    await made.turn();
    const way = ["give 2", "put 2", "reauthenticate", "put 1", "give 1"];
    expect(made.reported).toEqual([...way, "verify.mismatch"]);
    expect(made.states()).toEqual(["waiting", "giving", "switching", "returning", "held"]);
    expect([made.gateway, made.router]).toEqual([id(1), id(1)]);
    expect(made.because()).toContain("both ends have the version in use again");
    expect(codes(made)).toEqual(["rotation-held: linkseal psk proceed hub-1"]);
    await made.pass(3_600_000);
    await made.turn();
    expect(made.reported).toHaveLength(6);
    // A newer version may be tried again, and so may an operator.
    made.trouble = undefined;
    expect(await made.proceed()).toMatchObject({ secretId: id(2), next: null });
  });

  it("a person's word to a key that goes back waits for writes that may still land", async () => {
    const made = scene();
    made.trouble = failure("device.rejected");
    await made.turn();
    expect(made.next()).toMatchObject({
      state: "returning",
      reason: { code: "tunnel.returning.mayLand" },
    });
    expect(made.because()).toContain("the gateway gets it back once nothing else can land there");
    const refusal = await refused(made.proceed());
    expect([refusal.code, refusal.effect]).toEqual(["gate.busy", "none"]);
    expect(refusal.message).toContain("an earlier write may still reach the gateway of hub-1");
    made.trouble = undefined;
    await made.pass(graceMs);
    expect(await made.proceed()).toMatchObject({ secretId: id(2), next: null });
  });

  it("a gateway that has a third key gets the newer one if a person asks", async () => {
    const made = scene();
    made.gateway = id(3);
    made.ike = "down";
    expect(await made.proceed()).toMatchObject({ secretId: id(2), next: null });
    expect(made.reported).toEqual(["give 2", "put 2"]);
  });

  it("a withdrawn key is replaced by a still newer one", async () => {
    const made = scene();
    await made.pass(graceMs);
    made.trouble = failure("device.rejected");
    await made.turn();
    made.trouble = undefined;
    made.versions = [...made.versions, version(3)];
    await made.pass(300_000);
    await made.turn();
    expect(made.memory.auths["hub-1"]).toEqual({ auth: psk(3) });
    expect([made.gateway, made.router]).toEqual([id(3), id(3)]);
  });

  it("a withdrawal for which the vault lacks the old key is reported, and done later", async () => {
    const made = scene();
    await made.pass(graceMs);
    made.trouble = failure("device.rejected");
    made.gone.add(id(1));
    await made.turn();
    // There would be no way back without the old key.
    expect(made.reported).toEqual(["vault.denied"]);
    expect(made.next()).toMatchObject({ state: "waiting" });
    expect(made.because()).toContain("the key in use cannot be read");
    expect(made.because()).toContain("linkseal psk proceed hub-1");
    // An operator may decide that the old key must not be used again.
    expect((await refused(made.proceed())).code).toBe("vault.denied");
    expect(made.next()).toMatchObject({ state: "returning" });
    expect(made.because()).toContain("the version in use is not back at both ends");
    expect(codes(made)).toEqual(["rotation-held: linkseal psk show hub-1"]);
    made.gone.clear();
    await made.turn();
    expect(made.next()?.state).toBe("held");
    expect([made.gateway, made.router]).toEqual([id(1), id(1)]);
  });

  it("a key that was removed from the vault while its write was open is withdrawn", async () => {
    const made = scene();
    made.refusal = failure("peer.unreachable", "unknown");
    await made.turn();
    made.gateway = id(2);
    made.refusal = undefined;
    made.gone.add(id(2));
    made.versions = [version(1), version(2, { enabled: false })];
    await made.turn();
    // The first write may take effect last.
    expect([made.next()?.state, made.gateway]).toEqual(["returning", id(2)]);
    await made.pass(90_000);
    await made.turn();
    expect(made.next()?.state).toBe("held");
    expect([made.gateway, made.router]).toEqual([id(1), id(1)]);
    await made.pass(300_000);
    await made.turn();
    expect(made.next()).toBeUndefined();
  });

  it("a key whose write is open is tried at the router at once if no SA is left", async () => {
    const made = scene();
    made.refusal = failure("peer.unreachable", "unknown");
    await made.turn();
    made.gateway = id(2);
    made.ike = "down";
    await made.turn();
    expect(made.reported.at(-1)).toBe("put 2");
    expect(made.memory.auths["hub-1"]).toEqual({ auth: psk(2) });
    expect(made.ike).toBe("established");
  });

  it.each(["giving", "switching", "returning"] as const)(
    "a successor that finds a key %s continues",
    async (state) => {
      const made = scene();
      const next = { auth: psk(2), state, since: wall, reason: told };
      made.memory = { ...emptyMemory, auths: { "hub-1": { auth: psk(1), next } } };
      made.gateway = id(2);
      made.restart();
      await made.turn();
      await made.pass(90_000);
      await made.turn();
      const isBack = state === "returning";
      const ends = isBack ? [id(1), id(1)] : [id(2), id(2)];
      expect([made.gateway, made.router]).toEqual(ends);
      expect(made.next()?.state).toBe(isBack ? "held" : undefined);
    },
  );

  it("a key is left to a person from the moment that the config says so", async () => {
    const made = scene();
    made.refusal = failure("peer.unreachable", "unknown");
    await made.turn();
    const manual = new Scene({ ...agents, farEnd: "manual" });
    manual.memory = made.memory;
    await manual.turn();
    expect(manual.reported).toEqual([]);
    expect(manual.next()).toMatchObject({ state: "waiting" });
    expect(codes(manual)).toEqual(["waiting-for-person: linkseal psk proceed hub-1"]);
  });
});

/** A tunnel to the same prefix, by default through another gateway and on another device. */
function sibling(over: Partial<DesiredTunnel> = {}): DesiredTunnel {
  const [sample] = site.tunnels as readonly [DesiredTunnel];
  const other = { name: "hub-2", device: "edge-b", remoteAddress: "203.0.113.200" };
  return { ...sample, ...other, ...over };
}

describe("the checks before the agent writes a gateway's key", () => {
  const frozen = site.groups.map((group) => ({
    ...group,
    freezes: [{ text: "now", from: wall, until: (wall + 86_400_000) as typeof wall }],
  }));
  const moved = { auth: psk(2), since: wall, reason: told };

  it.each<[string, (made: Scene) => void, string]>([
    ["a tunnel that is not up", (made) => (made.ike = "down"), "it is not up"],
    ["a commit that waits", (made) => (made.pending = true), "is not confirmed yet"],
    ["a campaign", (made) => (made.campaign = "edge-a"), "a campaign runs on edge-a"],
    ["a router without proof", (made) => (made.capabilities = undefined), "no fresh authent"],
    ["a sibling unseen", (made) => void made.siblings.push(sibling()), "edge-b cannot be read"],
    [
      "another of its gateway that is under way",
      (made) => {
        const [{ remoteAddress }] = site.tunnels as readonly [DesiredTunnel];
        made.siblings.push(sibling({ remoteAddress, remotePrefixes: ["10.9.0.0/16"] }));
        const next = { ...moved, state: "giving" } as const;
        const other = { auth: psk(1), next };
        made.memory = { ...made.memory, auths: { ...made.memory.auths, "hub-2": other } };
      },
      "the key of hub-2 is being changed, and one of a gateway changes at a time",
    ],
  ])("the agent does not write a gateway's key because of %s", async (_what, bend, because) => {
    const made = scene();
    bend(made);
    if (made.siblings.length > 0) made.restart();
    if (made.ike === "down") made.quiet = true;
    await made.turn();
    expect(made.reported.filter((each) => !each.startsWith("gate."))).toEqual([]);
    expect(made.next()).toMatchObject({ state: "waiting" });
    expect(made.because()).toContain(because);
    expect(codes(made)).toEqual(["campaign-waiting: linkseal psk show hub-1"]);
    const { length } = made.records;
    await made.turn();
    expect(made.records).toHaveLength(length);
  });

  it("a freeze stops policies from writing a gateway's key, and not a person", async () => {
    const made = scene(frozen);
    await made.turn();
    expect(made.reported).toEqual([]);
    expect(made.because()).toContain("frozen until");
    expect(await made.proceed()).toMatchObject({ secretId: id(2), next: null });
  });

  it("a sibling that carries lets the agent write a gateway's key", async () => {
    const made = scene();
    made.siblings.push(sibling({ device: "edge-a" }));
    made.restart();
    made.carries.push("hub-2");
    await made.turn();
    expect(made.memory.auths["hub-1"]).toEqual({ auth: psk(2) });
  });
});
