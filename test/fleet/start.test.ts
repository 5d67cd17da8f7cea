// The output of `npm start`, in-process and on virtual time: every fault of its list under its own
// name, and the first day of a site whose links were protected by hand.

import { afterAll, describe, expect, it } from "vitest";
import type { Status } from "#agent/runtime/health/status.ts";
import { SimDisk } from "#sim/base/disk.ts";
import { Demo } from "#sim/lab/demo.ts";
import { demoSite, faultList, simulatedAgent, simulatedWorld } from "#sim/lab/simulate.ts";
import { formatViolation } from "#sim/oracle/oracle.ts";
import { effort } from "../effort.ts";

interface Expected {
  readonly verdict: Status["verdict"];
  readonly code: string;
  /** Matches the sentence that names this cause. */
  readonly text: RegExp;
  readonly next: RegExp;
  /** The place of the report: the first link or the first tunnel. */
  readonly at: "primary" | "hub-1";
}

const expected: Readonly<Record<string, Expected>> = {
  "cak-mismatch": {
    at: "primary",
    verdict: "down",
    code: "cak-mismatch",
    text: /use the CKN [0-9a-f]{4}….* with different CAKs/,
    next: /^linkseal (links|drain) erd-demo\/primary/,
  },
  "ckn-mismatch": {
    at: "primary",
    verdict: "down",
    code: "ckn-mismatch",
    text: /uses a CKN that edge-a et-0\/0\/0 does not have/,
    next: /^linkseal (links|drain) erd-demo\/primary/,
  },
  "cipher-mismatch": {
    at: "primary",
    verdict: "down",
    code: "sak-not-agreed",
    text: /does not use gcm-aes-xpn-256/,
    next: /^linkseal (links|drain) erd-demo\/primary/,
  },
  "sci-mismatch": {
    at: "primary",
    verdict: "down",
    code: "sci-mismatch",
    text: /dropped \d+ frames for their SCI/,
    next: /^linkseal links erd-demo\/primary/,
  },
  "peer-silent": {
    at: "primary",
    verdict: "down",
    code: "mka-no-live-peer",
    text: /is silent: no MKPDU reached edge-a/,
    next: /^linkseal (links|drain) erd-demo\/primary/,
  },
  "should-secure": {
    at: "primary",
    verdict: "unprotected",
    code: "policy-should-secure",
    text: /set to should-secure/,
    next: /^linkseal links erd-demo\/primary/,
  },
  "stale-sak": {
    at: "primary",
    verdict: "down",
    code: "stale-sak",
    text: /one data plane still uses another SAK/,
    next: /^linkseal links erd-demo\/primary/,
  },
  "integrity-only": {
    at: "primary",
    verdict: "unprotected",
    code: "frames-readable",
    text: /were authenticated and not encrypted/,
    next: /^linkseal links erd-demo\/primary/,
  },
  "vault-denied": {
    at: "primary",
    verdict: "unprotected",
    code: "vault-denied",
    text: /vault refuses this identity/,
    next: /^linkseal explain vault-denied erd-demo/,
  },
  "commit-lost": {
    at: "hub-1",
    verdict: "down",
    code: "commit-lost",
    text: /edge-a accepted the tunnel hub-1 .* ago and no longer holds it/,
    next: /^linkseal explain commit-lost hub-1/,
  },
  "clear-path": {
    at: "hub-1",
    verdict: "unprotected",
    code: "clear-path-beside-tunnel",
    text: /reaches 10\.100\.0\.0\/16 over et-0\/0\/0 .* beside the tunnel hub-1/,
    next: /^linkseal tunnels hub-1/,
  },
  "clear-path-back": {
    at: "hub-1",
    verdict: "unprotected",
    code: "clear-path-beside-tunnel",
    text: /sends [\d.]+ over et-0\/0\/0 a route to 10\.1\.0\.0\/16 .* the tunnel hub-1/,
    next: /^linkseal tunnels hub-1/,
  },
  "sent-lost": {
    at: "primary",
    verdict: "degraded",
    code: "arrival-not-proven",
    text: /^frames of the far end .* reach edge-a et-0\/0\/0, and nothing shows that what is sent/,
    next: /^linkseal (links|explain)/,
  },
  mtu: {
    at: "primary",
    verdict: "down",
    code: "mtu",
    text: /with the 32 octets of MACsec they exceed its L2 MTU/,
    next: /^linkseal links erd-demo\/primary/,
  },
  "far-end-changed": {
    at: "primary",
    verdict: "down",
    code: "far-end-changed",
    text: /points at erd-demo-1-cak-by-hand\/.* is meant to use erd-demo-1-cak\//,
    next: /^linkseal links erd-demo\/primary/,
  },
};

type Staff = ReturnType<typeof demoSite>;

interface Run extends Staff {
  readonly agent: Awaited<ReturnType<typeof simulatedAgent>>;
  readonly demo: Demo;
  readonly stop: AbortController;
  readonly broken: unknown[];
}

async function open(seed: string, start: "clear" | "protected", fault?: string): Promise<Run> {
  const staff = demoSite(seed, start);
  const { site, oracle, faultConsole } = staff;
  const disk = new SimDisk({ clock: site.clock, prng: site.prng.fork("disk"), writeMs: 2 });
  const log = { write: () => undefined };
  const world = simulatedWorld({ site, disk, log, prng: site.prng.fork("agent") });
  const agent = await simulatedAgent(world);
  const config = start === "clear" ? site.config("unix:/run/site.sock") : undefined;
  const reported = oracle.reported.bind(oracle);
  const faults = faultList()
    .filter(({ name }) => name === fault)
    .map(({ name, when }) => ({ name, when, strike: () => void faultConsole.strike(name) }));
  const demo = new Demo({ site, agent, faults, config, reported });
  const stop = new AbortController();
  const broken: unknown[] = [];
  for (const loop of [agent.run(stop.signal), demo.run(stop.signal)]) {
    loop.catch((error: unknown) => {
      if (!stop.signal.aborted) broken.push(error);
    });
  }
  return { ...staff, agent, demo, stop, broken };
}

