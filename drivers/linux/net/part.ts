// The changes that linkseal-net makes: a fixed list, none of which holds a key.

import type { CipherSuite, PortName, WantedSettings } from "#hal/model.ts";
import { count, flag, type JsonObject, name, oneOf, optional, record } from "../../local/shape.ts";
import { readTunnelPart, type TunnelPart, tunnelKinds, tunnelPreview } from "./tunnel-part.ts";

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

const suites: readonly CipherSuite[] = [
  ...(["gcm-aes-128", "gcm-aes-256", "gcm-aes-xpn-128", "gcm-aes-xpn-256"] as const),
];
const kinds = [
  ...(["port.shut", "port.open", "macsec.protect"] as const),
  ...(["macsec.participant", "macsec.unprotect"] as const),
];

function isTunnelKind(kind: NetPart["kind"]): kind is TunnelPart["kind"] {
  return kind.startsWith("ipsec.");
}

/** As this process wrote it down. Throws Malformed. */
export function readPart(part: JsonObject): NetPart {
  const kind = oneOf(part, "kind", [...kinds, ...tunnelKinds]);
  if (isTunnelKind(kind)) return readTunnelPart(part);
  const port = name(part, "port");
  switch (kind) {
    case "port.shut":
    case "port.open":
    case "macsec.participant":
      return { kind, port };
    case "macsec.protect":
      return { kind, port, settings: readWish(record(part, "settings")) };
    case "macsec.unprotect":
      return { kind, port, linkLocal: oneOf(part, "linkLocal", ["eui64", "none"]) };
  }
}

/** Throws Malformed. */
export function readWish(settings: JsonObject): SecyWish {
  return {
    suite: oneOf(settings, "suite", suites),
    includeSci: flag(settings, "includeSci"),
    replayWindow: optional(window, settings, "replayWindow"),
  };
}

const window = (parent: JsonObject, key: string): number => count(parent, key, 2 ** 32 - 1);
