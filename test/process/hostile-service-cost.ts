// What one hostile service, or the clients of one of our own sockets, cost the process that they
// reach. Runs as a process of its own, which a test starts.

import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as rest } from "node:timers/promises";
import { loadAddon } from "#agent/host/addon.ts";
import { hostEntropy } from "#agent/host/entropy.ts";
import { exchange } from "#agent/host/exchange.ts";
import { serveFrames } from "#agent/host/frame-server.ts";
import { openShownPage } from "#agent/host/page-listener.ts";
import { serveUnix } from "#agent/host/unix-server.ts";
import { fillCommand } from "#drivers/index.ts";
import { MkaClient } from "#drivers/linux/mka/client.ts";
import { replyBytesMax } from "#drivers/linux/mka/protocol.ts";
import { families } from "#drivers/linux/netlink/address.ts";
import { dumpRoutes, readRoute } from "#drivers/linux/netlink/rtnetlink-route.ts";
import { askFramed } from "#drivers/transport/framed.ts";
import type { NativeSocket } from "#drivers/transport/native.ts";
import { NetlinkChannel } from "#drivers/transport/netlink.ts";
import { SnmpAgents } from "#drivers/transport/snmp.ts";
import { openStream } from "#drivers/transport/stream.ts";
import { ViciClient } from "#drivers/transport/vici.ts";
import { LinksealError } from "#hal/error.ts";
import { encodeJson, parseJson } from "#hal/json.ts";
import type { HttpReply } from "#hal/world.ts";
import { Authority } from "#sim/serve/certificates.ts";
import { azureBench, base } from "../unit/agent/azure-bench.ts";
import { armBench } from "../unit/kit/arm-bench.ts";
import { material, names, targetOf } from "../unit/kit/snmp-kit.ts";
import { type Cost, measured } from "./cost-watch.ts";
import { community } from "./hostile-services.ts";

export interface ServiceOrder {
  readonly attack: string;
  /** A UDP port, or the path of a socket; undefined = this process attacks itself. */
  readonly at: number | string | undefined;
  readonly looks: number;
}

/** How long clients of our own sockets are served. */
const servedMs = 3_000;
/** How long an exchange without an end may take. */
const patienceMs = 20_000;

type Look = (at: number | string) => Promise<string>;

async function ended(work: () => Promise<unknown>): Promise<string> {
  try {
    await work();
    return "understood";
  } catch (error) {
    if (error instanceof LinksealError) return `${error.code}: ${error.message}`;
    if (error instanceof DOMException) return "given up";
    throw error;
  }
}

const patience = (): AbortSignal => AbortSignal.timeout(patienceMs);

async function snmp(at: number | string, version: "v3" | "v2c"): Promise<string> {
  const port = Number(at);
  const target =
    version === "v3"
      ? targetOf(port)
      : {
          ...{ device: "edge-a", address: "127.0.0.1" },
          snmp: { access: "v2cReadonly", port, community } as const,
        };
  using agents = new SnmpAgents(material, { attemptMs: 5_000, retries: 1 });
  // The reader of SNMPv2c asks for one value at a time.
  const query = { roots: [names], leaves: [], valuesMax: version === "v3" ? 8_192 : 200 };
  return await ended(() => agents.ask(target, query, AbortSignal.timeout(60_000)));
}

async function vici(at: number | string): Promise<string> {
  using client = new ViciClient(await openStream(String(at), patience()));
  return await ended(() => client.list("list-sas", "list-sa", {}, patience()));
}

async function mka(at: number | string): Promise<string> {
  const client = new MkaClient(
    (octets, { effect }, signal) =>
      askFramed({ path: String(at), octets, replyBytesMax, effect }, signal),
    "eth0",
  );
  return await ended(() => client.observe(patience()));
}

async function https(at: number | string): Promise<string> {
  const request = { to: `unix:${at}`, method: "GET", path: "/", replyBytesMax: 1_048_576 } as const;
  return await ended(() => exchange(request, patience(), fillCommand));
}

const broken = (error: unknown): void => {
  throw error;
};

/** A text as long as the status of 2,000 links, which is made anew for each client. */
const statusOfMany = (): string =>
  encodeJson(Array.from({ length: 10_000 }, () => "l".repeat(116)));

