// Rules between the settings under `devices[].snmp`.

import { accessOf } from "#drivers/index.ts";
import type { Path } from "./complaint.ts";
import { type Finding, finding, type Rule } from "./rule.ts";
import type { Config } from "./schema.ts";

type Snmp = NonNullable<Config["devices"][number]["snmp"]>;
type Key = "user" | "authPassphrase" | "privacyPassphrase" | "community";

const needs: Readonly<Record<Snmp["access"], readonly Key[]>> = {
  v3: ["user", "authPassphrase", "privacyPassphrase"],
  "v2c-readonly": ["community"],
};

const examples: Readonly<Record<Key, string>> = {
  user: "user: linkseal",
  authPassphrase: "authPassphrase: credential:edge-a-snmp-auth",
  privacyPassphrase: "privacyPassphrase: credential:edge-a-snmp-privacy",
  community: "community: credential:edge-a-community",
};

export const snmpRules: readonly Rule[] = [
  {
    says:
      "`devices[].snmp` is for routers; SNMPv3 takes user, authPassphrase and privacyPassphrase, " +
      "v2c-readonly a community alone.",
    *find({ devices }) {
      for (const [i, { driver, snmp }] of devices.entries()) {
        if (snmp === undefined) continue;
        const path: Path = ["devices", i, "snmp"];
        if (accessOf(driver)?.kind !== "ssh") {
          yield finding(path, "is set", `the driver ${driver} does not use SNMP`, "leave it out");
        } else yield* keysOf(snmp, path);
      }
    },
  },
];

function* keysOf(snmp: Snmp, path: Path): Generator<Finding> {
  for (const key of Object.keys(examples) as Key[]) {
    const isNeeded = needs[snmp.access].includes(key);
    if (isNeeded && snmp[key] === undefined) {
      yield finding([...path, key], "is missing", `${snmp.access} needs it`, examples[key]);
    }
    if (!isNeeded && snmp[key] !== undefined) {
      yield finding([...path, key], "is given", `${snmp.access} takes none`, "remove it");
    }
  }
}
