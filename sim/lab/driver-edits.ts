// Everything that a driver sends to a device, for readers and for the checkers of others: the
// driver itself makes each change of the contract on an emulated router, and what it sends is kept.

import { platforms } from "#drivers/index.ts";
import type { Capabilities, DeviceChange, PortChange, Transaction } from "#hal/device.ts";
import { LinksealError } from "#hal/error.ts";
import type { CipherSuite, Ckn, DrainMeans, KeyRef, PortName, WantedSettings } from "#hal/model.ts";
import { type Command, preview } from "#hal/secret.ts";
import type { TunnelSpec } from "#hal/tunnel-spec.ts";
import { type ByHand, byHandCkn, EditBench, type RouterName, shortMark } from "./edit-bench.ts";
import type { Edit, EditList, EditPlatform } from "./edit-list.ts";

type Committed = "final" | "refused" | "timed" | "confirmed" | "takenBack";

/** A change, and the state that it starts from. */
interface Scenario {
  /** The first word is that of the contract. */
  readonly text: string;
  readonly before?: DeviceChange;
  readonly byHand?: ByHand;
  readonly change: DeviceChange;
  readonly committed?: Committed;
  readonly vrf?: string;
  readonly engines?: "two";
}

const never = new AbortController().signal;
const revertMs = 60_000;

/** Makes every change that the driver offers for this model and release. */
export async function driverEdits(
  platform: EditPlatform & { readonly driver: RouterName },
): Promise<EditList> {
  const { offers } = platforms[platform.driver].driver;
  const usual = { platform, vrf: undefined, engines: "one" } as const;
  await using first = await EditBench.open({ ...usual, capabilities: offers });
  const { capabilities: offered, port } = first;
  // A router has its ports whether the driver offers MACsec on them or not.
  const { macsec = offers.macsec } = offered;
  const capabilities = { ...offered, ...(macsec && { macsec }) };
  const edits: Edit[] = [];
  for (const scenario of scenariosFor(platform.driver, offered, port)) {
    const { vrf, engines = "one" } = scenario;
    await using bench = await EditBench.open({ platform, capabilities, vrf, engines });
    edits.push(...editsIn(scenario, await sentIn(scenario, bench)));
  }
  return { schema: "linkseal.edits/1", platform, edits };
}

async function sentIn(
  { before = [], byHand, change, committed = "final" }: Scenario,
  bench: EditBench,
): Promise<readonly Command[]> {
  const prepared = (wanted: DeviceChange): Promise<Transaction> =>
    bench.run((device, keys) => device.prepare(wanted, keys, never));
  if (before.length > 0) {
    const transaction = await prepared(before);
    await bench.run(() => transaction.apply("final", never));
  }
  if (byHand !== undefined) await bench.byHand(byHand);
  const transaction = await prepared(change);
  if (committed === "refused") bench.refuseLines();
  const isFinal = committed === "final" || committed === "refused";
  const applied = await bench.sentFor(async () => {
    try {
      await transaction.apply(isFinal ? "final" : revertMs, never);
    } catch (error) {
      if (committed !== "refused" || !(error instanceof LinksealError)) throw error;
    }
  });
  switch (committed) {
    case "final":
    case "refused":
    case "timed":
      return applied;
    case "confirmed":
      return await bench.sentFor(() => transaction.confirm(never));
    case "takenBack":
      return await bench.sentFor(() => transaction.rollback(never));
  }
}

/** Queries, the line that finds the prompt again, and what prepares a terminal. */
const question =
  /^(?:(?:do )?show |ping |terminal |enable$|! [0-9a-f]{16}$|y?$|<(?:get|lock|hello|ping)\b)/;

function editsIn({ text: change }: Scenario, sent: readonly Command[]): readonly Edit[] {
  const texts = sent.map(textOf).filter((text) => !question.test(text));
  if (texts.length === 0) throw new RangeError(`nothing was sent for: ${change}`);
  if (!texts.some((text) => text.startsWith("<"))) {
    return [{ change, channel: "cli", text: texts.join("\n") }];
  }
  return texts.map((text): Edit => {
    return { change: `${change}${stepOf(text)}`, channel: "netconf", text };
  });
}

const stepOf = (text: string): string => (text.startsWith("<edit-config>") ? "" : " (its commit)");

