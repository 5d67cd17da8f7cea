// Each way to authenticate, in its own process against `linkseal sim azure`; names that resolve to
// addresses of ours; and environment variables, none of which changes the choice.

import { chmodSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { AzureIdentity, RealAzure } from "#agent/model/desired.ts";
import { cannotRun } from "../why-not.ts";
import type { AgentNews, AgentOrder } from "./azure-agent.ts";
import { libraryChunks } from "./azure-chunks.ts";
import type { ClientNews, ClientOrder, ClientTrouble } from "./azure-client.ts";
import { type Door, hindrance, Island, type Knocks } from "./azure-island.ts";
import type { ReadNews, ReadOrder } from "./azure-reader.ts";
import { Emissions } from "./emissions.ts";

const reader = join(import.meta.dirname, "azure-reader.ts");
const client = join(import.meta.dirname, "azure-client.ts");
const agent = join(import.meta.dirname, "azure-agent.ts");
const cknName = "erd-demo-1-ckn";
const cakName = "erd-demo-1-cak";
const why = hindrance();

let island: Island;
let settings: Readonly<Record<string, string>> = {};
beforeAll(async () => {
  if (why !== undefined) return console.log(why);
  island = await Island.open();
  settings = island.settings;
});
afterAll(async () => {
  if (why === undefined) await island[Symbol.asyncDispose]();
});
// A test that this host cannot run counts as not run, which fails a complete run.
beforeEach((context) => {
  if (why !== undefined) cannotRun(context, why);
});

const of = (name: string): string => settings[name] ?? "";

interface Way {
  readonly identity: () => AzureIdentity;
  /** The environment of a host with such an identity. */
  readonly env: () => Readonly<Record<string, string>>;
  /** The service that hands out tokens; undefined = Entra's. */
  readonly door: Door | undefined;
}

const appService = "http://127.0.0.1:41741/msi/token";
const ways: Readonly<Record<string, Way>> = {
  "Azure Arc, whose challenge names a key file": {
    identity: () => ({ kind: "arc", client: undefined }),
    env: () => ({}),
    door: "arc",
  },
  "the metadata service of a virtual machine": {
    identity: () => ({ kind: "managedIdentity", source: "imds", client: undefined }),
    env: () => ({}),
    door: "metadata",
  },
  "the metadata service, for a user-assigned identity": {
    identity: () => ({ kind: "managedIdentity", source: "imds", client: of("AZURE_CLIENT_ID") }),
    env: () => ({}),
    door: "metadata",
  },
  "App Service": {
    identity: () => ({ kind: "managedIdentity", source: "appService", client: undefined }),
    env: () => ({ IDENTITY_ENDPOINT: appService, IDENTITY_HEADER: of("IDENTITY_HEADER") }),
    door: "appService",
  },
  "a client certificate": {
    identity: () => ({
      ...{ kind: "clientCertificate", tenant: of("AZURE_TENANT_ID") },
      client: of("AZURE_CLIENT_ID"),
      certificate: `file:${of("AZURE_CLIENT_CERTIFICATE_PATH")}`,
    }),
    env: () => ({}),
    door: undefined,
  },
  "workload identity federation": {
    identity: () => ({
      ...{ kind: "workloadIdentity", tenant: of("AZURE_TENANT_ID") },
      client: of("AZURE_CLIENT_ID"),
      tokenFile: of("AZURE_FEDERATED_TOKEN_FILE"),
    }),
    env: () => ({}),
    door: undefined,
  },
};

/**
 * Sets every variable by which one of the libraries chooses, to an address where no service gives
 * tokens.
 */
function decoys(): Readonly<Record<string, string>> {
  const decoy = "http://127.0.0.1:41666";
  return {
    IDENTITY_ENDPOINT: `${decoy}/identity`,
    IDENTITY_HEADER: "decoy",
    IDENTITY_SERVER_THUMBPRINT: "00",
    IMDS_ENDPOINT: decoy,
    MSI_ENDPOINT: `${decoy}/msi`,
    MSI_SECRET: "decoy",
    MSAL_FORCE_REGION: "westus",
    AZURE_AUTHORITY_HOST: "https://127.0.0.1:41666",
    AZURE_POD_IDENTITY_AUTHORITY_HOST: decoy,
    AZURE_REGIONAL_AUTHORITY_NAME: "westus",
    AZURE_TENANT_ID: "00000000-0000-0000-0000-000000000000",
    AZURE_CLIENT_ID: "00000000-0000-0000-0000-000000000000",
    AZURE_CLIENT_SECRET: "decoy",
    AZURE_CLIENT_CERTIFICATE_PATH: "/nowhere",
    AZURE_FEDERATED_TOKEN_FILE: of("AZURE_FEDERATED_TOKEN_FILE"),
    AZURE_USERNAME: "decoy",
    AZURE_PASSWORD: "decoy",
    AZURE_TOKEN_CREDENTIALS: "EnvironmentCredential",
    AZURE_LOG_LEVEL: "verbose",
  };
}

interface Read {
  readonly news: ReadNews;
  readonly output: string;
  readonly knocks: Knocks;
}

/** All output of the agent's processes. */
const everything: string[] = [];

async function read(azure: RealAzure, env: Readonly<Record<string, string>>): Promise<Read> {
  const order: ReadOrder = { azure, name: cknName, cak: cakName };
  const ca = { NODE_EXTRA_CA_CERTS: of("ca") };
  const { output, exit, knocks } = await island.run([reader, JSON.stringify(order)], {
    ...ca,
    ...env,
  });
  everything.push(output);
  expect([exit, output]).toEqual([0, expect.stringMatching(/^\{.*\}\n$/)]);
  return { news: JSON.parse(output) as ReadNews, output, knocks };
}

function loopback(identity: AzureIdentity): RealAzure {
  const vault = of("vault");
  const place = { cloud: "loopback", vault, authority: vault, arm: vault } as const;
  return { ...place, farEnd: "manual", privateEndpoints: [], scopes: [], identity };
}

function atDoor(knocks: Knocks): readonly string[] {
  return Object.entries(knocks).flatMap(([door, count]) => (count > 0 ? [door] : []));
}

describe("an agent's process reads the vault as", () => {
  it.each(Object.entries(ways))(
    "an agent's process reads the vault as %s",
    async (_name, { identity, env, door }) => {
      const { news, knocks } = await read(loopback(identity()), env());
      const ckn: unknown = expect.stringMatching(/^[0-9A-F]{64}$/);
      const found = { kind: "read", ckn, cakLength: 64 };
      expect(news).toMatchObject({ ...found, ids: [expect.stringContaining(`/${cknName}/`)] });
      expect(atDoor(knocks)).toEqual(door === undefined ? [] : [door]);
    },
  );

  it.each(Object.entries(ways))(
    "an agent's process reads the vault as %s, whatever the environment names",
    async (_name, { identity, env, door }) => {
      // If the identity itself needs an endpoint from the environment, that endpoint is not a
      // decoy.
      const own = identity().kind === "arc" ? { IDENTITY_ENDPOINT: "", IMDS_ENDPOINT: "" } : {};
      const all = { ...decoys(), ...own, ...env() };
      const given = Object.entries(all).filter(([, value]) => value !== "");
      const { news, knocks } = await read(loopback(identity()), Object.fromEntries(given));
      expect(news).toMatchObject({ kind: "read" });
      expect(atDoor(knocks)).toEqual(door === undefined ? [] : [door]);
    },
  );
});

const identity: AzureIdentity = { kind: "arc", client: undefined };
const publicCloud = (name: string, privateEndpoints: readonly string[] = []): RealAzure => ({
  ...{ cloud: "public", vault: `https://${name}.vault.azure.net`, farEnd: "manual", identity },
  ...{ privateEndpoints, scopes: [], authority: undefined, arm: undefined },
});

describe("a vault's name that resolves to a forbidden address", () => {
  it.each([
    ["kv-loop", "127.0.0.1", "it is not public"],
    ["kv-loop-six", "::1", "it is not public"],
    ["kv-private", "10.20.0.5", "it is not public"],
    ["kv-metadata", "169.254.169.254", "it is not public"],
    ["kv-link-local", "169.254.7.7", "it is not public"],
    ["kv-platform", "168.63.129.16", "it is not public"],
    ["kv-mixed", "127.0.0.1", "it is not public"],
  ])("%s resolves to %s and no client connects: %s", async (name, address, because) => {
    const { news, knocks } = await read(publicCloud(name), {});
    const host = `${name}.vault.azure.net`;
    expect(news).toMatchObject({
      kind: "refused",
      code: "vault.unreachable",
      text: `the vault: ${host} resolves to ${address}, which is not used: ${because}`,
    });
    expect(atDoor(knocks)).toEqual([]);
  });

  const ranges = ["10.20.0.0/24"];
  it("a private endpoint is used if the config names its prefix", async () => {
    const { news, knocks } = await read(publicCloud("kv-private", ranges), {});
    // No server there has a certificate for that name.
    expect(news).toMatchObject({ kind: "refused", code: "vault.unreachable" });
    expect(news).not.toMatchObject({ text: expect.stringContaining("stands for") });
    expect(atDoor(knocks)).toEqual(["https"]);
  });

  it.each(["kv-other-private", "kv-loop", "kv-metadata", "kv-mixed"])(
    "%s is not used although a private endpoint is named",
    async (name) => {
      const { news, knocks } = await read(publicCloud(name, ranges), {});
      expect(news).toMatchObject({
        kind: "refused",
        text: expect.stringContaining("neither public nor in privateEndpoints"),
      });
      expect(atDoor(knocks)).toEqual([]);
    },
  );
});

describe("an agent's process with an Arc identity in its config", () => {
  it("an agent with an Arc identity enrols a pair, and then loads the libraries", async () => {
    const order: AgentOrder = {
      ...{ config: of("config"), site: of("site"), identity: "{ kind: arc }" },
    };
    const ca = { NODE_EXTRA_CA_CERTS: of("ca") };
    const { output, exit, knocks } = await island.run([agent, JSON.stringify(order)], ca);
    expect(exit).toBe(0);
    const news = JSON.parse(output) as AgentNews;
    everything.push(output);
    expect(news.status).toBe("demo: protected");
    expect(news.output).toMatch(/erd-demo\/secondary: restoring -> done/);
    expect(atDoor(knocks)).toEqual(["arc"]);
    expect(libraryChunks().filter((name) => news.loaded.some((url) => url.endsWith(name)))).toEqual(
      expect.arrayContaining([expect.any(String)]),
    );
  });
});

const folder = mkdtempSync(join(tmpdir(), "linkseal-credentials-"));
afterAll(() => rmSync(folder, { recursive: true }));

function file(name: string, text: string, mode = 0o600): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  chmodSync(path, mode);
  return path;
}

