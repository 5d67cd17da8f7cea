// The status page on real ports of this host, tested with browsers that show other pages, and with
// clients that are slow, malformed, huge or many.

import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { setTimeout as rest } from "node:timers/promises";
import { connect as secureConnect } from "node:tls";
import { afterAll, afterEach, describe, expect, it } from "vitest";
import { findAddon } from "#agent/host/addon.ts";
import { hostClock } from "#agent/host/clock.ts";
import { hostEntropy } from "#agent/host/entropy.ts";
import { openPage } from "#agent/host/page-server.ts";
import type { PageSettings } from "#agent/model/desired.ts";
import { EventRing } from "#agent/model/events.ts";
import { viewersMax } from "#agent/page/feed.ts";
import type { Agent } from "#agent/runtime/agent.ts";
import { blindSnapshot } from "#agent/runtime/health/site-snapshot.ts";
import { notConfigured } from "#agent/runtime/health/status.ts";
import type { Instant, WallTime, World } from "#hal/world.ts";
import { Authority } from "#sim/serve/certificates.ts";
import { patienceMs } from "../patience.ts";
import {
  ask,
  enter,
  originOf,
  type Place,
  type Session,
  sessionOf,
  Viewer,
} from "./page-client.ts";

const loopback = "127.0.0.1";

/** An agent, as far as the page uses it. */
class StandIn {
  readonly events = new EventRing();
  readonly loopLag = { ms: undefined };
  readonly supervisor = undefined;
  readonly memory = { campaigns: {}, trails: {} };
  readonly journalState = "whole";
  readonly intent = { number: 7 };
  readonly intentDamage = undefined;
  pageLogin: Agent["pageLogin"];
  /** The number of snapshots that were made. */
  snapshots = 0;
  isBroken = false;

  snapshot() {
    this.snapshots += 1;
    if (this.isBroken) throw new Error("a defect");
    return blindSnapshot({ now: 0 as Instant, wall: 0 as WallTime }, notConfigured);
  }

  say(text: string): void {
    this.events.add(0 as WallTime, "said", "test", text);
  }
}

interface Served extends Place {
  readonly agent: StandIn;
  readonly output: readonly string[];
  readonly broken: readonly unknown[];
}

const closers: (() => Promise<void>)[] = [];
const sockets: Socket[] = [];
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  for (const close of closers.splice(0)) await close();
});

async function serve(settings: Partial<PageSettings> = {}): Promise<Served> {
  const agent = new StandIn();
  const [output, broken]: [string[], unknown[]] = [[], []];
  const log = {
    write: (_level: string, code: string, text: string) => output.push(`${code} ${text}`),
  };
  const world = { clock: hostClock, entropy: hostEntropy, log } as unknown as World;
  const parts = {
    ...{ agent: agent as unknown as Agent, world, native: findAddon() },
    broken: (e: unknown) => broken.push(e),
  };
  const { port, close } = await openPage(parts, { host: loopback, port: 0, ...settings });
  closers.push(close);
  return { port, agent, output, broken };
}

async function login(place: Served): Promise<Session> {
  return sessionOf(await enter(place, place.agent.pageLogin?.code().code ?? ""));
}

async function until(what: string, holds: () => boolean): Promise<void> {
  for (const begun = performance.now(); !holds(); ) {
    if (performance.now() - begun > patienceMs) throw new Error(`waited too long: ${what}`);
    await rest(20);
  }
}

/** Opens a connection that sends `text` and nothing more. */
function raw(port: number, text: string): Socket {
  const socket = connect(port, loopback, () => socket.write(text));
  socket.on("error", () => undefined);
  sockets.push(socket);
  return socket;
}

describe("files that are served without a login", () => {
  it("the page itself contains nothing of the site, under a strict policy", async () => {
    const place = await serve();
    const paths = ["/", "/page.js", "/page.css", "/icon.svg"];
    for (const path of paths) {
      const { status, headers } = await ask(place, { path });
      expect([path, status]).toEqual([path, 200]);
      expect(headers["content-security-policy"]).toContain("default-src 'none'; script-src 'self'");
      expect(headers["content-security-policy"]).toContain("frame-ancestors 'none'");
      expect(headers["content-security-policy"]).not.toContain("unsafe");
      expect(headers["x-content-type-options"]).toBe("nosniff");
      expect(headers["referrer-policy"]).toBe("no-referrer");
      expect(headers["cache-control"]).toBe("no-store");
      // RFC 6797, section 7.2: never without TLS.
      expect(headers["strict-transport-security"]).toBeUndefined();
    }
    const { body } = await ask(place);
    expect(body).not.toMatch(/<script>|style=| on[a-z]+=|https?:/);
    expect(await ask(place, { path: "/../package.json" })).toMatchObject({ status: 404 });
    expect(await ask(place, { method: "PUT" })).toMatchObject({ status: 405 });
    expect(place.agent.snapshots).toBe(0);
  });

  it("a request with a foreign host name gets no page", async () => {
    const place = await serve();
    for (const host of ["evil.example", `evil.example:${place.port}`, "127.0.0.1.evil.example"]) {
      expect([host, (await ask({ ...place, host })).status]).toEqual([host, 421]);
    }
    // C: of two names the second one may be another site's.
    const own = `127.0.0.1:${place.port}`;
    const two = `GET / HTTP/1.1\r\nHost: ${own}\r\nHost: ${own}\r\nConnection: close\r\n\r\n`;
    expect(await text(raw(place.port, two))).toMatch(/^HTTP\/1\.1 421 /);
    for (const host of ["localhost:1", "[::1]:9443", `LOCALHOST:${place.port}`]) {
      expect([host, (await ask({ ...place, host })).status]).toEqual([host, 200]);
    }
  });
});

