// A kernel with ports that go up and down in memory, for the kernel applier of linkseal-net.

import type { KernelApplier } from "#drivers/linux/net/kernel-applier.ts";
import type { Memory } from "#drivers/linux/net/memory.ts";
import type { NetOperation } from "#drivers/linux/net/operation.ts";
import { LinksealError } from "#hal/error.ts";
import type { PortName } from "#hal/model.ts";
import type { SimClock } from "#sim/base/clock.ts";

export const shut = (port: PortName): NetOperation => ({ kind: "port.shut", port });
export const open = (port: PortName): NetOperation => ({ kind: "port.open", port });

export function portIn(operation: NetOperation): PortName {
  if ("port" in operation) return operation.port;
  throw new Error(`${operation.kind} is of no port`);
}

/** The point at which a process dies: the n-th act on the kernel, before or after its effect. */
export interface Death {
  readonly act: number;
  readonly when: "before" | "after";
}

/** The kernel, which outlives the processes that act on it. */
export class PretendKernel {
  readonly up = new Map<PortName, boolean>();
  /** The effective changes, in order. */
  readonly flips: NetOperation[] = [];
  /** The ports whose SecY was to be made again, for each request. */
  readonly raised: (readonly PortName[])[] = [];
  /** Acts from this one on are refused, so many of them. */
  refusals = { from: Number.POSITIVE_INFINITY, count: 0 };
  death: Death | undefined;
  applyMs = 0;
  /** Runs before an act has its effect. */
  onApply: (operation: NetOperation, memory: Memory) => Promise<void> = async () => {};
  #acts = 0;
  readonly #clock: SimClock;

  constructor(clock: SimClock, ports: readonly PortName[]) {
    this.#clock = clock;
    for (const port of ports) this.up.set(port, true);
  }

  /** The kernel applier of one process, which may die. */
  applier(): KernelApplier {
    const applier: KernelApplier = {
      resume: async (memory, signal) => {
        for (const { part: operation } of Object.values(memory.state.moves)) {
          await applier.apply(operation, memory, signal);
        }
      },
      raise: async (memory) => {
        if (memory.state.due.length === 0) return;
        this.raised.push(memory.state.due);
        await memory.remember({ due: [] });
      },
      undoOf: async (operation) => {
        const { kind } = operation;
        const port = portIn(operation);
        const isUp = this.#isUp(port);
        if (kind === "port.shut") return isUp ? open(port) : undefined;
        return isUp ? undefined : shut(port);
      },
      apply: async (operation, memory, signal) => {
        await this.onApply(operation, memory);
        if (this.applyMs > 0) await this.#clock.sleep(this.applyMs, signal);
        signal.throwIfAborted();
        await this.#act(operation);
      },
    };
    return applier;
  }

  async #act(operation: NetOperation): Promise<void> {
    const { kind } = operation;
    const port = portIn(operation);
    const act = this.#acts++;
    const dies = this.death?.act === act ? this.death.when : undefined;
    if (dies === "before") await new Promise<never>(() => {});
    const { from, count } = this.refusals;
    if (act >= from && act < from + count) throw refusal(`act ${act} is refused`);
    const wanted = kind === "port.open";
    if (this.#isUp(port) !== wanted) this.flips.push(operation);
    this.up.set(port, wanted);
    if (dies === "after") await new Promise<never>(() => {});
  }

  #isUp(port: PortName): boolean {
    const isUp = this.up.get(port);
    if (isUp === undefined) throw refusal(`no port ${port}`);
    return isUp;
  }

  /** Refuses the next act, or so many together. */
  refuse(count: number, after = 0): void {
    this.refusals = { from: this.#acts + after, count };
  }
}

function refusal(text: string): LinksealError {
  return new LinksealError("device.rejected", text, { effect: "none", where: "p1", next: "look" });
}
