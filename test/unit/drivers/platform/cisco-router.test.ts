// Routers without a candidate, and what of a change only a command exchanges that no configuration
// shows.

import { describe, expect, it } from "vitest";
import type { DeviceChange } from "#hal/device.ts";
import { type Place, type Platform, platforms } from "../../../conformance/place.ts";
import { never } from "../../kit/site-bench.ts";
import { addKey, protect } from "../change-kit.ts";
import { CutRouter, xeWithoutArchive } from "../cut-kit.ts";
import { cknOf } from "../junos-kit.ts";

interface Row {
  readonly vendor: string;
  readonly platform: Platform<Place["emulator"] & { readonly current: unknown }>;
}

const rows: readonly Row[] = [
  { vendor: "iosxe", platform: platforms["C8500-12X4QC 17.15.1"] },
  { vendor: "nxos", platform: platforms["C9336C-FX2 9.3.6"] },
];

const atOnce: readonly Row[] = [
  { vendor: "iosxe", platform: xeWithoutArchive() },
  { vendor: "nxos", platform: platforms["C9336C-FX2 9.3.6"] },
];

const moves = (
  { ports: [port] }: Row["platform"],
  kind: "port.drain" | "port.restore",
): DeviceChange => [{ kind, port, means: "prepend" }];

/** A drained port, whose restore is cut off as its routes are to be exchanged again. */
async function restoreCut({ platform }: Row) {
  const router = new CutRouter(platform);
  const device = await router.open();
  await router.make(device, moves(platform, "port.drain"));
  const restore = moves(platform, "port.restore");
  const { transaction, error } = await router.cut(device, restore, /^clear /);
  return { router, device, restore, transaction, error };
}

const refreshes = (lines: readonly string[]): number =>
  lines.filter((line) => line.startsWith("clear ")).length;

const spoken = (lines: readonly string[]): readonly string[] =>
  lines.filter((line) => /^(?:no )?route-map linkseal\S+(?: (?:permit|deny) \d+)?$/.test(line));

describe("a route map that a killed restore left", () => {
  // Its entries stayed between those of the next drain, and decided on routes.
  it.each(rows)("is removed before the next drain writes it: $vendor", async ({ platform }) => {
    const router = new CutRouter(platform);
    const device = await router.open();
    await router.make(device, moves(platform, "port.drain"));
    const [entry = ""] = spoken(router.lines);
    const [, name = ""] = entry.split(" ");
    expect(name).toContain("linkseal-drain-out-");
    await router.make(device, moves(platform, "port.restore"));
    await device[Symbol.asyncDispose]();
    await router.type("enable", "configure terminal", `route-map ${name} deny 5`, "end");
    await using successor = await router.open();
    await router.make(successor, moves(platform, "port.drain"));
    const [first, second] = spoken(router.lines);
    expect([first, second]).toEqual([`no route-map ${name}`, entry]);
    expect(JSON.stringify(router.place.emulator.current)).not.toContain(`${name} deny 5`);
  });
});

describe("a key chain that a killed removal left", () => {
  // The repeated removal found the key detached, and its octets stayed on the router.
  it.each(atOnce)("is removed by the repeated removal: $vendor", async ({ platform }) => {
    const router = new CutRouter(platform);
    const [port] = platform.ports;
    const settings = { suite: "gcm-aes-xpn-256", replayWindow: 64 } as const;
    const device = await router.open();
    await router.make(device, [protect(port, settings), addKey(port, 1, "primary")]);
    await router.make(device, [addKey(port, 2, "fallback")]);
    await router.make(device, [{ kind: "macsec.promoteKey", port, ckn: cknOf(2) }]);
    const removal = [{ kind: "macsec.removeKey", port, ckn: cknOf(1) }] as const;
    await router.cut(device, removal, /^no key chain /);
    await device[Symbol.asyncDispose]();
    expect(JSON.stringify(router.place.emulator.current)).toContain(cknOf(1));
    await using successor = await router.open();
    await router.make(successor, removal);
    expect(JSON.stringify(router.place.emulator.current)).not.toContain(cknOf(1));
    const again = await router.make(successor, removal);
    expect(again.preview).toBe("");
  });
});

describe("routes that a route map has moved", () => {
  it.each(rows)("are exchanged again once per change: $vendor", async ({ platform }) => {
    const router = new CutRouter(platform);
    const [port] = platform.ports;
    await using device = await router.open();
    await router.make(device, [{ kind: "port.drain", port, means: "prepend" }]);
    expect(refreshes(router.lines)).toBe(1);
    await router.make(device, [{ kind: "port.shut", port }]);
    expect(refreshes(router.lines)).toBe(0);
  });

  it.each(rows)("are in doubt where the connection ended before: $vendor", async (row) => {
    const { device, error } = await restoreCut(row);
    await using _ = device;
    expect(error).toMatchObject({ code: "transport.unreachable", effect: "applied" });
  });

  // The restore that was repeated found the route maps gone, and reported the link as restored.
  it.each(rows)("are exchanged again by a successor's restore: $vendor", async (row) => {
    const { router, device, restore } = await restoreCut(row);
    await device[Symbol.asyncDispose]();
    await using successor = await router.open();
    const again = await router.make(successor, restore);
    expect([again.preview, refreshes(router.lines)]).toEqual(["", 1]);
  });

  it.each(rows)("are exchanged again by the repeated restore: $vendor", async (row) => {
    const { router, device, transaction } = await restoreCut(row);
    await using _ = device;
    await router.run(transaction.apply("final", never));
    expect(refreshes(router.lines)).toBe(1);
  });
});
