// An observation by the MKA process of a secured port.

import type { MkaObservation } from "#drivers/linux/mka/client.ts";
import { ckn } from "../../kit/site-bench.ts";

type BoundObservation = Extract<MkaObservation, { readonly kind: "bound" }>;

export function boundObservation(change: Partial<BoundObservation> = {}): BoundObservation {
  const [an, keyId] = [1, `${"0a".repeat(12)}/7`];
  const latestSak = { an, keyId, receive: true, transmit: true };
  const live = { state: "live", livePeers: 1, potentialPeers: 0 } as const;
  return {
    kind: "bound",
    device: "ms3",
    sci: "02000000000a0001",
    settings: {
      suite: "gcm-aes-xpn-256",
      policy: "mustSecure",
      includeSci: true,
      confidentialityOffset: 0,
      keyServerPriority: 16,
      replayWindow: undefined,
      sakRekeyMs: 28_800_000,
    },
    liveSuite: "gcm-aes-xpn-256",
    keys: [{ ckn: ckn("a"), role: "primary" }],
    keyLoss: undefined,
    session: {
      controlledPort: "secured",
      principalCkn: ckn("a"),
      participants: [{ ckn: ckn("a"), ...live }],
      livePeers: 1,
      respondedPeers: 1,
      keyServer: "self",
      keyServerPriority: 16,
      latestSak,
      oldSak: undefined,
    },
    mkpdus: { sent: 9n, received: 9n, icvFailed: 0n, unknownCkn: 0n, replayed: 0n },
    troubles: [],
    ...{ clear: 0n, secyChanges: undefined },
    pending: undefined,
    ...change,
  };
}
