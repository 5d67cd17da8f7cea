// Answers of NX-OS with rows that are lost, repeated, moved and garbled: nothing looks healthier.

import { describe } from "vitest";
import { readFrames, readMkpdus, readSessions } from "#drivers/nxos/macsec-parsers.ts";
import { planOf } from "#drivers/nxos/plan.ts";
import {
  readInterfaces,
  readPeers,
  readRoutes,
  readRouteTo,
} from "#drivers/nxos/system-parsers.ts";
import { terminal } from "#drivers/nxos/terminal.ts";
import type { MkpduCounters } from "#hal/model.ts";
import {
  healthierFrames,
  healthierMkpdus,
  healthierPeers,
  healthierPorts,
  healthierRoutes,
  healthierSessions,
  otherWays,
  quiet,
} from "../cisco-dirt.ts";
import { type DirtyReader, tryDirtyAnswers } from "../dirty-answers.ts";
import { configOf, port, session, textHead, textPage } from "./nxos-kit.ts";

const seed = process.env["LINKSEAL_SEED"] ?? "nxos";
const { settings } = planOf(configOf(), port(1));
const ports = [port(1), port(2)];

const table = (name: string, rows: object): object => ({
  [`TABLE_${name}`]: { [`ROW_${name}`]: rows },
});
const printed = (reply: object): string => JSON.stringify(reply, undefined, 4);

const foreign = [
  '    "state": "up",',
  '    "peer_count": "1",',
  '                    "status": "SECURED - Secured MKA Session with MACsec",',
  "    Peer CAK                            : Match",
  "}",
  "Secured",
];
const noise = [
  "2026 Nov 29 02:10:11 edge-a %ETHPORT-5-IF_UP: Interface Ethernet1/1 is up",
  "2026 Nov 29 02:10:11.123 edge-a %$ VDC-1 %$ %ETHPORT-5-IF_DOWN: Interface Ethernet1/1 is down",
];

function attempt<T>(reader: Omit<DirtyReader<T>, "foreign" | "noise">): void {
  const read = (answer: string) => reader.read(quiet(answer, terminal.noise));
  tryDirtyAnswers("NX-OS", seed, { ...reader, read, foreign, noise });
}

const waiting = {
  status: "INITIALIZING - Searching for Peer (Waiting to receive first Peer MKPDU)",
  ...{ sak_status: "No RX-Tx", sak_ki: "0".repeat(32), sak_kn: "0", sak_an: "0" },
};
const fallback = {
  ...{ fallback_ckn: "0A03", fallback_mi: "D4".repeat(12) },
  ...table("mka_fallback_peer", {
    ...{ fallback_peer_mi: "C3".repeat(12), fallback_icv_status: "Match" },
  }),
};

const row = (state: string, over: object = {}): object => ({
  ...{ interface: port(1), state, admin_state: "up", eth_bw: "100000000" },
  ...{ eth_inrate1_bits: "2000", eth_inrate1_pkts: "3", eth_outrate1_bits: "400" },
  ...{ eth_outrate1_pkts: "5", ...over },
});

const mkpdus: MkpduCounters = {
  ...{ sent: 1_000n, received: 1_000n },
  ...{ icvFailed: undefined, unknownCkn: undefined, replayed: undefined },
};

/** Where a row of JSON ends or begins has no meaning. */
const harmless = ["rowsJoined", "rowShifted"] as const;

describe("dirty answers of NX-OS", () => {
  attempt({
    about: "MKA sessions",
    layouts: [
      printed(
        table("mka_session_details", [
          session(table("mka_fallback", fallback)),
          session({ ifname: port(2), ...waiting, ckn: "0A02" }),
        ]),
      ),
      `${textHead}${textPage()}\n` +
        textPage({
          ...{ "Interface Name": port(2), "Session Status": waiting.status },
          ...{ "Latest SAK Status": "No RX-Tx", "Latest SAK KI": "0".repeat(32) },
          ...{ "Latest SAK KN": "0", "CAK Name (CKN)": "0A02" },
        }),
    ],
    read: readSessions,
    healthier: healthierSessions(ports, settings),
  });

  attempt({
    about: "routes",
    layouts: ["ipprefix", "ipv6prefix"].map((name) => {
      const prefix = (at: number, codes: readonly string[]) => ({
        [name]: name === "ipprefix" ? `198.18.${at}.0/24` : `2001:db8:${at}::/48`,
        ...table(
          "path",
          codes.map((bestcode) => ({ statuscode: "*", bestcode, ipnexthop: "198.51.100.2" })),
        ),
      });
      const all = table("prefix", [prefix(1, [">"]), prefix(2, [" ", ">"]), prefix(3, [">"])]);
      return printed(
        table("vrf", {
          "vrf-name-out": "default",
          ...table("afi", { afi: "1", ...table("safi", { safi: "1", ...all }) }),
        }),
      );
    }),
    read: (answer) => readRoutes(answer, port(1)),
    healthier: healthierRoutes,
    harmless,
  });

  attempt({
    about: "interfaces",
    layouts: [
      printed(
        table("interface", [
          row("up"),
          row("down", { interface: port(2), state_rsn_desc: "Link not connected" }),
        ]),
      ),
    ],
    read: readInterfaces,
    healthier: healthierPorts,
    harmless,
  });

  attempt({
    about: "neighbours",
    layouts: [
      printed(
        table("neighbor", [
          { neighbor: "198.51.100.2", state: "Established", up: "true", holdtime: "180" },
          { neighbor: "198.51.100.6", state: "Idle", up: "false", holdtime: "180" },
        ]),
      ),
    ],
    read: (answer) => readPeers(answer, undefined),
    healthier: healthierPeers,
    harmless,
  });

  attempt({
    about: "frames",
    layouts: [
      printed(
        table("statistics", {
          ...{ ifname: port(1), in_pkts_untagged: "5", in_pkts_badtag: "6", in_pkts_no_sci: "7" },
          ...table("rx_sa_an", {
            ...{ rx_sa_an: "1", in_pkts_late: "3", in_pkts_ok: "90", in_pkts_invalid: "1" },
            ...{ in_pkts_not_valid: "2", in_pkts_not_using_sa: "4" },
          }),
          ...table("tx_sa_an", { tx_sa_an: "1", out_pkts_encrypted_protected: "80" }),
        }),
      ),
    ],
    read: (answer) => readFrames(answer, port(1), mkpdus),
    healthier: healthierFrames,
    harmless,
  });

  attempt({
    about: "MKPDUs",
    layouts: [
      printed(
        table("mka_intf_stats", {
          ifname: port(1),
          ...table("idb_stats", {
            ...{ mkpdu_stat_mkpdu_tx: "40", mkpdu_stat_mkpdu_rx: "41" },
            idb_stat_mkpdu_rx_ca_notfound: "2",
          }),
        }),
      ),
    ],
    read: (answer) => readMkpdus(answer, port(1)),
    healthier: healthierMkpdus,
    harmless,
  });

  attempt({
    about: "the way to an address",
    layouts: [
      printed(
        table("vrf", {
          "vrf-name-out": "default",
          ...table("addrf", {
            addrf: "ipv4",
            ...table("prefix", {
              ipprefix: "0.0.0.0/0",
              ...table("path", [
                { ipnexthop: "192.0.2.253", ifname: "mgmt0" },
                { ipnexthop: "192.0.2.254", ifname: "Ethernet1/1" },
              ]),
            }),
          }),
        }),
      ),
    ],
    read: (answer) => readRouteTo(answer, () => undefined),
    healthier: otherWays,
    harmless: [...harmless, "rowsSwapped"],
  });
});
