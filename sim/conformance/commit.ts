// Transactions: a prepared change waits, an unconfirmed one reverts, and a repeated call has no
// further effect.

import type { Transaction, TransactionToken } from "#hal/device.ts";
import type { DeviceBench } from "./bench.ts";
import {
  always,
  anyChange,
  commit,
  type DeviceCase,
  must,
  mustBe,
  never,
  prepare,
  refusal,
  revertMs,
  running,
  stepMs,
  timer,
} from "./kit.ts";

/** Tolerance of a measurement, for the latency of both calls. */
const slackMs = 10_000;

function isBound(bench: DeviceBench): boolean {
  const mode = bench.device.capabilities.commit;
  return mode.kind === "confirmed" && mode.confirmedBy === "ownSession";
}

async function pending(bench: DeviceBench): Promise<Transaction> {
  const transaction = await prepare(bench, [anyChange(bench)]);
  await transaction.apply(revertMs, never);
  must(bench.truth().pending, "a commit with a time to revert armed nothing");
  return transaction;
}

export const commitCases: readonly DeviceCase[] = [
  {
    ...always(),
    name: "prepare: leaves the running device untouched",
    why: "a change waits on the candidate for a far end that moves first",
    async run(bench) {
      const before = bench.truth();
      await prepare(bench, [anyChange(bench)]);
      await bench.wait(5_000);
      must(running(bench.truth()) === running(before), "prepare altered the running configuration");
      must(bench.truth().effects === before.effects, "prepare had an effect");
    },
  },
  {
    ...always(),
    name: "prepare: shows what would change",
    why: "the operator decides by the preview",
    async run(bench) {
      const change = anyChange(bench);
      const { preview } = await prepare(bench, [change]);
      const place = "port" in change ? change.port : bench.tunnel.name;
      must(preview.includes(place), `the preview does not name ${place}`);
      await commit(bench, change);
      const again = await prepare(bench, [change]);
      must(!again.preview.includes(place), "the preview shows a change where none is left");
    },
  },
  {
    ...always(),
    name: "preview: shows what would be sent, and touches nothing",
    why: "a plan is read at a time at which nothing may change",
    async run(bench) {
      const change = anyChange(bench);
      const before = bench.truth();
      const lines = await bench.device.preview?.([change], bench.keys, never);
      await bench.wait(5_000);
      must(running(bench.truth()) === running(before), "a preview altered what runs");
      must(bench.truth().effects === before.effects, "a preview had an effect");
      must(lines === undefined || lines.length > 0, "a preview shows nothing of a change");
      // It has locked nothing.
      await commit(bench, change);
    },
  },
  {
    ...always(),
    name: "apply: final stays and arms nothing",
    why: "retirement and drains are final: a late revert would undo them unseen",
    async run(bench) {
      const before = running(bench.truth());
      const transaction = await prepare(bench, [anyChange(bench)]);
      await transaction.apply("final", never);
      const after = running(bench.truth());
      must(after !== before, "a final commit changed nothing");
      must(!bench.truth().pending, "a final commit waits for a confirm");
      await bench.wait(4 * revertMs + stepMs(bench.device.capabilities));
      must(running(bench.truth()) === after, "a final commit was reverted");
    },
  },
  {
    ...always(),
    name: "apply: twice is once",
    why: "a reply that was lost is asked for again",
    async run(bench) {
      const before = bench.truth().effects;
      const transaction = await prepare(bench, [anyChange(bench)]);
      await transaction.apply("final", never);
      const once = bench.truth();
      must(once.effects > before, "a commit had no effect");
      await transaction.apply("final", never);
      must(bench.truth().effects === once.effects, "a second apply had an effect of its own");
    },
  },
  {
    ...timer,
    name: "apply: reverts in time without a confirm",
    why: "P2: the revert timer restores a cut link although the agent is dead",
    async run(bench) {
      const before = running(bench.truth());
      const asked = bench.now();
      await pending(bench);
      const applied = bench.now();
      const after = running(bench.truth());
      must(after !== before, "a commit with a time to revert changed nothing");
      await bench.wait(Math.max(0, revertMs - slackMs - (bench.now() - asked)));
      must(running(bench.truth()) === after, "the change was reverted before its time");
      const latest = applied + revertMs + stepMs(bench.device.capabilities) + slackMs;
      await bench.wait(latest - bench.now());
      must(running(bench.truth()) === before, "the change was not reverted in its time");
      must(!bench.truth().pending, "a reverted commit still waits for a confirm");
    },
  },
  {
    ...timer,
    name: "apply: a time beyond the device's reach is refused",
    why: "a revert that comes later than believed is none",
    async run(bench) {
      const mode = bench.device.capabilities.commit;
      if (mode.kind !== "confirmed") return;
      const before = bench.truth();
      const transaction = await prepare(bench, [anyChange(bench)]);
      const sent = bench.exchanges();
      const beyond = transaction.apply(mode.maxMs + mode.stepMs, never);
      const error = await refusal(beyond, "a wait beyond the longest");
      mustBe(error, ["device.unsupported"], "a wait beyond the longest");
      must(bench.exchanges() === sent, "a wait beyond the longest was sent to the device");
      must(bench.truth().effects === before.effects, "a wait beyond the longest had an effect");
    },
  },
  {
    ...timer,
    name: "confirm: makes the change stay",
    why: "the second half of every staged key",
    async run(bench) {
      const transaction = await pending(bench);
      const after = running(bench.truth());
      await transaction.confirm(never);
      must(!bench.truth().pending, "a confirmed commit still waits");
      await bench.wait(3 * revertMs + stepMs(bench.device.capabilities));
      must(running(bench.truth()) === after, "a confirmed change was reverted");
      await transaction.confirm(never);
    },
  },
  {
    ...timer,
    name: "confirm: too late is an ordinary error",
    why: "an expired confirm is an ordinary outcome: the agent observes again",
    async run(bench) {
      const transaction = await pending(bench);
      await bench.wait(3 * revertMs + stepMs(bench.device.capabilities));
      const before = running(bench.truth());
      const error = await refusal(transaction.confirm(never), "a confirm after the revert");
      mustBe(error, ["device.commitExpired"], "a confirm after the revert");
      must(running(bench.truth()) === before, "a confirm after the revert had an effect");
    },
  },
  {
    ...timer,
    name: "confirm: from a second process as the capabilities say",
    why: "confirmedBy: a restarted agent confirms what its predecessor staged, or lets it expire",
    async run(bench) {
      const { token } = await pending(bench);
      const after = running(bench.truth());
      await using second = await bench.second();
      const recalled = await second.recall(token, never);
      if (isBound(bench)) {
        must(recalled.kind === "expiring", "a second session does not see that a commit expires");
        must(bench.truth().pending, "a recall by a second session ended the wait");
        return;
      }
      must(recalled.kind === "pending", "a second session does not see the pending commit");
      await recalled.transaction.confirm(never);
      await bench.wait(3 * revertMs);
      must(running(bench.truth()) === after, "what a second process confirmed was reverted");
    },
  },
  {
    ...timer,
    name: "session: its end leaves the commit to its timer",
    why: "P2: the timer belongs to the device, so a cut neither ends the wait nor the revert",
    async run(bench) {
      const before = running(bench.truth());
      await pending(bench);
      const after = running(bench.truth());
      await bench.device[Symbol.asyncDispose]();
      await bench.wait(5_000);
      must(running(bench.truth()) === after, "the end of the session reverted its commit");
      must(bench.truth().pending, "the end of the session ended the wait of its commit");
      await bench.wait(3 * revertMs + stepMs(bench.device.capabilities));
      must(running(bench.truth()) === before, "the commit of a session that ended stayed");
    },
  },
  {
    ...timer,
    name: "rollback: undoes a pending change",
    why: "verify failed: back to what was, at once",
    async run(bench) {
      const before = running(bench.truth());
      const transaction = await pending(bench);
      await transaction.rollback(never);
      must(running(bench.truth()) === before, "a rollback did not restore what was");
      must(!bench.truth().pending, "a rolled back commit still waits");
      await transaction.rollback(never);
    },
  },
  {
    ...always(),
    name: "rollback: drops what was only prepared",
    why: "an abandoned candidate must not be committed by the next one who commits",
    async run(bench) {
      const before = running(bench.truth());
      const transaction = await prepare(bench, [anyChange(bench)]);
      await transaction.rollback(never);
      await refusal(transaction.apply("final", never), "the apply of a dropped candidate");
      must(running(bench.truth()) === before, "a dropped candidate was committed");
    },
  },
  {
    ...always(),
    name: "rollback: never undoes a final change",
    why: "a late rollback would take away a key that is in use",
    async run(bench) {
      const transaction = await prepare(bench, [anyChange(bench)]);
      await transaction.apply("final", never);
      const after = running(bench.truth());
      await refusal(transaction.rollback(never), "the rollback of a final commit");
      must(running(bench.truth()) === after, "a rollback undid a final commit");
    },
  },
  {
    ...timer,
    name: "recall: pending and absent",
    why: "the first question of a restarted agent",
    async run(bench) {
      const { device } = bench;
      const transaction = await prepare(bench, [anyChange(bench)]);
      const kind = async (token: TransactionToken): Promise<string> =>
        (await device.recall(token, never)).kind;
      must((await kind(transaction.token)) === "absent", "an unapplied transaction is pending");
      await transaction.apply(revertMs, never);
      must((await kind(transaction.token)) === "pending", "a pending transaction is absent");
      const stranger = "no-such-transaction" as TransactionToken;
      must((await kind(stranger)) === "absent", "a transaction that never was is pending");
      const recalled = await device.recall(transaction.token, never);
      if (recalled.kind === "pending") await recalled.transaction.rollback(never);
      must((await kind(transaction.token)) === "absent", "a rolled back transaction is pending");
      must(!bench.truth().pending, "a recalled transaction cannot be rolled back");
    },
  },
  {
    ...timer,
    name: "commit: one waits, the next one must",
    why: "a second commit would confirm the first one on most platforms",
    async run(bench) {
      const other = await prepare(bench, [anyChange(bench)]);
      const first = await pending(bench);
      const after = bench.truth();
      const error = await refusal(other.apply("final", never), "a commit beside a pending one");
      mustBe(error, ["device.locked", "device.rejected"], "a commit beside a pending one");
      must(bench.truth().pending, "a commit beside a pending one confirmed it");
      must(bench.truth().effects === after.effects, "a commit beside a pending one had an effect");
      await first.rollback(never);
    },
  },
];
