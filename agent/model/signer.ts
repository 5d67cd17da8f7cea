// Who signs evidence, as those who only pass it on know it.

/** Signs evidence with the agent's Ed25519 key, whose private half stays behind it. */
export interface Signer {
  /** PEM of the public half. */
  readonly publicKey: string;
  /** Names the key in reports and in the audit log. */
  readonly keyId: string;
  /** Ed25519 over the octets of the text, in base64 (RFC 8032). */
  sign(text: string): string;
}
