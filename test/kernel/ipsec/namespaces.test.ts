// Two network namespaces of one host, each with its own linkseal-net and charon, and the very same
// addresses in both; one agent looks after them.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Status } from "#agent/health/status.ts";
import { siteHandler } from "#sim/faces/site.ts";
import { type Pace, paceClock, type Served, serveSite } from "#sim/serve.ts";
import { buildSite as buildCloud } from "#sim/site.ts";
import { Programs } from "../host/programs.ts";
import { ip, leaveNetworks, until } from "../lab.ts";
import { buildSite, gatewayPsk, pings, type TunnelSite } from "./site.ts";

interface Space {
  readonly site: TunnelSite;
  readonly folder: string;
  readonly programs: Programs;
}

let spaces: readonly Space[] = [];
let served: Served;
let pace: Pace;

const folderOf = (): string => mkdtempSync(join(tmpdir(), "linkseal-space-"));

async function openSpace(): Promise<Space> {
  const [site, folder] = [await buildSite(), folderOf()];
  const programs = new Programs(folder, site.edge);
  await programs.serve("net", "--charon", site.charon.socket);
  return { site, folder, programs };
}

beforeAll(async () => {
  spaces = [await openSpace(), await openSpace()];
  const [first] = spaces;
  if (first === undefined) throw new Error("there is no space");
  const { folder, programs } = first;
  const shape = { seed: "spaces", name: "demo", groups: 1, tunnels: 0, start: "clear" } as const;
  const cloud = buildCloud(shape);
  cloud.vault.put("hub-psk", gatewayPsk);
  served = await serveSite(siteHandler(cloud), join(folder, "site.sock"));
  pace = paceClock(cloud.clock, { speed: 1 });
  writeFileSync(join(folder, "site.yaml"), config(folder));
  await programs.serve("agent");
  const { err } = await programs.run("apply", join(folder, "site.yaml"), "--yes");
  if (!err.includes("Accepted as config 1.")) throw new Error(`not accepted: ${err}`);
}, 300_000);
afterAll(async () => {
  for (const { programs } of spaces) programs[Symbol.dispose]();
  await pace.stop();
  await served.close();
  for (const { site } of spaces) {
    for (const daemon of [site.charon, site.far]) daemon[Symbol.dispose]();
  }
  leaveNetworks();
  for (const { folder } of spaces) rmSync(folder, { recursive: true });
});

function config(folder: string): string {
  return [
    "version: 1",
    "site: kernel",
    `azure: { cloud: sim, vault: "unix:${join(folder, "site.sock")}" }`,
    "devices:",
    ...spaces.flatMap(({ site, folder: own }, index) => [
      `  - name: space-${index + 1}`,
      "    driver: linux",
      `    address: "unix:${join(own, "run", "net.sock")}"`,
      `    charon: "unix:${site.charon.socket}"`,
    ]),
    "tunnels:",
    ...spaces.flatMap((_space, index) => [
      `  - name: hub-${index + 1}`,
      `    device: space-${index + 1}`,
      "    local: { address: 198.51.100.1 }",
      "    remote: { address: 198.51.100.2 }",
      "    protects: { local: [10.1.0.0/16], remote: [10.100.0.0/16] }",
      "    auth: { psk: hub-psk }",
    ]),
    "health: { poll: 2s, staleAfter: 30s, evidence: 90s }",
    "",
  ].join("\n");
}

/** Each question is a program of its own, which an emulator starts slowly. */
const patienceMs = 150_000;

async function untilVerdicts(...wanted: readonly string[]): Promise<void> {
  const [first] = spaces;
  await until(async () => {
    const said = await first?.programs.run("status", "--json");
    const { tunnels } = JSON.parse(said?.out ?? "") as Status;
    return tunnels.map(({ verdict }) => verdict).join() === wanted.join() ? true : undefined;
  }, patienceMs);
}

const linksIn = ({ edge }: TunnelSite): string => ip("-n", edge, "link", "show", "type", "xfrm");

describe("an agent with tunnels in two namespaces", { timeout: 400_000 }, () => {
  it("sets up each in its own, with the same addresses in both", async () => {
    await untilVerdicts("protected", "protected");
    for (const [index, { site }] of spaces.entries()) {
      expect(await pings(site.edge)).toBe(3);
      expect(linksIn(site)).toContain(`hub-${index + 1}@`);
      expect(linksIn(site)).not.toContain(`hub-${2 - index}@`);
    }
  });

  it("tells what is wrong in one of them of that one alone", async () => {
    const [first, second] = spaces;
    await second?.site.charon.stop("SIGKILL");
    await untilVerdicts("protected", "unknown");
    expect(await pings(first?.site.edge ?? "")).toBe(3);
    await second?.site.charon.start();
    await untilVerdicts("protected", "protected");
  });
});
