// The commands that a person types on a device of one platform, for a night in which no agent can
// help. They are data: no code of linkseal sends them.

import type { DrainMeans, PortName, WantedSettings } from "./model.ts";

/** Lines in the order in which they are typed; `none` = the platform has no such commands. */
export type HandLines =
  | { readonly kind: "lines"; readonly lines: readonly string[] }
  /** `why` is one sentence for the person, with what to do instead. */
  | { readonly kind: "none"; readonly why: string };

/** Words that a person replaces by values; no device accepts one of them as hexadecimal. */
export interface KeyWords {
  /** The word for the CAK, in hexadecimal. */
  readonly cak: string;
  /** The word for the CKN, in hexadecimal. */
  readonly ckn: string;
  /** The word for the CKN of the key that leaves the port. */
  readonly oldCkn: string;
}

/** The commands of one platform; a port is named as the device spells it. */
export interface ByHand {
  /** Shows the MKA session of a port, its keys by CKN, and the counters of MKPDUs and frames. */
  readonly showMacsec: (port: PortName) => HandLines;
  /** Shows the port itself: configured state, link and light. */
  readonly showPort: (port: PortName) => HandLines;
  /** Shows the BGP neighbours of the device. */
  readonly showBgp: () => HandLines;
  /** Shows the IKE and IPsec SAs of a tunnel, by its name in the config and its gateway. */
  readonly showTunnel: (name: string, gateway: string) => HandLines;
  /** Opens a port that was shut by configuration. */
  readonly openPort: (port: PortName) => HandLines;
  /** Shuts a port and opens it again, so that MKA begins anew; the port is down meanwhile. */
  readonly restartMka: (port: PortName) => HandLines;
  /** Puts one key on a port, with must-secure; any other key of the port leaves it. */
  readonly putKey: (port: PortName, words: KeyWords, settings: WantedSettings) => HandLines;
  /** Takes MACsec off a port: what the port carries then is in the clear. */
  readonly macsecOff: (port: PortName) => HandLines;
  /** Takes away a drain that linkseal made and cannot undo itself. */
  readonly undrain: (means: DrainMeans) => HandLines;
  /** Saves what was changed, where a reload would take it back: only once it is proven. */
  readonly save: () => HandLines;
}

/** Returns the lines as commands of a platform. */
export function handLines(...lines: readonly string[]): HandLines {
  return { kind: "lines", lines };
}

/** Returns the sentence for a platform that has no such commands. */
export function noHandLines(why: string): HandLines {
  return { kind: "none", why };
}
