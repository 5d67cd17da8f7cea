// The configuration sessions of an Arista router, as its list shows them.

import type { Router } from "../router/router.ts";
import type { ConfigSession } from "./eos-config.ts";
import type { Json } from "./router-facts.ts";

/** What the list shows of a router. */
interface Listed {
  readonly router: Pick<Router, "wall">;
  readonly bootedAt: number;
  readonly model: { readonly timer?: string };
  readonly sessions: ReadonlyMap<string, Pick<ConfigSession, "name" | "state">>;
  waiting(): { readonly name: string; readonly by: number } | undefined;
}

/** Newer releases call the session of a timer that runs by the word of one that is kept. */
function sessionRows(emulator: Listed): readonly (readonly [string, string])[] {
  const waiting = emulator.waiting();
  const isInRow = emulator.model.timer === "inRow";
  const kept = isInRow ? "completed" : "committed";
  return [
    ...[...emulator.sessions.values()]
      .filter(({ name }) => name !== waiting?.name)
      .map(({ name, state }) => [name, state === "completed" ? kept : state] as const),
    ...(waiting ? [[waiting.name, isInRow ? "pendingCommitTimer" : kept] as const] : []),
  ];
}

/** Returns the list as text, in the layout of cEOS 4.35.0F. */
export function sessionTable(emulator: Listed): string {
  const waiting = emulator.waiting();
  const uptime = (emulator.router.wall() - emulator.bootedAt) / 1000;
  const left = Math.max(0, Math.floor((waiting?.by ?? 0) - uptime));
  const time = [Math.floor(left / 3600), Math.floor(left / 60) % 60, left % 60].map(String);
  const [hours, minutes = "", seconds = ""] = time;
  const rows = sessionRows(emulator).map(([name, state]) => `  ${name.padEnd(26)} ${state}`);
  return [
    "Maximum number of completed sessions: 1",
    "Maximum number of pending sessions: 5",
    "Merge on commit is disabled",
    "Autosave to startup-config on commit is disabled",
    "",
    ...(waiting === undefined
      ? []
      : [
          `Session with pending commit timer: ${waiting.name}`,
          `Time left until commit timer expiry: in ${hours}:${minutes.padStart(2, "0")}:` +
            seconds.padStart(2, "0"),
          "",
        ]),
    "  Name                       State     User  Terminal Completed Time      Committed By",
    "- -------------------------- --------- ----- -------- ------------------- ------------",
    ...rows,
    "",
  ].join("\n");
}

/** Returns the list as JSON. */
export function sessionsOf(emulator: Listed): Json {
  const waiting = emulator.waiting();
  const isInRow = emulator.model.timer === "inRow";
  const beside = waiting && {
    commitTimerSessionName: waiting.name,
    commitTimerExpireTime: waiting.by,
  };
  const rows = sessionRows(emulator).map(([name, state]): [string, Json] => {
    if (isInRow && name === waiting?.name) {
      return [name, { state, commitBy: waiting.by, instances: {} }];
    }
    return [name, { state, commitUser: "", description: "", instances: {} }];
  });
  return {
    sessions: Object.fromEntries(rows),
    ...(isInRow ? {} : beside),
    maxSavedSessions: 1,
    maxOpenSessions: 5,
    mergeOnCommit: false,
    saveToStartupConfigOnCommit: false,
  };
}
