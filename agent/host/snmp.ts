// What a question to an SNMP agent needs from this host: passphrases and communities, read like a
// key.

import type { SnmpMaterial } from "#drivers/transport/snmp.ts";
import { sshMaterial } from "./ssh.ts";

const lineFeed = 0x0a;
const carriageReturn = 0x0d;

export const snmpMaterial: SnmpMaterial = {
  async passphrase(reference) {
    const octets = await sshMaterial.key(reference);
    let length = octets.length;
    while (octets[length - 1] === lineFeed || octets[length - 1] === carriageReturn) length -= 1;
    const passphrase = Buffer.from(octets.subarray(0, length));
    octets.fill(0);
    return passphrase;
  },
};
