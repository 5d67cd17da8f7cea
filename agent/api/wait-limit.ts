// Limits the requests of one user that wait: they hold a connection while they wait, and the
// connections of a socket are few.

import { LinksealError } from "#hal/error.ts";
import type { User } from "../model/client.ts";

/** Requests of one user, and of all users, that may wait at one socket; it has 64 connections. */
const waitsMax = { user: 16, all: 32 } as const;

/** Counts the requests that wait at one socket. */
export class WaitLimit {
  readonly #waiting = new Map<User, number>();

  /**
   * Admits a request of a user of this host until the returned function is called; undefined = the
   * kernel was not asked who it is, and all such clients count as one user.
   * @throws LinksealError with `agent.busy` if too many wait
   */
  enter(user: User): () => void {
    const own = this.#waiting.get(user) ?? 0;
    const all = [...this.#waiting.values()].reduce((sum, count) => sum + count, 0);
    if (own >= waitsMax.user || all >= waitsMax.all) throw tooMany(own, all);
    this.#waiting.set(user, own + 1);
    return () => {
      const left = (this.#waiting.get(user) ?? 0) - 1;
      if (left > 0) this.#waiting.set(user, left);
      else this.#waiting.delete(user);
    };
  }
}

function tooMany(own: number, all: number): LinksealError {
  const whose = own >= waitsMax.user ? `${own} requests of this user` : `${all} requests`;
  return new LinksealError("agent.busy", `${whose} wait for an answer already`, {
    effect: "none",
    where: "socket",
    next: "end programs that follow the agent, such as linkseal events -f, or ask again later",
  });
}