const pem = (): string => readFileSync(of("AZURE_CLIENT_CERTIFICATE_PATH"), "utf8");
const federatedToken = (): string => readFileSync(of("AZURE_FEDERATED_TOKEN_FILE"), "utf8");
const certificate = (path: string): AzureIdentity => ({
  ...{ kind: "clientCertificate", tenant: of("AZURE_TENANT_ID"), client: of("AZURE_CLIENT_ID") },
  certificate: `file:${path}`,
});
const workload = (tokenFile: string): AzureIdentity => ({
  ...{ kind: "workloadIdentity", tenant: of("AZURE_TENANT_ID"), client: of("AZURE_CLIENT_ID") },
  tokenFile,
});

const useless: readonly (readonly [string, () => AzureIdentity, string])[] = [
  [
    "a certificate that is not there",
    () => certificate(join(folder, "none")),
    "the credential cannot be read (ENOENT)",
  ],
  [
    "a certificate that others may read",
    () => certificate(file("open.pem", pem(), 0o644)),
    "the credential is not used: other users may access it (mode 644)",
  ],
  [
    "a certificate behind a link",
    () => {
      symlinkSync(file("own.pem", pem()), join(folder, "link.pem"));
      return certificate(join(folder, "link.pem"));
    },
    "the credential is not used: it is a symbolic link",
  ],
  [
    "a private key without its certificate",
    () => certificate(file("key.pem", pem().split("-----BEGIN CERT")[0] ?? "")),
    "the certificate cannot be used: the PEM contains no certificate",
  ],
  [
    "an application that is another one",
    () => ({ ...certificate(file("good.pem", pem())), client: of("AZURE_TENANT_ID") }),
    "Entra knows no such application in this tenant (400 unauthorized_client AADSTS700016)",
  ],
  [
    "another tenant",
    () => ({ ...certificate(file("good-too.pem", pem())), tenant: of("AZURE_CLIENT_ID") }),
    "the vault belongs to another tenant",
  ],
  [
    "a federated token that was cut off",
    () => workload(file("cut-token", federatedToken().slice(0, -8))),
    "Entra refuses this identity (401 invalid_client AADSTS50013)",
  ],
  [
    "a federated token that everybody may read",
    () => workload(file("open-token", federatedToken(), 0o644)),
    "the credential is not used: other users may access it (mode 644)",
  ],
];

