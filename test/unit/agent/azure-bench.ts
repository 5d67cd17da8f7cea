// Microsoft's own clients against the simulated cloud in this process, on virtual time.

import { generateKeyPairSync } from "node:crypto";
import { setImmediate as turn } from "node:timers/promises";
import type { CredentialHost } from "#agent/azure/identity.ts";
import { type AzureClients, openAzure } from "#agent/azure/open-azure.ts";
import type { AzureIdentity, RealAzure } from "#agent/model/desired.ts";
import { fillCommand } from "#drivers/index.ts";
import { LinksealError } from "#hal/error.ts";
import {
  type Clock,
  type Dialer,
  type HttpReply,
  type HttpRequest,
  noChannels,
  noFrames,
  noPrograms,
  noSnmp,
  noStreams,
  wallAfter,
} from "#hal/world.ts";
import { SimAzure } from "#sim/azure/azure.ts";
import { Prng } from "#sim/base/prng.ts";
import { Authority } from "#sim/serve/certificates.ts";
import { buildSite, type Site } from "#sim/site/site.ts";

export const tenant = "11111111-2222-3333-4444-555555555555";
export const clientId = "99999999-2222-3333-4444-555555555555";
export const base = "https://localhost:8443";
const header = "this-host-and-no-other";
const hour = 3_600_000;

const now = Date.now();
const validity = { notBefore: now - hour, notAfter: now + 24 * hour };
const app = new Authority("test", validity).client("linkseal", validity);
/** Of an application that Entra does not know the certificate of. */
export const strangePem = (() => {
  const { key, certificate } = new Authority("other", validity).client("other", validity);
  return key + certificate;
})();
export const noPem = generateKeyPairSync("ed25519").publicKey.export({
  type: "spki",
  format: "pem",
});

export const certificateIdentity: AzureIdentity = {
  kind: "clientCertificate",
  tenant,
  client: clientId,
  certificate: "credential:azure",
};

export function azureOf(identity: AzureIdentity): RealAzure {
  return {
    cloud: "loopback",
    vault: base,
    authority: base,
    arm: base,
    farEnd: "manual",
    identity,
    privateEndpoints: [],
    scopes: [],
  };
}

export interface AzureBench extends AzureClients {
  readonly site: Site;
  readonly cloud: SimAzure;
  /** Every request that left, oldest first. */
  readonly sent: HttpRequest[];
  /** Spoils replies before the clients see them. */
  alter: (reply: HttpReply, request: HttpRequest) => HttpReply;
  /** By how much the wall clock of the clients was set since the start. */
  setByMs: number;
  run<T>(promise: Promise<T>): Promise<T>;
}

/** Virtual time goes on in small steps: between exchanges the libraries take real turns. */
export async function driven<T>(clock: Site["clock"], promise: Promise<T>): Promise<T> {
  let done = false;
  const end = (): void => {
    done = true;
  };
  promise.then(end, end);
  while (!done) {
    for (let i = 0; i < 10; i += 1) await turn();
    await clock.runFor(20, () => done);
  }
  return await promise;
}

export function hostOf(more: Partial<CredentialHost> = {}): CredentialHost {
  return {
    certificate: async () => app.key + app.certificate,
    federatedToken: async () => "",
    checkArcKey: async () => undefined,
    pinEndpoint: () => undefined,
    ...more,
  };
}

export function azureBench(
  identity: AzureIdentity = certificateIdentity,
  host: CredentialHost = hostOf(),
  start: "clear" | "protected" = "clear",
): AzureBench {
  const names = { seed: "azure", name: "demo", groups: 1, tunnels: 0 } as const;
  const site = buildSite({ ...names, start, vaultBase: base });
  const cloud = new SimAzure({
    site,
    prng: new Prng("azure"),
    authority: base,
    arm: base,
    tenant,
    apps: [{ clientId, certificates: [app.certificate], federated: [] }],
    wall: Date.now,
    identityHeader: header,
    systemAssigned: { clientId, objectId: clientId, resourceId: "/machine" },
  });
  const sent: HttpRequest[] = [];
  const dial: Dialer = {
    async http(request, signal) {
      sent.push(request);
      const found = await cloud.anywhere(plain(request), signal);
      const body = new TextEncoder().encode(found.body);
      const headers = onCalendar(found.headers, site);
      const reply = bench.alter({ ...found, headers, body }, request);
      if (reply.body.length <= request.replyBytesMax) return reply;
      throw new LinksealError("transport.closed", "the reply is longer than allowed", {
        effect: "none",
        where: request.to,
        next: "linkseal status",
      });
    },
    routeTo: async () => undefined,
    resolve: async () => [],
    exec: noPrograms,
    framed: noFrames,
    stream: noStreams,
    channel: noChannels,
    snmp: noSnmp,
  };
  const { clock } = site;
  const stepped: Clock = {
    now: () => clock.now(),
    wall: () => wallAfter(clock.wall(), bench.setByMs),
    sleep: (ms, signal) => clock.sleep(ms, signal),
    alarm: (ms, ring) => clock.alarm(ms, ring),
  };
  const bench: AzureBench = {
    ...openAzure({ clock: stepped, dial }, azureOf(identity), host),
    site,
    cloud,
    sent,
    alter: (reply) => reply,
    setByMs: 0,
    run: (promise) => driven(site.clock, promise),
  };
  return bench;
}

/** The cloud dates by today's calendar, as its tokens must; the site lives by its own. */
function onCalendar(headers: HttpReply["headers"], { clock }: Site): HttpReply["headers"] {
  const named = headers["retry-after"];
  if (named === undefined || /^\d+$/.test(named)) return headers;
  const waitS = Math.ceil((Date.parse(named) - Date.now()) / 1_000);
  return { ...headers, "retry-after": new Date(clock.wall() + waitS * 1_000).toUTCString() };
}

function plain({ to, method, path, headers = {}, body = [] }: HttpRequest) {
  const filled = Object.entries(headers).map(([name, value]): [string, string] => [
    name,
    typeof value === "string" ? value : text(fillCommand([value])),
  ]);
  const { host } = new URL(to);
  return { host, method, path, headers: Object.fromEntries(filled), body: text(fillCommand(body)) };
}

function text(octets: Uint8Array): string {
  return new TextDecoder().decode(octets);
}
