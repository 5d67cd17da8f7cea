import { describe, expect, it } from "vitest";
import { type CpInputs, type CpState, cpNext } from "#sim/mka/mka-cp.ts";

const calm: CpInputs = {
  connect: "secure",
  chgdServer: false,
  newSak: false,
  electedSelf: true,
  allReceiving: false,
  serverTransmitting: false,
  controlledPortEnabled: true,
  timerOver: false,
};

const lostPeer = { connect: "pending" } as const;
const follower = { electedSelf: false } as const;

// IEEE 802.1X-2020 figure 12-2: the state, the inputs from the KaY, and the next state.
const rows: readonly (readonly [CpState, Partial<CpInputs>, CpState])[] = [
  ["CHANGE", lostPeer, "CHANGE"],
  ["CHANGE", { connect: "unauthenticated" }, "ALLOWED"],
  ["CHANGE", {}, "SECURED"],
  ["ALLOWED", { connect: "unauthenticated" }, "ALLOWED"],
  ["ALLOWED", {}, "CHANGE"],
  ["ALLOWED", lostPeer, "CHANGE"],
  ["SECURED", {}, "SECURED"],
  ["SECURED", { newSak: true }, "RECEIVE"],
  ["SECURED", { chgdServer: true, newSak: true }, "CHANGE"],
  ["RECEIVE", {}, "RECEIVING"],
  ["RECEIVING", {}, "RECEIVING"],
  ["RECEIVING", { allReceiving: true }, "TRANSMIT"],
  ["RECEIVING", { timerOver: true }, "TRANSMIT"],
  ["RECEIVING", { controlledPortEnabled: false }, "TRANSMIT"],
  ["RECEIVING", follower, "READY"],
  ["RECEIVING", { newSak: true }, "ABANDON"],
  ["RECEIVING", lostPeer, "ABANDON"],
  ["READY", { ...follower, allReceiving: true, timerOver: true }, "READY"],
  ["READY", { ...follower, serverTransmitting: true }, "TRANSMIT"],
  ["READY", { ...follower, controlledPortEnabled: false }, "TRANSMIT"],
  ["READY", { ...follower, newSak: true }, "ABANDON"],
  ["READY", { ...follower, chgdServer: true }, "ABANDON"],
  ["TRANSMIT", {}, "TRANSMITTING"],
  ["TRANSMITTING", {}, "TRANSMITTING"],
  ["TRANSMITTING", { newSak: true }, "TRANSMITTING"],
  ["TRANSMITTING", { timerOver: true }, "RETIRE"],
  ["TRANSMITTING", lostPeer, "RETIRE"],
  ["RETIRE", {}, "RETIRE"],
  ["RETIRE", { newSak: true }, "RECEIVE"],
  ["RETIRE", lostPeer, "CHANGE"],
  ["ABANDON", { newSak: true }, "RECEIVE"],
  ["ABANDON", lostPeer, "RETIRE"],
];

describe("the CP machine of 802.1X clause 12", () => {
  it.each(rows)("the CP machine in %s with %o goes to %s", (from, output, to) => {
    expect(cpNext(from, { ...calm, ...output })).toBe(to);
  });
});
