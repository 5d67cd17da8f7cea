// One line per transition of a site, in fixed columns, the same byte for byte for the same seed.

import type { EffectEvent, LinkTruth } from "../base/truth.ts";
import { describeEffect, linkOf, type Moment, shortCkn } from "./moment.ts";

export type LineKind = "effect" | "fault" | "link" | "agent";

/** The compared properties of a link, and how each is printed. */
const columns: readonly (readonly [string, (link: LinkTruth) => string])[] = [
  ["port", (link) => link.admin],
  ["light", (link) => (link.linkUp ? "up" : "down")],
  ["carries", (link) => (link.carries ? "yes" : "no")],
  ["bgp", (link) => (link.bgpUp ? "up" : "down")],
  ["drain", (link) => (link.drained ? "on" : "off")],
  ["policy", (link) => link.policy ?? "none"],
  ["mka", (link) => (link.secured ? "secured" : link.session.controlledPort)],
  ["key", (link) => (link.principalCkn === undefined ? "none" : shortCkn(link.principalCkn))],
  ["keys", (link) => String(link.edgeKeys.length)],
  ["commit", (link) => (link.commitPending ? "pending" : "settled")],
];

export class EventLog {
  readonly #write: (line: string) => void;
  readonly #now: () => number;

  constructor(now: () => number, write: (line: string) => void) {
    this.#now = now;
    this.#write = write;
  }

  line(kind: LineKind, where: string, text: string): void {
    const seconds = (this.#now() / 1000).toFixed(3).padStart(14);
    this.#write(`${seconds}  ${kind.padEnd(6)}  ${where.padEnd(24)}  ${text}`);
  }

  effect(effect: EffectEvent): void {
    this.line("effect", effect.link ?? effect.place, describeEffect(effect));
  }

  fault(text: string, link: string): void {
    this.line("fault", link, text);
  }

  moment({ before, now }: Moment): void {
    for (const link of now.links) {
      const old = linkOf(before, link.id);
      if (old === undefined) continue;
      for (const [name, format] of columns) {
        const was = format(old);
        const is = format(link);
        if (was !== is) this.line("link", link.id, `${name} ${was} -> ${is}`);
      }
    }
  }
}
