// A host is suspended to memory for an hour, while its clock that counts from the boot goes on and
// its monotonic clock stands still.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as rest } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Programs } from "../host/programs.ts";
import { ip, ipBatch, leaveNetworks, until } from "../lab.ts";
import { ClearWatch } from "../mka/clear-watch.ts";
import { Participant } from "../mka/participant.ts";
import { address, keyOf, makeSecy, wire } from "../mka/station.ts";
import { ping } from "../mka/traffic.ts";
import { sinceBoot, suspend } from "./host-clock.ts";
import { askNet } from "./net-client.ts";
import { RealTimeAgent } from "./real-time-agent.ts";

const seconds = 3_600;

it("a suspend of the machine stops its monotonic clock, and not the time since its boot", () => {
  const [monotonicMs, bootSeconds, wallMs] = [performance.now(), sinceBoot(), Date.now()];
  suspend(seconds);
  expect(sinceBoot() - bootSeconds).toBeGreaterThan(seconds - 5);
  expect(Date.now() - wallMs).toBeGreaterThan((seconds - 5) * 1000);
  expect(performance.now() - monotonicMs).toBeLessThan(60_000);
});

describe("linkseal-net and linkseal-mka", { timeout: 300_000 }, () => {
  let folder = "";
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "linkseal-suspend-"));
  });
  afterEach(() => {
    leaveNetworks();
    rmSync(folder, { recursive: true });
  });

  it("after a suspend a port is secured, and what was not confirmed is reverted", async () => {
    const networks = wire();
    networks.forEach((network, index) => {
      makeSecy(network, { suite: "gcm-aes-256", sci: "on" });
      address(network, index);
    });
    const spare = ["link add spare type veth peer name beyond", "link set beyond up"];
    ipBatch([...spare, "link set spare up"], "-n", networks[0]);
    using programs = new Programs(folder, networks[0]);
    await programs.serve("net");
    using near = new Participant({ network: networks[0], folder });
    using far = new Participant({ network: networks[1], folder });
    await Promise.all([near.start(), far.start()]);
    const key = keyOf("c0ffee", 32);
    for (const one of [near, far]) await one.add(key, { token: "key", within: "final" });
    const secured = (): Promise<string> =>
      until(async () => {
        const [one, other] = [await near.secured(), await far.secured()];
        return one === other ? one : undefined;
      });
    await secured();
    using clear = new ClearWatch(networks[1]);
    const ask = (path: string, body: object) => askNet(join(folder, "run", "net.sock"), path, body);
    const prepared = await ask("/prepare", { change: [{ kind: "port.shut", port: "spare" }] });
    const token = String(prepared?.body["token"]);
    await ask(`/transactions/${token}/apply`, { within: (seconds / 2) * 1000 });
    await near.add(keyOf("beef", 32), { token: "trial", within: (seconds / 2) * 1000 });
    suspend(seconds);
    const awake = performance.now();
    await until(async () => {
      const isUp = /[<,]UP[,>]/.test(ip("-n", networks[0], "link", "show", "spare"));
      return isUp && (await near.observe()).pending === undefined ? true : undefined;
    }, 120_000);
    console.log(`reverted ${Math.round(performance.now() - awake)} ms after the suspend`);
    await secured();
    expect(await near.observe()).toMatchObject({ keys: [{ ckn: key.ckn }] });
    expect(await ping(networks[0], "10.0.0.2")).toBe(5);
    expect(clear.observed).toEqual([]);
  });
});

describe("an agent", { timeout: 600_000 }, () => {
  // After a suspend it reported a link as protected, by an observation of an hour before.
  it("an agent reports nothing from before a suspend as known after it", async () => {
    await using agent = await RealTimeAgent.open("suspend");
    const begun = performance.now();
    const [link] = agent.site.links;
    // It gets no time after the suspend until the world has gone on.
    process.kill(agent.pid, "SIGSTOP");
    suspend(seconds);
    link?.fibre.setUp(false);
    await agent.pass(seconds * 1000);
    process.kill(agent.pid, "SIGCONT");
    const { verdict } = await agent.status();
    expect(["unknown", "down"]).toContain(verdict);
    await agent.until("down");
    link?.fibre.setUp(true);
    await agent.until("protected");
    await rest(240_000);
    const { subjects, breaks } = await agent.report("");
    for (const { totals } of subjects) {
      expect(totals.protected.ms).toBeLessThanOrEqual(performance.now() - begun);
      expect(totals.unknown.ms).toBeGreaterThan((seconds - 300) * 1000);
    }
    expect(breaks.filter(({ what }) => what === "gap").length).toBeGreaterThan(0);
    expect(agent.violations).toEqual([]);
  });
});
