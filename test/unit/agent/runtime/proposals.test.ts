// A plan takes its time: whether a proposal still counts is looked at again just before its config
// is accepted.

import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { parseConfig } from "#agent/config/index.ts";
import { proposalOctets, proposalPayload, withdrawnProposal } from "#agent/fleet/proposal.ts";
import type { ApplyAnswer, ApplyRequest } from "#agent/runtime/agent-shapes.ts";
import { configPart } from "#agent/runtime/planner.ts";
import { type ProposalAgent, Proposals } from "#agent/runtime/proposals.ts";
import type { Intent } from "#agent/store/intent/intent.ts";
import {
  emptyMemory,
  type JournalRecord,
  type Memory,
  remember,
} from "#agent/store/journal/memory.ts";
import { known } from "#hal/model.ts";
import type { WallTime } from "#hal/world.ts";
import { SimClock } from "#sim/base/clock.ts";
import { never, refused, sampleState, wallStart } from "../../kit/site-bench.ts";
import { siteConfig } from "../../kit/site-config.ts";
import { SshSigner } from "../../kit/ssh-kit.ts";

const anna = new SshSigner("ssh-ed25519");

const fleetText = (apply: string): string =>
  [
    'fleet: { servers: ["tls://hub:4222"], key: "file:/seed", ',
    `apply: ${apply}, signers: [{ name: anna, key: ${anna.line} }] }`,
  ].join("");

/** An agent whose plans take as long as the test wants. */
class Scripted implements ProposalAgent {
  readonly clock = new SimClock(wallStart);
  readonly logged: string[] = [];
  readonly proposals = new Proposals(this, {
    clock: this.clock,
    log: { write: (_level, code, text) => void this.logged.push(`${code}: ${text}`) },
  });
  memory: Memory = emptyMemory;
  intent: Intent;
  isQueued = false;
  deviceWall = 0;
  /** What happens while the plan is made. */
  meanwhile: () => void | Promise<void> = () => undefined;
  readonly accepted: string[] = [];
  readonly records: JournalRecord[] = [];

  constructor(apply: "auto" | "propose") {
    const text = siteConfig.replace("repair: off", `repair: off\n${fleetText(apply)}`);
    this.intent = intentOf(1, text);
  }

  get supervisor(): ProposalAgent["supervisor"] {
    const { intent, clock } = this;
    const at = clock.now();
    const wall = (clock.wall() + this.deviceWall) as WallTime;
    const control = known({ wall, bootId: "1", configId: "1", commitPending: false }, at);
    const state = (name: string) => ({ ...sampleState(name, at), control });
    return { intent, deviceCache: { state } } as unknown as ProposalAgent["supervisor"];
  }

  readonly write = async (record: JournalRecord): Promise<void> => {
    this.records.push(record);
    this.memory = remember(this.memory, record);
  };

  compare(text: string) {
    return { config: configPart(this.intent, text) };
  }

  async apply({ text, instead }: ApplyRequest): Promise<ApplyAnswer> {
    await this.meanwhile();
    await instead?.begin();
    if (instead?.of !== this.intent.number) return { kind: "busy", groups: [] };
    this.accepted.push(text);
    this.intent = intentOf(this.intent.number + 1, text);
    return { kind: "busy", groups: [] };
  }

  set(values: Partial<Pick<Scripted, "deviceWall" | "intent" | "isQueued">>): void {
    Object.assign(this, values);
  }

  propose(soak: string, lastsMs = 3_600_000): string {
    const { number, sha256, text } = this.intent;
    const config = `${text}\n# ${soak}\n`;
    const notAfter = (this.clock.wall() + lastsMs) as WallTime;
    const site = this.intent.desired.site;
    const payload = proposalPayload({ site, basedOn: { number, sha256 }, config, notAfter });
    this.proposals.take(proposalOctets({ payload, signature: anna.sign(payload) }));
    return createHash("sha256").update(payload).digest("hex");
  }
}

