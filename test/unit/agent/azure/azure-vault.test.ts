// The vault by Microsoft's own client: what it reads, and what every bad answer tells the operator.

import { describe, expect, it } from "vitest";
import type { HttpReply } from "#hal/world.ts";
import type { AzureService } from "#sim/azure/azure.ts";
import { never, refused, settled } from "../../kit/site-bench.ts";
import { type AzureBench, azureBench, base } from "../azure-bench.ts";
import { entraRows, vaultRows } from "./azure-answer-rows.ts";

function keyOf(bench: AzureBench): { readonly cak: string; readonly ckn: string } {
  const first = bench.site.links[0]?.key;
  if (first === undefined) throw new RangeError("no link");
  return first;
}

function newestCak(bench: AzureBench): string {
  return bench.site.vault.generatePair(keyOf(bench), "gcm-aes-xpn-256").cakSecretId;
}

const json = (value: unknown, status = 200): HttpReply => ({
  status,
  headers: { "content-type": "application/json" },
  body: new TextEncoder().encode(JSON.stringify(value)),
});

describe("a vault behind the real client", () => {
  it("the real client lists versions over pages, and reads one value", async () => {
    const bench = azureBench();
    const key = keyOf(bench);
    for (let i = 0; i < 30; i += 1) bench.site.vault.generatePair(key, "gcm-aes-xpn-256");
    const versions = await bench.run(bench.vault.versions(key.cak, never));
    const wanted = bench.site.vault.versions(key.cak);
    expect(versions.length).toBe(wanted.length);
    const byId = new Map(wanted.map((version) => [version.id, version]));
    for (const version of versions) {
      const own = byId.get(version.id);
      expect(version.tags).toEqual(own?.tags);
      expect(version.enabled).toBe(own?.enabled);
      expect(Math.floor(version.created / 1000)).toBe(Math.floor((own?.created ?? 0) / 1000));
    }
    const id = wanted.at(-1)?.id ?? "";
    using secret = await bench.run(bench.vault.read(id, never));
    const value = secret.use((octets) => new TextDecoder().decode(octets));
    expect(value).toBe(bench.site.vault.value(id));
  });

  it("the real client gets one token and sends it after the challenge was checked", async () => {
    const bench = azureBench();
    const id = newestCak(bench);
    for (let i = 0; i < 3; i += 1) (await bench.run(bench.vault.read(id, never)))[Symbol.dispose]();
    const asked = bench.sent.map(({ method, path, headers }) => [
      `${method} ${path.split("?")[0]?.replace(id.slice(base.length), "VERSION")}`,
      headers?.["authorization"] === undefined ? "bare" : "token",
    ]);
    expect(asked[0]).toEqual(["GET VERSION", "bare"]);
    expect(asked.filter(([, with_]) => with_ === "token")).toHaveLength(3);
    expect(asked.filter(([what]) => what?.startsWith("POST "))).toHaveLength(1);
  });

  // The clients' own clock stands still here: for them a token that has ended is still good, as it
  // is after the clock of the host was set back.
  it("a token that ended behind a clock that was set back is replaced", async () => {
    const bench = azureBench();
    const id = newestCak(bench);
    (await bench.run(bench.vault.read(id, never)))[Symbol.dispose]();
    const scope = "https://management.azure.com/.default";
    const bearer = async (): Promise<string> => {
      using token = await bench.run(bench.token(scope, never));
      return token.use((octets) => new TextDecoder().decode(octets));
    };
    const before = await bearer();
    expect(await bearer()).toBe(before);
    bench.cloud.tokens.revoke();
    for (const step of [-86_400_000, 3_600_000, -600_000]) {
      bench.setByMs += step;
      using value = await bench.run(bench.vault.read(id, never));
      expect([step, value.byteLength]).toEqual([step, 64]);
      expect(await bearer()).not.toBe(before);
      bench.cloud.tokens.revoke();
    }
    // A step that is smaller than the reserve of a token changes nothing.
    bench.setByMs += 1_000;
    await expect(bench.run(bench.vault.read(id, never))).rejects.toMatchObject({
      code: "vault.denied",
    });
  });

  it("a token that the vault or the management API refused is not sent again", async () => {
    const bench = azureBench();
    const id = newestCak(bench);
    const read = async () => (await bench.run(bench.vault.read(id, never)))[Symbol.dispose]();
    const bearer = async (): Promise<string> => {
      using token = await bench.run(bench.token("https://management.azure.com/.default", never));
      return token.use((octets) => new TextDecoder().decode(octets));
    };
    await read();
    const before = await bearer();
    expect(await bearer()).toBe(before);
    bench.cloud.tokens.revoke();
    // The refusal itself is reported: it may be that of a wrong tenant.
    await expect(read()).rejects.toMatchObject({ code: "vault.denied" });
    expect(await bearer()).not.toBe(before);
    await read();
  });

  it("the real client prints neither tokens nor assertions with its requests", async () => {
    const bench = azureBench();
    const id = newestCak(bench);
    (await bench.run(bench.vault.read(id, never)))[Symbol.dispose]();
    const printed = JSON.stringify(bench.sent);
    expect(printed).not.toMatch(/eyJ|client_assertion|[Bb]earer /);
    expect(printed).toContain("[secret azure]");
  });

  it("ids of another vault or without a version, and wrong replies, are refused", async () => {
    const bench = azureBench();
    const id = newestCak(bench);
    for (const bad of [
      "https://other.vault.azure.net/secrets/a/".padEnd(72, "0"),
      `${base}/secrets/a`,
      `${base}/secrets/a/../b/${"0".repeat(32)}`,
      `${base}/secrets/a/${"0".repeat(31)}`,
    ]) {
      const error = await refused(bench.run(bench.vault.read(bad, never)));
      expect(error.code).toBe("vault.malformedKey");
    }
    expect(bench.sent).toEqual([]);
    const other = newestCak(bench);
    bench.alter = (reply, { path }) => {
      if (reply.status !== 200 || !path.startsWith("/secrets/")) return reply;
      return { ...reply, body: new TextEncoder().encode(decode(reply).replace(id, other)) };
    };
    const error = await refused(bench.run(bench.vault.read(id, never)));
    expect(error.message).toContain("another version");
  });
});

