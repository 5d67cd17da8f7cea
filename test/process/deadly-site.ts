// The simulated site as a process of its own that kills its agent at one chosen request: what the
// kill tests fork. It talks to its parent over the IPC channel and ends with it.

import { join } from "node:path";
import { type SiteHandler, siteHandler } from "#sim/faces/site.ts";
import { formatViolation, type ReportedStatus, watchSite } from "#sim/oracle.ts";
import { paceClock, serveSite } from "#sim/serve.ts";
import { buildSite } from "#sim/site.ts";
import type { SiteTruth } from "#sim/truth.ts";

/** Relative to the effect of a request. `during`: the effect still lands, on a dead agent's word. */
export type Death = "before" | "during" | "after";

/** The `nth` request of this kind is the agent's last one. */
export interface Fate {
  readonly request: string;
  readonly nth: number;
  readonly when: Death;
}

export interface SiteSetting {
  readonly folder: string;
  readonly seed: string;
  readonly start: "clear" | "protected";
  /** Virtual ms per real ms. */
  readonly speed: number;
  readonly fate: Fate | undefined;
}

export type Order =
  | { readonly kind: "victim"; readonly pid: number }
  /** Somebody else killed the agent. */
  | { readonly kind: "dead" }
  | { readonly kind: "reported"; readonly status: ReportedStatus }
  | { readonly kind: "expectNoWrites"; readonly why: string }
  | { readonly kind: "account" };

export interface Account {
  readonly kind: "account";
  readonly truth: SiteTruth;
  readonly violations: readonly string[];
  readonly agentWrites: number;
  /** Requests with an effect so far, by kind. */
  readonly requests: ReadonlyMap<string, number>;
  readonly canaries: readonly { readonly id: string; readonly bytes: Uint8Array }[];
}

export type News =
  | { readonly kind: "ready"; readonly config: string }
  | { readonly kind: "killed" }
  | Account;

export function socketIn(folder: string): string {
  return join(folder, "site.sock");
}

/** undefined = it changes nothing and reads no key. */
function effectOf(path: string): string | undefined {
  const [root, name = "", verb = "", , what = ""] = path.slice(1).split("/");
  if (root === "vault") return path.endsWith("/versions") ? "vault versions" : "vault value";
  if (root === "peers" && name === "put") return "far end put";
  if (root !== "devices") return undefined;
  if (verb === "prepare" || verb === "probe") return `${name} ${verb}`;
  return verb === "transactions" ? `${name} ${what}` : undefined;
}

async function serve({ folder, seed, start, speed, fate }: SiteSetting): Promise<void> {
  const site = buildSite({ seed, name: "demo", groups: 1, tunnels: 2, start });
  const oracle = watchSite(site);
  site.setSpeed(speed);
  const requests = new Map<string, number>();
  let victim: number | undefined;

  const die = (): void => {
    for (const router of site.routers.values()) router.disconnectSessions();
    victim = undefined;
  };
  const kill = (): void => {
    if (victim !== undefined) process.kill(victim, "SIGKILL");
    die();
    tell({ kind: "killed" });
  };
  const answer = siteHandler(site);
  const silence = new Promise<never>(() => undefined);
  const deadly: SiteHandler = async (request, signal) => {
    const effect = effectOf(request.path);
    if (effect === undefined) return await answer(request, signal);
    const count = (requests.get(effect) ?? 0) + 1;
    requests.set(effect, count);
    if (effect !== fate?.request || count !== fate.nth) return await answer(request, signal);
    switch (fate.when) {
      case "before":
        kill();
        return await silence;
      case "during":
        void answer(request, new AbortController().signal);
        kill();
        return await silence;
      case "after":
        await answer(request, signal);
        kill();
        return await silence;
    }
  };
  const obey = (order: Order): void => {
    switch (order.kind) {
      case "victim":
        victim = order.pid;
        return;
      case "dead":
        return die();
      case "reported":
        return oracle.reported(order.status);
      case "expectNoWrites":
        return oracle.expectNoWrites(order.why);
      case "account":
        return tell({
          kind: "account",
          truth: site.truth(),
          violations: oracle.violations.map(formatViolation),
          agentWrites: oracle.agentWrites,
          requests,
          canaries: site.canaries(),
        });
    }
  };
  process.on("message", (order) => obey(order as Order));
  process.on("disconnect", () => process.exit());
  await serveSite(deadly, socketIn(folder));
  paceClock(site.clock, { speed });
  tell({ kind: "ready", config: site.config(`unix:${socketIn(folder)}`) });
}

function tell(news: News): void {
  process.send?.(news);
}

if (process.argv[1] === import.meta.filename) {
  await serve(JSON.parse(process.argv[2] ?? "") as SiteSetting);
}
