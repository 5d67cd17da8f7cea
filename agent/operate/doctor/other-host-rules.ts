// Rules for a host that the agent reaches by SSH: version, login, clock, what is silent. Pure.

import type { HostReport } from "#hal/device.ts";
import type { Finding } from "../../model/finding.ts";
import { clockSkewMs } from "../../model/link-snapshot.ts";
import { severityOf } from "../../model/severity.ts";
import { visible } from "../../model/text.ts";
import { version as ownVersion } from "../../model/version.ts";

const source = "docs/linux-pair.md";

/** Returns the findings about the host of a device; `report`: what it says of itself. */
export function otherHostFindings(report: HostReport, device: string): readonly Finding[] {
  const found = (
    code: string,
    details: Pick<Finding, "here" | "rule" | "next"> & { readonly there?: string },
  ): Finding => {
    const { there = null, ...rest } = details;
    return { code, severity: severityOf(code), about: device, there, source, ...rest };
  };
  return [
    ...versionFindings(report, device).map((one) => found("other-host-version", one)),
    ...loginFindings(report, device).map((one) => found("other-host-login", one)),
    ...clockFindings(report, device).map((one) => found("clock-skew", one)),
    ...report.silent.map((part) => found("other-host-silent", silentPart(part, device))),
  ];
}

type Part = Pick<Finding, "here" | "rule" | "next"> & { readonly there?: string };

function versionFindings({ version }: HostReport, device: string): readonly Part[] {
  // Behind the version comes the build.
  const [number = ""] = version.split(" ");
  if (number === ownVersion) return [];
  return [
    {
      here: `${device} runs linkseal ${visible(version)}`,
      there: `this host runs linkseal ${ownVersion}`,
      rule: "Both hosts of a pair run the same version",
      next: `install the newer one on both hosts, on ${device} first`,
    },
  ];
}

const rule = "The agent's key runs linkseal peer and can do nothing else";
const options = 'restrict,from="ADDRESS",command="/usr/bin/linkseal peer"';

function loginFindings({ forced, keys }: HostReport, device: string): readonly Part[] {
  const file = "/var/lib/linkseal-peer/.ssh/authorized_keys";
  const next = `on ${device}: put ${options} before each key in ${file}`;
  const here = [
    ...(forced === "no" ? [`sshd on ${device} forces no command on the agent's key`] : []),
    ...(keys === "open"
      ? [`a key in ${file} on ${device} may do more than run linkseal peer`]
      : []),
  ];
  return here.map((text) => ({ here: text, rule, next }));
}

/** The error of the reading counts for the host: it is off by that much at least. */
function clockFindings({ clock }: HostReport, device: string): readonly Part[] {
  if (clock === undefined || Math.abs(clock.aheadMs) - clock.errorMs <= clockSkewMs.warning) {
    return [];
  }
  const { aheadMs } = clock;
  const errorMs = Math.ceil(clock.errorMs);
  const way = aheadMs > 0 ? "ahead" : "behind";
  const seconds = `${Math.round(Math.abs(aheadMs) / 1_000)} s ${way} (give or take ${errorMs} ms)`;
  return [
    {
      here: `the clock of ${device} is ${seconds}; the validity of its keys goes by it`,
      there: "the clock of this host",
      rule: "Both hosts agree on the time within a minute; above five nothing begins",
      next: `timedatectl on ${device} and on this host: give the wrong one a time source`,
    },
  ];
}

/** A process has the groups that its user had when it began. */
const frrLines = [
  "systemctl enable --now frr",
  "usermod -aG frrvty linkseal",
  "systemctl restart linkseal-peer",
];

function silentPart(part: string, device: string): Part {
  const name = visible(part);
  return {
    here: `${name} on ${device} does not answer`,
    rule: "What the links of a host need runs there",
    next:
      part === "frr"
        ? `on ${device}: ${frrLines.join("; ")}`
        : `on ${device}: systemctl enable --now ${part === "charon" ? "strongswan" : name}`,
  };
}
