// The conformance cases of every driver, on this kernel: once with fast time and nothing but the
// kernel, once with FRR and traffic.

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { deviceCases, runDeviceCase, type Verdict } from "#sim/conformance/suite.ts";
import { failures, formatRows } from "../../conformance/table.ts";
import { effort } from "../../effort.ts";
import { WireWatch } from "../../lab/wire.ts";
import { enterNetwork, ip, leaveNetworks, until } from "../lab.ts";
import { benchOf, Rates } from "./bench.ts";
import { PacedClock } from "./clock.ts";
import { FarEnd, unprotect } from "./far-end.ts";
import { Host } from "./host.ts";
import {
  buildPair,
  edgeAs,
  type Pair,
  startLinkTraffic,
  startTraffic,
  stopRouter,
  type,
} from "./router.ts";
import { Truths } from "./secy-truth.ts";

let pair: Pair;
let rates: Rates;
let truths: Truths;
/** Watches at both ends of each link. */
let wires: ReadonlyMap<string, readonly WireWatch[]>;
beforeAll(async () => {
  pair = await buildPair();
  const { edge, far, ports } = pair;
  for (const { network } of [edge, far]) {
    // Packets that IPv6 sends by itself would be clear data on a port with a SecY.
    const off = ["net.ipv6.conf.all.disable_ipv6=1", "net.ipv6.conf.default.disable_ipv6=1"];
    ip("netns", "exec", network, "sysctl", "-qw", ...off);
  }
  wires = new Map(
    ports.map(({ port }) => {
      const beyond = port.replace("p", "m");
      return [port, [new WireWatch(edge.network, port), new WireWatch(far.network, beyond)]];
    }),
  );
  enterNetwork(edge.network);
  rates = new Rates();
  truths = new Truths([edge.network, far.network]);
}, 120_000);
afterAll(async () => {
  rates[Symbol.dispose]();
  await truths[Symbol.asyncDispose]();
  for (const watch of [...wires.values()].flat()) watch[Symbol.dispose]();
  for (const router of [pair.edge, pair.far]) stopRouter(router);
  leaveNetworks();
});

/** Restores the initial state after any case. */
async function reset(hasRouting: boolean): Promise<void> {
  const { edge, ports } = pair;
  unprotect(pair);
  if (!hasRouting) return;
  const open = ports.flatMap(({ neighbours: [peer] }) => [`no neighbor ${peer} shutdown`]);
  type(edge, "configure terminal", `router bgp ${edgeAs}`, ...open);
  await until(() => {
    const all = JSON.parse(type(edge, "show bgp neighbors json")) as Record<
      string,
      { readonly bgpState: string }
    >;
    const states = Object.values(all).map(({ bgpState }) => bgpState);
    return states.length === 2 && states.every((state) => state === "Established")
      ? true
      : undefined;
  });
}

type Reach = "here" | "peer";

async function runOne(
  one: (typeof deviceCases)[number],
  speed: number,
  hasRouting: boolean,
  reach: Reach,
): Promise<Verdict> {
  await reset(hasRouting);
  const { network, frr } = pair.edge;
  const clock = new PacedClock(speed);
  const pathspace = frr.shell.at(-1) ?? "";
  await using farEnd = new FarEnd(pair, clock);
  const ports = pair.ports.map(({ port }) => port);
  const options = { network, clock, ports, reach, ...(hasRouting ? { pathspace } : {}) };
  await using host = await Host.open(options);
  await using device = await host.device();
  const parts = { pair, host, farEnd, clock, device, rates, truths, wires, hasRouting };
  return await runDeviceCase(one, benchOf(parts));
}

const slowest = 2;

/** These cases wait long for traffic under a key, so only the long run has them. */
const patient = [
  /^(counters|verify|observe: two|observe: a lost)/,
  /^key: (a second|the new|a fresh|the one|two|removing)/,
  /^settings: (a hitless|nothing)|^ports: (one is not|one that is shut|shut, keyed)/,
];
/**
 * A kernel's answers cannot be spoiled like this, a boot would end the test, and nothing reports a
 * session.
 */
const untried = [
  "control: a boot is reported",
  "control: a boot ends a pending commit",
  "routing: a session without BFD is never reported as one with BFD",
  "error: printed with a success code is an error",
  "error: a locked candidate is reported",
];