async function play(seed: string, fault?: string): Promise<{ run: Run; status: Status }> {
  const run = await open(seed, "clear", fault);
  await run.site.clock.runFor(3_700_000, () => run.demo.settled || run.broken.length > 0);
  const status = run.agent.status();
  run.stop.abort();
  return { run, status };
}

function partOf(status: Status, name: string) {
  const parts = [...status.groups.flatMap(({ links }) => links), ...status.tunnels];
  const part = parts.find((each) => each.name === name);
  if (part === undefined) throw new Error(`the status has no ${name}`);
  return part;
}

const verdictsOf = (status: Status): readonly string[] =>
  [...status.groups.flatMap(({ links }) => links), ...status.tunnels].map(
    ({ name, verdict }) => `${name} ${verdict}`,
  );

const allProtected = [
  "primary protected",
  "secondary protected",
  "hub-1 protected",
  "hub-2 protected",
];

const seeds = Array.from({ length: effort(1, 20) }, (_, index) => String(index + 1));
const table: string[] = [];
afterAll(() => {
  process.stdout.write(`${table.join("\n")}\n`);
});

describe("npm start", () => {
  it.each(seeds)("npm start protects both links and both tunnels with seed %s", async (seed) => {
    const { run, status } = await play(seed);
    expect(run.broken).toEqual([]);
    expect(verdictsOf(status)).toEqual(allProtected);
    expect(status.groups[0]?.rotation).toBeNull();
    expect(status.warnings).toEqual([]);
    expect(run.oracle.violations.map(formatViolation)).toEqual([]);
  });

  it("each fault of the list has an expectation, each with its own text", () => {
    expect(Object.keys(expected).sort()).toEqual(
      faultList()
        .map(({ name }) => name)
        .sort(),
    );
    const words = Object.values(expected).map(({ code, text }) => `${code} ${text.source}`);
    expect(new Set(words).size).toBe(faultList().length);
  });

  it.each(Object.keys(expected).flatMap((fault) => seeds.map((seed) => [fault, seed] as const)))(
    "the fault %s with seed %s is named in the status, and ends by itself",
    async (fault, seed) => {
      const { run, status } = await play(seed, fault);
      const want = expected[fault];
      if (want === undefined) throw new Error(`no expectation for ${fault}`);
      const part = partOf(status, want.at);
      const reason = part.reasons.find(({ code }) => code === want.code);
      expect(run.broken).toEqual([]);
      expect(run.site.clock.now()).toBeLessThan(3_600_000);
      expect([part.verdict, part.reasons[0]?.code]).toEqual([want.verdict, want.code]);
      expect(reason?.text).toMatch(want.text);
      expect(reason?.next).toMatch(want.next);
      expect(status.verdict).not.toBe("protected");
      expect(run.oracle.violations.map(formatViolation)).toEqual([]);
      if (seed === seeds[0]) {
        table.push(
          `${fault} | ${part.name} ${part.verdict} | ${want.code} | ${reason?.text ?? ""}`,
        );
      }
    },
  );

  it("the same seed gives the same output", async () => {
    const [first, second] = [await play("7", "peer-silent"), await play("7", "peer-silent")];
    expect(JSON.stringify(first.status)).toBe(JSON.stringify(second.status));
  });

  it.each(seeds)("a link that loses frames stays drained with seed %s", async (seed) => {
    const { run } = await play(seed, "sci-mismatch");
    const [link] = run.site.truth().groups[0]?.links ?? [];
    expect([link?.secured, link?.carries, link?.drained]).toEqual([true, false, true]);
    run.faultConsole.heal("sci-mismatch");
    const goOn = new AbortController();
    const ran = run.agent.run(goOn.signal).catch(() => goOn.signal.aborted);
    await run.site.clock.runFor(60_000);
    goOn.abort();
    expect(await ran).not.toBe(false);
    const [healed] = run.site.truth().groups[0]?.links ?? [];
    expect([healed?.carries, healed?.drained]).toEqual([true, false]);
  });
});

describe("npm start -- --start protected", () => {
  it.each(seeds)(
    "a site that starts protected accepts apply and adopt without a write, seed %s",
    async (seed) => {
      const { site, oracle, agent, stop, broken } = await open(seed, "protected");
      await site.clock.runFor(30_000);
      expect(agent.status().reasons[0]?.code).toBe("not-configured");
      const text = site.config("unix:/run/site.sock");
      const request = { text, file: "demo.yaml", who: "test", queue: false };
      const applied = agent.apply(request, stop.signal);
      await site.clock.runFor(60_000);
      expect((await applied).kind).toBe("accepted");
      expect(agent.status().unmanaged.map(({ next }) => next)).toEqual([
        "linkseal adopt erd-demo/primary",
        "linkseal adopt erd-demo/secondary",
      ]);
      const adopted = agent.commands.adopt("erd-demo", [], stop.signal);
      await site.clock.runFor(180_000);
      expect((await adopted).map(({ link }) => link)).toEqual([
        "erd-demo/primary",
        "erd-demo/secondary",
      ]);
      const status = agent.status();
      stop.abort();
      expect(verdictsOf(status)).toEqual(allProtected);
      expect([oracle.agentWrites, broken, status.unmanaged]).toEqual([0, [], []]);
      expect(oracle.violations.map(formatViolation)).toEqual([]);
    },
  );
});
