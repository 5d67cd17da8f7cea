// Everything that is known about one link, from both ends, with the steps for its reasons; and the
// steps of any code for a name of the config.

import type { PeerState } from "#hal/device.ts";
import {
  type KeyRef,
  type MacsecFrames,
  type MacsecPort,
  type MkpduCounters,
  strongValue,
} from "#hal/model.ts";
import type { EndStep } from "../compare/end-step.ts";
import { type CommandBlock, commandBlocks } from "../explain/commands.ts";
import { type KeyOf, type LinkScene, type Scene, sceneOf } from "../explain/scene.ts";
import { type FilledStep, filledSteps } from "../explain/steps.ts";
import { azureCipher } from "../model/azure-words.ts";
import { linkId } from "../model/desired.ts";
import type { Finding } from "../model/finding.ts";
import { severityOf } from "../model/severity.ts";
import type { AgentView } from "../runtime/agent-view.ts";
import type { SiteLink } from "../runtime/health/site-snapshot.ts";
import type { LinkStatus } from "../runtime/health/status.ts";
import { named } from "../store/journal/memory.ts";

type Value = string | number | boolean | null;

/** Counters as decimal text, because they exceed 2^53; a counter that is not reported is absent. */
type Counters = Readonly<Record<string, string>>;

/** One link with all that is known about it (linkseal.link/1); null = not known. */
export interface LinkDetail {
  /** Name and version of the schema. */
  readonly schema: "linkseal.link/1";
  /** Name of the link, as `group/link`. */
  readonly id: string;
  /** The link of the status. */
  readonly status: LinkStatus;
  /** Our end. */
  readonly router: {
    readonly driver: string;
    readonly address: string;
    readonly admin: "up" | "down" | null;
    readonly linkUp: boolean | null;
    readonly controlledPort: string | null;
    /** CKN and role of each key on the port. */
    readonly keys: readonly { readonly ckn: string; readonly role: string }[] | null;
    /** The settings that are configured; null also = MACsec is not configured. */
    readonly settings: Readonly<Record<string, Value>> | null;
    readonly livePeers: number | null;
    readonly respondedPeers: number | null;
    readonly mkpdus: Counters | null;
    readonly frames: Counters | null;
    readonly bgp: readonly {
      readonly peer: string;
      readonly vrf: string | null;
      readonly up: boolean;
      readonly trouble: string | null;
    }[];
    readonly drained: boolean | null;
    /** Obstacles that the device names. */
    readonly troubles: readonly string[];
  };
  /** Microsoft's end; null = never read. */
  readonly farEnd: {
    readonly resource: string;
    readonly link: "link1" | "link2";
    readonly admin: "up" | "down";
    readonly provisioning: PeerState["provisioning"];
    readonly cakSecretId: string | null;
    readonly cknSecretId: string | null;
    readonly cipher: string | null;
    readonly sci: "on" | "off";
  } | null;
  /** What the config wants at both ends. */
  readonly wanted: {
    readonly suite: string;
    readonly cipher: string;
    readonly sci: "on" | "off";
    /** Ids of the accepted pair; null = no key is accepted. */
    readonly cakSecretId: string | null;
    readonly cknSecretId: string | null;
  };
  /** The reasons of the status, each with what to do. */
  readonly reasons: readonly {
    readonly code: string;
    readonly severity: Finding["severity"];
    readonly text: string;
    readonly steps: readonly FilledStep[];
  }[];
}

type Asked = Pick<AgentView, "memory" | "supervisor" | "snapshot">;

/** Returns the detail of a link (`group/link`); undefined = no accepted config has such a link. */
export function linkDetail(agent: Asked, id: string): LinkDetail | undefined {
  const { supervisor } = agent;
  if (supervisor === undefined) return undefined;
  const scene = sceneOf(supervisor.intent.desired, id, keyOfAgent(agent));
  const found = agent.snapshot().links.find((one) => linkId(one.link) === id);
  if (scene.kind !== "link" || found === undefined) return undefined;
  const { link, status } = found;
  const peer = supervisor.deviceCache.peer(link)?.state;
  return {
    schema: "linkseal.link/1",
    id,
    status,
    router: routerPart(found, scene),
    farEnd: peer === undefined ? null : farEndPart(scene, peer),
    wanted: {
      suite: link.settings.suite,
      cipher: azureCipher(link.settings.suite),
      sci: link.settings.includeSci ? "on" : "off",
      cakSecretId: scene.key?.cakSecretId ?? null,
      cknSecretId: scene.key?.cknSecretId ?? null,
    },
    reasons: status.reasons.map(({ code, text }) => ({
      code,
      severity: severityOf(code),
      text,
      steps: filledSteps(code, scene),
    })),
  };
}