describe("a credential that cannot be used", () => {
  it.each(useless)("%s is refused with its reason", async (_name, identityOf, text) => {
    const { news } = await read(loopback(identityOf()), {});
    expect(news).toMatchObject({ kind: "refused", code: "vault.denied" });
    expect(news.kind === "refused" && news.text).toContain(text);
  });
});

function scriptEnv(credential: ClientOrder["credential"]): Readonly<Record<string, string>> {
  const given = Object.entries(settings).filter(
    ([name]) => /^[A-Z_]+$/.test(name) && !/POD|IMDS/.test(name),
  );
  const withToken = credential === "workload";
  return Object.fromEntries(given.filter(([name]) => withToken || !name.includes("FEDERATED")));
}

async function script(order: ClientOrder): Promise<ClientNews | ClientTrouble> {
  const { output } = await island.run([client, JSON.stringify(order)], scriptEnv(order.credential));
  return JSON.parse(output) as ClientNews | ClientTrouble;
}

describe("all output of the agent's processes", () => {
  it("no output contains a key, a token or a private key", async () => {
    const words = [...pem().split("\n"), ...federatedToken().split("."), of("IDENTITY_HEADER")];
    const canaries = words.filter((word) => /^[\w+/=-]{20,}$/.test(word));
    expect(canaries.length).toBeGreaterThan(20);
    expect(everything.length).toBeGreaterThan(20);
    const output = everything.join("\n");
    expect(canaries.filter((word) => output.includes(word))).toEqual([]);
    // Tokens and assertions of the simulated cloud begin like this.
    expect(output).not.toMatch(/\bsim\.[0-9a-f]{8}|eyJ/);
    const names = [cakName, "erd-demo-2-cak", "erd-demo-2-ckn"];
    const news = await script({ credential: "certificate", vault: of("vault"), names });
    if (!("values" in news)) throw new Error(news.trouble);
    const emissions = new Emissions();
    emissions.take("everything", output);
    const values = names.slice(0, 2).map((name) => [name, news.values[name] ?? ""] as const);
    const keys = values.map(([id, text]) => ({ id, bytes: Buffer.from(text, "hex") }));
    expect(keys.map(({ bytes }) => bytes.length)).toEqual([32, 32]);
    expect(emissions.find(keys)).toEqual([]);
  });
});

describe("foreign scripts", () => {
  const disguises: readonly (readonly [ClientOrder["credential"], string])[] = [
    ["certificate", "read"],
    ["chain", "read"],
    ["managedIdentity", "read"],
    ["workload", "read"],
    ["wrongClient", "AADSTS700016"],
  ];
  it.each(disguises)(
    "a script with Microsoft's clients and a %s gets its answer",
    async (credential, outcome) => {
      const news = await script({ credential, vault: of("vault"), names: ["erd-demo-2-ckn"] });
      const written = { value: "0123", tags: { "linkseal-generation": "9" } };
      const trouble: unknown = expect.stringContaining(outcome);
      expect(news).toMatchObject(outcome === "read" ? { written, armToken: true } : { trouble });
    },
  );
});
