// The repairs of a manual operator at the two ends of a link of a simulated site.

import { expect, it } from "vitest";
import { emptyMemory } from "#agent/store/journal/memory.ts";
import { setKeys } from "#sim/faults/manual-operators.ts";
import { buildSite } from "#sim/site/site.ts";
import { putRight } from "../../storm/mending.ts";
import { rotation } from "../kit/rotation-runner-bench.ts";
import { bindingOf } from "../kit/snapshot-kit.ts";

it("a far end on the new key of a rotation gets its SCI repaired: seed 47-935", async () => {
  const options = { seed: "mending-1", name: "demo", groups: 1, tunnels: 0 } as const;
  const site = buildSite({ ...options, start: "protected" });
  const [link] = site.links;
  if (link === undefined) throw new RangeError("the demo has a link");
  await site.clock.runFor(30_000);
  const before = site.vault.pairs(link.key).at(-1);
  const newest = site.vault.generatePair(link.key, "gcm-aes-xpn-256");
  const settings = link.router.configured(link.port)?.macsec;
  if (before === undefined || settings === undefined) throw new RangeError("it is protected");
  const cak = Buffer.from(site.vault.valueForFarEnd(newest.cakSecretId), "hex");
  setKeys(link, [{ ckn: newest.ckn, cak: Uint8Array.from(cak), role: "primary" }]);
  link.msee.manualEdit(link.azureLink, { key: newest, sci: settings.includeSci ? "off" : "on" });
  await site.clock.runFor(60_000);
  const [entry] = rotation().links;
  if (entry === undefined) throw new RangeError("a rotation has links");
  const old = { key: before, settings };
  const links = [{ ...entry, name: link.name, old, new: { key: newest, settings } }];
  const campaign = { ...rotation({ links }), group: link.group };
  const memory = {
    ...emptyMemory,
    bindings: { [link.id]: bindingOf(old) },
    campaigns: { [link.group]: campaign },
  };
  putRight(site, memory, link);
  await site.clock.runFor(60_000);
  const shown = link.msee.observe(link.azureLink);
  expect(shown.pointsAt?.cakSecretId).toBe(newest.cakSecretId);
  expect(shown.sci).toBe(settings.includeSci ? "on" : "off");
  expect(link.edge.session().controlledPort).toBe("secured");
});