function decode({ body }: HttpReply): string {
  return new TextDecoder().decode(body);
}

const all = [
  ...vaultRows.map((row) => ({ at: "vault" as AzureService, ...row })),
  ...entraRows.map((row) => ({ at: "entra" as AzureService, ...row })),
];

describe("what the operator reads of a bad answer", () => {
  it.each(all)(
    "$at with $fault gives the operator the text: $text",
    async ({ at, fault, code, text, next }) => {
      const bench = azureBench();
      const id = newestCak(bench);
      bench.cloud.faults[at].strike(fault);
      const error = await refused(bench.run(bench.vault.read(id, never)));
      const { effect, where } = error;
      expect([error.code, error.message, error.next]).toEqual([code, text, next]);
      expect([effect, where]).toEqual(["none", at === "vault" ? id : base]);
      // Nothing was sent after what was refused, and nothing to another host.
      expect(new Set(bench.sent.map(({ to }) => to))).toEqual(new Set([base]));
      bench.cloud.faults[at].heal();
      await settled(bench.site.clock, bench.site.clock.sleep(3_000));
      using secret = await bench.run(bench.vault.read(id, never));
      expect(secret.byteLength).toBe(64);
    },
  );

  it("each of several requests at the same time gets its own error", async () => {
    const bench = azureBench();
    const [one, two] = [newestCak(bench), newestCak(bench)];
    bench.alter = (reply, { path }) => {
      if (reply.status !== 200 || !path.startsWith("/secrets/")) return reply;
      const code = path.includes(one.split("/").at(-1) ?? "") ? "ForbiddenByRbac" : "Gone";
      return json({ error: { code } }, code === "Gone" ? 404 : 403);
    };
    const both = await bench.run(
      Promise.allSettled([one, two].map((id) => bench.vault.read(id, never))),
    );
    expect(both.map((each) => each.status === "rejected" && String(each.reason))).toEqual([
      expect.stringContaining("no role"),
      expect.stringContaining("no such secret"),
    ]);
    const other = azureBench();
    other.cloud.faults.entra.strike("serverError");
    const ids = [newestCak(other), newestCak(other)];
    const failed = await other.run(
      Promise.allSettled(ids.map((id) => other.vault.read(id, never))),
    );
    expect(failed.map((each) => each.status === "rejected" && String(each.reason))).toEqual([
      expect.stringContaining("Entra fails (500"),
      expect.stringContaining("Entra fails (500"),
    ]);
  });

  it("a vault that names a wait gets no request before its end, and one afterwards", async () => {
    const bench = azureBench();
    const id = newestCak(bench);
    (await bench.run(bench.vault.read(id, never)))[Symbol.dispose]();
    bench.cloud.faults.vault.strike("throttledSeconds", 1);
    await refused(bench.run(bench.vault.read(id, never)));
    const before = bench.sent.length;
    const patient = await refused(bench.run(bench.vault.read(id, never)));
    expect(patient.message).toMatch(/nothing is asked there for another [12] s/);
    expect(bench.sent.length).toBe(before);
    await bench.run(bench.site.clock.sleep(2_100));
    (await bench.run(bench.vault.read(id, never)))[Symbol.dispose]();
    expect(bench.sent.length).toBe(before + 1);
  });

  it("after each 429 without a time the wait is longer", async () => {
    const bench = azureBench();
    const id = newestCak(bench);
    bench.cloud.faults.vault.strike("throttled");
    const waits: string[] = [];
    for (let i = 0; i < 8; i += 1) {
      const { message } = await refused(bench.run(bench.vault.read(id, never)));
      waits.push(/for (\d+) s/.exec(message)?.[1] ?? message);
      await bench.run(bench.site.clock.sleep(65_000));
    }
    expect(waits).toEqual(["1", "2", "4", "8", "16", "32", "64", "64"]);
  });

  it.each([
    ["a foreign page", { value: [], nextLink: "https://evil.example/secrets/x/versions" }],
    ["the metadata service", { value: [], nextLink: "https://169.254.169.254/secrets/x" }],
    ["another service of ours", { value: [], nextLink: `${base}/subscriptions/s` }],
    ["plain http", { value: [], nextLink: "http://localhost:8443/secrets/x/versions" }],
    ["a user name", { value: [], nextLink: "https://localhost:8443@evil.example/secrets/x" }],
  ])("a list that goes on at %s is not followed", async (_name, body) => {
    const bench = azureBench();
    const { cak } = keyOf(bench);
    newestCak(bench);
    bench.alter = (reply, { path }) =>
      reply.status === 200 && path.includes("/versions") ? json(body) : reply;
    const error = await refused(bench.run(bench.vault.versions(cak, never)));
    expect(error.code).toMatch(/^vault\./);
    const hosts = new Set(bench.sent.map(({ to }) => to));
    expect([...hosts]).toEqual([base]);
    expect(bench.sent.filter(({ path }) => path.startsWith("/subscriptions"))).toEqual([]);
  });

  it("a list that goes on for ever ends", async () => {
    const bench = azureBench();
    const { cak } = keyOf(bench);
    newestCak(bench);
    const nextLink = `${base}/secrets/${cak}/versions?api-version=7.5`;
    bench.alter = (reply, { path }) =>
      reply.status === 200 && path.includes("/versions") ? json({ value: [], nextLink }) : reply;
    const error = await refused(bench.run(bench.vault.versions(cak, never)));
    expect(error.message).toContain("more than 500 versions");
  });
});
