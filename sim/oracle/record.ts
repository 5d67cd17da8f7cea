// What the agent writes down, held against what it does and what is so: P4, an effect is on the
// disk before it runs, or a crash would leave a change that nobody knows of; P7, a key that is
// recorded as the one of a link stands at both ends.

import type { Ckn } from "#hal/model.ts";
import type { LinkTruth } from "../base/truth.ts";
import { type Finding, shortCkn } from "./moment.ts";

/** An effect follows its record at once, so the last ones are enough. */
const recordsMax = 64;

export class RecordJudge {
  readonly #records: string[] = [];

  /** This is on the disk now. */
  recorded(text: string): void {
    this.#records.push(text);
    if (this.#records.length > recordsMax) this.#records.shift();
  }

  /** The agent asks for an effect that its record must name by this token. */
  *acts(place: string, token: string): Iterable<Finding> {
    if (this.#records.findLast((record) => record.includes(token)) !== undefined) return;
    const text = `the agent acts on ${place}, and its journal on the disk does not know of it`;
    yield { promise: "P4", event: `${token} at ${place}`, text };
  }

  /** The agent says that this key alone is the one of the link. */
  *claims(link: LinkTruth, ckn: Ckn): Iterable<Finding> {
    const edge = link.edgeKeys.length === 1 && link.edgeKeys[0] === ckn;
    if (edge && link.farKey === ckn) return;
    const end = edge ? "far end" : "router";
    const called = `the agent calls key ${shortCkn(ckn)} the one of ${link.id}`;
    const text = `${called}, and the ${end} has another`;
    yield { promise: "P7", event: `record of ${link.id}`, text };
  }
}
