// The settings that decide what the agent may do by itself, and what each of them allows.

import { type RiskName, riskMeanings } from "../model/desired.ts";
import type { Config } from "./schema.ts";
import { windowTexts } from "./span.ts";

interface Changed {
  readonly path: string;
  readonly old: string | null;
  readonly new: string | null;
}

/** Both configs; `old` of undefined = no config is in force. */
interface Configs {
  readonly old: Config | undefined;
  readonly new: Config;
}

interface AuthorityRow {
  /** Matches the paths of the setting; its first group is the name of the list's element. */
  readonly path: RegExp;
  /** Returns what the agent may do by itself from then on; undefined = nothing changes in that. */
  readonly allows: (change: Changed, name: string, configs: Configs) => string | undefined;
}

/** Returns what the agent may do by itself after a change; undefined = no authority changes. */
export function authorityOf(change: Changed, configs: Configs): string | undefined {
  for (const { path, allows } of authorityRows) {
    const found = path.exec(change.path);
    if (found !== null) return allows(change, found[1] ?? "", configs);
  }
  return undefined;
}

/** What `fleet.apply: auto` may change at all; settings that come later need a person first. */
const autoPath = /^(?:groups\[|tunnels\[|health\.|rotation\.)/;

/** Where the agent acts, and what a tunnel leads its traffic to and needs around it. */
const placePaths = [
  /^groups\[[^\]]+\]\.links\[[^\]]+\]\.(?:device|port)$/,
  /^tunnels\[[^\]]+\]\.(?:device|remote\.address|insideMacsec)$/,
];

/**
 * True if only a person of the site may make this change: it concerns authority, whichever way, or
 * a place, or it is of no part that a signed proposal may change alone.
 */
export function needsPerson(path: string): boolean {
  const isPlace = placePaths.some((place) => place.test(path));
  return isPlace || !autoPath.test(path) || authorityRows.some((row) => row.path.test(path));
}

const inGroup = (setting: string): RegExp => new RegExp(`^groups\\[([^\\]]+)\\]\\.${setting}$`);

const linkPath = /^groups\[([^\]]+)\]\.links\[([^\]]+)\]\.azureLink$/;

