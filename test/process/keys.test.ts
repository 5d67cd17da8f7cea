// An operator creates keys by the real command line: in the vault of a simulated site, and with
// Microsoft's clients in the vault of the loopback cloud.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { KeyReport } from "#agent/api/key-report.ts";
import { ask } from "#agent/cli/client.ts";
import { planSite } from "#sim/site/site-plan.ts";
import { patienceMs } from "../patience.ts";
import { hasty } from "../short-waits.ts";
import { verdictIn } from "./glance.ts";
import type { Loaded } from "./loaded.ts";

interface Ended {
  readonly exit: number | null;
  readonly out: string;
  readonly err: string;
}

const home = mkdtempSync(join(tmpdir(), "linkseal-keys-"));
const command = join(import.meta.dirname, "../../agent/bin.js");
const loaded = join(import.meta.dirname, "loaded.ts");
const config = join(home, "loopback.yaml");
const group = "erd-demo";
const children: ChildProcess[] = [];
let cloud: Readonly<Record<string, string>> = {};
let certificate: readonly string[] = [];

function start(program: string, ...words: readonly string[]): ChildProcess {
  const env = {
    ...{ ...process.env, LINKSEAL_HOME: home, TMPDIR: home, NO_COLOR: "1" },
    ...(cloud["ca"] === undefined ? {} : { NODE_EXTRA_CA_CERTS: cloud["ca"] }),
    PATH: `${home}:${process.env["PATH"] ?? ""}`,
    TOKEN_PLACE: cloud["IDENTITY_ENDPOINT"] ?? "",
    TOKEN_HEADER: cloud["IDENTITY_HEADER"] ?? "",
  };
  const stdio = ["ignore", "pipe", "pipe"] as const;
  const child = spawn(process.execPath, [program, ...words], { env, stdio: [...stdio] });
  children.push(child);
  return child;
}

async function ended(child: ChildProcess): Promise<Ended> {
  let [out, err] = ["", ""];
  child.stdout?.on("data", (chunk: Buffer) => (out += chunk.toString()));
  child.stderr?.on("data", (chunk: Buffer) => (err += chunk.toString()));
  await once(child, "close");
  return { exit: child.exitCode, out, err };
}

const output: string[] = [];

async function run(...words: readonly string[]): Promise<Ended> {
  const done = await ended(start(command, ...words));
  output.push(done.out, done.err);
  return done;
}

async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
  for (const begun = performance.now(); !(await holds()); ) {
    if (performance.now() - begun > patienceMs) throw new Error(`waited too long: ${what}`);
    await sleep(100);
  }
}

/** Starts `sim azure`; returns the first output and the environment that it offers. */
async function openCloud(): Promise<Record<string, string>> {
  const child = start(command, "sim", "azure", "--speed", "100");
  let text = "";
  child.stdout?.on("data", (chunk: Buffer) => (text += chunk.toString()));
  await until("a cloud", async () => text.includes("AZURE_POD_IDENTITY"));
  const reported = text.matchAll(/^(?:export )?(\w+)[ =](.+)$/gm);
  return Object.fromEntries([...reported].map(([, name = "", value = ""]) => [name, value]));
}

function loopbackConfig(): string {
  const [planned] = planSite("demo", 1, 2).groups;
  if (planned === undefined) throw new Error("the demo has no group");
  const at = cloud["vault"] ?? "";
  const links = planned.links.map(({ name, device, port, azureLink, key }) =>
    [
      `      - { name: ${name}, device: ${device}, port: ${port}, azureLink: ${azureLink},`,
      "          speed: 100G, macsec: { suite: gcm-aes-xpn-256 },",
      `          key: { cak: ${key.cak}, ckn: ${key.ckn} } }`,
    ].join("\n"),
  );
  return [
    "version: 1",
    "site: demo",
    "azure:",
    "  cloud: loopback",
    `  vault: ${at}`,
    `  authority: ${at}`,
    `  arm: ${at}`,
    "  farEnd: agent",
    `  identity: { kind: clientCertificate, tenant: ${cloud["AZURE_TENANT_ID"]},`,
    `    client: ${cloud["AZURE_CLIENT_ID"]}, certificate: "file:${certificateFile()}" }`,
    "devices:",
    ...planned.links.map(
      ({ device }) => `  - { name: ${device}, driver: sim, address: "${cloud["site"]}" }`,
    ),
    "groups:",
    `  - name: ${group}`,
    `    expressRoutePort: ${planned.expressRoutePort}`,
    "    links:",
    ...links,
    "acceptRisks:",
    ...["breakBeforeMake", "ownPathUnknown"].map(
      (risk) => `  - { risk: ${risk}, until: 2027-11-24 }`,
    ),
  ].join("\n");
}

