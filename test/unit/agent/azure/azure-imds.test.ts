// The metadata service in this process, by the same client as on a real machine. One kind of
// managed identity a file: Microsoft's library keeps its tokens for the whole process.

import { describe, expect, it } from "vitest";
import type { HttpReply } from "#hal/world.ts";
import type { WireFault } from "#sim/azure/faults.ts";
import { never, refused } from "../../kit/site-bench.ts";
import { azureBench, hostOf } from "../azure-bench.ts";

const endpoint = "http://169.254.169.254";
const identity = { kind: "managedIdentity", source: "imds", client: undefined } as const;
const bench = (more = {}) => {
  const made = azureBench(identity, hostOf({ pinEndpoint: () => endpoint, ...more }));
  const { key } = made.site.links[0] ?? {};
  const id = made.site.vault.versions(key?.cak ?? "").at(-1)?.id ?? "";
  return { ...made, made, id, read: () => made.run(made.vault.read(id, never)) };
};

const no = "this host has no such managed identity";
const machine = "check that this host is a virtual machine of Azure, or correct azure.identity";
const rows: readonly (readonly [WireFault, string, string, string])[] = [
  ["notFound", "vault.denied", `${no} (404 SecretNotFound)`, "azure.identity"],
  [
    "forbiddenByRbac",
    "vault.denied",
    "the identity endpoint of this host refuses us",
    "169.254.169.254",
  ],
  ["serverError", "vault.unreachable", "the identity endpoint of this host fails (500", "check"],
  ["throttledSeconds", "vault.unreachable", "is left alone for 2 s", "check"],
  ["hang", "vault.unreachable", "the identity endpoint of this host: no answer within", machine],
  ["reset", "vault.unreachable", "the identity endpoint of this host: the connection", machine],
  ["garbage", "vault.unreachable", "the answer cannot be understood", "check"],
  ["emptyObject", "vault.unreachable", "the answer cannot be understood", "check"],
  ["redirect", "vault.unreachable", "sends elsewhere (307), not followed", "check"],
];

describe("the metadata service of a virtual machine", () => {
  it.each(rows)(
    "a metadata service that answers with %s gives the matching error",
    async (fault, code, text, next) => {
      const { cloud, read } = bench();
      cloud.faults.identity.strike(fault);
      const error = await refused(read());
      expect([error.code, error.effect]).toEqual([code, "none"]);
      expect(error.message).toContain(text);
      expect(error.next).toContain(next);
    },
  );

  it.each([
    "Basic realm=/etc/shadow",
    "Basic realm=/var/opt/azcmagent/tokens/../../../etc/shadow",
    'Basic realm="/var/opt/azcmagent/tokens/a.key"',
    "Basic realm=/var/opt/azcmagent/tokens/a.key, Basic realm=/etc/shadow",
    'Bearer authorization="https://evil.example/t", resource="https://vault.azure.net"',
    "Negotiate",
  ])(
    "a metadata service that challenges with %j makes the agent read no file",
    async (challenge) => {
      const checked: string[] = [];
      const checkArcKey = (path: string): Promise<void> => {
        checked.push(path);
        return Promise.reject(new Error("no such file is read"));
      };
      const { made, read, sent } = bench({ checkArcKey });
      made.alter = (reply, { to }): HttpReply =>
        to === endpoint
          ? { ...reply, status: 401, headers: { "www-authenticate": challenge } }
          : reply;
      const error = await refused(read());
      expect(error.code).toMatch(/^vault\./);
      const asked = sent.filter(({ to }) => to === endpoint);
      expect(asked.every(({ headers }) => headers?.["authorization"] === undefined)).toBe(true);
      expect(checked.length).toBeLessThanOrEqual(1);
    },
  );

  it("a metadata service gives the vault's token, and one for the management API", async () => {
    const { made, token, sent, read } = bench();
    using secret = await read();
    expect(secret.byteLength).toBe(64);
    using bearer = await made.run(token("https://management.azure.com/.default", never));
    expect(bearer.byteLength).toBeGreaterThan(20);
    const asked = sent.filter(({ to }) => to === endpoint);
    expect(asked.map(({ headers, path }) => [headers?.["metadata"], path.split("?")[0]])).toEqual([
      ["true", "/metadata/identity/oauth2/token"],
      ["true", "/metadata/identity/oauth2/token"],
    ]);
  });
});
