// Links whose traffic an operator moves away by hand: the same gates as a campaign, and the same
// way back when the sibling is lost.

import { LinksealError } from "#hal/error.ts";
import { strongValue } from "#hal/model.ts";
import { type DesiredLink, linkId } from "../desired.ts";
import { drainOf, type LinkView, portOf, securedBy } from "../link-view.ts";
import { cannotBegin } from "./begin.ts";
import { type EffectParts, Effects } from "./effects.ts";
import { closedGate } from "./gates.ts";
import type { ScoutParts } from "./scout.ts";
import { doubtOf, lostOf, siblingOf } from "./sibling.ts";

export interface HandDrainParts extends EffectParts {
  readonly memory: ScoutParts["memory"];
  readonly alarm: ScoutParts["alarm"];
}

/** Takes a drain from the journal. Its traffic is back already, and an error must say so. */
export async function noteGivenBack(write: EffectParts["write"], id: string): Promise<void> {
  try {
    await write({ kind: "handDrain", link: id, drain: null });
  } catch (error) {
    if (!(error instanceof LinksealError)) throw error;
    const text = `${id} has its traffic back, and the journal does not know: ${error.code}`;
    const next = `${error.next}, then linkseal undrain ${id}`;
    throw new LinksealError(error.code, text, { effect: "applied", where: id, next, cause: error });
  }
}

export class HandDrains {
  readonly #parts: HandDrainParts;
  readonly #effects: Effects;

  constructor(parts: HandDrainParts) {
    this.#parts = parts;
    this.#effects = new Effects(parts);
  }

  /** Throws `gate.*` where the link must stay in service. */
  async drain(link: DesiredLink, by: string, signal: AbortSignal): Promise<void> {
    const { group, world, write } = this.#parts;
    if (group.drain === "none") {
      throw this.#refusal(link, `the group ${group.name} has no means to drain (drain: none)`);
    }
    const gate = await this.#gate(link, signal);
    if (gate !== undefined) throw this.#refusal(link, gate);
    const drain = { by, since: world.clock.wall() };
    await write({ kind: "handDrain", link: linkId(link), drain });
    const recheck = (): void => {
      const { lookout } = this.#parts;
      const { siblings } = this.#siblings(link, (each) => lookout.view(each));
      const doubt = doubtOf(siblings);
      if (doubt !== undefined) throw this.#refusal(link, doubt);
    };
    await this.#effects.traffic("drain", { link, recheck }, signal);
  }

  /** Gives the traffic back, whoever moved it away. */
  async undrain(link: DesiredLink, signal: AbortSignal): Promise<void> {
    await this.#effects.traffic("restore", { link, recheck: () => undefined }, signal);
    await noteGivenBack(this.#parts.write, linkId(link));
  }

  /** P2: with the sibling lost, a link that was drained by hand comes back if it can carry. */
  async turn(signal: AbortSignal): Promise<void> {
    const { group, memory, world } = this.#parts;
    for (const link of group.links) {
      if (memory().drains[linkId(link)] === undefined) continue;
      const { views, lost } = await this.#look(link, signal);
      const view = views.get(link.name);
      if (lost === undefined || view === undefined || !this.#isUsable(view)) continue;
      const text = `${linkId(link)} gets its traffic back: ${lost}`;
      world.log.write("warn", "hand-drain-over", text, { group: group.name });
      await this.undrain(link, signal);
    }
  }

  async #look(link: DesiredLink, signal: AbortSignal) {
    const { group, lookout } = this.#parts;
    const views = new Map<string, LinkView>();
    for (const each of group.links) {
      const state = await lookout.look(each.device, signal);
      views.set(each.name, { ...lookout.view(each), state });
    }
    return { views, ...this.#siblings(link, (each) => views.get(each.name)) };
  }

  #siblings(link: DesiredLink, viewOf: (each: DesiredLink) => LinkView | undefined) {
    const siblings = this.#parts.group.links.flatMap((each) => {
      const view = each.name === link.name ? undefined : viewOf(each);
      return view === undefined ? [] : [siblingOf(this.#parts, view)];
    });
    return { siblings, lost: lostOf(siblings) };
  }

  async #gate(link: DesiredLink, signal: AbortSignal): Promise<string | undefined> {
    const { views, siblings } = await this.#look(link, signal);
    const view = views.get(link.name);
    if (view === undefined) return "the link cannot be read";
    if (view.state !== undefined && drainOf(view.state, link.port) === "on") {
      return "it is drained already";
    }
    return closedGate({
      view,
      // The far end is not touched, so how it is set keeps nobody from draining.
      far: "either",
      accepted: undefined,
      siblings,
      phase: "beforeDrain",
      ownPath: "elsewhere",
      acceptsUnknownPath: true,
      hostWall: this.#parts.world.clock.wall(),
      windows: undefined,
    });
  }

  #isUsable(view: LinkView): boolean {
    const port = portOf(view.state, view.link.port);
    if (port === undefined || strongValue(port.linkUp) !== true) return false;
    const key = this.#parts.memory().bindings[linkId(view.link)]?.key;
    if (key !== undefined) return securedBy(port, key);
    return port.settings.kind === "known" && port.settings.value === undefined;
  }

  #refusal(link: DesiredLink, why: string): LinksealError {
    const id = linkId(link);
    return cannotBegin(
      "gate.siblingUnhealthy",
      id,
      `${id} is not drained: ${why}`,
      "linkseal links",
    );
  }
}
