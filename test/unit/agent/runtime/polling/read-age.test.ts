// Ages are computed when something is read: after every loop of the agent has ended, no verdict is
// derived any more, and formerly fresh values are read again and again.

import { beforeAll, describe, expect, it } from "vitest";
import { keyReport } from "#agent/api/key-report.ts";
import { pageText } from "#agent/page/snapshot.ts";
import type { Agent } from "#agent/runtime/agent.ts";
import { Scrape } from "#agent/telemetry/scrape.ts";
import type { SecretVersion } from "#hal/vault.ts";
import { AgentBench, group } from "../../../kit/agent-bench.ts";
import { never } from "../../../kit/site-bench.ts";
import {
  bindingOf,
  linkNamed,
  securedPort,
  session,
  stateOf,
  wall,
} from "../../../kit/snapshot-kit.ts";
import { HealthEvaluatorBench } from "../health-evaluator-bench.ts";

type Reader = (bench: AgentBench) => Promise<string>;

const primary = `site="demo",group="${group}",link="primary"`;
const verdictOf = (verdict: string): string =>
  `linkseal_link_verdict{${primary},verdict="${verdict}"}`;
const json = async (bench: AgentBench, path: string): Promise<string> =>
  JSON.stringify(await bench.ask(path, "", "view"));

/** The reading of each for a protected link, and for the same link once its state is unknown. */
const readers: readonly (readonly [string, Reader, readonly [string, string]])[] = [
  [
    "a status",
    (bench) => json(bench, "GET /v1/status"),
    [
      '"name":"primary","device":"edge-a","port":"et-0/0/0","verdict":"protected"',
      '"verdict":"unknown"',
    ],
  ],
  [
    "the status of the last observation",
    (bench) => json(bench, "GET /v1/status"),
    ['"suite":"gcm-aes-xpn-256"', '"suite":null'],
  ],
  [
    "a scrape",
    async (bench) => {
      const { body } = new Scrape(bench.agent, bench.site).answer("GET", "/metrics");
      return Buffer.from(body).toString();
    },
    [`${verdictOf("protected")} 1`, `${verdictOf("unknown")} 1`],
  ],
  [
    "the page",
    async (bench) => pageText(bench.agent, "newest"),
    ['"controlledPort":"secured"', '"controlledPort":null'],
  ],
  [
    "a scorecard",
    (bench) => json(bench, "GET /v1/scorecard"),
    [
      `${group}/primary is protected, MKA and counters`,
      `${group}/primary is unknown (reading-stale)`,
    ],
  ],
  ["the list of keys", (bench) => json(bench, "GET /v1/keys"), ['"keyInUse":"', '"keyInUse":null']],
];

describe("readings that were fresh when their verdict was derived", () => {
  let bench: AgentBench;
  const before = new Map<string, string>();
  beforeAll(async () => {
    bench = await new AgentBench("clear").live();
    await bench.apply();
    await bench.reach("secondary done");
    await bench.run(300_000);
    for (const [name, read] of readers) before.set(name, await read(bench));
    await bench.end();
    await bench.run(25_000);
  });

  it.each(readers)(
    "a reading that aged since its verdict is stale when it is read: %s",
    async (name, read, [fresh, stale]) => {
      expect(before.get(name)).toContain(fresh);
      expect(before.get(name)).not.toContain(stale);
      const after = await read(bench);
      expect(after).toContain(stale);
      expect(after).not.toContain(fresh);
      expect(bench.broken).toEqual([]);
    },
  );
});

describe("verdicts that no loop derives again", () => {
  it("an aged verdict is stale for verdicts and alarms, and reported once", () => {
    const bench = new HealthEvaluatorBench({ silentFrom: 6 }).turn().polls(5);
    const verdicts = (): readonly string[] => {
      const { verdict, groups, tunnels } = bench.status();
      const links = groups.flatMap((group) => group.links);
      return [verdict, ...[...groups, ...links, ...tunnels].map((part) => part.verdict)];
    };
    expect(new Set(verdicts())).toEqual(new Set(["protected"]));
    expect(bench.standing("primary")).toBe("carrying");
    // No loop runs that could derive or report a verdict.
    const reported = bench.reported().length;
    bench.hang(7);
    expect(new Set(verdicts())).toEqual(new Set(["unknown"]));
    expect(bench.alarm("primary")).toEqual({ code: "health.old", seconds: 35 });
    const [link] = bench.status().groups[0]?.links ?? [];
    expect(link).toMatchObject({ suite: null, keyInUse: null, mka: null, frames: null });
    expect(link?.ages).toMatchObject({ controlPlaneMs: 35_000, dataPlaneMs: 35_000 });
    expect(bench.reported()).toHaveLength(reported);
    // The next turn reports it once, and not again with every read.
    bench.turn().turn();
    bench.status();
    expect(bench.reported().slice(reported)).toEqual([
      expect.stringMatching(/^verdict erd-demo\/secondary: protected -> unknown: /),
      expect.stringMatching(/^verdict erd-demo\/primary: protected -> unknown: /),
      expect.stringMatching(/^verdict hub-1: protected -> unknown: /),
    ]);
  });
});

describe("observations that were fresh when a request began", () => {
  it("an observation that aged while the vault answered is stale in the list of keys", async () => {
    const links = [linkNamed("primary"), linkNamed("secondary")];
    const slow = Promise.withResolvers<readonly SecretVersion[]>();
    let isFresh = true;
    const checks = links.map((link) => ({ link, newest: undefined, finding: undefined }));
    const vault = {
      versions: (cak: string) => (cak === links[0]?.key.cak ? Promise.resolve([]) : slow.promise),
    };
    const snapshot = (link: (typeof links)[0]) => ({
      ...{ link, peer: undefined, probe: undefined },
      state: isFresh ? stateOf(securedPort({ port: link.port })) : undefined,
    });
    const bindings = Object.fromEntries(links.map(({ name }) => [`${group}/${name}`, bindingOf()]));
    const agent = {
      memory: { bindings },
      supervisor: {
        deviceCache: { snapshot },
        keySurvey: async () => ({ at: wall, checks, vault }),
      },
    } as unknown as Agent;
    const inUse = async (): Promise<readonly unknown[]> =>
      (await keyReport(agent, wall, never)).keys.map(({ keyInUse }) => keyInUse);
    const reported = inUse();
    await new Promise((resolve) => setImmediate(resolve));
    isFresh = false;
    slow.resolve([]);
    expect(await reported).toEqual([null, null]);
    isFresh = true;
    expect(await inUse()).toEqual([session.principalCkn, session.principalCkn]);
  });
});
