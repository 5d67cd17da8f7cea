// What operators, the config and `init` have to know of IOS XR.

import type { PlatformFacts } from "#hal/platform-facts.ts";

/** What a task group has to allow. */
const tasks = ["interface", "bgp", "crypto", "config-services", "basic-services"] as const;

/** The facts about IOS XR. */
export const iosxrFacts: PlatformFacts = {
  meant: /^(?:(?:cisco)?(?:ios)?xr|cisco$|ncs|asr9\d|asr9k|crs|8[0268]\d\d)/,
  vrfLengthMax: 32,
  aggregates: { pattern: /^Bundle-Ether\d{1,5}$/, example: "Bundle-Ether1" },
  login: {
    // It knows RSA keys of users in every release, and others in few.
    keyType: "rsa -b 4096",
    userLines: (user) => [
      `taskgroup ${user}`,
      ...tasks.flatMap((task) => [` task read ${task}`, ` task write ${task}`]),
      ...[`usergroup ${user}`, ` taskgroup ${user}`, `username ${user}`, ` group ${user}`],
      ...["commit", `crypto key import authentication rsa username ${user}`, "KEY"],
    ],
    note: (file) => `what ssh-keygen -e -m PEM -f ${file} prints, and an empty line`,
  },
  bfdLines: ({ peer, vrf, intervalMs, multiplier }) => [
    "router bgp AS",
    ...(vrf === undefined ? [] : [`vrf ${vrf}`]),
    ...[`neighbor ${peer}`, "bfd fast-detect"],
    ...[`bfd minimum-interval ${intervalMs}`, `bfd multiplier ${multiplier}`],
  ],
};
