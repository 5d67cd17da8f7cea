// A simulated cloud on virtual time, called by its handler, for tests of it and of its clients.

import { randomUUID, sign } from "node:crypto";
import { SimAzure, type SimAzureOptions } from "#sim/azure/azure.ts";
import type { AzureReply } from "#sim/azure/http.ts";
import { Prng } from "#sim/base/prng.ts";
import { Authority, type Certified, newAssertionKey } from "#sim/serve/certificates.ts";
import { buildSite, type Site, type SiteOptions } from "#sim/site/site.ts";
import { never, settled } from "./site-bench.ts";

export const tenant = "11111111-2222-3333-4444-555555555555";
export const clientId = "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee";
export const authority = "https://login.microsoftonline.com";
export const management = "https://management.azure.com";
const vaultBase = "https://kv-demo.vault.azure.net";
const vaultHost = "kv-demo.vault.azure.net";
export const vaultScope = "https://vault.azure.net";
export const issuer = { name: "https://issuer.test", subject: "edge", key: newAssertionKey() };

const now = Date.now();
const yearMs = 365 * 86_400_000;
export const ca = new Authority("test", { notBefore: now - yearMs, notAfter: now + yearMs });
/** A certificate that is valid in the time of the simulated site as well as in real time. */
export const client: Certified = ca.client("agent", {
  notBefore: now - yearMs,
  notAfter: now + yearMs,
});

interface Ask {
  readonly host?: string;
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
}

export interface Cloud {
  readonly site: Site;
  readonly azure: SimAzure;
  /** Sends a request and runs virtual time until the reply is there. */
  ask(path: string, ask?: Ask): Promise<AzureReply>;
  /** The same with a token for the audience; the JSON is parsed. */
  json(audience: string, path: string, ask?: Ask): Promise<Answer>;
  token(audience: string): string;
}

interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Readonly<Record<string, unknown>>;
  readonly text: string;
}

export function cloud(
  options: Partial<SimAzureOptions> = {},
  siteOptions: Partial<SiteOptions> = {},
): Cloud {
  const site = buildSite({
    ...{ seed: "azure", name: "demo", groups: 1, tunnels: 1, start: "clear", vaultBase },
    ...siteOptions,
  });
  const azure = new SimAzure({
    ...{ site, prng: new Prng("azure"), authority, arm: management, tenant },
    apps: [
      {
        clientId,
        certificates: [client.certificate],
        federated: [
          { issuer: issuer.name, subject: issuer.subject, publicKey: issuer.key.publicKey },
        ],
      },
    ],
    wall: () => site.clock.wall(),
    identityHeader: "proof",
    systemAssigned: { clientId: "sys", objectId: "sys-object", resourceId: "/machines/edge" },
    userAssigned: [{ clientId: "usr", objectId: "usr-object", resourceId: "/identities/usr" }],
    ...options,
  });
  const token = (audience: string): string =>
    azure.tokens.issue({ audience, tenant, clientId }).token;
  const ask = (path: string, { host, method, headers, body }: Ask = {}): Promise<AzureReply> => {
    const text = body === undefined ? "" : typeof body === "string" ? body : JSON.stringify(body);
    const request = { host: host ?? vaultHost, method: method ?? "GET", path, body: text };
    return settled(site.clock, azure.anywhere({ ...request, headers: headers ?? {} }, never));
  };
  return {
    site,
    azure,
    token,
    ask,
    async json(audience, path, more = {}) {
      const headers = { authorization: `Bearer ${token(audience)}`, ...more.headers };
      const reply = await ask(path, { ...more, headers });
      const body = JSON.parse(reply.body) as Answer["body"];
      return { status: reply.status, headers: reply.headers, body, text: reply.body };
    },
  };
}

export interface AssertionSetting {
  readonly header?: Readonly<Record<string, unknown>>;
  readonly claims?: Readonly<Record<string, unknown>>;
  readonly key?: string;
  readonly algorithm?: "RS256" | "PS256";
}

/** Returns a client assertion as MSAL makes it, with the changes of the setting. */
export function assertion(nowS: number, setting: AssertionSetting): string {
  const { algorithm = "PS256" } = setting;
  const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString("base64url");
  const header = { alg: algorithm, typ: "JWT", ...setting.header };
  const claims = {
    aud: `${authority}/${tenant}/oauth2/v2.0/token`,
    exp: nowS + 600,
    iss: clientId,
    sub: clientId,
    nbf: nowS,
    jti: randomUUID(),
    ...setting.claims,
  };
  const text = `${part(header)}.${part(claims)}`;
  const key = setting.key ?? client.key;
  const how = algorithm === "PS256" ? { key, padding: 6, saltLength: 32 } : { key };
  return `${text}.${sign("sha256", Buffer.from(text), how).toString("base64url")}`;
}
