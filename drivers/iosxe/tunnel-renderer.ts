// A tunnel as lines for the router. Each takes effect when it is entered, so the objects of the
// interface are written before it, and removed only after it.

import type { Command } from "#hal/secret.ts";
import { type Block, commandsOf, inModes } from "../platform/renderer.ts";
import {
  type ChangedTunnel,
  deadPeer,
  ikeSeconds,
  pskRemark,
  segmentMax,
  type TunnelPlan,
} from "../platform/tunnel-change.ts";
import { stalePrefixes, Ground as TunnelGround, type Wanted } from "../platform/tunnel-renderer.ts";
import { line } from "../transport/cli.ts";
import { policyName, words, type XeTunnels } from "./tunnel-config.ts";

class Ground extends TunnelGround<XeTunnels> {
  /** Names of IKE policies. */
  readonly policies = new Set(this.config.policies);
  /** Our tunnels by name, with their ends and IKE algorithms. */
  readonly standing = new Map(
    [...this.config.tunnels].flatMap(([name, { plan }]) => (plan ? [[name, plan] as const] : [])),
  );
}

/**
 * Returns the commands in the order in which they are entered.
 * @throws LinksealError `device.*`, with effect "none".
 */
export function tunnelCommands(
  changed: readonly ChangedTunnel[],
  config: XeTunnels,
  device: string,
): readonly Command[] {
  const ground = new Ground(config, device);
  return changed.flatMap((one) => blocksOf(one, ground)).flatMap(commandsOf);
}

function blocksOf({ name, before, after }: ChangedTunnel, ground: Ground): readonly Block[] {
  const at = ground.config.tunnels.get(name)?.interface;
  if (after === undefined || (before !== undefined && !isSameButKey(before, after))) {
    const gone =
      before === undefined || at === undefined ? undefined : goneBlocks(before, at, ground);
    if (after === undefined) return gone ?? [remainsBlock(name, ground)];
    return [...(gone ?? []), ...newBlocks(after, ground, at)];
  }
  if (before === undefined || at === undefined) return newBlocks(after, ground, undefined);
  return [
    ...(before.psk === after.psk ? [] : [keyBlock(after, "new")]),
    routeBlock(after.remotePrefixes.map((prefix) => routeLine(prefix, at, ground))),
    routeBlock(stalePrefixes(before, after).map((prefix) => noRoute(prefix, at, ground))),
  ];
}

/** Any other difference restarts the tunnel. */
function isSameButKey(before: TunnelPlan, after: Wanted): boolean {
  const shape = ({ localAddress, remoteAddress, ike, transforms, life, mtu }: TunnelPlan) =>
    JSON.stringify([
      ...[localAddress, remoteAddress, mtu, life.seconds, life.kilobytes],
      ikeWords(ike),
      ...[transforms.encryption, transforms.integrity, transforms.dhGroup],
    ]);
  return shape(before) === shape(after);
}

const routeBlock = (commands: readonly (Command | undefined)[]): Block =>
  inModes([], ...commands.filter((one) => one !== undefined));

function newBlocks(after: Wanted, ground: Ground, before: string | undefined): readonly Block[] {
  const home = ground.homeOf(after, " of the global table");
  refuse(after, ground);
  const { name, localAddress } = after;
  const at = before ?? `Tunnel${ground.freeNumber(1)}`;
  const leftovers = leftoverBlock(after, ground);
  ground.standing.set(name, after);
  ground.policies.add(policyName(localAddress));
  return [
    remainsBlock(name, ground),
    leftovers,
    ...policyBlocks(after),
    keyBlock(after, "first"),
    profileBlock(after),
    ...ipsecBlocks(after),
    interfaceBlock(after, at, home),
    routeBlock(after.remotePrefixes.map((prefix) => routeLine(prefix, at, ground))),
  ];
}

/** Removes what a change that was cut off has left of the tunnel. */
const remainsBlock = (name: string, { config }: Ground): Block =>
  inModes(
    [],
    ...(config.remains.get(name) ?? []).map(([kind, own]) => [`no ${kind} `, ...line`${own}`]),
  );

const isShared = ({ localAddress }: Wanted, { standing }: Ground): boolean =>
  [...standing.values()].some((plan) => plan.localAddress === localAddress);

/** Removes what a change that was interrupted has left of the policy. */
function leftoverBlock(after: Wanted, ground: Ground): Block {
  const name = policyName(after.localAddress);
  const parts = isShared(after, ground) ? [] : (ground.config.leftovers.get(name) ?? []);
  return inModes([], ...parts.map((part) => line`no crypto ikev2 ${part} ${name}`));
}

function refuse(after: Wanted, ground: Ground): void {
  const { name, localAddress, ike } = after;
  const { standing, policies } = ground;
  ground.refuseNamesake(after, "a keyring, a profile or a set");
  ground.refuseSamePair(after);
  for (const [other, plan] of standing) {
    if (other === name || plan.localAddress !== localAddress) continue;
    if (ikeWords(plan.ike) === ikeWords(ike)) continue;
    const why = "IOS XE chooses a policy of IKE only by its own address";
    throw ground.refusal(`${other} has other algorithms of IKE at ${localAddress}, and ${why}`);
  }
  const policy = policyName(localAddress);
  if (isShared(after, ground) || !policies.has(policy)) return;
  if (ground.config.leftovers.has(policy)) return;
  // A change was cut off behind it, or as far as it, and it is typed as it is.
  const whole = ground.config.whole.get(policy);
  if (whole !== undefined && ikeWords(whole) === ikeWords(ike)) return;
  throw ground.refusal(`there is a policy ${policy} of IKE that is not understood`);
}