describe("a day of samples", () => {
  it("a day needs an open session with both its halves, and a name of the config", async () => {
    const place = await serve();
    const { cookie, half } = await login(place);
    const path = "/day/link/erd-demo/primary";
    const status = async (headers: Record<string, string>, at = path) =>
      (await ask(place, { path: at, headers })).status;
    expect(await status({})).toBe(403);
    expect(await status({ cookie })).toBe(403);
    expect(await status({ "x-linkseal-half": half })).toBe(403);
    const both = { cookie, "x-linkseal-half": half };
    for (const at of [path, "/day/link/%", "/day/link/", "/day/other/x", "/day/link/a?b"]) {
      expect([at, await status(both, at)]).toEqual([at, 404]);
    }
    const leaving = { ...both, origin: originOf(place) };
    await ask(place, { method: "POST", path: "/logout", headers: leaving });
    expect(await status(both)).toBe(403);
  });
});

describe("a login", () => {
  it("a code logs in once, and only from the page itself", async () => {
    const place = await serve();
    const { code } = place.agent.pageLogin?.code() ?? { code: "" };
    expect(code).toMatch(/^([0-9A-HJKMNP-TV-Z]{4}-){2}[0-9A-HJKMNP-TV-Z]{4}$/);
    for (const origin of ["http://evil.example", `http://${loopback}:1`, "null"]) {
      expect([origin, (await enter(place, code, { origin })).status]).toEqual([origin, 403]);
    }
    expect((await ask(place, { method: "POST", path: "/login", body: "{}" })).status).toBe(403);
    const reply = await enter(place, code.toLowerCase().replaceAll("-", " "));
    expect(reply.status).toBe(200);
    const [cookie] = reply.headers["set-cookie"] ?? [];
    expect(cookie).toMatch(
      /^linkseal-\d+=[\w-]{43}; Path=\/; Max-Age=43200; HttpOnly; SameSite=Strict$/,
    );
    expect((await enter(place, code)).status).toBe(403);
  });

  it("after ten wrong codes an address has to wait, and a right code logs in", async () => {
    const place = await serve();
    for (let n = 0; n < 10; n += 1) expect((await enter(place, `WRONG-${n}`)).status).toBe(403);
    const { status, headers } = await enter(place, "WRONG-10");
    expect(status).toBe(429);
    expect(Number(headers["retry-after"])).toBeGreaterThan(0);
    const { code } = place.agent.pageLogin?.code() ?? { code: "" };
    expect((await enter(place, code)).status).toBe(200);
  });

  it("a login with a body that is huge, broken or of another shape is refused", async () => {
    const place = await serve();
    const headers = { origin: originOf(place) };
    for (const body of ["x".repeat(1_000_000), "{", "null", '{"code":7}', '"code"']) {
      const { status } = await ask(place, { method: "POST", path: "/login", headers, body });
      expect([body.length, status]).toEqual([body.length, 400]);
    }
    expect(place.broken).toEqual([]);
  });
});

