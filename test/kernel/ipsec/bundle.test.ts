// Eight tunnels that share the traffic of one pair of hosts by ECMP over BGP: its distribution, and
// the loss while each of them in turn is rekeyed, loses its SAs, is removed, made again and carries
// traffic again.

import { setTimeout as rest } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Device, DeviceChange } from "#hal/device.ts";
import type { TunnelSpec } from "#hal/tunnel-spec.ts";
import { effort } from "../../effort.ts";
import { PacedClock } from "../host/clock.ts";
import { Host } from "../host/host.ts";
import { lostOf, makeRoom, startFlows } from "../host/router.ts";
import { ip, ipJson, leaveNetworks, soon, until } from "../lab.ts";
import { type BgpSite, buildBgpSite, farLink, leaveBgpSite } from "./bgp-site.ts";
import { gatewayPsk, inner, keyOf } from "./site.ts";

const count = 8;
/** A hash of the ports of this many flows uses every tunnel. */
const flows = 128;
/**
 * Interval in each direction, in ms: the load that one emulated processor can still encrypt beside
 * FRR and two daemons.
 */
const everyMs = 10;
const patienceMs = 120_000;

let site: BgpSite;
let host: Host;
let device: Device;

beforeAll(async () => {
  makeRoom();
  site = await buildBgpSite(count);
  const { network } = site.edge;
  const pathspace = site.edge.frr.shell.at(-1) ?? "";
  const { socket: charon } = site.charon;
  host = await Host.open({ ports: [], network, pathspace, clock: new PacedClock(1), charon });
  device = await host.device();
  for (const tunnel of site.specs) await commit({ kind: "ipsec.putTunnel", tunnel });
  await until(usesAll, patienceMs);
}, 400_000);
afterAll(async () => {
  await device[Symbol.asyncDispose]();
  await host[Symbol.asyncDispose]();
  leaveBgpSite(site);
  leaveNetworks();
});

async function commit(...change: DeviceChange): Promise<void> {
  const transaction = await device.prepare(change, keyOf(gatewayPsk), soon());
  const takesTime = change.some(({ kind }) => kind.startsWith("ipsec."));
  await transaction.apply(takesTime ? 120_000 : "final", soon());
  if (takesTime) await transaction.confirm(soon());
}

/** Returns the numbers of the tunnels into which both kernels send. */
function inUse(): readonly number[] {
  const { edge, gateway, specs } = site;
  const here = ip("-n", edge.network, "route", "show", "10.100.0.0/16");
  const there = ip("-n", gateway.network, "route", "show", "10.1.0.0/16");
  const uses = (routes: string, link: string): boolean => routes.includes(`dev ${link} `);
  return specs.flatMap((one, at) => {
    const both = [uses(here, one.name), uses(there, farLink(one))];
    if (both[0] !== both[1]) return [Number.NaN];
    return both[0] ? [at + 1] : [];
  });
}
const usesAll = (): true | undefined => (inUse().join() === "1,2,3,4,5,6,7,8" ? true : undefined);
const usesAllBut = (number: number) => (): true | undefined =>
  inUse().length === count - 1 && !inUse().includes(number) && !inUse().includes(Number.NaN)
    ? true
    : undefined;

/** Returns the packets that have left by each tunnel so far. */
function sentBy(): readonly number[] {
  interface Counted {
    readonly ifname: string;
    readonly stats64: { readonly tx: { readonly packets: number } };
  }
  const links = ipJson<Counted[]>("-n", site.edge.network, "-s", "link", "show", "type", "xfrm");
  return site.specs.map(
    ({ name }) => links.find(({ ifname }) => ifname === name)?.stats64.tx.packets ?? 0,
  );
}

/** Counts the loss by direction: from the edge, and to it. */
async function lostWhile(what: string, act: () => Promise<void>): Promise<readonly number[]> {
  const ends = [
    [site.edge.network, inner.edge],
    [site.gateway.network, inner.gateway],
  ] as const;
  const stop = await startFlows(...ends, everyMs, flows);
  await rest(5_000);
  await act();
  await rest(5_000);
  const allCounters = await stop();
  const [sent = 0, answered = 0] = allCounters.map((counters) => counters.sent);
  const [out, back] = lostOf(allCounters);
  console.log(`${what}: lost ${out} of ${sent} out, ${back} of ${answered} back`);
  expect(Math.min(sent, answered)).toBeGreaterThan(800);
  return [out, back];
}

async function turn(tunnel: TunnelSpec, number: number): Promise<void> {
  const begun = performance.now();
  const output: string[] = [];
  const note = (what: string): void => {
    output.push(`${what} ${((performance.now() - begun) / 1_000).toFixed(1)} s`);
  };
  const { name } = tunnel;
  await commit({ kind: "ipsec.rekey", name, what: "child" });
  note("rekeyed");
  await commit({ kind: "port.drain", port: name, means: "prepend" });
  await until(usesAllBut(number), patienceMs);
  note("empty");
  // Packets that were queued in the kernels have left by now.
  await rest(1_000);
  await commit({ kind: "ipsec.rekey", name, what: "reauthenticate" });
  note("authenticated anew");
  await commit({ kind: "ipsec.removeTunnel", name });
  expect(ip("-n", site.edge.network, "link", "show", "type", "xfrm")).not.toContain(`${name}@`);
  note("gone");
  await commit({ kind: "ipsec.putTunnel", tunnel });
  note("made again");
  await commit({ kind: "port.restore", port: name, means: "prepend" });
  await until(usesAll, patienceMs);
  note("full");
  console.log(`${name}: ${output.join(", ")}`);
}

describe("eight tunnels of one bundle", { timeout: 1_200_000 }, () => {
  it("each of eight tunnels carries its part of the traffic", async () => {
    const before = sentBy();
    const lost = await lostWhile("eight tunnels at rest", () => rest(10_000));
    const parts = sentBy().map((after, at) => after - (before[at] ?? 0));
    const sum = parts.reduce((one, other) => one + other, 0);
    const shares = parts.map((part) => `${((100 * part) / sum).toFixed(1)} %`);
    console.log(`spread of ${flows} flows, ${sum} packets: ${shares.join(", ")}`);
    expect(lost).toEqual([0, 0]);
    // A fair hash gives each tunnel 16 of 128 flows, give or take four; the kernel chooses the
    // seed.
    expect(Math.min(...parts) / sum).toBeGreaterThan(1 / (10 * count));
    expect(Math.max(...parts) / sum).toBeLessThan(2.5 / count);
  });

  it("eight tunnels lose nothing while each in turn is rekeyed and taken out", async () => {
    const taken = site.specs.slice(0, effort(2, count));
    const lost = await lostWhile(`${taken.length} tunnels in turn`, async () => {
      for (const [at, one] of taken.entries()) await turn(one, at + 1);
    });
    expect(lost).toEqual([0, 0]);
  });
});
