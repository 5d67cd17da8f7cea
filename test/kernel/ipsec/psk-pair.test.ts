// Two tunnels of this host to the two instances of an active-active gateway, each of them a charon
// of its own, with one connection and one key in Azure: an agent changes the key at all four ends,
// and is killed at each record of its journal and at each instance's new key.

import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
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
import { planSite } from "#sim/site/site-plan.ts";
import { readyMark } from "../../process/program.ts";
import { Programs } from "../host/programs.ts";
import { lostOf, makeRoom, startFlows } from "../host/router.ts";
import { enterNetwork, leaveNetworks, until } from "../lab.ts";
import { buildPairSite, edgeAddress, type Instance, type PairSite } from "./pair-site.ts";
import { gatewayPsk, pings } from "./site.ts";

const patienceMs = 150_000;
let folder = "";
let site: PairSite;
let cloud: AzureServed;
let pace: Pace;
let programs: Programs;
let agent: ChildProcess;
/** Keys by the tunnel whose instance received them, oldest first. */
const given: Record<string, string[]> = { "hub-1": [], "hub-2": [] };
let gave = (_tunnel: string): void => undefined;
const outputs: string[] = [];
const keys: string[] = [gatewayPsk];

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "linkseal-pair-"));
  makeRoom();
  site = await buildPairSite();
  enterNetwork(site.edge);
  const plan = planSite("demo", 1, 2);
  const shared = { connection: "connections/hub", pskSecret: "kernel-psk" };
  const tunnels = plan.tunnels.map((tunnel) => ({ ...tunnel, ...shared }));
  const shape = { seed: "tunnel", name: "demo", groups: 1, tunnels: 2, start: "clear" } as const;
  cloud = await serveAzure({
    ...{ folder, port: 0 },
    site: (vaultBase) => buildCloud({ ...shape, vaultBase, plan: { ...plan, tunnels } }),
  });
  cloud.site.setSpeed(1);
  cloud.site.vault.put("kernel-psk", gatewayPsk);
  pace = paceClock(cloud.site.clock, { speed: 1 });
  cloud.azure.arm.sharedKeys.given = (tunnel, octets) => {
    const key = new TextDecoder().decode(octets);
    given[tunnel]?.push(key);
    const instance = site.instances.find(({ name }) => name === tunnel);
    void instance?.load(key);
    gave(tunnel);
  };
  writeFileSync(join(folder, "site.yaml"), config());
  programs = new Programs(folder, site.edge);
  programs.environment = { NODE_EXTRA_CA_CERTS: cloud.ca };
  await programs.serve("net", "--charon", site.charon.socket);
  await startAgent();
  const { err } = await run("apply", join(folder, "site.yaml"), "--yes");
  if (!err.includes("Accepted as config 1.")) throw new Error(`not accepted: ${err}`);
}, 300_000);
afterAll(async () => {
  programs[Symbol.dispose]();
  await pace.stop();
  await cloud.close();
  for (const daemon of [site.charon, ...site.instances.map(({ far }) => far)]) {
    daemon[Symbol.dispose]();
  }
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
    ...site.instances.flatMap(({ name, address, prefix }) => [
      `  - name: ${name}`,
      "    device: edge",
      `    local: { address: ${edgeAddress} }`,
      `    remote: { address: ${address}, azureConnection: ${connection} }`,
      `    protects: { local: [10.1.0.0/16], remote: [${prefix}] }`,
      "    auth: { psk: kernel-psk, farEnd: agent }",
    ]),
    "health: { poll: 2s, staleAfter: 30s, evidence: 90s }",
    "",
  ].join("\n");
}

async function startAgent(): Promise<void> {
  const { child, output } = await programs.serveUntil(readyMark, "agent");
  agent = child;
  child.once("close", () => outputs.push(output()));
}

async function run(...argv: readonly string[]) {
  const output = await programs.run(...argv);
  outputs.push(output.out, output.err);
  return output;
}

const status = async (): Promise<Status> =>
  JSON.parse((await run("status", "--json")).out) as Status;

async function psks(): Promise<readonly PskReport[]> {
  const { out } = await run("psk", "show", "--json");
  return (JSON.parse(out) as { psks: readonly PskReport[] }).psks;
}

const untilInUse = async (id: string): Promise<void> => {
  await until(async () => {
    const all = await psks();
    return all.every(({ secretId, next }) => secretId === id && next === null) ? true : undefined;
  }, patienceMs);
};

function newKey(name: string): string {
  const key = `Key_of_the_pair_${name}`;
  keys.push(key);
  return cloud.site.vault.put("kernel-psk", key);
}

const records = (): number =>
  readFileSync(join(folder, "state", "journal"), "latin1").split("\n").length;

