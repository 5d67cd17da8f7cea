// The effects of one run of a tunnel change, and what they show: facts of this run alone, so that a
// successor takes nothing over that it has not seen itself.

import { LinksealError } from "#hal/error.ts";
import type { Secret } from "#hal/secret.ts";
import type { TunnelAuth } from "#hal/tunnel-spec.ts";
import type { DesiredTunnel } from "../../model/desired.ts";
import { drainOf } from "../../model/link-snapshot.ts";
import type {
  TunnelAction,
  TunnelChange,
  TunnelFacts,
  TunnelFailure,
  TunnelSight,
  TunnelStep,
} from "../../model/tunnel-change.ts";
import { type Memory, named } from "../../store/journal/memory.ts";
import type { DeviceCache } from "../polling/device-cache.ts";
import type { Gateways } from "./gateways.ts";
import { inOrder, isRefused, isSettled, type KeyUnit } from "./key-unit.ts";
import { type OurEnds, type OurEndsParts, unproven } from "./tunnel-end.ts";
import { notGiven, noWayBack, refused } from "./tunnel-refusals.ts";
import type { TunnelTraffic } from "./tunnel-traffic.ts";

interface RunParts {
  /** The version in use. */
  readonly auth: TunnelAuth;
  /** The change as it is when the run begins. */
  readonly change: TunnelChange;
  readonly asked: TunnelFacts["asked"];
  readonly farEnd: TunnelFacts["farEnd"];
  readonly ours: OurEnds;
  readonly gateways: Gateways;
  /** Asks the vault whether it still offers the newer version. */
  readonly isTakenBack: (signal: AbortSignal) => Promise<boolean>;
}

export interface TunnelEffectsParts extends OurEndsParts {
  readonly deviceCache: Pick<DeviceCache, "observe" | "state" | "device" | "capabilities">;
  readonly memory: () => Memory;
  readonly traffic: Pick<TunnelTraffic, "drainForChange" | "undrainForChange">;
}

/** The run of one unit. */
export class TunnelEffects {
  readonly #parts: TunnelEffectsParts;
  readonly #unit: KeyUnit;
  readonly #run: RunParts;
  /** The order in which the tunnels authenticate; the first one to do so fixes it. */
  #order: KeyUnit | undefined;
  readonly #proofs = new Map<string, TunnelSight["proof"]>();
  /** Tunnels whose traffic this run asked away or gave back. */
  readonly #asked = new Map<string, "asked away" | "given back">();
  #isSet = false;
  #given: TunnelFacts["given"];
  #ours: TunnelFacts["ours"];
  #isGivenBack = false;
  #isTakenBack = false;
  #failed: TunnelFailure | undefined;
  /** The first error, which tells the operator more than those that follow it. */
  #error: LinksealError | undefined;

  constructor(parts: TunnelEffectsParts, unit: KeyUnit, run: RunParts) {
    this.#parts = parts;
    this.#unit = unit;
    this.#run = run;
    const isUntouched = isSettled({ auth: run.auth, next: run.change });
    this.#given = isUntouched ? "no" : "maybe";
    this.#ours = isUntouched ? "inUse" : "unsure";
  }

  /** What is known now, apart from who asks and which gate is closed. */
  facts(): Omit<TunnelFacts, "asked" | "unmet"> {
    const { change, farEnd, gateways } = this.#run;
    const [first] = this.#unit;
    const failed = this.#failed;
    return {
      ...{
        kind: change.auth.kind,
        farEnd,
        tunnels: this.#inOrder().map((one) => this.#sight(one)),
      },
      ...{ given: this.#given, isTakenBack: this.#isTakenBack, ours: this.#ours },
      ...{ isGivenBack: this.#isGivenBack, mayLand: gateways.mayLand(first) },
      ...(failed !== undefined && { failed }),
    };
  }

  #inOrder(): KeyUnit {
    const { deviceCache, memory } = this.#parts;
    return this.#order ?? inOrder(this.#unit, deviceCache.state(this.#unit[0].device), memory());
  }

  #sight(tunnel: DesiredTunnel): TunnelSight {
    const { deviceCache } = this.#parts;
    const { name, device } = tunnel;
    const state = deviceCache.state(device);
    return {
      name,
      isRefused: state !== undefined && isRefused(tunnel, state),
      proof: this.#proofs.get(name) ?? "none",
      traffic: this.#trafficOf(tunnel),
    };
  }

