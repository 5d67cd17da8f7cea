// Lines of an IOS XR configuration that the driver would not write, and those that are missing.

import { expect, it } from "vitest";
import { blocksIn, type ConfigTexts, readConfig } from "#drivers/iosxr/config.ts";
import { ownName } from "#drivers/iosxr/names.ts";
import { type PortPlan, planOf, protect } from "#drivers/iosxr/plan.ts";
import { renderChange } from "#drivers/iosxr/renderer.ts";
import { chainLines } from "#drivers/platform/cisco-lines.ts";
import { differencesOf } from "#drivers/platform/port-lines.ts";
import type { WantedPort } from "#hal/device.ts";
import { wantedPort } from "../change-kit.ts";
import { port, texts } from "../iosxr-kit.ts";
import { cknOf, wall } from "../junos-kit.ts";

function compared(over: Partial<ConfigTexts>, n: number, wanted: Partial<WantedPort> = {}) {
  const all = { ...texts, ...over };
  const [config, blocks] = [readConfig(all, true), blocksIn(all)];
  if (config === undefined || blocks === undefined) throw new RangeError("no configuration");
  const render = (before: PortPlan, after: PortPlan) => renderChange(before, after, config).sent;
  const platform = { config, blocks, planOf, protect, ownName, begins: wall, render };
  return differencesOf(chainLines({ ...wantedPort(port(n), n), ...wanted }, platform));
}

/** The texts with a line more behind this one. */
const planted = (text: string, after: string, line: string): string =>
  text.replace(after, `${after}\n${line}`);

const shut = [
  `interface ${port(1)} > shutdown`,
  "router bgp 64512 > neighbor 2001:db8::2 > shutdown",
];

it("a shut port and session are the only lines of another writer on a port of the driver", () => {
  expect(compared({}, 1)).toEqual({ port: port(1), foreign: shut, missing: [] });
});

it("a line in the policy is found, and another form of a lifetime is none", () => {
  const policies = planted(texts.policies, "macsec-policy ls-Hu0-0-0-1", " delay-protection");
  const chains = texts.chains.replace("00:00:00 january 01 2026", "0:00:00 january 1 2026");
  expect(compared({ policies, chains }, 1).foreign).toEqual([
    "macsec-policy ls-Hu0-0-0-1 > delay-protection",
    ...shut,
  ]);
});

it("an end of a key's life is foreign, because the driver's keys have none", () => {
  const life = "00:00:00 january 01 2026 infinite";
  const ending = "00:00:00 january 01 2026 00:00:00 january 01 2027";
  const { foreign, missing } = compared({ chains: texts.chains.replace(life, ending) }, 1);
  expect(foreign[0]).toMatch(new RegExp(`macsec > key 0*1 > lifetime ${ending}$`));
  expect(missing).toEqual([]);
});

it("settings, fallback key and its chain of another writer are foreign line by line", () => {
  const { foreign, missing } = compared({}, 2, { ckn: cknOf(2) });
  expect(foreign).toEqual([
    "macsec-policy HAND > cipher-suite GCM-AES-128",
    "macsec-policy HAND > conf-offset CONF-OFFSET-30",
    "macsec-policy HAND > sak-rekey-interval seconds 600",
    "key chain ls-Hu0-0-0-2-b",
    `key chain ls-Hu0-0-0-2-b > macsec > key ${cknOf(3).toUpperCase()}`,
    `key chain ls-Hu0-0-0-2-b > macsec > key ${cknOf(3).toUpperCase()} > ` +
      "lifetime 18:00:30 november 25 2026 duration 86400",
    `interface ${port(2)} > macsec psk-keychain ls-Hu0-0-0-2-a ` +
      "fallback-psk-keychain ls-Hu0-0-0-2-b policy HAND",
  ]);
  expect(missing).toEqual([
    "macsec-policy HAND > cipher-suite GCM-AES-XPN-256",
    "macsec-policy HAND > conf-offset CONF-OFFSET-0",
    "macsec-policy HAND > security-policy must-secure",
    "macsec-policy HAND > key-server-priority 20",
    `interface ${port(2)} > macsec psk-keychain ls-Hu0-0-0-2-a policy HAND`,
  ]);
});

it("a port without anything lacks all lines of the driver, and its key is a label", () => {
  const { foreign, missing } = compared({}, 0, { ckn: cknOf(5) });
  expect(foreign).toEqual([]);
  expect(missing).toContain("macsec-policy ls-Hu0-0-0-0");
  expect(missing).toContain(`macsec > key ${cknOf(5)}`);
  expect(missing.join("\n")).toContain("key-string [secret cak] cryptographic-algorithm");
});
