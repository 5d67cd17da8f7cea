// Debian's nats-server under the configuration that linkseal writes, and NATS's own client as a
// second reader: what a site publishes arrives, and what it must not do is refused.

import { rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { jetstreamManager } from "@nats-io/jetstream";
import { Kvm } from "@nats-io/kv";
import { connect, type NatsConnection, nkeyAuthenticator } from "@nats-io/transport-node";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Lack } from "#agent/fleet/engine.ts";
import { forbiddenCalls } from "#agent/fleet/forbidden-calls.ts";
import { NatsEngine } from "#agent/fleet/nats-engine.ts";
import type { NatsSession } from "#agent/fleet/nats-session.ts";
import { stores } from "#agent/fleet/stores.ts";
import { inboxPrefix } from "#agent/fleet/subjects.ts";
import { hostClock } from "#agent/host/clock.ts";
import { openerOf } from "#agent/host/engine-stream.ts";
import { hostEntropy } from "#agent/host/entropy.ts";
import {
  type HubFinding,
  rightsFindings,
  serverBytesMax,
  serverFindings,
  storeFindings,
} from "#agent/hub/engine-doctor.ts";
import { FleetWatch } from "#agent/hub/fleet-watch.ts";
import { readVarz, withEngine } from "#agent/hub/host/hub-session.ts";
import { publishedHeads, publishedReport } from "#agent/hub/reading.ts";
import { hubInbox } from "#agent/hub/server-accounts.ts";
import { makeStores } from "#agent/hub/setup.ts";
import { never } from "../unit/kit/site-bench.ts";
import { siteStatus } from "../unit/kit/site-statuses.ts";
import { NatsStage } from "./nats-stage.ts";
import { Started } from "./started.ts";

type User = keyof NatsStage["keys"];

const inboxOf = (user: User): string => (user === "hub" ? hubInbox : inboxPrefix(user));

function asUser<T>(at: NatsStage, user: User, f: (session: NatsSession) => Promise<T>): Promise<T> {
  const { server, ca, keys } = at;
  return withEngine({ servers: [server], ca, key: `file:${keys[user]}`, inbox: inboxOf(user) }, f);
}

/** A client that is not ours. */
async function foreign(at: NatsStage, user: User): Promise<NatsConnection> {
  return await connect({
    servers: `localhost:${at.port}`,
    authenticator: nkeyAuthenticator(at.seed(user)),
    inboxPrefix: inboxOf(user),
    tls: { caFile: at.ca, handshakeFirst: true },
  });
}

/** The engine of a site, connected. */
class SiteEngine implements Disposable {
  readonly engine: NatsEngine;
  readonly lacks: Lack[] = [];
  readonly #end = new AbortController();