const quick = deviceCases
  .filter(({ name }) => !patient.some((sign) => sign.test(name)))
  // Cases that cannot be tried here are listed by name below.
  .filter(({ name }, index) => index % 2 === 0 || untried.includes(name));

async function verdictsOf(
  cases: typeof deviceCases,
  speedOf: (name: string) => number,
  hasRouting: boolean,
  reach: Reach = "here",
): Promise<Map<string, Verdict>> {
  const verdicts = new Map<string, Verdict>();
  for (const one of cases) {
    const speed = speedOf(one.name);
    let verdict = await runOne(one, speed, hasRouting, reach);
    if (verdict.kind === "failed") {
      // The machine may have been too busy. The case is repeated slowly, where a real fault shows
      // too.
      console.log(`${one.name}, ${speed} times as quick: ${verdict.text}; once more, slowly`);
      verdict = await runOne(one, Math.min(speed, slowest), hasRouting, reach);
    }
    verdicts.set(one.name, verdict);
  }
  return verdicts;
}

/**
 * Returns as high a speed as a busy machine allows: where two ends agree on keys, their life time
 * must be long enough for a slow turn, the more so if not one frame may be lost.
 */
const paceOf = (name: string): number => {
  if (/second one|new one takes|fresh SAK|hitless|not disturbed|pending second/.test(name))
    return 3;
  if (name.includes("clock")) return 5;
  return /^(apply|confirm|commit|prepare|recall|rollback|route|observe: reads at|control)/.test(
    name,
  )
    ? 15
    : 5;
};

describe("the driver linux", { timeout: effort(400_000, 1_800_000) }, () => {
  it("the Linux driver passes every case that a host without FRR can try", async () => {
    const stopTraffic = await startLinkTraffic(pair);
    const row = {
      profile: "kernel",
      verdicts: await verdictsOf(effort(quick, deviceCases), paceOf, false),
    };
    await stopTraffic();
    console.log(formatRows("linux, real kernel, quick", [row]));
    const open = [...row.verdicts].filter(([, { kind }]) => kind === "untried");
    for (const [name] of open) row.verdicts.delete(name);
    expect(open.map(([name]) => name)).toEqual(untried);
    expect(failures(row).join("\n")).toBe("");
  });

  it("the Linux driver moves traffic by FRR and proves a link by ping", async () => {
    const all = deviceCases.filter(({ name }) => /^(drain|routing|probe|route|driver)/.test(name));
    const cases = effort(
      all.filter((_, index) => index % 3 === 0),
      all,
    );
    const stopTraffic = await startTraffic(pair);
    const row = { profile: "router", verdicts: await verdictsOf(cases, () => 1, true) };
    await stopTraffic();
    console.log(formatRows("linux, real kernel with FRR", [row]));
    expect(failures(row).join("\n")).toBe("");
    const ok = [...row.verdicts].filter(([, verdict]) => verdict.kind === "ok");
    expect(ok.map(([name]) => name)).toEqual(expect.arrayContaining(cases.map(({ name }) => name)));
  });

  it("the Linux driver passes the same cases where the agent is on another host", async () => {
    const tried = deviceCases.filter(({ name }) => !untried.includes(name));
    const isOfRouting = ({ name }: (typeof tried)[number]) => /^(drain|routing|probe)/.test(name);
    const some = (cases: typeof tried) =>
      effort(
        cases.filter((_, index) => index % 5 === 0),
        cases,
      );
    const plain = quick.filter((one) => tried.includes(one) && !isOfRouting(one));
    const whole = tried.filter((one) => !isOfRouting(one));
    const stopLinkTraffic = await startLinkTraffic(pair);
    const kernel = await verdictsOf(effort(some(plain), whole), paceOf, false, "peer");
    await stopLinkTraffic();
    const stopTraffic = await startTraffic(pair);
    const router = await verdictsOf(some(tried.filter(isOfRouting)), () => 1, true, "peer");
    await stopTraffic();
    const row = { profile: "peer", verdicts: new Map([...kernel, ...router]) };
    console.log(formatRows("linux, real kernel, over linkseal peer", [row]));
    expect(failures(row).join("\n")).toBe("");
    expect([...row.verdicts].filter(([, { kind }]) => kind === "untried")).toEqual([]);
  });
});
