// The CP machine of IEEE 802.1X-2020 clause 12 as a pure function, in the standard's names.

/** AUTHENTICATED is left out: a pre-shared CAK never gives an authenticated port without MACsec. */
export type CpState =
  | "CHANGE"
  | "ALLOWED"
  | "SECURED"
  | "RECEIVE"
  | "RECEIVING"
  | "READY"
  | "TRANSMIT"
  | "TRANSMITTING"
  | "RETIRE"
  | "ABANDON";

/**
 * The inputs of the machine from the KaY; simulated hardware uses an SA as soon as it is asked to.
 */
export interface CpInputs {
  readonly connect: "pending" | "unauthenticated" | "secure";
  readonly chgdServer: boolean;
  readonly newSak: boolean;
  readonly electedSelf: boolean;
  readonly allReceiving: boolean;
  readonly serverTransmitting: boolean;
  readonly controlledPortEnabled: boolean;
  /** True if the timer that the state waits for, `transmitWhen` or `retireWhen`, has expired. */
  readonly timerOver: boolean;
}

/** Returns the state that follows, or the same one if nothing moves the machine. */
export function cpNext(state: CpState, inputs: CpInputs): CpState {
  const change = inputs.chgdServer || inputs.connect !== "secure";
  switch (state) {
    case "CHANGE":
      if (inputs.connect === "secure") return "SECURED";
      return inputs.connect === "unauthenticated" ? "ALLOWED" : state;
    case "ALLOWED":
      return inputs.connect === "unauthenticated" ? state : "CHANGE";
    case "SECURED":
    case "RETIRE":
      if (change) return "CHANGE";
      return inputs.newSak ? "RECEIVE" : state;
    case "RECEIVE":
      return "RECEIVING";
    case "RECEIVING":
      if (change || inputs.newSak) return "ABANDON";
      if (!inputs.electedSelf) return "READY";
      return mayTransmit(inputs, inputs.allReceiving || inputs.timerOver) ? "TRANSMIT" : state;
    case "READY":
      if (change || inputs.newSak) return "ABANDON";
      return mayTransmit(inputs, inputs.serverTransmitting) ? "TRANSMIT" : state;
    case "TRANSMIT":
      return "TRANSMITTING";
    case "TRANSMITTING":
      return change || inputs.timerOver ? "RETIRE" : state;
    case "ABANDON":
      if (change) return "RETIRE";
      return inputs.newSak ? "RECEIVE" : state;
  }
}

// A port that is not open yet has no frames to lose, so its first SAK does not wait for the peer.
function mayTransmit(inputs: CpInputs, otherEndReady: boolean): boolean {
  return otherEndReady || !inputs.controlledPortEnabled;
}
