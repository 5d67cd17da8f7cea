// For each claim about the agent's effects: evidence on which it holds, who says so, and how each
// fact of it can be missing, old, otherwise or nonsense.

import { type Facts, laterSaksNeeded, type PortFacts } from "#agent/model/campaign.ts";
import type { Desired } from "#agent/model/desired.ts";
import { decide } from "#agent/rotation/campaign.ts";
import { farEndOf } from "#agent/rotation/facts.ts";
import { advanceSaks, askedFor, laterSaksOf, type SakRun } from "#agent/rotation/later-saks.ts";
import { RightsReader } from "#agent/runtime/polling/rights-reader.ts";
import type { PeerState } from "#hal/device.ts";
import { LinksealError } from "#hal/error.ts";
import { known, type MkaSession, unknown } from "#hal/model.ts";
import { SimClock } from "#sim/base/clock.ts";
import { BeginBench } from "../../unit/agent/runtime/campaigns/begin-bench.ts";
import { calm, calmPort, campaignOf, held, keyOne, keyTwo } from "../../unit/kit/campaign-kit.ts";
import { never, settled, wallStart } from "../../unit/kit/site-bench.ts";
import {
  at,
  desired,
  frames,
  link,
  peerOff,
  peerOn,
  securedPort,
  session,
  snapshotOf,
  stateOf,
} from "../../unit/kit/snapshot-kit.ts";
import { caseOf } from "./records.ts";

/** One look at a link on which SAKs follow each other. */
interface SakLook {
  readonly sak: number;
  readonly count: number;
  readonly session?: Partial<MkaSession>;
  readonly isRead?: boolean;
  readonly isLost?: boolean;
}

const { rotation } = desired;
const wanted = { which: "new", key: keyOne, settings: link.settings, keepsKey: false } as const;
const bothKeys: PortFacts = { ...calmPort, keys: "both", carriedBy: "new" };

/** The first look begins a proof, the second moves the counters, the third has the frames. */
const proves = (sak: number): readonly SakLook[] =>
  [0, 1, 1 + rotation.proofFrames].map((count) => ({ sak, count: sak * 1_000 + count }));
const last = laterSaksNeeded + 1;
const ofLast = (bend: (look: SakLook) => SakLook) => (looks: readonly SakLook[]) =>
  looks.map((look) => (look.sak === last ? bend(look) : look));

function laterSaksAfter(looks: readonly SakLook[]): string {
  let run: SakRun | undefined;
  let kind = "";
  for (const [index, look] of looks.entries()) {
    const now = at(1_000 * index);
    const { sak, count, isRead = true, isLost = false } = look;
    const latestSak = { an: sak % 4, keyId: `mi/${sak}`, receive: true, transmit: true };
    const counted = { ...frames, rxOk: BigInt(count), txProtected: BigInt(count) };
    const port = securedPort({
      session: known({ ...session, latestSak, ...look.session }, now),
      frames: isRead ? known(counted, now) : unknown("unparsed", now),
    });
    const snapshot = snapshotOf(stateOf(port), { peer: peerOn() });
    const facts: PortFacts = isLost ? { ...bothKeys, carriedBy: "nothing" } : bothKeys;
    const view = { snapshot, port: facts, wanted, far: "new" as const, rotation, now };
    run = askedFor(advanceSaks(run, view), now);
    kind = laterSaksOf(run, view).kind;
  }
  return kind;
}

const laterSaks = caseOf<"later-saks-proven", readonly SakLook[]>("later-saks-proven", {
  evidence: Array.from({ length: last }, (_each, index) => proves(index + 1)).flat(),
  holds: (looks) => laterSaksAfter(looks) === "proven",
  facts: {
    proven: {
      missing: (looks) => looks.filter(({ sak }) => sak !== last),
      old: (looks) => [...looks, { sak: last, count: last * 1_000 + 9_000, isLost: true }],
      otherwise: ofLast((look) => ({ ...look, count: last * 1_000 })),
      nonsense: ofLast((look) => ({ ...look, isRead: false })),
    },
  },
});

interface FarRead {
  readonly peer: PeerState | undefined;
  readonly graceEnd: number;
}

const rotating = campaignOf("restoring", { kind: "rotate" }, "keychain");
const [entry] = rotating.links;
const far =
  (over: Partial<PeerState>) =>
  (read: FarRead): FarRead => ({
    ...read,
    peer: read.peer && { ...read.peer, ...over },
  });
const lately = "the cache of devices gives no far end that is old";

