// Events to a receiver that is slow, gone, rude or wrong: in order, at least once, bounded, with no
// word of a device and no key.

import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { rootCertificates, setDefaultCACertificates } from "node:tls";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { hostClock } from "#agent/host/clock.ts";
import { headerSecret } from "#agent/host/header.ts";
import { hostDialer } from "#agent/host/host.ts";
import { campaignStates } from "#agent/model/campaign.ts";
import type { WebhookSettings } from "#agent/model/desired.ts";
import { EventRing, type LinksealEvent } from "#agent/model/events.ts";
import { warningRows } from "#agent/model/warning-rows.ts";
import { logEvents } from "#agent/telemetry/event-log.ts";
import { post } from "#agent/telemetry/post.ts";
import { Webhook, type WebhookParts } from "#agent/telemetry/webhook.ts";
import { LinksealError } from "#hal/error.ts";
import { Secret } from "#hal/secret.ts";
import type { HttpReply, HttpRequest } from "#hal/world.ts";
import { SimClock } from "#sim/base/clock.ts";
import { Prng } from "#sim/base/prng.ts";
import { Authority } from "#sim/serve/certificates.ts";
import { never, refused } from "../../kit/site-bench.ts";

const start = Date.UTC(2026, 10, 24, 10);
const url = "https://hooks.example.net/linkseal";

interface Message {
  readonly schema: string;
  readonly site: string;
  readonly began: string;
  readonly lost: number;
  readonly events: readonly Readonly<Partial<LinksealEvent> & { title: string }>[];
}

type Answer = Partial<HttpReply> | LinksealError | "never" | "slowly";

class Bench {
  readonly clock = new SimClock(start);
  readonly events = new EventRing();
  readonly sent: {
    readonly at: number;
    readonly request: HttpRequest;
    readonly message: Message;
  }[] = [];
  readonly lines: string[] = [];
  readonly secrets: Secret[] = [];
  readonly webhook: Webhook;
  /** One for each POST, the last one for ever. */
  answers: Answer[] = [{ status: 204 }];
  settings: WebhookSettings | undefined;
  readonly #end = new AbortController();

  constructor(settings: Partial<WebhookSettings> | undefined = {}) {
    if (settings !== undefined) {
      this.settings = { url, least: "info", privateEndpoints: [], ...settings };
    }
    const http = (request: HttpRequest, signal: AbortSignal) => this.#http(request, signal);
    const log = { write: (level: string, code: string) => this.lines.push(`${level} ${code}`) };
    const world = { clock: this.clock, dial: { http }, entropy: new Prng("webhook"), log };
    const secretOf = async (): Promise<Secret> => {
      const secret = Secret.take("header", new TextEncoder().encode("Bearer canary-token"));
      this.secrets.push(secret);
      return secret;
    };
    const parts = { agent: this, world, headerSecret: secretOf } as unknown as WebhookParts;
    this.webhook = new Webhook(parts);
    void this.webhook.run(this.#end.signal);
  }

  /** Of the agent that the webhook sees in this bench. */
  get intent() {
    const telemetry = this.settings === undefined ? {} : { webhook: this.settings };
    return { desired: { site: "demo", telemetry } };
  }

  async #http(request: HttpRequest, signal: AbortSignal): Promise<HttpReply> {
    const body = request.body?.[0];
    if (typeof body !== "string") throw new Error("a body is text");
    this.sent.push({ at: this.clock.now(), request, message: JSON.parse(body) as Message });
    const answer = this.answers.length > 1 ? this.answers.shift() : this.answers[0];
    if (answer === "slowly") await this.clock.sleep(5_000, signal);
    if (answer === "never") await this.clock.sleep(1e9, signal);
    if (answer instanceof LinksealError) throw answer;
    return { status: 204, headers: {}, body: new Uint8Array(), ...(answer as object) };
  }

  deliver(code = "key-age", text = "a text", rest: Partial<LinksealEvent> = {}): void {
    const { severity = "warning", over, resolves, ends, verdict, because } = rest;
    this.events.add(this.clock.wall(), code, "erd-demo/primary", text, {
      severity,
      ...(over === undefined ? {} : { over }),
      ...(resolves === undefined ? {} : { resolves }),
      ...(ends === undefined ? {} : { ends }),
      ...(verdict === undefined ? {} : { verdict }),
      ...(because === undefined ? {} : { because }),
    });
  }

