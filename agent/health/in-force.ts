// Which parts of earlier commits an observation shows in force: a device that saves apart from a
// commit takes back at a reload what was not saved. Pure.

import type { PortChange } from "#hal/device.ts";
import { type DeviceState, type MacsecPort, strongValue } from "#hal/model.ts";
import { shortCkn } from "../model/ckn-text.ts";
import type { DesiredLink } from "../model/desired.ts";
import { portOf } from "../model/link-snapshot.ts";
import {
  type CommitPart,
  type Memory,
  named,
  type UnsavedCommit,
} from "../store/journal/memory.ts";
import { settingsGaps } from "./verify.ts";

/** Returns the parts of a change that stay, and that an observation of their port shows. */
export function lastingParts(change: readonly PortChange[]): readonly CommitPart[] {
  return change.filter(
    (part): part is CommitPart => "port" in part && part.kind !== "macsec.rekeySak",
  );
}

/** Returns true or false as the observation shows it; undefined = it does not. */
export function isInForce(part: CommitPart, state: DeviceState): boolean | undefined {
  const port = portOf(state, part.port);
  switch (part.kind) {
    case "macsec.addKey":
      return slots(port, (keys) => keys.some(({ ckn }) => ckn === part.key.ckn));
    case "macsec.replaceKey":
      return slots(port, (keys) => keys.length === 1 && keys[0]?.ckn === part.key.ckn);
    case "macsec.promoteKey":
      return slots(port, (keys) =>
        keys.some(({ ckn, role }) => ckn === part.ckn && role === "primary"),
      );
    case "macsec.removeKey":
      return slots(port, (keys) => keys.every(({ ckn }) => ckn !== part.ckn));
    case "macsec.protect": {
      const { settings } = port ?? {};
      if (settings?.kind !== "known" || settings.weak === true) return undefined;
      return settingsGaps(part.settings, settings.value).length === 0;
    }
    case "port.shut":
    case "port.open": {
      const admin = strongValue(port?.admin);
      return admin && (admin === "down") === (part.kind === "port.shut");
    }
    case "port.drain":
    case "port.restore": {
      const drains = strongValue(state.routing)?.drains;
      const { means } = part;
      const isDrained = drains?.some((one) => one.port === part.port && one.means === means);
      return isDrained === undefined ? undefined : isDrained === (part.kind === "port.drain");
    }
  }
}

type Keys = Extract<MacsecPort["keys"], { readonly kind: "known" }>["value"];

function slots(port: MacsecPort | undefined, are: (keys: Keys) => boolean): boolean | undefined {
  const keys = strongValue(port?.keys);
  return keys && are(keys);
}

/**
 * Returns each commit with the parts that no later one of these replaces: a key that was added and
 * then removed is not missing.
 */
export function standing(commits: readonly UnsavedCommit[]): readonly UnsavedCommit[] {
  const replaced = new Set<string>();
  const found = commits.toReversed().map((commit) => {
    const parts = commit.parts?.filter(
      (part) => !subjectsOf(part).some((one) => replaced.has(one)),
    );
    for (const part of commit.parts ?? []) replaced.add(subjectsOf(part)[0]);
    return parts === undefined ? commit : { ...commit, parts };
  });
  return found.toReversed();
}

/** What a part decides first, then what else decides the same. */
function subjectsOf(part: CommitPart): readonly [string, ...string[]] {
  const { port } = part;
  const all = `${port} all keys`;
  switch (part.kind) {
    case "macsec.addKey":
      return [`${port} key ${part.key.ckn}`, all];
    case "macsec.removeKey":
      return [`${port} key ${part.ckn}`, all];
    case "macsec.promoteKey":
      return [`${port} primary`, `${port} key ${part.ckn}`, all];
    case "macsec.replaceKey":
      return [all];
    case "macsec.protect":
      return [`${port} settings`];
    case "port.shut":
    case "port.open":
      return [`${port} admin`];
    case "port.drain":
    case "port.restore":
      return [`${port} ${part.means}`];
  }
}

/** Returns what a reload took back on the port of a link, and what is not in force again. */
export function takenBackOn(
  { unsaved }: Memory,
  { device, port }: Pick<DesiredLink, "device" | "port">,
): readonly CommitPart[] {
  return standing(named(unsaved, device) ?? []).flatMap(({ gone, parts = [] }) =>
    gone === undefined ? [] : parts.filter((part) => part.port === port),
  );
}

/** Says what a part did, with the key by the start of its name. */
export function partText(part: CommitPart): string {
  switch (part.kind) {
    case "macsec.addKey":
    case "macsec.replaceKey":
      return `the key ${shortCkn(part.key.ckn)} was added`;
    case "macsec.promoteKey":
      return `the key ${shortCkn(part.ckn)} was made the primary one`;
    case "macsec.removeKey":
      return `the key ${shortCkn(part.ckn)} was removed`;
    case "macsec.protect":
      return "its MACsec settings were changed";
    case "port.shut":
      return "its port was shut";
    case "port.open":
      return "its port was opened";
    case "port.drain":
      return "its traffic was moved away";
    case "port.restore":
      return "its traffic was given back";
  }
}
