// The answers of a Junos router, from the state of the simulated router.

import type { MacsecPort, MkaSession } from "#hal/model.ts";
import type { Router } from "../router/router.ts";
import { type ConfigNode, entries, entry, nodes, optional } from "./config-tree.ts";
import type { Emulator } from "./emulator.ts";
import { type AdvertisedRoute, otherRoutes, routesFrom } from "./far-end-routes.ts";
import { bgpIn, isEncrypted } from "./junos-config.ts";
import { ikeSas, ipsecSas, staticRoutes, tunnelInterfaces } from "./junos-tunnel-answers.ts";
import {
  answeredProbes,
  formOf,
  known,
  localAs,
  lossOf,
  memberIds,
  peersOf,
  portsOf,
  portWith,
  protectedPorts,
} from "./router-facts.ts";
import { addressedInterface, interfaceTowards, otherInstance, type Wiring } from "./wiring.ts";
import { child, childText, type XmlNode } from "./xml-text.ts";

export interface Model {
  readonly model: string;
  readonly version: string;
  /** The names of a cluster's nodes, each of which answers; absent = the router is alone. */
  readonly nodes?: readonly [string, string];
  /** The state of a second routing engine; absent = there is none. */
  readonly secondEngine?: "OK" | "Present";
  readonly wiring: Wiring;
}

export interface HistoryEntry {
  readonly user: string;
  readonly client: string;
  readonly wall: number;
  readonly log: string | undefined;
  readonly comment: string | undefined;
}

type Answer = readonly ConfigNode[];

/** The parts of the emulator that answers are made of. */
export interface JunosConfiguration extends Emulator<ConfigNode> {
  readonly model: Model;
  /** Returns the commit history, with the commit that waits. */
  commits(): Answer;
}

/** Returns the answer to an operation; undefined if it is not known. */
export function answerOf(emulator: JunosConfiguration, operation: XmlNode): Answer | undefined {
  const answer = questions.get(operation.name)?.(emulator, operation);
  const { nodes: names } = emulator.model;
  const ofOther = perNode.get(operation.name);
  if (answer === undefined || names === undefined || ofOther === undefined) return answer;
  const [first, second] = names;
  const form = formOf(emulator.router, `second-node-${emulator.model.model}`, [
    "empty",
    "same",
  ] as const);
  const other = ofOther === "same" || form === "same" ? answer : nodes`${ofOther};`;
  return nodes`
    multi-routing-engine-results {
      multi-routing-engine-item { re-name ${first}; ${answer} }
      multi-routing-engine-item { re-name ${second}; ${ofOther === "ports" ? [] : other} } }`;
}

/**
 * Operations that each node of a cluster answers, and the answer of the second one: the same, or an
 * element that may be empty. A port belongs to one node alone.
 */
const perNode: ReadonlyMap<string, string> = new Map([
  ["get-software-information", "same"],
  ["get-system-uptime-information", "same"],
  ["get-route-engine-information", "same"],
  ["get-mka-session-information", "ports"],
  ["get-mka-statistics", "ports"],
  ["get-macsec-connection-information", "ports"],
  ["get-macsec-statistics", "ports"],
  ["get-ike-security-associations-information", "ike-security-associations-information"],
  ["get-security-associations-information", "ipsec-security-associations-information"],
]);

const questions = new Map<string, (emulator: JunosConfiguration, operation: XmlNode) => Answer>([
  ["get-software-information", ({ model }) => software(model)],
  ["get-system-uptime-information", ({ router, bootedAt }) => uptime(router, bootedAt)],
  ["get-commit-information", (emulator) => emulator.commits()],
  ["get-route-engine-information", ({ model }) => routeEngines(model)],
  [
    "get-interface-information",
    ({ current, router }, operation) =>
      childText(operation, "interface-name") === "st0"
        ? tunnelInterfaces(current, router)
        : interfaces(router),
  ],
  ["get-mka-session-information", ({ router, model }) => mkaSessions(router, model)],
  ["get-mka-statistics", ({ router }) => mkaStatistics(router)],
  ["get-macsec-connection-information", ({ router, current }) => connections(router, current)],
  ["get-macsec-statistics", ({ router, current }) => statistics(router, current)],
  [
    "get-bgp-neighbor-information",
    ({ router, model, current }) => neighbours(router, model, current),
  ],
  [
    "get-route-information",
    ({ current, router, model }, operation) =>
      child(operation, "protocol") === undefined
        ? routes(router, model.wiring, operation)
        : staticRoutes(current, router),
  ],
  ["get-ike-security-associations-information", ({ router }) => ikeSas(router)],
  ["get-security-associations-information", ({ router }) => ipsecSas(router)],
  ["ping", ({ router, model }, operation) => ping(router, model.wiring, operation)],
]);