  async run(ms: number): Promise<this> {
    await this.clock.runFor(ms);
    return this;
  }

  /** Numbers of the events that were in each message. */
  get numbers(): readonly (readonly (number | undefined)[])[] {
    return this.sent.map(({ message }) => message.events.map(({ n }) => n));
  }

  end(): void {
    this.#end.abort();
  }
}

const unreachable = new LinksealError("transport.unreachable", "no process answers", {
  effect: "none",
  where: url,
  next: "linkseal status",
});

describe("an event", () => {
  it("a consequence is not sent, and neither is its end: the cause is", async () => {
    const bench = await new Bench().run(10);
    const because = { code: "link-down", about: "erd-demo/primary" } as const;
    bench.deliver("link-down", "no link", { severity: "error" });
    bench.deliver("verdict", "protected -> down", { severity: "error", verdict: "down", because });
    const ended = { resolves: "ike-down", ends: "error", verdict: "protected" } as const;
    bench.deliver("verdict", "down -> protected", { severity: "info", ...ended, because });
    await bench.run(1_000);
    const sent = bench.sent.flatMap(({ message }) => message.events);
    expect(sent.map(({ code }) => code)).toEqual(["link-down"]);
    expect(bench.webhook.deliveries).toEqual({ delivered: 1, dropped: 0, waiting: 0 });
    bench.end();
  });

  it("an event is sent at once, with a title and without text of a device", async () => {
    const bench = await new Bench().run(10);
    bench.deliver("mka-no-live-peer", "edge-a said: \u001b[2J<script>", { severity: "error" });
    const ended = { over: true, resolves: "mka-no-live-peer", ends: "error" } as const;
    bench.deliver("mka-no-live-peer", "resolved: edge-a said", { severity: "info", ...ended });
    bench.deliver("verdict", "protected -> down: edge-a said", {
      severity: "error",
      verdict: "down",
    });
    await bench.run(1_000);
    const messages = bench.sent.map(({ message }) => message);
    const about = "erd-demo/primary";
    const at = "2026-11-24T10:00:00Z";
    const title = "The far end does not speak MKA";
    const error = { at, about, severity: "error" } as const;
    expect(messages.flatMap(({ events }) => events)).toEqual([
      { n: 1, code: "mka-no-live-peer", title, ...error },
      { n: 2, code: "mka-no-live-peer", title, ...error, severity: "info", ...ended },
      { n: 3, code: "verdict", title: "A verdict has changed", verdict: "down", ...error },
    ]);
    expect(messages[0]).toMatchObject({
      schema: "linkseal.webhook/1",
      site: "demo",
      began: at,
      lost: 0,
    });
    expect(JSON.stringify(messages)).not.toContain("said");
    expect(bench.sent[0]?.request).toMatchObject({
      to: "https://hooks.example.net",
      path: "/linkseal",
      method: "POST",
    });
    bench.end();
  });

  it("an event of any code has a title", async () => {
    const bench = await new Bench().run(10);
    const states = campaignStates.map((state) => `campaign-${state}`);
    for (const code of ["verdict", "intent-accepted", ...states, ...Object.keys(warningRows)]) {
      bench.deliver(code);
    }
    await bench.run(1_000);
    const sent = bench.sent.flatMap(({ message }) => message.events);
    expect(sent.length).toBeGreaterThan(80);
    expect(sent.filter(({ title }) => !/^[A-Z]/.test(title))).toEqual([]);
    const titles = new Map(sent.map(({ code, title }) => [code, title]));
    expect(titles.get("campaign-gated")).toBe("Waiting for checks");
    expect(titles.get("campaign-waiting")).toBe("A campaign waits for permission");
    bench.end();
  });

  it("what is below the least severity is not sent, and a recovery as what it ends", async () => {
    const bench = await new Bench({ least: "warning" }).run(10);
    bench.deliver("campaign-done", "", { severity: "info" });
    bench.deliver("key-age", "", { severity: "warning" });
    bench.deliver("journal-lossy", "", { severity: "error" });
    bench.deliver("key-age-soon", "", { severity: "info", resolves: "key-age-soon", ends: "info" });
    bench.deliver("key-age", "", { severity: "info", resolves: "key-age", ends: "warning" });
    await bench.run(1_000);
    expect(bench.numbers.flat()).toEqual([2, 3, 5]);
    bench.end();
  });

  it("an event is sent only if it happens after a webhook was configured", async () => {
    const bench = new Bench(undefined);
    bench.settings = undefined;
    await bench.run(10);
    bench.deliver();
    await bench.run(1_000);
    expect(bench.sent).toEqual([]);
    bench.settings = { url, least: "info", privateEndpoints: [] };
    bench.deliver("intent-accepted");
    await bench.run(1_000);
    expect(bench.numbers).toEqual([[2]]);
    expect(bench.webhook.deliveries).toEqual({ delivered: 1, dropped: 0, waiting: 0 });
    bench.end();
  });
});

