// Whatever a proxy, a captive portal or a broken service answers in Azure's place: a typed error of
// that one question, and a process that lives.

import { describe, expect, it } from "vitest";
import { makeScorecard } from "#agent/evidence/scorecard/scorecard.ts";
import type { Agent } from "#agent/runtime/agent.ts";
import { emptyMemory } from "#agent/store/journal/memory.ts";
import { LinksealError } from "#hal/error.ts";
import { Secret } from "#hal/secret.ts";
import type { HttpReply } from "#hal/world.ts";
import { Prng } from "#sim/base/prng.ts";
import { effort } from "../../../effort.ts";
import { type ArmBench, armBench, documented } from "../../kit/arm-bench.ts";
import { never, refused } from "../../kit/site-bench.ts";
import { azureBench, hostOf } from "../azure-bench.ts";
import { hostileText, hostileTexts } from "../hostile-json.ts";

const seed = process.env["LINKSEAL_SEED"] ?? "azure";
const connection = "/subscriptions/s/resourceGroups/r/providers/Microsoft.Network/connections/c";
const deep = `${'{"a":'.repeat(20_000)}1${"}".repeat(20_000)}`;
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

const statuses = [200, 200, 200, 200, 201, 202, 204, 301, 400, 401, 403, 404, 409, 410, 412, 500];
const headerTexts = ["", "0", "-1", "1e9", "Thu, 01 Jan 1970 00:00:00 GMT", "https://a.invalid/x"];

/** JSON where it is some. */
function documentIn(body: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(body));
  } catch {
    return {};
  }
}

function spoil(reply: HttpReply, prng: Prng): HttpReply {
  if (prng.chance(0.3)) return reply;
  const text = hostileText(documentIn(reply.body), prng);
  const body = prng.chance(0.05) ? prng.bytes(200) : bytes(text.slice(0, 900_000));
  const names = ["retry-after", "azure-asyncoperation", "location", "www-authenticate"];
  const headers = prng.chance(0.2) ? { [prng.pick(names)]: prng.pick(headerTexts) } : {};
  const status = prng.chance(0.6) ? reply.status : prng.pick(statuses);
  return { status, headers: { ...reply.headers, ...headers }, body };
}

describe("JSON of the management API that is nested without end", () => {
  it("JSON without end fails an observation by a typed error and writes nothing", async () => {
    const { peer, written } = documented(deep);
    for (const look of [
      peer.observe(never),
      peer.put(armBench().newWant("link1"), async () => undefined, never),
    ]) {
      const { code, effect } = await refused(look);
      expect([code, effect]).toEqual(["peer.unreachable", "none"]);
    }
    expect(written).toEqual([]);
  });

  it("a refusal whose JSON has no end is reported by its HTTP status", async () => {
    const bench = armBench();
    bench.alter = (reply) => ({ ...reply, status: 403, body: bytes(`{"error":${deep}}`) });
    const { code, message } = await refused(bench.observe("link1"));
    expect([code, message]).toEqual(["peer.denied", expect.stringContaining("(403)")]);
  });

  it.each(
    hostileTexts.map((text) => [`${JSON.stringify(text.slice(0, 20))}, ${text.length} long`, text]),
  )("or is %s", async (_name, text) => {
    for (const status of [200, 202, 403, 500]) {
      const bench = armBench();
      bench.alter = (reply) => ({ ...reply, status, body: bytes(text) });
      expect((await refused(bench.observe("link1"))).code).toMatch(/^peer\./);
    }
  });
});

/** All that a scorecard asks of an agent. */
function agentBefore(bench: ArmBench, far = bench.far): Agent {
  const group = { name: "g", expressRoutePort: bench.resource, links: [] };
  const tunnels = [{ name: "t", azureConnection: connection }];
  const azure = { vault: "https://kv-demo.vault.azure.net", scopes: [] };
  return {
    ...{
      memory: emptyMemory,
      supervisor: { deviceCache: {} },
      status: () => ({ groups: [], tunnels: [] }),
    },
    intent: { desired: { site: "s", groups: [group], tunnels, azure } },
    azureReader: () => far.document.bind(far),
  } as unknown as Agent;
}

