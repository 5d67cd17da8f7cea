// How one exchange reaches its peer.

import type { ClientRequest, RequestOptions } from "node:http";

/** Options of a request; `highWaterMark`, of its socket, is not in the types. */
type CallOptions = RequestOptions & { readonly highWaterMark: number };

export interface Line {
  readonly kind: "socket" | "identity" | "tls";
  readonly call: (options: CallOptions) => ClientRequest;
  /**
   * True if the peer was authenticated before the call failed; undefined = the error itself
   * decides.
   */
  readonly established: (() => boolean) | undefined;
}
