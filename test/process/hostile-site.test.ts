// One agent with a good pair of routers beside twenty routers of each hostile kind, with a small
// heap: it goes on observing the good ones, and no line of its log is long.

import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as rest } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import type { Status } from "#agent/runtime/health/status.ts";
import { effort } from "../effort.ts";
import { patienceMs } from "../patience.ts";
import { attacks, type HostileCounts, type HostileNews } from "./hostile-router.ts";
import { Stage } from "./stage.ts";

const seed = process.env["LINKSEAL_SEED"] ?? "hostile site";
const heapMb = 160;
const each = 20;
/** As many routers as one agent is to bear at once. */
const kindsAtOnce = 8;
const usual = [
  "junos: elements",
  "junos: chunks of one octet",
  "junos: packets of one octet",
  "iosxr: lines",
  "eos: the most lines",
  "iosxe: more than the window",
  "ssh: a long disconnect",
  "ssh: long lists of methods",
];
const all = [...attacks.keys()];
const batches = Array.from({ length: Math.ceil(all.length / kindsAtOnce) }, (_, index) =>
  all.slice(index * kindsAtOnce, (index + 1) * kindsAtOnce),
);
/** Each with the kinds of its routers. */
const sites = effort([usual], batches).map((kinds, index) => ({ number: index + 1, kinds }));

const driverOf = (attack: string): string =>
  attack.startsWith("ssh") ? "junos" : (attack.split(":")[0] ?? "");

/** Adds routers to a config, with the private key of those that are in it. */
function withHostile(config: string, served: HostileNews): string {
  const key = /key: "(file:[^"]+)"/.exec(config)?.[1] ?? "";
  const devices = served.flatMap(({ attack, port, hostKey }, kind) =>
    Array.from({ length: each }, (_, index) =>
      [
        `  - name: hostile-${kind}-${index}`,
        `    driver: ${driverOf(attack)}`,
        "    address: 127.0.0.1",
        `    ssh: { user: linkseal, port: ${port}, key: "${key}", hostKey: "${hostKey}" }`,
        "",
      ].join("\n"),
    ),
  );
  return config.replace(/^devices:\n/m, (line) => line + devices.join(""));
}

async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
  let why = "";
  for (const begun = performance.now(); performance.now() - begun < patienceMs; ) {
    const is = await holds().catch((error: unknown) => {
      why = String(error);
      return false;
    });
    if (is) return;
    await rest(200);
  }
  throw new Error(`waited too long: ${what} ${why}`);
}

function peakMb(pid: number): number {
  const [, kilobytes = "0"] =
    /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "latin1")) ?? [];
  return Number(kilobytes) / 1024;
}

describe("an agent beside hostile routers", () => {
  it.each(sites)(
    "an agent beside twenty routers of each hostile kind goes on, site $number",
    async ({ kinds }) => {
      const order = JSON.stringify({ attacks: kinds });
      const servers: ChildProcess = fork(join(import.meta.dirname, "hostile-router.ts"), [order], {
        execArgv: ["--no-warnings"],
      });
      try {
        const [served] = (await once(servers, "message")) as [HostileNews];
        const platforms = ["junos", "iosxr"] as const;
        const setting = { seed, start: "protected", speed: 1, fate: undefined, platforms } as const;
        await using stage = await Stage.open(setting, "loopback-site.ts");
        const program = await stage.live({ NODE_OPTIONS: `--max-old-space-size=${heapMb}` });
        const text = withHostile(stage.config, served);
        await stage.admin("/v1/apply", { text, file: "site.yaml", queue: false });
        await until("an adoption", async () => {
          await stage.admin("/v1/adopt", { target: "erd-demo", risks: [] });
          return true;
        });
        const status = (): Promise<Status> => stage.view<Status>("/v1/status");
        const isGood = ({ groups: [group] }: Status): boolean => group?.verdict === "protected";
        const isAlive = (): void => {
          if (program.dead) throw new Error(`the agent has ended: ${program.output.slice(-2_000)}`);
        };
        await until("as many attacks as hostile routers of each kind, and protection", async () => {
          isAlive();
          servers.send("count");
          const [counts] = (await once(servers, "message")) as [HostileCounts];
          const isMet = kinds.every((kind) => (counts[kind] ?? 0) >= each);
          return isMet && isGood(await status());
        });
        // New observations of the good ones come while all others are under attack.
        const { at } = await status();
        await until("a later status with protection", async () => {
          isAlive();
          const now = await status();
          return Date.parse(now.at) - Date.parse(at) > 10_000 && isGood(now);
        });
        const lines = program.output.split("\n").map((line) => line.length);
        console.log(
          `${served.length} kinds of ${each} routers: peak ${peakMb(program.pid).toFixed(0)} MB ` +
            `with a heap of ${heapMb} MB, longest line of the log ${Math.max(...lines)}`,
        );
        expect(program.dead).toBe(false);
        expect(Math.max(...lines)).toBeLessThan(1_000);
      } finally {
        servers.disconnect();
      }
    },
  );
});
