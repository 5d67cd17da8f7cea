// A tunnel that is set up, whose agent is killed at every call to router and journal, or cannot
// read the router once: the journal names the version that the tunnel really authenticates with.

import { describe, expect, it } from "vitest";
import type { Capabilities, CommitMode } from "#hal/device.ts";
import { wallAfter } from "#hal/world.ts";
import { capabilities } from "../../../kit/site-bench.ts";
import { desired } from "../../../kit/snapshot-kit.ts";
import { Scene, version } from "../reconcile-kit.ts";

const confirmed = { confirmedBy: "anySession", stepMs: 1_000, maxMs: 600_000 } as const;
const commits: readonly CommitMode[] = [
  { kind: "armedRevert" },
  { kind: "confirmed", ...confirmed },
  { kind: "immediate" },
];
const offersOf = (commit: CommitMode): Capabilities => ({
  ...capabilities,
  commit,
  ipsec: {
    ...{ keying: ["ike"], authentication: ["psk"], atomicReplace: false, rekeys: [] },
    ...(commit.kind === "armedRevert" ? { blocks: true, parallel: true } : {}),
  },
});

function sceneOf(commit: CommitMode): Scene {
  const scene = new Scene(desired, offersOf(commit));
  scene.blocked = ["10.100.0.0/16"];
  return scene;
}

async function rest(scene: Scene): Promise<Scene> {
  for (let turns = 0; turns < 6; turns += 1) await (await scene.turn()).later(60_000);
  return scene;
}

/** A process that starts where this one ended, and finds a newer version in the vault. */
function successorOf(dead: Scene, commit: CommitMode): Scene {
  const scene = sceneOf(commit);
  const { memory, running, before } = dead;
  Object.assign(scene, { memory, running, before });
  for (const [name, auth] of dead.inForce) scene.inForce.set(name, auth);
  scene.vault = async (name) => {
    const first = version(name);
    return [first, { ...first, id: `${first.id}0`, created: wallAfter(first.created, 1_000) }];
  };
  return scene;
}

function recorded({ memory }: Scene): readonly unknown[] {
  return [memory.tunnels["hub-1"], memory.auths["hub-1"]?.auth, memory.pending, memory.puts];
}

describe("a tunnel that is set up", () => {
  const cases = commits.flatMap((commit) =>
    (["before", "after"] as const).flatMap((when) =>
      [false, true].map((isLate) => [commit.kind, when, isLate, commit] as const),
    ),
  );

  // Its set-up was confirmed and its version was not recorded: "linkseal did not set it up", and
  // neither its removal nor its next key or certificate came.
  it.each(cases)(
    "the journal has its version, with %s commits, killed %s each call, reverted by timer: %s",
    async (_kind, when, isLate, commit) => {
      const { calls } = await rest(sceneOf(commit));
      expect(calls).toBeGreaterThanOrEqual(5);
      for (let call = 1; call <= calls; call += 1) {
        const dead = sceneOf(commit);
        dead.doom = { call, when };
        await expect(rest(dead)).rejects.toThrow("killed");
        if (isLate) dead.revert();
        const scene = await rest(successorOf(dead, commit));
        const inForce = scene.inForce.get("hub-1");
        expect([call, scene.running, ...recorded(scene)]).toEqual([
          ...[call, ["hub-1"]],
          ...[1, inForce, {}, {}],
        ]);
      }
    },
  );

  it("the journal has its version, although the router could not be read after it", async () => {
    const [commit = { kind: "immediate" }] = commits;
    const scene = sceneOf(commit);
    scene.applyMs = () => {
      scene.reachable = false;
      return 0;
    };
    await scene.turn();
    expect(Object.keys(scene.memory.puts)).toHaveLength(1);
    [scene.reachable, scene.applyMs] = [true, () => 0];
    await rest(scene);
    expect(scene.log).toEqual(["prepare hub-1", "confirm"]);
    expect(recorded(scene)).toEqual([1, scene.inForce.get("hub-1"), {}, {}]);
  });
});
