// Lines of an EOS configuration that the driver would not write, and those that are missing.

import { expect, it } from "vitest";
import { configOf, readStatements } from "#drivers/eos/config.ts";
import { linesOf } from "#drivers/eos/lines.ts";
import { differencesOf } from "#drivers/platform/port-lines.ts";
import type { WantedPort } from "#hal/device.ts";
import { wantedPort } from "../change-kit.ts";
import { cknOf } from "../junos-kit.ts";
import { configText } from "./eos-kit.ts";

function compared(wanted: Partial<WantedPort>, text = configText) {
  const statements = readStatements(text);
  const config = statements && configOf(statements);
  if (config === undefined) throw new Error("no configuration");
  const one = { ...wantedPort("Ethernet2", 1), ...wanted };
  return differencesOf(linesOf(one, { config, statements: statements ?? [], where: "edge-a" }));
}

const profile = "mac security > profile TWO";
const rekeyed = { ...wantedPort("Ethernet2", 1).settings, sakRekeyMs: 1_800_000 };

it("a fallback key, another line and a shut session are foreign, and no default is missing", () => {
  expect(compared({ settings: rekeyed })).toEqual({
    port: "Ethernet2",
    foreign: [
      `${profile} > key ${cknOf(2)} 7 fallback`,
      `${profile} > key retirement immediate`,
      "router bgp 64512 > neighbor 2001:db8::2 shutdown",
    ],
    missing: [],
  });
});

it("a key in another role than that of the only key is foreign, and its line is missing", () => {
  const { foreign, missing } = compared({ settings: rekeyed, ckn: cknOf(2) });
  expect(foreign).toContain(`${profile} > key ${cknOf(2)} 7 fallback`);
  expect(missing).toEqual([`${profile} > key ${cknOf(2)} 0 [secret cak]`]);
});

it("a drain that is not wanted is named with its route maps", () => {
  const wanted = wantedPort("Ethernet7", 3);
  const { foreign } = compared(wanted);
  expect(foreign).toEqual([
    "interface Ethernet7 > shutdown",
    "router bgp 64512 > vrf BLUE > neighbor 192.0.2.10 route-map linkseal-drain-in-192.0.2.10 in",
    "route-map linkseal-drain-out-192.0.2.10",
    "route-map linkseal-drain-in-192.0.2.10",
  ]);
  expect(compared({ ...wanted, drain: "prepend" }).foreign).toEqual([
    "interface Ethernet7 > shutdown",
  ]);
});
