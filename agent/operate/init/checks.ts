// Checks before a first config is used: the vault, the identity, and whether the path to either
// uses a port that would be changed.

import { isIP } from "node:net";
import { azureEndpoints, realClouds } from "#drivers/azure/azure-url.ts";
import { simVault } from "#drivers/index.ts";
import { LinksealError } from "#hal/error.ts";
import { parseJson } from "#hal/json.ts";
import { hostOfPeer } from "#hal/target.ts";
import type { Dialer, HttpReply, HttpRequest } from "#hal/world.ts";
import { type InitAnswers, isThisHost } from "./config-text.ts";

/** The result of one check. */
export interface Check {
  /** The thing that was checked. */
  readonly what: "vault" | "identity" | "router" | "port" | "own path";
  /** `good` = it was seen; `unknown` = it was not, and `next` names how to check it later. */
  readonly found: "good" | "wrong" | "unknown";
  /** One sentence for the operator. */
  readonly text: string;
  /** The step to take; null = none. */
  readonly next: string | null;
}

const replyBytesMax = 100_000;

export interface CheckParts {
  readonly dial: Dialer;
  /** Path of the config, as a word of a shell. */
  readonly file: string;
  /** Makes the deadline of one question. */
  readonly deadline: () => AbortSignal;
}

/** Runs all checks; it never throws for a check that fails. */
export async function checksOf(answers: InitAnswers, parts: CheckParts): Promise<readonly Check[]> {
  return [
    await vaultCheck(answers, parts),
    ...(await identityCheck(answers, parts)),
    ...answers.devices.flatMap(routerCheck),
    ...portCheck(answers, parts),
    ...(await managementPathChecks(answers, parts)),
  ];
}

/** A login needs a credential that does not exist yet, so only the host key was seen. */
function routerCheck({ name, address, login }: InitAnswers["devices"][number]): readonly Check[] {
  if (login === undefined) return [];
  const what = "router";
  if (login.hostKey === undefined) {
    const text = `not checked: the host key of ${name} (${address ?? ""}) is not confirmed`;
    const next = "read it on its own console, write it into the config, linkseal validate";
    return [{ what, found: "unknown", text, next }];
  }
  const text = `not checked: the login on ${name}; you confirmed its host key`;
  return [{ what, found: "unknown", text, next: "linkseal doctor, once the config is applied" }];
}

function portCheck({ cloud, group }: InitAnswers, { file }: CheckParts): readonly Check[] {
  if (cloud === "sim") return [];
  const text = `not checked: the ExpressRoute port of ${group}, its identity and its links`;
  return [{ what: "port", found: "unknown", text, next: `linkseal azure setup ${file} --check` }];
}

async function vaultCheck(answers: InitAnswers, parts: CheckParts): Promise<Check> {
  const { dial, deadline, file } = parts;
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
    if (status === 401) {
      const text = `${vault} answers and asks for a token (401)`;
      return { what, found: "good", text, next: null };
    }
    const text = `${vault} answers ${status}, but a vault would ask for a token`;
    return { what, found: "wrong", text, next: "check the name of the vault and its firewall" };
  } catch (error) {
    return {
      what,
      ...unreached(error, `linkseal azure setup ${file} --check, on the agent's host`),
    };
  }
}

/** A computer elsewhere reaches neither: that says nothing about the agent's host. */
function unreached(error: unknown, next: string): Omit<Check, "what"> {
  const isSilent = !(error instanceof LinksealError) || silent.includes(error.code);
  const text = error instanceof LinksealError ? error.message : "it did not answer in time";
  if (isSilent) return { found: "unknown", text: `not checked: ${text}`, next };
  return { found: "wrong", text, next: error.next };
}

/** Codes of errors that say that nothing was reached. */
const silent: readonly string[] = [
  ...["transport.unreachable", "transport.timeout", "transport.closed", "vault.unreachable"],
];

type IdentityKind = NonNullable<InitAnswers["identity"]>;

/** Origin and API version of each endpoint; the path is the same. */
const identityPlaces: Readonly<Record<IdentityKind, readonly [origin: string, version: string]>> = {
  arc: ["http://127.0.0.1:40342", "2020-06-01"],
  managedIdentity: ["http://169.254.169.254", "2018-02-01"],
};

/**
 * Asks the identity endpoint of this host for a token of the vault, as the agent will. The reply is
 * wiped; whether the identity may read the vault shows at its first use.
 */
