// Evidence of a change beside thousands of refused requests, by a real agent on a real disk.

import { request } from "node:http";
import { join } from "node:path";
import { setTimeout as rest } from "node:timers/promises";
import { expect, it } from "vitest";
import type { SignedReport } from "#agent/evidence/report/statement.ts";
import type { Status } from "#agent/runtime/health/status.ts";
import { Stage } from "./stage.ts";

const link = "erd-demo/primary";
const refusals = 6_000;
const clients = 24;

/** Sends one request; resolves to its HTTP status. */
function post(socketPath: string, path: string, body: object): Promise<number> {
  const text = JSON.stringify(body);
  return new Promise((resolve, reject) => {
    const headers = { "content-length": Buffer.byteLength(text) };
    const call = request({ socketPath, path, method: "POST", headers, agent: false }, (reply) => {
      reply.resume().once("end", () => resolve(reply.statusCode ?? 0));
    });
    call.once("error", reject).end(text);
  });
}

it("a drain and an undrain among six thousand refusals are in the signed report", {
  timeout: 120_000,
}, async () => {
  const setting = { seed: "refusals", start: "protected", speed: 20, fate: undefined } as const;
  await using stage = await Stage.open(setting);
  const program = await stage.live();
  await stage.apply();
  const isProtected = async (): Promise<boolean> => {
    const { verdict } = await stage.view<Status>("/v1/status");
    return verdict === "protected";
  };
  while (!program.dead && !(await stage.view<Status>("/v1/status")).groups.length) await rest(50);
  await stage.admin("/v1/adopt", { target: "erd-demo", risks: [] });
  while (!program.dead && !(await isProtected())) await rest(50);

  const socket = join(stage.folder, "run/admin.sock");
  const statuses = new Map<number, number>();
  let sent = 0;
  let isChanged = false;
  const flood = async (): Promise<void> => {
    while (sent < refusals || !isChanged) {
      sent += 1;
      const status = await post(socket, "/v1/retire", { name: "yyy" });
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
    }
  };
  // A check may need a newer observation first on a busy machine.
  const done = async (verb: string): Promise<void> => {
    while (!program.dead && (await post(socket, `/v1/${verb}`, { link })) !== 200) await rest(20);
  };
  const change = async (): Promise<void> => {
    while (sent < refusals / 4) await rest(5);
    await done("drain");
    while (sent < refusals / 2) await rest(5);
    await done("undrain");
    isChanged = true;
  };
  await Promise.all([change(), ...Array.from({ length: clients }, flood)]);
  expect([...statuses]).toEqual([[400, sent]]);

  const changes = async (): Promise<readonly string[]> => {
    const path = "/v1/report?from=2026-01-01&to=2100-01-01";
    const report = await stage.view<SignedReport>(path).catch(() => undefined);
    return (report?.changes ?? []).map(
      ({ what, about, who, text }) => `${what} | ${about} | ${who} | ${text}`,
    );
  };
  // After this last change, all changes before it are in the log, or lost.
  await stage.apply();
  let reported = await changes();
  while (!program.dead && !reported.some((line) => line.startsWith("intent | intent 2"))) {
    await rest(50);
    reported = await changes();
  }
  expect(reported).toContain(`asked | ${link} | admin socket | drain: done`);
  expect(reported).toContain(`asked | ${link} | admin socket | undrain: done`);
  // The count follows its minute, on the site's clock.
  const counted = (): number =>
    reported
      .map((line) => /retire: refused: usage(?: \((\d+)\))?/.exec(line))
      .reduce((sum, found) => sum + (found === null ? 0 : Number(found[1] ?? 1)), 0);
  while (!program.dead && counted() < sent) {
    await rest(100);
    reported = await changes();
  }
  expect(counted()).toBe(sent);
  expect(program.dead).toBe(false);
});
