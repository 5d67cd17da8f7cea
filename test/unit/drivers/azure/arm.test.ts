// The management API: what every bad answer tells the operator, and how often it is asked.

import { describe, expect, it } from "vitest";
import { LinksealError } from "#hal/error.ts";
import type { HttpReply } from "#hal/world.ts";
import type { WireFault } from "#sim/azure/faults.ts";
import { type ArmBench, armBench } from "../../kit/arm-bench.ts";
import { never, refused } from "../../kit/site-bench.ts";

const errorText = ({ code, effect, message, next }: LinksealError): string =>
  `${code}, effect ${effect}: ${message} -> ${next}`;

const body = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value));

function answer(status: number, code: string, headers: HttpReply["headers"] = {}): HttpReply {
  const message = "Sentences of a server: https://elsewhere.invalid/?key=0123456789abcdef";
  return { status, headers, body: body({ error: { code, message } }) };
}

async function read(bench: ArmBench): Promise<string> {
  return errorText(await refused(bench.observe("link1")));
}

/** A write whose own answer is spoilt; the observation before it is not. */
async function write(spoil: () => HttpReply): Promise<string> {
  const bench = armBench();
  bench.alter = (reply, { method }) => (method === "PUT" ? spoil() : reply);
  return errorText(await refused(bench.put("link1", bench.newWant("link1"))));
}

const right = "give it Microsoft.Network/expressRoutePorts/read, and /write if farEnd is agent";
const id = "compare expressRoutePort in the config with the port's resource id";
const wait = "linkseal status, until it answers";
const api = "the management API:";

describe("a far end that cannot be read", () => {
  it.each<[WireFault, string]>([
    [
      "unauthorized",
      `peer.denied, effect none: ${api} it does not accept the token of this identity ` +
        "(401 Unauthorized) -> compare the tenant of azure.identity with the subscription's tenant",
    ],
    [
      "authorizationFailed",
      `peer.denied, effect none: ${api} this identity has no right here ` +
        `(403 AuthorizationFailed) -> ${right}`,
    ],
    [
      "notFound",
      `peer.rejected, effect none: ${api} there is no such resource (404 SecretNotFound) -> ${id}`,
    ],
    [
      "throttled",
      `peer.throttled, effect none: ${api} it throttles (429 Throttled) and is left alone ` +
        `for 1 s -> ${wait}`,
    ],
    [
      "throttledSeconds",
      `peer.throttled, effect none: ${api} it throttles (429 Throttled) and is left alone ` +
        `for 2 s -> ${wait}`,
    ],
    [
      "serverError",
      `peer.unreachable, effect none: ${api} it fails (500 InternalServerError) -> ${wait}`,
    ],
    ["badGateway", `peer.unreachable, effect none: ${api} it fails (502) -> ${wait}`],
    [
      "unavailable",
      `peer.unreachable, effect none: ${api} it fails (503 ServiceUnavailable) -> ${wait}`,
    ],
    ["hang", `peer.unreachable, effect none: ${api} no answer within 8000 ms -> ${wait}`],
    ["reset", `peer.unreachable, effect none: ${api} the connection was reset -> ${wait}`],
    [
      "garbage",
      `peer.unreachable, effect none: ${api} its answer is not JSON -> check what is between ` +
        "this host and Azure: proxies, captive portals",
    ],
    [
      "emptyObject",
      "peer.rejected, effect none: the document of the port makes no sense: it does not have " +
        "two links -> linkseal doctor",
    ],
    [
      "hugeBody",
      `peer.unreachable, effect none: ${api} the reply is longer than allowed -> ${wait}`,
    ],
    [
      "redirect",
      `peer.unreachable, effect none: ${api} it sends elsewhere (307), not followed -> ${wait}`,
    ],
  ])(
    "reading a far end with the fault %s gives its error and the next step",
    async (fault, says) => {
      const bench = armBench();
      bench.cloud.faults.arm.strike(fault);
      expect(await read(bench)).toBe(says);
    },
  );
});

