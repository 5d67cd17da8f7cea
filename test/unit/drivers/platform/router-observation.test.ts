// What a router says about a BGP session, on its way into a status.

import { expect, it } from "vitest";
import { sessionTo } from "#drivers/platform/router-observation.ts";

it("the reason that a router names for the end of a session is one printable line", () => {
  const place = { port: "Ethernet1", peer: "192.0.2.1" };
  const remark = `cease\u001b[2J\u202e ${"x".repeat(5_000)}`;
  const { trouble = "" } = sessionTo(place, "Idle", "it ended with", remark);
  expect(trouble).toMatch(/^it ended with: cease \[2J x+…$/);
  expect(trouble.length).toBeLessThan(320);
});
