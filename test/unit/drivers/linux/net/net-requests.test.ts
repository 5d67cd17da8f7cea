// The requests of linkseal-net, and how its refusals are read at the other end.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { NetControlServer } from "#drivers/linux/net/control-server.ts";
import { answerNet, type NetCall, type NetReply } from "#drivers/linux/net/requests.ts";
import { readState } from "#drivers/local/state.ts";
import { ask } from "#drivers/local/wire.ts";
import { type ErrorCode, errorRows, LinksealError } from "#hal/error.ts";
import {
  type Dialer,
  type Instant,
  noChannels,
  noFrames,
  noPrograms,
  noSnmp,
  noStreams,
} from "#hal/world.ts";
import { effort } from "../../../../effort.ts";
import { never, refused, sampleState } from "../../../kit/site-bench.ts";

/** Answers each request, and records what reached it. */
class PretendServer {
  readonly asked: unknown[][] = [];
  error: Error | undefined;
  preview: string | undefined = "what waits";
  port: string | undefined = "eth0";

  readonly server: NetControlServer = {
    state: (device: string) => this.#take(["state", device], sampleState(device, 5 as Instant)),
    subnets: () => this.#take(["subnets"], [{ port: "eth0", link: "ms0", prefix: "192.0.2.1/30" }]),
    routeTo: (address: string) => this.#take(["routeTo", address], this.port),
    prepare: (change: unknown) => this.#take(["prepare", change], { token: "t", preview: "p" }),
    recall: (token: string) => {
      this.asked.push(["recall", token]);
      const { preview } = this;
      const undo = [
        { kind: "port.open", port: "p1" },
        { kind: "macsec.participant", port: "p2" },
      ];
      return preview === undefined ? undefined : { preview, undo };
    },
    apply: (token: string, within: unknown) => this.#take(["apply", token, within], undefined),
    confirm: (token: string) => this.#take(["confirm", token], undefined),
    rollback: (token: string) => this.#take(["rollback", token], undefined),
    changes: (after: number, waitMs: number) => this.#take(["changes", after, waitMs], 7),
  } as unknown as NetControlServer;

  async #take<T>(asked: unknown[], answer: T): Promise<T> {
    this.asked.push(asked);
    if (this.error !== undefined) throw this.error;
    return answer;
  }

  async reply(method: string, path: string, body: unknown = ""): Promise<NetReply> {
    const text = typeof body === "string" ? body : JSON.stringify(body);
    return await answerNet(this.server, { method, path, body: text }, never);
  }
}

const bodyOf = ({ body }: NetReply): unknown => JSON.parse(body);
const shutP1 = { kind: "port.shut", port: "p1" };
const secy = { suite: "gcm-aes-xpn-256", includeSci: true, replayWindow: 64 };
const protectP1 = { kind: "macsec.protect", port: "p1", settings: secy };

