// Links of a group that an operator drains and gives back.

import type { Desired, DesiredLink } from "#agent/model/desired.ts";
import type { Alarm } from "#agent/rotation/sibling.ts";
import { ManualDrains, type Undrained } from "#agent/runtime/campaigns/manual-drain.ts";
import type { LinksealError } from "#hal/error.ts";
import { known, type MacsecPort } from "#hal/model.ts";
import {
  type BenchOptions,
  newKey,
  RotationRunnerBench,
  underKey,
} from "../../../kit/rotation-runner-bench.ts";
import { never, refused, settled } from "../../../kit/site-bench.ts";
import { at } from "../../../kit/snapshot-kit.ts";

export const id = "erd-demo/primary";
export const down: Partial<MacsecPort> = { linkUp: known(false, at(0)) };
export const lost: Alarm = {
  standing: "lost",
  cause: { code: "health.verdict", verdict: "degraded", reason: "link-down" },
};
export const unsure: Alarm = { standing: "unsure", cause: { code: "health.notJudged" } };

/** Both links pass frames under the key that they are bound to. */
export class DrainBench extends RotationRunnerBench {
  readonly drains: ManualDrains;
  readonly events: string[] = [];

  constructor(options: BenchOptions = {}) {
    super(options);
    this.port.primary = underKey(newKey);
    this.hooks.apply = async () => {
      for (const part of this.changes.at(-1) ?? []) {
        if (part.kind !== "port.restore" || part.means !== this.means) continue;
        this.drained.delete(part.port === "et-0/0/0" ? "primary" : "secondary");
      }
    };
    this.drains = new ManualDrains({
      ...this.parts,
      report: (...words) => this.events.push(words.slice(0, 3).join(" ")),
    });
  }

  async drain(link: DesiredLink = this.link): Promise<void> {
    await settled(this.clock, this.drains.drain(link, "nora", never));
  }

  async kept(link?: DesiredLink): Promise<LinksealError> {
    return await refused(this.drain(link));
  }

  async undrain(): Promise<Undrained> {
    return await settled(this.clock, this.drains.undrain(this.link, never));
  }

  async observe(): Promise<void> {
    await settled(this.clock, this.drains.turn(never));
  }

  /** The link once the operator's drain is on the router. */
  async isDrained(): Promise<void> {
    await this.drain();
    this.drained.add("primary");
    this.log.length = 0;
    this.changes.length = 0;
  }

  /** The link that an operator drained before the group got its means of now. */
  wasDrained(): void {
    const drain = { by: "nora", since: this.clock.wall() };
    this.memory = { ...this.memory, drains: { [id]: drain } };
  }

  unbind(): void {
    const { [id]: _bound, ...bindings } = this.memory.bindings;
    this.memory = { ...this.memory, bindings };
  }
}

export const undrainable = (wanted: Desired): Desired => ({
  ...wanted,
  groups: wanted.groups.map((group) => ({ ...group, drain: "none" })),
});
export const shutting = (wanted: Desired): Desired => ({
  ...wanted,
  groups: wanted.groups.map((group) => ({ ...group, drain: "peeringShutdown" })),
});
export const restores = [[{ kind: "port.restore", port: "et-0/0/0", means: "prepend" }]];
