// The change operations of linkseal-net: a fixed list, and none of them contains a key.

import { each, flag, name, object, oneOf, optional, uint32, variants } from "#hal/decoder.ts";
import type { PortName, WantedSettings } from "#hal/model.ts";
import { suite } from "../../local/state.ts";
import { type TunnelOperation, tunnelOperations, tunnelPreview } from "./tunnel-operation.ts";

/** The settings of a port that belong to its SecY; the MKA process has the others. */
export type SecyWish = Pick<WantedSettings, "suite" | "includeSci" | "replayWindow">;

export type PortOperation =
  | { readonly kind: "port.shut" | "port.open"; readonly port: PortName }
  | { readonly kind: "macsec.protect"; readonly port: PortName; readonly settings: SecyWish }
  /**
   * The MKA process of the port takes part in the same change: it waits under the same lock, and
   * reverts its own part.
   */
  | { readonly kind: "macsec.participant"; readonly port: PortName }
  /** Only ever undoes a SecY that was made and not confirmed; no client can request it. */
  | {
      readonly kind: "macsec.unprotect";
      readonly port: PortName;
      /** How the port made itself link-local addresses before. */
      readonly linkLocal: "eui64" | "none";
    };
/** One change operation of linkseal-net. */
export type NetOperation = PortOperation | TunnelOperation;
export type NetChange = readonly NetOperation[];

export function isTunnelOperation(operation: NetOperation): operation is TunnelOperation {
  return operation.kind.startsWith("ipsec.");
}

export function previewOf(operation: NetOperation): readonly string[] {
  if (isTunnelOperation(operation)) return tunnelPreview(operation);
  const { kind, port } = operation;
  switch (kind) {
    case "port.shut":
      return [`port ${port}`, "- up", "+ down: no frame leaves it"];
    case "port.open":
      return [`port ${port}`, "- down", "+ up, with the addresses and routes that it had"];
    case "macsec.protect": {
      const { suite, includeSci, replayWindow } = operation.settings;
      const window = replayWindow === undefined ? "off" : String(replayWindow);
      return [
        `port ${port}`,
        `+ SecY ${suite}, sci ${includeSci ? "on" : "off"}, replay window ${window}, strict`,
        "+ addresses, routes, VLANs and VRF of the port are the SecY's",
      ];
    }
    case "macsec.participant":
      return [];
    case "macsec.unprotect":
      return [`port ${port}`, "- SecY"];
  }
}

export const secyWish = object<SecyWish>({
  suite,
  includeSci: flag,
  replayWindow: optional(uint32),
});

const operationAt = variants<NetOperation>({
  ...tunnelOperations,
  ...each(["port.shut", "port.open", "macsec.participant"], { port: name }),
  "macsec.protect": { port: name, settings: secyWish },
  "macsec.unprotect": { port: name, linkLocal: oneOf(["eui64", "none"]) },
});

/**
 * Reads an operation that this process has written.
 * @throws Malformed
 */
export const readOperation = (operation: unknown): NetOperation => operationAt(operation, "part");