describe("the rights of the identity", () => {
  const path = "/subscriptions/s/resourceGroups/rg/providers/Microsoft.Authorization/permissions";
  const give = "Microsoft.Authorization/permissions/read, as linkseal azure setup prints it";

  it.each<[HttpReply, string]>([
    [
      answer(403, "AuthorizationFailed"),
      `peer.denied, effect none: ${api} this identity may not read which rights it has here ` +
        `(403 AuthorizationFailed) -> give it ${give}`,
    ],
    [
      answer(404, "ResourceNotFound"),
      `peer.rejected, effect none: ${api} it knows no such scope (404 ResourceNotFound) -> ` +
        "compare the resource ids of the config and of the port's identity with Azure",
    ],
    [
      answer(400, "NoRegisteredProviderFound"),
      `peer.rejected, effect none: ${api} it does not show which rights this identity has ` +
        "(400 NoRegisteredProviderFound) -> linkseal doctor",
    ],
    [
      answer(401, "ExpiredAuthenticationToken"),
      `peer.denied, effect none: ${api} the token of this identity has expired ` +
        "(401 ExpiredAuthenticationToken) -> compare this host's clock with true time: a new " +
        "token is asked for when this one is old",
    ],
  ])("rights that cannot be read have an error of their own: %#", async (reply, says) => {
    const bench = armBench();
    bench.alter = () => reply;
    const asked = bench.run(bench.far.document(path, { "api-version": "2022-04-01" }, never));
    const error = await refused(asked);
    expect(errorText(error)).toBe(says);
    expect(error.where).toBe("rg");
  });

  it("the simulated cloud reports the rights by which it allows requests", async () => {
    const bench = armBench();
    const { roles } = bench.cloud.arm;
    roles.withhold("Microsoft.Network/expressRoutePorts/write", bench.resource);
    const scope = `${bench.resource}/providers/Microsoft.Authorization/permissions`;
    const query = { "api-version": "2022-04-01" };
    const listed = await bench.run(bench.far.document(scope, query, never));
    expect(JSON.stringify(listed)).toContain('"notActions":["Microsoft.Network/expressRoutePorts/');
    const refusal = await refused(bench.put("link1", bench.newWant("link1")));
    expect([refusal.code, refusal.effect]).toEqual(["peer.denied", "none"]);
  });
});

describe("a far end that refuses a write", () => {
  it.each<[string, HttpReply, string]>([
    [
      "the right to assign its identity is missing",
      answer(403, "LinkedAuthorizationFailed"),
      `peer.denied, effect none: ${api} this identity may not assign the managed identity that ` +
        "the port carries (403 LinkedAuthorizationFailed) -> give it Microsoft.ManagedIdentity/" +
        "userAssignedIdentities/assign/action on that identity",
    ],
    [
      "a policy",
      answer(403, "RequestDisallowedByPolicy"),
      `peer.rejected, effect none: ${api} an Azure policy forbids the change ` +
        "(403 RequestDisallowedByPolicy) -> ask the owner of the subscription's policies",
    ],
    [
      "a lock",
      answer(409, "ScopeLocked"),
      `peer.rejected, effect none: ${api} a lock on the resource forbids the change ` +
        "(409 ScopeLocked) -> take the lock away, or change the far end by hand",
    ],
    [
      "another operation",
      answer(409, "AnotherOperationInProgress"),
      `peer.rejected, effect none: ${api} another change of the port is running ` +
        "(409 AnotherOperationInProgress) -> linkseal rotation show, once whatever runs there " +
        "has ended",
    ],
    [
      "an etag that is not the present one",
      answer(412, "PreconditionFailed"),
      `peer.rejected, effect none: ${api} another change of the port is running ` +
        "(412 PreconditionFailed) -> linkseal rotation show, once whatever runs there has ended",
    ],
    [
      "a subscription that is gone",
      answer(404, "SubscriptionNotFound"),
      `peer.rejected, effect none: ${api} there is no such subscription or resource group ` +
        `(404 SubscriptionNotFound) -> ${id}`,
    ],
    [
      "a cloud without LAGs",
      answer(400, "NoRegisteredProviderFound"),
      `peer.rejected, effect none: ${api} this cloud does not know the resource in the API ` +
        "version that linkseal uses (400 NoRegisteredProviderFound) -> compare azure.cloud and " +
        "expressRoutePort; LAGs are not in every cloud yet",
    ],
    [
      "a document that it does not take",
      answer(400, "InvalidRequestFormat"),
      `peer.rejected, effect none: ${api} it does not accept the request ` +
        "(400 InvalidRequestFormat) -> linkseal doctor",
    ],
    [
      "too many requests",
      answer(429, "TooManyRequests", { "retry-after": "17" }),
      `peer.throttled, effect none: ${api} it throttles (429 TooManyRequests) and is left alone ` +
        `for 17 s -> ${wait}`,
    ],
    [
      "an error after which it may stand all the same",
      answer(500, "InternalServerError"),
      `peer.unreachable, effect unknown: ${api} it fails (500 InternalServerError) -> ${wait}`,
    ],
    [
      "a code that is a sentence",
      answer(503, "try again, and write to https://elsewhere.invalid"),
      `peer.unreachable, effect unknown: ${api} it fails (503) -> ${wait}`,
    ],
    [
      "an operation at another host",
      {
        status: 201,
        headers: { "azure-asyncoperation": "https://elsewhere.invalid/o" },
        body: body({}),
      },
      `peer.rejected, effect unknown: ${api} it accepted the change and names an operation at ` +
        "another host -> linkseal status",
    ],
  ])(
    "a write that is refused for %s gives its error and the next step",
    async (_name, reply, says) => {
      expect(await write(() => reply)).toBe(says);
    },
  );

  it('a write whose reply is lost has effect "unknown"', async () => {
    const lost = new LinksealError("transport.closed", "no reply (ECONNRESET)", {
      effect: "unknown",
      where: "https://management.azure.com",
      next: "linkseal status",
    });
    const says = await write(() => {
      throw lost;
    });
    expect(says).toBe(`peer.unreachable, effect unknown: ${api} no reply (ECONNRESET) -> ${wait}`);
  });

  it('a write that is never answered ends after half a minute with effect "unknown"', async () => {
    const bench = armBench();
    bench.alter = (reply, { method }) => {
      return method === "PUT" ? new Promise<never>(() => undefined) : reply;
    };
    const before = bench.site.clock.now();
    const error = await refused(bench.put("link1", bench.newWant("link1")));
    expect(errorText(error)).toContain(
      "effect unknown: the management API: no answer within 30000 ms",
    );
    expect(bench.site.clock.now() - before).toBeLessThan(31_000);
  });

  it("a write without a token sends nothing to the management API", async () => {
    const bench = armBench();
    const stop = new AbortController();
    stop.abort(new Error("stopped"));
    await expect(bench.peer("link1").observe(stop.signal)).rejects.toThrow("stopped");
    expect(bench.sent).toEqual([]);
  });
});

