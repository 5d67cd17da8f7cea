// What a driver found on a device that keeps changes from having their whole effect.

/** A state of a device that keeps a change from having its whole effect, as its driver found it. */
export type Obstacle =
  /**
   * Commits do not reach the second routing engine, so a switchover brings back the keys of before;
   * `unknown` = it is not known whether there is one.
   */
  | { readonly kind: "secondEngine"; readonly state: "notReady" | "unknown" }
  /** The security zone of a tunnel's outer interface does not admit IKE; undefined = no zone. */
  | {
      readonly kind: "ikeNotAdmitted";
      readonly tunnel: string;
      readonly interface: string;
      readonly zone: string | undefined;
    };