/** One row for each setting of authority. */
const authorityRows: readonly AuthorityRow[] = [
  {
    path: /^azure\.farEnd$/,
    allows: (change) =>
      change.new === "agent"
        ? "The agent itself changes the far end of every link, through Azure."
        : "An operator changes the far ends of links: the agent waits for that.",
  },
  { path: /^azure\.identity\./, allows: signsIn },
  {
    path: /^azure\.(?:cloud|vault)$/,
    allows: (_change, _name, { new: { azure } }) =>
      `The agent takes keys from ${azure.vault}, in the cloud ${azure.cloud}.`,
  },
  {
    path: /^repair$/,
    allows: (change) =>
      change.new === "on"
        ? "The agent itself mends drift, where that cannot interrupt a port, and renews SAs that " +
          "do not carry."
        : "The agent reports drift and mends none that an operator made; it renews no SA that " +
          "does not carry.",
  },
  {
    path: /^fleet\.(?:servers|ca|key)/,
    allows: (_change, _name, { new: { fleet } }) =>
      fleet === undefined
        ? "The site publishes nothing to an engine any more."
        : `The site publishes its status and records to ${fleet.servers.join(", ")}.`,
  },
  {
    path: /^fleet\.(?:signers|apply)/,
    allows: (_change, _name, { new: { fleet } }) => {
      if (fleet === undefined || fleet.signers.length === 0) return undefined;
      const who = fleet.signers.map(({ name }) => name).join(", ");
      return fleet.apply === "auto"
        ? `The agent itself applies a config that ${who} signed, if it changes no authority.`
        : `A config that ${who} signed waits for a person of the site, who applies it.`;
    },
  },
  {
    path: /^devices\[([^\]]+)\]\.ssh\.hostKey$/,
    allows: (change, name) =>
      change.new === null
        ? undefined
        : `The agent signs in to ${name} if that shows the host key ${change.new}.`,
  },
  {
    path: /^fleet\.permits$/,
    allows: (change) =>
      change.new === null
        ? "Campaigns take links without a permit of the hub."
        : "A campaign waits for a permit of the hub before it takes a link.",
  },
  { path: /^acceptRisks\[([^\]]+)\]\.until$/, allows: acceptsRisk },
  {
    path: inGroup("expressRoutePort"),
    allows: (change, name, configs) => {
      if (change.new === null) {
        return `The agent no longer manages the links of ${name}; both ends keep what they have.`;
      }
      if (change.old === null) {
        return `The agent manages the links of ${name} on the port ${change.new}.`;
      }
      return otherFarEnd(change, `the links of ${name}`, configs);
    },
  },
  {
    path: linkPath,
    allows: (change, _name, configs) => {
      // A link that is new or gone has no far end of before.
      if (change.old === null || change.new === null) return undefined;
      return otherFarEnd(change, change.path.replace(linkPath, "$1/$2"), configs);
    },
  },
  {
    path: /^rotation\.atOnce$/,
    allows: (change) => `At most ${change.new} campaigns may be open at once.`,
  },
  { path: inGroup("rotate\\.on"), allows: rotates },
  {
    path: inGroup("rotate\\.maxAge"),
    allows: (change, name, configs) =>
      policyOf(configs.new, name)?.on === "age" ? rotates(change, name, configs) : undefined,
  },
  { path: inGroup("rotate\\.window"), allows: rotates },
  { path: inGroup("freeze"), allows: rotates },
  {
    path: inGroup("drain"),
    allows: (change, name) => {
      if (change.new === null) return undefined;
      return change.new === "none"
        ? `The agent changes a link of ${name} while the link carries traffic.`
        : `Before a change the agent moves traffic off a link of ${name} (${change.new}).`;
    },
  },
  {
    path: inGroup("order"),
    allows: (change, name) =>
      change.new === null ? undefined : `A campaign takes the links of ${name} as ${change.new}.`,
  },
  {
    path: inGroup("retire"),
    allows: (change, name) => {
      if (change.new === null) return undefined;
      const when = change.new === "afterSoak" ? "after the soak time" : "as soon as that is proven";
      return `The old key of a link of ${name} leaves both ends ${when}.`;
    },
  },
  {
    path: /^tunnels\[([^\]]+)\]\.auth\.farEnd$/,
    allows: (change, name, configs) => {
      if (!configs.new.tunnels.some((tunnel) => tunnel.name === name)) return undefined;
      const who = change.new === "agent" ? "The agent itself" : "An operator";
      return `${who} gives a newer pre-shared key of ${name} to the gateway.`;
    },
  },
];

function otherFarEnd(change: Changed, of: string, { new: { azure } }: Configs): string {
  const does = azure.farEnd === "agent" ? "reads and changes" : "reads, and an operator changes,";
  return `As the far end of ${of} the agent ${does} ${change.new}, and no longer ${change.old}.`;
}

function signsIn(_change: Changed, _name: string, { new: { azure } }: Configs): string | undefined {
  const { identity } = azure;
  if (identity === undefined) return undefined;
  const client = identity.client === undefined ? "" : ` ${identity.client}`;
  return `The agent signs in to Azure as ${identity.kind}${client}, with the rights of that.`;
}

function acceptsRisk(change: Changed, name: string): string {
  if (change.new === null) {
    return `The risk ${name} is no longer accepted: what needs it waits for an operator.`;
  }
  const meaning = Object.hasOwn(riskMeanings, name) ? riskMeanings[name as RiskName] : "";
  return `The risk ${name} is accepted until the end of ${change.new}: ${meaning}.`;
}

function policyOf(config: Config, name: string): Config["groups"][number]["rotate"] | undefined {
  return config.groups.find((group) => group.name === name)?.rotate;
}

function rotates(_change: Changed, name: string, { new: config }: Configs): string | undefined {
  const policy = policyOf(config, name);
  if (policy === undefined) return undefined;
  const freezes = config.groups.find((group) => group.name === name)?.freeze ?? [];
  const windows = windowTexts(policy.window);
  const when = windows.length === 0 ? "at any time" : `within ${windows.join(" or ")}`;
  const except = freezes.length === 0 ? "" : `, but not in ${freezes.join(" or ")}`;
  switch (policy.on) {
    case "hand":
      return `A rotation of ${name} begins only when an operator asks, ${when}${except}.`;
    case "vaultVersion":
      return (
        `A rotation of ${name} begins by itself when the vault has a newer key, ` +
        `${when}${except}.`
      );
    case "age":
      return (
        `A rotation of ${name} begins by itself when the key is older than ` +
        `${policy.maxAge ?? "its limit"}, ${when}${except}.`
      );
  }
}