describe("a feed", () => {
  it("a feed needs both halves of a session, and the page's own origin", async () => {
    const place = await serve();
    const session = await login(place);
    const answered = async (own: Session, headers = {}): Promise<number> => {
      const viewer = new Viewer(place, own, headers);
      const status = await viewer.answered;
      viewer.socket.terminate();
      return status;
    };
    const other = await login(place);
    expect(await answered(session)).toBe(101);
    expect(await answered({ cookie: "", half: "" })).toBe(401);
    expect(await answered({ ...session, half: "" })).toBe(401);
    expect(await answered({ ...session, cookie: "" })).toBe(401);
    expect(await answered({ ...session, half: other.half })).toBe(401);
    expect(await answered(session, { origin: "http://evil.example" })).toBe(403);
    expect(await answered(session, { origin: `http://${loopback}:1` })).toBe(403);
    expect(await answered(session, { host: "evil.example" })).toBe(421);
    // C: a client that offers no subprotocol is not taken for the page.
    const bare = [
      ...["GET /feed HTTP/1.1", `Host: ${loopback}:${place.port}`, `Origin: ${originOf(place)}`],
      ...["Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13"],
      ...["Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==", `Cookie: ${session.cookie}`],
      ...[`Sec-WebSocket-Protocol: half.${session.half}`, "", ""],
    ];
    expect(await text(raw(place.port, bare.join("\r\n")))).toMatch(/^HTTP\/1\.1 400 /);
    const headers = { "x-linkseal-half": session.half, cookie: session.cookie };
    const asked = { path: "/session", headers };
    expect((await ask(place, asked)).body).toBe('{"session":"open"}');
    const out = {
      method: "POST",
      path: "/logout",
      headers: { ...headers, origin: originOf(place) },
    };
    const viewer = new Viewer(place, session);
    await until("a snapshot", () => viewer.texts.length > 0);
    expect((await ask(place, out)).status).toBe(200);
    expect((await viewer.ended).code).toBe(4002);
    expect((await ask(place, asked)).body).toBe('{"session":"none"}');
    expect(await answered(session)).toBe(401);
  });

  it("a feed brings an event with its next snapshot, without control characters", async () => {
    const place = await serve();
    const viewer = new Viewer(place, await login(place));
    await until("the first", () => viewer.texts.length > 0);
    const before = viewer.texts.length;
    place.agent.say("turned \u202e around\u0007 <script>alert(1)</script>");
    await until("the event", () => (viewer.texts.at(-1) ?? "").includes("turned"));
    // One snapshot may have been on its way; a bound in real time would fail on a busy computer.
    const later = viewer.texts.slice(before);
    expect(later.findIndex((each) => each.includes("turned"))).toBeLessThan(2);
    const { text } = viewer.snapshot(-1).events.at(-1) ?? { text: "" };
    expect(text).toBe("turned \\u202e around\\u0007 <script>alert(1)</script>");
  });

  it("a page without viewers makes no snapshot", async () => {
    const place = await serve();
    await rest(1_500);
    expect(place.agent.snapshots).toBe(0);
  });

  it("a viewer that does not read gets the newest snapshot later, and no queue", async () => {
    const place = await serve();
    const session = await login(place);
    const [slow, quick] = [new Viewer(place, session), new Viewer(place, session)];
    await until("both", () => slow.texts.length > 0 && quick.texts.length > 0);
    slow.socket.pause();
    const before = [slow.texts.length, quick.texts.length] as const;
    const filling = "x".repeat(60_000);
    for (let n = 0; n < 12; n += 1) {
      place.agent.say(`${n} ${filling}`);
      for (let m = 0; m < 6; m += 1) place.agent.events.add(0 as WallTime, "said", "b", filling);
      const sent = quick.texts.length;
      await until("the quick one goes on", () => quick.texts.length > sent);
    }
    place.agent.say("the last one");
    await until("the last", () => quick.texts.at(-1)?.includes("the last one") === true);
    const missed = quick.texts.length - before[1];
    slow.socket.resume();
    await until("the newest", () => slow.texts.at(-1)?.includes("the last one") === true);
    expect(missed).toBeGreaterThanOrEqual(12);
    expect(slow.texts.length - before[0]).toBeLessThan(missed);
  });

  it("a viewer that sends, pings, or sends too much is disconnected", async () => {
    const place = await serve();
    const session = await login(place);
    const codes: number[] = [];
    for (const act of [
      (viewer: Viewer) => viewer.socket.send("hello"),
      (viewer: Viewer) => viewer.socket.ping(),
      (viewer: Viewer) => viewer.socket.send("x".repeat(10_000_000)),
    ]) {
      const viewer = new Viewer(place, session);
      await viewer.answered;
      act(viewer);
      codes.push((await viewer.ended).code);
    }
    expect(codes.slice(0, 2)).toEqual([4003, 4003]);
    expect([1006, 1009]).toContain(codes[2]);
    expect(place.broken).toEqual([]);
  });

  it("a defect in a snapshot is reported, and the process goes on", async () => {
    const place = await serve();
    const session = await login(place);
    place.agent.isBroken = true;
    const viewer = new Viewer(place, session);
    expect((await viewer.ended).code).toBe(1006);
    await until("it is told", () => place.broken.length > 0);
  });

  it("one viewer too many is refused with the reason", async () => {
    const place = await serve();
    const session = await login(place);
    const viewers = Array.from({ length: viewersMax }, () => new Viewer(place, session));
    await until("all of them", () => viewers.every(({ texts }) => texts.length > 0));
    const end = await new Viewer(place, session).ended;
    expect([end.code, end.reason]).toEqual([4000, expect.stringContaining("number of viewers")]);
    viewers[0]?.socket.close();
    await viewers[0]?.ended;
    const next = new Viewer(place, session);
    await until("room for a viewer", () => next.texts.length > 0);
  });
});

