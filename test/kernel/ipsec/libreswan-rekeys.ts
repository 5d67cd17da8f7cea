// What a bundle of tunnels to a libreswan gateway with BGP inside each goes through: the real
// programs and FRR, and every packet in the clear counted where it would arrive.

import { setTimeout as rest } from "node:timers/promises";
import { expect } from "vitest";
import { childName } from "#drivers/linux/ipsec/messages.ts";
import type { TunnelSpec } from "#hal/tunnel-spec.ts";
import { effort } from "../../effort.ts";
import { lostOf, makeRoom, startFlows } from "../host/router.ts";
import { ip, until } from "../lab.ts";
import { BgpAgent } from "./bgp-agent.ts";
import { type BgpSite, buildForeignBgpSite } from "./bgp-site.ts";
import type { Libreswan } from "./libreswan.ts";
import { inner, LeakWatch, pings } from "./site.ts";
import { usedByPrograms } from "./used.ts";

const patienceMs = 600_000;
const settings = ["health: { poll: 5s, staleAfter: 30s, evidence: 90s }", "repair: on"];

/** How many SAs of each tunnel send, as the kernel of the edge has them. */
function sendingSas({ edge, specs }: BgpSite<Libreswan>): readonly number[] {
  const states = ip("-n", edge.network, "xfrm", "state").split(/^(?=src )/m);
  return specs.map(({ localAddress, remoteAddress }) => {
    const ends = `src ${localAddress} dst ${remoteAddress}\n`;
    return states.filter((one) => one.startsWith(ends) && !one.includes("spi 0x00000000")).length;
  });
}

const secondsSince = (begun: number): number => Math.round((performance.now() - begun) / 1_000);

/** Returns how much processor time each program uses while that is done, in seconds a minute. */
async function usedDuring(work: () => Promise<unknown>): Promise<string> {
  const [begun, before] = [performance.now(), usedByPrograms()];
  await work();
  const minutes = (performance.now() - begun) / 60_000;
  const after = [...usedByPrograms()].filter(([what]) => before.has(what));
  const texts = after.map(([what, { processorMs }]) => {
    const seconds = (processorMs - (before.get(what)?.processorMs ?? 0)) / 1_000;
    return `${what.replace(/ .*/, "")} ${(seconds / minutes).toFixed(1)}`;
  });
  return `${texts.join(", ")} s of processor a minute`;
}

/** Both ends rekey all tunnels at once; some are left with several pairs, or carry one way only. */
async function rekeyedByBoth(site: BgpSite<Libreswan>): Promise<void> {
  const { charon, far, specs } = site;
  const used = await usedDuring(async () => {
    const both = specs.flatMap((spec) => [
      far.whackLater("--rekey-child", "--name", spec.name),
      // A refusal is a collision that charon itself has noticed.
      charon.ask("rekey", { ike: spec.name, child: childName(spec) }).catch(() => undefined),
    ]);
    await Promise.all(both);
    await rest(20_000);
  });
  const sending = sendingSas(site);
  const several = sending.filter((pairs) => pairs > 1).length;
  const most = Math.max(...sending);
  console.log(
    `${specs.length} tunnels rekeyed by both: ${several} with up to ${most} pairs, ${used}`,
  );
}

/** Takes the gateway's policies of a tunnel away, as libreswan itself does in some collisions. */
function loseReturn({ gateway }: BgpSite<Libreswan>, { ifId }: TunnelSpec): void {
  for (const way of ["in", "fwd", "out"]) {
    const any = ["src", "0.0.0.0/0", "dst", "0.0.0.0/0", "dir", way, "if_id", `${ifId + 100}`];
    ip("-n", gateway.network, "xfrm", "policy", "delete", ...any);
  }
}

/** What the agent told of its repairs. */
async function repairsOf({ programs }: BgpAgent<Libreswan>): Promise<string> {
  const { out } = await programs.run("events", "--json");
  const lines = out.split("\n").filter((line) => line.includes("tunnel-repair"));
  return [`${lines.length} repairs`, ...lines].join("\n");
}

