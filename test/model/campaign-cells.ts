// Every combination of a campaign and of facts that the machine can tell apart: what it does not
// ask for is not chosen, so one cell stands for all that differ in that alone.

import type { Campaign, CampaignLink, Facts, PortFacts } from "#agent/model/campaign.ts";
import { isUntaken } from "#agent/rotation/permit.ts";
import { campaignOf, held, refused, shut, waiting, withheld } from "../unit/kit/campaign-kit.ts";
import type { Choices } from "./choices.ts";

const flags = [false, true] as const;
const evidence = [waiting, held] as const;
const halves = ["half"] as const;

class Lazy {
  readonly #choices: Choices;
  readonly #known = new Map<string, unknown>();

  constructor(choices: Choices) {
    this.#choices = choices;
  }

  protected once<T>(name: string, values: () => readonly T[]): T {
    if (!this.#known.has(name)) this.#known.set(name, this.#choices.choose(values()));
    return this.#known.get(name) as T;
  }
}

/** Only what facts.ts can say of a port. */
class PortCell extends Lazy implements PortFacts {
  readonly #overlap: CampaignLink["overlap"] | undefined;

  constructor(choices: Choices, overlap: CampaignLink["overlap"] | undefined) {
    super(choices);
    this.#overlap = overlap;
  }

  get keys(): PortFacts["keys"] {
    const breaks = this.#overlap === "breakBeforeMake";
    return this.once("keys", () => ["old", "both", ...(breaks ? halves : []), "new", "else"]);
  }
  get pending(): PortFacts["pending"] {
    // Without overlap nothing is staged, and so no commit of ours ever waits.
    return this.once("pending", () =>
      this.#overlap === "breakBeforeMake" ? ["none", "foreign"] : ["none", "ours", "foreign"],
    );
  }
  get carriedBy(): PortFacts["carriedBy"] {
    return this.once("carriedBy", () => {
      const { keys } = this;
      if (keys === "old") return ["old", "nothing"];
      return keys === "new" ? ["new", "nothing"] : ["old", "new", "nothing"];
    });
  }
  get outage(): PortFacts["outage"] {
    return this.once("outage", () =>
      this.carriedBy === "nothing" ? ["none", "brief", "lasting"] : ["none"],
    );
  }
  get promotion(): PortFacts["promotion"] {
    return this.once("promotion", () => {
      const isThere = this.keys === "both" || this.keys === "new";
      return isThere && this.#overlap === "fallback" ? ["none", "due", "done"] : ["none"];
    });
  }
  get drain(): PortFacts["drain"] {
    return this.once("drain", () => ["off", "on"]);
  }
  get admin(): PortFacts["admin"] {
    return this.once("admin", () => (this.carriedBy === "nothing" ? ["up", "down"] : ["up"]));
  }
}

export class FactsCell extends Lazy implements Facts {
  readonly #choices: Choices;
  readonly #campaign: Campaign;

  constructor(choices: Choices, campaign: Campaign) {
    super(choices);
    this.#choices = choices;
    this.#campaign = campaign;
  }

