// A verb of the protocol: who may use it, which members it takes, which of them its audit record is
// about, and what it does.

import { fromOutside } from "#hal/outside.ts";
import type { WallTime } from "#hal/world.ts";
import type { Agent } from "../runtime/agent.ts";
import { type Member, refuseUnknown, usage } from "./member.ts";

/** What a socket may ask for: `view` looks, `admin` also changes. */
export type SocketRole = "view" | "admin";

export interface Call {
  readonly agent: Agent;
  readonly now: WallTime;
  readonly who: string;
  readonly signal: AbortSignal;
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>;
}

/** What a request came to that was answered and not refused. */
export interface Outcome {
  readonly effect: "applied" | "none";
  readonly text: string;
}

/** A request that was read whole, before any of it is done. */
export interface Question {
  /** The subject of its audit record. */
  readonly about: string;
  readonly run: (call: Call) => Promise<{ readonly answer: unknown; readonly outcome: Outcome }>;
}

export interface Route {
  readonly role: SocketRole;
  readonly title: string;
  readonly members: readonly string[];
  /** `looks`: nothing is changed, so nothing of it is evidence. */
  readonly kind: "looks" | "changes";
  /** Throws `usage` alone, whatever the members hold. */
  readonly read: (given: ReadonlyMap<string, unknown>) => Question;
}

interface Spec<T, R = unknown> {
  readonly title: string;
  readonly members: { readonly [K in keyof T]: Member<T[K]> };
  readonly run: (call: Call, asked: T) => R | Promise<R>;
}

/** It only reads, for each client that may open the socket of that role. */
export function looks<T>(role: SocketRole, spec: Spec<T>): Route {
  const outcome = (): Outcome => ({ effect: "none", text: "seen" });
  return routeOf(role, "looks", { ...spec, about: () => "site", outcome });
}

interface Change<T, R> extends Spec<T, R> {
  /** The subject of the audit record, of the members that the verb itself uses. */
  readonly about: (asked: T) => string;
  /** Absent = what is answered was done. */
  readonly outcome?: (answer: R) => Outcome;
}

/** Changes something. */
export function changes<T, R>(spec: Change<T, R>): Route {
  return routeOf("admin", "changes", spec);
}

const done: Outcome = { effect: "applied", text: "done" };

function routeOf<T, R>(
  role: SocketRole,
  kind: Route["kind"],
  { title, members, run, about, outcome = () => done }: Change<T, R>,
): Route {
  const known = Object.keys(members) as (keyof T & string)[];
  const read: Route["read"] = (given) => {
    refuseUnknown(given.keys(), known);
    const asked = Object.fromEntries(
      known.map((name) => [name, members[name](given.get(name), name)]),
    ) as T;
    return {
      about: about(asked),
      run: async (call) => {
        const answer = await run(call, asked);
        return { answer, outcome: outcome(answer) };
      },
    };
  };
  return {
    ...{ role, kind, title, members: known },
    read: (given) =>
      fromOutside(
        () => read(given),
        () => {
          throw usage("the request cannot be read");
        },
      ),
  };
}
