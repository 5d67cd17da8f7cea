// What every driver must do, on this kernel: once with time that runs quickly and nothing but the
// kernel, once with FRR and traffic.

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { deviceCases, runDeviceCase, type Verdict } from "#hal/conformance.ts";
import { failures, formatRows } from "../../conformance/table.ts";
import { enterNetwork, ipBatch, leaveNetworks, until } from "../lab.ts";
import { benchOf, Rates } from "./bench.ts";
import { PacedClock } from "./clock.ts";
import { Host } from "./host.ts";
import { buildPair, edgeAs, type Pair, startTraffic, stopRouter, type } from "./router.ts";

let pair: Pair;
let rates: Rates;
let stopTraffic: () => Promise<unknown>;
beforeAll(async () => {
  pair = await buildPair();
  enterNetwork(pair.edge.network);
  rates = new Rates();
  stopTraffic = await startTraffic(pair);
}, 120_000);
afterAll(async () => {
  await stopTraffic();
  rates[Symbol.dispose]();
  for (const router of [pair.edge, pair.far]) stopRouter(router);
  leaveNetworks();
});

/** As it was built, whatever the case before has left. */
async function reset(hasRouting: boolean): Promise<void> {
  const { edge, ports } = pair;
  ipBatch(
    ports.map(({ port }) => `link set ${port} up`),
    "-n",
    edge.network,
  );
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

async function runOne(
  one: (typeof deviceCases)[number],
  speed: number,
  hasRouting: boolean,
): Promise<Verdict> {
  const { network, frr } = pair.edge;
  const clock = new PacedClock(speed);
  const pathspace = frr.shell.at(-1) ?? "";
  await using host = await Host.open({ network, clock, ...(hasRouting ? { pathspace } : {}) });
  await using device = await host.device();
  return await runDeviceCase(one, benchOf({ pair, host, clock, device, rates, hasRouting }));
}

async function verdictsOf(
  cases: typeof deviceCases,
  speedOf: (name: string) => number,
  hasRouting: boolean,
): Promise<Map<string, Verdict>> {
  const verdicts = new Map<string, Verdict>();
  for (const one of cases) {
    await reset(hasRouting);
    verdicts.set(one.name, await runOne(one, speedOf(one.name), hasRouting));
  }
  return verdicts;
}

/** A minute a second; what measures time itself may not be that quick. */
const paceOf = (name: string): number => (name.includes("clock") ? 5 : 60);

/** Nothing in a kernel's answers is like them, and a boot would end the test. */
const untried = [
  "look: a lost peer is told",
  "control: a boot is told",
  "control: a boot ends a pending commit",
  "settings: nothing leaves in the clear when the peer has gone",
  "error: printed with a success code is an error",
  "error: a locked candidate is told",
];

describe("the driver linux", { timeout: 400_000 }, () => {
  it("does on a host without FRR what every driver must do", async () => {
    const row = { profile: "kernel", verdicts: await verdictsOf(deviceCases, paceOf, false) };
    console.log(formatRows("linux, real kernel, a minute a second", [row]));
    const open = [...row.verdicts].filter(([, { kind }]) => kind === "untried");
    for (const [name] of open) row.verdicts.delete(name);
    expect(open.map(([name]) => name)).toEqual(untried);
    expect(failures(row)).toEqual([]);
  });

  it("moves traffic by FRR and proves a link by ping", async () => {
    const cases = deviceCases.filter(({ name }) =>
      /^(drain|routing|probe|route|driver)/.test(name),
    );
    const row = { profile: "router", verdicts: await verdictsOf(cases, () => 1, true) };
    console.log(formatRows("linux, real kernel with FRR", [row]));
    expect(failures(row)).toEqual([]);
    const ok = [...row.verdicts].filter(([, verdict]) => verdict.kind === "ok");
    expect(ok.map(([name]) => name)).toEqual(expect.arrayContaining(cases.map(({ name }) => name)));
  });
});
