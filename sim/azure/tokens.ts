// Access tokens of the simulated cloud: a token is accepted only if it was issued here.

import { createHmac } from "node:crypto";
import type { Prng } from "../base/prng.ts";

export interface Grant {
  readonly audience: string;
  readonly tenant: string;
  readonly clientId: string;
}

export interface Issued extends Grant {
  /** The end of validity, in Unix seconds. */
  readonly expiresS: number;
}

export type TokenVerdict =
  | { readonly kind: "good"; readonly grant: Issued }
  | { readonly kind: "bad"; readonly why: "missing" | "unknown" | "expired" | "audience" };

export interface TokenOptions {
  readonly prng: Prng;
  /** Reads the time by which tokens age, in Unix ms. */
  readonly wall: () => number;
  readonly form: "opaque" | "jwt";
  readonly lifetimeS: number;
}

export class Tokens {
  /** The lifetime of tokens issued from now on, in seconds. */
  lifetimeS: number;
  form: TokenOptions["form"];
  readonly #prng: Prng;
  readonly #wall: () => number;
  readonly #key: Uint8Array;
  readonly #issued = new Map<string, Issued>();

  constructor(options: TokenOptions) {
    this.lifetimeS = options.lifetimeS;
    this.form = options.form;
    this.#prng = options.prng;
    this.#wall = options.wall;
    this.#key = options.prng.bytes(32);
  }

  get nowS(): number {
    return Math.floor(this.#wall() / 1000);
  }

  issue(grant: Grant): { readonly token: string; readonly issued: Issued } {
    const issued = { ...grant, expiresS: this.nowS + this.lifetimeS };
    const token = this.form === "opaque" ? this.#opaque() : this.#jwt(issued);
    this.#issued.set(token, issued);
    return { token, issued };
  }

  /** Invalidates every token issued so far. */
  revoke(): void {
    this.#issued.clear();
  }

  check(token: string | undefined, audiences: readonly string[]): TokenVerdict {
    if (token === undefined) return { kind: "bad", why: "missing" };
    const grant = this.#issued.get(token);
    if (grant === undefined) return { kind: "bad", why: "unknown" };
    if (grant.expiresS <= this.nowS) return { kind: "bad", why: "expired" };
    if (!audiences.includes(grant.audience)) return { kind: "bad", why: "audience" };
    return { kind: "good", grant };
  }

  #opaque(): string {
    return `sim.${this.#prng.hex(32)}`;
  }

  // Clients must not read inside a token; a client that does finds the claims of a real one.
  #jwt({ audience, tenant, clientId, expiresS }: Issued): string {
    const claims = {
      aud: audience,
      iss: `https://sts.windows.net/${tenant}/`,
      iat: this.nowS,
      nbf: this.nowS,
      exp: expiresS,
      appid: clientId,
      tid: tenant,
      uti: this.#prng.hex(8),
      ver: "1.0",
    };
    const head = `${part({ typ: "JWT", alg: "HS256" })}.${part(claims)}`;
    return `${head}.${createHmac("sha256", this.#key).update(head).digest("base64url")}`;
  }
}

function part(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString("base64url");
}
