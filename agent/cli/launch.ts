// What verbs start and this folder does not know: the daemons and the simulator. A root brings it,
// and loads each on demand.

import type { Command } from "commander";
import type { LogLevel } from "#hal/world.ts";
import type { Rehearsal, RehearsalOptions } from "../runtime/campaigns/rehearsal-shape.ts";

interface DaemonOptions {
  readonly socket: string | undefined;
  /** The user who may ask, by name or number; undefined = the one who may ask the agent. */
  readonly client: string | undefined;
  readonly level: LogLevel;
}

/** Each daemon runs until it is stopped, and resolves to its exit status. */
export interface Launch {
  agent(options: { readonly site: string | undefined; readonly level: LogLevel }): Promise<number>;
  net(options: DaemonOptions & { readonly charon: string | undefined }): Promise<number>;
  /** What the kernel holds of ours, a line each. */
  held(level: LogLevel): Promise<readonly string[]>;
  /** Puts the blocks of the last boot, or takes away those of one prefix. */
  guard(options: {
    readonly release: string | undefined;
    readonly level: LogLevel;
  }): Promise<number>;
  mka(
    options: DaemonOptions & { readonly port: string; readonly keyCache: string | undefined },
  ): Promise<number>;
  rehearse(options: RehearsalOptions): Promise<Rehearsal>;
  registerSim(program: Command): void;
}
