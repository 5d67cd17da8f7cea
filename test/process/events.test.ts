// `linkseal events -f` before an agent whose ring of events is shorter than what has happened.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import type { EventsAfter, LinksealEvent } from "#agent/model/events.ts";
import { compiled } from "./compiled.ts";
import { Program } from "./program.ts";

const command = join(import.meta.dirname, "../../agent/bin.js");

const event = (n: number): LinksealEvent => ({
  ...{ schema: "linkseal.event/1", n, at: "2026-11-24T10:00:00Z", code: "verdict" },
  ...{ about: "site", text: `event ${n}`, severity: "info" },
});

it("issue 32: events -f says how many events it missed, and not which came before it", async () => {
  const folder = mkdtempSync(join(tmpdir(), "ls-events-"));
  const answers: readonly EventsAfter[] = [
    { events: [event(40)], lost: 39 },
    { events: [event(41)], lost: 0 },
    { events: [event(47)], lost: 5 },
  ];
  const asked: string[] = [];
  const server = createServer((request, response) => {
    const answer = answers[asked.length];
    asked.push(request.url ?? "");
    // The next event does not come.
    if (answer !== undefined) response.end(JSON.stringify(answer));
  });
  const socket = join(folder, "view.sock");
  server.listen(socket);
  await once(server, "listening");
  const argv = [command, "events", "-f", "--socket", socket];
  const env = { ...process.env, ...compiled };
  const follower = new Program(spawn(process.execPath, argv, { env, stdio: "pipe" }));
  try {
    await follower.until("event 47");
    follower.child.kill("SIGTERM");
    await follower.ended;
    expect(asked.slice(0, 3)).toEqual([
      "/v1/events?after=0&newest=1000",
      "/v1/events?after=40&waitMs=25000",
      "/v1/events?after=41&waitMs=25000",
    ]);
    const lines = follower.output.trim().split("\n");
    expect(lines.filter((line) => line.includes("missed"))).toEqual([
      "5 events were missed: the agent keeps no more; linkseal report has what was recorded",
    ]);
    expect(lines.filter((line) => / event \d/.test(line))).toHaveLength(3);
  } finally {
    follower.child.kill("SIGKILL");
    server.closeAllConnections();
    server.close();
    rmSync(folder, { recursive: true });
  }
});
