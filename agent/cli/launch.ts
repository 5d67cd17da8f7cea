// The services and other programs, which verbs start but this folder does not import. The main
// module passes them in, and loads each on demand.

import type { LogLevel } from "#hal/world.ts";
import type { Rehearsal, RehearsalRequest } from "../runtime/campaigns/rehearsal-shape.ts";
import type { MkaCommandLine } from "./mka-options.ts";

interface DaemonOptions {
  readonly socket: string | undefined;
  /** The user who may ask, by name or number; undefined = the user who may ask the agent. */
  readonly client: string | undefined;
  readonly level: LogLevel;
}

/** The verbs of registerServices. */
export const services: readonly string[] = ["agent", "net", "guard", "mka", "peer"];

/** Starts the services. A service runs until it is stopped, and resolves to its exit status. */
export interface ServiceLaunch {
  /** Runs the agent. */
  agent(options: { readonly site: string | undefined; readonly level: LogLevel }): Promise<number>;
  /** Runs linkseal-net. */
  net(options: DaemonOptions & { readonly charon: string | undefined }): Promise<number>;
  /** Lists what the kernel keeps of linkseal's settings, one line each. */
  held(level: LogLevel): Promise<readonly string[]>;
  /** Sets the blocks of the last boot again, or removes that of one prefix; resolves to 0. */
  guard(options: {
    readonly release: string | undefined;
    readonly level: LogLevel;
  }): Promise<number>;
  /** Runs linkseal-mka for one port. */
  mka(options: MkaCommandLine): Promise<number>;
  /** Serves an agent on another host. */
  peer(
    options: DaemonOptions & {
      readonly net: string | undefined;
      readonly charon: string | undefined;
    },
  ): Promise<number>;
  /** Joins the SSH session of an agent to the server of this host; resolves to 0. */
  join(socket: string | undefined): Promise<number>;
}

/** Starts the services, and has what the verbs take from other programs. */
export interface Launch extends ServiceLaunch {
  /** Rehearses a rotation on a simulated copy of the site. */
  rehearse(request: RehearsalRequest): Promise<Rehearsal>;
  /** Names of the faults that a simulated site knows; empty without the laboratory. */
  readonly faults: readonly string[];
}