/** Returns the steps of a code for a name of the accepted config. */
export function stepsAbout(agent: Asked, code: string, about: string): readonly FilledStep[] {
  return filledSteps(code, sceneIn(agent, about));
}

/** The next step of an operator at the ends of a link (linkseal.ends/1). */
export interface EndsReport {
  /** Name and version of the schema. */
  readonly schema: "linkseal.ends/1";
  /** Name of the link, as `group/link`. */
  readonly id: string;
  /** The end to write; null = none. */
  readonly write: "farEnd" | "router" | null;
  /** The key that it gets; null = none. */
  readonly key: KeyRef | null;
  /** What both ends show. */
  readonly text: string;
  /** The commands of the write; empty = there is none. */
  readonly commands: readonly CommandBlock[];
  /** The command to go on with; null = none is needed. */
  readonly next: string | null;
}

const blocksAt = { farEnd: ["farEnd.set"], router: ["vault.read", "router.putKey"] } as const;

/** Returns the step with the commands of its end; a write is followed by another reading. */
export function endsReport(agent: Asked, id: string, step: EndStep): EndsReport {
  const of = { schema: "linkseal.ends/1", id } as const;
  const { kind, text } = step;
  if (kind !== "write")
    return { ...of, write: null, key: null, text, commands: [], next: step.next };
  const desired = agent.supervisor?.intent.desired;
  const scene: Scene =
    desired === undefined ? { kind: "none" } : sceneOf(desired, id, () => step.key);
  const commands = commandBlocks(blocksAt[step.at], scene);
  return { ...of, write: step.at, key: step.key, text, commands, next: `linkseal ends ${id}` };
}

function sceneIn(agent: Asked, about: string): Scene {
  const desired = agent.supervisor?.intent.desired;
  return desired === undefined ? { kind: "none" } : sceneOf(desired, about, keyOfAgent(agent));
}

function keyOfAgent({ memory }: Pick<Asked, "memory">): KeyOf {
  return (link) => named(memory.bindings, linkId(link))?.key;
}

function routerPart(
  { port, sessions = [], isDrained }: SiteLink,
  { device }: LinkScene,
): LinkDetail["router"] {
  const session = strongValue(port?.session);
  return {
    driver: device.platform,
    address: device.address,
    admin: strongValue(port?.admin) ?? null,
    linkUp: strongValue(port?.linkUp) ?? null,
    controlledPort: session?.controlledPort ?? null,
    keys: strongValue(port?.keys)?.map(({ ckn, role }) => ({ ckn, role })) ?? null,
    settings: settingsOf(port),
    livePeers: session?.livePeers ?? null,
    respondedPeers: session?.respondedPeers ?? null,
    mkpdus: countersOf(strongValue(port?.mkpdus)),
    frames: countersOf(strongValue(port?.frames)),
    bgp: sessions.map(({ peer, vrf = null, up, trouble = null }) => ({ peer, vrf, up, trouble })),
    drained: isDrained ?? null,
    troubles: strongValue(port?.troubles) ?? [],
  };
}

function settingsOf(port: MacsecPort | undefined): LinkDetail["router"]["settings"] {
  const settings = strongValue(port?.settings);
  if (settings === undefined) return null;
  const { replayWindow, sakRekeyMs, ...rest } = settings;
  return { ...rest, replayWindow: replayWindow ?? null, sakRekeyMs: sakRekeyMs ?? null };
}

function countersOf(counters: MkpduCounters | MacsecFrames | undefined): Counters | null {
  if (counters === undefined) return null;
  return Object.fromEntries(
    Object.entries(counters).flatMap(([name, count]: [string, bigint | undefined]) =>
      count === undefined ? [] : [[name, String(count)] as const],
    ),
  );
}

function farEndPart(
  { resource, azureLink: link }: LinkScene,
  { pointsAt, suite, sci, admin, provisioning, details }: PeerState,
): NonNullable<LinkDetail["farEnd"]> {
  return {
    ...{ resource, link, admin, provisioning, sci },
    cakSecretId: pointsAt?.cakSecretId ?? null,
    cknSecretId: pointsAt?.cknSecretId ?? null,
    cipher: details?.cipher ?? (suite === undefined ? null : azureCipher(suite)),
  };
}
