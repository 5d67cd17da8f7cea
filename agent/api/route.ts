// A verb of the protocol: which socket serves it, which members it takes, which of them its audit
// record is about, and what it does.

import { fromOutside } from "#hal/outside.ts";
import type { WallTime } from "#hal/world.ts";
import type { Client } from "../model/client.ts";
import type { Agent } from "../runtime/agent.ts";
import { type Member, refuseUnknown, usage } from "./member.ts";
import type { SharedReports } from "./shared-reports.ts";

/** The right of a socket: `view` only reads, `admin` also changes. */
export type SocketRole = Client["socket"];

export interface Call {
  readonly agent: Agent;
  readonly now: WallTime;
  /** Who asks. */
  readonly client: Client;
  /** The same as a phrase, for records that name it. */
  readonly who: string;
  readonly signal: AbortSignal;
  readonly reports: SharedReports;
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>;
}

/** The result of a request that was answered and not refused. */
export interface Outcome {
  readonly effect: "applied" | "none";
  readonly text: string;
}

/** A request that was read as a whole before any of it is carried out. */
export interface Question {
  /** The subject of its audit record. */
  readonly about: string;
  /** True if the answer takes its time. */
  readonly waits: boolean;
  readonly run: (call: Call) => Promise<{ readonly answer: unknown; readonly outcome: Outcome }>;
}

export interface Route {
  readonly role: SocketRole;
  readonly title: string;
  readonly members: readonly string[];
  /** `reads` = changes nothing, so that it leaves no audit record. */
  readonly kind: "reads" | "changes";
  /**
   * Reads the members, whatever they contain.
   * @throws LinksealError with `usage` and no other code
   */
  readonly read: (received: ReadonlyMap<string, unknown>) => Question;
}

interface Spec<T, R = unknown> {
  readonly title: string;
  /**
   * Returns true if the answer takes its time: it waits for devices, the vault or Azure, reads all
   * evidence, or waits for the next event. Absent = the answer is there at once.
   */
  readonly waits?: (asked: T) => boolean;
  readonly members: { readonly [K in keyof T]: Member<T[K]> };
  readonly run: (call: Call, asked: T) => R | Promise<R>;
}

/** A route that only reads, for each client that may open the socket of that role. */
export function reads<T>(role: SocketRole, spec: Spec<T>): Route {
  const outcome = (): Outcome => ({ effect: "none", text: "seen" });
  return routeOf(role, "reads", { ...spec, about: () => "site", outcome });
}

interface Change<T, R> extends Spec<T, R> {
  /** Returns the subject of the audit record, from the members that the verb itself uses. */
  readonly about: (asked: T) => string;
  /**
   * Returns the outcome for the audit log; absent = an answer means that the change was carried
   * out.
   */
  readonly outcome?: (answer: R) => Outcome;
  /** Returns the part of the answer that the client gets; absent = all of it. */
  readonly reply?: (answer: R) => unknown;
}

/** A route that changes something; only the admin socket serves it. */
export function changes<T, R>(spec: Change<T, R>): Route {
  return routeOf("admin", "changes", spec);
}

/** The outcome of a request that was carried out. */
export const done: Outcome = { effect: "applied", text: "done" };

function routeOf<T, R>(
  role: SocketRole,
  kind: Route["kind"],
  { title, members, run, about, waits = () => false, outcome = () => done, reply }: Change<T, R>,
): Route {
  const known = Object.keys(members) as (keyof T & string)[];
  const read: Route["read"] = (received) => {
    refuseUnknown(received.keys(), known);
    const asked = Object.fromEntries(
      known.map((name) => [name, members[name](received.get(name), name)]),
    ) as T;
    return {
      about: about(asked),
      waits: waits(asked),
      run: async (call) => {
        const answer = await run(call, asked);
        return { answer: reply === undefined ? answer : reply(answer), outcome: outcome(answer) };
      },
    };
  };
  return {
    ...{ role, kind, title, members: known },
    read: (received) =>
      fromOutside(
        () => read(received),
        () => {
          throw usage("the request cannot be read");
        },
      ),
  };
}
