// The conformance cases of tunnels and of commits, on this kernel and with real charon.

import { afterAll, beforeAll, expect, it } from "vitest";
import { linux } from "#drivers/linux/driver/linux.ts";
import type { Device } from "#hal/device.ts";
import { Secret } from "#hal/secret.ts";
import type { DeviceBench, PortTruth, TunnelTruth } from "#sim/conformance/bench.ts";
import { deviceCases, runDeviceCase, type Verdict } from "#sim/conformance/suite.ts";
import { failures, formatRows } from "../../conformance/table.ts";
import { effort } from "../../effort.ts";
import { PacedClock } from "../host/clock.ts";
import { Host } from "../host/host.ts";
import { ip, leaveNetworks, soon, until } from "../lab.ts";
import { buildSite, gatewayPsk, keyOf, spec, type TunnelSite } from "./site.ts";

let site: TunnelSite;
beforeAll(async () => {
  site = await buildSite();
}, 180_000);
afterAll(() => {
  for (const daemon of [site.charon, site.far]) daemon[Symbol.dispose]();
  leaveNetworks();
});

function tunnels(): readonly TunnelTruth[] {
  const links = ip("-n", site.edge, "link", "show", "type", "xfrm");
  if (!links.includes(`${spec.name}@`)) return [];
  const sas = ip("-n", site.edge, "xfrm", "state");
  const spis = [...sas.matchAll(/proto esp spi (0x[0-9a-f]+)/g)].map(([, spi]) => Number(spi));
  const up = ["dir in", "dir out"].every((way) => sas.includes(way));
  return [{ name: spec.name, up, spis }];
}

/** Returns the state that a change can alter, as `ip` prints it. */
function running(): string {
  const policies = ip("-n", site.edge, "xfrm", "policy", "list").split("action block").length;
  return JSON.stringify([tunnels().map(({ name }) => name), policies]);
}

const port: Omit<PortTruth, "port"> = {
  ...{ keys: [], settings: undefined, principal: undefined, sak: undefined, drain: undefined },
  ...{ admin: "up", linkUp: true, bgpUp: false, carries: true, offeredPps: 0 },
  ...{ clearFrames: 0n, protectedFrames: 0n, lostFrames: 0n },
};

function benchOf(host: Host, device: Device, clock: PacedClock): DeviceBench {
  let effects = 0;
  let last = running();
  return {
    ...{ device, offers: linux.offers, ports: ["wire", "wire"], tunnel: spec, gateway: true },
    routes: { known: { address: spec.remoteAddress, port: "wire" }, unknown: "192.0.2.99" },
    troubles: new Set(),
    strike: () => undefined,
    heal: () => undefined,
    probePackets: 1,
    second: () => host.device(),
    newKey: () => {
      throw new Error("no case here has a CAK");
    },
    keys: async () => Secret.take("psk", new TextEncoder().encode(gatewayPsk)),
    canaries: () => [new TextEncoder().encode(gatewayPsk)],
    holds: () => false,
    giveFarEnd: () => undefined,
    say: (text) => void host.output.push(text),
    transcript: () => host.output,
    now: () => clock.now(),
    wait: (ms) => clock.sleep(ms),
    exchanges: () => host.exchanges,
    truth() {
      const now = running();
      if (now !== last) effects += 1;
      last = now;
      const ports = [{ ...port, port: "wire" }];
      return { ports, tunnels: tunnels(), pending: host.pending(), effects };
    },
  };
}

/** Restores the initial state after any case. */
async function reset(host: Host): Promise<void> {
  const device = await host.device();
  if (tunnels().length > 0) {
    const remove = { kind: "ipsec.removeTunnel", name: spec.name } as const;
    const transaction = await device.prepare([remove], keyOf(gatewayPsk), soon());
    await transaction.apply("final", soon());
  }
  await device[Symbol.asyncDispose]();
  ip("-n", site.edge, "xfrm", "policy", "flush");
  await until(() => (ip("-n", site.gateway, "xfrm", "state") === "" ? true : undefined));
}

const all = deviceCases.filter(
  ({ name, troubles = [] }) => name.startsWith("tunnel") && troubles.length === 0,
);
const cases = effort(
  all.filter((_, index) => index % 2 === 0),
  all,
);

const reaches = effort(["here"] as const, ["here", "peer"] as const);

it.each<"here" | "peer">(reaches)(
  "the Linux driver passes the conformance cases of tunnels and commits, from %s",
  {
    timeout: 800_000,
  },
  async (reach) => {
    const verdicts = new Map<string, Verdict>();
    for (const one of cases) {
      const clock = new PacedClock(1);
      await using host = await Host.open({
        ports: [],
        network: site.edge,
        clock,
        charon: site.charon.socket,
        reach,
      });
      await using device = await host.device();
      verdicts.set(one.name, await runDeviceCase(one, benchOf(host, device, clock)));
      await reset(host);
    }
    const row = { profile: `charon, ${reach}`, verdicts };
    console.log(formatRows("linux, tunnels by charon", [row]));
    expect(failures(row).join("\n")).toBe("");
    const done = [...verdicts].filter(
      ([name, { kind }]) => name.startsWith("tunnel") && kind === "ok",
    );
    expect(done.length).toBe(cases.filter(({ name }) => name.startsWith("tunnel")).length);
    expect(done.length).toBeGreaterThanOrEqual(effort(3, 6));
  },
);
