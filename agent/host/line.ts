// How one exchange reaches its peer.

import type { ClientRequest, RequestOptions } from "node:http";

export interface Line {
  readonly kind: "socket" | "identity" | "tls";
  readonly call: (options: RequestOptions) => ClientRequest;
  /** Whether the peer was proven before the call failed; undefined = the error itself tells. */
  readonly established: (() => boolean) | undefined;
}
