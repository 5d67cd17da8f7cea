// What a Junos router prints when it is asked, out of the state of the simulated one.

import type { MacsecPort, MkaSession } from "#hal/model.ts";
import type { Router } from "../router/router.ts";
import { routesFrom, type ToldRoute } from "./far-end-routes.ts";
import {
  answeredProbes,
  known,
  localAs,
  lossOf,
  memberIds,
  peersOf,
  portsOf,
  portTowards,
  portWith,
  protectedPorts,
} from "./router-facts.ts";
import { childText, type Markup, tag, type XmlNode } from "./xml-text.ts";

export interface Model {
  readonly model: string;
  readonly version: string;
}

export interface HistoryEntry {
  readonly user: string;
  readonly client: string;
  readonly wall: number;
  readonly log: string | undefined;
  readonly comment: string | undefined;
}

function dateTime(wall: number): Markup {
  const seconds = Math.floor(wall / 1000);
  const text = new Date(seconds * 1000).toISOString().slice(0, 19).replace("T", " ");
  return tag(`date-time junos:seconds="${seconds}"`, `${text} UTC`);
}

export function software({ model, version }: Model): Markup {
  return tag(
    "software-information",
    tag("host-name", "edge"),
    tag("product-model", model),
    tag("product-name", model),
    tag("junos-version", version),
  );
}

export function uptime(router: Router, bootedAt: number): Markup {
  return tag(
    "system-uptime-information",
    tag("current-time", dateTime(router.wall())),
    tag("time-source", " NTP CLOCK "),
    tag("system-booted-time", dateTime(bootedAt)),
  );
}

export function commits(history: readonly HistoryEntry[], isPending: boolean): Markup {
  return tag(
    "commit-information",
    ...history.map(({ user, client, wall, log, comment }, index) =>
      tag(
        "commit-history",
        tag("sequence-number", index),
        tag("user", user),
        tag("client", client),
        dateTime(wall),
        ...(comment === undefined ? [] : [tag("comment", comment)]),
        ...(log === undefined ? [] : [tag("log", log)]),
        ...(index === 0 && isPending ? [tag("commit-confirmed", "rollback pending")] : []),
      ),
    ),
  );
}

export function interfaces(router: Router): Markup {
  return tag(
    "interface-information",
    ...portsOf(router).map((port) => {
      const rate = known(port.rate);
      const traffic = tag(
        'traffic-statistics junos:style="brief"',
        tag("input-bps", Math.round(rate?.rxBps ?? 0)),
        tag("input-pps", Math.round(rate?.rxPps ?? 0)),
        tag("output-bps", Math.round(rate?.txBps ?? 0)),
        tag("output-pps", Math.round(rate?.txPps ?? 0)),
      );
      const link = known(port.linkUp) === true ? "up" : "down";
      return tag(
        "physical-interface",
        tag("name", port.port),
        tag('admin-status junos:format="Enabled"', known(port.admin) ?? "down"),
        tag("oper-status", link),
        tag("speed", `${(rate?.lineBps ?? 0) / 1e9}Gbps`),
        traffic,
        tag("logical-interface", tag("name", `${port.port}.0`)),
      );
    }),
    tag(
      "physical-interface",
      tag("name", "fxp0"),
      tag("admin-status", "up"),
      tag("oper-status", "up"),
      tag("speed", "1000mbps"),
    ),
  );
}

/** Only where an association is bound: the others have no session to tell of. */
export function mkaSessions(router: Router): Markup {
  const told = protectedPorts(router).flatMap((port) => {
    const session = known(port.session);
    return session === undefined ? [] : [sessionOf(port, session)];
  });
  return { markup: told.map(({ markup }) => markup).join("") || "<mka-session-information/>" };
}

const noKey = `${"0".repeat(24)}/0`;

function stateOf(session: MkaSession, keys: MacsecPort["keys"]): string {
  if (session.controlledPort !== "secured") return "Unsecured - Init";
  const newest = known(keys)?.findLast(({ role }) => role === "primary");
  return newest?.ckn === session.principalCkn ? "Secured - Primary" : "Secured - Preceding";
}

function sakLeaves(which: string, sak: MkaSession["latestSak"]): readonly Markup[] {
  return [
    tag(`${which}-sak-an`, sak?.an ?? 0),
    tag(`${which}-sak-key-identifier`, sak?.keyId.toUpperCase() ?? noKey),
  ];
}

