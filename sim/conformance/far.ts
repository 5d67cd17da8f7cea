// Far end and vault: an accepted change is not yet done, and a version is not its value.

import type { PeerPort, PeerState, PeerWant } from "#hal/device.ts";
import type { PeerBench, PeerTrouble, VaultBench, VaultTrouble } from "./bench.ts";
import { sightOf } from "./canary.ts";
import { ConformanceFailure, canonical, must, mustBe, never, refusal } from "./kit.ts";

export interface PeerCase {
  readonly name: string;
  readonly why: string;
  readonly troubles?: readonly PeerTrouble[];
  readonly run: (bench: PeerBench) => Promise<void>;
}

export interface VaultCase {
  readonly name: string;
  readonly why: string;
  readonly troubles?: readonly VaultTrouble[];
  readonly run: (bench: VaultBench) => Promise<void>;
}

async function put(peer: PeerPort, want: PeerWant): Promise<string> {
  let operation: string | undefined;
  const accepted = async (id: string): Promise<void> => {
    operation = id;
  };
  await peer.put(want, accepted, never);
  must(operation !== undefined, "a put ended without the id of its operation");
  return operation;
}

async function ended(bench: PeerBench): Promise<PeerState> {
  for (let minute = 0; minute < 60; minute += 1) {
    const state = await bench.peer.observe(never);
    if (state.provisioning !== "updating") return state;
    await bench.wait(10_000);
  }
  throw new ConformanceFailure("the far end is still updating after ten minutes");
}

const pointsAt = ({ key }: PeerWant): string =>
  canonical({ cakSecretId: key.cakSecretId, cknSecretId: key.cknSecretId });

/** What one link shows; its revision is that of the document of both. */
const shown = (state: PeerState): string => canonical({ ...state, revision: "" });

