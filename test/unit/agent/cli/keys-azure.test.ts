// An operator's own right on a real vault: Microsoft's client in this process, on virtual time.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { operatorVault } from "#agent/cli/keys-azure.ts";
import { generateKey, pairKey } from "#agent/operate/keys/make.ts";
import { stateOf } from "#drivers/azure/expressroute-document.ts";
import { parseFaithful } from "#drivers/transport/arm-json.ts";
import { LinksealError } from "#hal/error.ts";
import { Secret } from "#hal/secret.ts";
import { generationTag, type KeyStore, pairTag } from "#hal/vault.ts";
import { Prng } from "#sim/base/prng.ts";
import { never, refused } from "../../kit/site-bench.ts";
import { linkNamed } from "../../kit/snapshot-kit.ts";
import {
  type AzureBench,
  azureBench,
  azureOf,
  certificateIdentity,
  clientId,
  hostOf,
  tenant,
} from "../azure-bench.ts";

const folder = mkdtempSync(join(tmpdir(), "linkseal-operator-"));
const file = join(folder, "operator.pem");
writeFileSync(file, await hostOf().certificate("file:operator"), { mode: 0o600 });
afterAll(() => rmSync(folder, { recursive: true }));

const link = linkNamed("primary");

function operator(): { readonly bench: AzureBench; readonly vault: KeyStore } {
  const bench = azureBench();
  const vault = operatorVault({
    azure: azureOf(certificateIdentity),
    credential: { kind: "certificate", tenant, client: clientId, file },
    clock: bench.site.clock,
    dial: bench.dial,
    report: () => undefined,
  });
  return { bench, vault };
}

const parts = (bench: AzureBench, vault: KeyStore) => ({
  vault,
  entropy: new Prng("operator"),
  now: () => bench.site.clock.wall(),
});

const octets = () => Secret.take("cak", new Uint8Array(32).fill(0xc0));

/** Answers writes with this instead. */
function answerWrites(bench: AzureBench, status: number, code: string, inner: string): void {
  bench.alter = (reply, request) => {
    if (request.method !== "PUT" || status === 0) return reply;
    const body = { error: { code, message: "no", innererror: { code: inner } } };
    return { ...reply, status, body: new TextEncoder().encode(JSON.stringify(body)) };
  };
}

describe("an operator's vault", () => {
  it("an operator's vault stores a pair with its tags and returns it", async () => {
    const { bench, vault } = operator();
    const { key, generation } = await bench.run(generateKey(parts(bench, vault), link, never));
    expect(generation).toBe(2);
    expect(bench.site.vault.valueForFarEnd(key.cknSecretId)).toBe(key.ckn.toUpperCase());
    expect(bench.site.vault.detail(key.cakSecretId)?.version.tags).toEqual({
      [pairTag]: key.ckn.toUpperCase(),
      [generationTag]: "2",
    });
    const methods = bench.sent.map(({ method, path }) => `${method} ${path.split("/")[1]}`);
    expect(methods.filter((each) => each === "PUT secrets").length).toBe(2);
  });

  it("an operator's vault stores the tags of a pair that was made manually", async () => {
    const { bench, vault } = operator();
    const ckn = "C".repeat(64);
    // The vault counts whole seconds.
    await bench.site.clock.runFor(2_000, () => false);
    const cknId = bench.site.vault.put(link.key.ckn, ckn, { holds: "ckn" });
    const cakId = bench.site.vault.put(link.key.cak, "5".repeat(64), { tags: { owner: "ops" } });
    const last = (id: string): string => id.split("/").at(-1) ?? "";
    const named = { cak: last(cakId), ckn: last(cknId) };
    const made = await bench.run(pairKey(parts(bench, vault), link, named, [link], never));
    expect(made.did).toBe("paired");
    expect(bench.site.vault.detail(cakId)?.version.tags).toEqual({
      owner: "ops",
      [pairTag]: ckn,
      [generationTag]: "2",
    });
  });

  it("an operator's vault lists no versions for a name without secrets", async () => {
    const { bench, vault } = operator();
    expect(await bench.run(vault.versions("a-new-link-cak", never))).toEqual([]);
  });

  it("a refused write to an operator's vault names the missing right", async () => {
    const { bench, vault } = operator();
    answerWrites(bench, 403, "Forbidden", "ForbiddenByRbac");
    using cak = octets();
    const error = await refused(bench.run(vault.put(link.key.cak, cak, {}, never)));
    expect(error).toMatchObject({ code: "vault.denied", effect: "none" });
    expect(error.message).toContain("you may not write secrets here");
    expect(error.next).toContain("Key Vault Secrets Officer");
  });

  const lost: readonly (readonly [string, (bench: AzureBench) => void, "none" | "unknown"])[] = [
    ["fails", (bench) => answerWrites(bench, 500, "InternalServerError", "x"), "unknown"],
    ["never answers", (bench) => cutWrites(bench, "transport.timeout"), "unknown"],
    ["was never reached", (bench) => cutWrites(bench, "transport.unreachable"), "none"],
  ];
  it.each(lost)(
    "that %s during a write says what that may have done",
    async (_n, spoil, effect) => {
      const { bench, vault } = operator();
      spoil(bench);
      using cak = octets();
      const error = await refused(bench.run(vault.put(link.key.cak, cak, {}, never)));
      expect(error).toMatchObject({ code: "vault.unreachable", effect });
      expect(JSON.stringify([error.message, error.where, String(error.cause)])).not.toMatch(
        /C0C0/i,
      );
    },
  );
});

function cutWrites(bench: AzureBench, code: "transport.timeout" | "transport.unreachable"): void {
  bench.alter = (reply, request) => {
    if (request.method !== "PUT") return reply;
    const details = { effect: "none", where: request.to, next: "linkseal status" } as const;
    throw new LinksealError(code, "the line is cut", details);
  };
}

describe("the document of a LAG", () => {
  const document = (more: object, members: unknown): unknown => {
    const links = ["link1", "link2"].map((name) => ({ name, properties: { members } }));
    const properties = { provisioningState: "Succeeded", bandwidthInGbps: 100, ...more, links };
    return parseFaithful(JSON.stringify({ properties }));
  };

  it("the document of a LAG says how many ports a link has, and how many must be active", () => {
    const lag = document({ minimumActivePortsRequired: 2 }, [{ name: "a" }]);
    expect(stateOf(lag, "link1").details?.lag).toEqual({ members: 1, least: 2 });
  });

  it("the document of a plain port has no LAG members", () => {
    expect(stateOf(document({}, undefined), "link2").details?.lag).toBeUndefined();
  });
});