describe("the verbs of linkseal-net", () => {
  const waits = { kind: "pending", preview: "what waits", participants: ["p2"] };
  const capabilities = { commit: { kind: "armedRevert" } };
  interface Row {
    readonly method: string;
    readonly path: string;
    readonly body: unknown;
    readonly answer: unknown;
    /** The call that reaches the control server; absent = none does. */
    readonly asked?: readonly unknown[];
  }

  it.each<Row>([
    { method: "GET", path: "/devices/edge", body: "", answer: { capabilities } },
    {
      method: "POST",
      path: "/devices/edge/subnets",
      body: "",
      answer: { subnets: [{ port: "eth0", link: "ms0", prefix: "192.0.2.1/30" }] },
      asked: ["subnets"],
    },
    {
      method: "POST",
      path: "/devices/edge/route",
      body: { address: "192.0.2.9" },
      answer: { port: "eth0" },
      asked: ["routeTo", "192.0.2.9"],
    },
    {
      method: "POST",
      path: "/devices/edge/prepare",
      body: { change: [shutP1, { kind: "port.open", port: "p2", more: 1 }] },
      answer: { token: "t", preview: "p" },
      asked: ["prepare", [shutP1, { kind: "port.open", port: "p2" }]],
    },
    {
      method: "POST",
      path: "/devices/edge/prepare",
      body: { change: [] },
      answer: { token: "t", preview: "p" },
      asked: ["prepare", []],
    },
    {
      method: "POST",
      path: "/devices/edge/prepare",
      body: { change: [{ ...protectP1, settings: { ...secy, keyServerPriority: 16 } }] },
      answer: { token: "t", preview: "p" },
      asked: ["prepare", [protectP1]],
    },
    {
      method: "POST",
      path: "/devices/edge/recall",
      body: { token: "net-1" },
      answer: waits,
      asked: ["recall", "net-1"],
    },
    {
      method: "POST",
      path: "/devices/edge/changes",
      body: { after: 3, waitMs: 0 },
      answer: { count: 7 },
      asked: ["changes", 3, 0],
    },
    {
      method: "POST",
      path: "/devices/e/transactions/t-1/apply",
      body: { within: 9 },
      answer: {},
      asked: ["apply", "t-1", 9],
    },
    {
      method: "POST",
      path: "/devices/e/transactions/a%2Fb/apply",
      body: { within: "final" },
      answer: {},
      asked: ["apply", "a/b", "final"],
    },
    {
      method: "POST",
      path: "/devices/e/transactions/t-1/confirm",
      body: "",
      answer: {},
      asked: ["confirm", "t-1"],
    },
    {
      method: "POST",
      path: "/devices/e/transactions/t-1/rollback",
      body: {},
      answer: {},
      asked: ["rollback", "t-1"],
    },
  ])("linkseal-net answers $method $path $body", async ({ method, path, body, answer, asked }) => {
    const server = new PretendServer();
    const reply = await server.reply(method, path, body);
    expect([reply.status, bodyOf(reply)]).toEqual([200, answer]);
    expect(server.asked).toEqual(asked === undefined ? [] : [asked]);
  });

  it("an observation is of the device that is named, and can be read again", async () => {
    const server = new PretendServer();
    const reply = await server.reply("POST", "/devices/edge%20a/observe");
    expect(server.asked).toEqual([["state", "edge a"]]);
    const asked = { from: 0 as Instant, to: 9 as Instant };
    expect(readState(bodyOf(reply), "edge a", asked)).toMatchObject({ device: "edge a" });
  });

  it("no route and no pending change are answers", async () => {
    const server = new PretendServer();
    server.port = undefined;
    server.preview = undefined;
    const way = await server.reply("POST", "/devices/e/route", { address: "192.0.2.9" });
    const recalled = await server.reply("POST", "/devices/e/recall", { token: "t" });
    expect([way, recalled].map(bodyOf)).toEqual([{}, { kind: "absent" }]);
  });
});

