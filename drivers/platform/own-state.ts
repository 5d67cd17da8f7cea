// What is kept of a reply must not keep the reply: V8 takes a piece of a text by reference, and the
// name of one port would hold megabytes for as long as the observation lives.

import { LinksealError } from "#hal/error.ts";
import type { DeviceState } from "#hal/model.ts";

/** 4,000 ports with some 60 values each, and 20,000 routes. */
const valuesMax = 400_000;
/** V8 copies shorter pieces at once. */
const copiedLength = 13;

/**
 * Returns a copy with texts of its own.
 * @throws LinksealError `device.unparsed` if it has more values than the state of a large router.
 */
export function ownState(state: DeviceState): DeviceState {
  let values = 0;
  const own = (value: unknown): unknown => {
    values += 1;
    if (values > valuesMax) throw tooLarge(state);
    if (typeof value === "string") {
      return value.length < copiedLength ? value : Buffer.from(value).toString();
    }
    if (typeof value !== "object" || value === null) return value;
    if (Array.isArray(value)) return value.map(own);
    return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, own(inner)]));
  };
  return own(state) as DeviceState;
}

function tooLarge({ device }: DeviceState): LinksealError {
  const text = "it reports more than a router has: ports, keys, sessions and routes";
  const details = { effect: "none", where: device, next: "linkseal driver check" } as const;
  return new LinksealError("device.unparsed", text, details);
}
