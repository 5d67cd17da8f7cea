// Checks before a first config is used: the vault, the identity, and whether the path to either
// uses a port that would be changed.

import { simVault } from "#drivers/index.ts";
import { LinksealError } from "#hal/error.ts";
import type { Dialer, HttpRequest } from "#hal/world.ts";
import type { InitAnswers } from "./config-text.ts";

/** The result of one check. */
export interface Check {
  /** The thing that was checked. */
  readonly what: "vault" | "identity" | "own path";
  /** `unknown` = it could not be found out. */
  readonly found: "good" | "wrong" | "unknown";
  /** One sentence for the operator. */
  readonly text: string;
  /** The step to take; null = none. */
  readonly next: string | null;
}

const replyBytesMax = 100_000;

export interface CheckParts {
  readonly dial: Dialer;
  /** Makes the deadline of one question. */
  readonly deadline: () => AbortSignal;
}

/** Runs all checks; it never throws for a check that fails. */
export async function checksOf(answers: InitAnswers, parts: CheckParts): Promise<readonly Check[]> {
  return [
    await vaultCheck(answers, parts),
    ...(await identityCheck(answers, parts)),
    ...(await managementPathChecks(answers, parts)),
  ];
}

async function vaultCheck(answers: InitAnswers, { dial, deadline }: CheckParts): Promise<Check> {
  const { vault, group } = answers;
  const what = "vault";
  const signal = deadline();
  try {
    if (answers.cloud === "sim") {
      const versions = await simVault(dial, vault).versions(`${group}-1-cak`, signal);
      const text = `the simulated vault answers: ${versions.length} versions of ${group}-1-cak`;
      return { what, found: "good", text, next: null };
    }
    // Without a token the vault has to refuse, and by then its certificate has proven its name.
    const asked = { to: vault, method: "GET", path: "/secrets?api-version=7.4", replyBytesMax };
    const { status } = await dial.http(asked as HttpRequest, signal);
    if (status === 401) return { what, found: "good", text: `${vault} answers`, next: null };
    const text = `${vault} answers ${status}, but a vault would ask for a token`;
    return { what, found: "wrong", text, next: "check the name of the vault and its firewall" };
  } catch (error) {
    return { what, found: "wrong", ...tellable(error) };
  }
}

function tellable(error: unknown): Pick<Check, "text" | "next"> {
  if (error instanceof LinksealError) return { text: error.message, next: error.next };
  return { text: "it did not answer in time", next: "check the path to it: DNS, firewall, proxy" };
}

const identityPlaces = {
  arc: { to: "http://127.0.0.1:40342", path: "/metadata/identity/oauth2/token" },
  managedIdentity: { to: "http://169.254.169.254", path: "/metadata/identity/oauth2/token" },
} as const;

/**
 * Checks that an identity endpoint answers; whether the identity may read the vault shows at its
 * first use.
 */
async function identityCheck(
  { identity }: InitAnswers,
  { dial, deadline }: CheckParts,
): Promise<readonly Check[]> {
  if (identity === undefined) return [];
  const what = "identity";
  const asked = { ...identityPlaces[identity], method: "GET", replyBytesMax } as const;
  try {
    await dial.http(asked, deadline());
    const text = `${asked.to} gives tokens; linkseal keys check shows what they allow`;
    return [{ what, found: "good", text, next: null }];
  } catch {
    const text = `no answer at ${asked.to}: this host has no identity of the kind ${identity}`;
    const next =
      identity === "arc"
        ? "install the Azure Connected Machine agent, and let linkseal join its group himds"
        : "give the virtual machine a managed identity";
    return [{ what, found: "wrong", text, next }];
  }
}

async function managementPathChecks(
  answers: InitAnswers,
  parts: CheckParts,
): Promise<readonly Check[]> {
  const own = answers.devices.find(({ driver }) => driver === "linux");
  if (own === undefined) return [];
  const ports = answers.links.filter(({ device }) => device === own.name).map(({ port }) => port);
  const hosts = [answers.vault, ...answers.devices.map(({ address }) => address)].flatMap(hostOf);
  const checks: Check[] = [];
  for (const host of hosts) checks.push(await managementPath(host, ports, parts));
  return checks;
}

function hostOf(address: string | undefined): readonly string[] {
  const host = address?.replace(/^https:\/\//, "").replace(/[:/].*$/, "");
  return host === undefined || address?.startsWith("unix:") === true ? [] : [host];
}

async function managementPath(
  host: string,
  ports: readonly string[],
  { dial, deadline }: CheckParts,
): Promise<Check> {
  const what = "own path";
  const signal = deadline();
  try {
    const [address = host] = await dial.resolve(host, signal);
    const port = await dial.routeTo(address, signal);
    if (port === undefined) {
      const text = `no route to ${host} is known`;
      return { what, found: "unknown", text, next: `ip route get ${address}` };
    }
    if (!ports.includes(port)) {
      return { what, found: "good", text: `${host} is reached over ${port}`, next: null };
    }
    const text = `${host} is reached over ${port}, which this config would change`;
    return { what, found: "wrong", text, next: "route it over a management port" };
  } catch (error) {
    return { what, found: "unknown", ...tellable(error) };
  }
}