function sessionOf(port: MacsecPort, session: MkaSession): Markup {
  const principal = session.principalCkn?.toUpperCase() ?? "";
  const peers = memberIds(session.livePeers, "A").map((mi) =>
    tag(
      "peer-list",
      tag("member-identifier", mi),
      tag("peer-status", "live"),
      tag("hold-time", 6000),
    ),
  );
  return tag(
    "mka-session-information",
    tag("interface-name", port.port),
    tag("interface-state", stateOf(session, port.keys)),
    tag("cak-name", principal),
    tag("transmit-interval", 2000),
    tag("key-server", session.keyServer === "self" ? "yes" : "no"),
    tag("key-server-priority", session.keyServerPriority ?? 16),
    ...sakLeaves("latest", session.latestSak),
    ...sakLeaves("previous", session.oldSak),
    ...peers,
    ...session.participants.map(({ ckn, state }) =>
      tag(
        "session-cak",
        tag("cak-name", ckn.toUpperCase()),
        tag("cak-type", "primary"),
        tag("cak-status", state === "none" ? "in-progress" : state),
      ),
    ),
  );
}

export function mkaStatistics(router: Router): Markup {
  return tag(
    "mka-statistics",
    ...protectedPorts(router).flatMap((port) => {
      const counted = known(port.mkpdus);
      if (counted === undefined) return [];
      return [
        tag(
          "mka-interface-statistics",
          tag("interface-name", port.port),
          tag("received-packets", String(counted.received)),
          tag("sent-packets", String(counted.sent)),
          tag("version-error", 0),
          tag("cak-error", String(counted.unknownCkn ?? 0n)),
          tag("integrity-check-value-mismatch", String(counted.icvFailed ?? 0n)),
          tag("duplicate-message-number", 0),
          tag("old-message-number", String(counted.replayed ?? 0n)),
        ),
      ];
    }),
  );
}

/** Elements of one interface follow its name; nothing encloses them. */
export function connections(router: Router): Markup {
  return tag(
    "macsec-connection-information",
    ...portsOf(router).flatMap((port) => {
      const settings = known(port.settings);
      if (settings === undefined) return [];
      const { latestSak } = known(port.session) ?? { latestSak: undefined };
      const live = known(port.liveSuite);
      const status = (used: boolean | undefined): string => (used === true ? "inuse" : "standby");
      const association = (way: string, used: boolean | undefined): readonly Markup[] =>
        latestSak === undefined
          ? []
          : [
              tag(
                `${way}-secure-association`,
                tag("association-number", latestSak.an ?? 0),
                tag("association-number-status", status(used)),
              ),
            ];
      return [
        tag(
          "macsec-interface-common-information",
          tag("interface-name", port.port),
          tag("cipher-suite", (live ?? settings.suite).toUpperCase()),
          tag("encryption", "on"),
          tag("offset", settings.confidentialityOffset),
          tag("include-sci", settings.includeSci ? "yes" : "no"),
          tag("replay-protect", settings.replayWindow === undefined ? "off" : "on"),
        ),
        tag(
          "outbound-secure-channel",
          tag("sci", "02:00:00:00:00:00/1"),
          tag("outgoing-packet-number", String(known(port.frames)?.nextPn ?? 0n)),
          ...association("outbound", live === undefined ? false : latestSak?.transmit),
        ),
        tag(
          "inbound-secure-channel",
          tag("sci", "06:00:00:00:00:00/1"),
          ...association("inbound", latestSak?.receive),
        ),
      ];
    }),
  );
}

export function statistics(router: Router): Markup {
  return tag(
    "macsec-statistics",
    ...protectedPorts(router).flatMap((port) => {
      const frames = known(port.frames);
      if (frames === undefined) return [];
      const count = (name: string, value: bigint | undefined): readonly Markup[] =>
        value === undefined ? [] : [tag(name, String(value))];
      return [
        tag("interface-name", port.port),
        tag(
          "secure-channel-sent",
          tag("encrypted-packets", String(frames.txProtected)),
          tag("protected-packets", 0),
          ...count("toolong-packets", frames.txTooLong),
        ),
        tag("secure-association-sent", tag("encrypted-packets", 0), tag("protected-packets", 0)),
        tag(
          "secure-channel-received",
          tag("ok-packets", String(frames.rxOk)),
          ...count("untagged-packets", frames.rxClear),
          tag("control-packets", String(known(port.mkpdus)?.received ?? 0n)),
          tag("notag-packets", 0),
          ...count("badtag-packets", frames.rxBadTag),
          ...count("unknown-sci-packets", frames.rxUnknownSci),
          ...count("no-sci-packets", frames.rxNoSci),
          ...count("notusing-sa-packets", frames.rxNotUsingSa),
          ...count("unused-sa-packets", frames.rxUnusedSa),
          ...count("late-packets", frames.rxLate),
          ...count("notvalid-packets", frames.rxNotValid),
        ),
        tag("secure-association-received", tag("ok-packets", 0)),
      ];
    }),
  );
}

