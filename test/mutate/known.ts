// Mutants that no test can notice, each with the reason.

import { knownOfCampaigns } from "./known-campaign.ts";

export interface Known {
  readonly file: string;
  /**
   * The source line in which the mutant begins, without its indent, or the beginning of it; empty =
   * any line of the file.
   */
  readonly line: string;
  /** What Stryker writes there instead. */
  readonly becomes: readonly string[];
  readonly why: string;
}

export const known: readonly Known[] = [
  ...knownOfCampaigns,
  {
    file: "agent/plan.ts",
    line: "vaultBase: vaultBaseOf(input.desired.azure, [key?.cakSecretId]),",
    becomes: ["[]"],
    why: "no drift rests on the base of the vault",
  },
  {
    file: "agent/plan.ts",
    line: "if (binding === undefined || sameSettings({ link, binding })) return undefined;",
    becomes: ["false"],
    why: "a managed link has a binding: the check is for the type",
  },
  {
    file: "agent/plan.ts",
    line: "if (port === undefined) return [];",
    becomes: ["false", '["Stryker was here"]'],
    why: "standingOf asks for drift only where the port is listed",
  },
  {
    file: "agent/plan.ts",
    line: "const keys = strongValue(port.keys) ?? [];",
    becomes: ['["Stryker was here"]'],
    why: "standingOf asks for drift only where the keys are told",
  },
  {
    file: "agent/plan.ts",
    line: "const hitless = capabilities?.macsec?.hitless ?? [];",
    becomes: ['["Stryker was here"]'],
    why: "no leaf has that name",
  },
  {
    file: "agent/plan.ts",
    line: "const isBare = strongValue(port.keys)?.length === 0 &&",
    becomes: ["strongValue(port.keys).length"],
    why: "standingOf asks for drift only where the keys are told",
  },
  {
    file: "agent/plan.ts",
    line: "return by === undefined ? { text, repair } :",
    becomes: ["false"],
    why: "whoever asks reads undefined as absent",
  },
  {
    file: "agent/verify.ts",
    line: "const value = backed === undefined ? [] : strongValue(backed);",
    becomes: ['["Stryker was here"]'],
    why: "no prefix is its own",
  },
  {
    file: "agent/health/control.ts",
    line: 'const claims = newest.session.kind === "known" && newest.session.value.controlledPort;',
    becomes: ["true"],
    why: "the caller has a session in hand: the check is for the type",
  },
  {
    file: "agent/health/control.ts",
    line: "const wanted = short(expected?.ckn ?? next?.ckn);",
    becomes: ["next.ckn"],
    why: "one of the two keys is there, or the sentence above was said",
  },
  {
    file: "agent/health/control.ts",
    line: 'const seen = newest.settings.kind === "known" ? newest.settings.value : undefined;',
    becomes: ["true"],
    why: "an unread reading has no value, which is undefined as well",
  },
  {
    file: "agent/health/frames.ts",
    line: 'return newest.frames.kind === "unknown" || strongValue(newest.session) !== undefined',
    becomes: ["false", '""'],
    why: "without a session the same code is there already, and the first sentence counts",
  },
  {
    file: "agent/health/frames.ts",
    line: "const still = recent !== undefined && names.some(",
    becomes: ["true"],
    why: "a window with an oldest look has a recent one",
  },
  {
    file: "agent/health/frames.ts",
    line: "if (explained || passing.rx === false || !unusedForLong(window)) return undefined;",
    becomes: ["false"],
    why: "frames on an unused SA while none passes are down, and that returned above",
  },
  {
    file: "agent/health/frames.ts",
    line: "if (oldest === undefined || recent === undefined || recent === oldest) return false;",
    becomes: [
      "false",
      "(oldest === undefined || recent === undefined) && recent === oldest",
      "oldest === undefined && recent === undefined",
    ],
    why: "both looks are there or none, and nothing rises from a look to itself",
  },
  {
    file: "agent/health/frames.ts",
    line: "if (next === undefined || recent === undefined) return undefined;",
    becomes: ["false"],
    why: "a window with an oldest look has a recent one",
  },
  {
    file: "agent/health/frames.ts",
    line: "const spanMs = window.newest.at - (window.oldest?.at ?? window.newest.at);",
    becomes: ["window.oldest.at"],
    why: "frames are judged only with an oldest look",
  },
  {
    file: "agent/health/frames.ts",
    line: 'if (probe === undefined || probe.sent === 0) return "none";',
    becomes: ['""'],
    why: "only the two other words are asked for",
  },
  {
    file: "agent/health/frames.ts",
    line: 'if (now - probe.at > settings.evidenceMs) return "none";',
    becomes: ['""'],
    why: "only the two other words are asked for",
  },
  {
    file: "agent/health/frames.ts",
    line: 'if (window.cut !== "none" && probe.at < start) return "none";',
    becomes: ['""'],
    why: "only the two other words are asked for",
  },
  {
    file: "agent/health/frames.ts",
    line: "const start = window.oldest?.at ?? window.newest.at;",
    becomes: ["window.oldest.at"],
    why: "frames are judged only with an oldest look",
  },
  {
    file: "agent/health/frames.ts",
    line: "const start = window.oldest?.at;",
    becomes: ["window.oldest.at"],
    why: "frames are judged only with an oldest look",
  },
  {
    file: "agent/health/frames.ts",
    line: 'if (probe === "answered" && at !== undefined && start !== undefined) {',
    becomes: ["true"],
    why: "an answered probe has a time, and the window an oldest look",
  },
  {
    file: "agent/health/health.ts",
    line: "const passing = window === undefined ? { rx: false, tx: false } : passingOf(window);",
    becomes: ["{}", "true"],
    why: "without a window nothing depends on one way alone, and undefined is as false",
  },
  {
    file: "agent/health/health.ts",
    line: "for (let index = looks.length - 1; index >= 0; index -= 1) {",
    becomes: ["looks.length + 1"],
    why: "past the end there is no look",
  },
  {
    file: "agent/health/health.ts",
    line: "const reading = look === undefined ? undefined : pick(look);",
    becomes: ["false"],
    why: "inside the array there is a look",
  },
  {
    file: "agent/health/health.ts",
    line: 'if (reading?.kind === "known") return now - reading.at;',
    becomes: ["reading.kind"],
    why: "inside the array there is a look",
  },
  {
    file: "agent/health/model.ts",
    line: 'return verdictOrder[worst] ?? "unknown";',
    becomes: ['""'],
    why: "the index comes from the same array",
  },
  {
    file: "agent/health/model.ts",
    line: "return device.lastLookAt !== undefined && device.lastLookAt - at > settings.pollMs / 2;",
    becomes: ["true"],
    why: "both callers have returned where no look succeeded",
  },
  {
    file: "agent/health/prefix.ts",
    line: "if (address === undefined || rest.length > 0) return undefined;",
    becomes: ["false"],
    why: "split gives at least one part",
  },
  {
    file: "agent/health/prefix.ts",
    line: "if (head === undefined) return undefined;",
    becomes: ["false"],
    why: "split gives at least one part",
  },
  {
    file: "agent/health/tunnel.ts",
    line: "const spanMs = now - (looks[0]?.sas.at ?? now);",
    becomes: ["looks[0].sas"],
    why: "where there is a newest look there is a first",
  },
  {
    file: "agent/health/tunnel.ts",
    line: 'const now = newest.sas.kind === "known" ? newest.sas.value : [];',
    becomes: ['["Stryker was here"]'],
    why: "no SA has that direction",
  },
  {
    file: "agent/health/tunnel.ts",
    line: 'const before = oldest?.sas.kind === "known" ? oldest.sas.value : [];',
    becomes: ['["Stryker was here"]', "true", "oldest.sas"],
    why: "the newest look is among the looks: with SAs now there is a look with SAs",
  },
  {
    file: "agent/health/tunnel-paths.ts",
    line: 'if (leak === undefined || leak.via.kind === "tunnel") return [];',
    becomes: ["false", '""'],
    why: "a leak is a route over a port: the check is for the type",
  },
  {
    file: "agent/health/warnings.ts",
    line: "return a < b ? -1 : a > b ? 1 : 0;",
    becomes: ["false"],
    why: "the sort asks only which of two comes first",
  },
  {
    file: "agent/health/warnings.ts",
    line: 'const severityOrder: readonly Severity[] = ["error", "warning", "info"];',
    becomes: ['""'],
    why: "a severity that is not found has index -1 and comes first, as an error does",
  },
  {
    file: "agent/health/window.ts",
    line: "const look = port === undefined ? undefined : lookOf(port);",
    becomes: ["false"],
    why: "inside the array there is a look",
  },
  {
    file: "agent/health/window.ts",
    line: "if (before !== undefined && after !== undefined && after < before) return false;",
    becomes: ["true", "before !== undefined || after !== undefined"],
    why: "nothing is less than undefined",
  },
  {
    file: "agent/health/window.ts",
    line: "if (recent === undefined) return { rx: false, tx: false };",
    becomes: ["{}", "true"],
    why: "without a recent look nothing depends on one way alone, and undefined is as false",
  },
  {
    file: "agent/health/status.ts",
    line: 'next: nextFor("not-configured", "site"),',
    becomes: ['""'],
    why: "the command names nothing",
  },
  {
    file: "agent/health/judge.ts",
    line: 'const about = `${group.name}/${campaign.links[campaign.at]?.name ?? ""}`;',
    becomes: ['"Stryker was here!"', "campaign.links[campaign.at].name"],
    why: "a campaign stands at one of its links",
  },
  {
    file: "agent/health/judge.ts",
    line: 'case "done":',
    becomes: ['""'],
    why: "a campaign that is done is none that is open",
  },
  {
    file: "agent/health/judge.ts",
    line: "if (health === undefined) throw new Error(",
    becomes: ["false", "``"],
    why: "the links of the intent are the keys of the map",
  },
  {
    file: "agent/health/judge.ts",
    line: "raised.push(...raisedBy(health, linkId(link), [link.device, group.name]));",
    becomes: ["[]"],
    why: "no cause is raised about a device or a group so far",
  },
  {
    file: "agent/health/judge.ts",
    line: "raised.push(...raisedBy(health, tunnel.name, [tunnel.device]));",
    becomes: ["[]"],
    why: "no cause is raised about a device so far",
  },
  {
    file: "agent/health/judge.ts",
    line: 'return [{ ...raise("drift", linkId(link), text), within: [link.device, link.group] }];',
    becomes: ["[]"],
    why: "no cause is raised about a device or a group so far",
  },
  {
    file: "agent/health/warnings.ts",
    line: 'const group = about.split("/")[0] ?? about;',
    becomes: ['about.split("/")[0] && about', '""'],
    why: "no cause is raised about a group so far",
  },
  {
    file: "agent/health/warnings.ts",
    line: "return { code, about, text, next: nextFor(code, about), within: [group] };",
    becomes: ["[]"],
    why: "no cause is raised about a group so far",
  },
  {
    file: "agent/health/judge.ts",
    line: 'kind: "configured",',
    becomes: ['""'],
    why: "the two other kinds are asked for",
  },
  {
    file: "agent/health/judge.ts",
    line: "return row !== null && isWarningCode(row) ? row : undefined;",
    becomes: ["true", "row !== null || isWarningCode(row)"],
    why: "every warning of an error is registered, as warnings.test.ts checks, and null has no row",
  },
  {
    file: "agent/health/judge.ts",
    line: "const vaultBase = vaultBaseOf(intent.desired.azure, [key?.cakSecretId]);",
    becomes: ["[]"],
    why: "no drift rests on the base of the vault",
  },
  {
    file: "agent/health/judge.ts",
    line: 'return [{ ...raise("far-end-unreadable", linkId(link), text), next,',
    becomes: ["[]"],
    why: "no cause is raised about a group so far",
  },
  {
    file: "agent/health/judge.ts",
    line: "if (waiting === undefined || code === undefined) return [];",
    becomes: ["false"],
    why: "without a wait there is no code either: the check is for the type",
  },
];
