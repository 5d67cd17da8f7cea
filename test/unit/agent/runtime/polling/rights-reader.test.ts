// The reader of rights: what it asks, how long it keeps the answers, and what it reports.

import { describe, expect, it } from "vitest";
import type { ReadDocument } from "#agent/model/azure-document.ts";
import type { Desired } from "#agent/model/desired.ts";
import { RightsReader, rightsMs } from "#agent/runtime/polling/rights-reader.ts";
import type { PeerState } from "#hal/device.ts";
import { type ErrorCode, LinksealError } from "#hal/error.ts";
import { SimClock } from "#sim/base/clock.ts";
import { never, settled, wallStart } from "../../../kit/site-bench.ts";
import { peerOff, desired as simulated } from "../../../kit/snapshot-kit.ts";

const group = "/subscriptions/s/resourceGroups/rg";
const port = `${group}/providers/Microsoft.Network/expressRoutePorts/erd`;
const identity = `${group}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/erd-macsec`;
const below = "/providers/Microsoft.Authorization/permissions";
const campaign = { kind: "campaign", group: "erd-demo" } as const;

const config: Desired = {
  ...simulated,
  azure: {
    ...{ cloud: "public", vault: "https://kv-demo.vault.azure.net", farEnd: "agent", scopes: [] },
    ...{ identity: { kind: "arc", client: undefined }, privateEndpoints: [] },
    ...{ authority: undefined, arm: undefined },
  },
  groups: simulated.groups.map((each) => ({ ...each, expressRoutePort: port })),
  tunnels: [],
};

const needed: Readonly<Record<string, readonly string[]>> = {
  [port]: ["Microsoft.Network/expressRoutePorts/read", "Microsoft.Network/expressRoutePorts/write"],
  [group]: [
    "Microsoft.Network/locations/operations/read",
    "Microsoft.Network/locations/operationResults/read",
  ],
  [identity]: ["Microsoft.ManagedIdentity/userAssignedIdentities/assign/action"],
};

class Bench {
  readonly clock = new SimClock(wallStart);
  readonly asked: string[] = [];
  /** The identities that the port's document names; undefined = it was not read. */
  identities: readonly string[] | undefined = [identity];
  /** Answers a page of a scope. */
  answer: (scope: string, query: Readonly<Record<string, string>>) => unknown = () => ({
    value: [{ actions: ["*"] }],
  });
  readonly reader: RightsReader;

  constructor(over: { readonly desired?: Desired; readonly document?: undefined } = {}) {
    const document: ReadDocument = async (path, query) => {
      this.asked.push(path);
      return this.answer(path.replace(below, ""), query);
    };
    this.reader = new RightsReader({
      world: { clock: this.clock },
      ...{ desired: config, document, peer: () => this.#peer(), ...over },
    });
  }

  #peer(): PeerState | undefined {
    if (this.identities === undefined) return undefined;
    return {
      ...peerOff,
      details: {
        ...{ identity: "present", identities: this.identities, bandwidthGbps: 100 },
        ...{ cipher: undefined, failure: undefined, circuits: [] },
        provisioning: { port: "Succeeded", link: undefined },
      },
    };
  }

  async refresh(everyMs: number = rightsMs.urgent): Promise<void> {
    await settled(this.clock, this.reader.refresh(campaign, everyMs, never));
  }

  get report() {
    return this.reader.report(campaign);
  }
}

const failure = (code: ErrorCode): LinksealError =>
  new LinksealError(code, "as Azure answers", { effect: "none", where: "erd", next: "give it" });

const fail = (code: ErrorCode) => (): never => {
  throw failure(code);
};

