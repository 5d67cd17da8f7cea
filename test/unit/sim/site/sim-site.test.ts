import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { hostDialer } from "#agent/host/dialer.ts";
import { simPeer, simVault } from "#drivers/index.ts";
import type { DeviceChange, TransactionToken } from "#hal/device.ts";
import { decodeJson } from "#hal/json.ts";
import type { KeyRef } from "#hal/model.ts";
import { Secret } from "#hal/secret.ts";
import type { Dialer } from "#hal/world.ts";
import { paceClock, serveSite } from "#sim/serve/site.ts";
import {
  type Bench,
  buildBench,
  capabilities,
  ckn,
  handlerDialer,
  never,
  openSim,
  portId,
  refused,
  sampleState,
  settled,
} from "../../kit/site-bench.ts";

const base = "https://demo.vault.sim";
const key: KeyRef = {
  ckn: ckn("c"),
  cakSecretId: `${base}/secrets/erd-1-cak/${"1".repeat(32)}`,
  cknSecretId: `${base}/secrets/erd-1-ckn/${"2".repeat(32)}`,
};
const pskSecretId = `${base}/secrets/hub-1-psk/${"3".repeat(32)}`;
const transforms = { encryption: "aes-gcm-256", integrity: "none", dhGroup: "ecp384" };
const port = "et-0/0/0";

const everyChange: DeviceChange = [
  {
    kind: "macsec.protect",
    port,
    settings: {
      suite: "gcm-aes-xpn-256",
      includeSci: true,
      confidentialityOffset: 30,
      keyServerPriority: 0,
      replayWindow: 0,
      sakRekeyMs: undefined,
    },
  },
  { kind: "macsec.addKey", port, key, role: "fallback" },
  { kind: "macsec.replaceKey", port, key },
  { kind: "macsec.promoteKey", port, ckn: key.ckn },
  { kind: "macsec.removeKey", port, ckn: key.ckn },
  { kind: "macsec.rekeySak", port },
  { kind: "port.shut", port },
  { kind: "port.open", port },
  { kind: "port.drain", port, means: "prepend" },
  { kind: "port.restore", port, means: "gracefulShutdown" },
  {
    kind: "ipsec.putTunnel",
    tunnel: {
      name: "hub-1",
      localAddress: "198.51.100.1",
      remoteAddress: "203.0.113.1",
      localPrefixes: ["10.1.0.0/16"],
      remotePrefixes: ["10.100.0.0/16"],
      ike: { encryption: "aes-256-gcm", integrity: "none", prf: "sha384", dhGroup: "ecp-384" },
      transforms,
      life: { seconds: 27_000, kilobytes: 102_400_000 },
      mtu: 1400,
      ifId: 42,
      auth: { kind: "psk", secretId: pskSecretId },
    },
  },
  { kind: "ipsec.rekey", name: "hub-1", what: "child" },
  { kind: "ipsec.removeTunnel", name: "hub-1" },
];

interface Way {
  readonly bench: Bench;
  readonly dial: Dialer;
  readonly address: string;
  answer<T>(promise: Promise<T>): Promise<T>;
  close(): Promise<void>;
}

async function direct(): Promise<Way> {
  const bench = buildBench("direct");
  return {
    bench,
    dial: handlerDialer(bench.handler),
    address: "unix:/direct",
    answer: (promise) => settled(bench.clock, promise),
    close: async () => undefined,
  };
}

async function socket(): Promise<Way> {
  const bench = buildBench("socket");
  const folder = await mkdtemp(join(tmpdir(), "linkseal-site-"));
  const path = join(folder, "site.sock");
  const served = await serveSite(bench.handler, path);
  const pace = paceClock(bench.clock, { speed: 20 });
  return {
    bench,
    dial: hostDialer,
    address: `unix:${path}`,
    answer: (promise) => promise,
    async close() {
      await pace.stop();
      await served.close();
      await rm(folder, { recursive: true });
    },
  };
}

const ways = [
  ["in-process", direct],
  ["over a Unix socket", socket],
] as const;

