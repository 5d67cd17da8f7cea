// What an operator reads of a tunnel that is a backup.

import { describe, expect, it } from "vitest";
import { backupLines } from "#agent/cli/status-text.ts";
import type { Status } from "#agent/runtime/health/status.ts";

type Backup = NonNullable<Status["tunnels"][number]["backup"]>;

describe("the lines of a status", () => {
  it("the status of a backup shows which traffic uses it and why, and when it was proven", () => {
    const at = "2026-11-24T10:00:00Z";
    const backup: Backup = {
      ...{
        group: "erd-demo",
        rides: "standby" as const,
        since: "2026-11-24T07:00:00Z",
        because: null,
      },
      ...{ provenAt: "2026-11-24T09:58:00Z", unproven: null },
    };
    expect(backupLines({ backup: null }, at)).toEqual([]);
    expect(backupLines({ backup }, at)).toEqual(["standby for erd-demo for 3 h; proven 2 min ago"]);
    const carries: Backup = {
      ...{ ...backup, rides: "carries" as const, since: null, provenAt: null },
      ...{ because: "erd-demo/primary is down (link-down)", unproven: "none was answered" },
    };
    expect(backupLines({ backup: carries }, at)).toEqual([
      "carries for erd-demo: erd-demo/primary is down (link-down); not proven yet",
      "not proven: none was answered",
    ]);
  });
});
