// What is reported of a tunnel's pre-shared key.

import type { WallTime } from "#hal/world.ts";
import { bundleOf } from "../../health/tunnel-bundle.ts";
import type { Desired, DesiredTunnel } from "../../model/desired.ts";
import { tunnelChangeText } from "../../model/reason-text.ts";
import type { TunnelChange } from "../../model/tunnel-change.ts";
import { sharersOf } from "../../model/tunnel-pair.ts";
import { gatewayKeyCommand } from "../../rotation/far-end-command.ts";
import { type Memory, named } from "../../store/journal/memory.ts";

/** The state of a tunnel's pre-shared key: ids of secret versions, never a value. */
export interface PskReport {
  /** The tunnel's name. */
  readonly tunnel: string;
  /** Always `psk`: certificates have no report. */
  readonly kind: "psk";
  /** The one that gives a newer version to the gateway: an operator or the agent. */
  readonly farEnd: "manual" | "agent";
  /** The tunnel to the gateway's other instance, which changes together with it; null = none. */
  readonly pair: string | null;
  /** The version in use; null = linkseal did not set this tunnel up. */
  readonly secretId: string | null;
  /** The newer version and its progress; null = none. */
  readonly next: {
    readonly secretId: string;
    readonly state: TunnelChange["state"];
    readonly since: WallTime;
    readonly because: string;
    /** What the change costs the traffic of the tunnel, as a sentence. */
    readonly dark: string;
    /** The operator's command that gives it to the gateway; null = none, or the agent does. */
    readonly command: string | null;
  } | null;
}

interface Facts {
  readonly farEnd: PskReport["farEnd"];
  /** True if the device can move traffic to another tunnel. */
  readonly canDrain: boolean;
  readonly memory: Memory;
}

/** Reports the pre-shared key of one tunnel. */
export function pskReport(
  desired: Pick<Desired, "tunnels">,
  tunnel: DesiredTunnel,
  { farEnd, canDrain, memory }: Facts,
): PskReport {
  const { name } = tunnel;
  const { auth, next } = named(memory.auths, name) ?? {};
  const others = sharersOf(desired.tunnels, tunnel).filter((other) => other.name !== name);
  const secretId = auth?.secretId ?? null;
  const own = { tunnel: name, kind: "psk", farEnd, pair: others[0]?.name ?? null } as const;
  if (next === undefined) return { ...own, secretId, next: null };
  const { state, since } = next;
  const because = tunnelChangeText(next);
  const isCarried = canDrain && bundleOf(desired.tunnels, tunnel).length > 0;
  const dark = darkOf(tunnel, isCarried ? "drained" : "inTraffic");
  const command = farEnd === "manual" ? commandFor(tunnel, next) : null;
  const coming = { secretId: next.auth.secretId, state, since, because, dark, command };
  return { ...own, secretId, next: coming };
}

function darkOf({ ikeVersion }: DesiredTunnel, how: "drained" | "inTraffic"): string {
  const refused =
    ikeVersion === undefined
      ? "its SAs stay if the gateway refuses the key"
      : "it is down for about a minute if the gateway refuses the key";
  switch (how) {
    case "drained":
      return `not dark: another tunnel carries while it authenticates, and ${refused}`;
    case "inTraffic":
      return `not dark: it loses some packets when it authenticates, and ${refused}`;
  }
}

function commandFor(
  { azureConnection }: DesiredTunnel,
  { state, auth }: TunnelChange,
): string | null {
  if (state !== "waiting" || azureConnection === undefined) return null;
  return gatewayKeyCommand(azureConnection, auth.secretId) ?? null;
}