  /** A predecessor may have ended between its record of a drain and the drain. */
  #trafficOf({ name, device }: DesiredTunnel): TunnelSight["traffic"] {
    const { deviceCache, memory } = this.#parts;
    const asked = this.#asked.get(name);
    const isRecorded = named(memory().drains, name)?.until === "authenticated";
    if (asked === undefined) {
      const state = deviceCache.state(device);
      const isShown = state !== undefined && drainOf(state, name) === "on";
      return isRecorded && isShown ? "away" : "unasked";
    }
    return asked === "asked away" && isRecorded ? "away" : "here";
  }

  /** Runs the effect of a step; a failure is a fact of the next decision. */
  async run(step: TunnelStep, signal: AbortSignal): Promise<void> {
    const { action, turnedBack } = step;
    const [first] = this.#unit;
    if (turnedBack !== undefined) this.#error ??= refused(this.#unit, turnedBack, unproven(first));
    // The step has its reason from the last failure; what follows has none yet.
    this.#failed = undefined;
    if (action === undefined) return;
    const tunnel = this.#unit.find(({ name }) => name === step.tunnel) ?? first;
    try {
      await this.#act(action, tunnel, signal);
    } catch (error) {
      if (!(error instanceof LinksealError)) throw error;
      await this.#fails(action, error, signal);
    }
  }

  async #act(action: TunnelAction, tunnel: DesiredTunnel, signal: AbortSignal): Promise<void> {
    const { ours, auth, change } = this.#run;
    switch (action) {
      case "drain":
        this.#order = this.#inOrder();
        this.#asked.set(tunnel.name, "asked away");
        return await this.#parts.traffic.drainForChange(tunnel, change.by ?? "policy", signal);
      case "undrain":
        this.#asked.set(tunnel.name, "given back");
        return await this.#parts.traffic.undrainForChange(tunnel, signal);
      case "take":
        return await this.#take(tunnel, signal);
      case "putBack":
        await ours.put(this.#unit, auth, signal);
        this.#ours = "inUse";
        return;
      case "give":
        return await this.#give(signal);
      case "giveBack":
        return await this.#giveBack(signal);
    }
  }

  async #take(tunnel: DesiredTunnel, signal: AbortSignal): Promise<void> {
    const { ours, change } = this.#run;
    const puts = this.#isSet ? [] : this.#inOrder();
    const proof = await ours.take(tunnel, { auth: change.auth, puts }, signal);
    this.#isSet = true;
    this.#ours = "unsure";
    this.#proofs.set(tunnel.name, proof);
  }

  async #give(signal: AbortSignal): Promise<void> {
    const { change, asked, gateways } = this.#run;
    if (this.#given === "no" && asked === "policy") await this.#assertWayBack(signal);
    using key = await this.#key(change.auth, signal);
    await gateways.put(this.#unit[0], key, signal);
    this.#given = "yes";
  }

  /**
   * The agent needs the old key as the way back; an operator may decide that it must not be used
   * again.
   */
  async #assertWayBack(signal: AbortSignal): Promise<void> {
    try {
      (await this.#key(this.#run.auth, signal))[Symbol.dispose]();
    } catch (error) {
      throw error instanceof LinksealError ? noWayBack(this.#unit, error) : error;
    }
  }

  async #giveBack(signal: AbortSignal): Promise<void> {
    const { auth, gateways } = this.#run;
    using key = await this.#key(auth, signal);
    await gateways.put(this.#unit[0], key, signal);
    this.#isGivenBack = true;
  }

  async #key({ secretId }: TunnelAuth, signal: AbortSignal): Promise<Secret> {
    return await this.#parts.keys(signal)({ kind: "psk", secretId });
  }

  async #fails(action: TunnelAction, error: LinksealError, signal: AbortSignal): Promise<void> {
    const { code, message: text, effect } = error;
    const isRefusal = action === "take" && refusals.has(code);
    const what = isRefusal ? "gateway.refuses" : "effect.failed";
    const failed: TunnelFailure = { cause: { code: what, error: code, text }, kind: kindOf(code) };
    this.#failed = failed;
    if (action === "give") {
      if (effect !== "none") this.#given = "maybe";
      const mayAsk = failed.kind === "vault" && this.#given !== "no";
      this.#isTakenBack = mayAsk && (await this.#asksVault(signal));
    }
    // A key that the vault did not return reached no end.
    if (action === "take" && failed.kind !== "vault") this.#ours = "unsure";
    // What keeps the change from going back matters more than why it goes back.
    this.#error = this.#explained(action, error, failed);
  }

  async #asksVault(signal: AbortSignal): Promise<boolean> {
    try {
      return await this.#run.isTakenBack(signal);
    } catch (error) {
      if (!(error instanceof LinksealError)) throw error;
      return false;
    }
  }

  /** The error that says what the unit has now. */
  #explained(action: TunnelAction, error: LinksealError, failed: TunnelFailure): LinksealError {
    if (action === "give") {
      const isOld = this.#given === "no" || this.#isTakenBack;
      return notGiven(this.#unit, error, isOld ? "old" : "either");
    }
    if (action !== "take" || failed.kind === "transport") return error;
    return refused(this.#unit, failed.cause, error);
  }

  /** @throws LinksealError what failed in this run; does nothing if nothing did. */
  throwFailure(): void {
    if (this.#error !== undefined) throw this.#error;
  }
}

const refusals: ReadonlySet<string> = new Set(["device.rejected", "verify.timeout"]);

function kindOf(code: string): TunnelFailure["kind"] {
  if (code.startsWith("vault.")) return "vault";
  return code.startsWith("transport.") ? "transport" : "other";
}
