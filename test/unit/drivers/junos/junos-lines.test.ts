// Lines of a Junos configuration that the driver would not write, and those that are missing.

import { expect, it } from "vitest";
import { getLines } from "#drivers/junos/config.ts";
import { linesOf, readLines } from "#drivers/junos/lines.ts";
import { differencesOf } from "#drivers/platform/port-lines.ts";
import { xmlLines } from "#drivers/transport/xml.ts";
import type { WantedPort } from "#hal/device.ts";
import { wantedPort } from "../change-kit.ts";
import { cknOf, configText, read, wall } from "../junos-kit.ts";

async function compared(wanted: WantedPort, text = configText) {
  const lines = readLines(await read(text));
  if (lines === undefined) throw new Error("no configuration");
  const around = { ...lines, wall, localAs: () => "64512", where: "edge-a" };
  return differencesOf(linesOf(wanted, around));
}

const association = "security macsec connectivity-association linkseal-et-0-0-1";
const disable = "interfaces interface et-0/0/1 disable";
const wanted = wantedPort("et-0/0/1", 1);
const drained = "deactivate protocols bgp group azure neighbor 2001:db8::2";

it("the other key, a shut port and a drain are foreign, and no default is missing", async () => {
  const key = "security authentication-key-chains key-chain linkseal-et-0-0-1 key 3";
  const { foreign, missing } = await compared(wanted);
  expect(foreign).toEqual([
    `${key} key-name ${cknOf(2).toUpperCase()}`,
    `${key} start-time 2026-11-25.17:59:30 +0000`,
    disable,
    drained,
  ]);
  expect(missing).toEqual([]);
});

it("a default that an operator configured is not foreign, and another value of it is", async () => {
  const head = "<connectivity-association><name>linkseal-et-0-0-1</name>";
  const withOffset = (offset: number): string =>
    configText.replace(head, `${head}<offset>${offset}</offset>`);
  const found = await compared(wanted, withOffset(0));
  expect(found).toEqual(await compared(wanted));
  const { foreign } = await compared(wanted, withOffset(30));
  expect(foreign[0]).toBe(`${association} offset 30`);
});

it("a line and an inactive line in the association are foreign", async () => {
  const head = "<connectivity-association><name>linkseal-et-0-0-1</name>";
  const lldp = "<exclude-protocol><name>lldp</name></exclude-protocol>";
  const text = configText
    .replace(head, `${head}${lldp}`)
    .replace("<include-sci/>", '<include-sci inactive="inactive"/>');
  const { foreign } = await compared(wanted, text);
  expect(foreign.slice(0, 2)).toEqual([
    `${association} exclude-protocol lldp`,
    `deactivate ${association} include-sci`,
  ]);
});

it("a key outside a chain stays, and the settings of another writer are foreign", async () => {
  const byHand = "security macsec connectivity-association BY-HAND";
  const { foreign, missing } = await compared(wantedPort("et-0/0/2", 9));
  expect(foreign).toEqual([`${byHand} mka should-secure`, `${byHand} mka sak-rekey-interval 600`]);
  expect(missing).toContain(`${byHand} cipher-suite gcm-aes-xpn-256`);
});

it("the query for lines selects no leaf that contains a key", () => {
  const leaves = xmlLines(getLines()).map((line) => line.trim());
  expect(leaves).toContain("<exclude-protocol/>");
  for (const secret of ["secret", "cak", "key", "secure-channel", "sak-hash-128"]) {
    expect(leaves).not.toContain(`<${secret}/>`);
  }
});
