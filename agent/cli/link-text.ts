// One link with all that is known about it, as text. All input must be readable text (without
// control characters).

import type { LinkDetail } from "../api/link-detail.ts";
import { stepLines } from "../explain/steps.ts";
import { columns } from "../model/text.ts";
import type { Paint } from "./paint.ts";
import { ageText, azureLines, confidentialityLines } from "./status-text.ts";

const unknown = "not known";

/** Returns both ends of a link side by side, then what to do for each of its reasons. */
export function linkText(detail: LinkDetail, at: string, paint: Paint): string {
  const { id, status, reasons } = detail;
  const rows = [...routerRows(detail), ...farEndRows(detail), ...wantedRows(detail)];
  return [
    `${paint.strong(id)}: ${paint.verdict(status.verdict)}  ${paint.faint(at)}`,
    ...columns([...rows, ...ageRows(detail)]).map((row) => `  ${row}`),
    ...azureLines(status, at),
    ...reasons.flatMap(({ code, severity, text, steps }) => [
      `${severity}: ${text} ${paint.faint(`(${code})`)}`,
      ...stepLines(steps, "  "),
    ]),
  ].join("\n");
}

type Row = readonly [string, string, string];

function routerRows({ status, router }: LinkDetail): readonly Row[] {
  const { device, port, mka, suite } = status;
  const linkUp = router.linkUp === null ? unknown : router.linkUp ? "up" : "down";
  const peers = `${router.livePeers ?? unknown} live, ${router.respondedPeers ?? unknown} respond`;
  const server = mka === null ? unknown : mka.keyServer;
  const drained =
    router.drained === null ? unknown : router.drained ? "moved away" : "on this link";
  return [
    ["router", "device", `${device} (${router.driver}, ${router.address})`],
    ["", "port", `${port}, configured ${router.admin ?? unknown}, link ${linkUp}`],
    ["", "controlled port", router.controlledPort ?? unknown],
    ["", "suite in use", suite ?? unknown],
    ...confidentialityLines(status).map((line): Row => ["", "encryption", line.trim()]),
    ["", "settings", router.settings === null ? "none or not known" : pairs(router.settings)],
    ["", "keys", keysText(router.keys)],
    ["", "MKA", `peers ${peers}; key server ${server}`],
    ["", "MKPDUs", router.mkpdus === null ? unknown : pairs(router.mkpdus)],
    ["", "frames", router.frames === null ? unknown : pairs(router.frames)],
    ["", "MTU", mtuText(router.frames)],
    ...bgpRows(router.bgp),
    ["", "traffic", drained],
    ...router.troubles.map((text): Row => ["", "trouble", text]),
  ];
}

function pairs(values: Readonly<Record<string, string | number | boolean | null>>): string {
  return Object.entries(values)
    .map(([name, value]) => `${name} ${value ?? "none"}`)
    .join(", ");
}

function keysText(keys: LinkDetail["router"]["keys"]): string {
  if (keys === null) return unknown;
  return keys.map(({ ckn, role }) => `${ckn} (${role})`).join(", ") || "none";
}

/** A frame that MACsec made too long is the one sign of a small MTU that a port shows. */
function mtuText(frames: LinkDetail["router"]["frames"]): string {
  const count = frames?.["txTooLong"];
  return count === undefined ? unknown : `${count} frames were too long once protected`;
}

function bgpRows(sessions: LinkDetail["router"]["bgp"]): readonly Row[] {
  if (sessions.length === 0) return [["", "BGP", "no session over this port is known"]];
  return sessions.map(({ peer, vrf, up, trouble }): Row => {
    const place = vrf === null ? peer : `${peer} in ${vrf}`;
    return ["", "BGP", `${place} ${up ? "up" : "down"}${trouble === null ? "" : `: ${trouble}`}`];
  });
}

function farEndRows({ farEnd }: LinkDetail): readonly Row[] {
  if (farEnd === null) return [["far end", "", "never read"]];
  const { resource, link, admin, provisioning, cakSecretId, cknSecretId, cipher, sci } = farEnd;
  return [
    ["far end", "port", `${link} of ${resource}`],
    ["", "state", `${admin}, ${provisioning}`],
    ["", "CAK", cakSecretId ?? "none: MACsec is off"],
    ["", "CKN", cknSecretId ?? "none: MACsec is off"],
    ["", "cipher", `${cipher ?? unknown}, SCI ${sci}`],
  ];
}

function wantedRows({ wanted }: LinkDetail): readonly Row[] {
  return [
    ["config", "cipher", `${wanted.cipher}, SCI ${wanted.sci}`],
    ["", "CAK", wanted.cakSecretId ?? "no key is accepted"],
    ["", "CKN", wanted.cknSecretId ?? "no key is accepted"],
  ];
}

function ageRows({ status: { ages } }: LinkDetail): readonly Row[] {
  return [
    ["read", "MKA session", ageText(ages.controlPlaneMs)],
    ["", "counters", ageText(ages.dataPlaneMs)],
    ["", "far end", ageText(ages.farEndMs)],
  ];
}