  constructor(at: NatsStage, site: "dub" | "ams", servers: readonly string[] = [at.server]) {
    const world = { clock: hostClock, entropy: hostEntropy };
    const open = openerOf({ servers, ca: at.ca, key: `file:${at.keys[site]}` });
    const lacking = (lack: Lack) => this.lacks.push(lack);
    this.engine = new NatsEngine({ world, inbox: inboxPrefix(site), name: site, open, lacking });
    void this.engine.run(this.#end.signal);
  }

  async up(): Promise<NatsEngine> {
    await waitFor(() => this.engine.state.kind === "connected");
    return this.engine;
  }

  [Symbol.dispose](): void {
    this.#end.abort();
  }
}

async function waitForAsync(seen: () => Promise<boolean>): Promise<void> {
  while (!(await seen())) await new Promise((resolve) => setTimeout(resolve, 200));
}

async function waitFor(seen: () => boolean): Promise<void> {
  while (!seen()) await new Promise((resolve) => setTimeout(resolve, 20));
}

const octets = (text: string): Uint8Array => new TextEncoder().encode(text);
const notGood = (findings: readonly HubFinding[]): readonly string[] =>
  findings.filter(({ verdict }) => verdict !== "good").map(({ check }) => check);

let stage: NatsStage;
beforeAll(async () => {
  stage = await NatsStage.start();
});
afterAll(async () => {
  await stage[Symbol.asyncDispose]();
});

describe("a hub prepares Debian's nats-server", () => {
  it("setup makes every stream once, and the second run finds them as wanted", async () => {
    const kinds = async () =>
      (await asUser(stage, "hub", makeStores)).map(({ state: { kind } }) => kind);
    expect(await kinds()).toEqual(stores.map(() => "made"));
    expect(await kinds()).toEqual(stores.map(() => "asWanted"));
  });

  it("doctor finds settings, streams and rights good", async () => {
    const varz = await readVarz(stage.monitor, serverBytesMax);
    expect(notGood(serverFindings(varz))).toEqual([]);
    expect(notGood(await asUser(stage, "hub", storeFindings))).toEqual([]);
  });

  it.each([
    ["sync", (text: string) => text.replace("sync_interval: always", "sync_interval: 2m")],
    ["payload", (text: string) => text.replace("max_payload: 5MB", "max_payload: 1MB")],
    ["store", (text: string) => text.replace("max_file: 32GB", "max_file: 1GB")],
  ])("doctor finds a wrong %s", async (check, edit) => {
    await using other = await NatsStage.start(edit);
    expect(notGood(serverFindings(await readVarz(other.monitor, serverBytesMax)))).toEqual([check]);
  });
});

describe("a site that was broken into, and what all sites share", () => {
  const denied = { kind: "refused", reason: "tooLarge" };

  it("messages longer than linkseal writes filled streams: they are refused", async () => {
    using dub = new SiteEngine(stage, "dub");
    const engine = await dub.up();
    const message = (length: number) => ({ octets: new Uint8Array(length) });
    expect(await engine.publish("LINKSEAL-HEADS", "dub", message(1_025), never)).toEqual(denied);
    const event = message(128 * 1_024 + 1);
    expect(await engine.publish("LINKSEAL-EVENTS", "dub", event, never)).toEqual(denied);
    const put = (bucket: "linkseal-asks" | "linkseal-status", key: string, length: number) =>
      engine.put(bucket, key, new Uint8Array(length), never);
    expect(await put("linkseal-asks", "dub.long", 17 * 1_024 + 1)).toEqual(denied);
    expect(await put("linkseal-status", "dub", 65 * 1_024 + 1)).toEqual(denied);
    // A record of the longest kind is taken, with the header of a compare-and-set.
    const ask = new Uint8Array(16 * 1_024);
    expect(await engine.update("linkseal-asks", "dub.fits", ask, 0, never)).toMatchObject({
      kind: "ok",
    });
  });

  it("a stream that is nearly full is bad, with its site; it can be made anew", async () => {
    await using other = await NatsStage.start();
    const asks = stores.find(({ name }) => name === "KV_linkseal-asks");
    await asUser(other, "hub", (hub) =>
      hub.api("$JS.API.STREAM.CREATE.KV_linkseal-asks", { ...asks, max_bytes: 256 * 1_024 }),
    );
    await asUser(other, "hub", makeStores);
    using dub = new SiteEngine(other, "dub");
    const engine = await dub.up();
    let written = 0;
    for (const value = new Uint8Array(16 * 1_024); written < 20; written += 1) {
      const { kind } = await engine.put("linkseal-asks", `dub.g${written}`, value, never);
      if (kind !== "ok") break;
    }
    expect(written).toBeGreaterThan(10);
    const findings = await asUser(other, "hub", storeFindings);
    expect(notGood(findings)).toEqual(["KV_linkseal-asks", "KV_linkseal-asks space"]);
    const full = findings.find(({ check }) => check === "KV_linkseal-asks space");
    expect(full?.text).toContain(`Site dub has the most messages: ${written}.`);
    await other.kill();
    const place = "jetstream/LINKSEAL/streams/KV_linkseal-asks";
    await rename(join(other.folder, "store", place), join(other.folder, "moved"));
    await other.run();
    const rows = await asUser(other, "hub", makeStores);
    const made = rows.filter(({ state }) => state.kind === "made").map(({ name }) => name);
    expect(made).toEqual(["KV_linkseal-asks"]);
    expect(notGood(await asUser(other, "hub", storeFindings))).toEqual([]);
  });
});

describe("a site that is added later", () => {
  it("a reload takes its user and not its requests: doctor says it, a restart mends", async () => {
    let whole = "";
    await using other = await NatsStage.start((text) => {
      whole = text;
      return text.replace(/SITE_ams: \{[\s\S]*?\n\}\n/, "");
    });
    await asUser(other, "hub", makeStores);
    await writeFile(other.configPath, whole);
    process.kill(other.pid, "SIGHUP");
    await waitFor(() => other.output.includes("Reloaded server configuration"));
    const requests = () =>
      asUser(other, "hub", (hub) =>
        asUser(other, "ams", async (ams) =>
          (await rightsFindings("ams", ams, hub))
            .filter(({ check }) => check.startsWith("request "))
            .map(({ verdict }) => verdict),
        ),
      );
    expect(new Set(await requests())).toEqual(new Set(["bad"]));
    using ams = new SiteEngine(other, "ams");
    const engine = await ams.up();
    const missing = { kind: "refused", reason: "missing" };
    expect(await engine.put("linkseal-status", "ams", octets("x"), never)).toEqual(missing);
    expect(await engine.newest("LINKSEAL-EVENTS", "ams", never)).toEqual(missing);
    expect(ams.lacks).toEqual([
      { reason: "missing", stream: "KV_linkseal-status" },
      { reason: "missing", stream: "LINKSEAL-EVENTS" },
    ]);
    await other.kill();
    await other.run();
    expect(new Set(await requests())).toEqual(new Set(["good"]));
  });

  it("a key under another name in the list: the refusal names the name", async () => {
    const key = `file:${stage.keys.dub}`;
    const { server, ca } = stage;
    const login = { servers: [server], ca, key, inbox: inboxPrefix("ams") };
    await expect(withEngine(login, async () => 1)).rejects.toThrow(/this key under another name/);
  });
});

describe("what a site's user must not be able to do", () => {
  it("each forbidden call is refused", async () => {
    const findings = await asUser(stage, "hub", (hub) =>
      asUser(stage, "dub", (dub) => rightsFindings("dub", dub, hub)),
    );
    expect(findings).toHaveLength(9 + forbiddenCalls("dub").length + 1);
    expect(findings.length).toBeGreaterThanOrEqual(20);
    expect(notGood(findings)).toEqual([]);
  });

  it("rights that are too wide are found, one call at a time", async () => {
    const wide = (text: string): string =>
      text
        .replaceAll('"$KV.linkseal-status.dub"\n', '"$KV.>"\n        "$JS.API.STREAM.PURGE.*"\n')
        .replaceAll('"linkseal.inbox.dub.>"', '"linkseal.inbox.>"');
    await using other = await NatsStage.start(wide);
    await asUser(other, "hub", makeStores);
    const findings = await asUser(other, "hub", (hub) =>
      asUser(other, "dub", (dub) => rightsFindings("dub", dub, hub)),
    );
    const bad = findings.filter(({ verdict }) => verdict === "bad").map(({ check }) => check);
    expect(bad).toContain("publish $JS.API.STREAM.PURGE.LINKSEAL-EVENTS");
    expect(bad).toContain("publish $KV.linkseal-status.-other");
    expect(bad).toContain("subscribe linkseal.inbox.-other.>");
    expect(bad).not.toContain("subscribe >");
  });

  it("sites in one account write for each other: doctor finds it, readers refuse it", async () => {
    await using other = await NatsStage.start(oneAccount);
    await asUser(other, "hub", makeStores);
    using dub = new SiteEngine(other, "dub");
    using ams = new SiteEngine(other, "ams");
    const [engine, victim] = [await dub.up(), await ams.up()];
    await engine.put("linkseal-status", "dub", octets('{"permit":"for all"}'), never);
    await asUser(other, "dub", (session) =>
      session.reply(
        "$JS.API.DIRECT.GET.KV_linkseal-status.$KV.linkseal-status.dub",
        "$KV.linkseal-permits.ams.g",
      ),
    );
    expect(await victim.get("linkseal-permits", "ams.g", never)).toEqual({
      ...{ kind: "refused", reason: "forged" },
    });
    const findings = await asUser(other, "hub", (hub) =>
      asUser(other, "dub", (session) => rightsFindings("dub", session, hub)),
    );
    expect(notGood(findings)).toEqual(["reply to $KV.linkseal-status.-other"]);
  });

  it("a header on an own key removes nothing of others", async () => {
    const nc = await foreign(stage, "dub");
    using ams = new SiteEngine(stage, "ams");
    const engine = await ams.up();
    await engine.put("linkseal-status", "ams", octets("true"), never);
    const { headers } = await import("@nats-io/transport-node");
    for (const value of ["all", "sub"]) {
      const header = headers();
      header.set("Nats-Rollup", value);
      const reply = await nc.request("$KV.linkseal-status.dub", "x", {
        headers: header,
        timeout: 5_000,
      });
      expect(reply.string()).toMatch(/rollup not permitted/);
    }
    await nc.close();
    expect(await engine.get("linkseal-status", "ams", never)).toMatchObject({ kind: "value" });
  });

  it("ids that one site used up swallowed records and heads of another", async () => {
    await using other = await NatsStage.start();
    await asUser(other, "hub", makeStores);
    const nc = await foreign(other, "dub");
    const { headers } = await import("@nats-io/transport-node");
    for (const [subject, id] of [
      ["linkseal.events.dub", "ams:h:1"],
      ["linkseal.heads.dub", "ams:h:head:1"],
    ] as const) {
      const header = headers();
      header.set("Nats-Msg-Id", id);
      await nc.request(subject, "{}", { headers: header, timeout: 5_000 });
    }
    await nc.close();
    using ams = new SiteEngine(other, "ams");
    const engine = await ams.up();
    for (const stream of ["LINKSEAL-EVENTS", "LINKSEAL-HEADS"] as const) {
      const message = { octets: octets(stream), after: 0 };
      expect(await engine.publish(stream, "ams", message, never)).toMatchObject({ kind: "ok" });
      expect(await engine.newest(stream, "ams", never)).toMatchObject({ octets: octets(stream) });
    }
  });

  it("headers that a site writes move no status: not its own, and not another's", async () => {
    const nc = await foreign(stage, "dub");
    using ams = new SiteEngine(stage, "ams");
    const text = (site: string): Uint8Array =>
      octets(JSON.stringify(siteStatus(site, { at: new Date().toISOString() })));
    await (await ams.up()).put("linkseal-status", "ams", text("ams"), never);
    const { headers } = await import("@nats-io/transport-node");
    const header = headers();
    header.set("Nats-Subject", "$KV.linkseal-status.ams");
    header.set("Nats-Sequence", "999999");
    await nc.request("$KV.linkseal-status.dub", text("ams"), { headers: header, timeout: 5_000 });
    await nc.close();
    const watch = new FleetWatch(hostClock);
    await asUser(stage, "hub", (hub) => watch.read(hub));
    const rows = watch.view().sites.map(({ site, verdict, voice }) => [site, verdict, voice]);
    expect(rows).toEqual([
      ["dub", "unknown", "forged"],
      ["ams", "protected", "told"],
    ]);
  });

  it("a site's own heads stay: it can neither push them out nor take them back", async () => {
    const manager = await jetstreamManager(await foreign(stage, "hub"), { checkAPI: false });
    const { config } = await manager.streams.info("LINKSEAL-HEADS");
    expect(config).toMatchObject({
      ...{ deny_delete: true, deny_purge: true, discard: "new", discard_new_per_subject: true },
    });
  });
});

/** The accounts as one: what linkseal does not write. */
function oneAccount(text: string): string {
  const users = [...text.matchAll(/\{ nkey: [\s\S]*?\n {4}\} \}/g)].map(([user]) => user);
  const start = text.indexOf("accounts {");
  const account = `{ jetstream: enabled, users: [\n${users.join("\n")}\n] }`;
  return `${text.slice(0, start)}accounts { LINKSEAL: ${account} }\n`;
}

