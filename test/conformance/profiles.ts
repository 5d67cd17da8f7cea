// The kinds of devices that the suite is run on: every commit mode with every overlap.

import {
  type Capabilities,
  type CommitMode,
  type MacsecCapabilities,
  rekeyWhats,
} from "#hal/device.ts";

const commits = {
  surviving: { kind: "confirmed", confirmedBy: "anySession", stepMs: 1_000, maxMs: 3_600_000 },
  "session-bound": {
    kind: "confirmed",
    confirmedBy: "ownSession",
    stepMs: 60_000,
    maxMs: 3_600_000,
  },
  armed: { kind: "armedRevert" },
  immediate: { kind: "immediate" },
} as const satisfies Record<string, CommitMode>;

const all: MacsecCapabilities = {
  suites: ["gcm-aes-128", "gcm-aes-256", "gcm-aes-xpn-128", "gcm-aes-xpn-256"],
  overlap: "keychain",
  counters: "perSa",
  hitless: ["keyServerPriority", "replayWindow", "sakRekeyMs"],
  freshSak: true,
};

const beside = {
  ipsec: { keying: ["ike"], authentication: ["psk"], atomicReplace: true, rekeys: rekeyWhats },
  drain: { means: ["prepend", "gracefulShutdown", "peeringShutdown"], settleMs: 4_000 },
  probe: true,
} as const satisfies Partial<Capabilities>;

const xpnOnly: MacsecCapabilities = { ...all, suites: ["gcm-aes-xpn-256"], hitless: [] };

function macsecOf(overlap: MacsecCapabilities["overlap"]): MacsecCapabilities {
  switch (overlap) {
    case "keychain":
      return all;
    case "fallback":
      return { ...xpnOnly, overlap, counters: "perPort" };
    case "none":
      return { ...all, overlap, counters: "none" };
  }
}

const overlaps = ["keychain", "fallback", "none"] as const;

/** Twelve with MACsec, whose other abilities vary, and three that have only some. */
export const profiles: Readonly<Record<string, Capabilities>> = Object.fromEntries([
  ...Object.entries(commits).flatMap(([name, commit], row) =>
    overlaps.map((overlap, column): [string, Capabilities] => {
      const { ipsec, drain, probe } = beside;
      const turn = (row + column) % 3;
      return [
        `${name} ${overlap}`,
        {
          commit,
          macsec: macsecOf(overlap),
          ...(turn === 2 ? {} : { ipsec }),
          ...(turn === 1 ? { drain: { ...drain, means: ["prepend"] as const } } : { drain }),
          ...(turn === 0 ? { probe } : {}),
        },
      ];
    }),
  ),
  ["everything", { commit: commits.surviving, macsec: all, ...beside }],
  ["MACsec alone", { commit: commits.surviving, macsec: all }],
  ["IPsec alone", { commit: commits.surviving, ipsec: beside.ipsec, probe: true }],
]);

export function profile(name: string): Capabilities {
  const found = profiles[name];
  if (found === undefined) throw new RangeError(`no profile ${name}`);
  return found;
}
