// Lines of an IOS XE configuration that the driver would not write, and those that are missing.

import { expect, it } from "vitest";
import { linesIn, readConfig, readPolicies } from "#drivers/iosxe/config.ts";
import { ownName } from "#drivers/iosxe/names.ts";
import { type PortPlan, planOf, protect } from "#drivers/iosxe/plan.ts";
import { renderChange } from "#drivers/iosxe/renderer.ts";
import { chainLines } from "#drivers/platform/cisco-lines.ts";
import { differencesOf } from "#drivers/platform/port-lines.ts";
import { line } from "#drivers/transport/cli.ts";
import { wantedPort } from "../change-kit.ts";
import { cknOf } from "../junos-kit.ts";
import { parts, port, textsOf } from "./iosxe-kit.ts";

/** `section`: the MKA policies with all of their lines. */
function compared(n: number, over: Partial<typeof parts> = {}, section = parts.policies) {
  const texts = textsOf(over);
  const config = readConfig(texts, true);
  const blocks = linesIn(texts, readPolicies(section) ?? []);
  if (config === undefined || blocks === undefined) throw new RangeError("no configuration");
  const around = { config, routeMaps: new Map() };
  const render = (before: PortPlan, after: PortPlan) =>
    renderChange(before, after, around, line`macsec`).sent;
  const platform = { config, blocks, planOf, protect, ownName, begins: undefined, render };
  return differencesOf(chainLines(wantedPort(port(n), n), platform));
}

const shut = [
  `interface ${port(1)} > shutdown`,
  "router bgp 64512 > neighbor 2001:db8::2 shutdown",
];

it("a shut port and session are the only lines of others, and no default is missing", () => {
  expect(compared(1)).toEqual({ port: port(1), foreign: shut, missing: [] });
});

it("a line of a policy that no query of the observation prints is found", () => {
  const section = parts.policies.replace("ls-Te0-0-1\n", "ls-Te0-0-1\n delay-protection\n");
  const { foreign, missing } = compared(1, {}, section);
  expect(foreign).toEqual(["mka policy ls-Te0-0-1 > delay-protection", ...shut]);
  expect(missing).toEqual([]);
});

it("a line about MACsec on the port, a lifetime and a second key are found", () => {
  const head = `interface ${port(1)}\n`;
  const life = "lifetime local 00:00:00 Jan 1 2026 infinite";
  const chain = `key chain ls-Te0-0-1-a macsec\n key ${cknOf(1).toUpperCase()}\n`;
  const { foreign } = compared(1, {
    interfaces: parts.interfaces.replace(head, `${head} macsec dot1q-in-clear 1\n`),
    chains: parts.chains.replace(chain, `${chain}  ${life}\n key 0a\n`),
  });
  expect(foreign).toEqual([
    `key chain ls-Te0-0-1-a macsec > key ${cknOf(1).toUpperCase()} > ${life}`,
    "key chain ls-Te0-0-1-a macsec > key 0a",
    `interface ${port(1)} > macsec dot1q-in-clear 1`,
    ...shut,
  ]);
});

it("a policy that is not understood is compared line by line all the same", () => {
  const { foreign, missing } = compared(7);
  expect(foreign).toContain("mka policy TWO > macsec-cipher-suite gcm-aes-128 gcm-aes-256");
  expect(missing).toContain("mka policy TWO > macsec-cipher-suite gcm-aes-xpn-256");
});
