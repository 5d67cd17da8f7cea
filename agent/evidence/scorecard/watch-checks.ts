// What records the traffic: Connection Monitor, Traffic Collector and diagnostic settings.

import { overWatched } from "./alert-checks.ts";
import { at, filtered, isVault, type Resource } from "./estate.ts";
import type { ScorecardFacts } from "./facts.ts";
import {
  absent,
  failed,
  ifRead,
  isWithin,
  lastOf,
  listAt,
  nameOf,
  type Outcome,
  oneOf,
  overAll,
  proven,
  sameId,
  textAt,
  together,
  unseen,
  unverifiable,
} from "./outcome.ts";

type Facts = ScorecardFacts;

/** One monitor of the path is enough. */
export function connectionMonitor({ estate }: Facts): Outcome {
  return ifRead(estate.lists.monitors, ({ items, source }) =>
    items.length === 0 ? unseen("no connection monitor", source) : oneOf(items.map(monitorOf)),
  );
}

function monitorOf(monitor: Resource): Outcome {
  const name = nameOf(monitor);
  const next = `let ${name} test from a machine on premises to one in Azure`;
  const { properties } = monitor;
  const groups = listAt(properties, "testGroups").filter((group) => at(group, "disable") !== true);
  if (groups.length === 0) {
    return failed(`${name} has no test group that is on`, `switch a test group of ${name} on`);
  }
  if (sameId(at(properties, "monitoringStatus"), "Stopped")) {
    return failed(`${name} is stopped`, `start ${name}`);
  }
  const sideOf = (names: readonly unknown[]): ReadonlySet<Side> => {
    const found = names.map((one) =>
      listAt(properties, "endpoints").find((endpoint) => sameId(at(endpoint, "name"), one)),
    );
    return new Set(found.map(endpointSide));
  };
  const crosses = groups.some((group) => {
    const sources = sideOf(listAt(group, "sources"));
    const targets = sideOf(listAt(group, "destinations"));
    return (
      (sources.has("onPremises") && targets.has("azure")) ||
      (sources.has("azure") && targets.has("onPremises"))
    );
  });
  if (crosses) return proven(`${name} tests the way between on premises and Azure`);
  return unverifiable(`${name} shows no test between on premises and Azure`, next);
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
      if (mine.some(emits)) return proven(`a Traffic Collector takes the flows of ${name}`);
      return failed(`the Traffic Collector of ${name} sends its records nowhere`, next);
    }),
  );
}

function emits(policy: Resource): boolean {
  return listAt(policy, "properties", "emissionPolicies").some(
    (each) => listAt(each, "emissionDestinations").length > 0,
  );
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
  const { list, words } = wantedLogs[kind];
  const [word] = words;
  const next = `add a diagnostic setting to ${name} that sends ${word}`;
  return ifRead(estate.lists.diagnostics, ({ items, source }) => {
    const mine = items.filter((setting) => isWithin(setting["id"], id));
    const sends = mine.some((setting) => hasDestination(setting) && isSent(setting, list, words));
    if (sends) return proven(`${name} sends ${word}`);
    return absent(`${name} sends no ${word}`, next, source);
  });
}

function kindOf(id: string): keyof typeof wantedLogs {
  if (/\/vaults\//i.test(id)) return "vault";
  return /\/expressRouteCircuits\//i.test(id) ? "circuit" : "port";
}

function isSent({ properties }: Resource, list: Wanted["list"], words: readonly string[]): boolean {
  return listAt(properties, list).some(
    (each) =>
      at(each, "enabled") === true &&
      words.some((word) =>
        [at(each, "category"), at(each, "categoryGroup")].some((found) => sameId(found, word)),
      ),
  );
}

function hasDestination({ properties }: Resource): boolean {
  const fields = ["workspaceId", "storageAccountId", "eventHubAuthorizationRuleId"];
  return [...fields, "marketplacePartnerId"].some(
    (field) => textAt(properties, field) !== undefined,
  );
}