describe("a receiver that", () => {
  it("a receiver that fails a second time is logged again, and asked soon again", async () => {
    const bench = await new Bench().run(10);
    bench.answers = [unreachable, unreachable, unreachable, { status: 204 }, unreachable, {}];
    bench.deliver();
    await bench.run(60_000);
    bench.deliver();
    await bench.run(60_000);
    const times = bench.sent.map(({ at }) => at);
    expect(times).toHaveLength(6);
    expect((times[5] ?? 0) - (times[4] ?? 0)).toBeLessThan(1_300);
    expect(bench.lines).toEqual(["warn webhook-failed", "warn webhook-failed"]);
    bench.end();
  });

  it("a receiver that is removed from the config does not get waiting events later", async () => {
    const bench = await new Bench().run(10);
    const { settings } = bench;
    bench.answers = [unreachable, { status: 204 }];
    bench.deliver();
    await bench.run(10);
    bench.settings = undefined;
    bench.deliver("intent-accepted");
    await bench.run(60_000);
    bench.settings = settings;
    bench.deliver("intent-accepted");
    await bench.run(60_000);
    expect(bench.numbers).toEqual([[1], [3]]);
    bench.end();
  });

  it("a receiver that is down is asked less and less often, and gets all later", async () => {
    const bench = await new Bench().run(10);
    bench.answers = [unreachable];
    bench.deliver();
    await bench.run(3_600_000);
    bench.deliver();
    expect(bench.webhook.deliveries).toEqual({ delivered: 0, dropped: 0, waiting: 2 });
    const pauses = bench.sent.map(({ at }, index) => at - (bench.sent[index - 1]?.at ?? at));
    for (const [index, pause] of pauses.slice(1).entries()) {
      const least = Math.min(1_000 * 2 ** index, 300_000);
      expect(pause).toBeGreaterThanOrEqual(least);
      expect(pause).toBeLessThanOrEqual(least * 1.25);
    }
    expect(pauses.length).toBeLessThan(25);
    expect(bench.lines).toEqual(["warn webhook-failed"]);
    bench.answers = [{ status: 200 }];
    await bench.run(400_000);
    expect(bench.numbers.at(-1)).toEqual([1, 2]);
    expect(bench.webhook.deliveries).toEqual({ delivered: 2, dropped: 0, waiting: 0 });
    bench.end();
  });

  it("a request that is not answered ends after ten seconds, and is repeated", async () => {
    const bench = await new Bench().run(10);
    bench.answers = ["never", { status: 204 }];
    bench.deliver();
    await bench.run(9_000);
    expect(bench.sent).toHaveLength(1);
    await bench.run(5_000);
    expect(bench.numbers).toEqual([[1], [1]]);
    expect(bench.webhook.deliveries.waiting).toBe(0);
    bench.end();
  });

  it.each([401, 403, 404, 408, 429, 500, 503, 302])(
    "a receiver that answers %i is asked again",
    async (status) => {
      const bench = await new Bench().run(10);
      bench.answers = [{ status }, { status: 204 }];
      bench.deliver();
      await bench.run(5_000);
      expect(bench.numbers).toEqual([[1], [1]]);
      bench.end();
    },
  );

  it("a receiver that asks for a wait gets it, up to five minutes", async () => {
    const bench = await new Bench().run(10);
    bench.answers = [
      { status: 429, headers: { "retry-after": "90" } },
      { status: 503, headers: { "retry-after": "999999" } },
      { status: 503, headers: { "retry-after": "soon\r\nx: y" } },
      { status: 204 },
    ];
    bench.deliver();
    await bench.run(600_000);
    const times = bench.sent.map(({ at }) => at);
    expect((times[1] ?? 0) - (times[0] ?? 0)).toBe(90_000);
    expect((times[2] ?? 0) - (times[1] ?? 0)).toBe(300_000);
    expect(times).toHaveLength(4);
    bench.end();
  });

  it("a receiver that rejects a message learns from the next one what was lost", async () => {
    const bench = await new Bench().run(10);
    bench.answers = [{ status: 400 }, { status: 204 }];
    bench.deliver();
    await bench.run(500);
    bench.deliver();
    await bench.run(5_000);
    expect(bench.numbers).toEqual([[1], [2]]);
    expect(bench.sent.map(({ message }) => message.lost)).toEqual([0, 1]);
    expect(bench.webhook.deliveries).toEqual({ delivered: 1, dropped: 1, waiting: 0 });
    bench.end();
  });
});

