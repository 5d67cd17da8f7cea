// Our MKA client beside wpa_supplicant, as its key server and as its member.

import { setTimeout as rest } from "node:timers/promises";
import { afterEach, describe, expect, it } from "vitest";
import type { CipherSuite } from "#hal/model.ts";
import { effort } from "../../../effort.ts";
import { ip, leaveNetworks, until } from "../../lab.ts";
import { ClearWatch } from "../clear-watch.ts";
import { address, keyOf, keysOf, makeSecy, Station, type TestKey, wire } from "../station.ts";
import { Supplicant, type Version } from "../supplicant.ts";
import { Flow, ping } from "../traffic.ts";

afterEach(leaveNetworks);

interface Row {
  readonly version: Version;
  readonly suite: CipherSuite;
  readonly role: "server" | "member";
  readonly sci: "on" | "off";
}

const suitesOf = { "2.10": ["gcm-aes-128"], "2.11": ["gcm-aes-128", "gcm-aes-256"] } as const;
const versions = ["2.10", "2.11"] as const;
const rows = versions.flatMap((version) =>
  suitesOf[version].flatMap((suite): Row[] => [
    { version, suite, role: "server", sci: "on" },
    { version, suite, role: "member", sci: "off" },
    // These rows have each value beside each version; the long run has every pair of them.
    ...effort<Row[]>(
      [],
      [
        { version, suite, role: "member", sci: "on" },
        { version, suite, role: "server", sci: "off" },
      ],
    ),
  ]),
);

const keyFor = (suite: CipherSuite): TestKey => keyOf("c0ffee", suite === "gcm-aes-256" ? 32 : 16);

async function sinceMs(start: number, probe: () => Promise<boolean> | boolean): Promise<number> {
  await until(async () => {
    if (await probe()) return true;
    // Each query of a supplicant starts a program, which takes time from the measurement.
    await rest(200);
    return undefined;
  });
  return Math.round(performance.now() - start);
}

describe("beside wpa_supplicant", { timeout: 300_000 }, () => {
  it.each(versions)("wpa_supplicant %s: time that two of them need alone", async (version) => {
    const [left, right] = wire();
    const key = keyFor("gcm-aes-128");
    const start = performance.now();
    using a = new Supplicant({ version, network: left, key, priority: 16 });
    using b = new Supplicant({ version, network: right, key, priority: 32 });
    const took = await sinceMs(start, () => a.isSecured && b.isSecured);
    console.log(`two of ${version}: secured after ${took} ms`);
    address(left, 0, await a.device());
    address(right, 1, await b.device());
    expect(await ping(left, "10.0.0.2")).toBe(5);
  });

  it.each(rows)(
    "wpa_supplicant $version, $suite, ours is the $role, our SCI $sci: frames pass secured",
    async ({ version, suite, role, sci }) => {
      const [left, right] = wire();
      makeSecy(left, { suite, sci });
      address(left, 0);
      using near = new ClearWatch(left);
      using far = new ClearWatch(right);
      const key = keyFor(suite);
      const start = performance.now();
      using peer = new Supplicant({ version, network: right, key, priority: 32, suite });
      await using ours = new Station(left, { keyServerPriority: role === "server" ? 16 : 64 });
      await ours.add(key);
      const took = await sinceMs(start, async () => (await ours.secured()) !== undefined);
      const both = await sinceMs(start, () => peer.isSecured);
      console.log(`${version} ${suite} ${role} sci ${sci}: ours ${took} ms, both ${both} ms`);
      const observed = await ours.observe();
      expect(observed.kind === "bound" && observed.kay.session.keyServer).toBe(
        role === "server" ? "self" : "peer",
      );
      address(right, 1, await peer.device());
      expect(await ping(left, "10.0.0.2")).toBe(5);
      const [own, theirs] = [keysOf(left), keysOf(right)];
      expect(own.sent).not.toBe("");
      expect(own.taken).toEqual([own.sent]);
      expect(theirs).toEqual(own);
      expect([...near.observed, ...far.observed]).toEqual([]);
    },
  );

  it.each(["server", "member"] as const)(
    "another SAK under traffic loses nothing, ours as %s",
    async (role) => {
      const networks = wire();
      const [left, right] = networks;
      makeSecy(left, { suite: "gcm-aes-128", sci: "on" });
      address(left, 0);
      const key = keyFor("gcm-aes-128");
      using peer = new Supplicant({ version: "2.10", network: right, key, priority: 32 });
      await using ours = new Station(left, { keyServerPriority: role === "server" ? 16 : 64 });
      await ours.add(key);
      await sinceMs(0, async () => (await ours.secured()) !== undefined && peer.isSecured);
      const device = await peer.device();
      address(right, 1, device);
      const before = await ours.secured();
      const flow = await Flow.begin(networks);
      await rest(1000);
      const start = performance.now();
      if (role === "server") await ours.port.command({ kind: "rekeySak" });
      // Its only reason to make a SAK is a packet number that nears its end.
      else ip("-n", right, "macsec", "set", device, "tx", "sa", "0", "pn", "3221225500");
      const isNew = async (): Promise<boolean> => {
        const now = await ours.secured();
        return now !== undefined && now !== before;
      };
      const took = await sinceMs(start, isNew);
      await rest(6000);
      const { sent, lost } = await flow.end();
      console.log(`as ${role}: another SAK after ${took} ms, ${lost} of ${sent} lost`);
      expect(keysOf(left)).toEqual(keysOf(right));
      expect(lost).toBe(0);
    },
  );

  it("a key server with another suite is refused: our port closes, with the reason", async () => {
    const [left, right] = wire();
    makeSecy(left, { suite: "gcm-aes-256", sci: "on" });
    address(left, 0);
    const key = keyFor("gcm-aes-128");
    using peer = new Supplicant({ version: "2.10", network: right, key, priority: 32 });
    await using ours = new Station(left, { keyServerPriority: 64 });
    await ours.add(key);
    await sinceMs(0, () => peer.isSecured);
    const { session, troubles } = await until(async () => {
      const observed = await ours.observe();
      return observed.kind === "bound" && observed.kay.troubles.length > 0
        ? observed.kay
        : undefined;
    });
    expect(session.controlledPort).toBe("blocked");
    expect(troubles).toEqual([
      { kind: "sakRefused", why: { kind: "suite", offered: "gcm-aes-128" } },
    ]);
    expect(peer.isSecured).toBe(true);
    expect(await ping(left, "10.0.0.2", 2)).toBe(0);
  });

  // It reports that it receives although its kernel has refused the SAK: only frames show it.
  it("a member with another suite receives nothing, and ours reports the silence", async () => {
    const [left, right] = wire();
    makeSecy(left, { suite: "gcm-aes-256", sci: "on" });
    address(left, 0);
    const key = keyFor("gcm-aes-128");
    using peer = new Supplicant({ version: "2.10", network: right, key, priority: 32 });
    await using ours = new Station(left, { keyServerPriority: 16 });
    await ours.add(key);
    await until(async () => {
      const observed = await ours.observe();
      return observed.kind === "bound" && observed.silence === "long" ? true : undefined;
    });
    expect(peer.isSecured).toBe(true);
    expect(keysOf(right)).toEqual({ sent: "", taken: [] });
    expect(await ping(left, "10.0.0.2", 2)).toBe(0);
  });
});
