// A tunnel as lines of a configuration session: what stands already is said again, and changes
// nothing.

import { LinksealError } from "#hal/error.ts";
import type { Command } from "#hal/secret.ts";
import {
  type ChangedTunnel,
  deadPeer,
  ikeSeconds,
  isPlainPsk,
  pskRemark,
  segmentMax,
  type TunnelPlan,
} from "../platform/tunnel-change.ts";
import { line } from "../transport/cli.ts";
import { type Block, commandsOf } from "./edits.ts";
import { type EosTunnels, megabyte, minute, words } from "./tunnel-config.ts";

type Wanted = NonNullable<ChangedTunnel["after"]>;

interface Ground {
  readonly config: EosTunnels;
  readonly device: string;
  readonly numbers: Set<number>;
}

/** In this order. Throws `device.*` or `vault.malformedKey`, effect "none". */
export function tunnelCommands(
  changed: readonly ChangedTunnel[],
  config: EosTunnels,
  device: string,
): readonly Command[] {
  const ground: Ground = { config, device, numbers: new Set(config.numbers) };
  return changed.flatMap((one) => blocksOf(one, ground)).flatMap(commandsOf);
}

function blocksOf({ name, before, after }: ChangedTunnel, ground: Ground): readonly Block[] {
  const at = ground.config.standing.get(name)?.interface;
  if (after === undefined) {
    return before === undefined || at === undefined ? [] : goneBlocks(before, at);
  }
  const home = homeOf(after, ground);
  const own = at ?? `Tunnel${freeNumber(ground)}`;
  const stale = before?.remotePrefixes.filter((one) => !after.remotePrefixes.includes(one)) ?? [];
  return [
    ...policyBlocks(after, before),
    profileBlock(after),
    interfaceBlock(after, own, home),
    routeBlock(after, own, ground),
    { modes: [], commands: stale.map((prefix) => line`no ip route ${prefix} ${own}`) },
  ];
}

function homeOf(after: Wanted, { config, device }: Ground): string {
  const { name, localAddress, remoteAddress, ike, life, secret } = after;
  if (ike.prf !== ike.integrity) {
    throw failed(`the PRF of IKE is the digest of its integrity there, not ${ike.prf}`, device);
  }
  if (life.seconds % minute !== 0 || life.kilobytes % megabyte !== 0) {
    throw failed("the lives of an SA are whole minutes and whole megabytes there", device);
  }
  if (!isPlainPsk(secret)) {
    const text = "a PSK there is of letters, digits and _ . : / @ + , = alone: no other is said";
    throw failed(text, device, "vault.malformedKey");
  }
  if (!config.standing.has(name) && config.names.has(name)) {
    throw failed(`a policy or a profile of somebody's is called ${name} already`, device);
  }
  for (const other of config.standing.values()) {
    if (other.plan !== undefined || other.localAddress !== localAddress) continue;
    if (other.remoteAddress !== remoteAddress) continue;
    throw failed(`${other.interface} of the operator's joins the same two addresses`, device);
  }
  const home = config.homes.get(localAddress);
  if (home !== undefined) return home;
  throw failed(`no interface of the default VRF has the address ${localAddress}`, device);
}

function freeNumber({ numbers }: Ground): number {
  let number = 1;
  while (numbers.has(number)) number += 1;
  numbers.add(number);
  return number;
}

function policyBlocks(after: Wanted, before: TunnelPlan | undefined): readonly Block[] {
  const { name, localAddress, ike, transforms, life } = after;
  const group = words.pfsGroup[transforms.dhGroup] ?? "";
  const hadGroup = before !== undefined && before.transforms.dhGroup !== "none";
  const security = line`ip security`;
  return [
    {
      modes: [security, line`ike policy ${name}`],
      commands: [
        line`ike-lifetime ${ikeSeconds / 3_600} hours`,
        line`encryption ${words.ikeEncryption[ike.encryption] ?? ""}`,
        line`integrity ${words.ikeIntegrity[ike.integrity] ?? ""}`,
        line`dh-group ${words.dhGroup[ike.dhGroup] ?? ""}`,
        line`local-id ${localAddress}`,
      ],
    },
    {
      modes: [security, line`sa policy ${name}`],
      commands: [
        line`esp encryption ${words.espEncryption[transforms.encryption] ?? ""}`,
        line`esp integrity ${words.espIntegrity[transforms.integrity] ?? ""}`,
        line`sa lifetime ${life.seconds / minute} minutes`,
        line`sa lifetime ${life.kilobytes / megabyte} megabytes`,
        ...(group === "" ? [] : [line`pfs dh-group ${group}`]),
        ...(group === "" && hadGroup ? [line`no pfs dh-group`] : []),
      ],
    },
  ];
}

function profileBlock({ name, secret }: Wanted): Block {
  const hole = { secret, as: "raw" } as const;
  return {
    modes: [line`ip security`, line`profile ${name}`],
    commands: [
      line`ike-policy ${name}`,
      line`sa-policy ${name}`,
      line`connection start`,
      line`shared-key 0 ${hole}`,
      line`dpd ${deadPeer.seconds} ${deadPeer.seconds * deadPeer.tries} restart`,
      line`mode tunnel`,
    ],
  };
}

function interfaceBlock(after: Wanted, at: string, home: string): Block {
  return {
    modes: [line`interface ${at}`],
    commands: [
      [`description ${pskRemark(after.psk ?? "")}`],
      line`mtu ${after.mtu}`,
      line`ip address unnumbered ${home}`,
      line`tcp mss ceiling ipv4 ${segmentMax(after)}`,
      line`tunnel mode ipsec`,
      line`tunnel source ${after.localAddress}`,
      line`tunnel destination ${after.remoteAddress}`,
      line`tunnel ipsec profile ${after.name}`,
    ],
  };
}

function routeBlock({ remotePrefixes }: Wanted, at: string, { config, device }: Ground): Block {
  const commands = remotePrefixes.flatMap((prefix): readonly Command[] => {
    const hops = config.routes.get(prefix) ?? [];
    const strange = hops.find((hop) => !/^Tunnel\d{1,5}$/.test(hop));
    if (strange !== undefined) {
      throw failed(`a static route of the operator's leads ${prefix} to ${strange}`, device);
    }
    return hops.includes(at) ? [] : [line`ip route ${prefix} ${at}`];
  });
  return { modes: [], commands };
}

function goneBlocks({ name, remotePrefixes }: TunnelPlan, at: string): readonly Block[] {
  return [
    {
      modes: [],
      commands: [
        ...remotePrefixes.map((prefix) => line`no ip route ${prefix} ${at}`),
        line`no interface ${at}`,
      ],
    },
    {
      modes: [line`ip security`],
      commands: [line`no profile ${name}`, line`no sa policy ${name}`, line`no ike policy ${name}`],
    },
  ];
}

function failed(
  text: string,
  where: string,
  code: "device.rejected" | "vault.malformedKey" = "device.rejected",
): LinksealError {
  return new LinksealError(code, text, { effect: "none", where, next: "linkseal status" });
}