describe("a scorecard", () => {
  const list = (items: readonly unknown[]) => bytes(JSON.stringify({ value: items }));

  it("a scorecard is made where Azure names a resource by an object", async () => {
    const bench = armBench();
    const odd = { id: { toString: 1 }, name: { toString: null, valueOf: 1 } };
    bench.alter = (reply) => ({ ...reply, status: 200, body: list([odd, { id: {} }, {}]) });
    const card = await bench.run(makeScorecard(agentBefore(bench), never));
    expect(card.rows.length).toBeGreaterThan(10);
    expect(card.counts.proven).toBe(0);
  });

  it("a scorecard sends no request for an id that is not a path", async () => {
    const bench = armBench();
    const vaultUri = "https://kv-demo.vault.azure.net";
    bench.alter = (reply, { path }) => {
      // Node's client throws for any other.
      expect(path).toMatch(/^\/[\x21-\x7e]*$/);
      const found = ["/a b", "c", "/\r\nx: y", "/\u202e"].map((id) => ({
        ...{ id, properties: { vaultUri } },
      }));
      return { ...reply, status: 200, body: list(found) };
    };
    const card = await bench.run(makeScorecard(agentBefore(bench), never));
    expect(JSON.stringify(card.rows)).toContain("it names a resource by a text that is not a path");
  });
});

/** One use of the management API, by a client that has waited for nothing yet. */
async function used(bench: ArmBench, prng: Prng): Promise<unknown> {
  const far = bench.restarted();
  const peer = bench.peer("link1", far);
  using psk = Secret.take("psk", bytes("a-pre-shared-key"));
  switch (
    prng.pick(["observe", "put", "telemetry", "connection", "gateway", "scorecard"] as const)
  ) {
    case "observe":
      return await bench.run(peer.observe(never));
    case "put":
      return await bench.run(
        peer.put(
          bench.newWant("link1"),
          async (operation) => void bench.journal.set("link1", operation),
          never,
        ),
      );
    case "telemetry":
      return await bench.run<unknown>(peer.telemetry?.(never) ?? Promise.resolve());
    case "connection":
      return await bench.run(far.connection(connection, never));
    case "gateway":
      return await bench.run(far.gateway(connection).put(psk, never));
    case "scorecard": {
      const card = makeScorecard(agentBefore(bench, far), never);
      return await bench.run(card);
    }
  }
}

describe(`any answer of the management API (LINKSEAL_SEED=${seed})`, () => {
  it("is understood, or a typed error", async () => {
    const runs = effort(400, 40_000);
    console.log(`hostile management API: LINKSEAL_SEED=${seed}, ${runs} uses`);
    const prng = new Prng(seed);
    const bench = armBench();
    bench.alter = (reply, { path }) => {
      // Node's client throws for any other.
      expect(path).toMatch(/^\/[\x21-\x7e]*$/);
      return spoil(reply, prng);
    };
    const codes = new Map<string, number>();
    for (let run = 0; run < runs; run += 1) {
      const code = await used(bench, prng).then(
        () => "understood",
        (error: unknown) => {
          if (!(error instanceof LinksealError)) throw error;
          return error.code;
        },
      );
      codes.set(code, (codes.get(code) ?? 0) + 1);
    }
    for (const code of codes.keys()) expect(code).toMatch(/^(understood$|peer\.|transport\.)/);
    expect(codes.get("understood")).toBeGreaterThan(runs / 20);
    expect(codes.get("peer.unreachable")).toBeGreaterThan(runs / 20);
  });
});

describe(`any answer of vault and sign-in (LINKSEAL_SEED=${seed})`, () => {
  it("is understood, or a typed error", async () => {
    const runs = effort(60, 4_000);
    console.log(`hostile vault and sign-in: LINKSEAL_SEED=${seed}, ${runs} uses`);
    const prng = new Prng(seed);
    const codes = new Set<string>();
    for (let run = 0; run < runs; run += 1) {
      const identity = { kind: "managedIdentity", source: "imds", client: undefined } as const;
      const host = hostOf({ pinEndpoint: () => "http://169.254.169.254" });
      const bench = prng.chance(0.5) ? azureBench() : azureBench(identity, host);
      const { cak = "" } = bench.site.links[0]?.key ?? {};
      bench.site.vault.generatePair({ cak, ckn: `${cak}-ckn` }, "gcm-aes-xpn-256");
      const id = bench.site.vault.versions(cak).at(-1)?.id ?? "";
      bench.alter = (reply) => spoil(reply, prng);
      const asked = prng.chance(0.5)
        ? bench.vault.versions(cak, never)
        : bench.vault.read(id, never).then((secret) => secret[Symbol.dispose]());
      const code = await bench.run<unknown>(asked).then(
        () => "understood",
        (error: unknown) => {
          if (!(error instanceof LinksealError)) throw error;
          return error.code;
        },
      );
      codes.add(code);
    }
    for (const code of codes) expect(code).toMatch(/^(understood$|vault\.|transport\.)/);
    expect(codes.size).toBeGreaterThan(1);
  });
});