const farEndHolds = caseOf<"far-end-holds", FarRead>("far-end-holds", {
  evidence: { peer: peerOn(keyOne), graceEnd: 100 },
  holds: ({ peer, graceEnd }) =>
    entry !== undefined && farEndOf(peer, entry, at(100), at(graceEnd)) === "new",
  facts: {
    read: {
      missing: (read) => ({ ...read, peer: undefined }),
      ...{ old: lately, otherwise: lately, nonsense: "a document is read whole or not at all" },
    },
    alone: {
      missing: (read) => ({ ...read, graceEnd: 101 }),
      ...{ old: "it is a time", otherwise: "it is a time", nonsense: "it is a time" },
    },
    ended: {
      missing: far({ provisioning: "unknown" }),
      old: far({ provisioning: "updating" }),
      otherwise: far({ provisioning: "failed" }),
      nonsense: "a state that is no word of the API is unknown",
    },
    named: {
      missing: far({ pointsAt: undefined }),
      old: far({ pointsAt: entry?.old?.key }),
      otherwise: far({ pointsAt: keyTwo }),
      nonsense: far({ pointsAt: { ...keyOne, cknSecretId: keyTwo.cknSecretId } }),
    },
  },
});

const port =
  (over: Partial<PortFacts>) =>
  (facts: Facts): Facts => ({
    ...facts,
    port: facts.port && { ...facts.port, ...over },
  });
const farIs =
  (state: Facts["far"]) =>
  (facts: Facts): Facts => ({ ...facts, far: state });
const blind = (facts: Facts): Facts => ({ ...facts, port: undefined });
const atOnce = "a turn judges by its own look alone";

const campaignEnded = caseOf<"campaign-ended", Facts>("campaign-ended", {
  evidence: {
    ...calm,
    port: { ...calmPort, keys: "new", carriedBy: "new" },
    far: "new",
    carrying: held,
  },
  holds: (facts) => decide(rotating, facts).mark.outcome === "rotated",
  facts: {
    alone: {
      missing: blind,
      old: port({ keys: "old" }),
      otherwise: port({ keys: "both" }),
      nonsense: port({ keys: "else" }),
    },
    confirmed: {
      missing: blind,
      old: atOnce,
      otherwise: port({ pending: "ours" }),
      nonsense: port({ pending: "foreign" }),
    },
    far: {
      missing: farIs("unknown"),
      old: farIs("updating"),
      otherwise: farIs("old"),
      nonsense: farIs("other"),
    },
    undrained: { missing: blind, old: atOnce, otherwise: port({ drain: "on" }), nonsense: blind },
    carries: {
      missing: (facts) => ({ ...facts, carrying: calm.carrying }),
      old: atOnce,
      otherwise: (facts) => ({
        ...facts,
        carrying: { kind: "waiting", cause: { code: "bgp.down" } },
      }),
      nonsense: "it is held, or it waits",
    },
  },
});

type Spoils = readonly ((bench: BeginBench) => void)[];
const spoil =
  (...more: Spoils) =>
  (spoils: Spoils): Spoils => [...spoils, ...more];
const atPeer = (over: Partial<PeerState>) =>
  spoil((bench) => {
    bench.peers.primary = { ...bench.peers.primary, ...over };
  });
const atPort = (over: BeginBench["port"]["primary"]) =>
  spoil((bench) => {
    bench.port.primary = { ...bench.port.primary, ...over };
  });
const disabled = (name: "cakSecretId" | "cknSecretId") =>
  spoil((bench) => {
    const [pair] = bench.store.pairs(bench.linkOf("primary").key);
    bench.store.setEnabled(pair?.[name] ?? "", false);
  });
const silentRouter = new LinksealError("transport.unreachable", "it is silent", {
  ...{ effect: "none", where: link.device, next: "linkseal status" },
});

const fresh = "both ends are read for it";