async function identityCheck(
  { identity, cloud, vault }: InitAnswers,
  { dial, deadline }: CheckParts,
): Promise<readonly Check[]> {
  const known = realClouds.find((each) => each === cloud);
  if (identity === undefined || known === undefined) return [];
  const what = "identity";
  const [to, version] = identityPlaces[identity];
  const { vaultResource } = azureEndpoints({ cloud: known, vault });
  const path =
    `/metadata/identity/oauth2/token?api-version=${version}` +
    `&resource=${encodeURIComponent(vaultResource)}`;
  const asked = { to, path, method: "GET", headers: { metadata: "true" }, replyBytesMax } as const;
  try {
    const reply = await dial.http(asked, deadline());
    const verdict = identityVerdicts[identity](to, reply);
    reply.body.fill(0);
    return [{ what, ...verdict }];
  } catch {
    const text = `not checked: nothing answers at ${to} on this computer (${identity})`;
    const next = `on the agent's host: ${identityNext[identity]}; then linkseal keys check`;
    return [{ what, found: "unknown", text, next }];
  }
}

const identityNext: Readonly<Record<IdentityKind, string>> = {
  arc: "install the Azure Connected Machine agent, then azcmagent connect",
  managedIdentity: "run it on a virtual machine of Azure, and give that a managed identity",
};

type Verdict = Omit<Check, "what">;

const identityVerdicts: Readonly<Record<IdentityKind, (to: string, reply: HttpReply) => Verdict>> =
  {
    // The Arc agent puts a key into a file, and gives a token to a process that can read the file.
    arc(to, { status, headers }) {
      const challenge = headers["www-authenticate"] ?? "";
      if (
        status === 401 &&
        /^Basic realm=\/var\/opt\/azcmagent\/tokens\/[^/]+\.key$/.test(challenge)
      ) {
        const text = `the Arc agent answers at ${to}; it gives a token only to the agent's user`;
        return { found: "unknown", text, next: "linkseal keys check, once the agent runs" };
      }
      return foreign(to, status, "arc");
    },
    managedIdentity(to, { status, body }) {
      const words = wordsIn(body);
      if (status === 200 && words.has("access_token")) {
        const text = `${to} gives tokens; linkseal keys check shows what they allow`;
        return { found: "good", text, next: null };
      }
      const error = words.get("error");
      if (status !== 400 || error === undefined) return foreign(to, status, "managedIdentity");
      if (/identity not found/i.test(words.get("error_description") ?? "")) {
        const text = `the endpoint at ${to} answers that this machine has no managed identity`;
        return { found: "wrong", text, next: "az vm identity assign, then again" };
      }
      const text = `an endpoint answers at ${to}, and gave no token (400)`;
      return { found: "unknown", text, next: "linkseal keys check, once the agent runs" };
    },
  };

function foreign(to: string, status: number, identity: IdentityKind): Verdict {
  const text = `what answers at ${to} (${status}) is no identity endpoint of Azure`;
  return { found: "wrong", text, next: identityNext[identity] };
}

/** Returns the texts of a JSON object; empty = it is none. */
function wordsIn(body: Uint8Array): ReadonlyMap<string, string> {
  try {
    const found: unknown = parseJson(new TextDecoder("utf-8", { fatal: true }).decode(body));
    const entries = typeof found === "object" && found !== null ? Object.entries(found) : [];
    return new Map(entries.filter(([, value]) => typeof value === "string" && value !== ""));
  } catch (error) {
    // A reply that is not JSON has no words.
    if (error instanceof SyntaxError || error instanceof TypeError) return new Map();
    throw error;
  }
}

async function managementPathChecks(
  answers: InitAnswers,
  parts: CheckParts,
): Promise<readonly Check[]> {
  const own = answers.devices.find(isThisHost);
  if (own === undefined) return [];
  const ports = answers.links.filter(({ device }) => device === own.name).map(({ port }) => port);
  const hosts = [answers.vault, ...answers.devices.map(({ address }) => address)].flatMap(hostOf);
  const checks: Check[] = [];
  for (const host of hosts) checks.push(await managementPath(host, ports, parts));
  return checks;
}

function hostOf(address: string | undefined): readonly string[] {
  if (address === undefined || address.startsWith("unix:")) return [];
  const host = (hostOfPeer(address) ?? address).replace(/^https:\/\//, "");
  return [isIP(host) === 0 ? host.replace(/[:/].*$/, "") : host];
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
    const { text, next } = unreached(error, `ip route get ${host}, on the agent's host`);
    return { what, found: "unknown", text, next };
  }
}