describe("requests that are not in the list", () => {
  const prepare = "/devices/e/prepare";
  const changes = "/devices/e/changes";
  const apply = "/devices/e/transactions/t/apply";
  it.each<[string, string, unknown?]>([
    ["POST", "/"],
    ["POST", ""],
    ["GET", "/devices"],
    ["GET", "/devices/"],
    ["GET", "devices/e"],
    ["GET", "x/devices/e"],
    ["GET", "http://host/devices/e"],
    ["GET", "/v1/devices/e"],
    ["GET", "/devices/e/"],
    ["GET", "/devices/e/observe"],
    ["GET", "/devices/%zz"],
    ["PUT", "/devices/e/observe"],
    ["HEAD", "/devices/e"],
    ["POST", "/devices/e"],
    ["POST", "/devices//observe"],
    ["POST", "/devices/e/Observe"],
    ["POST", "/devices/e/observe/"],
    ["POST", "/devices/e/observe?x=1"],
    ["POST", "/devices/e/constructor"],
    ["POST", "/devices/e/close"],
    ["POST", "/devices/e/transactions"],
    ["POST", "/devices/e/transactions/t"],
    ["POST", "/devices/e/transactions/t/apply/", { within: 1 }],
    ["POST", "/devices/e/transactions/t/toString"],
    ["POST", "/devices/e/transactions/%ff/confirm"],
    ["POST", "/devices/e/observe", "{"],
    ["POST", "/devices/e/observe", "[]"],
    ["POST", "/devices/e/observe", "null"],
    ["POST", "/devices/e/route", {}],
    ["POST", "/devices/e/route", { address: 7 }],
    ["POST", "/devices/e/route", { address: "\u001b[2J" }],
    ["POST", "/devices/e/route", '{"__proto__":{"address":"192.0.2.1"}}'],
    ["POST", "/devices/e/recall", { token: "" }],
    ["POST", "/devices/e/recall", { token: "x".repeat(513) }],
    ["POST", prepare, {}],
    ["POST", prepare, { change: shutP1 }],
    ["POST", prepare, { change: [shutP1, "port.shut"] }],
    ["POST", prepare, { change: [{ kind: "macsec.removeKey", port: "p1", ckn: "00" }] }],
    ["POST", prepare, { change: [{ kind: "port.drain", port: "p1", means: "prepend" }] }],
    ["POST", prepare, { change: [{ kind: "port.shut" }] }],
    ["POST", prepare, { change: [{ kind: "macsec.unprotect", port: "p1" }] }],
    ["POST", prepare, { change: [{ kind: "macsec.protect", port: "p1" }] }],
    ["POST", prepare, { change: [{ ...protectP1, settings: { ...secy, suite: "gcm-aes" } }] }],
    ["POST", prepare, { change: [{ ...protectP1, settings: { ...secy, replayWindow: 2 ** 32 } }] }],
    ["POST", prepare, { change: Array(65).fill(shutP1) }],
    ["POST", changes, { after: 0 }],
    ["POST", changes, { after: -1, waitMs: 0 }],
    ["POST", changes, { after: 0.5, waitMs: 0 }],
    ["POST", changes, { after: 0, waitMs: 60_001 }],
    ["POST", apply, {}],
    ["POST", apply, { within: "Final" }],
    ["POST", apply, { within: -1 }],
    ["POST", apply, { within: 0.5 }],
    ["POST", apply, { within: 1e300 }],
    ["POST", apply, { within: ["final"] }],
  ])("%s %s %j is refused before it reaches the control server", async (method, path, body) => {
    const server = new PretendServer();
    const reply = await server.reply(method, path, body);
    expect(reply.status).toBe(400);
    expect(bodyOf(reply)).toMatchObject({
      code: "device.rejected",
      effect: "none",
      where: "linkseal-net",
      text: expect.stringMatching(/^linkseal-net does not understand the request at: \w+$/),
    });
    expect(server.asked).toEqual([]);
  });

  it("any request is answered or refused, and nothing is thrown", async () => {
    const word = fc.oneof(
      fc.constantFrom("", "devices", "e", "observe", "subnets", "route", "prepare", "recall"),
      fc.constantFrom("changes", "transactions", "t", "apply", "confirm", "rollback", "%6fbserve"),
      fc.string({ maxLength: 5 }),
      fc.string({ unit: "binary", maxLength: 3 }),
    );
    const path = fc.oneof(
      fc.array(word, { maxLength: 8 }).map((words) => words.join("/")),
      fc.array(word, { maxLength: 4 }).map((words) => ["", "devices", "e", ...words].join("/")),
      fc.string({ unit: "binary" }),
    );
    const record = fc.record(
      {
        address: fc.oneof(fc.ipV4(), fc.anything()),
        token: fc.oneof(fc.constant("t"), fc.anything()),
        within: fc.oneof(fc.constantFrom("final", 5, -5), fc.anything()),
        after: fc.oneof(fc.nat(), fc.anything()),
        waitMs: fc.oneof(fc.nat(), fc.anything()),
        change: fc.oneof(fc.array(fc.oneof(fc.constant(shutP1), fc.anything())), fc.anything()),
      },
      { requiredKeys: [] },
    );
    const body = fc.oneof(
      fc.constant(""),
      fc.json(),
      fc.string({ unit: "binary" }),
      record.map((value) =>
        JSON.stringify(value, (_, part) => (typeof part === "bigint" ? 0 : part)),
      ),
    );
    const method = fc.constantFrom("GET", "POST", "PUT", "");
    const run = async (call: NetCall): Promise<void> => {
      const server = new PretendServer();
      const reply = await answerNet(server.server, call, never);
      expect(typeof bodyOf(reply)).toBe("object");
      if (reply.status === 200) {
        expect(`${call.method} ${plain(call.path)}`).toMatch(listed);
        expect(server.asked).toHaveLength(call.method === "GET" ? 0 : 1);
      } else {
        expect(reply.status).toBe(400);
        expect(server.asked).toEqual([]);
      }
    };
    const calls = fc.record({ method, path, body }) as fc.Arbitrary<NetCall>;
    await fc.assert(fc.asyncProperty(calls, run), { numRuns: effort(3_000, 100_000) });
  });
});

