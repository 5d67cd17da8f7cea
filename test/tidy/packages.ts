// The place of each package, and the reasons.

/** A package, and the only files that may import it. */
interface PackageRow {
  readonly name: string;
  readonly where: RegExp;
  readonly why: string;
}

/**
 * Run-time packages: every one runs in a process that holds keys, so each has one place and one
 * reason.
 */
export const runtimePackages: readonly PackageRow[] = [
  {
    name: "@azure/identity",
    where: /^(agent\/(azure\/identity|cli\/keys-azure)|test\/(.*\/azure-client|azure-sdk\/.*))\./,
    why: "signs in to Entra in every way that Microsoft has; loaded on demand",
  },
  {
    name: "@azure/keyvault-secrets",
    where: /^(agent\/(azure\/[a-z-]+|cli\/keys-azure)|test\/process\/azure-client)\.ts$/,
    why: "Key Vault's challenges, pages and versions; loaded on demand",
  },
  {
    name: "cli-table3",
    where: /^agent\/(hub\/)?cli\//,
    why: "tables on a terminal, 35 ms to start",
  },
  {
    name: "commander",
    where: /^(agent\/(hub\/)?cli\/|agent\/bin\/(verbs|services)\.ts$|sim\/lab\/|test\/docs\/)/,
    why: "verbs, options and their help",
  },
  {
    name: "net-snmp",
    where: /^(drivers\/transport\/snmp|sim\/serve\/snmp|test\/.*)\.ts$/,
    why: "SNMPv3 towards devices, and before a simulated one; loaded on demand",
  },
  {
    name: "pino",
    where: /^agent\/host\/log\.ts$/,
    why: "JSON log lines to standard output, in sync",
  },
  {
    name: "snmp-native",
    where: /^drivers\/transport\/snmp-legacy-child\.ts$/,
    why: "SNMPv2c, in a process of its own: it checks little of what it reads",
  },
  {
    name: "ssh2",
    where: /^(drivers\/transport\/shell|sim\/serve\/ssh|bench\/push\/.*|test\/.*)\.ts$/,
    why: "SSH towards devices, and before a simulated one; loaded on demand",
  },
  {
    name: "ws",
    where: /^(agent\/host\/page-socket|test\/(process\/page-client|peers\/page-stage))\.ts$/,
    why: "frames of a WebSocket, with limits; what is sent over it is ours",
  },
  {
    name: "yaml",
    where: /^(agent\/config\/|test\/docs\/)/,
    why: "keeps line and column of every node",
  },
  { name: "zod", where: /^agent\/config\//, why: "one schema for checks and published reference" },
];

/** Packages of tests and builds: no process with keys runs one. */
export const developmentPackages: readonly PackageRow[] = [
  {
    name: "@azure/arm-authorization",
    where: /^test\/unit\/agent\/operate\/azure-setup\.test\.ts$/,
    why: "Microsoft's own serializer reads the role that is printed",
  },
  {
    name: "@cdktn/hcl2json",
    where: /^test\/unit\/agent\/operate\/azure-setup\.test\.ts$/,
    why: "HashiCorp's own parser, compiled for any machine, reads the Terraform that is printed",
  },
  ...["jetstream", "kv", "transport-node"].map((name) => ({
    name: `@nats-io/${name}`,
    where: /^(test\/peers\/(nats\.test|permit-sites)|bench\/fleet)\.ts$/,
    why: "NATS's own client, as a second reader of what ours writes",
  })),
  {
    name: "@stryker-mutator/core",
    where: /^test\/mutate(\/|\.ts$)/,
    why: "changes code to see whether a test notices",
  },
  {
    name: "axe-core",
    where: /^test\/peers\//,
    why: "what keeps people from using a page, by rules that are not ours",
  },
  {
    name: "esbuild",
    where: /^(\.ci\/|bench\/push\.ts$)/,
    why: "one bundle that starts in 35 ms, and a client to measure as it ships",
  },
  { name: "fast-check", where: /^test\//, why: "properties with a printed seed" },
  {
    name: "libxml2-wasm",
    where: /^test\/unit\/drivers\/transport\/xml-second-reading\.test\.ts$/,
    why: "XML by others, as a second reading of what our reader accepts",
  },
  {
    name: "netlink",
    where: /^test\/unit\/drivers\/linux\/netlink\/[a-z-]*second-reading(\.test)?\.ts$/,
    why: "codecs of rtnetlink by others, as a second reading; its native part is never loaded",
  },
  {
    name: "node-ssh",
    where: /^test\/peers\/node-ssh\.test\.ts$/,
    why: "a client of SSH by others, at simulated routers",
  },
  {
    name: "playwright-core",
    where: /^(test\/peers\/|bench\/page\.ts$)/,
    why: "drives Debian's browser, and brings none",
  },
  {
    name: "preact",
    where: /^agent\/(hub\/)?web\//,
    why: "draws the page anew from what it knows, and text as text; ships in the page's bundle",
  },
  {
    name: "uplot",
    where: /^agent\/web\/plot\.ts$/,
    why: "live plots at a few milliseconds each; ships in the page's bundle",
  },
  { name: "vitest", where: /^(test\/|vitest\.config\.ts$)/, why: "the test runner" },
];