describe.each(ways)("devices of the site protocol, %s", (_name, open) => {
  let way: Way;
  beforeAll(async () => {
    way = await open();
  });
  afterAll(async () => {
    await way.close();
  });

  it("GET /clock gives time and speed of the site", async () => {
    const request = { to: way.address, method: "GET", path: "/clock", replyBytesMax: 100 } as const;
    const reply = await way.answer(way.dial.http(request, never));
    expect(decodeJson(new TextDecoder().decode(reply.body))).toEqual({
      now: expect.any(Number),
      wall: expect.any(Number),
      speed: 10,
    });
  });

  it("a device gives capabilities, observations, probes and routes", async () => {
    const device = await way.answer(openSim(way.bench.clock, way.dial, way.address));
    expect(device.capabilities).toEqual(capabilities);
    const state = await way.answer(device.observe(never));
    expect(state).toEqual(sampleState("edge-a", state.at));
    expect(state.at).toBeLessThanOrEqual(way.bench.clock.now());
    const probe = device.probe?.(port, 20, never) ?? Promise.resolve(undefined);
    expect(await way.answer(probe)).toEqual({ sent: 20, answered: 19 });
    expect(await way.answer(device.routesTo("192.0.2.1", never))).toEqual([port]);
    expect(await way.answer(device.routesTo("192.0.2.2", never))).toBeUndefined();
  });

  it("a device prepares every kind of change, applies, confirms, reverts and recalls", async () => {
    const device = await way.answer(openSim(way.bench.clock, way.dial, way.address));
    const kinds: string[] = [];
    const lent: Secret[] = [];
    const keys = async (ref: { readonly kind: string }): Promise<Secret> => {
      kinds.push(ref.kind);
      const secret = Secret.take(ref.kind, Uint8Array.of(0xc0, 0x0f, 0xfe));
      lent.push(secret);
      return secret;
    };
    way.bench.log.length = 0;
    const transaction = await way.answer(device.prepare(everyChange, keys, never));
    expect(transaction.preview).toBe("+ pre-shared key aaaa…aaaa [secret cak]\n- none");
    expect(kinds).toEqual(["cak", "psk"]);
    for (const secret of lent) expect(() => secret.use(() => 0)).toThrow("already wiped");
    await way.answer(transaction.apply(5000, never));
    await way.answer(transaction.apply("final", never));
    await way.answer(transaction.confirm(never));
    await way.answer(transaction.rollback(never));
    const recalled = await way.answer(device.recall(transaction.token, never));
    expect(recalled).toMatchObject({
      kind: "pending",
      transaction: { token: "t-1", preview: transaction.preview },
    });
    const absent = await way.answer(device.recall("t-2" as TransactionToken, never));
    expect(absent).toEqual({ kind: "absent" });
    expect(way.bench.log).toEqual([
      "key c00ffe",
      "key c00ffe",
      "psk c00ffe",
      `prepare ${everyChange.map(({ kind }) => kind).join(" ")}`,
      "apply 5000",
      "apply final",
      "confirm",
      "rollback",
    ]);
  });
});

describe.each(ways)("far end and vault of the site protocol, %s", (_name, open) => {
  let way: Way;
  beforeAll(async () => {
    way = await open();
  });
  afterAll(async () => {
    await way.close();
  });

  it("the far end is observed and put, and its operation is awaited", async () => {
    const { vault, msee } = way.bench;
    const names = { cak: "erd-1-cak", ckn: "erd-1-ckn" };
    const pair = vault.generatePair(names, "gcm-aes-xpn-256");
    const peer = simPeer(way.dial, way.address, portId, "link1");
    expect(await way.answer(peer.observe(never))).toEqual(msee.observe("link1"));
    const journal: string[] = [];
    const want = { key: pair, suite: "gcm-aes-xpn-256", sci: "off", admin: "up" } as const;
    const put = peer.put(want, async (operation) => void journal.push(operation), never);
    await way.answer(put);
    const state = await way.answer(peer.observe(never));
    expect(journal).toEqual([state.operation]);
    expect(state).toEqual(msee.observe("link1"));
    expect(state.pointsAt?.cknSecretId).toBe(pair.cknSecretId);
    const again = await refused(way.answer(peer.put(want, async () => undefined, never)));
    expect([again.code, again.effect, again.where]).toEqual(["peer.rejected", "none", portId]);
  });

  it("the vault gives versions and values", async () => {
    const { vault } = way.bench;
    const id = vault.put("hub-1-psk", "swordfish", { tags: { owner: "net" } });
    const keyVault = simVault(way.dial, way.address);
    expect(await way.answer(keyVault.versions("hub-1-psk", never))).toEqual(
      vault.versions("hub-1-psk"),
    );
    using secret = await way.answer(keyVault.read(id, never));
    expect([secret.label, secret.use((bytes) => new TextDecoder().decode(bytes))]).toEqual([
      "hub-1-psk",
      "swordfish",
    ]);
    vault.setFault("denied", true);
    const denied = await refused(way.answer(keyVault.read(id, never)));
    vault.setFault("denied", false);
    expect([denied.code, denied.effect, denied.where]).toEqual(["vault.denied", "none", id]);
  });
});

describe.each(ways)("refusals of the site protocol, %s", (_name, open) => {
  let way: Way;
  beforeAll(async () => {
    way = await open();
  });
  afterAll(async () => {
    await way.close();
  });

  it.each([
    { method: "GET", path: "/nothing", body: "", status: 404 },
    { method: "POST", path: "/devices/edge-a/format", body: "", status: 404 },
    { method: "POST", path: "/devices/edge-a/observe/more", body: "", status: 404 },
    { method: "POST", path: "/devices/edge-z/observe", body: "", status: 503 },
    { method: "POST", path: "/devices/edge-a/prepare", body: "{", status: 400 },
    {
      method: "POST",
      path: "/devices/edge-a/prepare",
      body: '{"change":[{"kind":"x"}],"keys":{}}',
      status: 400,
    },
    {
      method: "POST",
      path: "/devices/edge-a/prepare",
      body: '{"change":[],"keys":{"id":"zz"}}',
      status: 400,
    },
    { method: "POST", path: "/devices/edge-a/transactions/t-9/confirm", body: "", status: 422 },
    {
      method: "POST",
      path: "/peers/observe",
      body: '{"port":"other","link":"link1"}',
      status: 409,
    },
    {
      method: "POST",
      path: "/peers/put",
      body: `{"port":"${portId}","link":"link3"}`,
      status: 400,
    },
    { method: "GET", path: "/vault/secrets/%E0%A4%A/versions", body: "", status: 404 },
  ] as const)(
    "the request $method $path with $body is answered with $status",
    async ({ method, path, body, status }) => {
      const request = { to: way.address, method, path, body: [body], replyBytesMax: 4096 };
      const reply = await way.answer(way.dial.http(request, never));
      expect(reply.status).toBe(status);
      expect(decodeJson(new TextDecoder().decode(reply.body))).toMatchObject({ effect: "none" });
    },
  );
});