function intentOf(number: number, text: string): Intent {
  const parsed = parseConfig(text, "site.yaml");
  if (parsed.kind === "refused") throw new Error(JSON.stringify(parsed.complaints));
  const sha256 = createHash("sha256").update(text).digest("hex");
  return { number, sha256, text, who: "test", at: wallStart as WallTime, desired: parsed.desired };
}

describe("a proposal that is refused", () => {
  it("for another reason than the one before is logged, once each", async () => {
    const agent = new Scripted("auto");
    const turn = async (text: string): Promise<void> => {
      agent.proposals.take(Buffer.from(text));
      await agent.proposals.turn(never);
      await agent.proposals.turn(never);
    };
    await turn("{}");
    expect(agent.proposals.warnings().map(({ code }) => code)).toEqual(["proposal-refused"]);
    // The warning itself logs the first one.
    expect(agent.logged).toEqual([]);
    const payload = "not what is asked for";
    agent.proposals.take(proposalOctets({ payload, signature: anna.sign(payload) }));
    await agent.proposals.turn(never);
    await agent.proposals.turn(never);
    expect(agent.logged).toEqual([
      "proposal-refused: what was signed is not a proposal of this version",
    ]);
  });
});

describe("a proposal that counted when its plan was begun", () => {
  it("is applied if it still counts, and is in the journal before", async () => {
    const agent = new Scripted("auto");
    const sha256 = agent.propose("a");
    await agent.proposals.turn(never);
    expect(agent.accepted).toHaveLength(1);
    expect(agent.records).toMatchObject([{ kind: "proposal", sha256, ended: { end: "applied" } }]);
    await agent.proposals.turn(never);
    expect(agent.accepted).toHaveLength(1);
  });

  const changes: readonly (readonly [string, (agent: Scripted) => void | Promise<void>])[] = [
    ["the hub takes it back", ({ proposals }) => proposals.take(withdrawnProposal)],
    ["the hub has another one", (agent) => void agent.propose("b")],
    ["the engine is emptied", ({ proposals }) => proposals.take(undefined)],
    ["its end comes", (agent) => agent.clock.runFor(3_600_000, () => false)],
    ["the clocks get apart", (agent) => agent.set({ deviceWall: 400_000 })],
    [
      "a person applies another config",
      (agent) => agent.set({ intent: intentOf(2, `${agent.intent.text}\n`) }),
    ],
    [
      "a person takes its signer away",
      (agent) => agent.set({ intent: intentOf(2, agent.intent.text.replace(/^fleet:.*$/m, "")) }),
    ],
    ["a person rejects it", (agent) => reject(agent)],
  ];
  it.each(changes)("is not applied if meanwhile %s", async (_what, change) => {
    const agent = new Scripted("auto");
    const sha256 = agent.propose("a");
    agent.meanwhile = () => change(agent);
    await agent.proposals.turn(never);
    expect(agent.accepted).toEqual([]);
    const person = new Scripted("propose");
    const asked = { sha256: person.propose("a"), who: "bo" };
    person.meanwhile = () => change(person);
    const error = await refused(person.proposals.apply(asked, never));
    expect(error).toMatchObject({ effect: "none", where: "proposal" });
    expect(person.accepted).toEqual([]);
    expect(agent.memory.proposals[sha256]?.end).not.toBe("applied");
  });

  it("by `auto` is not applied if a config is queued meanwhile; by a person it is", async () => {
    const agent = new Scripted("auto");
    const sha256 = agent.propose("a");
    agent.meanwhile = () => agent.set({ isQueued: true });
    await agent.proposals.turn(never);
    expect([agent.accepted, agent.records]).toEqual([[], []]);
    await agent.proposals.apply({ sha256, who: "bo" }, never);
    expect(agent.accepted).toHaveLength(1);
  });
});

async function reject(agent: Scripted): Promise<void> {
  const state = agent.proposals.state();
  if (state.kind === "waiting") await agent.proposals.reject(state.proposal.sha256, "cy");
}