describe("the reader of rights", () => {
  it("port, group and identity are asked once each, and everything is there", async () => {
    const bench = new Bench();
    expect(bench.report).toBeUndefined();
    await bench.refresh();
    expect(bench.asked.toSorted()).toEqual(
      [port, group, identity].map((id) => id + below).toSorted(),
    );
    expect(bench.report).toEqual({ missing: [], unknown: [] });
  });

  it.each(Object.entries(needed).flatMap(([scope, actions]) => actions.map((one) => [one, scope])))(
    "%s that is missing at %s is reported, and no other right",
    async (action = "", scope = "") => {
      const bench = new Bench();
      bench.answer = (asked) => ({
        value: [{ actions: ["*"], notActions: asked === scope ? [action] : [] }],
      });
      await bench.refresh();
      expect(bench.report).toEqual({ missing: [{ action, scope }], unknown: [] });
    },
  );

  it("a role that is on the port alone lacks what the group and the identity need", async () => {
    const bench = new Bench();
    bench.answer = (asked) => ({ value: asked === port ? [{ actions: ["*"] }] : [] });
    await bench.refresh();
    expect(bench.report?.missing.map(({ scope }) => scope)).toEqual([identity, group, group]);
  });

  it("all pages count, and only path and query of the next link are taken", async () => {
    const bench = new Bench();
    const rest = "?api-version=2022-04-01&%24skiptoken=1";
    bench.answer = (scope, query) =>
      query["$skiptoken"] === undefined
        ? {
            value: [{ actions: ["*/read"] }],
            nextLink: `https://elsewhere.invalid${scope}${below}${rest}`,
          }
        : { value: [{ actions: ["*/write", "*/action"] }] };
    await bench.refresh();
    expect(bench.report).toEqual({ missing: [], unknown: [] });
    expect(bench.asked).toHaveLength(6);
  });

  it.each<[what: string, answer: unknown]>([
    ["a list that goes on elsewhere", { value: [], nextLink: "https://management.azure.com/x" }],
    [
      "a list without an end",
      { value: [], nextLink: `https://management.azure.com${port}${below}` },
    ],
    ["an answer that is no list", { actions: ["*"] }],
    ["an entry that is not understood", { value: [{ actions: "*" }] }],
  ])("%s makes the rights unknown", async (_what, answer) => {
    const bench = new Bench();
    bench.answer = () => answer;
    await bench.refresh();
    expect(bench.report?.missing).toEqual([]);
    expect(bench.report?.unknown.map(({ scope }) => scope)).toEqual([port, identity, group]);
    expect(bench.asked.length).toBeLessThan(70);
  });

  it("a condition that linkseal does not evaluate makes a right unknown", async () => {
    const bench = new Bench();
    bench.answer = () => ({
      value: [{ actions: ["*"], condition: "@Resource[x] StringEquals 'y'" }],
    });
    await bench.refresh();
    expect(bench.report?.unknown[0]?.why).toContain("condition");
  });

  it("an answer is kept until it is due, and a later one replaces it", async () => {
    const bench = new Bench();
    await bench.refresh();
    await bench.clock.runFor(rightsMs.urgent - 1_000);
    bench.answer = () => ({ value: [] });
    await bench.refresh();
    expect(bench.report?.missing).toEqual([]);
    await bench.refresh(rightsMs.atRest);
    expect(bench.asked).toHaveLength(3);
    await bench.clock.runFor(1_000);
    await bench.refresh();
    expect(bench.asked).toHaveLength(6);
    expect(bench.report?.missing).toHaveLength(5);
  });

  it("what is forgotten is asked for again at once", async () => {
    const bench = new Bench();
    await bench.refresh();
    bench.reader.forget(campaign);
    expect(bench.report).toBeUndefined();
    bench.answer = () => ({ value: [] });
    await bench.refresh(rightsMs.atRest);
    expect(bench.report?.missing).toHaveLength(5);
  });

  it.each(["peer.denied", "peer.rejected"] as const)(
    "a refusal with %s makes the rights unknown at once",
    async (code) => {
      const bench = new Bench();
      await bench.refresh();
      bench.answer = fail(code);
      await bench.refresh(0);
      expect(bench.report).toEqual({
        missing: [],
        unknown: [port, identity, group].map((scope) => ({
          ...{ scope, why: "as Azure answers", next: "give it" },
        })),
      });
    },
  );

  it.each(["peer.throttled", "peer.unreachable", "vault.unreachable"] as const)(
    "questions that fail with %s keep the last answer for a quarter of an hour",
    async (code) => {
      const bench = new Bench();
      bench.answer = () => ({ value: [] });
      await bench.refresh();
      bench.answer = fail(code);
      await bench.clock.runFor(890_000);
      await bench.refresh();
      expect(bench.report?.missing).toHaveLength(5);
      await bench.clock.runFor(60_000);
      await bench.refresh();
      expect(bench.report?.missing).toEqual([]);
      expect(bench.report?.unknown).toHaveLength(3);
    },
  );

  it("an answer that never comes makes the rights unknown after ten seconds", async () => {
    const bench = new Bench();
    bench.answer = () => new Promise(() => undefined);
    const begun = bench.clock.now();
    await bench.refresh();
    expect(bench.clock.now() - begun).toBe(10_000);
    expect(bench.report?.unknown).toHaveLength(3);
  });

  it("the identity is asked for once the port's document names it", async () => {
    const bench = new Bench();
    bench.identities = undefined;
    bench.answer = (scope) => ({ value: scope === identity ? [] : [{ actions: ["*"] }] });
    await bench.refresh();
    const [unnamed, ...others] = bench.report?.unknown ?? [];
    expect(unnamed).toMatchObject({ scope: port, why: expect.stringContaining("identity") });
    expect([others, bench.report?.missing]).toEqual([[], []]);
    bench.identities = [];
    expect(bench.report?.unknown).toEqual([unnamed]);
    bench.identities = [identity];
    expect(bench.report?.unknown).toMatchObject([{ scope: identity }]);
    await bench.refresh();
    expect(bench.report?.missing.map(({ scope }) => scope)).toEqual([identity]);
    expect(bench.asked).toHaveLength(3);
  });

  it("rights are unknown once their answer is old and no question was asked since", async () => {
    const bench = new Bench();
    await bench.refresh();
    await bench.clock.runFor(899_000);
    expect(bench.report?.unknown).toEqual([]);
    await bench.clock.runFor(2_000);
    expect(bench.report?.unknown.map(({ scope }) => scope)).toEqual([port, identity, group]);
  });

  it("scopes that differ in case alone are one", async () => {
    const bench = new Bench();
    bench.identities = [identity, identity.toLowerCase()];
    await bench.refresh();
    await bench.refresh();
    expect(bench.asked.length).toBeLessThan(5);
    expect(bench.report).toEqual({ missing: [], unknown: [] });
  });

  it("nothing is asked with farEnd: manual, or without a management API", async () => {
    const azure = { ...config.azure, farEnd: "manual" as const };
    for (const over of [{ desired: { ...config, azure } }, { document: undefined }]) {
      const bench = new Bench(over);
      await bench.refresh();
      expect([bench.asked, bench.report]).toEqual([[], undefined]);
    }
  });

  it("an abort ends the question and leaves nothing behind", async () => {
    const bench = new Bench();
    const stop = new AbortController();
    stop.abort(new Error("stop"));
    await expect(
      settled(bench.clock, bench.reader.refresh(campaign, 0, stop.signal)),
    ).rejects.toThrow("stop");
  });
});
