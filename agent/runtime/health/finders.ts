// All tables of finders.

import type { FoundCode } from "../../model/warning-rows.ts";
import { deviceRows, siteRows } from "./device-rows.ts";
import { groupRows } from "./group-rows.ts";
import { hostRows } from "./host-rows.ts";
import { linkRows } from "./link-rows.ts";
import { backupRows, tunnelRows } from "./tunnel-rows.ts";

const tables = {
  ...{ host: hostRows, device: deviceRows, site: siteRows },
  ...{ group: groupRows, link: linkRows, backup: backupRows, tunnel: tunnelRows },
};

type Rowed = { [Of in keyof typeof tables]: keyof (typeof tables)[Of] }[keyof typeof tables];

/** A code that no table has does not compile. */
export const finders: typeof tables & Readonly<Record<Exclude<FoundCode, Rowed>, never>> = tables;
