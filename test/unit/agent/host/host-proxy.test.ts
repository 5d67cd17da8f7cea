// HTTPS through a proxy of the environment: TLS proves the peer as without one, and what the proxy
// refuses is said in words.

import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { rootCertificates, setDefaultCACertificates } from "node:tls";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { hostDialer } from "#agent/host/host.ts";
import { proxyFor } from "#agent/host/proxy.ts";
import type { HttpReply } from "#hal/world.ts";
import { type AzureServed, serveAzure } from "#sim/serve/azure.ts";
import { type Pace, paceClock } from "#sim/serve/site.ts";
import { buildSite } from "#sim/site/site.ts";
import { never, refused } from "../../kit/site-bench.ts";

const folder = mkdtempSync(join(tmpdir(), "linkseal-proxy-"));
const name = "kv1.vault.localhost";
const asked: string[] = [];
let answer = "";
let proxy: Server;
let cloud: AzureServed;
let pace: Pace;
beforeAll(async () => {
  const names = { seed: "proxy", name: "demo", groups: 1, tunnels: 0, start: "clear" } as const;
  cloud = await serveAzure({
    ...{ folder, port: 0, site: (vaultBase) => buildSite({ ...names, vaultBase }) },
  });
  pace = paceClock(cloud.site.clock, { speed: 200 });
  setDefaultCACertificates([...rootCertificates, readFileSync(cloud.ca, "utf8")]);
  proxy = createServer();
  proxy.on("connect", (request, socket) => {
    asked.push(request.url ?? "");
    if (answer !== "") return void socket.end(answer);
    const behind = connect(Number(new URL(cloud.base).port), "127.0.0.1");
    socket.write("HTTP/1.1 200 OK\r\n\r\n");
    socket.on("error", () => behind.destroy());
    behind.on("error", () => socket.destroy());
    socket.pipe(behind).pipe(socket);
  });
  await new Promise<void>((done) => proxy.listen(0, "127.0.0.1", done));
});
afterEach(() => {
  for (const each of ["HTTPS_PROXY", "NO_PROXY"]) delete process.env[each];
  asked.length = 0;
  answer = "";
});
afterAll(async () => {
  setDefaultCACertificates([...rootCertificates]);
  await Promise.all([cloud.close(), pace.stop(), new Promise((done) => proxy.close(done))]);
  rmSync(folder, { recursive: true });
});

function useProxy(port = (proxy.address() as AddressInfo).port): void {
  process.env["HTTPS_PROXY"] = `http://127.0.0.1:${port}`;
}

function ask(host = name): Promise<HttpReply> {
  const to = `https://${host}:${new URL(cloud.base).port}`;
  const request = { to, method: "GET", path: "/secrets?api-version=7.5" } as const;
  return hostDialer.http({ ...request, replyBytesMax: 10_000 }, never);
}

describe("a proxy of the environment", () => {
  it("a proxy opens a tunnel in which the peer proves its name", async () => {
    useProxy();
    const reply = await ask();
    expect([reply.status, reply.headers["www-authenticate"]]).toEqual([
      401,
      expect.stringContaining("Bearer authorization="),
    ]);
    expect(asked).toEqual([`${name}:${new URL(cloud.base).port}`]);
  });

  it("a proxy that leads to another host gets no request through", async () => {
    useProxy();
    const before = cloud.azure.answered.length;
    const error = await refused(ask("kv1.vault.azure.net"));
    expect([error.code, error.effect]).toEqual(["transport.authentication", "none"]);
    expect(error.message).toContain("for another name: another host answers");
    expect(cloud.azure.answered.length).toBe(before);
  });

  it.each([
    ["refuses", "HTTP/1.1 403 Forbidden\r\n\r\n", "the proxy answers 403"],
    ["wants a password", "HTTP/1.1 407 Authenticate\r\n\r\n", "the proxy answers 407"],
    ["hangs up", "x", /the proxy does not answer/],
  ])("a proxy that %s gives the matching error", async (_name, text, says) => {
    useProxy();
    answer = text;
    const error = await refused(ask());
    expect([error.code, error.effect]).toEqual(["transport.unreachable", "none"]);
    expect(error.message).toMatch(says);
    expect(error.next).toContain("HTTPS_PROXY");
  });

  it("a missing proxy gives the matching error", async () => {
    useProxy(1);
    expect((await refused(ask())).message).toBe("the proxy does not answer (ECONNREFUSED)");
  });

  it.each([name, ".vault.localhost", "localhost", "*", `x, ${name}`])(
    "is left out for NO_PROXY=%s, and the address is checked again",
    async (exempt) => {
      useProxy();
      process.env["NO_PROXY"] = exempt;
      const error = await refused(ask());
      expect(error.message).toMatch(/is not connected to: it is not public|has no address/);
      expect(asked).toEqual([]);
    },
  );

  it.each([
    ["http://proxy.example:8080", { host: "proxy.example", port: 8080 }],
    ["http://10.0.0.1:3128/", { host: "10.0.0.1", port: 3128 }],
    ["", undefined],
  ])("the proxy setting %j is understood", (text, found) => {
    expect(proxyFor("kv.vault.azure.net", { HTTPS_PROXY: text })).toEqual(found);
  });

  it.each([
    "https://proxy:443",
    "socks5://p:1",
    "http://u:p@proxy:1",
    "proxy:8080",
    "http://proxy",
  ])("the proxy setting %j is refused without repeating it", (text) => {
    const look = (): unknown => proxyFor("kv.vault.azure.net", { HTTPS_PROXY: text });
    expect(look).toThrow("HTTPS_PROXY is not http://HOST:PORT, the only form supported");
  });
});
