// The value of a header that a receiver knows us by: a file that only its owner reads.

import { LinksealError } from "#hal/error.ts";
import { Secret } from "#hal/secret.ts";
import { snmpMaterial } from "./snmp.ts";

/** `credential:NAME` or `file:PATH`; read anew each time, so that it may be exchanged. */
export async function headerSecret(reference: string): Promise<Secret> {
  const octets = await snmpMaterial.passphrase(reference);
  // RFC 9110, 5.5: what else Node would refuse, after it has seen it.
  const isFit = octets.length > 0 && octets.every((octet) => octet >= 0x20 && octet <= 0x7e);
  if (isFit) return Secret.take("header", octets);
  octets.fill(0);
  const text = "it holds no line of printable ASCII, which a header is";
  throw new LinksealError("transport.authentication", text, {
    effect: "none",
    where: reference,
    next: "correct it; it is read anew",
  });
}
