// How one exchange reaches its peer.

import type { ClientRequest, RequestOptions } from "node:http";

export interface Line {
  readonly kind: "socket" | "identity" | "tls";
  readonly call: (options: RequestOptions) => ClientRequest;
  /**
   * True if the peer was authenticated before the call failed; undefined = the error itself
   * decides.
   */
  readonly established: (() => boolean) | undefined;
}
