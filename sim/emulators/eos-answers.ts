// The answers of EOS, from the state of the simulated router: the JSON of `| json`, and tables
// where their layout was published.

import type { MacsecPort, MkaSession } from "#hal/model.ts";
import type { Router } from "../router/router.ts";
import type { Questions } from "./cli-answers.ts";
import type { Emulator } from "./emulator.ts";
import type { ConfigSession } from "./eos-config.ts";
import { sessionsOf, sessionTable } from "./eos-sessions.ts";
import { connections, staticRoutes } from "./eos-tunnels.ts";
import { type AdvertisedRoute, otherRoutes, routesFrom } from "./far-end-routes.ts";
import type { Block } from "./line-tree.ts";
import {
  answeredProbes,
  formOf,
  hasIpsec,
  type Json,
  known,
  localAs,
  lossOf,
  memberIds,
  peersOf,
  portsOf,
  portWith,
  protectedPorts,
} from "./router-facts.ts";
import type { Printed } from "./terminal.ts";
import { addressedInterface, interfaceTowards, otherInstance, type Wiring } from "./wiring.ts";

export interface EosModel {
  readonly model: string;
  readonly version: string;
  readonly wiring: Wiring;
  /** The place where the list of sessions names the waiting one: in a row, or beside the rows. */
  readonly timer: "inRow" | "beside";
  /**
   * Messages of syslog come between the lines of answers, as after `terminal monitor`; absent =
   * they do not.
   */
  readonly syslog?: "inAnswers";
}

/** The router that a shell works on: its configuration and the sessions that change it. */
export interface EosConfiguration extends Emulator<readonly Block[]> {
  readonly model: EosModel;
  readonly sessions: ReadonlyMap<string, ConfigSession>;
  /** The configuration as it is printed. */
  readonly shown: readonly Block[];
  hostname(): string;
  /** Follows changes that were made at the router itself. */
  follow(): void;
  /**
   * The session whose commit waits for its confirm, and the uptime in seconds at which it is
   * reverted; undefined if none waits.
   */
  waiting(): { readonly name: string; readonly by: number } | undefined;
  isShut(peer: string): boolean;
  open(given: string | undefined): ConfigSession;
  abort(name: string): void;
  commitNamed(name: string): Printed;
  commit(session: ConfigSession, within: number | "final"): Printed;
  /** Puts lines in force without a session. */
  direct(root: readonly Block[]): void;
}

export const tables: Questions<EosConfiguration, string> = [
  [
    /^configuration sessions detail$/,
    (emulator) => (emulator.model.timer === "beside" ? sessionTable(emulator) : undefined),
  ],
  [/^version$/, ({ router, model, bootedAt }) => versionText(model, router, bootedAt)],
  [/^clock$/, ({ router }) => clockText(router)],
  [/^mac security interface$/, ({ router }) => macSecurityTable(router)],
  [/^mac security mka counters$/, ({ router }) => mkaCounters(router)],
  [
    /^ip security connection detail$/,
    ({ router, current }) => (hasIpsec(router) ? connections(current, router) : undefined),
  ],
];

export const states: Questions<EosConfiguration, Json> = [
  [/^configuration sessions detail$/, (emulator) => sessionsOf(emulator)],
  [/^version$/, ({ router, model, bootedAt }) => version(model, router, bootedAt)],
  [/^clock$/, ({ router }) => clock(router)],
  [/^reload cause$/, ({ router, model, bootedAt }) => reloadCause(router, model, bootedAt)],
  [/^interfaces$/, ({ router, model }) => interfaces(router, model)],
  [/^mac security status$/, ({ router }) => status(router)],
  [/^mac security interface detail$/, ({ router }) => macSecurity(router)],
  [/^mac security participants detail$/, ({ router }) => participants(router)],
  [/^mac security counters detail$/, ({ router }) => counters(router)],
  [/^ip route static$/, ({ router, current }) => staticRoutes(current, router)],
  [
    /^(?:ip|ipv6) route vrf all ([0-9a-f.:]+)$/,
    ({ router, model }, address = "") => routeTo(router, model.wiring, address),
  ],
  [/^bgp summary vrf all$/, (emulator) => bgpSummary(emulator)],
  [
    /^(ip|ipv6) bgp (?:neighbors|peers) (\S+) routes(?: vrf (\S+))?$/,
    ({ router, model: { wiring } }, version, peer = "", vrf) => {
      const family = version === "ip" ? "ipv4" : "ipv6";
      const isOurs = vrf === wiring.vrf;
      return received(isOurs ? routesFrom(router, peer, family) : otherRoutes(family), peer, vrf);
    },
  ],
];