/** Returns a line without its end, or the operation in a message of NETCONF. */
function textOf(command: Command): string {
  const text = preview(command).replaceAll(/\[secret ([\w-]+)\]/g, "$1");
  return (/<rpc\b[^>]*>(.*)<\/rpc>/s.exec(text)?.[1] ?? text).trim();
}

function scenariosFor(
  driver: RouterName,
  { macsec, ipsec, drain, commit }: Capabilities,
  port: PortName,
): readonly Scenario[] {
  return [
    ...(macsec === undefined
      ? []
      : [
          ...settingScenarios(macsec.suites, macsec.always ?? [], port),
          // EOS has no other offset than 0.
          ...(driver === "eos" ? [] : offsetScenarios(macsec.suites, port)),
          ...keyScenarios(macsec.overlap, macsec.suites, port),
        ]),
    ...portScenarios(commit.kind === "confirmed", port),
    ...(driver === "junos" ? [onTwoEngines(port)] : []),
    ...(drain?.means ?? []).flatMap((means) => drainScenarios(means, port)),
    ...(ipsec === undefined ? [] : tunnelScenarios),
    // EOS has no AES-GCM for IKE.
    ...(ipsec === undefined || driver === "eos" ? [] : [withGcmForIke]),
  ];
}

function keyNamed(name: string, octet: string): KeyRef {
  const version = "1".repeat(32);
  return {
    ckn: octet.repeat(32) as Ckn,
    cakSecretId: `https://erd.vault.example/secrets/${name}-cak/${version}`,
    cknSecretId: `https://erd.vault.example/secrets/${name}-ckn/${version}`,
  };
}

const [oldKey, newKey] = [keyNamed("erd-old", "0a"), keyNamed("erd-next", "0b")];
const shortKey = keyNamed(`erd-${shortMark}`, "0d");

const wanted = (suite: CipherSuite): WantedSettings => ({
  suite,
  includeSci: true,
  confidentialityOffset: 0,
  keyServerPriority: 16,
  replayWindow: 64,
  sakRekeyMs: undefined,
});

/** The usual suite of a platform: 256 bits, with extended packet numbers where it has them. */
function usual(suites: readonly CipherSuite[]): CipherSuite {
  const long = suites.filter((suite) => suite.endsWith("256"));
  return long.find((suite) => suite.includes("xpn")) ?? long[0] ?? suites[0] ?? "gcm-aes-128";
}

const addKey = (port: PortName, key: KeyRef, role: "primary" | "fallback"): PortChange => ({
  kind: "macsec.addKey",
  port,
  key,
  role,
});

/** Makes changes of settings on a port with these suites. */
function settingsOn(suites: readonly CipherSuite[], port: PortName) {
  const base = wanted(usual(suites));
  const protect = (over: Partial<WantedSettings>): PortChange => {
    return { kind: "macsec.protect", port, settings: { ...base, ...over } };
  };
  const from = (over: Partial<WantedSettings>): DeviceChange => [
    protect(over),
    addKey(port, oldKey, "primary"),
  ];
  /** A change of a setting, and the way back. */
  const leaf = (
    text: string,
    is: Partial<WantedSettings>,
    was: Partial<WantedSettings> = {},
  ): readonly Scenario[] => [
    { text: `macsec.protect with ${text}`, before: from(was), change: [protect(is)] },
    { text: `macsec.protect with ${text}, back`, before: from(is), change: [protect(was)] },
  ];
  return { base, protect, from, leaf };
}

function offsetScenarios(suites: readonly CipherSuite[], port: PortName): readonly Scenario[] {
  const suite = suites.find((one) => !one.includes("xpn"));
  const offset = { suite, confidentialityOffset: 30 } as const;
  if (suite === undefined) return [];
  return settingsOn(suites, port).leaf("an offset", { ...offset, suite }, { suite });
}

