// What records the traffic: Connection Monitor, Traffic Collector and diagnostic settings.

import { overWatched } from "./alert-checks.ts";
import { at, filtered, isVault, type Resource, type Source } from "./estate.ts";
import type { ScorecardFacts } from "./facts.ts";
import { allOf, type Effect, type Field, isFilled, isOn, judge, words } from "./fields.ts";
import {
  absent,
  ifRead,
  isWithin,
  lastOf,
  listAt,
  nameOf,
  type Outcome,
  oneOf,
  overAll,
  sameId,
  textAt,
  together,
  unseen,
} from "./outcome.ts";

type Facts = ScorecardFacts;

/** One monitor of the path is enough. */
export function connectionMonitor({ estate }: Facts): Outcome {
  return ifRead(estate.lists.monitors, ({ items, source }) =>
    items.length === 0
      ? unseen("no connection monitor", source)
      : oneOf(items.map((each) => monitorOf(each, source))),
  );
}

function monitorOf(monitor: Resource, source: Source): Outcome {
  const name = nameOf(monitor);
  const next = `let ${name} test from a machine on premises to one in Azure`;
  const { properties } = monitor;
  const all = listAt(properties, "testGroups");
  const start = { fault: `${name} is stopped`, next: `start ${name}` };
  const off = {
    fault: `${name} has no test group that is on`,
    next: `switch a test group of ${name} on`,
  };
  const fields: readonly Field[] = [
    { path: "properties.monitoringStatus", does: words(["Running"], ["Stopped"]), ...start },
    {
      ...{ path: "properties.testGroups", ...off },
      does: (groups) =>
        listAt(groups).every((group) => at(group, "disable") === true) ? "fails" : "proves",
    },
  ];
  const crossing = all.map((value) => {
    const group: readonly Field[] = [
      { path: "disable", does: words([false], [true]), ...off },
      { path: "testConfigurations", does: isFilled, ...off },
      {
        ...{ path: "sources", fault: "", next },
        does: () => (crosses(properties, value) ? "proves" : "nothing"),
        doubt: `${name} shows no test between on premises and Azure`,
      },
    ];
    return judge({ name, value, source }, group, monitorProof(name));
  });
  const own = judge({ name, value: monitor, source }, fields, monitorProof(name));
  return crossing.length === 0 ? own : allOf([own, oneOf(crossing)]);
}

const monitorProof = (name: string): string =>
  `${name} tests the way between on premises and Azure`;

function crosses(properties: unknown, group: unknown): boolean {
  const sideOf = (key: string): ReadonlySet<Side> => {
    const found = listAt(group, key).map((one) =>
      listAt(properties, "endpoints").find((endpoint) => sameId(at(endpoint, "name"), one)),
    );
    return new Set(found.map(endpointSide));
  };
  const [sources, targets] = [sideOf("sources"), sideOf("destinations")];
  return (
    (sources.has("onPremises") && targets.has("azure")) ||
    (sources.has("azure") && targets.has("onPremises"))
  );
}

type Side = "azure" | "onPremises" | "unknown";

/** Agents outside Azure are Arc machines or machines and networks of a workspace. */
function endpointSide(endpoint: unknown): Side {
  const type = textAt(endpoint, "type");
  if (type === undefined) {
    const id = textAt(endpoint, "resourceId") ?? "";
    return /\/Microsoft\.(Compute\/virtualMachines|Network\/virtualNetworks)\//i.test(id)
      ? "azure"
      : "unknown";
  }
  if (/^(MMAWorkspace|AzureArc)/i.test(type)) return "onPremises";
  return /^Azure/i.test(type) ? "azure" : "unknown";
}

