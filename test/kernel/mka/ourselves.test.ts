// Our MKA client at both ends of a wire, on a real kernel.

import { setTimeout as rest } from "node:timers/promises";
import { afterEach, describe, expect, it } from "vitest";
import type { CipherSuite } from "#hal/model.ts";
import { ip, leaveNetworks, until } from "../lab.ts";
import { ClearWatch } from "./clear-watch.ts";
import { address, keyOf, keysOf, makeSecy, Station, secyOf, wire } from "./station.ts";
import { ping } from "./traffic.ts";

afterEach(leaveNetworks);

const rows = (
  ["gcm-aes-128", "gcm-aes-256", "gcm-aes-xpn-128", "gcm-aes-xpn-256"] as const
).flatMap((suite): [CipherSuite, "on" | "off"][] => [
  [suite, "on"],
  [suite, "off"],
]);

describe("both ends are ours", { timeout: 200_000 }, () => {
  it.each(rows)(
    "data passes under %s with SCI %s, and none of it in the clear",
    async (suite, sci) => {
      const networks = wire();
      networks.forEach((network, index) => {
        makeSecy(network, { suite, sci });
        address(network, index);
      });
      using near = new ClearWatch(networks[0]);
      using far = new ClearWatch(networks[1]);
      await using a = new Station(networks[0], { keyServerPriority: 16 });
      await using b = new Station(networks[1], { keyServerPriority: 32 });
      const key = keyOf("c0ffee", suite.endsWith("256") ? 32 : 16);
      const start = performance.now();
      await a.add(key);
      await b.add(key);
      const used = await until(async () => {
        const [left, right] = [await a.secured(), await b.secured()];
        return left === right ? left : undefined;
      });
      console.log(`${suite} sci ${sci}: secured after ${Math.round(performance.now() - start)} ms`);
      expect(used).toMatch(/^[0-9a-f]{24}\/1$/);
      expect(await ping(networks[0], "10.0.0.2")).toBe(5);
      const [left, right] = networks.map(keysOf);
      expect(left?.sent).not.toBe("");
      expect(left?.taken).toEqual([left?.sent]);
      expect(right).toEqual(left);
      expect(secyOf(networks[0])?.rx_sc).toHaveLength(1);
      expect([...near.observed, ...far.observed]).toEqual([]);
    },
  );

  it.each(["gcm-aes-128", "gcm-aes-xpn-256"] as const)(
    "%s: a frame later than the protected delay is refused, and no other",
    async (suite) => {
      const networks = wire();
      const window = 64;
      networks.forEach((network, index) => {
        makeSecy(network, { suite, sci: "on", replay: window });
        address(network, index);
      });
      await using a = new Station(networks[0], { delayProtection: "on" });
      await using b = new Station(networks[1], { delayProtection: "on", keyServerPriority: 32 });
      const key = keyOf("c0ffee", 32);
      for (const one of [a, b]) await one.add(key);
      await until(async () => (await a.secured()) === (await b.secured()) || undefined);
      expect(await ping(networks[0], "10.0.0.2")).toBe(5);
      // Without another frame the lowest acceptable packet number is the next one that will be
      // sent.
      const [sent, floor] = await until(() => {
        const [from, to] = networks.map(secyOf);
        const next = from?.sa_list[0]?.pn ?? 0;
        const taken = to?.rx_sc[0]?.sa_list[0]?.pn ?? 0;
        return next > 5 && taken === next + window ? [next, taken] : undefined;
      });
      console.log(`${suite}: next ${sent}, the kernel's ${floor} with a window of ${window}`);
      expect(await ping(networks[0], "10.0.0.2")).toBe(5);
      await rest(3000);
      expect(await ping(networks[0], "10.0.0.2")).toBe(5);
    },
  );
});

describe("an MKA client whose SecY is replaced", { timeout: 60_000 }, () => {
  it("a replaced SecY counted as the former one until the kernel's notification", async () => {
    const [network] = wire();
    makeSecy(network, { suite: "gcm-aes-128", sci: "on" });
    await using station = new Station(network);
    const suite = async () => {
      const observed = await station.observe();
      return observed.kind === "bound" ? observed.secy.suite : observed.kind;
    };
    expect(await suite()).toBe("gcm-aes-128");
    ip("-n", network, "link", "delete", "ms-wire");
    makeSecy(network, { suite: "gcm-aes-256", sci: "on" });
    expect(await suite()).toBe("gcm-aes-256");
  });
});
