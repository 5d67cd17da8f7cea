// The same vault over real sockets and TLS on this host: what the operator reads of bad answers,
// and of servers without the right certificate.

import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { rootCertificates, setDefaultCACertificates } from "node:tls";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openAzure } from "#agent/azure/open-azure.ts";
import { hostClock } from "#agent/host/clock.ts";
import { hostDialer } from "#agent/host/host.ts";
import type { ErrorCode } from "#hal/error.ts";
import type { KeyVault } from "#hal/vault.ts";
import { alarmOf, type Clock } from "#hal/world.ts";
import type { WireFault } from "#sim/azure/faults.ts";
import { type AzureServed, type AzureServeOptions, serveAzure } from "#sim/serve/azure.ts";
import { type Pace, paceClock } from "#sim/serve/site.ts";
import { buildSite } from "#sim/site/site.ts";
import { never, refused } from "../../kit/site-bench.ts";
import { azureOf, hostOf } from "../azure-bench.ts";
import { vaultRows } from "./azure-answer-rows.ts";

/** Deadlines of ten seconds are over after one. */
const hasty: Clock = {
  now: () => hostClock.now(),
  wall: () => hostClock.wall(),
  sleep: (ms, signal) => hostClock.sleep(ms / 10, signal),
  alarm: alarmOf((ms, signal) => hasty.sleep(ms, signal)),
};

class Cloud implements AsyncDisposable {
  readonly served: AzureServed;
  readonly vault: KeyVault;
  readonly #pace: Pace;

  private constructor(served: AzureServed) {
    this.served = served;
    this.#pace = paceClock(served.site.clock, { speed: 200 });
    served.site.setSpeed(20);
    const { base, tenant, clientId, certificate } = served;
    const identity = { kind: "clientCertificate", tenant, client: clientId } as const;
    const azure = azureOf({ ...identity, certificate: `file:${certificate}` });
    const host = hostOf({ certificate: async () => readFileSync(certificate, "utf8") });
    const here = { ...azure, vault: base, authority: base, arm: base };
    this.vault = openAzure({ clock: hasty, dial: hostDialer }, here, host).vault;
  }

  static async open(tls?: AzureServeOptions["tls"]): Promise<Cloud> {
    const folder = mkdtempSync(join(tmpdir(), "linkseal-https-"));
    folders.push(folder);
    const names = { seed: "https", name: "demo", groups: 1, tunnels: 0, start: "clear" } as const;
    const served = await serveAzure({
      ...{ folder, port: 0, site: (vaultBase) => buildSite({ ...names, vaultBase }) },
      ...(tls === undefined ? {} : { tls }),
    });
    trusted.push(readFileSync(served.ca, "utf8"));
    setDefaultCACertificates(trusted);
    return new Cloud(served);
  }

  /** The newest CAK of the first link. */
  get id(): string {
    const { vault, links } = this.served.site;
    return vault.versions(links[0]?.key.cak ?? "").at(-1)?.id ?? "";
  }

  async read(): Promise<number> {
    using secret = await this.vault.read(this.id, never);
    return secret.byteLength;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.served.close(), this.#pace.stop()]);
  }
}

const folders: string[] = [];
const trusted: string[] = [...rootCertificates];
let cloud: Cloud;
beforeAll(async () => {
  cloud = await Cloud.open();
});
afterAll(async () => {
  await cloud[Symbol.asyncDispose]();
  setDefaultCACertificates([...rootCertificates]);
  for (const folder of folders) rmSync(folder, { recursive: true });
});

/** Sockets tell it in words of their own. */
const overSockets: Readonly<Partial<Record<WireFault, string>>> = {
  reset: "the vault: no reply (ECONNRESET)",
  hugeBody: "the vault: the reply is longer than 1048576 bytes",
};

describe("a vault over HTTPS", () => {
  it("a vault over HTTPS gives versions and values to an authenticated client", async () => {
    const { site } = cloud.served;
    const { key } = site.links[0] ?? {};
    const versions = await cloud.vault.versions(key?.cak ?? "", never);
    expect(versions.map(({ id }) => id)).toEqual([cloud.id]);
    expect(await cloud.read()).toBe(64);
  });

  const rows = vaultRows.filter(({ fault }) => !/^throttled(Date|Ms)$/.test(fault));
  it.each(rows)(
    "a vault over HTTPS with $fault gives the error: $text",
    async ({ fault, code, text, next }) => {
      const { faults } = cloud.served.azure;
      faults.vault.strike(fault);
      const error = await refused(cloud.read());
      expect([error.code, error.message, error.next, error.effect, error.where]).toEqual([
        ...[code, overSockets[fault] ?? text, next, "none", cloud.id],
      ]);
      faults.vault.heal();
      // What asked for patience gets it, by the clock of this host.
      await expect.poll(() => cloud.read().catch(() => 0), { timeout: 5_000 }).toBe(64);
    },
  );
});

const proxy =
  "if a proxy of yours inspects TLS: NODE_EXTRA_CA_CERTS=FILE with its CA, then restart";
const wrong: readonly (readonly [AzureServeOptions["tls"], RegExp, string | RegExp])[] = [
  [
    "wrongName",
    /^the vault: its certificate is for another name: another host answers \(ERR_TLS_CERT/,
    /name service/,
  ],
  [
    "expired",
    /^the vault: its certificate is expired or not yet valid \(CERT_HAS_EXPIRED\)$/,
    /clock/,
  ],
  [
    "unknownAuthority",
    /^the vault: its certificate is from an authority that this host does not know/,
    proxy,
  ],
];

describe("a server in the vault's place", () => {
  it.each(wrong)(
    "a server with a certificate that is %s gets no request",
    async (tls, text, next) => {
      await using other = await Cloud.open(tls);
      const error = await refused(other.read());
      expect([error.code, error.effect]).toEqual(["vault.unreachable" satisfies ErrorCode, "none"]);
      expect(error.message).toMatch(text);
      expect(error.next).toMatch(next);
      // Nor does the environment loosen it.
      process.env["NODE_TLS_REJECT_UNAUTHORIZED"] = "0";
      const loosened = await refused(other.read());
      delete process.env["NODE_TLS_REJECT_UNAUTHORIZED"];
      expect(loosened.message).toBe(error.message);
      expect(other.served.azure.answered).toEqual([]);
    },
  );

  it("a server without TLS gets nothing, and a closed port is reported as no answer", async () => {
    const seen: Buffer[] = [];
    const plain: Server = createServer((socket) => {
      socket.on("data", (bytes) => {
        seen.push(bytes);
        socket.end("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}");
      });
      socket.on("error", () => undefined);
    });
    await new Promise<void>((done) => plain.listen(0, "127.0.0.1", done));
    const { port } = plain.address() as { port: number };
    const ask = () =>
      hostDialer.http(
        {
          ...{ to: `https://localhost:${port}`, method: "GET", path: "/secrets/x" },
          ...{ headers: { authorization: "Bearer canary" }, replyBytesMax: 100 },
          reach: { kind: "loopback" },
        },
        never,
      );
    const spoken = await refused(ask());
    expect([spoken.code, spoken.effect]).toEqual(["transport.unreachable", "none"]);
    expect(Buffer.concat(seen).toString("latin1")).not.toContain("canary");
    await new Promise((done) => plain.close(done));
    expect((await refused(ask())).message).toBe("no answer (ECONNREFUSED)");
  });
});