export function trafficCollector({ estate }: Facts): Outcome {
  const { circuits, collectorPolicies } = estate.lists;
  return overAll(circuits, "ExpressRoute circuit", (circuit) =>
    ifRead(collectorPolicies, ({ items, source }) => {
      const name = nameOf(circuit);
      const next = `let a Traffic Collector take the flows of ${name}`;
      const mine = items.filter((policy) =>
        listAt(policy, "properties", "ingestionPolicy", "ingestionSources").some((each) =>
          sameId(at(each, "resourceId"), circuit["id"]),
        ),
      );
      if (mine.length === 0) {
        return { ...unseen(`no Traffic Collector of ${name}`, source), next };
      }
      const emissions: Field = {
        ...{ path: "properties.emissionPolicies", does: emissionEffect, unset: "fails" },
        ...{ fault: `the Traffic Collector of ${name} sends its records nowhere`, next },
      };
      const proof = `a Traffic Collector takes the flows of ${name}`;
      return oneOf(mine.map((value) => judge({ name, value, source }, [emissions], proof)));
    }),
  );
}

function emissionEffect(policies: unknown): Effect {
  const effects = listAt(policies).map((each) => isFilled(at(each, "emissionDestinations")));
  if (effects.includes("proves")) return "proves";
  return effects.includes("nothing") ? "nothing" : "fails";
}

/** What a resource must send: a log by its category or a group of categories, or its metrics. */
interface Wanted {
  readonly list: "logs" | "metrics";
  readonly words: readonly string[];
}

const wantedLogs: Readonly<Record<"vault" | "circuit" | "port", Wanted>> = {
  vault: { list: "logs", words: ["AuditEvent", "audit", "allLogs"] },
  circuit: { list: "logs", words: ["PeeringRouteLog", "allLogs"] },
  // A port has metrics and no logs.
  port: { list: "metrics", words: ["AllMetrics"] },
};

export function diagnosticSettings(facts: Facts): Outcome {
  const { estate, vaults } = facts;
  const addresses = vaults.kind === "named" ? vaults.addresses : [];
  const mine = filtered(estate.lists.vaults, (each) => isVault(each, addresses));
  return together([
    overWatched(facts, (id) => settingsOf(facts, id)),
    overAll(mine, "vault that the far ends name", ({ id }) => settingsOf(facts, String(id))),
  ]);
}

function settingsOf({ estate }: Facts, id: string): Outcome {
  const name = lastOf(id);
  const kind = kindOf(id);
  const { list, words: wanted } = wantedLogs[kind];
  const [word] = wanted;
  const next = `add a diagnostic setting to ${name} that sends ${word}`;
  return ifRead(estate.lists.diagnostics, ({ items, source }) => {
    const mine = items.filter((setting) => isWithin(setting["id"], id));
    const fault = `${name} sends no ${word}`;
    const fields: readonly Field[] = [
      {
        ...{ path: `properties.${list}`, unset: "fails", fault, next },
        does: (entries) => sentEffect(listAt(entries), wanted),
      },
      {
        ...{ path: "properties", fault, next },
        does: (properties) => (hasDestination(properties) ? "proves" : "fails"),
      },
    ];
    if (mine.length === 0) return absent(fault, next, source);
    return oneOf(
      mine.map((value) => judge({ name, value, source }, fields, `${name} sends ${word}`)),
    );
  });
}

function kindOf(id: string): keyof typeof wantedLogs {
  if (/\/vaults\//i.test(id)) return "vault";
  return /\/expressRouteCircuits\//i.test(id) ? "circuit" : "port";
}

/** A category that is shown without a switch is not known to be sent. */
function sentEffect(entries: readonly unknown[], wanted: readonly string[]): Effect {
  const effects = entries
    .filter((each) =>
      [at(each, "category"), at(each, "categoryGroup")].some(
        (found) => words(wanted)(found) === "proves",
      ),
    )
    .map((each) => isOn(at(each, "enabled")));
  if (effects.includes("proves")) return "proves";
  return effects.includes("nothing") ? "nothing" : "fails";
}

function hasDestination(properties: unknown): boolean {
  const fields = ["workspaceId", "storageAccountId", "eventHubAuthorizationRuleId"];
  return [...fields, "marketplacePartnerId"].some(
    (field) => textAt(properties, field) !== undefined,
  );
}