/** Of 1,201 events. */
const newest = (count: number): readonly number[] =>
  Array.from({ length: count }, (_, index) => 1_202 - count + index);

describe("a flood", () => {
  it.each([
    ["never", [1, ...newest(499)]],
    ["slowly", newest(499)],
  ] as const)(
    "a flood that is answered %s keeps the newest events, and says how many were lost",
    async (how, rest) => {
      const bench = await new Bench().run(10);
      bench.answers = [how, { status: 204 }];
      bench.deliver();
      await bench.run(10);
      for (let i = 0; i < 1_200; i += 1) bench.deliver();
      // The one that is under way may arrive.
      expect(bench.webhook.deliveries).toEqual({ delivered: 0, dropped: 701, waiting: 500 });
      await bench.run(60_000);
      expect(bench.numbers[0]).toEqual([1]);
      expect(bench.numbers.slice(1).flat()).toEqual(rest);
      expect(Math.max(...bench.numbers.map(({ length }) => length))).toBe(50);
      expect(bench.sent.map(({ message }) => message.lost).slice(0, 3)).toEqual([0, 701, 0]);
      expect(bench.webhook.deliveries).toEqual({ delivered: 500, dropped: 701, waiting: 0 });
      bench.end();
    },
  );
});

describe("a flood while no receiver answers", () => {
  it("a flood while no receiver answers replaces the oldest events", async () => {
    const bench = await new Bench().run(10);
    bench.answers = [unreachable, { status: 204 }];
    bench.deliver();
    await bench.run(10);
    for (let i = 0; i < 600; i += 1) bench.deliver();
    await bench.run(60_000);
    expect(bench.numbers.slice(1).flat()).toEqual(Array.from({ length: 500 }, (_, i) => 102 + i));
    bench.end();
  });
});

describe("the header", () => {
  const header = { name: "authorization", value: "credential:webhook" };

  it("the webhook's header is a secret, and wiped after each message", async () => {
    const bench = await new Bench({ header }).run(10);
    bench.answers = [unreachable, { status: 204 }];
    bench.deliver();
    await bench.run(10_000);
    expect(bench.sent).toHaveLength(2);
    expect(bench.secrets).toHaveLength(2);
    for (const secret of bench.secrets) expect(() => secret.use(() => 0)).toThrow("wiped");
    expect(JSON.stringify([bench.sent, bench.lines])).not.toContain("canary-token");
    expect(JSON.stringify(bench.sent[0]?.request.headers)).toContain("[secret header]");
    bench.end();
  });

  const folder = mkdtempSync(join(tmpdir(), "linkseal-header-"));
  afterAll(() => rmSync(folder, { recursive: true }));
  const fileOf = (text: string, mode = 0o600): string => {
    const path = join(folder, `h${text.length}-${mode}`);
    writeFileSync(path, text);
    chmodSync(path, mode);
    return `file:${path}`;
  };

  it("the webhook's header comes from a file of its owner, without the line feed", async () => {
    using secret = await headerSecret(fileOf("Bearer abc\r\n"));
    expect(secret.byteLength).toBe(10);
    expect((await refused(headerSecret(fileOf("Bearer abcd\n", 0o640)))).message).toContain("640");
  });

  it.each(["", "\n", "two\nlines", "caf\u00e9"])(
    "a webhook's header of %j is refused",
    async (text) => {
      const { message, code } = await refused(headerSecret(fileOf(text)));
      expect(code).toBe("transport.authentication");
      if (text.length > 1) expect(message).not.toContain(text.slice(0, 3));
    },
  );
});