const adopted = caseOf<"adopted", Spoils>("adopted", {
  evidence: [],
  holds: async (spoils) => {
    const bench = await BeginBench.byHand();
    for (const one of spoils) one(bench);
    try {
      return (await bench.adoption([], ["primary"])).length > 0;
    } catch (error) {
      if (error instanceof LinksealError) return false;
      throw error;
    }
  },
  facts: {
    alone: {
      missing: atPort({ keys: known([], at(0)) }),
      old: fresh,
      otherwise: atPort({
        keys: known(
          [keyOne, keyTwo].map(({ ckn }) => ({ ckn, role: "primary" })),
          at(0),
        ),
      }),
      nonsense: atPort({ keys: unknown("unparsed", at(0)) }),
    },
    confirmed: {
      missing: spoil((bench) => {
        bench.failures.observe = silentRouter;
      }),
      old: fresh,
      otherwise: spoil((bench) => {
        bench.commitPending = true;
      }),
      nonsense: "a look whose control plane is nonsense is a look without it",
    },
    named: {
      missing: atPeer({ pointsAt: undefined }),
      old: fresh,
      otherwise: spoil((bench) => {
        bench.peers.primary = bench.peers.secondary;
      }),
      nonsense: atPeer({ pointsAt: keyOne }),
    },
    settled: {
      missing: atPeer({ provisioning: "unknown" }),
      old: fresh,
      otherwise: atPeer({ provisioning: "updating" }),
      nonsense: "a state that is no word of the API is unknown",
    },
    enabled: {
      missing: atPeer({ pointsAt: keyTwo }),
      old: fresh,
      otherwise: disabled("cakSecretId"),
      nonsense: "a version is named by its id alone",
    },
    same: {
      missing: disabled("cknSecretId"),
      old: fresh,
      otherwise: spoil((bench) => {
        const { cknSecretId } = bench.newKey("primary");
        const { pointsAt } = bench.peers.primary;
        bench.peers.primary = {
          ...bench.peers.primary,
          pointsAt: pointsAt && { ...pointsAt, cknSecretId },
        };
      }),
      nonsense: "a CKN that is none is refused by the vault's reader",
    },
    secured: {
      missing: atPort({ session: unknown("queryFailed", at(0)) }),
      old: fresh,
      otherwise: atPort({ session: known(session, at(0)) }),
      nonsense: atPort({ session: unknown("unparsed", at(0)) }),
    },
  },
});

/** What Azure has said about the rights of a campaign. */
interface Rights {
  readonly identities: readonly string[] | undefined;
  readonly permission: Readonly<Record<string, unknown>> | undefined;
  readonly ageMs: number;
}

const group = "/subscriptions/s/resourceGroups/rg";
const erd = `${group}/providers/Microsoft.Network/expressRoutePorts/erd`;
const identity = `${group}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/erd`;
const inAzure: Desired = {
  ...desired,
  azure: {
    ...{ cloud: "public", vault: "https://kv.vault.azure.net", farEnd: "agent", scopes: [] },
    ...{ identity: { kind: "arc", client: undefined }, privateEndpoints: [] },
    ...{ authority: undefined, arm: undefined },
  },
  groups: desired.groups.map((each) => ({ ...each, expressRoutePort: erd })),
  tunnels: [],
};
const campaign = { kind: "campaign", group: "erd-demo" } as const;

async function hasRights({ identities, permission, ageMs }: Rights): Promise<boolean> {
  const clock = new SimClock(wallStart);
  const details = {
    ...{ identity: "present" as const, bandwidthGbps: 100, cipher: undefined, failure: undefined },
    ...{ circuits: [], provisioning: { port: "Succeeded", link: undefined } },
  } as const;
  const peer = identities && { ...peerOff, details: { ...details, identities } };
  const document = async () => {
    if (permission === undefined) throw silentRouter;
    return { value: [permission] };
  };
  const parts = { world: { clock }, desired: inAzure, document, peer: () => peer };
  const reader = new RightsReader(parts);
  await settled(clock, reader.refresh(campaign, 0, never));
  await clock.runFor(ageMs);
  const report = reader.report(campaign);
  return report !== undefined && report.missing.length === 0 && report.unknown.length === 0;
}

const grant = { actions: ["*"] };
const rights =
  (over: Partial<Rights>) =>
  (before: Rights): Rights => ({ ...before, ...over });

const rightPresent = caseOf<"right-present", Rights>("right-present", {
  evidence: { identities: [identity], permission: grant, ageMs: 1_000 },
  holds: hasRights,
  facts: {
    named: {
      missing: rights({ identities: undefined }),
      old: lately,
      otherwise: rights({ identities: [] }),
      nonsense: "an id that is none is left out by the document's reader",
    },
    granted: {
      missing: rights({ permission: undefined }),
      old: rights({ ageMs: 901_000 }),
      otherwise: rights({ permission: { ...grant, notActions: ["Microsoft.Network/*"] } }),
      nonsense: rights({ permission: { ...grant, condition: "@Resource[x] StringEquals 'y'" } }),
    },
  },
});

/** The claims about the agent's effects. */
export const effectCases = {
  "later-saks-proven": laterSaks,
  "far-end-holds": farEndHolds,
  "campaign-ended": campaignEnded,
  adopted,
  "right-present": rightPresent,
};
