// One hostile router costs at most 64 MB and 250 ms of the event loop, whatever it sends: memory is
// that of a process with the flags of an agent, and time is processor time of its thread, so that a
// busy computer changes neither.

import { type ChildProcess, fork, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { effort } from "../effort.ts";
import type { Cost, CostOrder } from "./hostile-cost.ts";
import { attacks, type HostileNews, type HostileServed } from "./hostile-router.ts";
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
  "junos: packets of one octet",
  "iosxr: lines",
  "eos: the most lines",
  "iosxe: one very long reply",
  "ssh: long lists of ciphers",
];

/** The flags with which `agent/bin.js` starts an agent. */
function agentFlags(): readonly string[] {
  const text = readFileSync(join(import.meta.dirname, "../../agent/bin.js"), "utf8");
  const [, list = ""] = /^const thrifty = (\[.*\]);$/m.exec(text) ?? [];
  return JSON.parse(list) as readonly string[];
}

async function costOf(order: CostOrder, from: CostOrder): Promise<Cost> {
  const file = join(import.meta.dirname, "hostile-cost.ts");
  const argv = [...agentFlags(), "--expose-gc", "--no-warnings", file];
  const child = spawn(process.execPath, [...argv, JSON.stringify([order, from])]);
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

describe("a hostile router", () => {
  const tried = effort(worst, all);
  const looks = effort(2, 4);
  const rows: string[] = [];
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
    console.log(["peak MB  kept MB  turn ms  attack", ...rows].join("\n"));
  });

  // Each mostly waits for the time after which the driver gives up.
  it.concurrent.each(tried)(
    "a hostile router costs little: %s",
    { timeout: 600_000 },
    async (attack) => {
      const driver = driverOf(attack);
      const orderFor = (name: string): CostOrder => {
        const { port, hostKey } = served.get(name) ?? { port: 0, hostKey: "" };
        return { driver, port, hostKey, looks };
      };
      const cost = await costOf(orderFor(attack), orderFor(quiet));
      const figures = [cost.peakMb, cost.keptMb, cost.turnMs].map((one) =>
        one.toFixed(0).padStart(7),
      );
      rows.push(`${figures.join("  ")}  ${attack}: ${[...new Set(cost.ends)].join(" | ")}`);
      expect(cost.ends).toHaveLength(looks);
      expect(cost.peakMb).toBeLessThan(peakMbMax);
      expect(cost.turnMs).toBeLessThan(turnMsMax);
    },
  );
});