describe("the log", () => {
  it("the log has each event once, by its code, and the end of a trouble at level info", () => {
    const events = new EventRing();
    const lines: unknown[][] = [];
    logEvents(events, { write: (...line) => void lines.push(line) });
    const wall = new SimClock(start).wall();
    events.add(wall, "key-age", "a/b", "old", { severity: "warning" });
    const ended = { over: true, resolves: "link-down", ends: "error" } as const;
    events.add(wall, "link-down", "a/b", "resolved: gone", { severity: "info", ...ended });
    events.add(wall, "verdict", "a/b", "down -> protected", { verdict: "protected" });
    events.add(wall, "verdict", "a/b", "protected -> down", { severity: "error", verdict: "down" });
    events.add(wall, "campaign-done", "a/b", "done");
    expect(lines).toEqual([
      ["warn", "key-age", "old", { n: 1, about: "a/b" }],
      [
        ...["info", "link-down", "resolved: gone"],
        { n: 2, about: "a/b", over: true, resolves: "link-down" },
      ],
      ["info", "verdict", "down -> protected", { n: 3, about: "a/b" }],
      ["error", "verdict", "protected -> down", { n: 4, about: "a/b" }],
      ["info", "campaign-done", "done", { n: 5, about: "a/b" }],
    ]);
  });
});

describe("over TLS on this host", () => {
  const now = Date.now();
  const day = 86_400_000;
  const authority = new Authority("webhooks", { notBefore: now - day, notAfter: now + day });
  const { key, certificate } = authority.server(
    { notBefore: now - day, notAfter: now + day },
    ["localhost"],
    ["127.0.0.1"],
  );
  const got: { readonly url: string; readonly token: string; readonly body: string }[] = [];
  const server = createServer({ key, cert: certificate }, (request, response) => {
    let body = "";
    request.on("data", (chunk: Buffer) => (body += chunk.toString()));
    request.on("end", () => {
      got.push({ url: request.url ?? "", token: request.headers.authorization ?? "", body });
      response.writeHead(204).end();
    });
  });
  const folder = mkdtempSync(join(tmpdir(), "linkseal-webhook-"));
  const token = join(folder, "token");
  let port = 0;
  beforeAll(async () => {
    writeFileSync(token, "Bearer of-the-test\n", { mode: 0o600 });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    ({ port } = server.address() as AddressInfo);
  });
  afterAll(() => {
    server.closeAllConnections();
    server.close();
    setDefaultCACertificates([...rootCertificates]);
    rmSync(folder, { recursive: true });
  });
  const send = (host: string) =>
    post(
      { world: { clock: hostClock, dial: hostDialer }, headerSecret },
      {
        url: `https://${host}:${port}/in`,
        header: { name: "authorization", value: `file:${token}` },
        privateEndpoints: [],
      },
      '{"x":1}',
      never,
    );

  it("a receiver over TLS on this host is accepted only with the right certificate", async () => {
    expect(await send("localhost")).toMatchObject({
      kind: "later",
      why: expect.stringContaining("an authority that this host does not know") as string,
    });
    setDefaultCACertificates([...rootCertificates, authority.certificate]);
    expect(await send("localhost")).toEqual({ kind: "taken" });
    expect(got).toEqual([{ url: "/in", token: "Bearer of-the-test", body: '{"x":1}' }]);
    expect(readFileSync(token, "utf8")).toContain("of-the-test");
  });
});