describe("the command and the agent as they are installed", () => {
  it("a real agent publishes over TLS, and goes on when the server is killed", async () => {
    await using other = await NatsStage.start((text) =>
      text.replaceAll(/\bdub\b(?!\.seed)/g, "demo"),
    );
    const hub = ["--server", other.server, "--ca", other.ca, "--key", other.keys.hub];
    await using site = new Started();
    await waitForAsync(async () => (await site.status()).includes('"site":"demo"'));
    expect(await site.run("hub", "setup", ...hub)).toMatch(/LINKSEAL-REPORTS: made/);
    const judged = await site.run("hub", "doctor", ...hub, "--monitor", other.monitor);
    expect(judged).not.toMatch(/^bad/m);
    expect(judged).toMatch(/^good +LINKSEAL-HEADS space: /m);
    const key = `key: "file:${other.keys.dub}"`;
    const fleet = `fleet: { servers: ["${other.server}"], ca: ${other.ca}, ${key}, heads: 1m }`;
    const file = join(other.folder, "demo.yaml");
    await writeFile(file, `${await site.run("config", "show")}\n${fleet}\n`);
    await site.run("apply", file, "--yes");
    const nc = await foreign(other, "hub");
    const bucket = await new Kvm(nc).open("linkseal-status", { allow_direct: true });
    let text = "";
    await waitForAsync(async () => {
      text = (await bucket.get("demo"))?.string() ?? "";
      return text.includes('"published":') && !text.includes('"published":0,');
    });
    expect(JSON.parse(text)).toMatchObject({ schema: "linkseal.siteStatus/1", site: "demo" });
    await waitForAsync(async () => (await site.run("hub", "heads", "demo", ...hub)) !== "");
    await nc.close();
    await other.kill();
    expect(await site.status()).toContain('"site":"demo"');
  });
});