function dateTime(wall: number): Answer {
  const seconds = Math.floor(wall / 1000);
  const text = new Date(seconds * 1000).toISOString().slice(0, 19).replace("T", " ");
  return nodes`${`date-time junos:seconds="${seconds}"`} ${`${text} UTC`};`;
}

/** Releases before this one print their number only behind the names of packages. */
const namesVersion = 15.1;

function software({ model, version }: Model): Answer {
  const isNamed = Number.parseFloat(version) >= namesVersion;
  const packages = [
    ["junos", "JUNOS Base OS boot"],
    ["jbase", "JUNOS Base OS Software Suite"],
    ["jcrypto", "JUNOS Crypto Software Suite"],
  ].flatMap(
    ([name = "", comment = ""]) => nodes`
      package-information { name ${name}; comment ${`${comment} [${version}]`}; }`,
  );
  return nodes`
    software-information {
      host-name edge; product-model ${model}; product-name ${model};
      ${isNamed ? nodes`junos-version ${version};` : []} ${packages} }`;
}

/** A router with one routing engine does not print its slot. */
function routeEngines({ secondEngine }: Model): Answer {
  const engine = (slot: number, role: string, status: string): Answer => nodes`
    route-engine {
      slot ${slot}; mastership-state ${role}; mastership-priority ${`${role} (default)`};
      status ${status}; model RE-S-2X00x6; }`;
  return secondEngine === undefined
    ? nodes`route-engine-information { route-engine { status OK; model RE-S-2X00x6; } }`
    : nodes`
      route-engine-information {
        ${engine(0, "master", "OK")} ${engine(1, "backup", secondEngine)} }`;
}

const uptime = (router: Router, bootedAt: number): Answer => nodes`
  system-uptime-information {
    current-time { ${dateTime(router.wall())} } time-source " NTP CLOCK ";
    system-booted-time { ${dateTime(bootedAt)} } }`;

export function commits(history: readonly HistoryEntry[], isPending: boolean): Answer {
  const entries = history.flatMap(
    ({ user, client, wall, log, comment }, index) => nodes`
      commit-history { sequence-number ${index}; user ${user}; client ${client};
        ${dateTime(wall)} ${optional("comment", comment)} ${optional("log", log)}
        ${index === 0 && isPending ? nodes`commit-confirmed "rollback pending";` : []} }`,
  );
  return nodes`commit-information { ${entries} }`;
}

function interfaces(router: Router): Answer {
  const ports = portsOf(router).flatMap((port) => {
    const rate = known(port.rate);
    const link = known(port.linkUp) === true ? "up" : "down";
    return nodes`
      physical-interface { name ${port.port};
        'admin-status junos:format="Enabled"' ${known(port.admin) ?? "down"};
        oper-status ${link}; speed ${speedOf(rate?.lineBps ?? 0)};
        'traffic-statistics junos:style="brief"' {
          input-bps ${Math.round(rate?.rxBps ?? 0)}; input-pps ${Math.round(rate?.rxPps ?? 0)};
          output-bps ${Math.round(rate?.txBps ?? 0)}; output-pps ${Math.round(rate?.txPps ?? 0)}; }
        logical-interface { name ${`${port.port}.0`}; } }`;
  });
  return nodes`
    interface-information { ${ports}
      physical-interface { name pfe-0/0/0; admin-status up; oper-status up; speed 800mbps; }
      physical-interface { name fxp0; admin-status up; oper-status up; speed 1000mbps; }
      physical-interface { name em0; admin-status up; oper-status down; speed Auto; }
      physical-interface { name lo0; admin-status up; oper-status up; speed Unspecified; } }`;
}

const gigabit = 1e9;

