// The far end of a real cloud over its life: operations that last, lie or fail, other people's
// changes, and one write for each that Azure accepted.

import { describe, expect, it } from "vitest";
import type { PeerState, PeerWant } from "#hal/device.ts";
import type { Msee } from "#sim/site/msee.ts";
import { type ArmBench, armBench, putGraceMs } from "../../kit/arm-bench.ts";
import { never, refused } from "../../kit/site-bench.ts";

const minute = 60_000;
const short = ({ provisioning, pointsAt }: PeerState): unknown => [
  provisioning,
  pointsAt?.cakSecretId,
];
const nothing = async (): Promise<void> => undefined;

function msee({ site }: ArmBench): Msee {
  const [only] = site.msees.values();
  if (only === undefined) throw new RangeError("no far end");
  return only;
}

/** What an observation says, again and again, until it has stayed the same for ten minutes. */
async function history(bench: ArmBench): Promise<readonly string[]> {
  const reported: string[] = [];
  for (let steady = 0; steady < 60; steady += 1) {
    const { provisioning } = await bench.observe("link1");
    if (reported.at(-1) !== provisioning) {
      reported.push(provisioning);
      steady = 0;
    }
    await bench.site.clock.runFor(10_000);
  }
  return reported;
}

async function putTwice(bench: ArmBench, want: PeerWant): Promise<string> {
  const error = await refused(bench.put("link1", want));
  return `${error.code} ${error.effect}: ${error.message}`;
}

const busy = "peer.rejected none: the port is being changed: nothing was written";

