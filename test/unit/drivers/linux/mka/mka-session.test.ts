import { describe, expect, it } from "vitest";
import {
  cknOf,
  clear,
  keyOf,
  lost,
  mustSecure,
  type Pair,
  pair,
  secured,
} from "../../../kit/mka-bench.ts";

const seeds = Array.from({ length: 20 }, (_, n) => `session-${n}`);
const ramp = { quirks: { startRamp: true } };

function isSecured({ a, b, fibre }: Pair): boolean {
  const both = [a.session(), b.session()];
  return fibre.carries() && both.every(({ controlledPort }) => controlledPort === "secured");
}

async function startLate(seed: string, options = {}): Promise<number> {
  const made = pair(seed, options);
  made.a.configure(mustSecure);
  made.a.putKey(keyOf(1));
  await made.seconds(3.3);
  made.b.configure(mustSecure);
  made.b.putKey(keyOf(1));
  return made.until(() => isSecured(made));
}

describe("time to secured", () => {
  it("a session by the hello timer alone is secured within four hello waits", async () => {
    for (const seed of seeds) {
      const took = await startLate(seed);
      expect(took, seed).toBeGreaterThan(1);
      expect(took, seed).toBeLessThan(8);
    }
  });

  it("a session is secured in less than a second where an end hurries", async () => {
    for (const seed of seeds) expect(await startLate(seed, ramp), seed).toBeLessThan(1);
  });

  it("a session leaves nothing in the clear, before and after", async () => {
    const made = await secured("nothing-clear", ramp);
    await made.seconds(60);
    expect(clear(made)).toBe(0n);
    expect(made.a.frames().txProtected).toBeGreaterThan(59_000n);
    expect(made.b.frames().rxOk).toBe(made.fibre.truth().a2b.delivered);
  });
});

describe("a secured session", () => {
  it("a secured session reads alike from both ends", async () => {
    const { a, b } = await secured("alike", ramp);
    const [here, there] = [a.session(), b.session()];
    expect(here.latestSak).toEqual(there.latestSak);
    expect(here).toMatchObject({
      controlledPort: "secured",
      principalCkn: cknOf(1),
      participants: [{ ckn: cknOf(1), state: "live", livePeers: 1, potentialPeers: 0 }],
      livePeers: 1,
      respondedPeers: 1,
      keyServer: "self",
      keyServerPriority: 16,
      latestSak: { receive: true, transmit: true },
    });
    expect(there.keyServer).toBe("peer");
    expect(a.liveSuite()).toBe("gcm-aes-xpn-256");
  });

  it("the key server has the lower priority, then the lower SCI", async () => {
    const rows = [
      { a: 16, b: 16, server: "self" },
      { a: 32, b: 16, server: "peer" },
      { a: 0, b: 255, server: "self" },
      { a: 255, b: 254, server: "peer" },
      { a: 255, b: 255, server: "none" },
    ] as const;
    for (const row of rows) {
      const made = pair(`priority-${row.a}-${row.b}`, ramp);
      made.a.configure({ ...mustSecure, keyServerPriority: row.a });
      made.b.configure({ ...mustSecure, keyServerPriority: row.b });
      made.a.putKey(keyOf(1));
      made.b.putKey(keyOf(1));
      await made.seconds(10);
      expect(made.a.session().keyServer).toBe(row.server);
      expect(made.fibre.carries()).toBe(row.server !== "none");
    }
  });

  it("the key server moves when a priority changes, and the session is secured anew", async () => {
    const made = await secured("priority-moves", ramp);
    for (const priority of [1, 32, 1, 32]) {
      made.b.configure({ ...mustSecure, keyServerPriority: priority });
      const server = priority === 1 ? made.b : made.a;
      await made.seconds(1);
      await made.until(() => server.session().keyServer === "self" && isSecured(made));
      expect(made.a.session().latestSak).toEqual(made.b.session().latestSak);
    }
  });
});