/** The gateway renews every tunnel one after the other, and ends one. */
async function renewedUnderTraffic(agent: BgpAgent<Libreswan>, seconds: number): Promise<void> {
  const { far, specs, edge, gateway } = agent.site;
  const path = [
    [edge.network, inner.edge],
    [gateway.network, inner.gateway],
  ] as const;
  const stop = await startFlows(...path, 5, 32);
  await rest(2_000);
  const used = await usedDuring(async () => {
    for (const { name } of specs) await far.whackLater("--rekey-child", "--name", name);
    const [one] = specs;
    if (specs.length > 1) far.whack("--terminate", "--name", one?.name ?? "");
    await rest(20_000);
  });
  const [out, back] = lostOf(await stop());
  await agent.untilAll(patienceMs);
  const lost = `lost ${out} out, ${back} back`;
  const memory = `${usedByPrograms().get("agent")?.megabytes} MB in the agent`;
  console.log(`${specs.length} tunnels: protected after ${seconds} s, ${lost}, ${memory}`);
  console.log(`${specs.length} tunnels while rekeyed: ${used}`);
}

/** A tunnel whose gateway has lost its policies carries again, and the agent tells why. */
async function returnIsMended(agent: BgpAgent<Libreswan>): Promise<void> {
  const { site } = agent;
  const [first] = site.specs;
  if (first === undefined) throw new Error("no tunnel");
  const before = await repairsOf(agent);
  loseReturn(site, first);
  await until(async () => {
    const [one] = (await agent.status()).tunnels;
    return one?.verdict === "protected" ? undefined : one;
  }, patienceMs);
  const lostAt = performance.now();
  await agent.untilAll(patienceMs);
  const repairs = await repairsOf(agent);
  console.log(`one without a way back: mended ${secondsSince(lostAt)} s later, ${repairs}`);
  expect(repairs).not.toBe(before);
  expect(repairs).toMatch(new RegExp(`tunnel-repaired.*${first.name} .* carries in both`));
}

/**
 * Sets `count` tunnels up, renews them from both ends under traffic, and takes one way back away.
 * `onEnd` gets what has to be done afterwards. Returns the packets that arrived in the clear.
 */
export async function carryWhileRekeyed(
  count: number,
  onEnd: (end: () => Promise<void>) => void,
): Promise<readonly string[]> {
  makeRoom();
  const site = await buildForeignBgpSite(count);
  const agent = await BgpAgent.at(site, settings);
  onEnd(() => agent.close());
  using leaks = new LeakWatch({ gateway: site.gateway.network });
  const begun = performance.now();
  await agent.untilAll(patienceMs);
  const seconds = secondsSince(begun);
  expect(await pings(site.edge.network)).toBe(3);
  // In virtual time a program uses no processor.
  const isMeasured = effort("no", "yes") === "yes";
  if (isMeasured) {
    console.log(`${count} tunnels at rest: ${await usedDuring(() => rest(60_000))}`);
  }
  await renewedUnderTraffic(agent, seconds);
  await rekeyedByBoth(site);
  const collided = performance.now();
  await agent.untilAll(
    patienceMs,
    ({ verdict, sas }) => verdict === "protected" && sas.pairs === 1,
  );
  const mended = `mended ${secondsSince(collided)} s later`;
  console.log(`${count} tunnels: ${mended}, ${await repairsOf(agent)}`);
  expect(await pings(site.edge.network)).toBe(3);
  await returnIsMended(agent);
  expect(await pings(site.edge.network)).toBe(3);
  // What is reported is what there is.
  await until(async () => {
    const sending = sendingSas(site);
    const { tunnels } = await agent.status();
    const isSame = tunnels.every(({ sas }, index) => sas.pairs === sending[index]);
    return isSame ? true : undefined;
  }, patienceMs);
  return leaks.observed;
}
