// Final changes that may still come: how long, what they may take, and what an observation tells of
// them.

import { describe, expect, it } from "vitest";
import { entryOf } from "#agent/model/campaign.ts";
import {
  comeOf,
  harmOf,
  lateChanges,
  lateMsMax,
  lateTaker,
  mayLose,
} from "#agent/rotation/late.ts";
import {
  emptyMemory,
  type LateChange,
  type Memory,
  remember,
} from "#agent/store/journal/memory.ts";
import { recollect } from "#agent/store/journal/stored.ts";
import { known } from "#hal/model.ts";
import { type WallTime, wallAfter } from "#hal/world.ts";
import { keyOne } from "../../kit/campaign-kit.ts";
import { oldKey, rotation, underKey } from "../../kit/rotation-runner-bench.ts";
import { at, securedPort, settings, snapshotOf, stateOf, wall } from "../../kit/snapshot-kit.ts";

const id = "erd-demo/primary";
const port = "et-0/0/0";
const entry = entryOf(rotation());

const sent = (token: string, over: Partial<LateChange> = {}): LateChange => ({
  ...{ token, what: "drain", since: wall },
  ...over,
});

function journal(...changes: readonly LateChange[]): Memory {
  return changes.reduce((memory, { token, ...late }) => {
    const effect = { kind: "effect", place: "edge-a", what: "drain", token } as const;
    return remember(memory, { ...effect, late: { link: id, ...late } });
  }, emptyMemory);
}

describe("a change without an end", () => {
  it("a change without an end stays in the journal until its token is settled", () => {
    const memory = journal(sent("t-1"), sent("t-2"));
    expect(memory.late).toEqual({ [id]: [sent("t-1"), sent("t-2")] });
    expect(memory.finals).toEqual({ "edge-a": "t-2" });
    const after = remember(memory, { kind: "settled", link: id, token: "t-2" });
    // Whether the first one came, no observation can tell from now on.
    expect(after.late).toEqual({ [id]: [sent("t-1", { hidden: true })] });
    const none = remember(after, { kind: "settled", link: id, token: "t-1" });
    expect(none.late).toEqual({});
    expect(remember(none, { kind: "settled", link: id, token: "t-9" }).late).toEqual({});
  });

  it("a journal of an earlier version has no late change", () => {
    const { late: _late, ...older } = emptyMemory;
    const snapshot = { kind: "snapshot", memory: older };
    const memory = recollect([snapshot]);
    expect(lateChanges(memory, id, wall)).toEqual([]);
  });

  it("a late change may come for 20 minutes, whichever way a clock was set", () => {
    const memory = journal(sent("t-1"));
    const seen = (ms: number) => lateChanges(memory, id, wallAfter(wall, ms)).length;
    expect([0, lateMsMax, lateMsMax + 1, -lateMsMax, -lateMsMax - 1].map(seen)).toEqual([
      ...[1, 1, 0, 1, 0],
    ]);
    expect(lateMsMax).toBe(1_200_000);
    expect(lateChanges(memory, "erd-demo/constructor", wall)).toEqual([]);
  });
});

