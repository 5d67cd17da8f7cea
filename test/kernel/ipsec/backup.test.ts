// A tunnel as the backup of two links under MACsec, tested by commands and their output: it stands
// by and is proven, takes over and gives back, and no protected packet is ever in the clear.

import { setTimeout as rest } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Status } from "#agent/runtime/health/status.ts";
import { links, secyOn } from "../../lab/lab.ts";
import { farPort } from "../../lab/stand-in.ts";
import { lostOf, startFlows } from "../host/router.ts";
import { enterNetwork, ip, ipBatch, ipJson, until } from "../lab.ts";
import { BackupSite } from "./backup-site.ts";
import { ProtectedWatch } from "./protected-watch.ts";
import { inner, pings } from "./site.ts";

let site: BackupSite;
let watches: readonly ProtectedWatch[] = [];

/** Each query starts a program, which is slow in an emulator. */
const patienceMs = 240_000;
type Tunnel = Status["tunnels"][number];

beforeAll(async () => {
  site = await BackupSite.open();
}, 300_000);
afterAll(async () => {
  for (const watch of watches) watch[Symbol.dispose]();
  await site[Symbol.asyncDispose]();
}, 60_000);

/** Waits for the first status that matches, and prints the time since the call. */
async function untilReported(
  what: string,
  is: (tunnel: Tunnel, status: Status) => boolean,
): Promise<{ readonly reported: Tunnel; readonly status: Status }> {
  const begun = performance.now();
  let last: Status | undefined;
  const probe = async () => {
    last = await site.status();
    const [reported] = last.tunnels;
    return reported !== undefined && is(reported, last) ? { reported, status: last } : undefined;
  };
  const found = await until(probe, patienceMs).catch((error: unknown) => {
    throw new Error(`${what}: ${JSON.stringify(last)}`, { cause: error });
  });
  console.log(`${what}: reported after ${Math.round(performance.now() - begun)} ms`);
  return found;
}

const edge = (): string => site.pair.edge.network;
const way = (): string => ip("-n", edge(), "route", "get", inner.gateway, "from", inner.edge);
const isOpen = (status: Status, code: string): boolean =>
  status.warnings.some((warning) => warning.code === code && warning.absentSince === null);

const leaks = (): readonly string[] => watches.flatMap(({ observed }) => observed);