/** Serves a socket as the agent does, until its clients were there for a while. */
async function served(at: number | string, requestBytesMax: number): Promise<string> {
  let answers = 0;
  const limit = { characters: 1_000_000 };
  const own = await serveUnix({
    ...{ path: String(at), requestBytesMax, broken },
    refused: () => ({ status: 413 }),
    async answer({ body, path }) {
      answers += 1;
      if (path === "/long") return { status: 200, body: statusOfMany() };
      try {
        if (body.length <= limit.characters) parseJson(body, limit);
      } catch {
        return { status: 400 };
      }
      return { status: 200 };
    },
  });
  await rest(servedMs);
  await own.close();
  return `${answers} answers`;
}

async function framesServed(at: number | string): Promise<string> {
  const own = await serveFrames({
    ...{ path: String(at), requestBytesMax: 100_000, broken },
    admits: () => true,
    answer: async (question) => question.fill(0).subarray(0, 4),
  });
  await rest(servedMs);
  await own.close();
  return "served";
}

const sleeper = new Int32Array(new SharedArrayBuffer(4));

/** The page of a stand-in for the agent, under TLS. */
async function pageServed(at: number | string): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), "linkseal-page-"));
  const now = Date.now();
  const validity = { notBefore: now - 60_000, notAfter: now + 3_600_000 };
  const { key, certificate } = new Authority("page", validity).server(validity, [], ["127.0.0.1"]);
  const [keyFile, certificateFile] = [join(folder, "key.pem"), join(folder, "cert.pem")];
  writeFileSync(keyFile, key, { mode: 0o600 });
  writeFileSync(certificateFile, certificate);
  const tls = { key: `file:${keyFile}`, certificate: `file:${certificateFile}` } as const;
  const page = await openShownPage(
    {
      ...{ program: "agent", broken, native: loadAddon() },
      days: { link: () => undefined, tunnel: () => undefined },
      world: { entropy: hostEntropy, log: { write: () => undefined } },
      ...{ turn: () => undefined, opening: () => "{}", snapshot: () => "{}" },
    },
    { host: "127.0.0.1", port: 0, tls },
  );
  writeFileSync(String(at), String(page.port));
  for (let round = 0; round < 3; round += 1) {
    await rest(300);
    // What a busy process does not read waits in the kernel. Sleeping takes no processor time.
    Atomics.wait(sleeper, 0, 0, 2_500);
  }
  await rest(300);
  await page.close();
  rmSync(String(at));
  rmSync(folder, { recursive: true });
  return "served";
}

const routeOctets = 60;

/** A kernel whose dump of routes has so many of them, with 8 next hops each where asked for. */
async function routes(count: number): Promise<string> {
  let [left, sequence] = [count, 0];
  let wake = (): void => undefined;
  const handle: NativeSocket = { noun: "native socket" };
  const unused = (): never => {
    throw new Error("not of this kernel");
  };
  const kernel = {
    ...{ joinGroup: unused, openFrames: unused, openClearCount: unused, takeClearCount: unused },
    ...{
      peerCredentials: unused,
      limitReceive: unused,
      notify: unused,
      openMemory: unused,
      checkMemory: unused,
    },
    ...{ refuseDumps: unused, close: () => undefined },
    openNetlink: (_family: number, _octets: number, onReadable: () => void) => {
      wake = onReadable;
      return handle;
    },
    send: (_socket: NativeSocket, message: Uint8Array) => {
      sequence = new DataView(message.buffer, message.byteOffset).getUint32(8, true);
      setImmediate(wake);
      return message.length;
    },
    receive: (_socket: NativeSocket, room: Uint8Array) => {
      const octets = pageOf(Math.min(left, 500), sequence, left <= 500);
      left -= 500;
      if (left > -500) setImmediate(wake);
      room.set(octets);
      return octets.length;
    },
  };
  using socket = new NetlinkChannel(kernel, 0);
  return await ended(() => socket.ask(dumpRoutes(families.ipv4), readRoute, patience()));
}

/** Messages of a dump of routes, the last of them its end. */
function pageOf(count: number, sequence: number, isLast: boolean): Uint8Array {
  const octets = new Uint8Array(count * routeOctets + (isLast ? 20 : 0));
  const view = new DataView(octets.buffer);
  const header = (at: number, length: number, type: number): void => {
    view.setUint32(at, length, true);
    view.setUint16(at + 4, type, true);
    view.setUint16(at + 6, 2, true);
    view.setUint32(at + 8, sequence, true);
  };
  for (let index = 0; index < count; index += 1) {
    const at = index * routeOctets;
    header(at, routeOctets, 24);
    octets.set([2, 32, 0, 0, 254, 4, 0, 1], at + 16);
    // Table, destination, output link and gateway: four attributes of four octets.
    [15, 1, 4, 5].forEach((type, each) => {
      view.setUint16(at + 28 + 8 * each, 8, true);
      view.setUint16(at + 30 + 8 * each, type, true);
      view.setUint32(at + 32 + 8 * each, type === 15 ? 254 : index, true);
    });
  }
  if (isLast) header(count * routeOctets, 20, 3);
  return octets;
}