describe("what it does if it comes late", () => {
  const parts = {
    drain: { kind: "port.drain", port, means: "prepend" },
    restore: { kind: "port.restore", port, means: "prepend" },
    shut: { kind: "port.shut", port },
    open: { kind: "port.open", port },
    add: { kind: "macsec.addKey", port, key: keyOne, role: "primary" },
    remove: { kind: "macsec.removeKey", port, ckn: keyOne.ckn },
    forward: { kind: "macsec.replaceKey", port, key: keyOne },
    back: { kind: "macsec.replaceKey", port, key: oldKey },
    protect: { kind: "macsec.protect", port, settings },
    sak: { kind: "macsec.rekeySak", port },
  } as const;
  const bare = { ...entry, old: undefined };

  it("a late change harms that drains, shuts, or takes a key or settings", () => {
    expect(harmOf([parts.drain], undefined)).toEqual({ what: "drain" });
    expect(harmOf([parts.shut], undefined)).toEqual({ what: "shut" });
    expect(harmOf([parts.remove, parts.open], entry)).toEqual({ what: "keys", takes: keyOne.ckn });
    expect(harmOf([parts.forward], entry)).toEqual({ what: "keys", takes: oldKey.ckn });
    expect(harmOf([parts.back], entry)).toEqual({ what: "keys", takes: keyOne.ckn });
    expect(harmOf([parts.protect], entry)).toEqual({ what: "keys" });
  });

  it("a late change that only gives, adds or renews harms nothing", () => {
    for (const name of ["restore", "open", "add", "sak"] as const) {
      expect([name, harmOf([parts[name]], entry)]).toEqual([name, undefined]);
    }
    expect(harmOf([parts.protect, parts.add], bare)).toBeUndefined();
    expect(harmOf([parts.forward], bare)).toBeUndefined();
  });

  it("mayLose names the keys of the campaign that late changes take", () => {
    const takes = (...ckns: readonly (string | undefined)[]) =>
      mayLose(
        ckns.map((ckn, index) =>
          sent(`t-${index}`, { what: "keys", ...(ckn && { takes: ckn as typeof keyOne.ckn }) }),
        ),
        entry,
      );
    expect(takes()).toBe("nothing");
    expect(takes(oldKey.ckn)).toBe("old");
    expect(takes(keyOne.ckn)).toBe("new");
    expect(takes(keyOne.ckn, oldKey.ckn)).toBe("both");
    expect(takes(undefined)).toBe("both");
    expect(takes("ab".repeat(16))).toBe("nothing");
    expect(mayLose([sent("t-1"), sent("t-2", { what: "shut" })], entry)).toBe("nothing");
  });

  it("lateTaker returns the late change that takes the traffic of a sibling", () => {
    const keys = sent("t-1", { what: "keys", takes: oldKey.ckn });
    expect(lateTaker(journal(keys), id, wall)).toBeUndefined();
    expect(lateTaker(journal(keys, sent("t-2")), id, wall)?.token).toBe("t-2");
    const past = wallAfter(wall, lateMsMax + 1) as WallTime;
    expect(lateTaker(journal(sent("t-2", { what: "shut" })), id, past)).toBeUndefined();
  });
});

describe("a look", () => {
  const routing = (...drains: readonly { port: string; means: "prepend" }[]) =>
    known({ sessions: [], routes: [], drains }, at(0));
  const drained = snapshotOf(
    stateOf(securedPort(), { routing: routing({ port, means: "prepend" }) }),
  );
  const quiet = snapshotOf(stateOf(securedPort(), { routing: routing() }));

  it("an observation shows that the first of several drains came, unless hidden", () => {
    expect(comeOf([], drained)).toBeUndefined();
    expect(comeOf([sent("t-1")], quiet)).toBeUndefined();
    expect(comeOf([sent("t-1")], snapshotOf(undefined))).toBeUndefined();
    expect(comeOf([sent("t-1")], drained)?.token).toBe("t-1");
    expect(comeOf([sent("t-1"), sent("t-2")], drained)?.token).toBe("t-1");
    expect(comeOf([sent("t-1", { hidden: true })], drained)).toBeUndefined();
    const hidden = sent("t-1", { hidden: true });
    expect(comeOf([hidden, sent("t-2")], drained)?.token).toBe("t-1");
  });

  it("an observation shows that a late shut came, or that a key is gone", () => {
    const shut = sent("t-1", { what: "shut" });
    const down = snapshotOf(stateOf(securedPort({ admin: known("down", at(0)) })));
    expect([comeOf([shut], quiet), comeOf([shut], down)?.token]).toEqual([undefined, "t-1"]);
    const gone = sent("t-1", { what: "keys", takes: oldKey.ckn });
    const holds = (...keys: readonly (typeof oldKey)[]) =>
      snapshotOf(stateOf(securedPort(underKey(keyOne, keys))));
    expect(comeOf([gone], holds(oldKey, keyOne))).toBeUndefined();
    expect(comeOf([gone], holds(keyOne))?.token).toBe("t-1");
    // Settings look the same before and after, as far as an observation shows.
    expect(comeOf([sent("t-1", { what: "keys" })], holds(keyOne))).toBeUndefined();
  });
});