/** Writes 1 Gbit/s and less in megabits. */
const speedOf = (bps: number): string =>
  bps > gigabit ? `${bps / gigabit}Gbps` : `${bps / 1e6}mbps`;

/**
 * Lists only ports with a bound association; the others have no session. Peers are listed below
 * each CAK or below the interface.
 */
function mkaSessions(router: Router, { model }: Model): Answer {
  const form = formOf(router, `mka-peers-${model}`, ["perCak", "perInterface"] as const);
  const reported = protectedPorts(router).flatMap((port) => {
    const session = known(port.session);
    return session === undefined ? [] : sessionOf(port, session, form);
  });
  return reported.length === 0 ? nodes`mka-session-information;` : reported;
}

const noKey = `${"0".repeat(24)}/0`;

/** The type of a CAK: one that a newer one of the chain replaces is the preceding one. */
function typeOf(ckn: string | undefined, keys: MacsecPort["keys"]): "Primary" | "Preceding" {
  const newest = known(keys)?.findLast(({ role }) => role === "primary");
  return newest?.ckn === ckn ? "Primary" : "Preceding";
}

function stateOf(session: MkaSession, keys: MacsecPort["keys"]): string {
  if (session.controlledPort !== "secured") return "Unsecured - Init";
  return `Secured - ${typeOf(session.principalCkn, keys)}`;
}

function sessionOf(port: MacsecPort, session: MkaSession, form: "perCak" | "perInterface"): Answer {
  const { latestSak, oldSak, principalCkn, participants } = session;
  const live = principalCkn === undefined ? [] : nodes`session-live { ${cakName(principalCkn)} }`;
  // Junos has a participant, with a member identifier of its own, for each CAK.
  const caks = participants.flatMap(({ ckn, state, livePeers }, index) => {
    const isPrincipal = ckn === principalCkn;
    const idle = state === "none" ? "in-progress" : "active";
    return nodes`
      session-cak { ${cakName(ckn)} cak-type ${typeOf(ckn, port.keys).toLowerCase()};
        cak-status ${isPrincipal ? "live" : idle}; member-identifier ${ownMi(index)};
        message-number 179; ${form === "perCak" ? peerList(livePeers, index) : []} }`;
  });
  return nodes`
    mka-session-information { interface-name ${port.port};
      interface-state ${stateOf(session, port.keys)}; member-identifier ${ownMi(0)};
      ${principalCkn === undefined ? nodes`cak-name;` : cakName(principalCkn)}
      transmit-interval 2000; key-server ${session.keyServer === "self" ? "yes" : "no"};
      key-server-priority ${session.keyServerPriority ?? 16};
      latest-sak-an ${latestSak?.an ?? 0};
      latest-sak-key-identifier ${latestSak?.keyId.toUpperCase() ?? noKey};
      previous-sak-an ${oldSak?.an ?? 0};
      previous-sak-key-identifier ${oldSak?.keyId.toUpperCase() ?? noKey};
      ${form === "perInterface" ? peerList(session.livePeers, 0) : []} ${live} ${caks} }`;
}

const cakName = (ckn: string): Answer => nodes`cak-name ${ckn.toUpperCase()};`;

const ownMi = (cak: number): string => memberIds(cak + 1, "D")[cak] ?? "";

/** The peers below a CAK: one router has another member identifier there, and the same SCI. */
function peerList(count: number, cak: number): Answer {
  const peers = memberIds(count, cak % 2 === 0 ? "A" : "B").flatMap(
    (mi, index) => nodes`
      peer-list { member-identifier ${mi}; peer-status live; message-number 182;
        hold-time 6000; sci ${`06:00:00:00:00:00/${index + 1}`}; }`,
  );
  return peers.length === 0 ? nodes`peer-list;` : peers;
}

function mkaStatistics(router: Router): Answer {
  const ports = protectedPorts(router).flatMap((port) => {
    const counted = known(port.mkpdus);
    if (counted === undefined) return [];
    return nodes`
      mka-interface-statistics { interface-name ${port.port};
        received-packets ${counted.received}; sent-packets ${counted.sent}; version-error 0;
        cak-error ${counted.unknownCkn ?? 0};
        integrity-check-value-mismatch ${counted.icvFailed ?? 0};
        duplicate-message-number 0; old-message-number ${counted.replayed ?? 0}; }`;
  });
  return nodes`mka-statistics { ${ports} }`;
}

