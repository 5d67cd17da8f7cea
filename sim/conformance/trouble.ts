// Faults: the error says what may have happened, and no key is ever in its text.

import type { PortChange, TransactionToken } from "#hal/device.ts";
import type { DeviceBench } from "./bench.ts";
import { sightOf } from "./canary.ts";
import {
  addKey,
  addSecond,
  always,
  anyChange,
  commit,
  type DeviceCase,
  freshKey,
  ipsec,
  macsec,
  must,
  mustBe,
  never,
  observe,
  overlap,
  portIn,
  prepare,
  refusal,
  reported,
  revertMs,
  running,
  secure,
  truthOf,
  wanted,
} from "./kit.ts";

/** Time in which an aborted call must end, in milliseconds. */
const abortMs = 1_000;

async function stopsAt(
  bench: DeviceBench,
  what: string,
  call: (signal: AbortSignal) => Promise<unknown>,
): Promise<void> {
  const early = new AbortController();
  const reason = new Error("stopped before it began");
  early.abort(reason);
  const sent = bench.exchanges();
  const outcome = await call(early.signal).then(
    () => "done",
    (error: unknown) => error,
  );
  must(outcome !== "done", `${what} was done although it was aborted before`);
  must(bench.exchanges() === sent, `${what} was sent although it was aborted before`);
}

async function stopsWithin(
  bench: DeviceBench,
  what: string,
  call: (signal: AbortSignal) => Promise<unknown>,
): Promise<void> {
  const stop = new AbortController();
  let ended = false;
  const end = (): void => {
    ended = true;
  };
  call(stop.signal).then(end, end);
  await bench.wait(1);
  stop.abort(new Error("stopped in the middle"));
  await bench.wait(abortMs);
  must(ended, `${what} went on for more than a second after it was aborted`);
}

/** Uses every way in which a key passes through a driver, good and bad. */
async function useKeys(bench: DeviceBench): Promise<void> {
  const { capabilities } = bench.device;
  const [port] = bench.ports;
  if (ipsec.needs(capabilities)) {
    await commit(bench, { kind: "ipsec.putTunnel", tunnel: bench.tunnel });
  }
  if (!macsec.needs(capabilities)) return;
  const protect: PortChange = { kind: "macsec.protect", port, settings: wanted(bench) };
  await commit(bench, protect, addKey(port, freshKey(bench)));
  await commit(bench, { kind: "macsec.replaceKey", port, key: freshKey(bench) });
  const nowhere = addKey("no-such-port", freshKey(bench));
  await refusal(commit(bench, nowhere), "a key for a port that is not there");
  const short = addSecond(bench, port, bench.newKey({ cakOctets: 24, cknOctets: 32 }));
  await refusal(commit(bench, short), "a CAK of 24 octets");
  await observe(bench);
}