describe("a change of the key server", () => {
  it("a change of the key server ends in a SAK that each end reports", async () => {
    const made = await secured("priority-says", ramp);
    made.b.configure({ ...mustSecure, keyServerPriority: 1 });
    await made.seconds(5);
    for (const endpoint of [made.a, made.b]) {
      expect(endpoint.session()).toMatchObject({ livePeers: 1, respondedPeers: 1 });
    }
  });
});

describe("a peer that falls silent", () => {
  it("a silent peer is declared dead after 4 to 6 s, and the port closes", async () => {
    for (const seed of seeds) {
      const made = await secured(seed, ramp);
      await made.seconds(7 + seeds.indexOf(seed) / 10);
      made.b.setFault("silent", true);
      const took = await made.until(() => made.a.session().livePeers === 0);
      expect(took, seed).toBeGreaterThanOrEqual(4 - 0.002);
      expect(took, seed).toBeLessThanOrEqual(6 + 0.002);
      expect(made.a.session()).toMatchObject({ controlledPort: "blocked", latestSak: undefined });
      await made.seconds(12);
      expect(made.b.session().livePeers).toBe(0);
      expect(clear(made)).toBe(0n);
    }
  });

  it("the SAs of a silent peer go on until then; its frames are unknown afterwards", async () => {
    const made = await secured("silent-data", ramp);
    made.b.setFault("silent", true);
    const before = lost(made);
    await made.seconds(3.9);
    expect(lost(made)).toBe(before);
    await made.until(() => made.a.session().livePeers === 0);
    await made.seconds(1);
    expect(made.a.frames().rxUnknownSci).toBeGreaterThan(0n);
  });

  it("a peer that fell silent gets a new SAK even from a server that never lost it", async () => {
    for (const end of ["a", "b"] as const) {
      const made = await secured("one-sided", ramp);
      made[end].setFault("silent", true);
      await made.seconds(6.5);
      const still = made[end].session().livePeers;
      made[end].setFault("silent", false);
      expect(still).toBe(1);
      expect(await made.until(() => isSecured(made))).toBeLessThan(8);
      expect(made.a.session().latestSak).toEqual(made.b.session().latestSak);
    }
  });

  it("a peer that fell silent is secured again once it sends", async () => {
    for (const options of [ramp, {}]) {
      const made = await secured("speaks-again", options);
      made.b.setFault("silent", true);
      await made.seconds(30);
      made.b.setFault("silent", false);
      expect(await made.until(() => isSecured(made))).toBeLessThan(8);
    }
  });
});

describe("a restarted KaY", () => {
  it("a restarted KaY is secured at either end without waiting for the old MI", async () => {
    for (const seed of seeds) {
      for (const end of ["a", "b"] as const) {
        const made = await secured(seed, ramp);
        made[end].restartKay();
        expect(made.fibre.carries()).toBe(false);
        expect(await made.until(() => isSecured(made)), `${seed} ${end}`).toBeLessThan(1);
        expect(made.a.session().latestSak).toEqual(made.b.session().latestSak);
      }
    }
  });

  it("a restarted KaY is secured within four hello waits where neither end hurries", async () => {
    for (const seed of seeds) {
      const made = await secured(seed);
      made.a.restartKay();
      expect(await made.until(() => isSecured(made)), seed).toBeLessThan(8);
    }
  });

  it("a station loses configuration and keys in a reboot that does not keep them", async () => {
    const made = await secured("reboot", ramp);
    made.b.reboot(true);
    expect(await made.until(() => isSecured(made))).toBeLessThan(1);
    made.b.reboot(false);
    expect(made.b.settings()).toBeUndefined();
    expect(made.b.keys()).toEqual([]);
    expect(made.b.session().controlledPort).toBe("unprotected");
  });
});

