// The difference between a port as it is and as it is to be, as edits of the candidate and as lines
// for the operator.

import type { DrainMeans, MacsecSettings } from "#hal/model.ts";
import {
  drainsBetween,
  joined,
  type RenderedChange as RenderedOf,
  settingsText,
  shortOf,
} from "../platform/renderer.ts";
import { element, elementWith, type XmlOut, type XmlPart } from "../transport/xml.ts";
import { type JunosConfig, type Neighbour, neighboursOn } from "./config.ts";
import { drainIn, drainOut, startText } from "./names.ts";
import type { PlannedKey, PortPlan } from "./plan.ts";

/** Edits whose trees are put into `<configuration>`. */
type RenderedChange = RenderedOf<XmlOut>;

/** Returns our AS number for a neighbour; undefined = BGP does not report it. */
export type LocalAs = (neighbour: Neighbour) => string | undefined;

const deleted = { operation: "delete" } as const;
const gone = (name: string, ...children: readonly XmlPart[]): XmlOut =>
  elementWith(name, deleted, ...children);
const flag = (name: string, is: boolean, was: boolean): readonly XmlOut[] => {
  if (is === was) return [];
  return [is ? element(name) : gone(name)];
};

/** Returns the edits; `localAs` gives the AS that a drain prepends; undefined = it is not known. */
export function renderChange(
  before: PortPlan,
  after: PortPlan,
  config: JunosConfig,
  localAs: LocalAs,
): RenderedChange | undefined {
  const drains = renderDrains(before, after, config, localAs);
  if (drains === undefined) return undefined;
  return joined([
    renderMacsec(before, after),
    renderKeys(before, after),
    renderAdmin(before, after),
    drains,
  ]);
}

function renderMacsec(before: PortPlan, after: PortPlan): RenderedChange {
  const { association, settings, port } = after;
  if (association === undefined || settings === undefined) return { sent: [], lines: [] };
  const was = before.settings;
  const trees: XmlOut[] = [];
  const chain = usesChain(after) && !usesChain(before) ? after.chain : undefined;
  const leaves = [
    ...settingLeaves(was, settings),
    ...(before.isEncrypted || !after.isEncrypted ? [] : [gone("no-encryption")]),
    ...chainLeaf(chain),
    ...staticLeaves(before, after),
  ];
  if (leaves.length > 0) {
    const one = element("connectivity-association", element("name", association), ...leaves);
    trees.push(element("security", element("macsec", one)));
  }
  if (before.association === undefined) {
    const binding = [element("name", port), element("connectivity-association", association)];
    trees.push(element("security", element("macsec", element("interfaces", ...binding))));
  }
  const old = was && shown(was, before.isEncrypted);
  const wanted = shown(settings, after.isEncrypted);
  if (old === wanted) return { sent: trees, lines: [] };
  const lines = old === undefined ? [] : [`- ${port} ${old}`];
  return { sent: trees, lines: [...lines, `+ ${port} ${wanted}`] };
}

const usesChain = ({ keys }: PortPlan): boolean => keys.some(({ place }) => place.kind === "chain");

const chainLeaf = (chain: string | undefined): readonly XmlOut[] =>
  chain === undefined ? [] : [element("pre-shared-key-chain", chain)];

// A key that moves into a chain leaves no copy behind.
function staticLeaves(before: PortPlan, after: PortPlan): readonly XmlOut[] {
  return before.keys.flatMap(({ ckn, place }) => {
    if (place.kind !== "static" || after.keys.some((key) => key.ckn === ckn)) return [];
    return [gone(place.slot)];
  });
}