  get port(): PortFacts | undefined {
    const overlap = this.#campaign.links[0]?.overlap;
    return this.once("port", () => [new PortCell(this.#choices, overlap), undefined]);
  }
  get far(): Facts["far"] {
    const kinds = ["old", "new", "other", "updating", "failed", "unknown"] as const;
    return this.once("far", () =>
      this.#campaign.kind === "change" ? [...kinds, "either"] : kinds,
    );
  }
  get sibling(): Facts["sibling"] {
    return this.once("sibling", () => ["carrying", "unsure", "lost"]);
  }
  get unmetPrecondition(): Facts["unmetPrecondition"] {
    return this.once("unmetPrecondition", () => {
      if (this.sibling !== "carrying" || this.port?.pending !== "none") return [shut];
      if (this.far === "updating" || this.far === "unknown") return [shut];
      if (this.#campaign.goal === "revert") return [undefined];
      return this.far === "failed" || this.far === "other" ? [shut] : [undefined, shut];
    });
  }
  get withheld(): Facts["withheld"] {
    return this.once("withheld", () => {
      const mayWait = this.unmetPrecondition !== undefined && isUntaken(this.#campaign, this.port);
      return mayWait ? [undefined, withheld] : [undefined];
    });
  }
  get drained(): Facts["drained"] {
    return this.once("drained", () => evidence);
  }
  get staged(): Facts["staged"] {
    return this.once("staged", () =>
      this.port?.keys === "both" && this.port.carriedBy === "old" ? evidence : [waiting],
    );
  }
  get proof(): Facts["proof"] {
    return this.once("proof", () => {
      const isNew = this.far === "new" || this.far === "either";
      return isNew && this.port?.carriedBy === "new" ? evidence : [waiting];
    });
  }
  get oldProof(): Facts["oldProof"] {
    return this.once("oldProof", () =>
      this.far === "old" && this.port?.carriedBy === "old" ? evidence : [waiting],
    );
  }
  get freshSak(): boolean {
    return this.once("freshSak", () => flags);
  }
  get laterSaks(): Facts["laterSaks"] {
    return this.once<Facts["laterSaks"]>("laterSaks", () => [
      { kind: "notOffered" },
      { kind: "due", number: 1 },
      { kind: "waiting", number: 1, cause: { code: "sak.awaited" } },
      { kind: "proven" },
    ]);
  }
  get carrying(): Facts["carrying"] {
    return this.once("carrying", () => {
      const { port } = this;
      if (port === undefined || port.carriedBy === "nothing") return [waiting];
      return port.drain === "off" ? evidence : [waiting];
    });
  }
  get replacement(): Facts["replacement"] {
    return this.once<Facts["replacement"]>("replacement", () => [
      { kind: "absent" },
      { kind: "valid" },
      { kind: "refused", cause: refused },
    ]);
  }
  get lostCommits(): number {
    return this.once("lostCommits", () => [0, 3]);
  }
  get mayLose(): Facts["mayLose"] {
    return this.once("mayLose", () => ["nothing", "old", "new"]);
  }
  get overdue(): boolean {
    const endless = ["queued", "gated", "awaitingPeer", "held", "done"];
    return this.once("overdue", () => (endless.includes(this.#campaign.state) ? [false] : flags));
  }
  get farEnd(): Facts["farEnd"] {
    return this.once("farEnd", () => ["agent", "manual"]);
  }
  get shutsFirst(): boolean {
    return this.once("shutsFirst", () => flags);
  }
}

type Shape = readonly [Campaign["kind"], CampaignLink["overlap"]];
const shapes: readonly Shape[] = [
  ["rotate", "keychain"],
  ["rotate", "fallback"],
  ["rotate", "breakBeforeMake"],
  ["enrol", "breakBeforeMake"],
  ["change", "breakBeforeMake"],
];

const markNames = ["told", "asked", "soaked", "aborted", "shut"] as const;

/** A campaign in this state whose marks are chosen when a row reads them. */
export function campaignCell(choices: Choices, state: Campaign["state"]): Campaign {
  const [kind, overlap] = choices.choose(shapes);
  const plain = campaignOf(state, { kind }, overlap);
  const known = new Map<string, unknown>();
  const once = <T>(name: string, values: readonly T[]): T => {
    if (!known.has(name)) known.set(name, choices.choose(values));
    return known.get(name) as T;
  };
  const lazy = (name: string, values: readonly unknown[]): PropertyDescriptor => ({
    get: () => once(name, values),
    enumerable: true,
  });
  const marks = markNames.map((name) => [name, lazy(name, flags)] as const);
  return Object.defineProperties(plain, {
    ...Object.fromEntries(marks),
    goal: lazy("goal", ["forward", "revert"]),
    retire: lazy("retire", ["afterProof", "afterSoak"]),
    urgency: lazy("urgency", ["planned", "emergency"]),
  });
}

/** The same but for these, without asking for any other. */
export function but<T extends object>(seen: T, over: Partial<T>): T {
  return new Proxy(seen, {
    get: (from, name) => (name in over ? Reflect.get(over, name) : Reflect.get(from, name, from)),
  });
}
