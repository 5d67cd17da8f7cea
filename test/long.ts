// The parts of `npm run test:long`, none of which takes two quiet processors more than an hour.

import { areas } from "./mutate/areas.ts";

export type Run =
  /** `files`: tests, or folders that end in "/"; `effort`: as in effort.ts. */
  | { readonly kind: "tests"; readonly effort: "long" | "usual"; readonly files: readonly string[] }
  /** An area of `npm run mutate`. */
  | { readonly kind: "mutation"; readonly area: string };

export interface Part {
  readonly name: string;
  /** Description of the part, as the end of a sentence. */
  readonly what: string;
  /** Runs, one after the other. */
  readonly runs: readonly Run[];
  /** A program that uses the processors meanwhile; absent = none. */
  readonly beside?: readonly string[];
}

const named = (folder: string, names: readonly string[]): readonly string[] =>
  names.map((name) => `test/${folder}/${name}.test.ts`);

const long = (name: string, what: string, ...files: readonly (readonly string[])[]): Part => ({
  ...{ name, what },
  runs: [{ kind: "tests", effort: "long", files: files.flat() }],
});

const usual = (...tiers: readonly string[]): Run => ({
  ...{ kind: "tests", effort: "usual" },
  files: tiers.map((tier) => `test/${tier}/`),
});

/** More workers than processors, so that each test waits for a processor again and again. */
const busy = ["stress-ng", "--cpu", "4"];

const mutations = Object.keys(areas).map(
  (area): Part => ({
    name: `mutation-${area}`,
    what: `each change of the code of ${area} that its tests have to notice`,
    runs: [{ kind: "mutation", area }],
  }),
);

/** All parts, in the order in which they run. */
export const parts: readonly Part[] = [
  long("storms", "rotations under faults, 5,000 seeds", named("fleet", ["rotations"])),
  long(
    "later-saks",
    "5,000 rotations, one device in five with hardware that fails at a later SAK",
    named("fleet", ["later-saks"]),
  ),
  long(
    "permits",
    "5,000 rotations beside a hub that does what no honest one would",
    named("fleet", ["permits"]),
  ),
  long(
    "fleet",
    "agents under faults, beside routers of each vendor, and for a month",
    named("fleet", ["eos", "evidence", "fleet", "iosxe", "iosxr", "iosxr-cut", "junos", "nxos"]),
    named("fleet", [
      "arm-lost",
      "arm-rights",
      "junos-cut",
      "rotation",
      "routing-instances",
      "start",
      "surfaces",
      "tunnel-storm",
      "tunnels",
    ]),
    named("conformance", ["vendors-served"]),
  ),
  long(
    "deaths",
    "agents that die at every message to a router, at every record and every effect",
    named("fleet", [
      "arm-kill",
      "kill",
      "restarts",
      "reload",
      "restored-backup",
      "router-deaths",
      "unsaved",
    ]),
  ),
  long(
    "peer-cuts",
    "the path to another Linux host, cut at every frame of a rotation, and the agent's host lost",
    named("fleet", ["peer-cuts", "peer-host-end"]),
  ),
  long(
    "kills",
    "real agents that are killed at every point and disk call, flooded and started again",
    named("process", ["disk-calls", "evidence-flood", "kill", "restart"]),
  ),
  long(
    "loopback",
    "real agents beside real SSH and TLS, killed at every point",
    named("process", ["loopback"]),
  ),
  long(
    "struck",
    "real agents beside real SSH and TLS, struck by faults, and upgraded",
    named("process", ["loopback-faults", "upgrade"]),
  ),
  long(
    "models",
    "every state of a campaign that two faults more lead to",
    named("unit", [
      "model/campaign-needs",
      "model/campaign-space",
      "model/shared-fate",
      "model/tunnel-space",
    ]),
  ),
  long(
    "waves",
    "two hubs that are killed and overtaken between any two calls, 5,000 waves",
    named("unit", ["agent/hub/wave-storm"]),
  ),
  long(
    "fuzz",
    "a million hostile inputs for each reader of the agent and the host",
    named("unit", [
      "agent/api/api-hostile",
      "agent/azure/azure-hostile",
      "agent/compare/permissions",
      "agent/config/config",
      "agent/evidence/report",
      "agent/evidence/scorecard/documents",
      "agent/fleet/records",
      "agent/host/files-hostile",
      "agent/rotation/window",
      "agent/runtime/polling/vault-race",
      "hal/json",
      "hal/key-lines",
      "hal/sent-secrets",
    ]),
  ),
  long(
    "fuzz-drivers",
    "a million hostile inputs for each driver, and the drawn cases of every codec",
    named("unit/drivers", [
      "azure/expressroute-document",
      "eos/eos-hostile",
      "iosxe/iosxe-hostile",
      "iosxr/iosxr-hostile",
      "junos/junos-hostile",
      "transport/cli-hostile",
      "transport/netconf",
      "transport/snmp-hostile",
      "transport/vici",
    ]),
    named("unit/drivers/linux", [
      "driver/linux-probe",
      "macsec/linux-port",
      "mka/kay-change",
      "mka/kay-hostile",
      "mka/kay-rekey",
      "mka/mka-protocol",
      "mka/mka-worlds",
      "net/net-commits-death",
      "net/net-requests",
      "net/net-stack",
      "netlink/linux-subnet",
      "netlink/netlink-codecs",
      "netlink/netlink-hostile",
      "peer/peer-hostile",
    ]),
  ),
  long(
    "dirty",
    "a hundred thousand changes of real layouts for each reader of a router's answers",
    named("unit", [
      "drivers/iosxe/iosxe-dirty",
      "drivers/iosxr/iosxr-dirty",
      "drivers/nxos/nxos-dirty",
      "drivers/junos/junos-dirty",
      "drivers/junos/junos-system-dirty",
      "drivers/eos/eos-dirty",
      "drivers/platform/if-mib-dirty",
    ]),
  ),
  long(
    "age",
    "an agent that rotates each day for a year, and one whose link flaps for two weeks",
    named("fleet", ["age"]),
  ),
  long(
    "hostile",
    "what hostile routers cost, an agent beside them, and XML read twice",
    named("process", ["hostile-cost", "hostile-site"]),
    named("unit", ["drivers/transport/xml-second-reading"]),
  ),
  long(
    "claims",
    "worlds in which each fact of a claim was seen, on every platform",
    named("conformance", ["claims/worlds"]),
  ),
  long(
    "damaged",
    "answers of each vendor's router that are damaged on their way over SSH",
    named("conformance", ["damaged"]),
    named("peers", ["damaging-proxy"]),
  ),
  long("azure-cli", "Microsoft's command at the simulated cloud", named("peers", ["azure-cli"])),
  long("kernel", "real kernels, each test of them, with all of its cases", ["test/kernel/"]),
  {
    ...{ name: "load", what: "the tiers without a kernel, twice, beside a busy machine" },
    runs: Array.from({ length: 2 }, () => usual("unit", "conformance", "fleet", "process")),
    beside: busy,
  },
  {
    ...{ name: "load-kernel", what: "the kernel tier beside a busy machine" },
    runs: [usual("kernel")],
    beside: busy,
  },
  ...mutations,
];

/** Returns the names of the parts that take this test file in its long form. */
export function partsOf(file: string): readonly string[] {
  const holds = (run: Run): boolean =>
    run.kind === "tests" &&
    run.effort === "long" &&
    run.files.some((each) => each === file || (each.endsWith("/") && file.startsWith(each)));
  return parts.filter(({ runs }) => runs.some(holds)).map(({ name }) => name);
}
