// The changes that linkseal-net makes: a fixed list, none of which holds a key.

import type { PortName, WantedSettings } from "#hal/model.ts";
import { each, flag, name, object, oneOf, optional, uint32, variants } from "../../local/shape.ts";
import { suite } from "../../local/state.ts";
import { type TunnelPart, tunnelParts, tunnelPreview } from "./tunnel-part.ts";

/** Of the settings of a port those that its SecY has; the others are the MKA participant's. */
export type SecyWish = Pick<WantedSettings, "suite" | "includeSci" | "replayWindow">;

export type PortPart =
  | { readonly kind: "port.shut" | "port.open"; readonly port: PortName }
  | { readonly kind: "macsec.protect"; readonly port: PortName; readonly settings: SecyWish }
  /**
   * The MKA process of the port does something within the same change: it waits under the same
   * lock, and undoes its part itself.
   */
  | { readonly kind: "macsec.participant"; readonly port: PortName }
  /** Only ever the undoing of a SecY that was made and not confirmed: nobody can ask for it. */
  | {
      readonly kind: "macsec.unprotect";
      readonly port: PortName;
      /** Whether the port made itself link-local addresses before. */
      readonly linkLocal: "eui64" | "none";
    };
export type NetPart = PortPart | TunnelPart;
export type NetChange = readonly NetPart[];

export function isTunnelPart(part: NetPart): part is TunnelPart {
  return part.kind.startsWith("ipsec.");
}

export function previewOf(part: NetPart): readonly string[] {
  if (isTunnelPart(part)) return tunnelPreview(part);
  const { kind, port } = part;
  switch (kind) {
    case "port.shut":
      return [`port ${port}`, "- up", "+ down: no frame leaves it"];
    case "port.open":
      return [`port ${port}`, "- down", "+ up, with the addresses and routes that it had"];
    case "macsec.protect": {
      const { suite, includeSci, replayWindow } = part.settings;
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

const partAt = variants<NetPart>({
  ...tunnelParts,
  ...each(["port.shut", "port.open", "macsec.participant"], { port: name }),
  "macsec.protect": { port: name, settings: secyWish },
  "macsec.unprotect": { port: name, linkLocal: oneOf(["eui64", "none"]) },
});

/** As this process wrote it down. Throws Malformed. */
export const readPart = (part: unknown): NetPart => partAt(part, "part");
