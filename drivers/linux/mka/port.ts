// One KaY on one port: it finds the SecY, carries frames and operations between the KaY and the
// kernel, and runs its timers. All access to the KaY is serialised.

import { LinksealError } from "#hal/error.ts";
import { encodeJson } from "#hal/json.ts";
import { type Clock, type Entropy, type Instant, instantAfter, type Log } from "#hal/world.ts";
import type { KernelSockets } from "../macsec/kernel-observation.ts";
import { lifeMs } from "./actor.ts";
import { Kay } from "./kay.ts";
import type {
  CommandRefusal,
  KayCommand,
  KayEvent,
  KayObservation,
  KayOutput,
  KaySettings,
} from "./kay-types.ts";
import type { HeldSecy, SecyOperation, SecyReport } from "./operations.ts";
import { type FoundSecy, findSecy, SecyEdge, type SecyPlace, wipe } from "./secy-edge.ts";
import { copyOf, type KaySnapshot, wipeSnapshot } from "./snapshot.ts";
import type { OwnSettings, PortState } from "./staging.ts";

export interface PortFrames extends Disposable {
  /**
   * Sends a frame.
   * @throws LinksealError `transport.closed` if the port does not accept it
   */
  send(frame: Uint8Array): void;
  /** Delivers the waiting frames at once; if there are many, it begins to. */
  takeWaiting(): void;
  /**
   * Returns the data frames that came in at the port in the clear since the last call. The kernel
   * counts them apart from EAPOL and from control of the link (LLDP, LACP, spanning tree, CDP), so
   * that neither falsifies the count, not even a flood.
   */
  takeClear(): bigint;
}

interface FrameListener {
  frame(octets: Uint8Array): void;
  trouble(errno: number): void;
}

export interface PortParts {
  readonly port: string;
  readonly sockets: KernelSockets;
  /** Opens EAPOL on the link with this index. */
  readonly openFrames: (port: number, listener: FrameListener) => PortFrames;
  readonly clock: Pick<Clock, "now" | "alarm" | "sleep">;
  readonly entropy: Entropy;
  readonly log: Log;
  readonly settings: OwnSettings;
  /** The snapshot of a predecessor; wiped once it was taken over. */
  readonly snapshot?: KaySnapshot;
  /** Called when there is new state to store. Absent = the state is not stored. */
  readonly remember?: () => void;
}

export type PortObservation =
  /** `because`: what is missing; `unclear` = several SecYs, or one of an unknown kind. */
  | { readonly kind: "waiting"; readonly because: Exclude<FoundSecy["kind"], "found"> }
  | {
      readonly kind: "bound";
      readonly secy: SecyPlace;
      readonly kay: KayObservation;
      /** `long`: no frame has come under the SAK in use for a life time. */
      readonly silence: "long" | "none";
      /**
       * Data frames in the clear since the SecY was bound; undefined = the port cannot be heard.
       */
      readonly clear: bigint | undefined;
    };

/** Why a command was not carried out. */
export type PortRefusal = CommandRefusal | "noSecy";

type Waiting = Exclude<FoundSecy["kind"], "found">;

const pollMs = { on: 500, off: 1000 } as const;
/** Change notifications may be lost; a port without its SecY waits for nothing else. */
const checkMs = { bound: 5000, waiting: 1000 } as const;
/** The shortest time between observations, however many links change. */
const checksApartMs = 50;
const framesMax = 256;

export class MkaPort {
  readonly #parts: PortParts;
  /** An exchange with the kernel is never aborted halfway. */
  readonly #never = new AbortController().signal;
  #settings: OwnSettings;
  #snapshot: KaySnapshot | undefined;
  #because: Waiting = "noSecy";
  #kay: Kay | undefined;
  /** The SecY that the KaY has or had. */
  #place: SecyPlace | undefined;
  #edge: SecyEdge | undefined;
  #frames: { readonly port: number; readonly channel: PortFrames } | undefined;
  #heard: Uint8Array[] = [];
  #checkAt: Instant;
  #pollAt: Instant;
  #silentSince: Instant | undefined;
  /** Data frames in the clear since the SecY was bound. */
  #clear = 0n;
  #turn: Promise<unknown> = Promise.resolve();
  /** Ends the present rest. */
  #wake: () => void = () => undefined;
  #changes = 0;
  #rounds = 0;
  /** Called at the next change. */
  readonly #onChange = new Set<() => void>();
  #defect: { readonly error: unknown } | undefined;

  constructor(parts: PortParts) {
    this.#parts = parts;
    this.#settings = parts.settings;
    this.#snapshot = parts.snapshot;
    this.#checkAt = parts.clock.now();
    this.#pollAt = this.#checkAt;
  }

