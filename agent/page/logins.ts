// One-time login codes and the sessions that they open: kept as hashes, limited in number and in
// time.

import { createHash, timingSafeEqual } from "node:crypto";
import { type Instant, instantAfter, type World } from "#hal/world.ts";
import type { User } from "../model/client.ts";

/** How long a code is valid, in milliseconds. */
const codeMs = 120_000;
/**
 * Those of one user of the host, and of all: a user ends none of another one who has no more. 256
 * users at once do.
 */
const codesMax = { user: 8, all: 256 } as const;
/**
 * How long a session lasts, in milliseconds: a working day and some; then an operator on the host
 * has to make a new code.
 */
const sessionMs = 12 * 3_600_000;
const sessionsMax = { user: 64, all: 256 } as const;
/**
 * How many wrong codes one address may try at once, and the milliseconds until it may try one more.
 */
const triesMax = 10;
const triesEachMs = 6_000;
const addressesMax = 1_024;

/** Crockford's base 32: no letter that is taken for a digit. */
const alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const codeLength = 12;
const tokenBytes = 32;

/**
 * What a browser sends: the cookie, which no script reads, and the other half, which the page
 * keeps. Cookies are not bound to a port, so another server on this host may receive the cookie.
 */
export interface SessionHalves {
  /** Value of the cookie. */
  readonly cookie: string;
  /** The half that the page keeps. */
  readonly half: string;
}

export type Entry =
  | { readonly kind: "open"; readonly halves: SessionHalves }
  | { readonly kind: "wrong" }
  /** Wrong too, and the address has to wait before it learns more. */
  | { readonly kind: "later"; readonly waitMs: number };

interface Kept {
  readonly hash: Uint8Array;
  readonly user: User;
  readonly until: Instant;
}

/** Login codes and sessions of the status page. */
export class Logins {
  readonly #world: Pick<World, "clock" | "entropy">;
  #codes: readonly Kept[] = [];
  #sessions: readonly Kept[] = [];
  /** The time when an address will have all its tries again, by address. */
  readonly #spent = new Map<string, Instant>();

  constructor(world: Pick<World, "clock" | "entropy">) {
    this.#world = world;
  }

  /**
   * Makes a fresh code, which opens one session; beyond the limit the user's oldest code is
   * dropped.
   */
  code(user?: User): { readonly code: string; readonly validMs: number } {
    const { clock, entropy } = this.#world;
    const letters = [...entropy.bytes(codeLength)].map((byte) => alphabet[byte % alphabet.length]);
    const code = letters.join("").replace(/(.{4})(?=.)/g, "$1-");
    const kept = { hash: hashOf(plain(code)), user, until: instantAfter(clock.now(), codeMs) };
    this.#codes = added(this.#codes.filter(this.#isAlive), kept, codesMax);
    return { code, validMs: codeMs };
  }

  /**
   * Checks a code that came from the address `from`. Wrong codes never keep a right one out: many
   * clients share one address, such as all of a tunnel over SSH.
   */
  enter(code: string, from: string): Entry {
    const found = find(this.#codes.filter(this.#isAlive), hashOf(plain(code)));
    if (found === undefined) {
      const waitMs = this.#waitMs(from);
      if (waitMs > 0) return { kind: "later", waitMs };
      this.#fail(from);
      return { kind: "wrong" };
    }
    this.#codes = this.#codes.filter((kept) => kept !== found);
    return { kind: "open", halves: this.#open(found.user) };
  }

  /**
   * True as long as the session is open; asked again and again while the page is shown, because a
   * session may end meanwhile.
   */
  holds(halves: SessionHalves): boolean {
    return find(this.#sessions.filter(this.#isAlive), sessionHash(halves)) !== undefined;
  }

  /** Returns the user who asked for the code of a session. */
  user(halves: SessionHalves): User {
    return find(this.#sessions, sessionHash(halves))?.user;
  }

  end(halves: SessionHalves): void {
    const found = find(this.#sessions, sessionHash(halves));
    this.#sessions = this.#sessions.filter((kept) => kept !== found);
  }

  #open(user: User): SessionHalves {
    const { clock } = this.#world;
    const halves = { cookie: this.#token(), half: this.#token() };
    const kept = { hash: sessionHash(halves), user, until: instantAfter(clock.now(), sessionMs) };
    this.#sessions = added(this.#sessions.filter(this.#isAlive), kept, sessionsMax);
    return halves;
  }

  #token(): string {
    return Buffer.from(this.#world.entropy.bytes(tokenBytes)).toString("base64url");
  }

  readonly #isAlive = ({ until }: Kept): boolean => this.#world.clock.now() < until;

  /** Returns how long the address has to wait, in milliseconds; 0 = it may try a code. */
  #waitMs(from: string): number {
    const owed = (this.#spent.get(from) ?? 0) - this.#world.clock.now();
    return Math.max(0, owed - (triesMax - 1) * triesEachMs);
  }

  #fail(from: string): void {
    const now = this.#world.clock.now();
    const from0 = Math.max(now, this.#spent.get(from) ?? 0) as Instant;
    this.#spent.delete(from);
    this.#spent.set(from, instantAfter(from0, triesEachMs));
    const [oldest] = this.#spent.keys();
    if (this.#spent.size > addressesMax && oldest !== undefined) this.#spent.delete(oldest);
  }
}

/**
 * Adds an entry, in the place of the oldest one of its user, or of the user who has most, if there
 * are too many.
 */
function added(
  kept: readonly Kept[],
  fresh: Kept,
  most: { readonly user: number; readonly all: number },
): readonly Kept[] {
  const own = ofUser(kept, fresh.user);
  const full = kept.length >= most.all ? largest(kept) : [];
  const [dropped] = own.length >= most.user ? own : full;
  return [...kept.filter((one) => one !== dropped), fresh];
}

const ofUser = (kept: readonly Kept[], user: User): readonly Kept[] =>
  kept.filter((one) => one.user === user);

/** Returns the entries of the user who has most; of two, the one with the oldest entry. */
function largest(kept: readonly Kept[]): readonly Kept[] {
  const users = [...new Set(kept.map(({ user }) => user))];
  const [first, ...rest] = users.map((user) => ofUser(kept, user));
  return rest.reduce((most, each) => (each.length > most.length ? each : most), first ?? []);
}

/** How long a session lasts, in seconds. */
export const sessionSeconds = sessionMs / 1_000;

// Operators may type small letters, other separators, and letters that look like digits.
function plain(code: string): string {
  const typed = code.toUpperCase().replace(/[^0-9A-Z]/g, "");
  return typed.replaceAll("O", "0").replace(/[IL]/g, "1");
}

function hashOf(text: string): Uint8Array {
  return createHash("sha256").update(text).digest();
}

function sessionHash({ cookie, half }: SessionHalves): Uint8Array {
  return hashOf(`${cookie} ${half}`);
}

/** Compares with every hash, in constant time, so that the duration reveals nothing. */
function find(all: readonly Kept[], hash: Uint8Array): Kept | undefined {
  let found: Kept | undefined;
  for (const kept of all) if (timingSafeEqual(kept.hash, hash)) found = kept;
  return found;
}
