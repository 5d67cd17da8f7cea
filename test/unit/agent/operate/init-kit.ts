// Options, an operator who types, and a host that answers, for the tests of `init`.

import type { InitOptions, InitParts } from "#agent/operate/init/answers.ts";
import { LinksealError } from "#hal/error.ts";
import type { Dialer } from "#hal/world.ts";

export const shown = `SHA256:${"A".repeat(34)}bcdefghij`;
const port = "/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/r/providers";

export const whole: InitOptions = {
  ...{ site: "dublin", cloud: "public", vault: "https://kv-erd-dub.vault.azure.net" },
  ...{ identity: "arc", group: "erd-dub" },
  device: ["edge-a=junos,192.0.2.1", "edge-b=linux"],
  hostKey: [`edge-a=${shown}`],
  expressRoutePort: `${port}/Microsoft.Network/expressRoutePorts/erd-dub`,
  link: ["primary=edge-a,et-0/0/0,100G", "secondary=edge-b,eth1"],
};

export const alone: InitParts = {
  ...{ terminal: undefined, kept: new Map(), keep: async () => undefined },
  ports: [
    { name: "eth0", gigabits: 1 },
    { name: "eth1", gigabits: 10 },
  ],
  hostKey: () => Promise.reject(new Error("it was not asked for")),
};

export interface Operator {
  readonly parts: InitParts;
  /** Every question, with its proposal. */
  readonly asked: string[];
  /** Every sentence between the questions. */
  readonly heard: string[];
  /** Answers that were kept. */
  readonly kept: Map<string, string>;
}

/** Types these words, one after the other; a question too many ends the conversation. */
export function typing(
  words: readonly string[],
  before: ReadonlyMap<string, string> = new Map(),
  hostKey: InitParts["hostKey"] = () => Promise.resolve(shown),
): Operator {
  const left = [...words];
  const asked: string[] = [];
  const heard: string[] = [];
  const kept = new Map(before);
  const terminal = {
    ask(question: string, proposal: string | undefined): Promise<string> {
      asked.push(`${question} [${proposal ?? ""}]`);
      const word = left.shift();
      return word === undefined ? Promise.reject(new Error("hung up")) : Promise.resolve(word);
    },
    say: (text: string) => void heard.push(text),
  };
  const keep = async (id: string, answer: string) => void kept.set(id, answer);
  return { asked, heard, kept, parts: { ...alone, terminal, kept: before, keep, hostKey } };
}

export interface Reply {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
}

export interface World {
  readonly status?: number;
  /** What the identity endpoint of this host answers; absent = nothing answers. */
  readonly identity?: Reply | "absent";
  readonly route?: string;
}

const key = "/var/opt/azcmagent/tokens/0a1b.key";
export const challenge: Reply = {
  status: 401,
  headers: { "www-authenticate": `Basic realm=${key}` },
};

export function dialer(
  { status = 401, identity = challenge, route = "eth0" }: World,
  asked: unknown[] = [],
): Dialer {
  return {
    http: (request: { readonly to: string }) => {
      if (request.to.startsWith("https:")) {
        return Promise.resolve({ status, headers: {}, body: empty });
      }
      asked.push(request);
      if (identity === "absent") return Promise.reject(unreachable);
      const body = new TextEncoder().encode(
        typeof identity.body === "string" ? identity.body : JSON.stringify(identity.body ?? ""),
      );
      return Promise.resolve({ status: identity.status, headers: identity.headers ?? {}, body });
    },
    resolve: () => Promise.resolve(["203.0.113.5"]),
    routeTo: () => Promise.resolve(route),
  } as unknown as Dialer;
}
const empty = new Uint8Array();
export const unreachable = new LinksealError("transport.unreachable", "no process answers", {
  ...{ effect: "none", where: "x", next: "look" },
});
