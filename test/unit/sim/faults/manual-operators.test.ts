// The acts of a manual operator at a router of the simulated site.

import { expect, it } from "vitest";
import { setKeys, takeOff } from "#sim/faults/manual-operators.ts";
import { buildSite } from "#sim/site/site.ts";

it("a port that lost MACsec gets it back with its key: seeds 12-704, 12-885", async () => {
  const options = { seed: "people-1", name: "demo", groups: 1, tunnels: 0 } as const;
  const site = buildSite({ ...options, start: "protected" });
  const [link] = site.links;
  if (link === undefined) throw new RangeError("the demo has a link");
  await site.clock.runFor(30_000);
  const before = link.router.configured(link.port);
  takeOff(link);
  await site.clock.runFor(30_000);
  expect(link.edge.session().controlledPort).not.toBe("secured");
  setKeys(link, before?.keys ?? []);
  await site.clock.runFor(30_000);
  expect(link.edge.session().controlledPort).toBe("secured");
  expect(link.router.configured(link.port)?.macsec).toEqual(before?.macsec);
});