describe("keys that differ", () => {
  it("the same CKN with another CAK: no peer, closed, ICV failures at both ends", async () => {
    const made = pair("cak", ramp);
    for (const endpoint of [made.a, made.b]) endpoint.configure(mustSecure);
    made.a.putKey(keyOf(1));
    made.b.putKey(keyOf(1, "primary", 9));
    await made.seconds(2);
    for (const endpoint of [made.a, made.b]) {
      const { controlledPort, livePeers, participants } = endpoint.session();
      expect({ controlledPort, livePeers }).toEqual({ controlledPort: "blocked", livePeers: 0 });
      expect(participants[0]?.potentialPeers).toBe(0);
      expect(endpoint.mkpdus().icvFailed).toBeGreaterThan(0n);
      expect(endpoint.mkpdus().unknownCkn).toBe(0n);
    }
    expect(made.fibre.carries()).toBe(false);
  });

  it("another CKN: no peer, closed, unknown CKNs at both ends", async () => {
    const made = pair("ckn", ramp);
    for (const endpoint of [made.a, made.b]) endpoint.configure(mustSecure);
    made.a.putKey(keyOf(1));
    made.b.putKey(keyOf(2));
    await made.seconds(2);
    for (const endpoint of [made.a, made.b]) {
      expect(endpoint.session()).toMatchObject({ controlledPort: "blocked", livePeers: 0 });
      expect(endpoint.mkpdus().unknownCkn).toBeGreaterThan(0n);
      expect(endpoint.mkpdus().icvFailed).toBe(0n);
    }
  });

  it("a key changed at one end: traffic stops, the other end notices in 4 to 6 s", async () => {
    const made = await secured("one-side", ramp);
    await made.seconds(20);
    made.b.removeKey(cknOf(1));
    made.b.putKey(keyOf(2));
    expect(made.fibre.carries()).toBe(false);
    const took = await made.until(() => made.a.session().controlledPort === "blocked");
    expect(took).toBeGreaterThanOrEqual(4 - 0.002);
    expect(took).toBeLessThanOrEqual(6 + 0.002);
    expect(made.a.mkpdus().unknownCkn).toBeGreaterThan(0n);
    made.a.putKey(keyOf(2));
    expect(await made.until(() => isSecured(made))).toBeLessThan(8);
  });
});

describe("a fibre that flaps", () => {
  it("a fibre that flaps for 1 s keeps the SAK", async () => {
    const made = await secured("flap-1", ramp);
    const sak = made.a.session().latestSak;
    made.fibre.setUp(false);
    expect(made.a.linkUp()).toBe(false);
    await made.seconds(1);
    made.fibre.setUp(true);
    expect(made.fibre.carries()).toBe(true);
    await made.seconds(20);
    expect(made.a.session().latestSak).toEqual(sak);
  });

  it("a fibre that flaps for 10 s loses the peers and is secured anew", async () => {
    for (const options of [ramp, {}]) {
      const made = await secured("flap-10", options);
      const sak = made.a.session().latestSak;
      made.fibre.setUp(false);
      await made.seconds(10);
      expect(made.a.session().controlledPort).toBe("blocked");
      made.fibre.setUp(true);
      expect(await made.until(() => isSecured(made))).toBeLessThan(8);
      expect(made.a.session().latestSak?.keyId).not.toBe(sak?.keyId);
    }
  });

  it("a fibre is dark at both ends while one port is shut", async () => {
    const made = await secured("shut", ramp);
    made.b.setAdmin(false);
    expect([made.a.linkUp(), made.b.linkUp()]).toEqual([false, false]);
    expect(made.fibre.truth().a2b.outcome).toBe("down");
    await made.seconds(20);
    made.b.setAdmin(true);
    expect(await made.until(() => isSecured(made))).toBeLessThan(1);
  });

  it("a fibre notifies its listeners of every change of carrying or light", async () => {
    const made = await secured("listeners", ramp);
    const observed: string[] = [];
    made.fibre.onChange(() => observed.push(`${made.a.linkUp()} ${made.fibre.carries()}`));
    made.fibre.setUp(false);
    made.fibre.setUp(true);
    made.b.restartKay();
    await made.seconds(2);
    expect(observed).toEqual(["false false", "true true", "true false", "true true"]);
  });
});
