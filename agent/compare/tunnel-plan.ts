// What applying a config does to tunnels: set up, changed, removed; with the time without traffic
// and the risk of each. Pure.

import type { Capabilities, DeviceChange } from "#hal/device.ts";
import type { ErrorCode } from "#hal/error.ts";
import { type DeviceState, strongValue } from "#hal/model.ts";
import type { TunnelAuth } from "#hal/tunnel-spec.ts";
import { bundleOf, whyNot } from "../health/tunnel-bundle.ts";
import type { Desired, DesiredTunnel, RiskName } from "../model/desired.ts";
import { type Memory, named } from "../store/journal/memory.ts";
import { newestSecretId } from "./ends.ts";
import {
  type ChangeWay,
  changeWay,
  ikeNotes,
  type Leaving,
  leavingTunnels,
  leftBlocked,
  type MadeTunnel,
  releaseCommand,
  type TunnelDifference,
  tunnelDifferences,
  unmakeable,
} from "./tunnel-change.ts";
import { tunnelSpec } from "./tunnel-spec.ts";

interface TunnelStep {
  readonly where: string;
  readonly link: null;
  readonly does: string;
  readonly preview: string;
  readonly darkMs: { readonly low: number; readonly high: number };
  readonly risk: RiskName | null;
  /** What the step asks of its device; absent = it is not known before. */
  readonly change?: DeviceChange;
}

interface TunnelNote {
  readonly about: string;
  readonly text: string;
  readonly next: string;
  readonly code?: ErrorCode;
  readonly kind?: "limit";
}

/** What applying a config does to its tunnels, in this order. */
interface TunnelPlan {
  readonly steps: readonly TunnelStep[];
  readonly notes: readonly TunnelNote[];
}

export interface TunnelPlanInput {
  readonly desired: Desired;
  readonly memory: Memory;
  /** A fresh observation of a device; undefined = it cannot be read. */
  readonly state: (device: string) => DeviceState | undefined;
  readonly capabilities: (device: string) => Capabilities | undefined;
  readonly made: MadeTunnel;
  /** A tunnel of the config in force, whether or not it ever came up; absent = none is in force. */
  readonly inForce?: MadeTunnel;
  /** Whether the config accepts a risk now. */
  readonly acceptsRisk: (risk: RiskName) => boolean;
}

const lit = { low: 0, high: 0 };
/**
 * The outage of a new IKE SA in milliseconds: two round trips, and the retransmissions of a gateway
 * that still has the old SAs.
 */
const darkMs = { low: 500, high: 60_000 };
/**
 * How long packets of one direction may be lost in milliseconds while new SAs replace those that
 * carry: the gateway uses them before they are on this side.
 */
const besideMs = { low: 0, high: 500 };

/** Plans every tunnel that the config adds, changes or does not name any more. */
export function planTunnels(input: TunnelPlanInput): TunnelPlan {
  const { desired, memory, made, capabilities, acceptsRisk } = input;
  const leaving = leavingTunnels({
    ...{ desired, memory, made, capabilities },
    acceptsClear: acceptsRisk("clearAfterRetire"),
  });
  const plans = [
    ...desired.tunnels.map((tunnel) => planTunnel(input, tunnel)),
    ...leaving.map((one) => planLeaving(input, one)),
  ];
  const goingOn = leaving.flatMap(({ kind, name }) => (kind === "stays" ? (made(name) ?? []) : []));
  return {
    steps: plans.flatMap(({ steps }) => steps),
    notes: [...plans.flatMap(({ notes }) => notes), ...stillBlocked(input, goingOn)],
  };
}

function planTunnel(input: TunnelPlanInput, tunnel: DesiredTunnel): TunnelPlan {
  const { name, device } = tunnel;
  const state = input.state(device);
  if (state === undefined) return noted(name, `${device} cannot be read`, "linkseal status");
  const limits = ikeNotes(tunnel).map((note) => ({ ...note, kind: "limit" as const }));
  const observed = state.ipsec.find((entry) => entry.name === name);
  if (observed === undefined) return { steps: [setUp(input, tunnel)], notes: limits };
  const { steps, notes } = planChange(input, tunnel, state);
  const gaps = (observed.gaps ?? []).map(({ text }) => ({
    ...{ about: name, text, next: `linkseal tunnels ${name}` },
  }));
  return { steps, notes: [...limits, ...notes, ...gaps] };
}

/** A tunnel that the config in force has already is down: nothing carries that could be changed. */
function setUp(input: TunnelPlanInput, tunnel: DesiredTunnel): TunnelStep {
  const { name, device, localAddress, remoteAddress, transforms, auth } = tunnel;
  const before = input.made(name) ?? input.inForce?.(name);
  const settings = before === undefined ? [] : settingTexts(tunnelDifferences(before, tunnel));
  const ends = `${localAddress} ${remoteAddress}`;
  return step(device, {
    does:
      before === undefined ? `add the tunnel ${name}` : `set up the tunnel ${name}, which is down`,
    preview:
      settings.length === 0
        ? `+ ipsec ${name} ${ends} ${transforms.encryption} [secret ${auth.kind}]`
        : `~ ipsec ${name} ${settings.join(", ")}`,
    change: putOf(input, tunnel),
  });
}

const settingTexts = (differences: readonly TunnelDifference[]): readonly string[] =>
  differences.map(({ setting, made, wanted }) => `${setting} ${made} -> ${wanted}`);

