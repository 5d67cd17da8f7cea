// One hostile router, service or client costs at most 64 MB and 250 ms of the event loop, whatever
// it sends: memory is that of a process with the flags of an agent, and time is processor time of
// its thread, so that a busy computer changes neither.

import { type ChildProcess, fork, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import flags from "#agent/flags.json" with { type: "json" };
import { findAddon } from "#agent/host/addon.ts";
import { effort } from "../effort.ts";
import { cannotRun } from "../why-not.ts";
import type { Cost } from "./cost-watch.ts";
import type { CostOrder } from "./hostile-cost.ts";
import {
  attacks,
  type HostileCounts,
  type HostileNews,
  type HostileServed,
} from "./hostile-router.ts";
import { ownAttacks, type ServiceOrder } from "./hostile-service-cost.ts";
import { type ClientCounts, type ServiceNews, services } from "./hostile-services.ts";
import { swollen } from "./swollen-router.ts";

const peakMbMax = 64;
const turnMsMax = 250;
const quiet = "ssh: it closes at once";
const all = [...attacks.keys(), ...swollen.keys()].filter((name) => name !== quiet);
/** Those that cost most before there were limits, one of each surface. */
const worst = [
  "junos: chunks of one octet",
  "junos: elements",
  "junos: the most elements",
  "junos: the longest text of references",
  "junos: packets of one octet",
  "iosxr: lines",
  "eos: the most lines",
  "iosxe: one very long reply",
  "ssh: long lists of ciphers",
];
/** One of each surface. */
const worstServices = [
  "snmp: long values",
  "snmp: forged replies",
  "vici: the most elements",
  "mka: the most values",
  "https: a body without an end",
  "vault: very many values",
  "management API: very many lists",
  "admin.sock: very many values",
  "admin.sock: bodies in pieces of one octet",
  "view.sock: one request after the other",
  "view.sock: long replies that nothing reads",
  "page: records of one octet",
  "net.sock: the longest questions",
  "kernel: a million routes",
];

async function costOf(
  script: "hostile-cost.ts" | "hostile-service-cost.ts",
  order: readonly [CostOrder, CostOrder] | ServiceOrder,
): Promise<Cost> {
  const file = join(import.meta.dirname, script);
  const argv = [...flags.agent, "--expose-gc", "--no-warnings", file];
  const child = spawn(process.execPath, [...argv, JSON.stringify(order)]);
  let [output, errors] = ["", ""];
  child.stdout.on("data", (chunk: Buffer) => {
    output += chunk.toString();
  });
  child.stderr.on("data", (chunk: Buffer) => {
    errors += chunk.toString();
  });
  const [status] = (await once(child, "close")) as [number | null];
  if (status !== 0) throw new Error(`it ended with ${status}: ${errors}`);
  return JSON.parse(output) as Cost;
}

function driverOf(attack: string): CostOrder["driver"] {
  const [, driver] = /^(junos|iosxe|iosxr|eos):/.exec(attack) ?? [];
  // Before a login the driver makes no difference.
  return (driver as CostOrder["driver"] | undefined) ?? "junos";
}

const rows: string[] = [];
afterAll(() => console.log(["peak MB  kept MB  turn ms  attack", ...rows].join("\n")));

/** Notes the figures of an attack, and returns which of them are beyond the limits. */
function excess(attack: string, { ends, peakMb, keptMb, turnMs }: Cost): readonly string[] {
  const figures = [peakMb, keptMb, turnMs].map((one) => one.toFixed(0).padStart(7));
  rows.push(`${figures.join("  ")}  ${attack}: ${[...new Set(ends)].join(" | ")}`);
  return [
    ...(peakMb < peakMbMax ? [] : [`${peakMb.toFixed(0)} MB`]),
    ...(turnMs < turnMsMax ? [] : [`a turn of ${turnMs.toFixed(0)} ms`]),
  ];
}

/** The look took longer than it may: on a busy computer any look can. */
const isLate = (end: string): boolean =>
  /^transport\.timeout: no answer|while waiting for handshake$|^given up$/.test(end);

/** The limits that these attacks reach; an attack that ends before its limit measures nothing. */
const limits: readonly (readonly [RegExp, RegExp])[] = [
  [/^junos: chunks of one octet$/, /more than 65536 chunks$/],
  [/^junos: (elements|one chunk|open tags|a text) ?(without an end)?$/, /more than \d+ octets$/],
  [/^junos: the most elements$/, /too many elements$/],
  [/^junos: (elements with an attribute|attributes of one element)$/, /too many attributes$/],
  [/^junos: the longest value of tabs$/, /too long an attribute$/],
  [/^junos: depth/, /nested too deeply$/],
  [/^junos: the longest text of references$/, /too many references$/],
  [/^junos: (notifications|replies to nothing)$/, /it sends what is not asked for$/],
  [/^(iosxe|iosxr|eos): (empty lines|lines)$/, /the output is longer than allowed$/],
  [/^(iosxe|iosxr|eos): one line without an end$/, /a line is longer than allowed$/],
  [/^snmp/, /^transport\.closed: it reports more|that none of its keys signed/],
  [/^vici: /, /sent something that is not VICI: /],
  [/^mka: /, /the reply is too long$|answered something unknown$/],
  [/^https: /, /longer than 1048576 bytes$|HPE_HEADER_OVERFLOW/],
  [/^vault: pages without an end$/, /it has more than 500 versions$/],
  [/^vault: (?!pages)/, /the answer cannot be understood$/],
  [/^management API: (very many|a deep)/, /its answer is not JSON$/],
  [/^management API: the (most|longest)/, /it does not have two links$/],
  [/^kernel: /, /lists more than 100000 objects$/],
];

/** Returns the looks that ended neither at the limit of their attack nor late. */
function amiss(attack: string, ends: readonly string[]): readonly string[] {
  const limit = limits.find(([pattern]) => pattern.test(attack))?.[1];
  return limit === undefined ? [] : ends.filter((end) => !isLate(end) && !limit.test(end));
}

/** Asks processes for their counts; one question at a time, so that each answer is to its own. */
class Counts<T> {
  #turn: Promise<unknown> = Promise.resolve();

  of(servers: ChildProcess): Promise<T> {
    const mine = this.#turn.then(async () => {
      servers.send("count");
      const [counts] = (await once(servers, "message")) as [T];
      return counts;
    });
    this.#turn = mine;
    return mine;
  }
}