/** From this release on the answer says of which routing instance a peer is. */
const namesInstances = 19;

export function neighbours(
  router: Router,
  { version }: Model,
  isActive: (peer: string) => boolean,
): Markup {
  const isNamed = Number.parseInt(version, 10) >= namesInstances;
  const ports = [...peersOf(router)];
  const own = ports.flatMap(([port, peer]) =>
    isActive(peer)
      ? [peerOf(peer, router.bgpUp(port), "12076", isNamed ? "master" : undefined)]
      : [],
  );
  // The same addresses once more, in another routing instance.
  const others = ports.map(([, peer]) => peerOf(peer, true, "64999", "cust-2"));
  return tag(
    'bgp-information xmlns="http://xml.juniper.net/junos/23.4R2/junos-routing"',
    ...(isNamed ? others : []),
    ...own,
  );
}

function peerOf(peer: string, up: boolean, as: string, instance: string | undefined): Markup {
  const names =
    instance === undefined ? [] : [tag("peer-cfg-rti", instance), tag("peer-fwd-rti", instance)];
  return tag(
    'bgp-peer junos:style="detail"',
    tag("peer-address", up ? `${peer}+179` : peer),
    tag("peer-as", as),
    tag("local-as", localAs),
    tag("peer-group", "azure"),
    ...names,
    tag("peer-state", up ? "Established" : "Active"),
    tag("last-error", up ? "None" : "Hold Timer Expired Error"),
  );
}

export function routes(router: Router, question: XmlNode): Markup {
  const peer = childText(question, "peer");
  const destination = childText(question, "destination");
  if (peer !== undefined) return tag("route-information", ...received(router, peer));
  const found = routeTo(router, destination ?? "");
  const table =
    found.length === 0 ? [] : [tag("route-table", tag("table-name", "inet.0"), ...found)];
  return tag("route-information", ...table);
}

/** A table for each family, and that of another routing instance, whose peer has the address. */
function received(router: Router, peer: string): readonly Markup[] {
  const table = (name: string, told: readonly ToldRoute[]): Markup => {
    const rows = told.map(({ prefix, paths }) => {
      const entries = paths.map((isUsed) => {
        const active = isUsed ? [tag("active-tag", "*")] : [];
        return tag("rt-entry", ...active, tag("protocol-name", "BGP"), tag("nh", tag("to", peer)));
      });
      return tag('rt junos:style="brief"', tag("rt-destination", prefix), ...entries);
    });
    const counts = ["destination-count", "total-route-count", "active-route-count"];
    return tag(
      "route-table",
      tag("table-name", name),
      ...counts.map((count) => tag(count, 2 * told.length)),
      tag("holddown-route-count", 0),
      tag("hidden-route-count", 0),
      ...rows,
    );
  };
  const foreign = [{ prefix: "10.0.0.0/8", paths: [true] }];
  return [
    table("inet.0", routesFrom(router, peer, "ipv4")),
    table("cust-2.inet.0", foreign),
    table("inet6.0", routesFrom(router, peer, "ipv6")),
  ];
}

function routeTo(router: Router, address: string): readonly Markup[] {
  const port = portTowards(router, address, "fxp0");
  if (port === undefined) return [];
  const hop = tag(
    "nh",
    tag("selected-next-hop"),
    tag("to", "192.0.2.254"),
    tag("via", `${port}.0`),
  );
  const active = tag("rt-entry", tag("active-tag", "*"), tag("protocol-name", "Static"), hop);
  return [tag("rt", tag("rt-destination", "0.0.0.0/0"), active)];
}

export function ping(router: Router, question: XmlNode): Markup {
  const host = childText(question, "host") ?? "";
  const count = Number(childText(question, "count") ?? 5);
  const answered = answeredProbes(router, portWith(router, host), count);
  return tag(
    "ping-results",
    tag("target-host", host),
    tag(
      "probe-results-summary",
      tag("probes-sent", count),
      tag("responses-received", answered),
      tag("packet-loss", lossOf(count, answered)),
    ),
    answered > 0 ? tag("ping-success") : tag("ping-failure", "no response"),
  );
}