function version({ model, version: software }: EosModel, router: Router, booted: number): Json {
  return {
    mfgName: "Arista",
    modelName: model,
    hardwareRevision: "12.00",
    systemMacAddress: "02:00:00:00:00:01",
    version: software,
    architecture: "x86_64",
    bootupTimestamp: booted / 1000,
    uptime: (router.wall() - booted) / 1000,
    memTotal: 32_000_000,
    memFree: 20_000_000,
  };
}

const systemMac = "0200.0000.0001";

/** Prints what a person reads: names of other fields than in JSON, and the uptime in words. */
function versionText(
  { model, version: software }: EosModel,
  router: Router,
  booted: number,
): string {
  const minutes = Math.floor((router.wall() - booted) / minuteMs);
  const [weeks, days] = [Math.floor(minutes / weekMinutes), Math.floor(minutes / dayMinutes) % 7];
  const [hours, rest] = [Math.floor(minutes / 60) % 24, minutes % 60];
  return [
    `Arista ${model}`,
    "Hardware version: 12.00",
    "Serial number: JPE00000001",
    `Hardware MAC address: ${systemMac}`,
    `System MAC address: ${systemMac}`,
    "",
    `Software image version: ${software}`,
    "Architecture: x86_64",
    `Internal build version: ${software}-1000000.1`,
    "Image format version: 3.0",
    "",
    `Uptime: ${weeks} weeks, ${days} days, ${hours} hours and ${rest} minutes`,
    "Total memory: 32000000 kB",
    "Free memory: 20000000 kB",
    "",
    "",
  ].join("\n");
}

const minuteMs = 60_000;
const dayMinutes = 1_440;
const weekMinutes = 7 * dayMinutes;

function clockText(router: Router): string {
  const [day, date, month, year, time] = new Date(router.wall()).toUTCString().split(/,? /);
  return `${day} ${month} ${date} ${time} ${year}\nTimezone: UTC\nClock source: local\n`;
}

function clock(router: Router): Json {
  return { utcTime: router.wall() / 1000, timezone: "UTC", clockSource: { local: true } };
}

/** Some routers have forgotten the cause of their boot, or never had one. */
function reloadCause(router: Router, { model }: EosModel, booted: number): Json {
  const causes = [
    {
      description: "Reload requested by the user.",
      timestamp: booted / 1000,
      recommendedAction: "No action necessary.",
      debugInfoIsDir: false,
    },
  ];
  const resetCauses = formOf(router, `reset-causes-${model}`, [causes, []]);
  return { kernelCrashData: [], resetCauses, full: false };
}

function status(router: Router): Json {
  const secured = portsOf(router).filter(
    ({ session }) => known(session)?.controlledPort === "secured",
  );
  return {
    securedInterfaces: secured.length,
    licenseEnabled: true,
    fipsMode: false,
    activeProfiles: protectedPorts(router).length,
    delayProtection: false,
  };
}

function perPort(ports: readonly MacsecPort[], describe: (port: MacsecPort) => Json): Json {
  return { interfaces: Object.fromEntries(ports.map((port) => [port.port, describe(port)])) };
}

function interfaces(router: Router, { model }: EosModel): Json {
  const down = formOf(router, `down-${model}`, ["down", "lowerLayerDown", "notPresent"]);
  const reported = perPort(portsOf(router), (port) => {
    const rate = known(port.rate);
    const isUp = known(port.linkUp) === true;
    const idle = known(port.admin) === "down" ? "disabled" : "notconnect";
    return {
      name: port.port,
      forwardingModel: "routed",
      lineProtocolStatus: isUp ? "up" : down,
      interfaceStatus: isUp ? "connected" : idle,
      hardware: "ethernet",
      mtu: 9214,
      bandwidth: rate?.lineBps ?? 0,
      interfaceStatistics: {
        updateInterval: 5,
        inBitsRate: rate?.rxBps ?? 0,
        inPktsRate: rate?.rxPps ?? 0,
        outBitsRate: rate?.txBps ?? 0,
        outPktsRate: rate?.txPps ?? 0,
      },
    };
  });
  const management = {
    name: "Management1",
    lineProtocolStatus: "up",
    interfaceStatus: "connected",
    hardware: "ethernet",
    mtu: 1500,
    bandwidth: 1e9,
  };
  const aggregate = {
    ...{ name: "Port-Channel1", lineProtocolStatus: "lowerLayerDown", hardware: "portChannel" },
    ...{ interfaceStatus: "notconnect", mtu: 9214, bandwidth: 0 },
  };
  const others = { Management1: management, "Port-Channel1": aggregate };
  return { interfaces: { ...(reported["interfaces"] as Json), ...others } };
}

const address = (port: string): string => `02:00:00:00:00:0${/\d/.exec(port)?.[0] ?? "0"}`;