const ikeWords = ({ encryption, integrity, prf, dhGroup }: TunnelPlan["ike"]): string =>
  [encryption, integrity, prf, dhGroup].join("/");

function policyBlocks({ localAddress, ike }: Wanted): readonly Block[] {
  const name = policyName(localAddress);
  return [
    inModes(
      [line`crypto ikev2 proposal ${name}`],
      line`encryption ${words.ikeEncryption[ike.encryption] ?? ""}`,
      ...(ike.integrity === "none" ? [] : [line`integrity ${ike.integrity}`]),
      line`prf ${words.prf[ike.prf] ?? ""}`,
      line`group ${words.dhGroup[ike.dhGroup] ?? ""}`,
    ),
    inModes(
      [line`crypto ikev2 policy ${name}`],
      line`match address local ${localAddress}`,
      line`proposal ${name}`,
    ),
  ];
}

/** A first key has the remark that says whose the keyring is; a new one, that it is there. */
function keyBlock({ name, remoteAddress, psk, secret }: Wanted, which: "first" | "new"): Block {
  // No octet of it, written in hexadecimal digits, can mean anything to a terminal.
  const hole = { secret, as: "hex" } as const;
  const remark: Command = [`description ${pskRemark(psk ?? "")}`];
  const lines = [line`address ${remoteAddress}`, line`pre-shared-key hex ${hole}`];
  return inModes(
    [line`crypto ikev2 keyring ${name}`, line`peer ${name}`],
    ...(which === "first" ? [remark, ...lines] : [...lines, remark]),
  );
}

function profileBlock({ name, localAddress, remoteAddress }: Wanted): Block {
  return inModes(
    [line`crypto ikev2 profile ${name}`],
    line`match address local ${localAddress}`,
    line`match identity remote address ${remoteAddress} 255.255.255.255`,
    line`identity local address ${localAddress}`,
    line`authentication remote pre-share`,
    line`authentication local pre-share`,
    line`keyring local ${name}`,
    line`lifetime ${ikeSeconds}`,
    line`dpd ${deadPeer.seconds} ${deadPeer.tries} periodic`,
  );
}

function ipsecBlocks({ name, transforms, life }: Wanted): readonly Block[] {
  const cipher = words.espEncryption[transforms.encryption] ?? "";
  const mac = words.espIntegrity[transforms.integrity] ?? "";
  // Both are words of a table, with blanks between them.
  const set = [...line`crypto ipsec transform-set ${name}`, ` ${`${cipher} ${mac}`.trim()}`];
  const group = words.pfsGroup[transforms.dhGroup] ?? "";
  return [
    inModes([set], line`mode tunnel`),
    inModes(
      [line`crypto ipsec profile ${name}`],
      line`set security-association lifetime kilobytes ${life.kilobytes}`,
      line`set security-association lifetime seconds ${life.seconds}`,
      line`set transform-set ${name}`,
      ...(group === "" ? [] : [line`set pfs ${`group${group}`}`]),
      line`set ikev2-profile ${name}`,
    ),
  ];
}

function interfaceBlock(after: Wanted, at: string, home: string): Block {
  const { name, localAddress, remoteAddress, mtu } = after;
  return inModes(
    [line`interface ${at}`],
    line`description ${name}`,
    line`ip unnumbered ${home}`,
    line`ip mtu ${mtu}`,
    line`ip tcp adjust-mss ${segmentMax(after)}`,
    line`tunnel source ${localAddress}`,
    line`tunnel mode ipsec ipv4`,
    line`tunnel destination ${remoteAddress}`,
    line`tunnel protection ipsec profile ${name}`,
  );
}

/** Returns undefined if the route exists. */
function routeLine(prefix: string, at: string, ground: Ground): Command | undefined {
  if (ground.routes.get(prefix)?.includes(at) === true) return undefined;
  const hops = ground.hopsOf(prefix, /^Tunnel\d{1,10}$/);
  ground.routes.set(prefix, [...hops, at]);
  const [address, mask] = addressAndMask(prefix);
  return line`ip route ${address} ${mask} ${at}`;
}

function noRoute(prefix: string, at: string, { routes }: Ground): Command {
  routes.set(prefix, routes.get(prefix)?.filter((hop) => hop !== at) ?? []);
  const [address, mask] = addressAndMask(prefix);
  return line`no ip route ${address} ${mask} ${at}`;
}

function addressAndMask(prefix: string): readonly [string, string] {
  const [address = "", length = "0"] = prefix.split("/");
  const octets = [0, 1, 2, 3].map((index) => {
    const bits = Math.min(8, Math.max(0, Number(length) - 8 * index));
    return (0xff00 >> bits) & 0xff;
  });
  return [address, octets.join(".")];
}

function goneBlocks(before: TunnelPlan, at: string, ground: Ground): readonly Block[] {
  const { name, localAddress } = before;
  ground.standing.delete(name);
  const isLast = ![...ground.standing.values()].some((plan) => plan.localAddress === localAddress);
  const policy = policyName(localAddress);
  if (isLast) ground.policies.delete(policy);
  return [
    routeBlock(before.remotePrefixes.map((prefix) => noRoute(prefix, at, ground))),
    inModes(
      [],
      line`no interface ${at}`,
      line`no crypto ipsec profile ${name}`,
      line`no crypto ipsec transform-set ${name}`,
      line`no crypto ikev2 profile ${name}`,
      line`no crypto ikev2 keyring ${name}`,
      ...(isLast
        ? [line`no crypto ikev2 policy ${policy}`, line`no crypto ikev2 proposal ${policy}`]
        : []),
    ),
  ];
}
