// Faults of a link on the real components, and the report that each must cause.

import { type Lab, light, secyOn } from "./lab.ts";
import { farPort } from "./stand-in.ts";

export interface LabFault {
  readonly title: string;
  /** The verdict of the link, and the code of one of its reasons. */
  readonly verdict: "down" | "degraded" | "unprotected" | "unknown";
  readonly code: string;
  /** The sum of the standards' own timers, the wait for an observation, and one second. */
  readonly withinMs: number;
  readonly strike: (lab: Lab) => Promise<void>;
  readonly heal: (lab: Lab) => Promise<void>;
}

const port = "p1";
const lifeMs = 6000;
const pollMs = 2000;
const slackMs = 1000;
/** One MKA life time, the poll after it, and a second. */
const mkaMs = lifeMs + pollMs + slackMs;
const evidenceMs = 90_000;

const wrong = (digits: string, length: number): string => digits.repeat(length).slice(0, length);

async function giveBack(lab: Lab): Promise<void> {
  await lab.standIn.give(port, lab.standIn.keyOf(port));
}

export const labFaults = {
  "peer-silent": {
    title: "the far end's participant dies",
    verdict: "down",
    code: "mka-no-live-peer",
    withinMs: mkaMs,
    strike: async (lab) => lab.standIn.silence(port),
    heal: giveBack,
  },
  "cak-mismatch": {
    title: "the far end gets another CAK under the same CKN",
    verdict: "down",
    code: "cak-mismatch",
    withinMs: mkaMs + lifeMs,
    strike: (lab) => instead(lab, (key) => ({ ...key, cak: wrong("5eed", key.cak.length) })),
    heal: (lab) => restore(lab),
  },
  "ckn-mismatch": {
    title: "the far end gets a key that the router does not hold",
    verdict: "down",
    code: "ckn-mismatch",
    withinMs: mkaMs + lifeMs,
    strike: (lab) =>
      instead(lab, (key) => ({ ...key, ckn: wrong("bad0", key.ckn.length) as typeof key.ckn })),
    heal: (lab) => restore(lab),
  },
  "suite-mismatch": {
    title: "the far end knows only another cipher suite, and reports that it is secured",
    verdict: "down",
    code: "probe-unanswered",
    withinMs: evidenceMs,
    strike: (lab) => instead(lab, (key) => ({ ...key, suite: "gcm-aes-128" })),
    heal: (lab) => restore(lab),
  },
  "fibre-cut": {
    title: "no light comes from the far end",
    verdict: "down",
    code: "link-down",
    withinMs: pollMs + slackMs,
    strike: async (lab) => light(lab.pair.far.network, farPort(port), "down"),
    heal: async (lab) => light(lab.pair.far.network, farPort(port), "up"),
  },
  "should-secure": {
    title: "an operator lets frames pass in the clear",
    verdict: "unprotected",
    code: "policy-should-secure",
    withinMs: pollMs + slackMs,
    strike: async (lab) => validate(lab, "check"),
    heal: async (lab) => validate(lab, "strict"),
  },
  "integrity-only": {
    title: "the far end authenticates its frames and does not encrypt them",
    verdict: "unprotected",
    code: "frames-readable",
    withinMs: mkaMs + 2 * pollMs,
    strike: (lab) => instead(lab, (key) => ({ ...key, sends: "integrityOnly" })),
    heal: (lab) => restore(lab),
  },
  "participant-gone": {
    title: "linkseal-mka of the port is stopped",
    verdict: "unknown",
    code: "reading-missing",
    withinMs: pollMs + slackMs,
    strike: (lab) => lab.end("mka p1", "SIGTERM"),
    heal: (lab) => lab.start("mka p1"),
  },
} as const satisfies Record<string, LabFault>;

export type LabFaultName = keyof typeof labFaults;

type Key = ReturnType<Lab["standIn"]["keyOf"]>;
const kept = new WeakMap<Lab, Key>();

async function instead(lab: Lab, change: (key: Key) => Key): Promise<void> {
  const key = lab.standIn.keyOf(port);
  kept.set(lab, key);
  await lab.standIn.give(port, change(key));
}

async function restore(lab: Lab): Promise<void> {
  const key = kept.get(lab);
  if (key !== undefined) await lab.standIn.give(port, key);
}

function validate(lab: Lab, how: "check" | "strict"): void {
  const { network } = lab.pair.edge;
  const device = secyOn(network, port);
  if (device === undefined) throw new Error(`${port} has no SecY`);
  lab.ip("link", "set", device, "type", "macsec", "validate", how);
}