describe("a hostile router", () => {
  const counts = new Counts<HostileCounts>();
  const tried = effort(worst, all);
  const looks = effort(2, 4);
  let servers: ChildProcess;
  let served: ReadonlyMap<string, HostileServed>;

  beforeAll(async () => {
    const order = JSON.stringify({ attacks: [...tried, quiet] });
    servers = fork(join(import.meta.dirname, "hostile-router.ts"), [order], {
      execArgv: ["--no-warnings"],
    });
    const [news] = (await once(servers, "message")) as [HostileNews];
    served = new Map(news.map((one) => [one.attack, one]));
  });
  afterAll(() => {
    servers.disconnect();
  });

  // Each mostly waits for the time after which the driver gives up.
  it.concurrent.each(tried)("a hostile router costs little: %s", async (attack) => {
    const driver = driverOf(attack);
    const orderFor = (name: string): CostOrder => {
      const { port, hostKey } = served.get(name) ?? { port: 0, hostKey: "" };
      return { driver, port, hostKey, looks };
    };
    const orders = [orderFor(attack), orderFor(quiet)] as const;
    const tryOnce = async (): Promise<{ begun: number; ended: number }> => {
      const cost = await costOf("hostile-cost.ts", orders);
      expect(cost.ends).toHaveLength(looks);
      expect(excess(attack, cost)).toEqual([]);
      expect(amiss(attack, cost.ends)).toEqual([]);
      const begun = (await counts.of(servers))[attack] ?? 0;
      return { begun, ended: cost.ends.filter((end) => !isLate(end)).length };
    };
    // A look that never got as far as the attack costs nothing; on a busy computer all may end
    // before it, and are repeated.
    let tries = await tryOnce();
    while (tries.begun === 0 && tries.ended === 0) tries = await tryOnce();
    expect(tries.begun).toBeGreaterThanOrEqual(Math.max(1, tries.ended));
  });
});

describe("a hostile service, or a hostile client of a socket", () => {
  const looks = effort(2, 4);
  const tried = effort(worstServices, [...services.keys(), ...ownAttacks]);
  const counts = new Counts<ClientCounts>();
  let servers: ChildProcess;
  let served: ReadonlyMap<string, number | string>;

  beforeAll(async () => {
    const order = JSON.stringify(tried.filter((attack) => services.has(attack)));
    servers = fork(join(import.meta.dirname, "hostile-services.ts"), [order], {
      execArgv: ["--no-warnings"],
    });
    const [news] = (await once(servers, "message")) as [ServiceNews];
    served = new Map(news.map(({ attack, at }) => [attack, at]));
  });
  afterAll(() => {
    servers.disconnect();
  });

  it.concurrent.for(tried)(
    "a hostile service or client costs little: %s",
    async (attack, context) => {
      if (attack.startsWith("page: ") && findAddon() === undefined) {
        cannotRun(context, "there is no native addon, which limits what Node reads at once");
      }
      const at = served.get(attack);
      const cost = await costOf("hostile-service-cost.ts", { attack, at, looks });
      expect(cost.ends).toHaveLength(looks);
      expect(excess(attack, cost)).toEqual([]);
      expect(amiss(attack, cost.ends)).toEqual([]);
      if (!/^(admin\.sock|view\.sock|net\.sock|page): /.test(attack)) return;
      expect((await counts.of(servers))[String(at)] ?? 0).toBeGreaterThanOrEqual(looks);
    },
  );
});
