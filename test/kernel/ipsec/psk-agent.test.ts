// A tunnel of this host whose gateway gets its keys from the agent: charon at both ends, key vault
// and management API behind TLS, and counted packets.

import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as rest } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Status } from "#agent/runtime/health/status.ts";
import type { PskReport } from "#agent/runtime/tunnels/psk-report.ts";
import { connectionId } from "#sim/azure/estate.ts";
import { type AzureServed, serveAzure } from "#sim/serve/azure.ts";
import { type Pace, paceClock } from "#sim/serve/site.ts";
import { buildSite as buildCloud } from "#sim/site/site.ts";
import { readyMark } from "../../process/program.ts";
import { Programs } from "../host/programs.ts";
import { lostOf, makeRoom, startFlows } from "../host/router.ts";
import { enterNetwork, ip, leaveNetworks, until } from "../lab.ts";
import {
  buildSite,
  gatewayPsk,
  inner,
  loadGateway,
  pings,
  strong,
  type TunnelSite,
} from "./site.ts";

const psks = {
  second: "Azure_PSK_of_the_second_year",
  refused: "Azure_PSK_that_Azure_refuses",
  unused: "Azure_PSK_that_is_never_used",
  last: String.raw`Azure_PSK_with_"quotes"_and_\_in_it`,
} as const;

let folder = "";
let site: TunnelSite;
let cloud: AzureServed;
let pace: Pace;
let programs: Programs;
let agent: ChildProcess;
/** Keys that the gateway has received from the management API, oldest first. */
const given: string[] = [];
let gave = (): void => undefined;
/** Outputs of every program that was started. */
const outputs: string[] = [];

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "linkseal-psk-"));
  makeRoom();
  site = await buildSite();
  enterNetwork(site.edge);
  const shape = { seed: "tunnel", name: "demo", groups: 1, tunnels: 1, start: "clear" } as const;
  cloud = await serveAzure({
    ...{ folder, port: 0 },
    site: (vaultBase) => buildCloud({ ...shape, vaultBase }),
  });
  cloud.site.setSpeed(1);
  cloud.site.vault.put("kernel-psk", gatewayPsk);
  pace = paceClock(cloud.site.clock, { speed: 1 });
  cloud.azure.arm.sharedKeys.given = (_tunnel, key) => {
    const psk = new TextDecoder().decode(key);
    given.push(psk);
    gave();
    void loadGateway(site.far, strong, psk);
  };
  writeFileSync(join(folder, "site.yaml"), config());
  programs = new Programs(folder, site.edge);
  programs.environment = { NODE_EXTRA_CA_CERTS: cloud.ca };
  await programs.serve("net", "--charon", site.charon.socket);
  await startAgent();
  const { err } = await run("apply", join(folder, "site.yaml"), "--yes");
  if (!err.includes("Accepted as config 1.")) throw new Error(`not accepted: ${err}`);
}, 240_000);
afterAll(async () => {
  programs[Symbol.dispose]();
  await pace.stop();
  await cloud.close();
  for (const daemon of [site.charon, site.far]) daemon[Symbol.dispose]();
  leaveNetworks();
  rmSync(folder, { recursive: true });
});

function config(): string {
  const { base, tenant, clientId, certificate } = cloud;
  const [tunnel] = cloud.site.plan.tunnels;
  if (tunnel === undefined) throw new Error("the cloud has no connection");
  const connection = connectionId(cloud.site, tunnel);
  return [
    "version: 1",
    "site: kernel",
    "azure:",
    ...["  cloud: loopback", `  vault: ${base}`, `  authority: ${base}`, `  arm: ${base}`],
    `  identity: { kind: clientCertificate, tenant: ${tenant}, client: ${clientId},`,
    `    certificate: "file:${certificate}" }`,
    "devices:",
    "  - name: edge",
    "    driver: linux",
    `    address: "unix:${join(folder, "run", "net.sock")}"`,
    `    charon: "unix:${site.charon.socket}"`,
    "tunnels:",
    "  - name: hub-1",
    "    device: edge",
    "    local: { address: 198.51.100.1 }",
    `    remote: { address: 198.51.100.2, azureConnection: ${connection} }`,
    "    protects: { local: [10.1.0.0/16], remote: [10.100.0.0/16] }",
    "    auth: { psk: kernel-psk, farEnd: agent }",
    "health: { poll: 2s, staleAfter: 30s, evidence: 90s }",
    "",
  ].join("\n");
}

async function startAgent(): Promise<void> {
  const { child, output } = await programs.serveUntil(readyMark, "agent");
  agent = child;
  child.once("close", () => outputs.push(output()));
}

async function stopAgent(signal: "SIGKILL" | "SIGTERM"): Promise<void> {
  if (agent.exitCode !== null || agent.signalCode !== null) return;
  agent.kill(signal);
  await once(agent, "close");
}

async function run(...argv: readonly string[]) {
  const output = await programs.run(...argv);
  outputs.push(output.out, output.err);
  return output;
}

/** Each query starts a program, which is slow in an emulator. */
const patienceMs = 150_000;

async function psk(): Promise<PskReport> {
  const { out } = await run("psk", "show", "hub-1", "--json");
  const { psks: all } = JSON.parse(out) as { psks: readonly [PskReport] };
  return all[0];
}

