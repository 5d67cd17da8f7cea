// A real agent with all telemetry turned on: the data that a collector, a webhook and the log get
// from a whole enrolment, no key in any of it, and no data at all once the config turns it off.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, type RequestListener } from "node:http";
import { createServer as createSecureServer } from "node:https";
import type { AddressInfo, Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as rest } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { LinksealEvent } from "#agent/model/events.ts";
import { Authority } from "#sim/serve/certificates.ts";
import { patienceMs } from "../patience.ts";
import { Emissions } from "./emissions.ts";
import { Stage } from "./stage.ts";

const day = 86_400_000;

interface Message {
  readonly began: string;
  readonly lost: number;
  readonly events: readonly LinksealEvent[];
}

interface Got {
  readonly url: string;
  readonly token: string;
  readonly body: string;
}

interface LogLine {
  readonly code: string;
  readonly level: string;
  readonly n?: number;
  readonly because?: unknown;
}

function linesOf(output: string): readonly LogLine[] {
  const lines = output.split("\n").filter((line) => line.startsWith("{"));
  return lines.map((line) => JSON.parse(line) as LogLine);
}

async function listening(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return (server.address() as AddressInfo).port;
}

/** Keeps its requests, and answers with the statuses, repeating the last one. */
function keeping(got: Got[], statuses: number[]): RequestListener {
  return (request: IncomingMessage, response) => {
    let body = "";
    request.on("data", (chunk: Buffer) => (body += chunk.toString()));
    request.on("end", () => {
      got.push({ url: request.url ?? "", token: request.headers.authorization ?? "", body });
      const status = statuses.length > 1 ? statuses.shift() : statuses[0];
      response.writeHead(status ?? 500).end();
    });
  };
}

describe("a real agent", () => {
  const folder = mkdtempSync(join(tmpdir(), "linkseal-telemetry-"));
  const validity = { notBefore: Date.now() - day, notAfter: Date.now() + day };
  const authority = new Authority("receivers", validity);
  const { key, certificate } = authority.server(validity, ["localhost"], ["127.0.0.1"]);
  const events: Got[] = [];
  const metrics: Got[] = [];
  const statuses = [503, 204];
  const hook = createSecureServer({ key, cert: certificate }, keeping(events, statuses));
  const collector = createServer(keeping(metrics, [200]));
  const before = process.env["NODE_EXTRA_CA_CERTS"];
  let stage: Stage;
  let output = "";
  let quiet: readonly number[] = [];
  const hasLag = (): boolean =>
    metrics.at(-1)?.body.includes('"name":"linkseal_loop_lag_seconds"') === true;
  let lagged = false;

  beforeAll(async () => {
    const [ca, token] = [join(folder, "ca.pem"), join(folder, "token")];
    writeFileSync(ca, authority.certificate);
    writeFileSync(token, "Bearer of-the-test\n", { mode: 0o600 });
    process.env["NODE_EXTRA_CA_CERTS"] = ca;
    const [hookPort, otlpPort] = [await listening(hook), await listening(collector)];
    stage = await Stage.open({ seed: "telemetry", start: "clear", speed: 50, fate: undefined });
    const agent = await stage.live();
    const header = `header: { name: authorization, value: "file:${token}" }`;
    const telemetry = `telemetry:
  webhook: { url: "https://localhost:${hookPort}/in", ${header}, least: info }
  otlp: { url: "http://127.0.0.1:${otlpPort}/v1/metrics", every: 5s }
`;
    const apply = (text: string): Promise<unknown> =>
      stage.admin("/v1/apply", { text, file: "site.yaml", queue: false });
    await apply(stage.config + telemetry);
    const outcome = await stage.settled(agent, patienceMs);
    if (outcome?.over !== true) throw new Error(`it is not over: ${JSON.stringify(outcome)}`);
    while (metrics.length <= 3) await rest(20);
    // Twenty seconds of measurements by the host's own clock, however fast the site's runs.
    for (let waited = 0; waited < 600 && !hasLag(); waited += 1) await rest(100);
    lagged = hasLag();
    await apply(stage.config);
    await rest(300);
    const then = [events.length, metrics.length];
    // This is a dozen exports at that speed.
    await rest(1_500);
    quiet = [events.length - (then[0] ?? 0), metrics.length - (then[1] ?? 0)];
    output = agent.bytes.toString();
  });

  afterAll(async () => {
    if (before === undefined) delete process.env["NODE_EXTRA_CA_CERTS"];
    else process.env["NODE_EXTRA_CA_CERTS"] = before;
    await stage[Symbol.asyncDispose]();
    hook.closeAllConnections();
    hook.close();
    collector.close();
    rmSync(folder, { recursive: true });
  });

  it("each event reaches the webhook in order, though the first message was refused", () => {
    const messages = events.map(({ body }) => JSON.parse(body) as Message);
    const numbers = messages.slice(1).flatMap((message) => message.events.map(({ n }) => n));
    expect(messages[0]?.events[0]?.n).toBe(numbers[0]);
    // What is left out is a consequence, whose cause is sent.
    const [first = 0, last = 0] = [numbers[0], numbers.at(-1)];
    const logged = linesOf(output).filter(({ n = -1 }) => n >= first && n <= last);
    const sent = logged.filter(({ because }) => because === undefined);
    expect(numbers).toEqual(sent.map(({ n }) => n));
    expect(new Set(messages.map(({ began }) => began)).size).toBe(1);
    const codes = messages.flatMap((message) => message.events.map(({ code }) => code));
    for (const code of ["verdict", "campaign-queued", "campaign-proving", "campaign-done"]) {
      expect(codes).toContain(code);
    }
    expect(new Set(events.map(({ url, token }) => `${url} ${token}`))).toEqual(
      new Set(["/in Bearer of-the-test"]),
    );
  });

  it("metrics reach the collector", () => {
    expect(metrics[0]?.url).toBe("/v1/metrics");
    expect(metrics.at(-1)?.body).toContain('"name":"linkseal_link_verdict"');
    expect(metrics.at(-1)?.body).toContain('"name":"linkseal_webhook_events_total"');
  });

  it("issue 32: a real agent measures the lag of its loop", () => {
    expect(lagged).toBe(true);
  });

  it("nothing is sent any more once the config turns it off", () => {
    // The event of that very config may have been on its way.
    expect(quiet).toEqual([0, 0]);
  });

  it("the log has every event by its code, as one line of JSON", () => {
    const reported = linesOf(output);
    const numbers = reported.flatMap(({ n }) => n ?? []);
    expect(numbers).toEqual(numbers.map((_, index) => index + 1));
    expect(reported).toContainEqual(expect.objectContaining({ code: "verdict", level: "info" }));
  });

  it("telemetry contains no key, and no value of the header", async () => {
    const emissions = new Emissions();
    emissions.take("webhook", events.map(({ body }) => body).join("\n"));
    emissions.take("collector", metrics.map(({ body }) => body).join("\n"));
    emissions.take("output", output);
    emissions.takeFolder(stage.folder);
    const { canaries } = await stage.account();
    expect(canaries.length).toBeGreaterThanOrEqual(4);
    expect(emissions.find(canaries)).toEqual([]);
    const header = [{ id: "header", bytes: Buffer.from("Bearer of-the-test") }];
    expect(emissions.find(header)).toEqual([]);
  });
});
