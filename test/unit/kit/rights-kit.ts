// The rights of an identity that needs none, and reports as a test wants them.

import type { MissingRight } from "#agent/model/rights-report.ts";
import type { RightsReader } from "#agent/runtime/polling/rights-reader.ts";

export const noRights: Pick<RightsReader, "refresh" | "report" | "forget"> = {
  refresh: async () => undefined,
  report: () => undefined,
  forget: () => undefined,
};

const port = "/subscriptions/s/resourceGroups/rg/providers/Microsoft.Network/expressRoutePorts/erd";

export const writeRight: MissingRight = {
  action: "Microsoft.Network/expressRoutePorts/write",
  scope: port,
};

export const followRight: MissingRight = {
  action: "Microsoft.Network/locations/operations/read",
  scope: "/subscriptions/s/resourceGroups/rg",
};

export const sharedKeyRight: MissingRight = {
  action: "Microsoft.Network/connections/sharedKey/write",
  scope: "/subscriptions/s/resourceGroups/rg/providers/Microsoft.Network/connections/hub-1",
};
