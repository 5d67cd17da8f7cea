// linkseal-mka as a process: the clients that it answers, the changes that it undoes by itself, and
// the cost of its end.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, closeSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as rest } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { encodeJson } from "#hal/json.ts";
import { Secret } from "#hal/secret.ts";
import { ipBatch, leaveNetworks, native, soon, until } from "../lab.ts";
import { Participant } from "./participant.ts";
import { address, keyOf, keysOf, makeSecy, secyOf, wire } from "./station.ts";
import { Flow, ping } from "./traffic.ts";

let folder = "";
let networks: readonly [string, string];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "linkseal-mka-"));
  networks = wire();
  networks.forEach((network, index) => {
    makeSecy(network, { suite: "gcm-aes-xpn-256", sci: "on" });
    address(network, index);
  });
});
afterEach(() => {
  leaveNetworks();
  rmSync(folder, { recursive: true });
});

const key = keyOf("c0ffee", 32);
const other = keyOf("beef", 32);
const priority = (keyServerPriority: number) =>
  ({
    kind: "configure",
    settings: { keyServerPriority, sakRekeyMs: undefined, delayProtection: "off" },
  }) as const;
/** The peer's wait since our last hello, which may be two seconds old. */
const patienceMs = 3500;
let changes = 0;
const final = () => {
  changes += 1;
  return { token: `final-${changes}`, within: "final" } as const;
};

async function secured(a: Participant, b: Participant): Promise<string> {
  return await until(async () => {
    const [left, right] = [await a.secured(), await b.secured()];
    return left === right ? left : undefined;
  });
}

async function both(options: { manager?: string } = {}): Promise<[Participant, Participant]> {
  const [a, b] = networks.map((network) => new Participant({ network, folder, ...options }));
  if (a === undefined || b === undefined) throw new Error("a wire has two ends");
  await Promise.all([a.start(), b.start()]);
  await b.change(priority(32), final());
  for (const one of [a, b]) await one.add(key, final());
  await secured(a, b);
  return [a, b];
}