describe("waits that the service demands", () => {
  it.each<[WireFault, number]>([
    ["throttledSeconds", 2_000],
    ["throttledMs", 2_000],
    ["throttledDate", 2_000],
  ])("a wait after %s is observed by reads and writes alike", async (fault, ms) => {
    const bench = armBench();
    bench.cloud.faults.arm.strike(fault, 1);
    expect(await read(bench)).toContain("left alone");
    const sent = bench.sent.length;
    expect(await read(bench)).toContain("nothing is asked there for another");
    const error = await refused(bench.put("link1", bench.newWant("link1")));
    expect([error.code, error.effect]).toEqual(["peer.throttled", "none"]);
    expect(bench.sent).toHaveLength(sent);
    await bench.site.clock.runFor(ms);
    expect((await bench.observe("link1")).provisioning).toBe("settled");
  });

  it("a wait grows to a minute if Azure names no time, and ends with a good reply", async () => {
    const bench = armBench();
    bench.cloud.faults.arm.strike("throttled");
    const waits: string[] = [];
    for (let turn = 0; turn < 9; turn += 1) {
      waits.push(/for (\d+) s/.exec(await read(bench))?.[1] ?? "none");
      await bench.site.clock.runFor(64_000);
    }
    expect(waits).toEqual(["1", "2", "4", "8", "16", "32", "64", "64", "64"]);
    bench.cloud.faults.arm.heal();
    await bench.observe("link1");
    bench.cloud.faults.arm.strike("throttled", 1);
    expect(await read(bench)).toContain("for 1 s");
  });

  it("an operation is polled no sooner than Azure named", async () => {
    const bench = armBench();
    await bench.put("link1", bench.newWant("link1"));
    const asked: number[] = [];
    bench.alter = (reply, { path }) => {
      if (path.includes("/operations/")) asked.push(bench.site.clock.now());
      return reply;
    };
    for (let second = 0; second < 60; second += 1) {
      await bench.observe("link1");
      await bench.site.clock.runFor(1_000);
    }
    const gaps = asked.slice(1).map((at, index) => at - (asked[index] ?? 0));
    expect(asked.length).toBeGreaterThan(1);
    expect(Math.min(...gaps)).toBeGreaterThanOrEqual(10_000);
  });
});

describe("a token", () => {
  it("a token is for this cloud's management API and is sent only as a bearer's", async () => {
    const bench = armBench();
    await bench.observe("link1");
    expect(bench.cloud.answered.map(({ status }) => status)).toEqual([200]);
    expect(JSON.stringify(bench.sent)).toContain('{"secret":"[secret bearer]","as":"raw"}');
    await expect(bench.run(bench.peer("link1").observe(never))).resolves.toBeDefined();
  });
});
