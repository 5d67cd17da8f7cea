// One-time codes and the sessions that they open: kept as hashes, bounded in number and in time.

import { createHash, timingSafeEqual } from "node:crypto";
import { type Instant, instantAfter, type World } from "#hal/world.ts";

/** Between the command that prints a code and the browser that gets it. */
const codeMs = 120_000;
const codesMax = 8;
/** A working day and some: then somebody on the host says again that this browser may look. */
const sessionMs = 12 * 3_600_000;
const sessionsMax = 64;
/** Wrong codes of one address at once, and how long until it has another try. */
const triesMax = 10;
const triesEachMs = 6_000;
const addressesMax = 1_024;

/** Crockford's base 32: no letter that is taken for a digit. */
const alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const codeLength = 12;
const tokenBytes = 32;

/**
 * A browser shows both: the cookie, which no script reads, and the other half, which the page
 * keeps. Cookies know no ports, so another server on this host may be sent the cookie.
 */
export interface SessionHalves {
  readonly cookie: string;
  readonly half: string;
}

export type Entry =
  | { readonly kind: "open"; readonly halves: SessionHalves }
  | { readonly kind: "wrong" }
  /** Too many were wrong: not even looked at. */
  | { readonly kind: "later"; readonly waitMs: number };

interface Kept {
  readonly hash: Uint8Array;
  readonly until: Instant;
}

export class Logins {
  readonly #world: Pick<World, "clock" | "entropy">;
  #codes: readonly Kept[] = [];
  #sessions: readonly Kept[] = [];
  /** By address: when all its tries will be there again. */
  readonly #spent = new Map<string, Instant>();

  constructor(world: Pick<World, "clock" | "entropy">) {
    this.#world = world;
  }

  /** A fresh code, good once; the oldest one goes where there are too many. */
  code(): { readonly code: string; readonly validMs: number } {
    const { clock, entropy } = this.#world;
    const letters = [...entropy.bytes(codeLength)].map((byte) => alphabet[byte % alphabet.length]);
    const code = letters.join("").replace(/(.{4})(?=.)/g, "$1-");
    const kept = { hash: hashOf(plain(code)), until: instantAfter(clock.now(), codeMs) };
    this.#codes = [...this.#codes.filter(this.#isAlive), kept].slice(-codesMax);
    return { code, validMs: codeMs };
  }

  /** `from`: the address that asks. */
  enter(code: string, from: string): Entry {
    const waitMs = this.#waitMs(from);
    if (waitMs > 0) return { kind: "later", waitMs };
    const found = find(this.#codes.filter(this.#isAlive), hashOf(plain(code)));
    if (found === undefined) {
      this.#fail(from);
      return { kind: "wrong" };
    }
    this.#codes = this.#codes.filter((kept) => kept !== found);
    return { kind: "open", halves: this.#open() };
  }

  /** Asked again for as long as anything is shown: a session ends while somebody looks. */
  holds(halves: SessionHalves): boolean {
    return find(this.#sessions.filter(this.#isAlive), sessionHash(halves)) !== undefined;
  }

  end(halves: SessionHalves): void {
    const found = find(this.#sessions, sessionHash(halves));
    this.#sessions = this.#sessions.filter((kept) => kept !== found);
  }

  #open(): SessionHalves {
    const { clock } = this.#world;
    const halves = { cookie: this.#token(), half: this.#token() };
    const kept = { hash: sessionHash(halves), until: instantAfter(clock.now(), sessionMs) };
    this.#sessions = [...this.#sessions.filter(this.#isAlive), kept].slice(-sessionsMax);
    return halves;
  }

  #token(): string {
    return Buffer.from(this.#world.entropy.bytes(tokenBytes)).toString("base64url");
  }

  readonly #isAlive = ({ until }: Kept): boolean => this.#world.clock.now() < until;

  /** 0 = a try is left. */
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

export const sessionSeconds = sessionMs / 1_000;

// As a person may type it: small letters, other separators, letters that look like digits.
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

/** Every one is compared, in constant time: how long it takes tells nothing. */
function find(all: readonly Kept[], hash: Uint8Array): Kept | undefined {
  let found: Kept | undefined;
  for (const kept of all) if (timingSafeEqual(kept.hash, hash)) found = kept;
  return found;
}