export const peerCases: readonly PeerCase[] = [
  {
    name: "far end: off is reported as off",
    why: "the first observation of an enrolment",
    async run({ peer }) {
      const { pointsAt: ids, suite, provisioning } = await peer.observe(never);
      must(
        ids === undefined && suite === undefined,
        "a far end without MACsec is reported with it",
      );
      must(provisioning === "settled", `a far end at rest is reported as ${provisioning}`);
    },
  },
  {
    name: "far end: an observation changes nothing",
    why: "P4",
    async run(bench) {
      await put(bench.peer, bench.newWant());
      await ended(bench);
      const before = bench.truth();
      const first = canonical(await bench.peer.observe(never));
      await bench.wait(60_000);
      must(canonical(await bench.peer.observe(never)) === first, "two observations at rest differ");
      must(canonical(bench.truth()) === canonical(before), "an observation altered the far end");
    },
  },
  {
    name: "far end: takes the key and reads it back",
    why: "P3: the far end settled on the new ids is part of the proof",
    async run(bench) {
      const want = bench.newWant();
      await put(bench.peer, want);
      const state = await ended(bench);
      must(state.provisioning === "settled", "a good wish failed");
      must(canonical(state.pointsAt) === pointsAt(want), "the ids are not those of the wish");
      const { suite, sci, admin } = state;
      const same = suite === want.suite && sci === want.sci && admin === want.admin;
      must(same, "suite, SCI or admin are not those of the wish");
      must(bench.truth().hardware === want.key.ckn, "the hardware did not take the key");
    },
  },
  {
    name: "far end: put ends when it is accepted",
    why: "the operation takes minutes; the agent observes meanwhile",
    async run(bench) {
      const operation = await put(bench.peer, bench.newWant());
      const state = await bench.peer.observe(never);
      must(state.provisioning === "updating", "a put waited for its end, or began nothing");
      must(state.operation === undefined || state.operation === operation, "another operation");
      must(bench.truth().hardware === undefined, "the hardware was done before the operation");
    },
  },
  {
    name: "far end: the operation is written down before put ends",
    why: "crash recovery: the journal knows every operation that may still land",
    async run(bench) {
      let written = false;
      const accepted = async (): Promise<void> => {
        await bench.wait(5_000);
        written = true;
      };
      await bench.peer.put(bench.newWant(), accepted, never);
      must(written, "put ended while its operation was still being written down");
    },
  },
  {
    name: "far end: an operation that cannot be recorded is not a success",
    why: "a full journal must stop the campaign",
    async run(bench) {
      const full = new Error("the journal is full");
      const outcome = await bench.peer
        .put(bench.newWant(), () => Promise.reject(full), never)
        .catch((error: unknown) => error);
      must(outcome === full, "a put whose operation was not written down was reported as done");
    },
  },
  {
    name: "far end: the same wish again interrupts nothing",
    why: "a put is repeated whenever its effect is not known",
    async run(bench) {
      const want = bench.newWant();
      await put(bench.peer, want);
      await ended(bench);
      const before = bench.truth().programmed;
      // If nothing has to change, no operation is begun.
      await bench.peer.put(want, async () => undefined, never);
      const state = await ended(bench);
      must(canonical(state.pointsAt) === pointsAt(want), "the same wish moved the far end");
      must(bench.truth().programmed === before, "the same wish gave the hardware its key again");
    },
  },
  {
    name: "far end: busy is refused",
    why: "409 of the management API: nothing was done, observe and try again",
    async run(bench) {
      const first = bench.newWant();
      await put(bench.peer, first);
      const second = bench.newWant();
      mustBe(await refusal(put(bench.peer, second), "a put while busy"), ["peer.rejected"], "it");
      const state = await ended(bench);
      must(canonical(state.pointsAt) === pointsAt(first), "a refused wish reached the far end");
    },
  },
  {
    name: "far end: the other link is left alone",
    why: "P2: both links are one document; a wrong write takes both",
    async run(bench) {
      await put(bench.neighbour, bench.newWant());
      await bench.wait(600_000);
      const before = shown(await bench.neighbour.observe(never));
      const { neighbourProgrammed } = bench.truth();
      await put(bench.peer, bench.newWant());
      await ended(bench);
      must(shown(await bench.neighbour.observe(never)) === before, "the other link changed");
      const touched = bench.truth().neighbourProgrammed !== neighbourProgrammed;
      must(!touched, "the other link's hardware was given a key");
    },
  },
  {
    name: "far end: a key that another session configured stays",
    why: "the operator may be faster than a write that was decided on an older observation",
    async run(bench) {
      const [first, second] = [bench.newWant(), bench.newWant()];
      await put(bench.peer, { ...first, over: [undefined] });
      await ended(bench);
      const blind = put(bench.peer, { ...second, over: [undefined, second.key] });
      const what = "a put over a key that it does not know";
      mustBe(await refusal(blind, what), ["peer.rejected"], what);
      const kept = await bench.peer.observe(never);
      must(canonical(kept.pointsAt) === pointsAt(first), `${what} was carried out`);
      await put(bench.peer, { ...second, over: [first.key] });
      must(canonical((await ended(bench)).pointsAt) === pointsAt(second), "a good wish was lost");
    },
  },
  {
    name: "far end: a failed operation is reported",
    why: "accepted is not done; a failed one stops the campaign",
    troubles: ["fails"],
    async run(bench) {
      bench.strike("fails");
      await put(bench.peer, bench.newWant());
      const state = await ended(bench);
      must(
        state.provisioning === "failed",
        `a failed operation is reported as ${state.provisioning}`,
      );
    },
  },
  {
    name: "far end: throttling is an error of its own",
    why: "429: try later, and without an observation",
    troubles: ["throttled"],
    async run(bench) {
      const before = canonical(await bench.peer.observe(never));
      bench.strike("throttled");
      const what = "a throttled put";
      mustBe(await refusal(put(bench.peer, bench.newWant()), what), ["peer.throttled"], what);
      bench.heal("throttled");
      // The wait that it demanded also applies to observations.
      await bench.wait(60_000);
      must(canonical(await bench.peer.observe(never)) === before, `${what} had an effect`);
    },
  },
  {
    name: "far end: unreadable is an error",
    why: "P7: without an observation nothing on the far end is settled",
    troubles: ["unreadable"],
    async run(bench) {
      bench.strike("unreadable");
      const error = await refusal(bench.peer.observe(never), "an observation that failed");
      must(error.effect === "none", `an observation claims the effect "${error.effect}"`);
      must(
        /^(transport|peer|device)\./.test(error.code),
        `an observation that failed is ${error.code}`,
      );
    },
  },
  {
    name: "far end: no key is in its replies",
    why: "P5: it takes secret ids, never key bytes",
    async run(bench) {
      await put(bench.peer, bench.newWant());
      await refusal(put(bench.peer, bench.newWant()), "a put while busy");
      bench.say(canonical(await ended(bench)));
      const sight = sightOf(bench.canaries(), bench.transcript());
      must(sight === undefined, `a key is in a reply of the far end, as ${sight}`);
    },
  },
  {
    name: "far end: the signal stops every call",
    why: "an agent that ends does not wait for a cloud",
    async run(bench) {
      const stop = new AbortController();
      stop.abort(new Error("stopped before it began"));
      const sent = bench.exchanges();
      const calls = [
        () => bench.peer.observe(stop.signal),
        () => bench.peer.put(bench.newWant(), async () => undefined, stop.signal),
      ];
      for (const call of calls) {
        const done = await call().then(
          () => true,
          () => false,
        );
        must(!done, "a call was done although it was aborted before");
      }
      must(bench.exchanges() === sent, "a call was sent although it was aborted before");
    },
  },
];