/** Plans the change of a tunnel, setting by setting, against its last applied config. */
function planChange(input: TunnelPlanInput, tunnel: DesiredTunnel, state: DeviceState): TunnelPlan {
  const { name, device } = tunnel;
  const before = input.made(name);
  if (before === undefined) return { steps: [], notes: [] };
  const why = unmakeable(before, tunnel);
  if (why !== undefined) {
    const next = `linkseal tunnels ${name}`;
    return { steps: [], notes: [{ about: name, text: why, next, code: "config.conflict" }] };
  }
  const differences = tunnelDifferences(before, tunnel);
  if (differences.length === 0) return { steps: [], notes: [] };
  const settings = settingTexts(differences);
  const way = changeWay(differences, input.capabilities(device));
  const isDrained = way !== "nothing" && way !== "paths" && hasSibling(input, before, state);
  const change = step(device, {
    does: `change the tunnel ${name}${wayTexts[way]}`,
    preview: `~ ipsec ${name} ${settings.join(", ")}`,
    ...(way === "nothing" ? {} : { change: putOf(input, tunnel) }),
    ...(isDrained ? {} : costOf(way)),
  });
  const drain = (does: string, sign: string): TunnelStep =>
    step(device, { does, preview: `${sign} prepend on ${name}` });
  const steps = isDrained
    ? [
        drain(`move the traffic of ${name} to its siblings`, "+"),
        change,
        drain(`bring the traffic of ${name} back`, "-"),
      ]
    : [change];
  return { steps, notes: [] };
}

const wayTexts: Readonly<Record<ChangeWay, string>> = {
  nothing: ": only its verdict depends on this",
  paths: "; its SAs are not touched",
  beside: ": new SAs are made and proven beside the present ones",
  dark: ", which is down meanwhile",
};

function costOf(way: ChangeWay): Partial<TunnelStep> {
  switch (way) {
    case "nothing":
    case "paths":
      return {};
    case "beside":
      return { darkMs: besideMs, risk: "noDrain" };
    case "dark":
      return { darkMs, risk: "breakBeforeMake" };
  }
}

/** A secret of which no version is in use yet has the word `newest` as its version. */
function putOf({ desired, memory }: TunnelPlanInput, tunnel: DesiredTunnel): DeviceChange {
  const inUse = named(memory.auths, tunnel.name)?.auth;
  const auth = inUse?.kind === tunnel.auth.kind ? inUse : firstAuth(desired, tunnel);
  return [{ kind: "ipsec.putTunnel", tunnel: tunnelSpec(tunnel, auth) }];
}

function firstAuth({ azure }: Desired, { auth }: DesiredTunnel): TunnelAuth {
  const idOf = (name: string): string => newestSecretId(azure, name);
  const { ppk } = auth;
  const beside =
    ppk === undefined ? {} : { ppk: { secretId: idOf(ppk.secret), id: ppk.id, use: ppk.use } };
  if (auth.kind === "psk") return { kind: "psk", secretId: idOf(auth.secret), ...beside };
  const { secret, authorities, peer } = auth;
  const ids = { secretId: idOf(secret), authoritiesId: idOf(authorities) };
  return { kind: "certificate", ...ids, peer, ...beside };
}

/** Returns true if another tunnel of its bundle carries now and the device can move traffic. */
function hasSibling(
  { desired, capabilities }: TunnelPlanInput,
  tunnel: DesiredTunnel,
  state: DeviceState,
): boolean {
  if (capabilities(tunnel.device)?.drain === undefined) return false;
  const others = bundleOf(desired.tunnels, tunnel).filter(({ name }) => name !== tunnel.name);
  return (
    whyNot(tunnel, state) === undefined &&
    others.some((other) => whyNot(other, state) === undefined)
  );
}

function planLeaving(input: TunnelPlanInput, leaving: Leaving): TunnelPlan {
  const { name } = leaving;
  if (leaving.kind === "stays") {
    const retire = `linkseal retire tunnel ${name}`;
    const next = leaving.risk ? `${retire} --accept-risk=clear-after-retire` : retire;
    return noted(name, `${name} goes on, unmanaged: ${leaving.why}`, next);
  }
  const { device } = leaving;
  if (input.state(device) === undefined) {
    return noted(name, `${device} cannot be read`, "linkseal status");
  }
  const removal = step(device, {
    does: `remove the tunnel ${name}`,
    preview: `- ipsec ${name}`,
    change: [{ kind: "ipsec.removeTunnel", name }],
  });
  return { steps: [removal], notes: [] };
}

/** Notes each prefix that stays blocked although no tunnel protects it once the plan is done. */
function stillBlocked(
  { desired, state }: TunnelPlanInput,
  goingOn: readonly DesiredTunnel[],
): readonly TunnelNote[] {
  return desired.devices.flatMap(({ name: device }): readonly TunnelNote[] => {
    const blocked = state(device)?.blocked;
    if (blocked === undefined) return [];
    const prefixes = strongValue(blocked);
    if (prefixes === undefined) {
      const text = "it is not known which prefixes stay blocked: its policies cannot be read";
      return [{ about: device, text, next: "linkseal status" }];
    }
    return leftBlocked(device, prefixes, [...desired.tunnels, ...goingOn]).map((prefix) => {
      const text = `${prefix} stays blocked, and no tunnel of this config protects it`;
      return { about: device, text, next: releaseCommand(prefix), kind: "limit" };
    });
  });
}

function noted(about: string, text: string, next: string): TunnelPlan {
  return { steps: [], notes: [{ about, text, next }] };
}

function step(
  where: string,
  parts: Pick<TunnelStep, "does" | "preview"> & Partial<TunnelStep>,
): TunnelStep {
  return { where, link: null, darkMs: lit, risk: null, ...parts };
}