function settingScenarios(
  suites: readonly CipherSuite[],
  always: readonly string[],
  port: PortName,
): readonly Scenario[] {
  const { base, protect, from, leaf } = settingsOn(suites, port);
  return [
    { text: "macsec.protect on a port without MACsec", change: [protect({})] },
    { text: "macsec.protect with its first key", change: from({}) },
    {
      text: "macsec.protect on a port that sends in the clear without a session",
      before: from({}),
      byHand: "shouldSecure",
      change: [protect({})],
    },
    ...suites
      .filter((suite) => suite !== base.suite)
      .flatMap((suite) => leaf(`another suite, ${suite}`, { suite })),
    ...(always.includes("includeSci")
      ? []
      : leaf("frames that carry no SCI", { includeSci: false })),
    ...leaf("another key server priority", { keyServerPriority: 200 }),
    ...leaf("another replay window", { replayWindow: 128 }),
    ...(always.includes("replayWindow")
      ? []
      : leaf("no replay protection", { replayWindow: undefined })),
    ...leaf("a SAK for one hour", { sakRekeyMs: 3_600_000 }),
    ...leaf("a SAK for two hours", { sakRekeyMs: 7_200_000 }, { sakRekeyMs: 3_600_000 }),
  ];
}

/** How the old key of two goes, and on a key chain what the next rotation does after that. */
function retirements(
  overlap: "keychain" | "fallback" | "none",
  port: PortName,
  both: DeviceChange,
): readonly Scenario[] {
  const keys = [oldKey, newKey];
  const promote = { kind: "macsec.promoteKey", port, ckn: newKey.ckn, keys } as const;
  const retired = [...both, removeKey(port, oldKey)];
  const again = addKey(port, oldKey, "primary");
  const retire = [removeKey(port, oldKey)];
  switch (overlap) {
    case "keychain":
      return [
        { text: "macsec.removeKey for the old one", before: both, change: retire },
        { text: "macsec.addKey in the next rotation", before: retired, change: [again] },
        {
          text: "macsec.removeKey in the next rotation",
          before: [...retired, again],
          change: [removeKey(port, newKey)],
        },
      ];
    case "fallback":
      return [
        { text: "macsec.promoteKey for the fallback key", before: both, change: [promote] },
        {
          text: "macsec.removeKey for the old one after its promotion",
          before: [...both, promote],
          change: retire,
        },
      ];
    case "none":
      return [];
  }
}

const removeKey = (port: PortName, { ckn }: KeyRef): PortChange => ({
  kind: "macsec.removeKey",
  port,
  ckn,
});

function keyScenarios(
  overlap: "keychain" | "fallback" | "none",
  suites: readonly CipherSuite[],
  port: PortName,
): readonly Scenario[] {
  const protect = { kind: "macsec.protect", port, settings: wanted(usual(suites)) } as const;
  const first = [protect, addKey(port, oldKey, "primary")];
  const second = addKey(port, newKey, overlap === "fallback" ? "fallback" : "primary");
  const both = [...first, second];
  return [
    {
      text: "macsec.addKey on a port with settings and no key",
      before: [protect],
      change: [addKey(port, oldKey, "primary")],
    },
    ...(overlap === "none"
      ? [
          {
            text: "macsec.removeKey for one that an operator added",
            before: first,
            byHand: "secondKey" as const,
            change: [{ kind: "macsec.removeKey", port, ckn: byHandCkn } as const],
          },
        ]
      : [
          { text: "macsec.addKey beside the key in use", before: first, change: [second] },
          {
            text: "macsec.removeKey for the new one",
            before: both,
            change: [removeKey(port, newKey)],
          },
        ]),
    ...retirements(overlap, port, both),
    {
      text: "macsec.replaceKey for the only key",
      before: first,
      change: [{ kind: "macsec.replaceKey", port, key: newKey }],
    },
    {
      text: "macsec.replaceKey once more",
      before: [...first, { kind: "macsec.replaceKey", port, key: newKey }],
      change: [{ kind: "macsec.replaceKey", port, key: oldKey }],
    },
    ...suites
      .filter((suite) => suite.endsWith("128"))
      .map((suite): Scenario => {
        const settings = wanted(suite);
        return {
          text: `macsec.replaceKey by a key of 128 bits for ${suite}`,
          before: first,
          change: [
            { kind: "macsec.replaceKey", port, key: shortKey },
            { kind: "macsec.protect", port, settings },
          ],
        };
      }),
  ];
}