const value = "a1".repeat(32);
const valueBytes = new TextEncoder().encode(value);

export const vaultCases: readonly VaultCase[] = [
  {
    name: "vault: versions come without values",
    why: "P5: lists are read often, logged and compared",
    async run(bench) {
      const first = bench.put("conformance-cak", value, "enabled");
      const second = bench.put("conformance-cak", value, "disabled");
      const versions = await bench.vault.versions("conformance-cak", never);
      const state = (id: string): boolean | undefined =>
        versions.find((one) => one.id === id)?.enabled;
      must(versions.length === 2, `two versions are reported as ${versions.length}`);
      must(state(first) === true, "an enabled version is missing or reported as disabled");
      must(state(second) === false, "a disabled version is missing or reported as enabled");
      bench.say(canonical(versions));
      const sight = sightOf([valueBytes], bench.transcript());
      must(sight === undefined && !canonical(versions).includes(value), "a version has its value");
    },
  },
  {
    name: "vault: an unknown name has no versions",
    why: "a name not made yet is an ordinary state",
    async run({ vault }) {
      const versions = await vault.versions("no-such-secret", never);
      must(versions.length === 0, "a secret that never was has versions");
    },
  },
  {
    name: "vault: a version is read as it was stored",
    why: "P6: the octets behind an id never change",
    async run({ vault, put: store }) {
      const id = store("conformance-cak", value, "enabled");
      store("conformance-cak", "b2".repeat(32), "enabled");
      const first = await vault.read(id, never);
      const second = await vault.read(id, never);
      must(first.byteLength === valueBytes.length, "the value was cut, padded or decoded");
      must(first.equals(second), "the same version was read as two different values");
      first[Symbol.dispose]();
      const copy = second.copy();
      must(copy.equals(second), "one reader's wiping wiped the other's secret");
      copy[Symbol.dispose]();
    },
  },
  {
    name: "vault: another version is another value",
    why: "latest is not what was asked for",
    async run({ vault, put: store }) {
      const ids = [store("conformance-cak", value, "enabled")];
      ids.push(store("conformance-cak", "b2".repeat(32), "enabled"));
      const [first, second] = await Promise.all(ids.map((id) => vault.read(id, never)));
      must(first !== undefined && second !== undefined, "a version was not read");
      must(!first.equals(second), "two versions were read as one");
    },
  },
  {
    name: "vault: a disabled version is denied",
    why: "the far end could not read it either",
    async run({ vault, put: store }) {
      const id = store("conformance-cak", value, "disabled");
      const what = "the reading of a disabled version";
      mustBe(await refusal(vault.read(id, never), what), ["vault.denied"], what);
    },
  },
  {
    name: "vault: an unknown version is an error",
    why: "no value is not an empty value",
    async run({ vault, strangerId }) {
      const what = "the reading of a version that never was";
      mustBe(await refusal(vault.read(strangerId, never), what), ["vault.malformedKey"], what);
      const bare = "the reading of something that is not an id";
      mustBe(await refusal(vault.read("hub-1-psk", never), bare), ["vault.malformedKey"], bare);
    },
  },
  ...(["down", "denied"] as const).map(
    (trouble): VaultCase => ({
      name: `vault: ${trouble} is reported as such`,
      why: "a vault out of reach and one that refuses need different people",
      troubles: [trouble],
      async run({ vault, put: store, strike }) {
        const id = store("conformance-cak", value, "enabled");
        strike(trouble);
        const code = trouble === "down" ? "vault.unreachable" : "vault.denied";
        mustBe(await refusal(vault.read(id, never), "a read"), [code], "a read");
        const list = vault.versions("conformance-cak", never);
        mustBe(await refusal(list, "a list"), [code], "a list");
      },
    }),
  ),
];
