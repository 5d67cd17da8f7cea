// P5 on the way to Azure: whatever escapes of a call, good or failed, holds no key, no token, no
// assertion and no private key, in any form and at any depth.

import { inspect } from "node:util";
import { describe, expect, it } from "vitest";
import type { CredentialHost } from "#agent/azure/identity.ts";
import type { AzureIdentity } from "#agent/model/desired.ts";
import { fillCommand } from "#drivers/index.ts";
import { LinksealError } from "#hal/error.ts";
import type { AzureService } from "#sim/azure/azure.ts";
import { type WireFault, wireFaults } from "#sim/azure/faults.ts";
import { CanarySearch } from "#sim/oracle/canary.ts";
import { never } from "../../kit/site-bench.ts";
import {
  type AzureBench,
  azureBench,
  certificateIdentity,
  clientId,
  hostOf,
  noPem,
  strangePem,
  tenant,
} from "../azure-bench.ts";

const federated = `eyJhbGciOiJFUzI1NiJ9.${"RkVERVJBVEVE".repeat(8)}.c2lnbmF0dXJl`;
const workload: AzureIdentity = {
  ...{ kind: "workloadIdentity", tenant, client: clientId, tokenFile: "/run/token" },
};

interface Scene {
  readonly name: string;
  readonly identity: AzureIdentity;
  readonly host: Partial<CredentialHost>;
}

const scenes: readonly Scene[] = [
  { name: "a certificate", identity: certificateIdentity, host: {} },
  {
    name: "a certificate that Entra does not know",
    identity: certificateIdentity,
    host: { certificate: async () => strangePem },
  },
  {
    name: "a private key without its certificate",
    identity: certificateIdentity,
    host: { certificate: async () => strangePem.split("-----BEGIN CERT")[0] ?? "" },
  },
  {
    name: "a PEM of something else",
    identity: certificateIdentity,
    host: { certificate: async () => String(noPem) },
  },
  {
    name: "a federated token that Entra does not trust",
    identity: workload,
    host: { federatedToken: async () => federated },
  },
];

/** What must not be seen: what the vault holds, and what went over the wire to prove who we are. */
function canariesOf(bench: AzureBench, pem: string): readonly string[] {
  const values = bench.site.links.flatMap(({ key }) =>
    bench.site.vault.versions(key.cak).map(({ id }) => bench.site.vault.value(id)),
  );
  const wire = bench.sent.flatMap(({ headers = {}, body = [] }) => {
    const held = [...Object.values(headers), ...body].filter((part) => typeof part !== "string");
    return held.map((hole) => new TextDecoder().decode(fillCommand([hole])));
  });
  const forms = wire.flatMap((text) => [
    /^Bearer (.+)$/.exec(text)?.[1] ?? "",
    new URLSearchParams(text).get("client_assertion") ?? "",
  ]);
  const lines = pem.split("\n").filter((line) => /^[\w+/=]{20,}$/.test(line));
  return [...values, ...forms, ...lines, ...granted, federated].filter((text) => text.length >= 20);
}

/** Every form in which a value can be printed. */
function printed(value: unknown): string {
  const options = { depth: Number.POSITIVE_INFINITY, showHidden: true } as const;
  const errors: unknown[] = [];
  for (let each: unknown = value; each instanceof Error; each = each.cause) errors.push(each);
  return [
    inspect(value, options),
    inspect(value, { ...options, customInspect: false }),
    JSON.stringify(value),
    ...errors.map((error) => (error instanceof Error ? `${String(error)} ${error.stack}` : "")),
    ...errors.map((error) => JSON.stringify({ ...(error as object) })),
  ].join("\n");
}

/** Every token that was ever given. */
const granted: string[] = [];

async function outcomeOf(bench: AzureBench): Promise<unknown> {
  const { key } = bench.site.links[0] ?? {};
  const id = bench.site.vault.versions(key?.cak ?? "").at(-1)?.id ?? "";
  const calls = [
    () => bench.vault.versions(key?.cak ?? "", never),
    () => bench.vault.read(id, never),
    () => bench.token("https://management.azure.com/.default", never),
  ];
  const { alter } = bench;
  bench.alter = (reply, request) => {
    const text = new TextDecoder().decode(reply.body);
    granted.push(...[...text.matchAll(/"access_token":"([^"]+)"/g)].map(([, token = ""]) => token));
    return alter(reply, request);
  };
  const found: unknown[] = [];
  for (const call of calls) {
    const asked: Promise<unknown> = call();
    found.push(await bench.run(asked.catch((error: unknown) => error)));
  }
  return found;
}

const services: readonly AzureService[] = ["vault", "entra"];
const faults = services.flatMap((at) =>
  (Object.keys(wireFaults) as WireFault[]).map((fault) => ({ at, fault })),
);

/** Beginnings of what was found, and every error that is not ours. */
function leaks(bench: AzureBench, outcome: unknown, pem: string): readonly unknown[] {
  const text = [outcome, bench.vault, bench.token, bench.dial, bench.sent].map(printed).join("\n");
  const canaries = canariesOf(bench, pem);
  if (canaries.length < 3) throw new Error("there is nothing to look for");
  const search = new CanarySearch();
  for (const { id, bytes } of bench.site.canaries()) search.add({ label: id, bytes });
  const key = search.search("printed", new TextEncoder().encode(text));
  const foreign = [outcome]
    .flat()
    .filter((each) => each instanceof Error && !(each instanceof LinksealError));
  return [
    ...canaries.filter((canary) => text.includes(canary)).map((canary) => canary.slice(0, 8)),
    ...(key === undefined ? [] : [key]),
    ...foreign,
  ];
}

describe("nothing secret escapes", () => {
  it.each(scenes)("nothing secret escapes with $name", async ({ identity, host }) => {
    const own = hostOf(host);
    const bench = azureBench(identity, own);
    const pem = await own.certificate("");
    expect(leaks(bench, await outcomeOf(bench), pem)).toEqual([]);
  });

  it.each(faults)("nothing secret escapes while $at answers with $fault", async ({ at, fault }) => {
    const own = hostOf();
    const bench = azureBench(certificateIdentity, own);
    bench.cloud.faults[at].strike(fault);
    const pem = await own.certificate("");
    expect(leaks(bench, await outcomeOf(bench), pem)).toEqual([]);
  });

  it("nothing secret escapes when the server quotes what it was sent", async () => {
    const own = hostOf();
    const bench = azureBench(certificateIdentity, own);
    bench.alter = (reply, request) => {
      const quoted = new TextDecoder().decode(fillCommand(request.body ?? []));
      const code = { code: quoted, error: quoted, message: quoted, error_description: quoted };
      const body = JSON.stringify({ ...code, value: "not for your eyes at all" });
      return { ...reply, status: 400, body: new TextEncoder().encode(body) };
    };
    const outcome = await outcomeOf(bench);
    expect(leaks(bench, outcome, await own.certificate(""))).toEqual([]);
    expect(printed(outcome)).not.toContain("not for your eyes");
  });

  it("the search for secrets finds one that is there", () => {
    const error = new Error("x", { cause: new Error("deep Bearer-canary-canary") });
    expect(printed([error])).toContain("Bearer-canary-canary");
    expect(printed(new Map([[{ hidden: "canary-in-a-map" }, 1]]))).toContain("canary-in-a-map");
  });
});
