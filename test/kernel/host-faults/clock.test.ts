// The wall clock of a host is set by a second, a minute, ten minutes, an hour and a day, forward
// and back.

import type { ChildProcess } from "node:child_process";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as rest } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Programs } from "../host/programs.ts";
import { ip, ipBatch, leaveNetworks, until } from "../lab.ts";
import { ClearWatch } from "../mka/clear-watch.ts";
import { Participant } from "../mka/participant.ts";
import { address, keyOf, makeSecy, wire } from "../mka/station.ts";
import { clockSteps, stepClock } from "./host-clock.ts";
import { askNet } from "./net-client.ts";
import { RealTimeAgent } from "./real-time-agent.ts";

const withinMs = 10_000;

describe("linkseal-net and linkseal-mka", { timeout: 900_000 }, () => {
  const folder = mkdtempSync(join(tmpdir(), "linkseal-clock-"));
  const [first, second] = [keyOf("c0ffee", 32), keyOf("beef", 32)];
  let networks: readonly [string, string];
  let programs: Programs;
  let net: ChildProcess;
  let near: Participant;
  let far: Participant;
  let clear: ClearWatch;

  beforeAll(async () => {
    networks = wire();
    networks.forEach((network, index) => {
      makeSecy(network, { suite: "gcm-aes-256", sci: "on" });
      address(network, index);
    });
    const spare = ["link add spare type veth peer name beyond", "link set beyond up"];
    ipBatch([...spare, "addr add 192.0.2.1/30 dev spare", "link set spare up"], "-n", networks[0]);
    programs = new Programs(folder, networks[0]);
    net = await programs.serve("net");
    near = new Participant({ network: networks[0], folder });
    far = new Participant({ network: networks[1], folder });
    await Promise.all([near.start(), far.start()]);
    const settings = { keyServerPriority: 32, sakRekeyMs: undefined } as const;
    const last = { kind: "configure", settings: { ...settings, delayProtection: "off" } } as const;
    await far.change(last, { token: "last", within: "final" });
    for (const one of [near, far]) await one.add(first, { token: "first", within: "final" });
    await secured();
    clear = new ClearWatch(networks[1]);
  }, 180_000);
  afterAll(() => {
    for (const one of [near, far, programs, clear]) one[Symbol.dispose]();
    leaveNetworks();
    rmSync(folder, { recursive: true });
  });

  const secured = (): Promise<string> =>
    until(async () => {
      const [one, other] = [await near.secured(), await far.secured()];
      return one === other ? one : undefined;
    });
  const isUp = (): boolean => /[<,]UP[,>]/.test(ip("-n", networks[0], "link", "show", "spare"));
  const ask = (path: string, body: object = {}) =>
    askNet(join(folder, "run", "net.sock"), path, body);
  const armed = async (): Promise<string> => {
    const reply = await ask("/prepare", { change: [{ kind: "port.shut", port: "spare" }] });
    const token = String(reply?.body["token"]);
    await ask(`/transactions/${token}/apply`, { within: withinMs });
    expect(isUp()).toBe(false);
    return token;
  };

  it.each(clockSteps)("a clock set by %i ms costs no frame and moves no deadline", async (step) => {
    const sak = await secured();
    const pings = spawn(
      "ip",
      ["netns", "exec", networks[0], "ping", "-q", "-i", "0.25", "-c", "60", "10.0.0.2"],
      { stdio: ["ignore", "pipe", "ignore"] },
    );
    let shown = "";
    pings.stdout.on("data", (chunk) => (shown += String(chunk)));
    const pinged = once(pings, "close");
    const token = await armed();
    const trial = `trial-${clockSteps.indexOf(step)}`;
    await near.add(second, { token: trial, within: withinMs });
    const at = performance.now();
    stepClock(step);
    await rest(withinMs - 3_000);
    expect((await ask("/recall", { token }))?.body["kind"]).toBe("pending");
    expect((await near.observe()).pending).toBe(trial);
    await until(async () => (isUp() && (await near.observe()).pending === undefined) || undefined);
    expect(performance.now() - at).toBeLessThan(withinMs + 2_000);
    expect(await near.secured()).toBe(sak);
    await pinged;
    expect(shown).toContain("60 packets transmitted, 60 received");
    expect(clear.observed).toEqual([]);
  });

  it.each([
    [86_400_000, 1_000],
    [-86_400_000, withinMs + 1_000],
  ])(
    "after a clock set by %i ms a new process reverts within %i ms what was not confirmed",
    async (step, ms) => {
      await armed();
      net.kill("SIGKILL");
      await once(net, "close");
      stepClock(step);
      net = await programs.serve("net");
      const at = performance.now();
      await until(() => isUp() || undefined);
      expect(performance.now() - at).toBeLessThan(ms + 1_000);
      stepClock(-step);
    },
  );
});