describe("clients that are", () => {
  it("slow: hundreds of silent or half requests do not block other clients", async () => {
    const place = await serve();
    const half = `GET / HTTP/1.1\r\nHost: ${loopback}\r\nX-`;
    for (let n = 0; n < 300; n += 1) raw(place.port, n % 2 === 0 ? "" : half);
    await rest(300);
    const viewer = new Viewer(place, await login(place));
    await until("a snapshot", () => viewer.texts.length > 0);
    expect(place.broken).toEqual([]);
  });

  it("malformed: broken requests and upgrades leave the page as it was", async () => {
    const place = await serve();
    const rude = [
      "\u0000\u0001\u0002\r\n\r\n",
      "GET /feed HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
      "GET /feed HTTP/1.1\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n",
      `POST /login HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 99999999\r\n\r\n{`,
      "POST /login HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
      `GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: ${"a=b; ".repeat(4_000)}\r\n\r\n`,
    ];
    const closed = rude.map((text) => {
      const socket = raw(place.port, text);
      socket.resume();
      return new Promise<void>((resolve) => socket.on("close", () => resolve()));
    });
    for (const socket of sockets.slice(0, 3)) setTimeout(() => socket.destroy(), 500);
    await Promise.all(closed);
    expect((await ask(place)).status).toBe(200);
    expect(place.broken).toEqual([]);
  });
});

const day = 86_400_000;

describe("a page under TLS", () => {
  const folder = mkdtempSync(join(tmpdir(), "linkseal-page-"));
  const validity = { notBefore: Date.now() - day, notAfter: Date.now() + day };
  const authority = new Authority("page", validity);
  afterAll(() => rmSync(folder, { recursive: true }));

  function pair(name: string, span = validity, mode = 0o600): NonNullable<PageSettings["tls"]> {
    const { key, certificate } = authority.server(span, ["localhost", "edge.example"], [loopback]);
    const [own, secret] = [join(folder, `${name}.pem`), join(folder, `${name}.key`)];
    for (const [path, text, itsMode] of [
      [own, certificate, 0o644],
      [secret, key, mode],
    ] as const) {
      writeFileSync(path, text);
      // The umask of a login would decide otherwise: that of Debian lets the group write.
      chmodSync(path, itsMode);
    }
    return { certificate: `file:${own}`, key: `file:${secret}` };
  }

  it("a page under TLS has the names of its certificate, and a cookie for TLS only", async () => {
    const served = await serve({ tls: pair("good") });
    const ca = authority.certificate;
    const place = { ...served, ca };
    const session = sessionOf(await enter(place, served.agent.pageLogin?.code().code ?? ""));
    expect(session.cookie).toMatch(/^__Host-linkseal-/);
    const viewer = new Viewer(place, session);
    await until("a snapshot", () => viewer.texts.length > 0);
    expect(served.agent.pageLogin?.url).toBe(`https://127.0.0.1:${served.port}/`);
    expect((await ask({ ...place, host: "edge.example" })).status).toBe(200);
    for (const path of ["/", "/nowhere"]) {
      const { headers } = await ask(place, { path });
      expect(headers["strict-transport-security"]).toBe("max-age=31536000");
    }
    expect((await ask({ ...place, host: "evil.example" })).status).toBe(421);
    for (let n = 0; n < 200; n += 1) raw(served.port, "\u0016\u0003\u0001");
    const idle = secureConnect({ port: served.port, host: loopback, ca, servername: "localhost" });
    idle.on("error", () => undefined);
    sockets.push(idle);
    await rest(200);
    expect((await ask(place)).status).toBe(200);
  });

  it("a page with an invalid certificate or key is not served", async () => {
    const [good, other] = [pair("one"), pair("two")];
    const mixed = { certificate: good.certificate, key: other.key };
    const old = pair("old", { notBefore: Date.now() - 2 * day, notAfter: Date.now() - day });
    await expect(serve({ tls: mixed })).rejects.toThrow("not the key of that certificate");
    await expect(serve({ tls: old })).rejects.toThrow("expired");
    await expect(serve({ tls: pair("open", validity, 0o644) })).rejects.toThrow(
      "other users may access",
    );
    await expect(serve({ tls: { ...good, key: "file:/nowhere/key" } })).rejects.toThrow("ENOENT");
  });

  it("a page beyond loopback is refused without TLS, whatever a config says", async () => {
    await expect(serve({ host: "0.0.0.0" })).rejects.toThrow("beyond loopback");
  });
});
