// P1: no packet number is used twice under one SAK (NIST SP 800-38D, 8): a second use under one key
// with GCM ends confidentiality.

import type { Checker, Finding } from "./moment.ts";

export function watchNumbers(): Checker {
  /** The next packet number of each link's ends, by SAK. */
  const reached = new Map<string, number>();
  return ({ now }) => {
    const findings: Finding[] = [];
    for (const { id, transmitting } of now.links) {
      for (const { end, keyId, nextPn } of transmitting) {
        const name = `${id} ${end} ${keyId}`;
        const was = reached.get(name) ?? 0;
        reached.set(name, nextPn);
        if (nextPn >= was) continue;
        const where = `the ${end} end of ${id} sends under SAK ${keyId}`;
        const text = `${where} from ${nextPn} again, after ${was}`;
        findings.push({ promise: "P1", event: `${id} uses a packet number twice`, text });
      }
    }
    return findings;
  };
}