describe("linkseal-mka", { timeout: 300_000 }, () => {
  it("linkseal-mka secures a port for its client, and prints no key", async () => {
    const [a, b] = await both();
    using near = a;
    using _far = b;
    expect(await ping(networks[0], "10.0.0.2")).toBe(5);
    const observation = await near.observe();
    expect(observation).toMatchObject({
      kind: "bound",
      device: "ms-wire",
      sci: "02000000000a0001",
      settings: { suite: "gcm-aes-xpn-256", keyServerPriority: 16 },
      liveSuite: "gcm-aes-xpn-256",
      keys: [{ ckn: key.ckn, role: "primary" }],
      session: { controlledPort: "secured", livePeers: 1, keyServer: "self" },
      troubles: [],
    });
    await near.change({ kind: "rekey" }, final());
    await until(async () => ((await near.secured())?.endsWith("/2") === true ? true : undefined));
    const about = ["cmdline", "environ"].map((name) => readFileSync(`/proc/${near.pid}/${name}`));
    const shown = near.output + encodeJson(observation) + about.join();
    expect(shown).not.toContain(key.cak);
    expect(await near.end("SIGTERM")).toBe(0);
    expect(keysOf(networks[0]).sent).not.toBe("");
  });

  it("an unconfirmed change is undone even without its client; a confirmed one stays", async () => {
    const [a, b] = await both();
    using near = a;
    using _far = b;
    using cak = Secret.take("cak", Uint8Array.from(Buffer.from(other.cak, "hex")));
    await near.client.stage("second", 0, { kind: "add", ckn: other.ckn, key: cak }, soon());
    await near.client.stage("second", 1, priority(7), soon());
    await near.client.apply("second", 3_000, soon());
    expect(await near.client.recall("second", soon())).toContain(`+ CAK ${other.ckn}`);
    await expect(near.change(priority(8), final())).rejects.toMatchObject({
      code: "device.locked",
      effect: "none",
    });
    const observation = await until(async () => {
      const observed = await near.observe();
      return observed.pending === undefined ? observed : undefined;
    });
    expect(observation).toMatchObject({
      keys: [{ ckn: key.ckn }],
      settings: { keyServerPriority: 16 },
    });
    expect(await near.client.recall("second", soon())).toBeUndefined();
    await expect(near.client.confirm("second", soon())).rejects.toMatchObject({
      code: "device.commitExpired",
    });
    await near.add(other, { token: "third", within: 60_000 });
    // An answer was lost: the client asks again, and confirms twice.
    await near.client.apply("third", 60_000, soon());
    await near.client.confirm("third", soon());
    await near.client.confirm("third", soon());
    await expect(near.add({ ...other, cak: key.cak }, final())).rejects.toMatchObject({
      code: "device.rejected",
    });
    await near.change({ kind: "remove", ckn: other.ckn }, final());
    await near.add(keyOf("cafe", 16), { token: "fourth", within: 60_000 });
    await near.client.rollback("fourth", soon());
    expect(await near.observe()).toMatchObject({ keys: [{ ckn: key.ckn }] });
  });

  it("a killed process that restarts takes the key again; the SecY carries meanwhile", async () => {
    const [a, b] = await both();
    using near = a;
    using far = b;
    for (const station of [near, far]) {
      const flow = await Flow.begin(networks);
      await rest(2000);
      await station.end("SIGKILL");
      const start = performance.now();
      await station.start();
      const readyMs = performance.now() - start;
      if (station === far) await station.change(priority(32), final());
      await station.add(key, final());
      expect(await secured(near, far)).toMatch(/^[0-9a-f]{24}\/\d+$/);
      const tookMs = Math.round(performance.now() - start);
      await rest(8000);
      const { sent, lost } = await flow.end();
      const who = station === near ? "key server" : "member";
      console.log(`${who} killed, no memory: secured after ${tookMs} ms, ${lost} of ${sent} lost`);
      // A process that is back while the peer still waits loses no frame; in an emulator few are.
      if (readyMs < patienceMs) expect(lost).toBe(0);
    }
  });

  it("a process restarted with its memory is the same member, and needs no key", async () => {
    const manager = join(folder, "notify");
    const notices = native.listenNotices(manager);
    const [a, b] = await both({ manager });
    using near = a;
    using far = b;
    const held: number[] = [];
    for (let count = 0; count < 4; count += 1) held.push(...native.takeNotice(notices).descriptors);
    expect(held).toHaveLength(2);
    await near.add(other, { token: "armed", within: 3_600_000 });
    const before = await near.secured();
    const flow = await Flow.begin(networks);
    await rest(2000);
    await near.end("SIGKILL");
    const start = performance.now();
    // The content shows which of the two belongs to this process.
    const [own = -1] = held.filter((fd) => readFileSync(fd).includes('"armed"'));
    await near.start(own);
    const observation = await near.observe();
    const tookMs = Math.round(performance.now() - start);
    expect(observation).toMatchObject({
      keys: [{ ckn: key.ckn }, { ckn: other.ckn }],
      session: { controlledPort: "secured", livePeers: 1 },
      pending: "armed",
    });
    await rest(9000);
    const { sent, lost } = await flow.end();
    console.log(`killed, with its memory: back after ${tookMs} ms, ${lost} of ${sent} lost`);
    if (tookMs < patienceMs) {
      expect(await secured(near, far)).toBe(before);
      expect(lost).toBe(0);
    }
    for (const fd of [notices, ...held]) closeSync(fd);
  });

  it("linkseal-mka waits for its port and its SecY, and continues with a new one", async () => {
    const [left, right] = networks;
    ipBatch(["link del ms-wire"], "-n", left);
    using near = new Participant({ network: left, folder });
    using far = new Participant({ network: right, folder });
    await Promise.all([near.start(), far.start()]);
    expect(await near.observe()).toMatchObject({ kind: "waiting", because: "noSecy" });
    await expect(near.add(key, final())).rejects.toMatchObject({ code: "device.rejected" });
    makeSecy(left, { suite: "gcm-aes-xpn-256", sci: "on" });
    address(left, 0);
    await far.change(priority(32), final());
    for (const one of [near, far]) await one.add(key, final());
    await secured(near, far);
    ipBatch(["link del ms-wire"], "-n", left);
    await until(async () => {
      const observation = await near.observe();
      return observation.kind === "bound" && observation.troubles[0]?.code === "deviceLost"
        ? true
        : undefined;
    });
    for (const network of networks) {
      if (network === right) ipBatch(["link del ms-wire"], "-n", right);
      makeSecy(network, { suite: "gcm-aes-128", sci: "off" });
      address(network, networks.indexOf(network));
    }
    const used = await until(async () => {
      const observation = await near.observe();
      const isNew = observation.kind === "bound" && observation.liveSuite === "gcm-aes-128";
      return isNew && (await near.secured()) === (await far.secured()) ? observation : undefined;
    });
    expect(used).toMatchObject({ settings: { suite: "gcm-aes-128", includeSci: false } });
    expect(await ping(left, "10.0.0.2")).toBe(5);
    expect(secyOf(left)?.rx_sc).toHaveLength(1);
  });

  it("an unknown user and a malformed request get no answer", async () => {
    using near = new Participant({ network: networks[0], folder, client: "4321" });
    await near.start();
    chmodSync(folder, 0o755);
    chmodSync(near.socket, 0o666);
    const asking = async (uid: number): Promise<string> => {
      const code = [
        'const socket = require("node:net").connect(process.argv[1]);',
        'socket.on("data", (d) => console.log(d.length)).on("error", (e) => console.log(e.code));',
        'socket.on("close", () => console.log("closed")).write(Buffer.from([0, 0, 0, 1, 6]));',
      ].join("\n");
      const child = spawn(process.execPath, ["-e", code, near.socket], { uid, gid: uid, cwd: "/" });
      let output = "";
      child.stdout.on("data", (chunk) => {
        output += String(chunk);
      });
      await once(child, "close");
      return output.replaceAll("\n", " ").trim();
    };
    expect(await asking(4321)).toMatch(/^\d+ closed$/);
    expect(await asking(65_534)).toMatch(/^((ECONNRESET|EPIPE) )?closed$/);
    for (const octets of [
      [0xff, 0xff, 0xff, 0xff],
      [0, 0, 1, 1],
      [0, 0, 0, 1, 6, 6],
    ]) {
      const socket = connect(near.socket);
      socket.on("error", () => undefined);
      socket.write(Uint8Array.from(octets));
      await once(socket, "close");
    }
    // A client that never sends a request does not block the others.
    const silent = connect(near.socket);
    expect((await near.observe()).kind).toBe("bound");
    await once(silent, "close");
  });
});