/** Elements of one interface follow its name; no element encloses them. */
function connections(router: Router, configured: ConfigNode): Answer {
  const ports = portsOf(router).flatMap((port) => {
    const settings = known(port.settings);
    if (settings === undefined) return [];
    const latestSak = known(port.session)?.latestSak;
    const live = known(port.liveSuite);
    const encryption = isEncrypted(configured, port.port) ? "on" : "off";
    const association = (way: string, used: boolean | undefined): Answer => {
      if (latestSak === undefined) return [];
      return nodes`${`${way}-secure-association`} { association-number ${latestSak.an ?? 0};
        association-number-status ${used === true ? "inuse" : "standby"}; }`;
    };
    return nodes`
      macsec-interface-common-information { interface-name ${port.port};
        cipher-suite ${(live ?? settings.suite).toUpperCase()}; encryption ${encryption};
        offset ${settings.confidentialityOffset}; include-sci ${settings.includeSci ? "yes" : "no"};
        replay-protect ${settings.replayWindow === undefined ? "off" : "on"}; }
      outbound-secure-channel { sci 02:00:00:00:00:00/1;
        outgoing-packet-number ${known(port.frames)?.nextPn ?? 0};
        ${association("outbound", live !== undefined && latestSak?.transmit)} }
      inbound-secure-channel { sci 06:00:00:00:00:00/1;
        ${association("inbound", latestSak?.receive)} }`;
  });
  return nodes`macsec-connection-information { ${ports} }`;
}

function statistics(router: Router, configured: ConfigNode): Answer {
  const ports = protectedPorts(router).flatMap((port) => {
    const frames = known(port.frames);
    if (frames === undefined) return [];
    const [encrypted, plain] = isEncrypted(configured, port.port)
      ? [frames.txProtected, 0n]
      : [0n, frames.txProtected];
    return nodes`
      interface-name ${port.port};
      secure-channel-sent { encrypted-packets ${encrypted}; protected-packets ${plain};
        ${optional("toolong-packets", frames.txTooLong)} }
      secure-association-sent { encrypted-packets 0; protected-packets 0; }
      secure-channel-received { ok-packets ${frames.rxOk};
        ${optional("untagged-packets", frames.rxClear)}
        control-packets ${known(port.mkpdus)?.received ?? 0}; notag-packets 0;
        ${optional("badtag-packets", frames.rxBadTag)}
        ${optional("unknown-sci-packets", frames.rxUnknownSci)}
        ${optional("no-sci-packets", frames.rxNoSci)}
        ${optional("notusing-sa-packets", frames.rxNotUsingSa)}
        ${optional("unused-sa-packets", frames.rxUnusedSa)}
        ${optional("late-packets", frames.rxLate)}
        ${optional("notvalid-packets", frames.rxNotValid)} }
      secure-association-received { ok-packets 0; }`;
  });
  return nodes`macsec-statistics { ${ports} }`;
}

/** From this release on, the answer names the routing instance of a peer. */
const namesInstances = 19;

function neighbours(router: Router, { version, wiring }: Model, configured: ConfigNode): Answer {
  const groups = entries(bgpIn(configured, wiring), "group");
  const isActive = (peer: string): boolean =>
    groups.some((group) => entry(group, "neighbor", peer)?.isInactive === false);
  const isNamed = Number.parseInt(version, 10) >= namesInstances;
  const ports = [...peersOf(router)];
  const own = ports.flatMap(([port, peer]) => {
    if (!isActive(peer)) return [];
    const instance = wiring.vrf ?? "master";
    const state = { up: router.bgpUp(port), hasBfd: router.bfdOf(port) === "up" };
    return peerOf(peer, state, "12076", isNamed ? instance : undefined);
  });
  // The same addresses appear again, in another routing instance.
  const other = otherInstance(wiring) ?? "master";
  const others = ports.flatMap(([, peer]) =>
    peerOf(peer, { up: true, hasBfd: false }, "64999", other),
  );
  return nodes`
    'bgp-information xmlns="http://xml.juniper.net/junos/23.4R2/junos-routing"' {
      ${isNamed ? others : []} ${own} }`;
}

