// The lines of a port in an EOS configuration: its MACsec profile, and its own about MACsec.

import type { WantedPort } from "#hal/device.ts";
import type { Block } from "../platform/block.ts";
import { headsIn, keyInPlace, type PortLines, settingsOf } from "../platform/port-lines.ts";
import { failed } from "../platform/query.ts";
import { textsOf } from "../platform/renderer.ts";
import type { EosConfig } from "./config.ts";
import { ownProfile } from "./names.ts";
import { type PortPlan, planOf, protect } from "./plan.ts";
import { renderChange } from "./renderer.ts";
import { begins, type Statement } from "./statements.ts";

interface Read {
  readonly config: EosConfig;
  /** The lines that it was read from. */
  readonly statements: readonly Statement[];
  /** The device, for errors. */
  readonly where: string;
}

const blockOf = ({ words, children }: Statement): Block => ({
  line: words.join(" "),
  children: children.map(blockOf),
});

/**
 * Returns the configured lines of a port, and those that the driver would write for it.
 * @throws LinksealError `device.rejected`, with effect "none", if a drain cannot be written.
 */
export function linesOf(wanted: WantedPort, { config, statements, where }: Read): PortLines {
  const { port, ckn, drain } = wanted;
  const render = (from: PortPlan, to: PortPlan): readonly string[] => {
    const rendered = renderChange(from, to, config);
    if (typeof rendered === "string") throw failed("device.rejected", rendered, where);
    return textsOf(rendered.sent);
  };
  const before = planOf(config, port);
  const none = { bindings: new Map(), profiles: new Map(), shut: new Set<string>(), units: [] };
  const nothing = planOf({ ...config, ...none }, port);
  using secret = keyInPlace(wanted);
  const key = { ckn, role: "primary", secret } as const;
  const kept = before.keys.find((one) => one.ckn === ckn && one.role === key.role);
  const settings = settingsOf(wanted);
  const after: PortPlan = { ...protect(before), settings, admin: "up", drains: [], keys: [key] };
  const ways = drain === undefined ? [] : [drain];
  const inside = (line: string): readonly Statement[] =>
    statements.find(({ words }) => words.join(" ") === line)?.children ?? [];
  const profiles = [before.profile, ownProfile(port)];
  const onPort = inside(`interface ${port}`).filter(
    ({ words }) => begins(words, "mac security") || words.join(" ") === "shutdown",
  );
  return {
    port,
    configured: [
      {
        at: "mac security",
        lines: inside("mac security")
          .filter(({ words }) => words[0] === "profile" && profiles.includes(words[1]))
          .map(blockOf),
      },
      { at: `interface ${port}`, lines: onPort.map(blockOf) },
    ],
    whole: render(nothing, after),
    due: render(before, { ...after, keys: [kept ?? key], drains: before.drains }),
    drain: render({ ...nothing, drains: before.drains }, { ...nothing, drains: ways }),
    heads: headsIn(statements.map(blockOf)),
    normal,
  };
}

/** A router shows a key in another form than the one in which it was entered, or not at all. */
const normal = (line: string): string =>
  line.replace(
    /^(key [0-9A-Fa-f]+)(?: \w+)?(?: \[secret [\w-]+\])?(?<! fallback)( fallback)?$/,
    "$1$2",
  );
