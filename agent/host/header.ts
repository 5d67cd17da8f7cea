// The value of the header that authenticates linkseal to a receiver: a file that only its owner
// reads.

import { LinksealError } from "#hal/error.ts";
import { Secret } from "#hal/secret.ts";
import { snmpMaterial } from "./snmp.ts";

/**
 * Reads `credential:NAME` or `file:PATH` anew at each call, so that it may be exchanged.
 * @throws LinksealError with `transport.authentication`
 */
export async function headerSecret(reference: string): Promise<Secret> {
  const octets = await snmpMaterial.passphrase(reference);
  // RFC 9110, 5.5: Node would refuse other octets too, but only after it has read them.
  const isFit = octets.length > 0 && octets.every((octet) => octet >= 0x20 && octet <= 0x7e);
  if (isFit) return Secret.take("header", octets);
  octets.fill(0);
  const text = "it is not one line of printable ASCII, as a header must be";
  throw new LinksealError("transport.authentication", text, {
    effect: "none",
    where: reference,
    next: "correct it; it is read anew",
  });
}