function certificateFile(): string {
  return cloud["AZURE_CLIENT_CERTIFICATE_PATH"] ?? "";
}

/** Writes a fake Azure CLI that returns the token of a user who has signed in. */
function fakeCli(): void {
  const query = "api-version=2019-08-01&resource=https%3A%2F%2Fvault.azure.net";
  writeFileSync(
    join(home, "az.mjs"),
    `const headers = { "x-identity-header": process.env.TOKEN_HEADER };
const reply = await fetch(\`\${process.env.TOKEN_PLACE}?${query}\`, { headers });
const { access_token: accessToken, expires_on } = await reply.json();
console.log(JSON.stringify({ accessToken, expires_on: Number(expires_on), tokenType: "Bearer" }));
`,
  );
  // The interpreter line ends at the first blank, which the path of a clone may contain.
  writeFileSync(join(home, "az"), `#!/bin/sh\nexec '${process.execPath}' '${home}/az.mjs'\n`);
  chmodSync(join(home, "az"), 0o755);
}

beforeAll(async () => {
  cloud = await openCloud();
  writeFileSync(config, hasty(loopbackConfig()));
  certificate = [
    ...["--credential", "certificate", "--certificate", certificateFile()],
    ...["--tenant", cloud["AZURE_TENANT_ID"] ?? "", "--client", cloud["AZURE_CLIENT_ID"] ?? ""],
  ];
  fakeCli();
});

afterAll(async () => {
  for (const child of children) {
    if (child.exitCode !== null || child.signalCode !== null) continue;
    child.kill("SIGINT");
    await once(child, "close");
  }
  rmSync(home, { recursive: true });
});

/** Returns the newest pair of every link. */
function newest(text: string): readonly (KeyReport["keys"][number]["newest"] | undefined)[] {
  return (JSON.parse(text) as KeyReport).keys.map((key) => key.newest);
}

/** Returns for every link the CAK version that both ends use. */
async function inUse(): Promise<readonly (string | null)[]> {
  const { keys } = JSON.parse((await run("keys", "list", "--json")).out) as KeyReport;
  return keys.map(({ cakVersion, usedBy }) => (usedBy.length === 2 ? cakVersion : null));
}