  /** Runs until the signal aborts; throws if the state of the SecY is not known any more. */
  async run(signal: AbortSignal): Promise<void> {
    signal.addEventListener("abort", () => this.#wake(), { once: true });
    try {
      while (!signal.aborted) {
        await this.#alone(() => this.#round());
        this.#rounds += 1;
        if (this.#defect !== undefined) throw this.#defect.error;
        await this.#rest(signal);
      }
    } finally {
      this.#closeFrames();
      this.#kay?.wipe();
    }
  }

  get rounds(): number {
    return this.#rounds;
  }

  /** Records that a link of this host may have changed. */
  noteChange(): void {
    const soon = instantAfter(this.#parts.clock.now(), checksApartMs);
    if (this.#checkAt <= soon) return;
    this.#checkAt = soon;
    this.#wake();
  }

  get settings(): OwnSettings {
    return this.#settings;
  }

  /** Resolves once the outputs were carried out; undefined = the command was obeyed. */
  command(command: Exclude<KayCommand, { kind: "configure" }>): Promise<PortRefusal | undefined> {
    return this.#asked(async () => {
      if (this.#kay === undefined) return this.#forget(command);
      const outputs = this.#kay.command(command, this.#now());
      await this.#take(outputs);
      return outputs.flatMap((output) =>
        output.kind === "event" && output.event.kind === "commandRefused" ? [output.event.why] : [],
      )[0];
    });
  }

  /** Lends the present state for the duration of the call. */
  weigh<T>(f: (state: PortState) => T): Promise<T> {
    return this.#asked(async () => {
      const snapshot = this.snapshot();
      const session = this.#kay?.observe(this.#now()).session;
      try {
        return f({
          keys: snapshot?.actors ?? [],
          principal: session?.principalCkn,
          keyServer: session?.keyServer ?? "none",
          settings: this.#settings,
        });
      } finally {
        if (snapshot !== undefined) wipeSnapshot(snapshot);
      }
    });
  }

  configure(settings: OwnSettings): Promise<void> {
    return this.#asked(async () => {
      this.#settings = settings;
      await this.#applySettings();
      this.#parts.remember?.();
    });
  }

  observe(): Promise<PortObservation> {
    return this.#asked(async () => {
      const [kay, secy] = [this.#kay, this.#place];
      if (kay === undefined || secy === undefined) {
        return { kind: "waiting", because: this.#because };
      }
      const now = this.#now();
      const since = this.#silentSince;
      const isLong = since !== undefined && now >= instantAfter(since, lifeMs);
      const silence = isLong ? "long" : "none";
      return { kind: "bound", secy, kay: kay.observe(now), silence, clear: this.#countClear() };
    });
  }

  /** Returns a snapshot that the caller wipes; undefined if there never was a SecY. */
  snapshot(): KaySnapshot | undefined {
    if (this.#kay !== undefined) return this.#kay.snapshot(this.#now());
    return this.#snapshot === undefined ? undefined : copyOf(this.#snapshot);
  }

  // A predecessor's snapshot waits for its SecY, and may lose a key again in the meantime.
  #forget(command: KayCommand): PortRefusal | undefined {
    const snapshot = this.#snapshot;
    if (snapshot === undefined || command.kind !== "removeActor") return "noSecy";
    const gone = snapshot.actors.filter(({ ckn }) => ckn === command.ckn);
    wipeSnapshot({ ...snapshot, actors: gone });
    const actors = snapshot.actors.filter((actor) => !gone.includes(actor));
    this.#snapshot = { ...snapshot, actors };
    return gone.length === 0 ? "unknownCkn" : undefined;
  }

  /**
   * Returns how many changes happened so far, once there are more than `after`, or after the wait.
   */
  async changes(after: number, waitMs: number, signal: AbortSignal): Promise<number> {
    if (this.#changes <= after && !signal.aborted) await this.#nextChange(waitMs, signal);
    return this.#changes;
  }

  #nextChange(waitMs: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const end = (): void => {
        cancel();
        signal.removeEventListener("abort", end);
        this.#onChange.delete(end);
        resolve();
      };
      const cancel = this.#parts.clock.alarm(waitMs, end);
      signal.addEventListener("abort", end, { once: true });
      this.#onChange.add(end);
    });
  }

  #now(): Instant {
    return this.#parts.clock.now();
  }

  #alone<T>(act: () => Promise<T>): Promise<T> {
    const turn = this.#turn.then(act);
    this.#turn = turn.catch(() => undefined);
    return turn;
  }

  // The client has often just changed the SecY, and the kernel's notification may come later than
  // the request, so each act observes first.
  //
  // If an act fails halfway, the state of the SecY is not known any more: `run` ends with the
  // error.
  #asked<T>(act: () => Promise<T>): Promise<T> {
    return this.#alone(async () => {
      try {
        await this.#checkSecy();
        return await act();
      } catch (error) {
        this.#defect = { error };
        throw error;
      } finally {
        this.#wake();
      }
    });
  }

  async #rest(signal: AbortSignal): Promise<void> {
    if (this.#heard.length > 0 || signal.aborted) return;
    const now = this.#now();
    const polls = this.#edge === undefined ? [] : [this.#pollAt];
    const wakes = [this.#kay?.wakeAt(now), this.#checkAt, ...polls];
    const next = Math.min(...wakes.filter((moment) => moment !== undefined));
    if (next <= now) return;
    // A promise that outlives the rest would keep what waited for it.
    const { promise, resolve } = Promise.withResolvers<void>();
    const cancel = this.#parts.clock.alarm(Math.ceil(next - now), resolve);
    this.#wake = resolve;
    await promise;
    cancel();
  }

  async #round(): Promise<void> {
    if (this.#now() >= this.#checkAt) await this.#checkSecy();
    // If this process did not run for a while, the peer has not fallen silent: its waiting frames
    // are read before any peer is given up.
    this.#frames?.channel.takeWaiting();
    for (let frame = this.#heard.shift(); frame !== undefined; frame = this.#heard.shift()) {
      if (this.#kay !== undefined) await this.#take(this.#kay.receive(frame, this.#now()));
    }
    if (this.#edge !== undefined && this.#now() >= this.#pollAt) await this.#poll();
    if (this.#kay !== undefined) await this.#take(this.#kay.tick(this.#now()));
  }

  async #checkSecy(): Promise<void> {
    const { port, sockets, log } = this.#parts;
    const found = await findSecy(sockets.routes, port, this.#never);
    const isBound = found.kind === "found" && this.#listenOn(found.place.port);
    this.#checkAt = instantAfter(this.#now(), isBound ? checkMs.bound : checkMs.waiting);
    if (found.kind !== "found") {
      if (found.kind === "unclear" && this.#because !== "unclear") {
        log.write("warn", "secy-unclear", `which SecY of ${port} counts is not known`);
      }
      this.#because = found.kind;
      await this.#lose();
      if (found.kind === "noPort") this.#closeFrames();
      return;
    }
    if (isBound) await this.#bind(found.place);
  }

  async #bind(place: SecyPlace): Promise<void> {
    const old = this.#edge?.place;
    if (old !== undefined && isSameDevice(old, place)) {
      if (encodeJson(old) === encodeJson(place)) return;
      this.#edge?.change(place);
      this.#place = place;
      await this.#applySettings();
      return;
    }
    await this.#lose();
    const edge = await SecyEdge.open(place, this.#parts.sockets, this.#never);
    const held = await edge?.observe(this.#never);
    if (edge === undefined || held === undefined) return;
    const former = this.#place;
    this.#edge = edge;
    this.#place = place;
    this.#pollAt = this.#now();
    this.#frames?.channel.takeClear();
    this.#clear = 0n;
    const { name, sci, suite } = place;
    this.#parts.log.write("info", "secy-bound", `binds ${name}`, { sci, suite });
    if (this.#kay !== undefined && former?.sci === sci) await this.#renew(this.#kay);
    else await this.#begin(place, held);
  }

  // The KaY knows already that the former device is gone.
  async #renew(kay: Kay): Promise<void> {
    await this.#applySettings();
    await this.#take(kay.report({ kind: "ready" }, this.#now()));
  }

  async #begin(place: SecyPlace, held: HeldSecy): Promise<void> {
    const { entropy } = this.#parts;
    const now = this.#now();
    // Under another SCI the same CAs continue as other members.
    const snapshot = this.#kay?.snapshot(now) ?? this.#snapshot;
    this.#snapshot = undefined;
    const settings = this.#settingsOn(place);
    const before = snapshot === undefined ? {} : { snapshot };
    const kay = new Kay({ sci: place.sci, settings, entropy, now, held, ...before });
    if (snapshot !== undefined) wipeSnapshot(snapshot);
    this.#kay?.wipe();
    this.#kay = kay;
    await this.#take(kay.tick(now));
  }

  #settingsOn({ suite, includeSci, replayWindow }: SecyPlace): KaySettings {
    return { ...this.#settings, suite, includeSci, replayWindow };
  }

  async #applySettings(): Promise<void> {
    const [kay, place] = [this.#kay, this.#place];
    if (kay === undefined || place === undefined) return;
    const settings = this.#settingsOn(place);
    await this.#take(kay.command({ kind: "configure", settings }, this.#now()));
  }

  async #lose(): Promise<void> {
    if (this.#edge === undefined) return;
    this.#edge = undefined;
    this.#silentSince = undefined;
    this.#parts.log.write("warn", "secy-lost", `the SecY of ${this.#parts.port} is gone`);
    if (this.#kay !== undefined) await this.#take(this.#kay.report({ kind: "lost" }, this.#now()));
  }

  /** Returns false if the port went away since it was observed. */
  #listenOn(port: number): boolean {
    if (this.#frames?.port === port) return true;
    this.#closeFrames();
    try {
      const channel = this.#parts.openFrames(port, {
        frame: (octets) => this.#onFrame(octets),
        // The port is down or away: an observation shows it, and sending is refused meanwhile.
        trouble: () => this.noteChange(),
      });
      this.#frames = { port, channel };
      return true;
    } catch (error) {
      if (!(error instanceof Error && "errno" in error)) throw error;
      this.#parts.log.write("warn", "port-unreachable", error.message);
      return false;
    }
  }

  #closeFrames(): void {
    this.#frames?.channel[Symbol.dispose]();
    this.#frames = undefined;
  }

  // A flood on the port makes us lose frames and nothing else.
  #onFrame(octets: Uint8Array): void {
    if (this.#heard.length < framesMax) this.#heard.push(Uint8Array.from(octets));
    this.#wake();
  }

  async #poll(): Promise<void> {
    this.#pollAt = instantAfter(this.#now(), pollMs[this.#settings.delayProtection]);
    const held = await this.#edge?.observe(this.#never);
    if (held === undefined) {
      await this.#checkSecy();
      return;
    }
    this.#silentSince = held.received === 0n ? (this.#silentSince ?? this.#now()) : undefined;
    if (this.#kay !== undefined) await this.#take(this.#kay.compare(held, this.#now()));
  }

  #countClear(): bigint | undefined {
    if (this.#frames === undefined) return undefined;
    this.#clear += this.#frames.channel.takeClear();
    return this.#clear;
  }

  async #take(outputs: readonly KayOutput[]): Promise<void> {
    const kay = this.#kay;
    for (let todo = outputs; todo.length > 0; ) {
      const reports: SecyReport[] = [];
      for (const output of todo) {
        if (output.kind === "secy") reports.push(await this.#carryOut(output.id, output.operation));
        else this.#hand(output);
      }
      todo = reports.flatMap((report) => kay?.report(report, this.#now()) ?? []);
    }
  }

  async #carryOut(id: number, operation: SecyOperation): Promise<SecyReport> {
    const edge = this.#edge;
    if (edge === undefined) wipe(operation);
    const errno = edge === undefined ? "ENODEV" : await edge.carryOut(operation, this.#never);
    if (errno === undefined) return { kind: "done", id };
    if (errno === "ENODEV") this.noteChange();
    return { kind: "refused", id, errno };
  }

  #hand(output: Exclude<KayOutput, { kind: "secy" }>): void {
    switch (output.kind) {
      case "send":
        this.#send(output.frame);
        return;
      case "remember":
        this.#parts.remember?.();
        return;
      case "event":
        this.#note(output.event);
        return;
    }
  }

  #send(frame: Uint8Array): void {
    try {
      this.#frames?.channel.send(frame);
    } catch (error) {
      // A port that is down refuses the frame; the next one follows in two seconds.
      if (!(error instanceof LinksealError)) throw error;
      this.#parts.log.write("debug", error.code, error.message);
    }
  }

  #note(event: KayEvent): void {
    this.#changes += 1;
    for (const end of this.#onChange) end();
    const bad = /Refused|Lost|Contradicts|Changed/.test(event.kind);
    const { kind, ...fields } = event;
    this.#parts.log.write(bad ? "warn" : "info", `mka-${codeOf(kind)}`, words(kind), plain(fields));
  }
}

const words = (kind: string): string =>
  kind.replaceAll(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
const codeOf = (kind: string): string => words(kind).replaceAll(" ", "-");

function plain(fields: object): Record<string, string | number> {
  const simple = Object.entries(fields).map(([name, value]: [string, unknown]) => {
    const isSimple = typeof value === "string" || typeof value === "number";
    return [name, isSimple ? value : encodeJson(value ?? null)] as const;
  });
  return Object.fromEntries(simple);
}

function isSameDevice(a: SecyPlace, b: SecyPlace): boolean {
  return a.device === b.device && a.port === b.port && a.sci === b.sci && a.suite === b.suite;
}
