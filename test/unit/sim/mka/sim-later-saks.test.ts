// Two faults of hardware that show SAKs after a change of the key, and never before.

import { describe, expect, it } from "vitest";
import type { EndpointFault } from "#sim/mka/port-endpoint.ts";
import { cknOf, keyOf, type Pair, secured } from "../../kit/mka-bench.ts";

const ramp = { quirks: { startRamp: true } };
/** An old SAK stays for a moment after the new one is in use; both ends have removed it by then. */
const settledSeconds = 10;

/** Both ends of a link whose key was changed, with data passing under the new one. */
async function changed(fault: EndpointFault | undefined): Promise<Pair> {
  const made = await secured(`later SAKs, ${fault}`, ramp);
  if (fault !== undefined) made.a.setFault(fault, true);
  for (const end of [made.a, made.b]) end.putKey(keyOf(2, "fallback"));
  await made.seconds(settledSeconds);
  for (const end of [made.a, made.b]) end.promoteKey(cknOf(2));
  await made.until(() => made.fibre.carries() && made.a.session().principalCkn === cknOf(2));
  await made.seconds(settledSeconds);
  return made;
}

/** Whether data passes under each SAK of the new key, the first one included. */
async function carried(fault: EndpointFault | undefined): Promise<readonly boolean[]> {
  const made = await changed(fault);
  const passes = [made.fibre.carries()];
  for (let later = 1; later <= 4; later += 1) {
    const before = made.a.session().latestSak?.keyId;
    made.a.rekeySak();
    await made.until(() => made.a.session().latestSak?.keyId !== before);
    await made.seconds(settledSeconds);
    passes.push(made.fibre.carries());
  }
  return passes;
}

describe("the SAKs after a change of the key", () => {
  it("every SAK passes frames where no fault is planted", async () => {
    expect(await carried(undefined)).toEqual([true, true, true, true, true]);
  });

  it("an AN that keeps the SAK of the key before shows within four later SAKs", async () => {
    const passes = await carried("staleAn");
    expect(passes.slice(0, 3)).toEqual([true, true, true]);
    expect(passes).toContain(false);
  });

  it("a transmitter that stays on the old SAK shows when the ANs begin again", async () => {
    const passes = await carried("oldSakAfterRollover");
    expect(passes[0]).toBe(true);
    expect(passes.filter((passed) => !passed)).toHaveLength(1);
  });

  it("an AN with a stale SAK shows in no rekey of a key that was never changed", async () => {
    const made = await secured("later SAKs, unchanged", ramp);
    made.a.setFault("staleAn", true);
    for (let later = 1; later <= 8; later += 1) {
      made.a.rekeySak();
      await made.seconds(settledSeconds);
      expect(made.fibre.carries()).toBe(true);
    }
  });
});
