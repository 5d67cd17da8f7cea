// Twenty changes beside 100,000 refused requests: each is in the signed report with the user who
// asked, and the agent's memory stays as it is. It takes minutes: it runs in the long run, or if it
// is named.

import { expect, it } from "vitest";
import { findAddon } from "#agent/host/addon.ts";
import { effort } from "../effort.ts";
import { flood, floodStage, link, refusalsIn, reportedChanges } from "./flood.ts";

const refusals = effort(100_000, 300_000);
const changes = 20;

it("20 of 20 changes among 100,000 refusals are in the signed report with their user", async () => {
  const [stage, program] = await floodStage("evidence flood");
  await using _stage = stage;
  const { sent, statuses, memory } = await flood([stage, program], refusals, changes);
  expect([...statuses]).toEqual([[400, sent]]);
  const reported = await reportedChanges([stage, program], sent);
  const done = reported.filter(
    ({ what, about, text }) =>
      what === "asked" && about === link && /^(un)?drain: done$/.test(text),
  );
  expect(done.map(({ text }) => text)).toEqual(
    Array.from({ length: changes }, (_, n) => (n % 2 === 0 ? "drain: done" : "undrain: done")),
  );

  // Only the native addon reads who connected; without it the records say so.
  const [uid, gid] = [process.geteuid?.() ?? 0, process.getegid?.() ?? 0];
  const known = { uid, gid, pid: process.pid };
  const unknown = { uid: null, gid: null, pid: null };
  const own = { socket: "admin", ...(findAddon() === undefined ? unknown : known) };
  for (const { client } of done) expect(client).toMatchObject(own);

  expect(refusalsIn(reported)).toBe(sent);
  const counts = reported.filter(({ text }) => text.includes("retire: refused: usage"));
  for (const { client } of counts) expect(client).toMatchObject(own);
  // One record a minute: without the counts there would be a thousand times as many.
  expect(counts.length).toBeLessThan(sent / 100);

  // The memory of the second half is that of the first, within what the garbage collector leaves.
  const [first, second] = [memory.slice(10, 55), memory.slice(55)].map((part) => Math.max(...part));
  console.log(
    `${sent} refusals, ${counts.length} records of them, ${done.length} of ${changes} changes, ` +
      `user ${JSON.stringify(done[0]?.client)}, memory ${memory[10]} to ${memory.at(-1)} KiB, ` +
      `at most ${first} KiB in the first half and ${second} KiB in the second`,
  );
  expect((second ?? 0) / (first ?? 1)).toBeLessThan(1.25);
  expect(program.dead).toBe(false);
});