describe("keys in a real vault", () => {
  it("an operator's new keys are checked, and the agent uses them", async () => {
    const file = ["--file", config];
    const before = await run("keys", "check", ...file, ...certificate, "--json");
    expect([before.exit, before.err]).toEqual([0, ""]);
    const made = await run("keys", "generate", group, ...file, ...certificate);
    expect([made.exit, made.err]).toEqual([0, ""]);
    expect(made.out.match(/a fresh pair is in the vault: CKN [0-9a-f]{64}/g)).toHaveLength(2);
    const after = await run("keys", "check", ...file, ...certificate, "--json");
    const generations = newest(after.out).map((pair) => pair?.generation);
    expect(generations).toEqual(newest(before.out).map((pair) => (pair?.generation ?? 0) + 1));

    start(command, "agent", "--site", cloud["site"] ?? "");
    await until("an agent", async () => (await verdictIn(home)) !== undefined);
    const socket = join(home, "run/admin.sock");
    const body = { text: readFileSync(config, "utf8"), file: config, queue: false };
    await ask({ role: "admin", method: "POST", path: "/v1/apply", body, socket });
    const wanted = JSON.stringify(newest(after.out));
    const seen = async (): Promise<string> => (await run("keys", "check", "--json")).out;
    await until("the agent's look", async () => JSON.stringify(newest(await seen())) === wanted);
    await until("protection", async () => (await verdictIn(home)) === "protected");
    // A far end is polled less often than a router.
    const versions = JSON.stringify(newest(after.out).map((pair) => pair?.cakVersion));
    await until("both ends", async () => JSON.stringify(await inUse()) === versions);
    const healthy = await run("doctor");
    expect([healthy.exit, healthy.err]).toEqual([0, ""]);
    expect(healthy.out).not.toMatch(/^(error|warning)/m);
  });

  it("keys are made and paired with the token of the Azure CLI, and rotated to", async () => {
    const cli = ["--file", config, "--credential", "azureCli"];
    const made = await run("keys", "generate", `${group}/primary`, ...cli, "--json");
    expect([made.exit, made.err]).toEqual([0, ""]);
    const [key] = (JSON.parse(made.out) as { keys: { cakSecretId: string; cknSecretId: string }[] })
      .keys;
    const last = (id = ""): string => id.split("/").at(-1) ?? "";
    const ids = ["--cak", last(key?.cakSecretId), "--ckn", last(key?.cknSecretId)];
    const again = await run("keys", "pair", `${group}/primary`, ...ids, ...cli);
    expect([again.exit, again.out]).toEqual([0, expect.stringContaining("were a pair already")]);
    const done = await run("rotate", `${group}/primary`, "--wait");
    expect([done.exit, done.err]).toEqual([0, expect.any(String)]);
    expect((await inUse())[0]).toBe(last(key?.cakSecretId));
    const wrong = ["--cak", ids[1] ?? "", "--ckn", "0".repeat(32)];
    const refused = await run("keys", "pair", `${group}/primary`, ...wrong, ...cli);
    expect([refused.exit, refused.err]).toEqual([1, expect.stringContaining("no such version")]);
  });

  it("keys are made by an operator who signs in with a device code", async () => {
    const tenant = ["--tenant", cloud["AZURE_TENANT_ID"] ?? ""];
    const words = ["--file", config, "--credential", "deviceCode", ...tenant];
    const made = await run("keys", "generate", `${group}/secondary`, ...words);
    expect([made.exit, made.out]).toEqual([0, expect.stringContaining("a fresh pair")]);
    expect(made.err).toMatch(
      /^To sign in, open the page https:\/\/localhost:\d+\/device and enter/,
    );
  });

  it("doctor reads the keys with the operator's own rights as well", async () => {
    const words = ["--file", config, "--credential", "azureCli"];
    const found = await run("doctor", ...words);
    expect([found.exit, found.err]).toEqual([0, ""]);
    const cli = join(home, "az");
    writeFileSync(cli, "#!/bin/sh\necho signed out >&2; exit 1\n");
    const refused = await run("doctor", ...words);
    expect([refused.exit, refused.out]).toEqual([4, expect.stringContaining("as you see it")]);
    expect(refused.out).toContain("next:  az login");
    fakeCli();
  });

  it("keys need a credential, and one that other users cannot read", async () => {
    const none = await run("keys", "generate", group, "--file", config);
    expect([none.exit, none.err]).toEqual([2, expect.stringContaining("--credential azureCli")]);
    const copy = join(home, "copy.pem");
    writeFileSync(copy, readFileSync(certificateFile()), { mode: 0o644 });
    const words = certificate.map((word) => (word === certificateFile() ? copy : word));
    const open = await run("keys", "generate", group, "--file", config, ...words);
    expect([open.exit, open.err]).toEqual([
      1,
      expect.stringContaining("other users may access it"),
    ]);
    expect(open.err).not.toContain("PRIVATE");
  });
});

describe("the output about keys", () => {
  it("output contains CKNs and no CAK", () => {
    const text = output.join("\n");
    const named = /(?:CKN |"(?:ckn|keyInUse)":")[0-9a-f]{64}/g;
    expect(text.match(named)?.length).toBeGreaterThan(8);
    expect(text.replaceAll(named, "").match(/[0-9a-f]{64}/i)).toBeNull();
  });
});

describe("Microsoft's libraries", () => {
  const readVerbs: readonly (readonly string[])[] = [
    ...[["status"], ["links"], ["tunnels"], ["keys", "list"], ["keys", "check"], ["doctor"]],
    ...[["events"], ["journal"], ["rotation", "show"], ["config", "show"], ["config", "history"]],
    ...[
      ["plan", config],
      ["validate", config],
      ["explain", "drift"],
      ["driver", "list"],
    ],
    ...[["rotate", group, "--dry-run"], ["enrol", group], ["adopt", group], ["version"]],
    ...[
      ["keys", "generate", group],
      ["keys", "pair", group, "--cak", "1", "--ckn", "1"],
    ],
    ["completion", "bash"],
  ];

  it("verbs without a credential load none of Microsoft's libraries", async () => {
    const { exit, err } = await ended(start(loaded, JSON.stringify(readVerbs)));
    const reported = JSON.parse(err.trim().split("\n").at(-1) ?? "") as Loaded;
    expect([exit, reported.exits.length]).toEqual([0, readVerbs.length]);
    expect(reported.packages).toEqual(expect.arrayContaining(["commander", "zod"]));
    expect(reported.packages.filter((name) => name.startsWith("@azure"))).toEqual([]);
  });

  it("a verb with a credential loads Microsoft's libraries", async () => {
    const line = ["keys", "check", "--file", config, ...certificate];
    const { err } = await ended(start(loaded, JSON.stringify([line])));
    expect(err).toMatch(/"@azure\/identity".*"@azure\/keyvault-secrets"|"@azure\/keyvault/);
  });
});
