// Compares the agent's records with its acts and with the truth. P4: an effect is on the disk
// before it runs, or a crash would leave a change without a record. P7: a key that is recorded as
// the one of a link is in use at both ends.

import type { Ckn } from "#hal/model.ts";
import type { LinkTruth } from "../base/truth.ts";
import { type Finding, shortCkn } from "./moment.ts";

/** An effect follows its record at once, so the last records are enough. */
const recordsMax = 64;

export class RecordJudge {
  readonly #records: string[] = [];

  /** Adds a record that is on the disk now. */
  recorded(text: string): void {
    this.#records.push(text);
    if (this.#records.length > recordsMax) this.#records.shift();
  }

  /** Checks an effect that the agent asks for, which a record must name by this token. */
  *acts(place: string, token: string): Iterable<Finding> {
    if (this.#records.findLast((record) => record.includes(token)) !== undefined) return;
    const text = `the agent acts on ${place}, and its journal on the disk has no record of that`;
    yield { promise: "P4", event: `${token} at ${place}`, text };
  }

  /** Checks the agent's record that this key is the only one of the link. */
  *claims(link: LinkTruth, ckn: Ckn): Iterable<Finding> {
    const edge = link.edgeKeys.length === 1 && link.edgeKeys[0] === ckn;
    if (edge && link.farKey === ckn) return;
    const end = edge ? "far end" : "router";
    const called = `the agent records key ${shortCkn(ckn)} as the only one of ${link.id}`;
    const text = `${called}, and the ${end} has another`;
    yield { promise: "P7", event: `record of ${link.id}`, text };
  }
}