const peerOf = (
  peer: string,
  { up, hasBfd }: { readonly up: boolean; readonly hasBfd: boolean },
  as: string,
  instance: string | undefined,
): Answer => nodes`
  'bgp-peer junos:style="detail"' { peer-address ${up ? `${peer}+179` : peer}; peer-as ${as};
    local-as ${localAs}; peer-group azure;
    ${optional("peer-cfg-rti", instance)} ${optional("peer-fwd-rti", instance)}
    peer-state ${up ? "Established" : "Active"};
    last-error ${up ? "None" : "Hold Timer Expired Error"};
    ${up ? nodes`active-holdtime 180; keepalive-interval 60;` : []}
    bgp-bfd {
      bfd-configuration-state ${hasBfd ? "enabled" : "disabled"};
      bfd-operational-state ${hasBfd && up ? "up" : "down"}; } }`;

function routes(router: Router, wiring: Wiring, question: XmlNode): Answer {
  const peer = childText(question, "peer");
  if (peer !== undefined) return nodes`route-information { ${received(router, wiring, peer)} }`;
  const address = childText(question, "destination") ?? "";
  const tables = [undefined, wiring.vrf ?? otherInstance(wiring)].flatMap((instance) => {
    const found = routeTo(router, wiring, instance, address);
    if (found.length === 0) return [];
    return nodes`route-table { table-name ${tableOf(instance, "inet.0")}; ${found} }`;
  });
  return nodes`route-information { ${tables} }`;
}

const tableOf = (instance: string | undefined, table: "inet.0" | "inet6.0"): string =>
  instance === undefined ? table : `${instance}.${table}`;

/**
 * Prints a table for each family, and that of another routing instance, whose peer has the same
 * address.
 */
function received(router: Router, wiring: Wiring, peer: string): Answer {
  const table = (name: string, reported: readonly AdvertisedRoute[]): Answer => {
    const rows = reported.flatMap(({ prefix, paths }) => {
      const entries = paths.flatMap(
        (isUsed) => nodes`
          rt-entry { active-tag ${isUsed ? "*" : " "};
            ${isUsed ? nodes`current-active; last-active;` : []}
            protocol-name BGP; nh { to ${peer}; } }`,
      );
      return nodes`'rt junos:style="brief"' { rt-destination ${prefix}; ${entries} }`;
    });
    const count = 2 * reported.length;
    return nodes`
      route-table { table-name ${name}; destination-count ${count}; total-route-count ${count};
        active-route-count ${count}; holddown-route-count 0; hidden-route-count 0; ${rows} }`;
  };
  return [
    ...table(tableOf(wiring.vrf, "inet.0"), routesFrom(router, peer, "ipv4")),
    ...table(tableOf(otherInstance(wiring), "inet.0"), otherRoutes("ipv4")),
    ...table(tableOf(wiring.vrf, "inet6.0"), routesFrom(router, peer, "ipv6")),
  ];
}

function routeTo(
  router: Router,
  wiring: Wiring,
  instance: string | undefined,
  address: string,
): Answer {
  const at = { wiring, management: "fxp0", managed: undefined, prefix: "ae" };
  const port = interfaceTowards(router, address, instance, at);
  if (port === undefined) return [];
  return nodes`
    rt { rt-destination 0.0.0.0/0; rt-entry { active-tag *; protocol-name Static;
      nh { selected-next-hop; to 192.0.2.254; via ${`${port}.0`}; } } }`;
}

function ping(router: Router, wiring: Wiring, question: XmlNode): Answer {
  const host = childText(question, "host") ?? "";
  const count = Number(childText(question, "count") ?? 5);
  const port = portWith(router, host);
  const unit = port && `${addressedInterface(router, port, wiring, "ae")}.0`;
  const isThere =
    childText(question, "routing-instance") === wiring.vrf &&
    childText(question, "interface") === unit;
  const answered = answeredProbes(router, isThere ? port : undefined, count);
  return nodes`
    ping-results { target-host ${host};
      probe-results-summary { probes-sent ${count}; responses-received ${answered};
        packet-loss ${lossOf(count, answered)}; }
      ${answered > 0 ? nodes`ping-success;` : nodes`ping-failure "no response";`} }`;
}
