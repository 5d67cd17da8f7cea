// An agent of a Linux router, tested by its command line and output.

import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { LinkStatus, Status } from "#agent/runtime/health/status.ts";
import { type Pace, paceClock, type Served, serveSite } from "#sim/serve/site.ts";
import { siteHandler } from "#sim/site/protocol.ts";
import { buildSite } from "#sim/site/site.ts";
import { ip, ipBatch, leaveNetworks, until } from "../lab.ts";
import { Programs } from "./programs.ts";
import { buildPair, farAs, type Pair, stopRouter, type } from "./router.ts";

let folder = "";
let pair: Pair;
let served: Served;
let pace: Pace;
let programs: Programs;
let net: ChildProcess;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "linkseal-agent-"));
  pair = await buildPair();
  // Keys and far ends are simulated; the agent observes and changes this kernel.
  const shape = { seed: "kernel", name: "demo", groups: 1, tunnels: 0, start: "clear" } as const;
  const site = buildSite(shape);
  served = await serveSite(siteHandler(site), join(folder, "site.sock"));
  pace = paceClock(site.clock, { speed: 1 });
  writeFileSync(join(folder, "site.yaml"), config());
  programs = new Programs(folder, pair.edge.network);
  net = await programs.serve("net");
  await programs.serve("agent");
  const { err } = await programs.run("apply", join(folder, "site.yaml"), "--yes");
  if (!err.includes("Accepted as config 1.")) throw new Error(`not accepted: ${err}`);
}, 180_000);
afterAll(async () => {
  programs[Symbol.dispose]();
  await pace.stop();
  await served.close();
  for (const router of [pair.edge, pair.far]) stopRouter(router);
  leaveNetworks();
  rmSync(folder, { recursive: true });
});

function config(): string {
  const link = (index: 1 | 2, name: string): string[] => [
    `      - name: ${name}`,
    "        device: edge",
    `        port: p${index}`,
    `        azureLink: link${index}`,
    "        speed: 10G",
    "        macsec: { suite: gcm-aes-256 }",
    `        key: { cak: erd-demo-${index}-cak, ckn: erd-demo-${index}-ckn }`,
  ];
  return [
    "version: 1",
    "site: kernel",
    `azure: { cloud: sim, vault: "unix:${join(folder, "site.sock")}" }`,
    "devices:",
    "  - name: edge",
    "    driver: linux",
    `    address: "unix:${join(folder, "run", "net.sock")}"`,
    `    frr: ${pair.edge.frr.shell.at(-1)}`,
    "groups:",
    "  - name: erd-demo",
    "    expressRoutePort: erd-demo",
    "    links:",
    ...link(1, "primary"),
    ...link(2, "secondary"),
    "health: { poll: 5s, staleAfter: 11s }",
    "",
  ].join("\n");
}

async function status(): Promise<Status> {
  return JSON.parse((await programs.run("status", "--json")).out) as Status;
}

async function linkOf(name: string): Promise<LinkStatus> {
  const link = (await status()).groups[0]?.links.find((each) => each.name === name);
  if (link === undefined) throw new Error(`no link ${name}`);
  return link;
}

const reasonOf = async (name: string, code: string): Promise<string | undefined> =>
  (await linkOf(name)).reasons.find((reason) => reason.code === code)?.text;

describe("an agent on a Linux router", { timeout: 180_000 }, () => {
  it("an agent on a Linux router reports both links as they are", async () => {
    // A verdict takes two observations.
    const links = await until(async () => {
      const all = (await status()).groups[0]?.links;
      return all?.every(({ verdict }) => verdict !== "unknown") === true ? all : undefined;
    });
    expect(await reasonOf("secondary", "macsec-not-configured")).toBeDefined();
    expect(links.map(({ port, verdict }) => [port, verdict])).toEqual([
      ["p1", "unprotected"],
      ["p2", "unprotected"],
    ]);
  });

  it("drain and undrain move the traffic of a link away and back by FRR", async () => {
    const settled = (up: number) => () => {
      const routes = type(pair.far, "show ip route 198.51.100.1/32");
      return routes.match(/via m|, m\d/g)?.length === up ? true : undefined;
    };
    await until(settled(2));
    const away = await programs.run("drain", "erd-demo/primary");
    expect([away.status, away.err]).toEqual([0, ""]);
    await until(settled(1));
    expect(type(pair.far, "show ip route 198.51.100.1/32")).toContain("m2");
    await until(async () => {
      const { warnings } = await status();
      return warnings.some(({ code }) => code === "drained-by-hand") ? true : undefined;
    });
    const refused = await programs.run("drain", "erd-demo/secondary");
    expect(refused.status).toBe(6);
    const back = await programs.run("undrain", "erd-demo/primary");
    expect([back.status, back.err]).toEqual([0, ""]);
    await until(settled(2));
  });

  it("a wrong MD5 password of a session is named", async () => {
    const set = (word: string): string =>
      type(
        pair.far,
        "configure terminal",
        `router bgp ${farAs}`,
        `neighbor 192.0.2.1 password ${word}`,
      );
    set("another");
    const warning = await until(async () => {
      const { warnings } = await status();
      return warnings.find(({ code, text }) => code === "bgp-trouble" && /MD5/.test(text));
    });
    expect(warning).toMatchObject({ about: "erd-demo/primary" });
    expect(warning.text).toContain("192.0.2.2: wrong MD5 password (RFC 2385)");
    set("of-this-lab");
  });

  it("a SecY that lets frames through is reported before the next poll", async () => {
    const { network } = pair.edge;
    const begun = performance.now();
    ipBatch(
      ["link add link p2 name ms type macsec encrypt on", "link set ms type macsec validate check"],
      "-n",
      network,
    );
    const text = await until(() => reasonOf("secondary", "policy-should-secure"));
    const observedMs = Math.round(performance.now() - begun);
    expect(text).toContain("validate is not strict");
    expect(text).toContain("has an address below its SecY");
    expect(await reasonOf("secondary", "sak-not-agreed")).toContain("has no SAK");
    console.log(`a SecY that lets data through was told ${observedMs} ms after it was made`);
    ip("-n", network, "link", "delete", "ms");
  });

  it("an agent without linkseal-net reports unknown, and all again once it is back", async () => {
    net.kill("SIGKILL");
    await once(net, "close");
    // The verdict may be unknown already, for a reason of the test before.
    const named = await until(async () => await reasonOf("primary", "device-unreachable"));
    expect(named).toContain("edge");
    expect((await linkOf("primary")).verdict).toBe("unknown");
    net = await programs.serve("net");
    await until(async () => (await reasonOf("primary", "macsec-not-configured")) && true);
  });
});
