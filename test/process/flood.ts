// Thousands of refused requests beside changes, at the admin socket of a real agent.

import { readFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { setTimeout as rest } from "node:timers/promises";
import type { SignedReport } from "#agent/evidence/report/statement.ts";
import type { Status } from "#agent/runtime/health/status.ts";
import type { Program } from "./program.ts";
import { Stage } from "./stage.ts";

export const link = "erd-demo/primary";
const clients = 24;

/** Opens a stage whose agent manages a protected site. */
export async function floodStage(seed: string): Promise<readonly [Stage, Program]> {
  const stage = await Stage.open({ seed, start: "protected", speed: 20, fate: undefined });
  const program = await stage.live();
  await stage.apply();
  const status = (): Promise<Status> => stage.view<Status>("/v1/status");
  while (!program.dead && (await status()).groups.length === 0) await rest(50);
  await stage.admin("/v1/adopt", { target: "erd-demo", risks: [] });
  while (!program.dead && (await status()).verdict !== "protected") await rest(50);
  return [stage, program];
}

/** Sends one request; resolves to its HTTP status. It is cheaper than node:http. */
function post(socketPath: string, path: string, body: object): Promise<number> {
  const text = JSON.stringify(body);
  const length = Buffer.byteLength(text);
  const head = `POST ${path} HTTP/1.1\r\nhost: l\r\ncontent-length: ${length}\r\n\r\n`;
  return new Promise((resolve, reject) => {
    let reply = "";
    const socket = connect(socketPath, () => socket.write(head + text));
    socket.on("data", (chunk) => (reply += String(chunk)));
    socket.once("error", reject);
    socket.once("close", () => resolve(Number(/^HTTP\/1\.1 (\d{3})/.exec(reply)?.[1] ?? 0)));
  });
}

export interface Flooded {
  /** Refused requests that were sent. */
  readonly sent: number;
  /** How many replies had which status. */
  readonly statuses: ReadonlyMap<number, number>;
  /** Memory of the agent in KiB, at even steps of the flood. */
  readonly memory: readonly number[];
}

/** Sends `refusals` requests that are refused, and `changes` drains and undrains between them. */
export async function flood(
  [stage, program]: readonly [Stage, Program],
  refusals: number,
  changes: number,
): Promise<Flooded> {
  const socket = join(stage.folder, "run/admin.sock");
  const statuses = new Map<number, number>();
  const memory: number[] = [];
  const step = refusals / 100;
  let sent = 0;
  let made = 0;
  const refused = async (): Promise<void> => {
    while (sent < refusals || made < changes) {
      sent += 1;
      if (sent % step === 0 && sent <= refusals) memory.push(memoryOf(program));
      const status = await post(socket, "/v1/retire", { name: "yyy" });
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
    }
  };
  const changed = async (): Promise<void> => {
    for (; made < changes && !program.dead; made += 1) {
      while (sent < (refusals / (changes + 1)) * (made + 1)) await rest(5);
      const path = made % 2 === 0 ? "/v1/drain" : "/v1/undrain";
      // A check may need a newer observation first on a busy machine.
      while (!program.dead && (await post(socket, path, { link })) !== 200) await rest(20);
    }
  };
  await Promise.all([changed(), ...Array.from({ length: clients }, refused)]);
  return { sent, statuses, memory };
}

function memoryOf({ pid }: Program): number {
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "latin1"))?.[1]);
}

type Changes = SignedReport["changes"];

/** Resolves to the changes of the report once it counts all refusals. */
export async function reportedChanges(
  [stage, program]: readonly [Stage, Program],
  sent: number,
): Promise<Changes> {
  const path = "/v1/report?from=2026-01-01&to=2100-01-01";
  let changes: Changes = [];
  // The count follows its minute, on the site's clock.
  while (!program.dead && refusalsIn(changes) < sent) {
    await rest(100);
    changes = (await stage.view<SignedReport>(path).catch(() => undefined))?.changes ?? changes;
  }
  return changes;
}

/** Returns how many refusals the records count. */
export function refusalsIn(changes: Changes): number {
  return changes
    .map(({ text }) => /retire: refused: usage(?: \((\d+)\))?/.exec(text))
    .reduce((sum, found) => sum + (found === null ? 0 : Number(found[1] ?? 1)), 0);
}