/** Lists only ports with a bound profile; the others have nothing to report. */
function macSecurity(router: Router): Json {
  return perPort(protectedPorts(router), (port) => {
    const session = known(port.session);
    const settings = known(port.settings);
    const [mi = "", kn = "0"] = session?.latestSak?.keyId.split("/") ?? [];
    const [oldMi = "", oldKn = "0"] = session?.oldSak?.keyId.split("/") ?? [];
    return {
      address: address(port.port),
      portId: 501,
      controlledPort: session?.controlledPort !== "blocked",
      keyMsgId: mi,
      keyNum: Number(kn),
      details: {
        keyServerPriority: session?.keyServerPriority ?? settings?.keyServerPriority ?? 16,
        sessionReKeyPeriod: (settings?.sakRekeyMs ?? 0) / 1000,
        traffic: trafficWords[session?.controlledPort ?? "blocked"],
        latestKeyMsgId: mi,
        latestKeyMsgNum: Number(kn),
        latestKeyReceiving: session?.latestSak?.receive ?? false,
        latestKeyTransmitting: session?.latestSak?.transmit ?? false,
        oldKeyMsgId: oldMi,
        oldKeyMsgNum: Number(oldKn),
        oldKeyReceiving: session?.oldSak?.receive ?? false,
        oldKeyTransmitting: session?.oldSak?.transmit ?? false,
        fipsPostStatus: "none",
        localSsci: settings?.suite.includes("xpn") === true ? "00000001" : "00000000",
      },
    };
  });
}

const trafficWords: Readonly<Record<MkaSession["controlledPort"], string>> = {
  secured: "Protected",
  unprotected: "Unprotected",
  blocked: "Dropped",
};

function macSecurityTable(router: Router): string {
  const rows = protectedPorts(router).map((port) => {
    const session = known(port.session);
    const isOpen = session?.controlledPort !== "blocked";
    const key = session?.latestSak?.keyId.replace("/", ":") ?? "None";
    const sci = `${address(port.port)}::501`;
    return cells([port.port, sci, isOpen ? "True" : "False", key]);
  });
  const head = cells(["Interface", "SCI", "Controlled Port", "Key in Use"]);
  return `${[head, ...rows].join("\n")}\n`;
}

const widths = [16, 26, 21, 20];

function cells(row: readonly string[]): string {
  return row.map((cell, index) => cell.padEnd(widths[index] ?? 0)).join("");
}

function participants(router: Router): Json {
  return perPort(protectedPorts(router), (port) => {
    const session = known(port.session);
    const roles = new Map(known(port.keys)?.map(({ ckn, role }) => [ckn, role]));
    return {
      participants: Object.fromEntries(
        (session?.participants ?? []).map((one) => {
          const isPrincipal = one.ckn === session?.principalCkn;
          const reported = { ...one, isPrincipal, isFallback: roles.get(one.ckn) === "fallback" };
          return [one.ckn, participant(reported, session)];
        }),
      ),
    };
  });
}

interface EosPort {
  readonly state: MkaSession["participants"][number]["state"];
  readonly livePeers: number;
  readonly potentialPeers: number;
  readonly isPrincipal: boolean;
  readonly isFallback: boolean;
}

function participant(one: EosPort, session: MkaSession | undefined): Json {
  const self = session?.keyServer === "self";
  const [mi = "", kn = "0"] = session?.latestSak?.keyId.split("/") ?? [];
  return {
    msgId: "b".repeat(24),
    success: one.livePeers > 0,
    principalActor: one.isPrincipal,
    defaultActor: one.isFallback,
    electedSelf: self && one.livePeers > 0,
    details: {
      keyServerAddr: self ? "02:00:00:00:00:01" : "06:00:00:00:00:00",
      keyServerPortId: 501,
      keyServerMsgId: one.isPrincipal ? mi : "",
      keyNum: one.isPrincipal ? Number(kn) : 0,
      sakTransmit: one.isPrincipal && session?.latestSak?.transmit === true,
      llpnExhaustion: 0,
      livePeerList: memberIds(one.livePeers, "a"),
      potentialPeerList: memberIds(one.potentialPeers, "c"),
    },
  };
}

