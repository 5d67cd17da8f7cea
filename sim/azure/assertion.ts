// Checks client assertions (RFC 7523) as Entra does: signature, names, times.

import { constants, createHash, createPublicKey, verify, X509Certificate } from "node:crypto";
import { isObject, type JsonObject, textOf } from "./http.ts";

interface FederatedIssuer {
  readonly issuer: string;
  readonly subject: string;
  /** The public key (SPKI) as PEM: RSA or P-256. */
  readonly publicKey: string;
}

/** An application that may ask for tokens. */
export interface ClientApp {
  readonly clientId: string;
  /** The registered certificates as PEM. */
  readonly certificates: readonly string[];
  readonly federated: readonly FederatedIssuer[];
}

/** An AADSTS number with its sentence; undefined means that the assertion is valid. */
export type Complaint = readonly [number: number, sentence: string] | undefined;

export interface AssertionRules {
  readonly app: ClientApp;
  /** The audiences of which an assertion may name any one. */
  readonly audiences: readonly string[];
  readonly nowS: number;
}

interface Jwt {
  readonly header: JsonObject;
  readonly claims: JsonObject;
  readonly signed: Uint8Array;
  readonly signature: Uint8Array;
}

/** The difference between clocks that Entra tolerates, in seconds. */
const skewS = 300;
/** The audience that a federated token must name, as Entra documents it. */
export const federatedAudience = "api://AzureADTokenExchange";

export function checkAssertion(text: string, rules: AssertionRules): Complaint {
  const jwt = jwtOf(text);
  if (jwt === undefined) return [50027, "JWT token is invalid or malformed."];
  const isOwn = textOf(jwt.claims["iss"]) === rules.app.clientId;
  return isOwn ? checkCertified(jwt, rules) : checkFederated(jwt, rules);
}

/** Returns the identifier (`jti`) of an assertion, or undefined if it has none. */
export function jtiOf(text: string): string | undefined {
  return textOf(jwtOf(text)?.claims["jti"]);
}

function checkCertified(jwt: Jwt, { app, audiences, nowS }: AssertionRules): Complaint {
  if (textOf(jwt.claims["sub"]) !== app.clientId) {
    return [700021, "Client assertion application identifier doesn't match 'client_id' parameter."];
  }
  const certificate = app.certificates
    .map((pem) => new X509Certificate(pem))
    .find((one) => namedBy(jwt.header, one));
  const invalid = "Client assertion contains an invalid signature.";
  if (certificate === undefined) {
    return [700027, `${invalid} [Reason - The key was not found.]`];
  }
  const algorithm = textOf(jwt.header["alg"]);
  if (algorithm !== "RS256" && algorithm !== "PS256") {
    return [700027, `${invalid} [Reason - The algorithm is not supported.]`];
  }
  if (!isSigned(jwt, certificate.publicKey.export({ type: "spki", format: "pem" }).toString())) {
    return [700027, `${invalid} [Reason - The key was found, but use of the key was not valid.]`];
  }
  if (certificate.validToDate.getTime() / 1000 <= nowS) {
    return [700027, `${invalid} [Reason - The certificate used to sign the assertion expired.]`];
  }
  if (textOf(jwt.claims["jti"]) === undefined) return [50027, "JWT token is invalid: no jti."];
  if (!names(jwt.claims["aud"], audiences)) {
    return [700023, "Client assertion audience claim does not match Realm issuer."];
  }
  return checkTimes(jwt, nowS);
}

function checkFederated(jwt: Jwt, { app, nowS }: AssertionRules): Complaint {
  const issuer = textOf(jwt.claims["iss"]);
  const ofIssuer = app.federated.filter((one) => one.issuer === issuer);
  const none = "No matching federated identity record found for presented assertion";
  if (ofIssuer.length === 0) return [700211, `${none} issuer '${issuer ?? ""}'.`];
  const subject = textOf(jwt.claims["sub"]);
  const record = ofIssuer.find((one) => one.subject === subject);
  if (record === undefined) return [700213, `${none} subject '${subject ?? ""}'.`];
  if (!names(jwt.claims["aud"], [federatedAudience])) {
    return [700212, `${none} audience '${textOf(jwt.claims["aud"]) ?? ""}'.`];
  }
  if (!isSigned(jwt, record.publicKey)) return [50013, "Assertion failed signature validation."];
  return checkTimes(jwt, nowS);
}

function checkTimes({ claims }: Jwt, nowS: number): Complaint {
  const { exp, nbf } = claims;
  const late = typeof exp !== "number" || exp + skewS <= nowS;
  const early = typeof nbf === "number" && nbf - skewS > nowS;
  return late || early
    ? [700024, "Client assertion is not within its valid time range."]
    : undefined;
}

function names(audience: unknown, allowed: readonly string[]): boolean {
  const list: readonly unknown[] = Array.isArray(audience) ? audience : [audience];
  return list.some((one) => typeof one === "string" && allowed.includes(one));
}

// True if the header names the certificate by thumbprint or as the first of a chain; a header with
// both must mean one certificate.
function namedBy(header: JsonObject, certificate: X509Certificate): boolean {
  const der = certificate.raw;
  const thumbprint = (hash: string): string => createHash(hash).update(der).digest("base64url");
  const chain: unknown = header["x5c"];
  const first: unknown = Array.isArray(chain) ? chain[0] : undefined;
  const stated: readonly (readonly [unknown, string])[] = [
    [header["x5t"], thumbprint("sha1")],
    [header["x5t#S256"], thumbprint("sha256")],
    [first, der.toString("base64")],
  ];
  const named = stated.filter(([given]) => given !== undefined);
  return named.length > 0 && named.every(([given, own]) => unpadded(given) === unpadded(own));
}

// MSAL for Python writes thumbprints with padding, MSAL for Node without.
function unpadded(value: unknown): unknown {
  return typeof value === "string" ? value.replace(/=+$/, "") : value;
}

function isSigned({ header, signed, signature }: Jwt, publicKey: string): boolean {
  const key = createPublicKey(publicKey);
  switch (header["alg"]) {
    case "RS256":
      return key.asymmetricKeyType === "rsa" && verify("sha256", signed, key, signature);
    case "PS256": {
      const padding = constants.RSA_PKCS1_PSS_PADDING;
      const saltLength = constants.RSA_PSS_SALTLEN_DIGEST;
      const pss = { key, padding, saltLength };
      return key.asymmetricKeyType === "rsa" && verify("sha256", signed, pss, signature);
    }
    case "ES256": {
      const dsa = { key, dsaEncoding: "ieee-p1363" } as const;
      return key.asymmetricKeyType === "ec" && verify("sha256", signed, dsa, signature);
    }
    default:
      return false;
  }
}

function jwtOf(text: string): Jwt | undefined {
  const [head, body, signature, ...more] = text.split(".");
  if (head === undefined || body === undefined || signature === undefined || more.length > 0) {
    return undefined;
  }
  const [header, claims] = [partOf(head), partOf(body)];
  if (header === undefined || claims === undefined) return undefined;
  const signed = Buffer.from(`${head}.${body}`);
  return { header, claims, signed, signature: Buffer.from(signature, "base64url") };
}

function partOf(text: string): JsonObject | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(text, "base64url").toString());
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}
