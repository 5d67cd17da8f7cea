// The finding about a port without MACsec: whether frames pass, and the way back if it had a key.

import { type MacsecPort, strongValue } from "#hal/model.ts";
import { linkId } from "../model/desired.ts";
import {
  busyPps,
  type Finding,
  finding,
  isSolid,
  type LinkEvidence,
  type Verdict,
} from "../model/health.ts";
import { lostKeyNext } from "../model/lost-key.ts";
import { farOf, hereOf, secretOf } from "./end-names.ts";

/**
 * A port without MACsec. Its traffic is in the clear if frames pass. Azure drops them once its end
 * has MACsec on (it never falls back to clear text), and then the link carries nothing.
 */
export function bareFinding(evidence: LinkEvidence, newest: MacsecPort): Finding {
  const { link, expected, peer } = evidence;
  const here = `${hereOf(link)} has no MACsec`;
  const passing = passingBare(evidence, newest);
  const ids = peer?.state.pointsAt;
  // A link that is known with a key has lost it, unless the far end has MACsec off as well.
  const isOff = peer !== undefined && ids === undefined;
  const code = expected === undefined || isOff ? "macsec-not-configured" : "key-gone";
  const say = (verdict: Verdict, text: string): Finding => {
    const found = finding(verdict, code, linkId(link), text);
    return expected === undefined ? found : { ...found, next: lostKeyNext(link, peer?.state) };
  };
  const far = ids && `, and ${farOf(link)} has it on with ${secretOf(ids.cakSecretId)}`;
  if (passing === "yes" && far !== undefined && isDropping(evidence)) {
    const drops =
      "what the router sends is in the clear and is dropped there, so nothing is carried";
    return say("unprotected", `${here}${far}: ${drops}`);
  }
  if (passing === "yes" || (passing === "unknown" && ids === undefined)) {
    return say("unprotected", `${here}, so everything on this link is in the clear`);
  }
  if (passing === "unknown") return say("unknown", `${here}${far}: nothing shows that frames pass`);
  const idle = "no BGP session of the link is up";
  if (far === undefined)
    return say("unknown", `${here}, and nothing shows that frames pass: ${idle}`);
  return peer?.state.provisioning === "updating"
    ? say("unknown", `${here}${far}, or is just applying it: ${idle}`)
    : say("down", `${here}${far}: no frame passes, and ${idle}`);
}

/**
 * Whether the far end drops clear frames: its settings say so, and no probe came back since the
 * port was first observed without MACsec. A BGP session stays up until its hold time ends, and the
 * port counts protected frames too, so neither shows that clear frames pass.
 */
function isDropping({ observations, peer, probe }: LinkEvidence): boolean {
  if (peer?.state.provisioning !== "settled") return false;
  const last = observations.findLastIndex((port) => strongValue(port.settings) !== undefined);
  const since = observations[last + 1]?.settings;
  const isBack = probe !== undefined && probe.answered > 0;
  return !(isBack && since?.kind === "known" && probe.at > since.at);
}

/** Whether frames pass a port without MACsec, judged by BGP, probes and the port's packet rate. */
function passingBare(
  { bgp, probe, now, settings }: LinkEvidence,
  { rate }: MacsecPort,
): "yes" | "no" | "unknown" {
  if (bgp === "up") return "yes";
  if (probe !== undefined && probe.answered > 0 && now - probe.at <= settings.evidenceMs) {
    return "yes";
  }
  if (isSolid(rate, now, settings.staleAfterMs) && rate.value.rxPps >= busyPps) return "yes";
  return bgp === "down" ? "no" : "unknown";
}