const listed = new RegExp(
  "^(GET /devices/[^/]+" +
    "|POST /devices/[^/]+/(observe|subnets|route|prepare|recall|changes)" +
    "|POST /devices/[^/]+/transactions/[^/]*/(apply|confirm|rollback))$",
);

// Each part of the path is decoded; a slash inside one stays escaped.
function plain(path: string): string {
  return path
    .split("/")
    .map((part) =>
      decodeURIComponent(part)
        .replaceAll("/", "%2F")
        .replaceAll(/[\n\r]/g, " "),
    )
    .join("/");
}

/** How the client reads a reply. */
async function readBack(reply: NetReply, effect: "none" | "unknown"): Promise<LinksealError> {
  const body = new TextEncoder().encode(reply.body);
  const dial: Dialer = {
    http: async () => ({ status: reply.status, headers: {}, body }),
    routeTo: async () => undefined,
    resolve: async () => [],
    exec: noPrograms,
    framed: noFrames,
    stream: noStreams,
    channel: noChannels,
    snmp: noSnmp,
  };
  const line = { dial, address: "unix:/x" };
  const question = {
    method: "POST",
    path: "/x",
    replyBytesMax: 1_000_000,
    where: "edge-a",
    effect,
  } as const;
  return await refused(ask(line, question, never));
}

describe("a refusal", () => {
  const reported = (Object.keys(errorRows) as ErrorCode[]).filter((code) =>
    /^(device|transport)\./.test(code),
  );
  const details = { where: "p1", next: "linkseal links" } as const;

  it.each(reported)("a refusal %s arrives unchanged", async (code) => {
    for (const effect of ["none", "unknown", "applied"] as const) {
      const server = new PretendServer();
      const text = `net-1 still waits for "p1"; nothing was changed`;
      server.error = new LinksealError(code, text, { ...details, effect });
      const reply = await server.reply("POST", "/devices/e/transactions/t/apply", { within: 5 });
      expect(reply.status).toBe(409);
      const arrived = await readBack(reply, "unknown");
      expect(arrived).toMatchObject({ code, effect, message: text, ...details });
      // A client that only reads knows that nothing happened.
      expect((await readBack(reply, "none")).effect).toBe("none");
    }
  });

  it("a refusal of our own disk arrives with its text, as one of the device", async () => {
    const server = new PretendServer();
    const text = "net-state cannot be written (ENOSPC); nothing was changed";
    server.error = new LinksealError("journal.full", text, { ...details, effect: "none" });
    const reply = await server.reply("POST", "/devices/e/transactions/t/confirm");
    expect(await readBack(reply, "unknown")).toMatchObject({
      code: "device.rejected",
      effect: "none",
      message: text,
    });
  });

  it("a refusal of an unknown request arrives as device.rejected", async () => {
    const reply = await new PretendServer().reply("POST", "/devices/e/shutdown");
    const arrived = await readBack(reply, "unknown");
    expect(arrived).toMatchObject({ code: "device.rejected", effect: "none" });
    expect(arrived.message).toContain("does not understand the request at: verb");
  });

  it("a defect is not a refusal: it ends the process", async () => {
    const server = new PretendServer();
    server.error = new TypeError("a defect");
    await expect(server.reply("POST", "/devices/e/observe")).rejects.toThrow("a defect");
  });
});