/** Kills the agent once the journal has so many more records; resolves when it has ended. */
function killedAfter(count: number): Promise<unknown> {
  const from = records();
  const timer = setInterval(() => {
    if (records() >= from + count) agent.kill("SIGKILL");
  }, 1);
  return once(agent, "close").finally(() => clearInterval(timer));
}

const answered = async ({ host }: Instance): Promise<number> =>
  await pings(site.edge, 3, 0.2, host);

async function lostWhile(what: string, act: () => Promise<void>): Promise<readonly number[]> {
  const [one] = site.instances;
  const stop = await startFlows([site.edge, "10.1.0.1"], [one.network, one.host]);
  await rest(5_000);
  await act();
  await rest(15_000);
  const [out, back] = lostOf(await stop());
  console.log(`${what}: lost ${out} out, ${back} back`);
  return [out, back];
}

describe("a pair of tunnels to the two instances of a gateway", { timeout: 3_000_000 }, () => {
  it("both tunnels come up with the one key of their connection", async () => {
    await until(async () => {
      const { tunnels } = await status();
      return tunnels.every(({ verdict }) => verdict === "protected") ? true : undefined;
    }, patienceMs);
    for (const instance of site.instances) expect(await answered(instance)).toBe(3);
    expect((await psks()).map(({ pair, farEnd }) => [pair, farEnd])).toEqual([
      ["hub-2", "agent"],
      ["hub-1", "agent"],
    ]);
  });

  it("a newer key changes at all four ends by one write", async () => {
    const id = newKey("at_once");
    const [out, back] = await lostWhile("a key of a pair", async () => {
      await run("psk", "proceed", "hub-2");
      await untilInUse(id);
    });
    expect(given).toEqual({ "hub-1": [keys.at(-1)], "hub-2": [keys.at(-1)] });
    expect(out).toBe(0);
    expect(back).toBeLessThanOrEqual(100);
  });

  it("a key that one instance does not use goes back at all four ends without loss", async () => {
    const [before] = await psks();
    cloud.azure.arm.sharedKeys.deaf.add("hub-2");
    const id = newKey("of_one_instance");
    const lost = await lostWhile("a key that one instance does not use", async () => {
      const { status: exit, err } = await run("psk", "proceed", "hub-1");
      expect(exit).toBe(1);
      expect(err).toContain("hub-1 and hub-2 keep their old key, and their SAs");
    });
    cloud.azure.arm.sharedKeys.deaf.clear();
    expect(lost[0]).toBe(0);
    for (const { secretId, next } of await psks()) {
      expect([secretId, next?.secretId, next?.state]).toEqual([before?.secretId, id, "held"]);
    }
    for (const instance of site.instances) expect(await answered(instance)).toBe(3);
  });

  it("an agent killed at any record of its journal changes the key at all four ends", async () => {
    const wrong: string[] = [];
    let killed = 0;
    for (let count = 1; count <= 60; count += 1) {
      const id = newKey(`record_${count}`);
      const death = killedAfter(count);
      const proceeding = run("psk", "proceed", "hub-1");
      const isDead = await Promise.race([death.then(() => true), untilInUse(id).then(() => false)]);
      if (isDead) await startAgent();
      await proceeding;
      await untilInUse(id);
      const at = `killed after ${count} records`;
      const last = [given["hub-1"]?.at(-1), given["hub-2"]?.at(-1)];
      if (last.some((key) => key !== keys.at(-1))) wrong.push(`${at}: an instance has another key`);
      for (const instance of site.instances) {
        if ((await answered(instance)) !== 3) wrong.push(`${at}: ${instance.name} does not carry`);
      }
      if (!isDead) {
        agent.kill("SIGKILL");
        await death;
        await startAgent();
        break;
      }
      killed += 1;
    }
    console.log(`${killed} records, killed after each`);
    expect(killed).toBeGreaterThanOrEqual(10);
    expect(wrong).toEqual([]);
  });

  it.each(["hub-1", "hub-2"])("an agent killed when %s has its key completes it", async (at) => {
    const id = newKey(`given_to_${at.replace("-", "_")}`);
    gave = (tunnel) => void (tunnel === at ? agent.kill("SIGKILL") : undefined);
    await Promise.all([once(agent, "close"), run("psk", "proceed", "hub-1")]);
    gave = () => undefined;
    await startAgent();
    await untilInUse(id);
    // Each tunnel comes back with the new key alone: no end has another one any more.
    await site.charon.stop("SIGKILL");
    await site.charon.start();
    await until(async () => {
      const { tunnels } = await status();
      return tunnels.every(({ verdict }) => verdict === "protected") ? true : undefined;
    }, patienceMs);
    for (const instance of site.instances) expect(await answered(instance)).toBe(3);
  });

  it("no output contains a key", () => {
    for (const key of keys) expect(outputs.filter((text) => text.includes(key))).toEqual([]);
  });
});
