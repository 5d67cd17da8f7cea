// The far end's client against the simulated management API in this process, on virtual time.

import { RetryAfterBudget } from "#agent/azure/retry-after-budget.ts";
import { ExpressRoute, fillCommand } from "#drivers/index.ts";
import type { PeerPort, PeerState, PeerWant } from "#hal/device.ts";
import { LinksealError } from "#hal/error.ts";
import { Secret } from "#hal/secret.ts";
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
} from "#hal/world.ts";
import { SimAzure } from "#sim/azure/azure.ts";
import { SimClock } from "#sim/base/clock.ts";
import { Prng } from "#sim/base/prng.ts";
import { buildSite, type Site, type SiteOptions } from "#sim/site/site.ts";
import { planSite, type SitePlan } from "#sim/site/site-plan.ts";
import { never, settled, wallStart } from "./site-bench.ts";

const management = "https://management.azure.com";
const tenant = "11111111-2222-3333-4444-555555555555";
/** The value of a config that does not set it. */
export const putGraceMs = 90_000;
const client = { clientId: tenant, objectId: tenant, resourceId: "/machine" };

export interface ArmBench {
  readonly site: Site;
  readonly cloud: SimAzure;
  readonly far: ExpressRoute;
  readonly resource: string;
  /** Every request that left, oldest first. */
  readonly sent: HttpRequest[];
  /** Every accepted operation, as the journal keeps it. */
  readonly journal: Map<"link1" | "link2", string>;
  /** Spoils replies before the client sees them. */
  alter: (reply: HttpReply, request: HttpRequest) => HttpReply | Promise<HttpReply>;
  /** Returns another client, as after a restart. */
  restarted(): ExpressRoute;
  peer(link: "link1" | "link2", far?: ExpressRoute): PeerPort;
  newWant(link: "link1" | "link2"): PeerWant;
  observe(link: "link1" | "link2"): Promise<PeerState>;
  put(link: "link1" | "link2", want: PeerWant): Promise<void>;
  run<T>(promise: Promise<T>): Promise<T>;
  /** Counts the requests with this method about the port itself. */
  calls(method: "GET" | "PUT"): number;
}

export function simulatedAzure(site: Site, bandwidthInGbps = 100): SimAzure {
  return new SimAzure({
    ...{ site, prng: new Prng("azure"), authority: "https://login.microsoftonline.com" },
    ...{ arm: management, tenant, apps: [], wall: () => site.clock.wall(), bandwidthInGbps },
    ...{ identityHeader: "this-host", systemAssigned: client },
  });
}

/** Returns a dialer to the management API, which throws for replies that are too long. */
export function armDialer(cloud: SimAzure): Dialer {
  return httpDialer(async (request, signal) => {
    const body = request.body === undefined ? "" : text(fillCommand(request.body));
    const found = await cloud.anywhere({ ...plain(request), body }, signal);
    const octets = new TextEncoder().encode(found.body);
    if (octets.length <= request.replyBytesMax) return { ...found, body: octets };
    throw new LinksealError("transport.closed", "the reply is longer than allowed", {
      effect: request.method === "GET" ? "none" : "unknown",
      where: request.to,
      next: "linkseal status",
    });
  });
}

function plain({ to, method, path, headers = {} }: HttpRequest) {
  const filled = Object.entries(headers).map(([name, value]): [string, string] => [
    name,
    typeof value === "string" ? value : text(fillCommand([value])),
  ]);
  return { host: new URL(to).host, method, path, headers: Object.fromEntries(filled) };
}

export function text(octets: Uint8Array): string {
  return new TextDecoder().decode(octets);
}

/** Returns the far ends behind a dialer, with tokens of the simulated cloud itself. */
export function farEnds(clock: Clock, cloud: SimAzure, dial: Dialer): ExpressRoute {
  const { clientId } = client;
  const tokens = new Map<string, string>();
  return clientOf(clock, dial, (scope) => {
    const audience = scope.replace(/\/\.default$/, "");
    const kept = tokens.get(audience);
    if (kept !== undefined && cloud.tokens.check(kept, [audience]).kind === "good") return kept;
    const { token } = cloud.tokens.issue({ audience, tenant, clientId });
    tokens.set(audience, token);
    return token;
  });
}