function counters(router: Router): Json {
  return perPort(protectedPorts(router), (port) => {
    const frames = known(port.frames);
    const mkpdus = known(port.mkpdus);
    const count = (value: bigint | undefined): number => Number(value ?? 0n);
    return {
      outPktsEncrypted: count(frames?.txProtected),
      outOctetsEncrypted: count(frames?.txProtected) * 400,
      inPktsDecrypted: count(frames?.rxOk),
      inOctetsDecrypted: count(frames?.rxOk) * 400,
      countersDetail: {
        inPktsOK: count(frames?.rxOk),
        inPktsUnchecked: 0,
        inPktsNotUsingSA: count(frames?.rxNotUsingSa),
        inPktsNoTag: count(frames?.rxClear),
        inPktsTagged: 0,
        inPktsBadTag: count(frames?.rxBadTag),
        inPktsNoSCI: count(frames?.rxNoSci) + count(frames?.rxUnknownSci),
        inPktsNotValid: count(frames?.rxNotValid),
        inPktsLate: count(frames?.rxLate),
        inPktsCtrl: count(frames?.rxOk) + count(mkpdus?.received),
        // Frames that may leave in the clear are counted together with those that leave so by
        // mistake.
        outPktsUntagged: count(frames?.txClear) + count(mkpdus?.sent),
        outPktCtrl: count(frames?.txProtected) + count(mkpdus?.sent),
        outPktsTooLong: count(frames?.txTooLong),
      },
    };
  });
}

function mkaCounters(router: Router): string {
  const heads = ["Interface", "Rx Success", "Rx Failure", "Tx Success", "Tx Failure"];
  const rows = protectedPorts(router).map((port) => {
    const reported = known(port.mkpdus);
    const lost =
      (reported?.icvFailed ?? 0n) + (reported?.unknownCkn ?? 0n) + (reported?.replayed ?? 0n);
    return [port.port, (reported?.received ?? lost) - lost, lost, reported?.sent ?? 0n, 0n];
  });
  const table = [heads, ...rows].map((row) => row.map((cell) => String(cell).padEnd(16)).join(""));
  return `${table.join("\n")}\n`;
}

function bgpSummary(emulator: EosConfiguration): Json {
  const { router, model } = emulator;
  const peers = [...peersOf(router)].map(([port, peer]): [string, Json] => {
    const up = router.bgpUp(port);
    const isShut = emulator.isShut(peer);
    const idle = isShut ? { peerStateIdleReason: "Admin" } : {};
    const state = isShut ? "Idle" : "Active";
    return [peer, { peerState: up ? "Established" : state, peerAsn: "12076", ...idle }];
  });
  // The same addresses appear again, behind the ports of other neighbours.
  const others = peers.map(([peer]) => [peer, { peerState: "Established", peerAsn: "64999" }]);
  const listed = (vrf: string, all: readonly (readonly unknown[])[]): Json => ({
    [vrf]: { vrf, routerId: "192.0.2.1", asn: localAs, peers: Object.fromEntries(all) },
  });
  const { wiring } = model;
  return {
    vrfs: {
      ...listed(wiring.vrf ?? "default", peers),
      ...listed(otherInstance(wiring) ?? "default", others),
    },
  };
}

function received(
  routes: readonly AdvertisedRoute[],
  peer: string,
  vrf: string | undefined = "default",
): Json {
  const entries = routes.map(({ prefix, paths }): [string, Json] => {
    const bgpRoutePaths = paths.map((active) => {
      const type = { valid: true, active, ecmp: false, ecmpHead: false, ecmpContributor: false };
      return { nextHop: peer, routeType: { ...type, backup: false, stale: false } };
    });
    const [address, length] = prefix.split("/");
    return [prefix, { address, maskLength: Number(length), bgpRoutePaths }];
  });
  return { vrfs: { [vrf]: { vrf, bgpRouteEntries: Object.fromEntries(entries) } } };
}

function routeTo(router: Router, wiring: Wiring, destination: string): Json {
  const at = { wiring, management: "Management1", managed: undefined, prefix: "Port-Channel" };
  const routesOf = (vrf: string | undefined): Json => {
    const port = interfaceTowards(router, destination, vrf, at);
    const via = { nexthopAddr: "192.0.2.254", interface: port };
    const routes = port === undefined ? {} : { "0.0.0.0/0": { routeType: "static", vias: [via] } };
    return { routingDisabled: false, routes };
  };
  const vrfs = [undefined, wiring.vrf ?? otherInstance(wiring)];
  return { vrfs: Object.fromEntries(vrfs.map((vrf) => [vrf ?? "default", routesOf(vrf)])) };
}

/** Prints the answer of `ping` as its Linux does. */
export function ping(
  { router, model: { wiring } }: EosConfiguration,
  { host, out, vrf }: { readonly host: string; readonly out: string; readonly vrf?: string },
  count: number,
): string {
  const port = portWith(router, host);
  const own = port && addressedInterface(router, port, wiring, "Port-Channel");
  const isThere = vrf === wiring.vrf && own === out;
  const answered = answeredProbes(router, isThere ? port : undefined, count);
  const loss = lossOf(count, answered);
  return [
    `PING ${host} (${host}) 72(100) bytes of data.`,
    "",
    `--- ${host} ping statistics ---`,
    `${count} packets transmitted, ${answered} received, ${loss}% packet loss, time 48ms`,
    "",
  ].join("\n");
}