describe("an agent on a host whose clock is set", { timeout: 900_000 }, () => {
  let agent: RealTimeAgent;
  let begun = 0;
  beforeAll(async () => {
    agent = await RealTimeAgent.open("clock");
    begun = performance.now();
  }, 300_000);
  afterAll(async () => await agent[Symbol.asyncDispose]());

  const hasOffset = async (): Promise<boolean> =>
    (await agent.status()).warnings.some(({ code }) => code === "clock-skew");

  it.each(clockSteps)("a clock set by %i ms changes no verdict", async (step) => {
    stepClock(step);
    for (let count = 0; count < 12; count += 1) {
      await rest(1_000);
      const { verdict } = await agent.status();
      expect(["protected", "unknown"]).toContain(verdict);
    }
    await agent.until("protected");
    const asideMs = Math.abs(Date.now() - agent.site.clock.wall());
    // The routers keep the right time: a clock that is more than a minute off is named, until it
    // is set right.
    if (asideMs > 120_000 || asideMs < 30_000)
      await until(async () => (await hasOffset()) === asideMs > 120_000 || undefined, 240_000);
    expect(agent.violations).toEqual([]);
  });

  it("a fault is reported in time although the clock is set back by a day meanwhile", async () => {
    const [link] = agent.site.links;
    link?.fibre.setUp(false);
    stepClock(-86_400_000);
    await until(async () => ((await agent.status()).verdict === "protected" ? undefined : true));
    await rest(30_000);
    expect((await agent.status()).verdict).not.toBe("protected");
    link?.fibre.setUp(true);
    stepClock(86_400_000);
    await agent.until("protected");
    expect(agent.violations).toEqual([]);
  });

  it("a rotation ends well although the clock is set by a day meanwhile", async () => {
    await agent.rotate();
    const seen = new Set<string>();
    await until(async () => {
      const state = (await agent.campaign()) ?? "none";
      await agent.status();
      if (!seen.has(state) && /draining|staged|switching|proving|restoring/.test(state)) {
        stepClock(86_400_000);
        await rest(2_000);
        stepClock(-86_400_000);
      }
      seen.add(state);
      return state === "done" ? true : undefined;
    }, 900_000);
    await agent.until("protected");
    expect(agent.violations).toEqual([]);
    expect(seen.size).toBeGreaterThan(3);
  });

  it("a report counts no time that was not observed, and names each step", async () => {
    // Longer than what is left out before a confirmation.
    await rest(240_000);
    const { subjects, breaks } = await agent.report("");
    const elapsedMs = performance.now() - begun;
    expect(subjects).toHaveLength(2);
    for (const { name, totals } of subjects) {
      expect([name, totals.protected.ms <= elapsedMs, totals.protected.ms > 0]).toEqual([
        ...[name, true, true],
      ]);
      const inSeconds = [totals.protected.ms, elapsedMs].map((ms) => Math.round(ms / 1000));
      const [reported, passed] = inSeconds;
      console.log(`${name}: ${reported} s of ${passed} s are reported as protected`);
    }
    const steps = breaks.filter(({ text }) => /clock was set by/.test(text));
    expect(steps.length).toBeGreaterThanOrEqual(clockSteps.length - 2);
  });
});