describe("an operation", () => {
  it("an operation is followed to its end and then polled no more", async () => {
    const bench = armBench();
    const want = bench.newWant("link1");
    await bench.put("link1", want);
    expect(await history(bench)).toEqual(["updating", "settled"]);
    expect(short(await bench.observe("link1"))).toEqual(["settled", want.key.cakSecretId]);
    const asked = bench.sent.filter(({ path }) => path.includes("/operations/")).length;
    await history(bench);
    expect(bench.sent.filter(({ path }) => path.includes("/operations/"))).toHaveLength(asked);
  });

  it("an operation is resumed by the next process, which writes nothing meanwhile", async () => {
    const bench = armBench();
    const want = bench.newWant("link1");
    await bench.put("link1", want);
    const next = bench.peer("link1", bench.restarted());
    const operation = bench.journal.get("link1");
    expect(await bench.run(next.observe(never))).toMatchObject({
      provisioning: "updating",
      operation,
    });
    const error = await refused(bench.run(next.put(want, nothing, never)));
    expect(error.message).toContain("nothing was written");
    await history(bench);
    await bench.run(next.put(want, nothing, never));
    expect(bench.calls("PUT")).toBe(1);
  });

  it("an operation runs although the document says that it has ended or never began", async () => {
    const bench = armBench();
    const want = bench.newWant("link1");
    let stale: Uint8Array | undefined;
    bench.alter = (reply, { path }) => {
      if (!path.startsWith(`${bench.resource}?`)) return reply;
      stale ??= Uint8Array.from(reply.body);
      return { ...reply, body: Uint8Array.from(stale) };
    };
    await bench.put("link1", want);
    expect(short(await bench.observe("link1"))).toEqual(["updating", undefined]);
    expect(await putTwice(bench, want)).toBe(busy);
    expect(bench.calls("PUT")).toBe(1);
  });

  it("a failed operation is reported with its code until a later write repairs it", async () => {
    const bench = armBench();
    msee(bench).setFault("fails", true);
    await bench.put("link1", bench.newWant("link1"));
    expect(await history(bench)).toEqual(["updating", "failed"]);
    const { details } = await bench.observe("link1");
    expect(details?.failure).toBe("ExpressRoutePortUpdateFailed");
    msee(bench).setFault("fails", false);
    const { key } = bench.newWant("link1");
    msee(bench).manualEdit("link1", { key, suite: "gcm-aes-xpn-256", sci: "on" });
    expect(await history(bench)).toEqual(["updating", "settled"]);
    expect(short(await bench.observe("link1"))).toEqual(["settled", key.cakSecretId]);
  });

  it("a failed operation is reported although the document does not show it", async () => {
    const bench = armBench();
    bench.alter = (reply, { path }) => {
      if (!path.includes("/operations/")) return reply;
      const error = { code: "InternalServerError" };
      const body = new TextEncoder().encode(JSON.stringify({ status: "Failed", error }));
      return { ...reply, status: 200, body };
    };
    await bench.put("link1", bench.newWant("link1"));
    await bench.site.clock.runFor(5 * minute);
    expect((await bench.observe("link1")).provisioning).toBe("failed");
    expect((await bench.observe("link1")).provisioning).toBe("failed");
  });

  it("a failed operation of a predecessor is decided by the document", async () => {
    const bench = armBench();
    msee(bench).setFault("fails", true);
    await bench.put("link1", bench.newWant("link1"));
    await history(bench);
    const next = (): Promise<PeerState> =>
      bench.run(bench.peer("link1", bench.restarted()).observe(never));
    expect((await next()).provisioning).toBe("failed");
    msee(bench).setFault("fails", false);
    msee(bench).manualEdit("link1", { key: bench.newWant("link1").key, suite: "gcm-aes-xpn-256" });
    await bench.site.clock.runFor(5 * minute);
    const { provisioning, details } = await next();
    expect([provisioning, details?.failure]).toEqual(["settled", "ExpressRoutePortUpdateFailed"]);
  });

  it("an operation on another port says nothing about this one", async () => {
    const bench = armBench();
    await bench.put("link1", bench.newWant("link1"));
    const operation = bench.journal.get("link1");
    bench.alter = (reply, { path }) =>
      path.includes("/operations/") ? { ...reply, status: 500 } : reply;
    await bench.site.clock.runFor(11_000);
    // The same one by another name, as the simulated cloud has no second port.
    const resource = bench.resource.replace("expressRoutePorts/", "expressRoutePorts/./");
    const operations = () => ({ own: operation, others: [] });
    const at = { resource, link: "link2", operations, putGraceMs } as const;
    const other = bench.far.peer(at);
    expect((await refused(bench.observe("link1"))).code).toBe("peer.unreachable");
    expect((await bench.run(other.observe(never))).provisioning).toBe("updating");
  });

  it("an operation that ends with the resource itself ends as well", async () => {
    const bench = armBench();
    bench.alter = (reply, { path, method }) => {
      const { "azure-asyncoperation": url = "", ...rest } = reply.headers;
      if (method === "PUT") return { ...reply, status: 202, headers: { ...rest, location: url } };
      if (!path.includes("/operations/")) return reply;
      const running = new TextDecoder().decode(reply.body).includes("InProgress");
      const body = new TextEncoder().encode(
        running ? "" : '{"properties":{"provisioningState":"Succeeded"}}',
      );
      return { ...reply, status: running ? 202 : 200, body };
    };
    await bench.put("link1", bench.newWant("link1"));
    expect(await history(bench)).toEqual(["updating", "settled"]);
  });

  it("an operation that cannot be polled leaves the far end unknown", async () => {
    const bench = armBench();
    await bench.put("link1", bench.newWant("link1"));
    await bench.site.clock.runFor(11_000);
    bench.alter = (reply, { path }) =>
      path.includes("/operations/") ? { ...reply, status: 500 } : reply;
    const error = await refused(bench.observe("link1"));
    expect([error.code, error.effect]).toEqual(["peer.unreachable", "none"]);
  });

  it("a change that Azure makes at once needs no operation", async () => {
    const bench = armBench();
    bench.alter = (reply, { method }) => (method === "PUT" ? { ...reply, headers: {} } : reply);
    await bench.put("link1", bench.newWant("link1"));
    expect(bench.journal.size).toBe(0);
    expect(await history(bench)).toEqual(["updating", "settled"]);
  });
});

describe("provisioning that is", () => {
  it.each([
    ["slow", ["updating", "settled"]],
    ["lies", ["updating", "settled"]],
    ["never", ["updating", "settled"]],
    ["half", ["updating", "settled"]],
    ["fails", ["updating", "failed"]],
  ] as const)(
    "a provisioning state of %s is reported as %j and needs one write",
    async (fault, reported) => {
      const bench = armBench();
      msee(bench).setFault(fault, true);
      const want = bench.newWant("link1");
      await bench.put("link1", want);
      expect(await history(bench)).toEqual(reported);
      const { pointsAt } = await bench.observe("link1");
      expect(pointsAt?.cakSecretId).toBe(want.key.cakSecretId);
      if (fault !== "fails") await bench.put("link1", want);
      expect(bench.calls("PUT")).toBe(1);
    },
  );
});