describe("a tunnel as the backup of links", { timeout: 1_500_000 }, () => {
  it("a backup tunnel comes up once links are under MACsec, stands by, and is proven", async () => {
    const begun = performance.now();
    await site.apply("20s");
    const { reported } = await until(async () => {
      const status = await site.status();
      const [found] = status.tunnels;
      const isSo = status.verdict === "protected" && found?.backup?.provenAt !== null;
      return isSo && found !== undefined ? { reported: found } : undefined;
    }, 1_200_000).catch(async (error: unknown) => {
      throw new Error(JSON.stringify(await site.status()), { cause: error });
    });
    console.log(`enrolled and backed after ${Math.round((performance.now() - begun) / 1000)} s`);
    expect(reported.backup).toMatchObject({ group: "erd-demo", rides: "standby", unproven: null });
    expect(way()).toMatch(
      new RegExp(`dev (?:${links.map(({ port }) => secyOn(edge(), port)).join("|")})`),
    );
    const far = site.pair.far.network;
    watches = [...links.map(({ port }) => farPort(port)), "wire"].map(
      (port) => new ProtectedWatch(far, port),
    );
    enterNetwork(edge());
    expect(await pings(edge(), 10)).toBe(10);
    expect((await site.programs.run("tunnels")).out).toContain("standby for erd-demo");
    expect(leaks()).toEqual([]);
  });

  it("a backup tunnel takes over when links are cut, and gives back, with reports", async () => {
    const far = site.pair.far.network;
    const stop = await startFlows([edge(), inner.edge], [far, inner.gateway]);
    await rest(3_000);
    const cutAt = performance.timeOrigin + performance.now();
    site.light("down");
    const cut = await untilReported("links cut, the backup carries", (one, status) => {
      return one.backup?.rides === "carries" && isOpen(status, "backup-carries");
    });
    const observedMs = Date.parse(cut.reported.backup?.since ?? "") - cutAt;
    console.log(`links cut, the backup carries: seen by a look ${Math.round(observedMs)} ms after`);
    expect(cut.reported.backup?.because).toContain("erd-demo/primary is down (link-down)");
    const { text } = cut.status.warnings.find(({ code }) => code === "backup-carries") ?? {};
    expect(text).toMatch(/^10\.100\.0\.0\/16 rides in hub-1, the backup of erd-demo, since 2/);
    expect(way()).toContain("dev hub-1");
    expect(cut.reported.verdict).toBe("protected");
    const toTunnel = await stop();
    const [out, back] = lostOf(toTunnel);
    const silent = toTunnel.map(({ silence }) => Math.round(silence.until - silence.from));
    console.log(`into the tunnel: ${out} out and ${back} back of ${toTunnel[0]?.sent} lost`);
    console.log(`nothing came for ${silent.join(" and ")} ms`);
    expect(await pings(edge(), 5)).toBe(5);
    const again = await startFlows([edge(), inner.edge], [far, inner.gateway]);
    await rest(1_000);
    const backAt = performance.timeOrigin + performance.now();
    site.light("up");
    const home = await untilReported("links back, the backup stands by", (one, status) => {
      return one.backup?.rides === "standby" && !isOpen(status, "backup-carries");
    });
    const homeMs = Date.parse(home.reported.backup?.since ?? "") - backAt;
    console.log(`links back, the backup stands by: seen by a look ${Math.round(homeMs)} ms after`);
    expect(home.reported.backup?.because).toBeNull();
    const [outHome, backHome] = lostOf(await again());
    console.log(`back onto the links: ${outHome} out and ${backHome} back lost`);
    await untilReported(
      "everything is protected again",
      (_one, { verdict }) => verdict === "protected",
    );
    const { out: events } = await site.programs.run("events");
    expect(events).toMatch(/hub-1 +10\.100\.0\.0\/16 rides in hub-1.*\(backup-carries\)/);
    expect(leaks()).toEqual([]);
  });

  it("a backup tunnel that is preferred to a link that carries is a warning", async () => {
    site.preferLinks(50);
    const { reported } = await untilReported("the backup is preferred", (one, status) => {
      return one.backup?.rides === "preferred" && isOpen(status, "backup-preferred");
    });
    expect(reported.backup?.because).toMatch(
      /erd-demo\/\w+ is protected and brings 10\.100\.0\.0\/16/,
    );
    expect(reported.verdict).toBe("protected");
    site.preferLinks(200);
    await untilReported("the links are preferred", (one) => one.backup?.rides === "standby");
    expect(leaks()).toEqual([]);
  });

  it("a backup tunnel whose gateway drops the packets inside is not called proven", async () => {
    site.swallowEchoes("on");
    const { reported } = await untilReported("the backup is not proven", (_one, status) => {
      return isOpen(status, "backup-unproven");
    });
    expect(reported.backup?.unproven).toMatch(
      /none of \d+ packets to 169\.254\.21\.1 through hub-1/,
    );
    expect(reported).toMatchObject({ verdict: "degraded", bgp: { up: true } });
    site.swallowEchoes("off");
    await untilReported("the backup is proven", (one) => one.backup?.unproven === null);
  });

  it("a backup tunnel blocks the prefix where a SecY is gone, and that is reported", async () => {
    const [{ port }] = links;
    const [own] = ipJson<readonly { readonly address: string }[]>(
      ...["-n", site.pair.far.network, "link", "show", farPort(port)],
    );
    ipBatch(
      [
        `link delete ${secyOn(edge(), port)}`,
        `addr add 192.0.2.1/30 dev ${port}`,
        `neigh replace 192.0.2.2 lladdr ${own?.address} dev ${port} nud permanent`,
        `route add ${inner.gateway}/32 via 192.0.2.2 dev ${port}`,
      ],
      "-n",
      edge(),
    );
    expect(way()).toContain(`dev ${port} `);
    expect(await pings(edge(), 20)).toBe(0);
    expect(leaks()).toEqual([]);
    const { reported } = await untilReported("a route past MACsec", ({ reasons }) =>
      reasons.some(({ code }) => code === "clear-path-beside-tunnel"),
    );
    expect(reported.reasons[0]?.text).toContain(`edge reaches 10.100.0.0/16 over ${port}`);
    expect(reported.reasons[0]?.text).toContain("what takes that way is lost");
    ipBatch(
      [`route delete ${inner.gateway}/32`, `addr delete 192.0.2.1/30 dev ${port}`],
      "-n",
      edge(),
    );
    expect(leaks()).toEqual([]);
  });

  it("the watch of this test sees clear packets", async () => {
    const [{ port }] = links;
    ip("-n", edge(), "xfrm", "policy", "flush");
    ipBatch(
      [
        `addr add 192.0.2.1/30 dev ${port}`,
        `route add ${inner.gateway}/32 via 192.0.2.2 dev ${port}`,
      ],
      "-n",
      edge(),
    );
    await pings(edge());
    expect(leaks()[0]).toContain(`${farPort(port)}: ${inner.edge} > ${inner.gateway}, protocol 1`);
  });
});