function settingLeaves(
  was: MacsecSettings | undefined,
  settings: MacsecSettings,
): readonly XmlOut[] {
  const { suite, confidentialityOffset, keyServerPriority, replayWindow, sakRekeyMs } = settings;
  const mka = [
    ...(was?.keyServerPriority === keyServerPriority
      ? []
      : [element("key-server-priority", String(keyServerPriority))]),
    ...(was?.policy === "shouldSecure" ? [gone("should-secure")] : []),
    ...secondsLeaf(was?.sakRekeyMs, sakRekeyMs),
  ];
  return [
    ...(was === undefined ? [element("security-mode", "static-cak")] : []),
    ...(was?.suite === suite ? [] : [element("cipher-suite", suite)]),
    ...flag("include-sci", settings.includeSci, was?.includeSci ?? false),
    ...((was?.confidentialityOffset ?? 0) === confidentialityOffset
      ? []
      : [element("offset", String(confidentialityOffset))]),
    ...replayLeaf(was?.replayWindow, replayWindow),
    ...(mka.length === 0 ? [] : [element("mka", ...mka)]),
  ];
}

function secondsLeaf(was: number | undefined, ms: number | undefined): readonly XmlOut[] {
  if (was === ms) return [];
  return ms === undefined
    ? [gone("sak-rekey-interval")]
    : [element("sak-rekey-interval", String(ms / 1000))];
}

function replayLeaf(was: number | undefined, window: number | undefined): readonly XmlOut[] {
  if (was === window) return [];
  return window === undefined
    ? [gone("replay-protect")]
    : [element("replay-protect", element("replay-window-size", String(window)))];
}

function renderKeys(before: PortPlan, after: PortPlan): RenderedChange {
  const left = before.keys.filter(({ ckn }) => after.keys.every((key) => key.ckn !== ckn));
  const come = after.keys.filter(({ secret }) => secret !== undefined);
  const chain = after.chain ?? "";
  const inChain = (key: XmlOut): XmlOut => {
    const list = element("key-chain", element("name", chain), key);
    return element("security", element("authentication-key-chains", list));
  };
  return {
    sent: [
      ...come.flatMap((key) => (key.place.kind === "chain" ? [inChain(keyElement(key))] : [])),
      ...left.flatMap(({ place }) =>
        place.kind === "chain" ? [inChain(gone("key", element("name", String(place.id))))] : [],
      ),
    ],
    lines: [
      ...left.map(({ ckn }) => `- ${after.port} pre-shared key ${shortOf(ckn)}`),
      ...come.map(({ ckn, secret }) => {
        const label = secret?.toJSON() ?? "";
        return `+ ${after.port} pre-shared key ${shortOf(ckn)} ${label}`;
      }),
    ],
  };
}

function keyElement({ ckn, place, secret }: PlannedKey): XmlOut {
  const start = place.kind === "chain" ? startText(place.startsAt) : "";
  return element(
    "key",
    element("name", place.kind === "chain" ? String(place.id) : ""),
    element("secret", ...(secret === undefined ? [] : [{ secret, as: "hex" } as const])),
    element("key-name", ckn.toUpperCase()),
    element("start-time", start),
  );
}

function renderAdmin(before: PortPlan, after: PortPlan): RenderedChange {
  if (before.admin === after.admin) return { sent: [], lines: [] };
  const { port, admin } = after;
  const disable = admin === "down" ? element("disable") : gone("disable");
  return {
    sent: [element("interfaces", element("interface", element("name", port), disable))],
    lines: [`- ${port} admin ${before.admin}`, `+ ${port} admin ${admin}`],
  };
}

function renderDrains(
  before: PortPlan,
  after: PortPlan,
  config: JunosConfig,
  localAs: LocalAs,
): RenderedChange | undefined {
  const { ends, begins, lines } = drainsBetween(before, after, "drain");
  const trees: XmlOut[] = [];
  for (const neighbour of neighboursOn(config, after.port)) {
    for (const means of ends) trees.push(...endOf(means, neighbour));
    for (const means of begins) {
      const begun = beginningOf(means, neighbour, localAs(neighbour), config);
      if (begun === undefined) return undefined;
      trees.push(...begun);
    }
  }
  return { sent: trees, lines };
}