/** Returns the far ends behind a dialer, with tokens from `token`. */
export function clientOf(
  clock: Clock,
  dial: Dialer,
  token: (scope: string) => string,
): ExpressRoute {
  return new ExpressRoute({
    ...{
      clock,
      dial,
      origin: management,
      resource: management,
      retryAfter: new RetryAfterBudget(clock),
    },
    token: async (scope) => Secret.take("token", new TextEncoder().encode(token(scope))),
  });
}

/** Returns a dialer that answers requests and reaches nothing else. */
export function httpDialer(http: Dialer["http"]): Dialer {
  return {
    http,
    routeTo: async () => undefined,
    resolve: async () => [],
    exec: noPrograms,
    framed: noFrames,
    stream: noStreams,
    channel: noChannels,
    snmp: noSnmp,
  };
}

/** No operation is in the journal. */
export const noOperations = () => ({ own: undefined, others: [] });

/** Returns one link of a fixed document, and the bodies that were written to it. */
export function documented(
  document: string,
  link: "link1" | "link2" = "link1",
): { readonly peer: PeerPort; readonly written: string[]; readonly paths: string[] } {
  const written: string[] = [];
  const paths: string[] = [];
  const dial = httpDialer(async ({ method, path, body = [] }) => {
    paths.push(`${method} ${path}`);
    if (method === "PUT") written.push(text(fillCommand(body)));
    return { status: 200, headers: {}, body: new TextEncoder().encode(document) };
  });
  const far = clientOf(new SimClock(wallStart), dial, () => "token");
  const resource = "/subscriptions/s/providers/Microsoft.Network/expressRoutePorts/erd";
  return {
    peer: far.peer({ resource, link, operations: noOperations, putGraceMs }),
    written,
    paths,
  };
}

export interface ArmSetting {
  readonly start?: SiteOptions["start"];
  readonly kind?: "expressRoutePorts" | "expressRouteLags";
  readonly bandwidthInGbps?: number;
  /** The site; absent = one group and one tunnel. */
  readonly plan?: SitePlan;
}

export function armBench(setting: ArmSetting = {}): ArmBench {
  const { start = "clear", kind, bandwidthInGbps, plan = planSite("demo", 1, 1) } = setting;
  const groups = plan.groups.map((group) => ({
    ...group,
    expressRoutePort: group.expressRoutePort.replace("expressRoutePorts", kind ?? "$&"),
  }));
  const names = { seed: "arm", name: "demo", groups: 1, tunnels: 1 } as const;
  const site = buildSite({ ...names, start, plan: { ...plan, groups } });
  const cloud = simulatedAzure(site, bandwidthInGbps);
  const sent: HttpRequest[] = [];
  const inner = armDialer(cloud);
  const dial: Dialer = {
    ...inner,
    async http(request, signal) {
      sent.push(request);
      return await bench.alter(await inner.http(request, signal), request);
    },
  };
  const resource = groups[0]?.expressRoutePort ?? "";
  const journal: ArmBench["journal"] = new Map();
  const operations = (link: "link1" | "link2") => ({
    own: journal.get(link),
    others: [...journal].flatMap(([name, operation]) => (name === link ? [] : [operation])),
  });
  const far = farEnds(site.clock, cloud, dial);
  const bench: ArmBench = {
    ...{ site, cloud, far, resource, sent, journal },
    alter: (reply) => reply,
    restarted: () => farEnds(site.clock, cloud, dial),
    peer: (link, other = far) =>
      other.peer({ resource, link, operations: () => operations(link), putGraceMs }),
    newWant: (link) => {
      const names = site.links.find(({ azureLink }) => azureLink === link)?.key;
      if (names === undefined) throw new RangeError(`no ${link}`);
      const suite = "gcm-aes-xpn-256";
      return { key: site.vault.generatePair(names, suite), suite, sci: "on", admin: "up" };
    },
    observe: (link) => bench.run(bench.peer(link).observe(never)),
    put: (link, want) =>
      bench.run(
        bench.peer(link).put(
          want,
          async (operation) => {
            journal.set(link, operation);
          },
          never,
        ),
      ),
    run: (promise) => settled(site.clock, promise),
    calls: (method) =>
      sent.filter((each) => each.method === method && each.path.startsWith(`${resource}?`)).length,
  };
  return bench;
}
