// A tunnel as lines of a configuration session; lines that are configured already are sent again
// and change nothing.

import type { Command } from "#hal/secret.ts";
import { type Block, commandsOf, inModes } from "../platform/renderer.ts";
import {
  type ChangedTunnel,
  deadPeer,
  ikeSeconds,
  isPlainPsk,
  pskRemark,
  segmentMax,
  type TunnelPlan,
} from "../platform/tunnel-change.ts";
import { stalePrefixes, Ground as TunnelGround, type Wanted } from "../platform/tunnel-renderer.ts";
import { line } from "../transport/cli.ts";
import { type EosTunnels, hour, minute, words } from "./tunnel-config.ts";

type Ground = TunnelGround<EosTunnels>;

/**
 * Returns the commands in the order in which they are sent.
 * @throws LinksealError `device.*` or `vault.malformedKey`, with effect "none".
 */
export function tunnelCommands(
  changed: readonly ChangedTunnel[],
  config: EosTunnels,
  device: string,
): readonly Command[] {
  const ground = new TunnelGround(config, device);
  return changed.flatMap((one) => blocksOf(one, ground)).flatMap(commandsOf);
}

function blocksOf({ name, before, after }: ChangedTunnel, ground: Ground): readonly Block[] {
  const at = ground.config.tunnels.get(name)?.interface;
  if (after === undefined) {
    return before === undefined || at === undefined ? [] : goneBlocks(before, at);
  }
  const home = homeFor(after, ground);
  const own = at ?? `Tunnel${ground.freeNumber(1)}`;
  const stale = stalePrefixes(before, after);
  return [
    ...policyBlocks(after, before),
    profileBlock(after),
    interfaceBlock(after, own, home),
    routeBlock(after, own, ground),
    inModes([], ...stale.map((prefix) => line`no ip route ${prefix} ${own}`)),
  ];
}

function homeFor(after: Wanted, ground: Ground): string {
  const { ike, life, secret } = after;
  if (ike.prf !== ike.integrity) {
    throw ground.refusal(`the PRF of IKE there is the digest of its integrity, not ${ike.prf}`);
  }
  if (life.seconds % minute !== 0) {
    throw ground.refusal("the lifetime of an SA there is in whole minutes");
  }
  if (!isPlainPsk(secret)) {
    const text = "a PSK there may contain only letters, digits and _ . : / @ + , =";
    throw ground.refusal(text, "vault.malformedKey");
  }
  ground.refuseNamesake(after, "a policy or a profile");
  ground.refuseSamePair(after);
  return ground.homeOf(after, " of the default VRF");
}

function policyBlocks(after: Wanted, before: TunnelPlan | undefined): readonly Block[] {
  const { name, localAddress, ike, transforms, life } = after;
  const group = words.pfsGroup[transforms.dhGroup] ?? "";
  const hadGroup = before !== undefined && before.transforms.dhGroup !== "none";
  const security = line`ip security`;
  return [
    inModes(
      [security, line`ike policy ${name}`],
      line`ike-lifetime ${ikeSeconds / 3_600} hours`,
      line`encryption ${words.ikeEncryption[ike.encryption] ?? ""}`,
      line`integrity ${words.ikeIntegrity[ike.integrity] ?? ""}`,
      line`dh-group ${words.dhGroup[ike.dhGroup] ?? ""}`,
      line`local-id ${localAddress}`,
    ),
    inModes(
      [security, line`sa policy ${name}`],
      line`esp encryption ${words.espEncryption[transforms.encryption] ?? ""}`,
      line`esp integrity ${words.espIntegrity[transforms.integrity] ?? ""}`,
      lifeLine(life),
      ...(group === "" ? [] : [line`pfs dh-group ${group}`]),
      ...(group === "" && hadGroup ? [line`no pfs dh-group`] : []),
    ),
  ];
}

/** Older releases know no minutes. */
function lifeLine({ seconds }: TunnelPlan["life"]): Command {
  return seconds % hour === 0
    ? line`sa lifetime ${seconds / hour} hours`
    : line`sa lifetime ${seconds / minute} minutes`;
}

function profileBlock({ name, secret }: Wanted): Block {
  const hole = { secret, as: "raw" } as const;
  return inModes(
    [line`ip security`, line`profile ${name}`],
    line`ike-policy ${name}`,
    line`sa-policy ${name}`,
    line`connection start`,
    line`shared-key 0 ${hole}`,
    line`dpd ${deadPeer.seconds} ${deadPeer.seconds * deadPeer.tries} restart`,
    line`mode tunnel`,
  );
}

function interfaceBlock(after: Wanted, at: string, home: string): Block {
  return inModes(
    [line`interface ${at}`],
    [`description ${pskRemark(after.psk ?? "")}`],
    line`mtu ${after.mtu}`,
    line`ip address unnumbered ${home}`,
    line`tcp mss ceiling ipv4 ${segmentMax(after)}`,
    line`tunnel mode ipsec`,
    line`tunnel source ${after.localAddress}`,
    line`tunnel destination ${after.remoteAddress}`,
    line`tunnel ipsec profile ${after.name}`,
  );
}

function routeBlock({ remotePrefixes }: Wanted, at: string, ground: Ground): Block {
  const missing = remotePrefixes.filter(
    (prefix) => !ground.hopsOf(prefix, /^Tunnel\d{1,5}$/).includes(at),
  );
  return inModes([], ...missing.map((prefix) => line`ip route ${prefix} ${at}`));
}

function goneBlocks({ name, remotePrefixes }: TunnelPlan, at: string): readonly Block[] {
  return [
    inModes(
      [],
      ...remotePrefixes.map((prefix) => line`no ip route ${prefix} ${at}`),
      line`no interface ${at}`,
    ),
    inModes(
      [line`ip security`],
      line`no profile ${name}`,
      line`no sa policy ${name}`,
      line`no ike policy ${name}`,
    ),
  ];
}
