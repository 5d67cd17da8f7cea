// Findings about what keeps changes from having their whole effect on a device.

import type { DeviceState } from "#hal/model.ts";
import type { Obstacle } from "#hal/obstacle.ts";
import type { Finding } from "../../model/finding.ts";
import { severityOf } from "../../model/severity.ts";
import { visible } from "../../model/text.ts";

/** Returns a finding for each obstacle that the driver of the device has found. */
export function obstacleFindings(
  state: Pick<DeviceState, "obstacles"> | undefined,
  device: string,
): readonly Finding[] {
  return (state?.obstacles ?? []).map((one) => findingOf(one, device));
}

function findingOf(obstacle: Obstacle, device: string): Finding {
  switch (obstacle.kind) {
    case "secondEngine": {
      const isUnknown = obstacle.state === "unknown";
      return {
        ...{ code: "second-engine", severity: severityOf("second-engine"), about: device },
        here: isUnknown
          ? `${device} does not report whether it has a second routing engine`
          : `the second routing engine of ${device} cannot take a commit`,
        there: null,
        rule: "Each commit reaches both routing engines, or a switchover brings back old keys",
        source: "Juniper: Synchronizing Configurations Across Routing Engines",
        next: isUnknown
          ? `let the login of ${device} run show chassis routing-engine`
          : `repair it, then run commit synchronize on ${device}`,
      };
    }
    case "ikeNotAdmitted": {
      const { tunnel, interface: outer, zone } = obstacle;
      const place = `${visible(outer)} of ${device}`;
      return {
        ...{ code: "ike-not-admitted", severity: severityOf("ike-not-admitted") },
        about: visible(tunnel),
        here:
          zone === undefined
            ? `${place} is in no security zone`
            : `the security zone ${visible(zone)} does not admit IKE on ${place}`,
        there: null,
        rule: "The security zone of a tunnel's outer interface admits IKE",
        source: "Juniper: host-inbound-traffic, system-services ike",
        next:
          zone === undefined
            ? `put ${visible(outer)} into a zone that admits IKE`
            : `set security zones security-zone ${visible(zone)} host-inbound-traffic ` +
              "system-services ike",
      };
    }
  }
}