describe("another change", () => {
  it("another change that runs on either link is waited for", async () => {
    for (const link of ["link1", "link2"] as const) {
      const bench = armBench({ start: "protected" });
      msee(bench).manualEdit(link, { sci: "off" });
      expect(await putTwice(bench, bench.newWant("link1"))).toBe(busy);
      expect(bench.calls("PUT")).toBe(0);
    }
  });

  it("another change after the observation makes Azure refuse the write, and stays", async () => {
    const bench = armBench({ start: "protected" });
    const { key } = bench.newWant("link1");
    bench.alter = (reply, { method }) => {
      if (method === "GET" && bench.calls("PUT") === 0) msee(bench).manualEdit("link1", { key });
      return reply;
    };
    const error = await refused(bench.put("link1", bench.newWant("link1")));
    expect([error.code, error.effect]).toEqual(["peer.rejected", "none"]);
    bench.alter = (reply) => reply;
    await history(bench);
    expect(short(await bench.observe("link1"))).toEqual(["settled", key.cakSecretId]);
  });

  it("another change after the decision is noticed before the write, and stays", async () => {
    const bench = armBench({ start: "protected" });
    const before = (await bench.observe("link1")).pointsAt;
    const want = bench.newWant("link1");
    const { key } = bench.newWant("link1");
    msee(bench).manualEdit("link1", { key });
    await history(bench);
    const decided = { ...want, over: [before, want.key] };
    expect(await putTwice(bench, decided)).toBe(
      "peer.rejected none: its key was changed meanwhile: nothing was written",
    );
    msee(bench).manualEdit("link1", { key: "off" });
    await history(bench);
    expect(await putTwice(bench, decided)).toContain("its key was changed meanwhile");
    expect(bench.calls("PUT")).toBe(0);
    await bench.put("link1", { ...decided, over: [undefined] });
    expect(bench.calls("PUT")).toBe(1);
  });
});

describe("two links of one port", () => {
  it("two links of one port are never written together: the second waits", async () => {
    const bench = armBench({ start: "protected" });
    const [first, second] = [bench.newWant("link1"), bench.newWant("link2")];
    const puts = [
      bench.peer("link1").put(first, nothing, never),
      bench.peer("link2").put(second, nothing, never),
    ];
    const ended = await bench.run(Promise.allSettled(puts));
    expect(ended.map(({ status }) => status)).toEqual(["fulfilled", "rejected"]);
    expect(bench.calls("PUT")).toBe(1);
  });

  it("a body contains both links, the other one as it was read", async () => {
    const bench = armBench({ start: "protected" });
    const other = JSON.stringify(
      linksOf(await bench.run(bench.cloud.anywhere(plain(bench), never)))[1],
    );
    await bench.put("link1", bench.newWant("link1"));
    const [body] = bench.sent.find(({ method }) => method === "PUT")?.body ?? [];
    expect(body).toContain(`,${other}]`);
    const neighbour = await bench.observe("link2");
    await history(bench);
    const after = await bench.observe("link2");
    expect([after.pointsAt, after.suite]).toEqual([neighbour.pointsAt, neighbour.suite]);
  });
});

function plain({ cloud, resource }: ArmBench) {
  const audience = "https://management.azure.com";
  const { token } = cloud.tokens.issue({ audience, tenant: "t", clientId: "c" });
  const headers = { authorization: `Bearer ${token}` };
  const path = `${resource}?api-version=2024-05-01`;
  return { host: "management.azure.com", method: "GET", path, headers, body: "" };
}

function linksOf({ body }: { readonly body: string }): readonly unknown[] {
  const { properties } = JSON.parse(body) as { properties: { links: readonly unknown[] } };
  return properties.links;
}

describe("the version of the interface", () => {
  it.each([
    ["expressRoutePorts", "2024-05-01"],
    ["expressRouteLags", "2026-01-01"],
  ] as const)("the API version is fixed for %s: %s", async (kind, version) => {
    const bench = armBench({ kind });
    await bench.put("link1", bench.newWant("link1"));
    const asked = bench.sent.map(({ path }) => path.split("?")[1]);
    expect(new Set(asked)).toEqual(new Set([`api-version=${version}`]));
  });
});

describe("a port of 10 Gbit/s", () => {
  it("a port of 10 Gbit/s is reported as such and refuses an XPN suite itself", async () => {
    const bench = armBench({ bandwidthInGbps: 10 });
    expect((await bench.observe("link1")).details).toMatchObject({
      bandwidthGbps: 10,
      identity: "present",
    });
    expect(await putTwice(bench, bench.newWant("link1"))).toBe(
      "peer.rejected none: the management API: it does not accept the request " +
        "(400 InvalidRequestFormat)",
    );
  });
});
