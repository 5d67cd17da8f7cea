// The change of a CAK at both ends, with traffic on the link: both keys stand beside each other,
// and nothing is lost.

import { setTimeout as rest } from "node:timers/promises";
import { afterEach, describe, expect, it } from "vitest";
import { leaveNetworks, until } from "../lab.ts";
import { address, keyOf, keysOf, makeSecy, Station, wire } from "./station.ts";
import { Flow } from "./traffic.ts";

afterEach(leaveNetworks);

const [old, fresh] = [keyOf("c0ffee", 32), keyOf("beef", 32)];

async function agreed(a: Station, b: Station, ckn: string): Promise<string> {
  return await until(async () => {
    const [left, right] = [await a.secured(), await b.secured()];
    if (left === undefined || left !== right) return undefined;
    for (const one of [a, b]) {
      const seen = await one.observe();
      if (seen.kind !== "bound" || seen.kay.session.principalCkn !== ckn) return undefined;
    }
    return left;
  });
}

describe("the change of a CAK", { timeout: 300_000 }, () => {
  it.each(["gcm-aes-256", "gcm-aes-xpn-256"] as const)("%s: nothing is lost", async (suite) => {
    const networks = wire();
    networks.forEach((network, index) => {
      makeSecy(network, { suite, sci: "on" });
      address(network, index);
    });
    await using a = new Station(networks[0], { keyServerPriority: 16 });
    await using b = new Station(networks[1], { keyServerPriority: 32 });
    for (const one of [a, b]) await one.add(old);
    await agreed(a, b, old.ckn);
    const flow = await Flow.begin(networks);
    await rest(1000);
    const start = performance.now();
    for (const one of [a, b]) await one.add(fresh, "fallback");
    await rest(3000);
    for (const one of [a, b]) await one.port.command({ kind: "promoteActor", ckn: fresh.ckn });
    await agreed(a, b, fresh.ckn);
    for (const one of [b, a]) await one.port.command({ kind: "removeActor", ckn: old.ckn });
    await rest(3000);
    expect(await a.port.command({ kind: "rekeySak" })).toBeUndefined();
    await rest(8000);
    const keyId = await agreed(a, b, fresh.ckn);
    const tookMs = Math.round(performance.now() - start);
    const { sent, lost } = await flow.end();
    console.log(`${suite}: CAK and SAK changed in ${tookMs} ms, ${lost} of ${sent} lost`);
    expect(lost).toBe(0);
    expect(keysOf(networks[0])).toEqual(keysOf(networks[1]));
    expect(keysOf(networks[0]).sent).toContain(keyId.split("/")[0]);
    expect([...a.log, ...b.log].filter((line) => /refused|lost|ended/.test(line))).toEqual([]);
  });
});