/** Just below the longest answer of each kind: of a longer one nothing is read. */
const bodiesOf = (characters: number): Readonly<Record<string, string>> => ({
  "very many values": `{"value":[${"0,".repeat(characters / 2 - 10)}0]}`,
  "very many lists": `{"value":[${"[],".repeat(characters / 3 - 10)}0]}`,
  "a deep document": '{"a":'.repeat(characters / 5),
  "the longest text": `{"value":"${"a".repeat(characters - 20)}"}`,
});
const ofVault = { ...bodiesOf(1_040_000), "pages without an end": "" };
const ofManagement = {
  ...bodiesOf(990_000),
  // As many as are taken, of numbers that keep their digits.
  "the most values": `{"value":[${"1234567890123456,".repeat(49_000)}0]}`,
};

/** A page of a secret's versions that leads to itself. */
const pageOfVersions = (secret: string): string => {
  const item = { id: `${secret}/${"0".repeat(32)}`, attributes: { enabled: true, created: 1 } };
  const value = Array.from({ length: 20 }, () => item);
  return JSON.stringify({ value, nextLink: `${secret}/versions?$skiptoken=1` });
};

const spoilt =
  (body: string) =>
  (reply: HttpReply): HttpReply => ({ ...reply, status: 200, body: Buffer.from(body) });

async function vault(body: string | undefined): Promise<string> {
  const bench = azureBench();
  const { cak = "" } = bench.site.links[0]?.key ?? {};
  bench.site.vault.generatePair({ cak, ckn: `${cak}-ckn` }, "gcm-aes-xpn-256");
  const never = new AbortController().signal;
  const alter = spoilt(body === "" ? pageOfVersions(`${base}/secrets/${cak}`) : (body ?? ""));
  bench.alter = (reply, { path }) =>
    body !== undefined && path.startsWith("/secrets/") && reply.status === 200
      ? alter(reply)
      : reply;
  return await ended(() => bench.run(bench.vault.versions(cak, never)));
}

async function farEnd(body: string | undefined): Promise<string> {
  const bench = armBench();
  if (body !== undefined) bench.alter = spoilt(body);
  return await ended(() => bench.observe("link1"));
}

function bodyOf(bodies: Readonly<Record<string, string>>, how: string): string {
  const body = bodies[how];
  if (body === undefined) throw new RangeError(`no attack ${how}`);
  return body;
}

/** The look at an attack, and one that loads the code. */
function looksOf(attack: string): readonly [Look, Look] {
  const [surface = "", how = ""] = attack.split(": ");
  switch (surface) {
    case "snmp":
      return [(at) => snmp(at, "v3"), () => snmp(1, "v3")];
    case "snmp v2c":
      return [(at) => snmp(at, "v2c"), () => snmp(1, "v2c")];
    case "vici":
      return [vici, () => ended(() => openStream("/nowhere", patience()))];
    case "mka":
      return [mka, () => mka("/nowhere")];
    case "https":
      return [https, () => https("/nowhere")];
    case "admin.sock":
      return [(at) => served(at, 2_000_000), async () => ""];
    case "view.sock":
      return [(at) => served(at, 0), async () => ""];
    case "page":
      return [pageServed, async () => ""];
    case "net.sock":
      return [framesServed, async () => ""];
    case "vault":
      return [() => vault(bodyOf(ofVault, how)), () => vault(undefined)];
    case "management API":
      return [() => farEnd(bodyOf(ofManagement, how)), () => farEnd(undefined)];
    case "kernel":
      return [() => routes(1_000_000), () => routes(1_000)];
    default:
      throw new RangeError(`no attack ${attack}`);
  }
}

/** Attacks that this process makes itself. */
export const ownAttacks: readonly string[] = [
  ...Object.keys(ofVault).map((how) => `vault: ${how}`),
  ...Object.keys(ofManagement).map((how) => `management API: ${how}`),
  "kernel: a million routes",
];

if (process.argv[1] === import.meta.filename) {
  const { attack, at = "", looks } = JSON.parse(process.argv[2] ?? "") as ServiceOrder;
  const [look, quiet] = looksOf(attack);
  const cost: Cost = await measured(
    () => look(at),
    () => quiet(at),
    looks,
  );
  process.stdout.write(`${JSON.stringify(cost)}\n`, () => process.exit(0));
  await once(process, "exit");
}