function portScenarios(hasTimer: boolean, port: PortName): readonly Scenario[] {
  const shut = [{ kind: "port.shut", port }] as const;
  const timed: readonly Scenario[] = [
    {
      text: "port.shut until the device takes it back, unless it is confirmed",
      change: shut,
      committed: "timed",
    },
    { text: "port.shut and its confirmation", change: shut, committed: "confirmed" },
    { text: "port.shut and its rollback", change: shut, committed: "takenBack" },
  ];
  const text = "port.shut if the device refuses a line of it";
  const refused = { text, change: shut, committed: "refused" } as const;
  return [
    { text: "port.shut", change: shut },
    { text: "port.open", before: shut, change: [{ kind: "port.open", port }] },
    ...(hasTimer ? timed : [refused]),
  ];
}

const onTwoEngines = (port: PortName): Scenario => ({
  text: "port.shut on a router with two routing engines",
  change: [{ kind: "port.shut", port }],
  engines: "two",
});

function drainScenarios(means: DrainMeans, port: PortName): readonly Scenario[] {
  const drain = [{ kind: "port.drain", port, means }] as const;
  const restore = [{ kind: "port.restore", port, means }] as const;
  return [undefined, "azure"].flatMap((vrf): readonly Scenario[] => {
    const where = vrf === undefined ? "" : ", in a VRF";
    const at = vrf === undefined ? {} : { vrf };
    return [
      { text: `port.drain by ${means}${where}`, change: drain, ...at },
      { text: `port.restore from ${means}${where}`, before: drain, change: restore, ...at },
    ];
  });
}

const hub: TunnelSpec = {
  name: "hub-1",
  localAddress: "198.51.100.1",
  remoteAddress: "203.0.113.1",
  localPrefixes: ["10.1.0.0/16"],
  remotePrefixes: ["10.100.0.0/16"],
  // Every platform with tunnels has this policy.
  ike: { encryption: "aes-256-cbc", integrity: "sha384", prf: "sha384", dhGroup: "ecp-384" },
  transforms: { encryption: "aes-256-gcm", integrity: "none", dhGroup: "ecp-384" },
  life: { seconds: 28_800, kilobytes: 102_400_000 },
  mtu: 1400,
  ifId: 1,
  auth: { kind: "psk", secretId: `https://erd.vault.example/secrets/hub-1-psk/${"1".repeat(32)}` },
};

const put = (over: Partial<TunnelSpec> = {}): PortChange => ({
  kind: "ipsec.putTunnel",
  tunnel: { ...hub, ...over },
});

const other = { name: "hub-2", remoteAddress: "203.0.113.2", remotePrefixes: ["10.101.0.0/16"] };
const rotated = `https://erd.vault.example/secrets/hub-1-psk/${"2".repeat(32)}`;

const withGcmForIke: Scenario = {
  text: "ipsec.putTunnel with AES-GCM for IKE",
  change: [put({ ike: { ...hub.ike, encryption: "aes-256-gcm", integrity: "none" } })],
};

const tunnelScenarios: readonly Scenario[] = [
  { text: "ipsec.putTunnel for the first one", change: [put()] },
  { text: "ipsec.putTunnel for one more", before: [put()], change: [put(other)] },
  {
    text: "ipsec.putTunnel with another pre-shared key",
    before: [put()],
    change: [put({ auth: { kind: "psk", secretId: rotated } })],
  },
  {
    text: "ipsec.putTunnel for other prefixes",
    before: [put()],
    change: [put({ remotePrefixes: ["10.177.0.0/16"] })],
  },
  {
    text: "ipsec.putTunnel with another life of its SAs",
    before: [put()],
    change: [put({ life: { seconds: 27_000, kilobytes: 51_200_000 } })],
  },
  {
    text: "ipsec.putTunnel without perfect forward secrecy",
    before: [put()],
    change: [put({ transforms: { ...hub.transforms, dhGroup: "none" } })],
  },
  {
    text: "ipsec.putTunnel with CBC and a digest for ESP",
    before: [put()],
    change: [
      put({ transforms: { encryption: "aes-256-cbc", integrity: "sha256", dhGroup: "ecp-384" } }),
    ],
  },
  {
    text: "ipsec.removeTunnel for the only one",
    before: [put()],
    change: [{ kind: "ipsec.removeTunnel", name: hub.name }],
  },
  {
    text: "ipsec.removeTunnel for one of two",
    before: [put(), put(other)],
    change: [{ kind: "ipsec.removeTunnel", name: other.name }],
  },
];