function inGroup({ group, instance }: Neighbour, neighbour: XmlOut): XmlOut {
  const named = element("group", element("name", group), neighbour);
  const protocols = element("protocols", element("bgp", named));
  if (instance === undefined) return protocols;
  return element("routing-instances", element("instance", element("name", instance), protocols));
}

const at = (neighbour: Neighbour, ...children: readonly XmlOut[]): XmlOut =>
  inGroup(neighbour, element("neighbor", element("name", neighbour.address), ...children));

/**
 * A drain prepends the router's own AS three times, and sets a local preference below the usual
 * one.
 */
const prepends = 3;
const lowPreference = "50";

function beginningOf(
  means: DrainMeans,
  neighbour: Neighbour,
  as: string | undefined,
  config: JunosConfig,
): readonly XmlOut[] | undefined {
  switch (means) {
    case "peeringShutdown":
      return [inactive(neighbour, "inactive")];
    case "gracefulShutdown": {
      const sender = element("sender", element("local-preference", "0"));
      return [at(neighbour, element("graceful-shutdown", sender))];
    }
    case "prepend": {
      if (as === undefined || !/^\d{1,10}$/.test(as)) return undefined;
      const out = `${drainOut}-${as}`;
      const path = Array.from({ length: prepends }, () => as).join(" ");
      const low = element("local-preference", element("local-preference", lowPreference));
      return [
        ...policy(out, element("as-path-prepend", path), config),
        ...policy(drainIn, low, config),
        ...policyLists(
          neighbour,
          (own) => [out, ...own],
          (own) => [drainIn, ...own],
        ),
      ];
    }
  }
}

function endOf(means: DrainMeans, neighbour: Neighbour): readonly XmlOut[] {
  switch (means) {
    case "peeringShutdown":
      return neighbour.isInactive ? [inactive(neighbour, "active")] : [];
    case "gracefulShutdown":
      return neighbour.isGraceful
        ? [at(neighbour, element("graceful-shutdown", gone("sender")))]
        : [];
    case "prepend": {
      const without = (own: readonly string[]): readonly string[] =>
        own.filter((name) => name !== drainIn && !name.startsWith(drainOut));
      return policyLists(neighbour, without, without);
    }
  }
}

const inactive = (neighbour: Neighbour, state: "inactive" | "active"): XmlOut =>
  inGroup(
    neighbour,
    elementWith("neighbor", { [state]: state }, element("name", neighbour.address)),
  );

function policy(name: string, then: XmlOut, { policies }: JunosConfig): readonly XmlOut[] {
  if (policies.has(name)) return [];
  // The policy has no accept or reject, so the operator's own policies are evaluated after it.
  const statement = element("policy-statement", element("name", name), element("then", then));
  return [element("policy-options", statement)];
}

// A list at a neighbour replaces what it inherits, so the list names that as well.
function policyLists(
  neighbour: Neighbour,
  exportOf: (own: readonly string[]) => readonly string[],
  importOf: (own: readonly string[]) => readonly string[],
): readonly XmlOut[] {
  const { exportPolicies, importPolicies, inherited } = neighbour;
  return [
    ...renderList(neighbour, "export", exportPolicies, inherited.exportPolicies, exportOf),
    ...renderList(neighbour, "import", importPolicies, inherited.importPolicies, importOf),
  ];
}

function renderList(
  neighbour: Neighbour,
  name: "import" | "export",
  own: readonly string[] | undefined,
  inherited: readonly string[],
  listOf: (own: readonly string[]) => readonly string[],
): readonly XmlOut[] {
  const list = listOf(own ?? inherited);
  const isInherited = list.join(" ") === inherited.join(" ");
  return [
    ...(own === undefined ? [] : [at(neighbour, gone(name))]),
    ...(isInherited ? [] : [at(neighbour, ...list.map((one) => element(name, one)))]),
  ];
}

function shown(settings: MacsecSettings, isEncrypted: boolean): string {
  const text = settingsText(settings, { sci: true, window: "replay" });
  return isEncrypted ? text : `${text} encryption off`;
}
