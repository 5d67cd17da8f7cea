// Bundles of tunnels to a libreswan gateway with BGP inside each: the real programs and FRR, and
// every packet in the clear counted where it would arrive.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as rest } from "node:timers/promises";
import { afterEach, describe, expect, it } from "vitest";
import type { Status } from "#agent/runtime/health/status.ts";
import { paceClock, serveSite } from "#sim/serve/site.ts";
import { siteHandler } from "#sim/site/protocol.ts";
import { buildSite as buildCloud } from "#sim/site/site.ts";
import { effort } from "../../effort.ts";
import { Programs } from "../host/programs.ts";
import { lostOf, makeRoom, startFlows } from "../host/router.ts";
import { ip, leaveNetworks, until } from "../lab.ts";
import { type BgpSite, buildForeignBgpSite, leaveBgpSite } from "./bgp-site.ts";
import type { Libreswan } from "./libreswan.ts";
import { gatewayPsk, inner, LeakWatch, pings } from "./site.ts";

const patienceMs = 400_000;
const ends: (() => unknown)[] = [];

afterEach(async () => {
  for (const end of ends.splice(0).toReversed()) await end();
});

interface Bundle {
  readonly site: BgpSite<Libreswan>;
  readonly programs: Programs;
  readonly agent: number;
  readonly leaks: LeakWatch;
}

async function openBundle(count: number): Promise<Bundle> {
  makeRoom();
  const folder = mkdtempSync(join(tmpdir(), "linkseal-bundle-"));
  ends.push(() => rmSync(folder, { recursive: true }));
  const site = await buildForeignBgpSite(count);
  ends.push(leaveNetworks, () => leaveBgpSite(site));
  const shape = { seed: "bundle", name: "demo", groups: 1, tunnels: 0, start: "clear" } as const;
  const cloud = buildCloud(shape);
  for (const { name } of site.specs) cloud.vault.put(`${name}-psk`, gatewayPsk);
  const served = await serveSite(siteHandler(cloud), join(folder, "site.sock"));
  const pace = paceClock(cloud.clock, { speed: 1 });
  ends.push(
    () => served.close(),
    () => pace.stop(),
  );
  const programs = new Programs(folder, site.edge.network);
  ends.push(() => programs[Symbol.dispose]());
  writeFileSync(join(folder, "site.yaml"), configOf(site, folder));
  await programs.serve("net", "--charon", site.charon.socket);
  const { pid = 0 } = await programs.serve("agent");
  const { err } = await programs.run("apply", join(folder, "site.yaml"), "--yes");
  if (!err.includes("Accepted as config 1.")) throw new Error(`not accepted: ${err}`);
  const leaks = new LeakWatch({ gateway: site.gateway.network });
  ends.push(() => leaks[Symbol.dispose]());
  return { site, programs, agent: pid, leaks };
}

function configOf(site: BgpSite<Libreswan>, folder: string): string {
  return [
    "version: 1",
    "site: kernel",
    `azure: { cloud: sim, vault: "unix:${join(folder, "site.sock")}" }`,
    "devices:",
    "  - name: edge",
    "    driver: linux",
    `    address: "unix:${join(folder, "run", "net.sock")}"`,
    `    charon: "unix:${site.charon.socket}"`,
    `    frr: ${site.edge.frr.shell.at(-1)}`,
    "tunnels:",
    ...site.specs.flatMap(({ name, localAddress, remoteAddress, bgp }) => [
      `  - name: ${name}`,
      "    device: edge",
      `    local: { address: ${localAddress} }`,
      `    remote: { address: ${remoteAddress} }`,
      "    protects: { local: [10.1.0.0/16], remote: [10.100.0.0/16] }",
      `    auth: { psk: ${name}-psk }`,
      `    bgp: { local: ${bgp?.local}, peer: ${bgp?.peer} }`,
    ]),
    "health: { poll: 5s, staleAfter: 30s, evidence: 90s }",
    "",
  ].join("\n");
}

async function untilAll({ site, programs }: Bundle): Promise<void> {
  let last: Status["tunnels"] = [];
  await until(async () => {
    const { out } = await programs.run("status", "--json");
    last = (JSON.parse(out) as Status).tunnels;
    const isSo = last.every(({ verdict }) => verdict === "protected");
    await rest(1_000);
    return last.length === site.specs.length && isSo ? true : undefined;
  }, patienceMs).catch((error: unknown) => {
    const bad = last.filter(({ verdict }) => verdict !== "protected");
    throw new Error(JSON.stringify(bad), { cause: error });
  });
}

/** How many SAs of each tunnel send, as the kernel of the edge has them. */
function sendingSas({ edge, specs }: BgpSite<Libreswan>): readonly number[] {
  const states = ip("-n", edge.network, "xfrm", "state").split(/^(?=src )/m);
  return specs.map(({ localAddress, remoteAddress }) => {
    const ends = `src ${localAddress} dst ${remoteAddress}\n`;
    return states.filter((one) => one.startsWith(ends) && !one.includes("spi 0x00000000")).length;
  });
}

/** The memory of a process that has ever been resident at once, in MB. */
function mostMegabytes(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  const [, kilobytes = "0"] = /^VmHWM:\s+(\d+) kB$/m.exec(status) ?? [];
  return Math.round(Number(kilobytes) / 1_024);
}

describe("a bundle of tunnels to libreswan", { timeout: 900_000 }, () => {
  it.each(effort([8], [1, 8, 50]))("%i tunnels carry while all are rekeyed", async (count) => {
    const bundle = await openBundle(count);
    const { site, programs, leaks } = bundle;
    const begun = performance.now();
    await untilAll(bundle);
    const seconds = Math.round((performance.now() - begun) / 1_000);
    expect(await pings(site.edge.network)).toBe(3);
    const path = [
      [site.edge.network, inner.edge],
      [site.gateway.network, inner.gateway],
    ] as const;
    const stop = await startFlows(...path, 5, 32);
    await rest(2_000);
    for (const { name } of site.specs) await site.far.whackLater("--rekey-child", "--name", name);
    const [one] = site.specs;
    if (count > 1) site.far.whack("--terminate", "--name", one?.name ?? "");
    await rest(20_000);
    const [out, back] = lostOf(await stop());
    await untilAll(bundle);
    const memory = `${mostMegabytes(bundle.agent)} MB in the agent`;
    const lost = `lost ${out} out, ${back} back`;
    console.log(`${count} tunnels: protected after ${seconds} s, ${lost}, ${memory}`);
    expect(leaks.observed).toEqual([]);
    // Rekeys of both ends at once may leave a second pair: what is reported is what there is.
    await until(async () => {
      const { out: text } = await programs.run("status", "--json");
      const { tunnels } = JSON.parse(text) as Status;
      const sending = sendingSas(site);
      const isSame = tunnels.every(({ sas }, index) => sas.pairs === sending[index]);
      return isSame ? true : undefined;
    }, patienceMs);
  });
});