export const troubleCases: readonly DeviceCase[] = [
  {
    ...always(),
    name: "error: printed with a success code is an error",
    why: "routers print a complaint and report success; nothing may be concluded from the code",
    troubles: ["errorWithSuccess"],
    async run(bench) {
      const before = bench.truth();
      const transaction = await prepare(bench, [anyChange(bench)]);
      bench.strike("errorWithSuccess");
      const what = "a commit with an error in its output";
      const error = await refusal(transaction.apply("final", never), what);
      must(error.code === "device.rejected", `${what} is ${error.code}`);
      must(running(bench.truth()) === running(before), `${what} changed something`);
    },
  },
  {
    ...always(),
    name: "error: a lost reply leaves the effect unknown",
    why: "an effect's reply is never a fact; only an observation is",
    troubles: ["replyLost"],
    async run(bench) {
      const transaction = await prepare(bench, [anyChange(bench)]);
      const before = running(bench.truth());
      bench.strike("replyLost");
      const what = "a commit whose reply was lost";
      const error = await refusal(transaction.apply("final", never), what);
      must(error.effect === "unknown", `${what} claims the effect "${error.effect}"`);
      must(error.code.startsWith("transport."), `${what} is ${error.code}`);
      bench.heal("replyLost");
      await observe(bench);
      const recalled = await bench.device.recall(transaction.token, never);
      const { pending } = bench.truth();
      must((recalled.kind === "pending") === pending, "recall and the device disagree after it");
      must(running(bench.truth()) !== before, "the bench lost the commit and not its reply");
    },
  },
  {
    ...always(),
    name: "error: a locked candidate is reported",
    why: "another session is editing: try later, touch nothing",
    troubles: ["locked"],
    async run(bench) {
      const before = bench.truth();
      bench.strike("locked");
      const what = "a change while another session has the lock";
      const error = await refusal(commit(bench, anyChange(bench)), what);
      mustBe(error, ["device.locked"], what);
      must(bench.truth().effects === before.effects, `${what} had an effect`);
      await observe(bench);
      bench.heal("locked");
      await commit(bench, anyChange(bench));
    },
  },
  {
    ...always(),
    name: "error: a device out of reach",
    why: "P7: the last observation stays and grows old; a read has no effect",
    troubles: ["unreachable"],
    async run(bench) {
      const transaction = await prepare(bench, [anyChange(bench)]);
      await observe(bench);
      const before = bench.truth();
      bench.strike("unreachable");
      const reads: readonly (readonly [string, () => Promise<unknown>])[] = [
        ["a look", () => observe(bench)],
        ["a prepare", () => prepare(bench, [anyChange(bench)])],
        ["a recall", () => bench.device.recall(transaction.token, never)],
        ["a question for a route", () => bench.device.routesTo(bench.routes.known.address, never)],
      ];
      for (const [name, read] of reads) {
        const what = `${name} at a device out of reach`;
        const error = await refusal(read(), what);
        must(error.code.startsWith("transport."), `${what} is ${error.code}`);
        must(error.effect === "none", `${what} claims the effect "${error.effect}"`);
      }
      await refusal(transaction.apply("final", never), "a commit at a device out of reach");
      must(bench.truth().effects === before.effects, "a device out of reach was changed");
      bench.heal("unreachable");
      await observe(bench);
    },
  },
  {
    ...always(),
    name: "signal: stops every call",
    why: "observe is always bounded; an agent that ends does not wait for a router",
    async run(bench) {
      const { device, keys, routes } = bench;
      const change = [anyChange(bench)];
      const token = "no-such-transaction" as TransactionToken;
      await stopsAt(bench, "a look", (signal) => device.observe(signal));
      await stopsAt(bench, "a prepare", (signal) => device.prepare(change, keys, signal));
      await stopsAt(bench, "a recall", (signal) => device.recall(token, signal));
      await stopsWithin(bench, "a look", (signal) => device.observe(signal));
      await stopsWithin(bench, "a prepare", (signal) => device.prepare(change, keys, signal));
      await stopsWithin(bench, "a recall", (signal) => device.recall(token, signal));
      await stopsWithin(bench, "a route", (signal) => device.routesTo(routes.unknown, signal));
      const transaction = await prepare(bench, change);
      const before = bench.truth().effects;
      await stopsAt(bench, "an apply", (signal) => transaction.apply("final", signal));
      must(bench.truth().effects === before, "an apply had an effect although it was aborted");
      await stopsWithin(bench, "an apply", (signal) => transaction.apply("final", signal));
      await observe(bench);
    },
  },
  {
    ...always(),
    name: "secret: in no preview, error, reply or log",
    why: "P5: routers echo what they refuse, and a preview is shown to every user",
    async run(bench) {
      await useKeys(bench);
      const canaries = bench.canaries();
      must(canaries.length > 0, "no key passed through the device");
      const sight = sightOf(canaries, bench.transcript());
      must(sight === undefined, `a key is in what was printed, as ${sight}`);
    },
  },
  {
    ...overlap,
    name: "verify: a pending second key is observed before its confirm",
    why: "staging is verified by an observation and not by a reply",
    async run(bench) {
      const [port] = bench.ports;
      if (bench.device.capabilities.commit.kind === "immediate") return;
      const old = await secure(bench, port);
      const next = freshKey(bench);
      const transaction = await prepare(bench, [addSecond(bench, port, next)]);
      await transaction.apply(revertMs, never);
      const seen = portIn(await observe(bench), port);
      const ckns = reported(seen.keys, "the keys").map(({ ckn }) => ckn);
      must(ckns.includes(old.ckn) && ckns.includes(next.ckn), "the pending key is not reported");
      must(
        reported(seen.session, "the session").principalCkn === old.ckn,
        "the old key is not used",
      );
      await transaction.rollback(never);
      const rest = truthOf(bench, port).keys.map(({ ckn }) => ckn);
      must(rest.length === 1 && rest[0] === old.ckn, "the rollback left another set of keys");
    },
  },
];
