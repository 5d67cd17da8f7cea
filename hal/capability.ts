// Compares what a change asks of a device with what the device offers, before anything is sent.

import type {
  Capabilities,
  CommitMode,
  DeviceChange,
  MacsecCapabilities,
  PortChange,
  RekeyWhat,
} from "./device.ts";
import type { WantedSettings } from "./model.ts";

/** Returns what the change needs and the capabilities lack; undefined = nothing is missing. */
export function missingCapability(
  change: DeviceChange,
  capabilities: Capabilities,
): string | undefined {
  for (const part of change) {
    const missing = missingFor(part, capabilities);
    if (missing !== undefined) return missing;
  }
  return undefined;
}

function missingFor(part: PortChange, capabilities: Capabilities): string | undefined {
  const { macsec, ipsec, drain } = capabilities;
  switch (part.kind) {
    case "macsec.addKey":
      if (macsec === undefined) return "MACsec";
      return part.role === "fallback" && macsec.overlap === "none" ? "a second key" : undefined;
    case "macsec.promoteKey":
      return macsec?.overlap === "fallback" ? undefined : "the promotion of a fallback key";
    case "macsec.removeKey":
    case "macsec.replaceKey":
      return macsec === undefined ? "MACsec" : undefined;
    case "macsec.protect":
      return macsec === undefined ? "MACsec" : missingOff(part.settings, macsec);
    case "macsec.rekeySak":
      return macsec?.freshSak === true ? undefined : "a fresh SAK on demand";
    case "port.shut":
    case "port.open":
      return undefined;
    case "ipsec.block":
      return ipsec?.blocks === true ? undefined : "block policies around tunnels";
    case "ipsec.putTunnel":
      return ipsec?.keying.includes("ike") === true ? undefined : missingIke;
    case "ipsec.removeTunnel":
      return ipsec === undefined ? "IPsec" : undefined;
    case "ipsec.rekey":
      if (ipsec?.keying.includes("ike") !== true) return missingIke;
      return ipsec.rekeys.includes(part.what) ? undefined : missingRekeys[part.what];
    case "port.drain":
    case "port.restore":
      return drain?.means.includes(part.means) === true ? undefined : `drain by ${part.means}`;
  }
}

const missingIke = "IPsec keyed by IKE";

const missingRekeys: Readonly<Record<RekeyWhat, string>> = {
  child: "new IPsec SAs on demand",
  ike: "a new IKE SA on demand",
  reauthenticate: "a fresh authentication on demand",
};

function missingOff(
  { includeSci, replayWindow }: WantedSettings,
  { always = [] }: MacsecCapabilities,
): string | undefined {
  if (!includeSci && always.includes("includeSci")) return "frames without an SCI";
  const isOff = replayWindow === undefined && always.includes("replayWindow");
  return isOff ? "frames without replay protection" : undefined;
}

/**
 * Returns why a commit of this mode cannot revert by itself after that time (ms); undefined = it
 * can, or need not.
 */
export function missingTimer(mode: CommitMode, within: number | "final"): string | undefined {
  if (within === "final") return undefined;
  switch (mode.kind) {
    case "immediate":
      return "a timer that would revert a commit";
    case "armedRevert":
      return undefined;
    case "confirmed":
      return Math.ceil(within / mode.stepMs) * mode.stepMs > mode.maxMs
        ? `a wait for a confirm of more than ${mode.maxMs} ms`
        : undefined;
  }
}
