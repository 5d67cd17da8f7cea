// Waves on Debian's nats-server: two real hubs, and sites of which every second one speaks by the
// client of NATS itself.

import { setTimeout as rest } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Ended, Hub, hubRun, hubTried } from "./hub-process.ts";
import { NatsStage } from "./nats-stage.ts";
import { PermitSites } from "./permit-sites.ts";

const sites = ["s0", "s1", "s2", "s3", "s4", "s5", "s6", "s7", "s8", "s9"];

let stage: NatsStage;
beforeAll(async () => {
  stage = await NatsStage.start(undefined, sites);
  await run("hub", "setup");
});
afterAll(async () => {
  await stage[Symbol.asyncDispose]();
});

const tried = (...words: readonly string[]): Promise<Ended> => hubTried(stage, words);
const run = (...words: readonly string[]): Promise<string> => hubRun(stage, words);

async function until(seen: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await seen())) await rest(100);
}

interface Shown {
  readonly leader: string | null;
  readonly wave: {
    readonly state: { readonly kind: string; readonly why?: string };
    readonly stages: readonly (readonly {
      readonly site: string;
      readonly state: { readonly kind: string; readonly why?: string };
    }[])[];
  };
}

async function shown(name: string): Promise<Shown> {
  return JSON.parse(await run("fleet", "waves", name, "--json")) as Shown;
}

const stateOf = async (name: string): Promise<string> => (await shown(name)).wave.state.kind;

const groupsOf = (names: readonly string[]): string => names.map((site) => `${site}.g`).join(",");

async function begin(name: string, names: readonly string[], share: string): Promise<void> {
  const [first = ""] = names;
  const words = ["--groups", groupsOf(names), "--canary", `${first}.g`, "--share", share];
  await run("fleet", "begin", name, ...words, "--bake", "0s", "--yes");
}

describe("two hubs, ten sites and one server", () => {
  it("ten groups with share 2: it ends, and never more than 2 are out of service", async () => {
    await using one = new Hub(stage);
    await using two = new Hub(stage);
    await using all = new PermitSites(stage, sites);
    await until(() => one.leads || two.leads);
    await begin("ten", sites, "2");
    await until(async () => (await stateOf("ten")) === "done");
    expect([...all.begun].sort()).toEqual(sites);
    expect(all.begun[0]).toBe("s0");
    expect(all.openMost).toBeLessThanOrEqual(2);
    expect(all.openMost).toBeGreaterThan(0);
    expect([one.leads, two.leads].filter(Boolean)).toHaveLength(1);
    const permits = [...one.lines, ...two.lines].filter(({ code }) => code === "wave-permit");
    expect(permits).toHaveLength(sites.length);
    expect(new Set(permits.map(({ about }) => about)).size).toBe(sites.length);
    expect(Math.max(...permits.map(({ open = 99 }) => open))).toBeLessThanOrEqual(2);
  });

  it("a planted failure stops the wave; a person resumes it, and it ends", async () => {
    await using hub = new Hub(stage);
    await using all = new PermitSites(stage, sites.slice(0, 5));
    all.broken.add("s1");
    await begin("broken", sites.slice(0, 5), "20%");
    await until(async () => (await stateOf("broken")) === "stopped");
    const { wave } = await shown("broken");
    expect(wave.state.why).toBe("s1.g: notReached");
    expect(all.begun).toEqual(["s0", "s1"]);
    const busy = await tried("fleet", "resume", "broken", "--without", "s9.g", "--yes", "--json");
    expect([busy.status, busy.out]).toEqual([
      2,
      expect.stringContaining("s9.g is not in the wave"),
    ]);
    all.repair("s1");
    await run("fleet", "resume", "broken", "--without", "s3.g", "--yes");
    await until(async () => (await stateOf("broken")) === "done");
    expect(all.begun).toEqual(["s0", "s1", "s1", "s2", "s4"]);
    expect(all.openMost).toBe(1);
    expect(hub.codes).toContain("wave-stopped");
  });

  it("the leading hub is killed: the other takes over and ends the wave", async () => {
    await using one = new Hub(stage);
    await until(() => one.leads);
    await using two = new Hub(stage);
    await using all = new PermitSites(stage, sites.slice(0, 4));
    await begin("killed", sites.slice(0, 4), "1");
    await until(() => all.begun.length === 2);
    await one.end("SIGKILL");
    await until(async () => (await stateOf("killed")) === "done");
    expect(two.leads).toBe(true);
    expect(all.begun).toEqual(sites.slice(0, 4));
    expect(all.openMost).toBe(1);
  });

  it("the server is killed and comes back: the wave goes on, with nothing lost", async () => {
    await using hub = new Hub(stage);
    await using all = new PermitSites(stage, sites.slice(0, 4));
    await begin("server", sites.slice(0, 4), "1");
    await until(() => all.begun.length === 2);
    await stage.kill();
    await until(() => hub.codes.includes("hub-failed"));
    const { status, err } = await tried("fleet", "waves", "server");
    expect([status, err]).toEqual([1, expect.stringContaining("nothing was changed")]);
    await stage.run();
    await until(async () => (await stateOf("server")) === "done");
    expect(all.begun).toEqual(sites.slice(0, 4));
    expect(all.openMost).toBe(1);
  });

  it("a freeze: no permit more, until it is thawed", async () => {
    await using hub = new Hub(stage);
    await using all = new PermitSites(stage, sites.slice(0, 3));
    await run("fleet", "freeze", "--why", "the exchange is being moved");
    await begin("cold", sites.slice(0, 3), "3");
    await until(async () => (await stateOf("cold")) === "frozen");
    const { status, out } = await tried("fleet", "permit", "s0", "g", "--yes", "--json");
    expect([status, out]).toEqual([6, expect.stringContaining("the exchange is being moved")]);
    expect(all.begun).toEqual([]);
    await run("fleet", "thaw", "--yes");
    await until(async () => (await stateOf("cold")) === "done");
    const codes = hub.codes.filter((code) => /^wave-(frozen|thawed|permit)$/.test(code));
    expect(codes).toEqual(["wave-frozen", "wave-thawed", ...Array(3).fill("wave-permit")]);
  });

  it("a person permits one group, and withdraws it again", async () => {
    await using all = new PermitSites(stage, ["s0"]);
    await until(async () => (await tried("fleet", "permit", "s0", "g", "--yes")).status === 0);
    await until(() => all.begun.length === 1);
    expect(await run("fleet", "withdraw", "s0", "g")).toContain("takes no further link");
    const without = await tried("fleet", "begin", "x", "--groups", "s0.g", "--canary", "s0.g");
    expect([without.status, without.err]).toEqual([2, expect.stringContaining("--share")]);
  });

  it("a hub that is stopped ends with 0, and the next leads at once", async () => {
    await using one = new Hub(stage);
    await until(() => one.leads);
    await using two = new Hub(stage);
    await until(() => two.codes.includes("hub-connected"));
    expect(await one.end("SIGTERM")).toBe(0);
    expect(one.codes.at(-1)).toBe("stopped");
    await until(() => two.leads);
    expect((await run("fleet", "waves")).split("\n").at(-2)).toContain(String(two.child.pid));
  });
});