describe("a site and Debian's nats-server", () => {
  it("what our client writes, NATS's own client of buckets reads, and the other way", async () => {
    using dub = new SiteEngine(stage, "dub");
    const engine = await dub.up();
    const written = await engine.put("linkseal-status", "dub", octets("one"), never);
    expect(written).toMatchObject({ kind: "ok" });
    const hub = await foreign(stage, "hub");
    const bucket = await new Kvm(hub).open("linkseal-status", { allow_direct: true });
    const entry = await bucket.get("dub");
    expect([entry?.string(), entry?.operation]).toEqual(["one", "PUT"]);
    const permits = await new Kvm(hub).open("linkseal-permits");
    const revision = await permits.put("dub.g", "granted");
    expect(await engine.get("linkseal-permits", "dub.g", never)).toEqual({
      ...{ kind: "value", revision, octets: octets("granted") },
    });
    await permits.delete("dub.g");
    expect(await engine.get("linkseal-permits", "dub.g", never)).toMatchObject({ kind: "absent" });
    await hub.close();
  });

  it("a compare-and-set has one winner, and a lost one is a conflict", async () => {
    using dub = new SiteEngine(stage, "dub");
    const engine = await dub.up();
    const race = await Promise.all(
      [1, 2, 3, 4].map((at) => engine.update("linkseal-asks", "dub.g", octets(`${at}`), 0, never)),
    );
    expect(race.filter(({ kind }) => kind === "ok")).toHaveLength(1);
    expect(race.filter(({ kind }) => kind !== "ok")).toEqual(
      Array.from({ length: 3 }, () => ({ kind: "refused", reason: "conflict" })),
    );
  });

  it("a message that comes again is stored once; another site's key is denied", async () => {
    using dub = new SiteEngine(stage, "dub");
    const engine = await dub.up();
    const message = { octets: octets("record"), after: 0 };
    const first = await engine.publish("LINKSEAL-EVENTS", "dub", message, never);
    const again = await engine.publish("LINKSEAL-EVENTS", "dub", message, never);
    expect([first, again]).toMatchObject([{ kind: "ok" }, { reason: "conflict" }]);
    expect(await engine.newest("LINKSEAL-EVENTS", "dub", never)).toMatchObject({ kind: "value" });
    const denied = { kind: "refused", reason: "denied" };
    expect(await engine.put("linkseal-status", "ams", octets("x"), never)).toEqual(denied);
    expect(await engine.get("linkseal-permits", "ams.g", never)).toEqual(denied);
    expect(await engine.newest("LINKSEAL-HEADS", "ams", never)).toEqual(denied);
  });

  it("a hub reads all heads of a site in order, and its newest report", async () => {
    using dub = new SiteEngine(stage, "dub");
    const engine = await dub.up();
    const line = (seq: number): string =>
      `linkseal-head host=h record=${seq} at=2026-11-24T10:00:00.000Z mac=${"ab".repeat(32)}`;
    for (const seq of [3, 9, 12]) {
      const head = { octets: octets(line(seq)) };
      expect(await engine.publish("LINKSEAL-HEADS", "dub", head, never)).toMatchObject({
        kind: "ok",
      });
    }
    await engine.publish("LINKSEAL-HEADS", "dub", { octets: octets("odd") }, never);
    const found = await asUser(stage, "hub", (hub) => publishedHeads(hub, "dub"));
    expect([found.heads.map(({ seq }) => seq), found.other]).toEqual([[3, 9, 12], 1]);
    const large = { octets: new Uint8Array(3_000_000).fill(0x61) };
    expect(await engine.publish("LINKSEAL-REPORTS", "dub", large, never)).toMatchObject({
      kind: "ok",
    });
    const report = await asUser(stage, "hub", (hub) => publishedReport(hub, "dub"));
    expect(report?.length).toBe(3_000_000);
    expect(await asUser(stage, "hub", (hub) => publishedReport(hub, "ams"))).toBeUndefined();
  });

  it("a server that is killed is found again, with all that it has acknowledged", async () => {
    using dub = new SiteEngine(stage, "dub");
    const engine = await dub.up();
    await engine.put("linkseal-status", "dub", octets("before"), never);
    await stage.kill();
    await waitFor(() => engine.state.kind === "disconnected");
    expect(await engine.put("linkseal-status", "dub", octets("lost"), never)).toEqual({
      ...{ kind: "refused", reason: "disconnected" },
    });
    await stage.run();
    await dub.up();
    expect(await engine.get("linkseal-status", "dub", never)).toMatchObject({
      octets: octets("before"),
    });
  });

  it("a server that is not certified, or begins without TLS, gets no user", async () => {
    await using plain = await NatsStage.start((text) => text.replace(/tls \{[\s\S]*?\n\}/, ""));
    await using late = await NatsStage.start((text) => text.replace("handshake_first: true", ""));
    using refusing = new SiteEngine(stage, "dub", [`tls://127.0.0.1:${stage.port}`]);
    using inClear = new SiteEngine(plain, "dub");
    using begins = new SiteEngine(late, "dub");
    const why = async ({ engine }: SiteEngine): Promise<string> => {
      const told = () => (engine.state.kind === "disconnected" ? engine.state.why : "");
      await waitFor(() => told() !== "no connection was made yet");
      return told();
    };
    expect(await why(refusing)).toMatch(/ERR_TLS_CERT_ALTNAME_INVALID/);
    expect(await why(inClear)).toMatch(/handshake_first/);
    expect(await why(begins)).toMatch(/handshake_first/);
  });

  it("a user that the server does not know is refused", async () => {
    await using other = await NatsStage.start();
    const { server, ca } = stage;
    const key = `file:${other.keys.dub}`;
    const asked = withEngine(
      { servers: [server], ca, key, inbox: inboxPrefix("dub") },
      async () => 1,
    );
    await expect(asked).rejects.toThrow(/refuses this user/);
  });
});