const untilInUse = async (id: string): Promise<void> => {
  await until(async () => ((await psk()).secretId === id ? true : undefined), patienceMs);
};

const status = async (): Promise<Status> =>
  JSON.parse((await run("status", "--json")).out) as Status;

const spis = (): readonly string[] =>
  ip("-n", site.edge, "xfrm", "state", "list").match(/spi 0x[0-9a-f]+/g) ?? [];

/** Measures the loss at 200 packets a second each way, from 5 s before until 15 s after. */
async function lostWhile(what: string, act: () => Promise<void>): Promise<readonly number[]> {
  const stop = await startFlows([site.edge, inner.edge], [site.gateway, inner.gateway]);
  await rest(5_000);
  await act();
  await rest(15_000);
  const allCounters = await stop();
  const [out, back] = lostOf(allCounters);
  const [sent = 0, answered = 0] = allCounters.map((counters) => counters.sent);
  console.log(`${what}: lost ${out} of ${sent} out, ${back} of ${answered} back`);
  expect(Math.min(sent, answered)).toBeGreaterThan(3_000);
  return [out, back];
}

/**
 * As with every fresh authentication, the gateway sends under the new SAs before they exist here.
 */
const mostBack = 100;

describe("an agent that sends the gateway its key", { timeout: 400_000 }, () => {
  it("a tunnel comes up with the key that both ends have", async () => {
    await until(async () => {
      const [tunnel] = (await status()).tunnels;
      return tunnel?.verdict === "protected" ? true : undefined;
    }, patienceMs);
    expect(await pings(site.edge)).toBe(3);
    expect(await psk()).toMatchObject({ farEnd: "agent", next: null });
    expect(given).toEqual([]);
  });

  it("a newer key changes by itself at both ends, under traffic", async () => {
    await stopAgent("SIGTERM");
    const id = cloud.site.vault.put("kernel-psk", psks.second);
    const before = spis();
    const [out, back] = await lostWhile("a key changed by the agent alone", async () => {
      await startAgent();
      await untilInUse(id);
    });
    expect(given).toEqual([psks.second]);
    expect(spis()).not.toEqual(before);
    expect(out).toBe(0);
    expect(back).toBeLessThanOrEqual(mostBack);
  });

  it("a key that Azure refuses is not stored anywhere, and no packet is lost", async () => {
    const { secretId } = await psk();
    const id = cloud.site.vault.put("kernel-psk", psks.refused);
    cloud.azure.faults.arm.strike("authorizationFailed");
    const before = spis();
    const lost = await lostWhile("a key that Azure refuses", async () => {
      const early = await run("psk", "proceed", "hub-1");
      expect([early.status, early.err]).toEqual([
        1,
        expect.stringContaining("hub-1 keeps its old key at both ends"),
      ]);
      expect(early.err).toContain("Microsoft.Network/connections/sharedKey/write");
    });
    cloud.azure.faults.arm.heal();
    expect(lost).toEqual([0, 0]);
    expect([spis(), given]).toEqual([before, [psks.second]]);
    expect(await psk()).toMatchObject({ secretId, next: { secretId: id, state: "waiting" } });
  });

  it("a key that the gateway does not use goes back at both ends without loss", async () => {
    const { secretId } = await psk();
    const id = cloud.site.vault.put("kernel-psk", psks.unused);
    cloud.azure.arm.sharedKeys.fate = "lies";
    const before = spis();
    const lost = await lostWhile("a key that the gateway does not use", async () => {
      const output = await run("psk", "proceed", "hub-1");
      expect([output.status, output.err]).toEqual([
        1,
        expect.stringContaining("hub-1 keeps its old key, and its SAs: the gateway refuses it"),
      ]);
    });
    cloud.azure.arm.sharedKeys.fate = "succeeds";
    expect(lost).toEqual([0, 0]);
    expect(spis()).toEqual(before);
    expect(await psk()).toMatchObject({ secretId, next: { secretId: id, state: "held" } });
  });

  it("an agent killed between the gateway's change and ours completes the change", async () => {
    const id = cloud.site.vault.put("kernel-psk", psks.last);
    const [out, back] = await lostWhile("an agent killed between the two ends", async () => {
      gave = () => void agent.kill("SIGKILL");
      await Promise.all([once(agent, "close"), run("psk", "proceed", "hub-1")]);
      gave = () => undefined;
      expect(given.at(-1)).toBe(psks.last);
      await startAgent();
      await untilInUse(id);
    });
    expect(given.slice(1)).toEqual([psks.last, psks.last]);
    expect(out).toBe(0);
    expect(back).toBeLessThanOrEqual(mostBack);
    // The tunnel comes back with the new key alone: neither end has the old one any more.
    await site.charon.stop("SIGKILL");
    await site.charon.start();
    await until(async () => {
      const [tunnel] = (await status()).tunnels;
      return tunnel?.verdict === "protected" ? true : undefined;
    }, patienceMs);
    expect(await pings(site.edge)).toBe(3);
  });

  it("no output contains a key", async () => {
    await stopAgent("SIGTERM");
    for (const key of [gatewayPsk, ...Object.values(psks)]) {
      for (const form of [key, Buffer.from(key).toString("hex"), JSON.stringify(key)]) {
        expect(outputs.filter((text) => text.includes(form))).toEqual([]);
      }
    }
  });
});
