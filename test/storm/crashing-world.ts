// A crash-injecting World: at one chosen call it stops answering for ever, before the call or after
// its effect.

import type { ByteChannel, Dialer, Disk, World } from "#hal/world.ts";

/** `during`: the call is under way; a write is torn at some octet. */
export type Death = "before" | "during" | "after";

export interface CrashPoint {
  readonly call: number;
  readonly when: Death;
}

function forever(): Promise<never> {
  return new Promise(() => undefined);
}

/**
 * Counts every `Disk` and `Dialer` call; once dead, neither these nor its clock ever answer again.
 */
export class CrashingWorld {
  calls = 0;
  dead = false;
  /** The call that was being made at the crash. */
  lastCall = "";
  readonly world: World;
  #crashPoint: CrashPoint | undefined;
  readonly #onDeath: () => void;
  readonly #onCall: (what: string) => void;

  constructor(
    real: World,
    crashPoint: CrashPoint | undefined,
    onDeath: () => void = () => undefined,
    onCall: (what: string) => void = () => undefined,
  ) {
    this.#crashPoint = crashPoint;
    this.#onDeath = onDeath;
    this.#onCall = onCall;
    this.world = {
      entropy: real.entropy,
      clock: {
        now: () => real.clock.now(),
        wall: () => real.clock.wall(),
        sleep: async (ms, signal) => {
          if (this.dead) return await forever();
          await real.clock.sleep(ms, signal);
          return this.dead ? await forever() : undefined;
        },
        alarm: (ms, ring) => {
          if (this.dead) return () => undefined;
          return real.clock.alarm(ms, () => {
            if (!this.dead) ring();
          });
        },
      },
      disk: this.#disk(real.disk),
      dial: this.#dial(real.dial),
      log: {
        write: (level, code, text, fields) => {
          if (!this.dead) real.log.write(level, code, text, fields);
        },
      },
    };
  }

  /** Arms the crash: it happens at the n-th call from now. */
  doom({ call, when }: CrashPoint): void {
    this.#crashPoint = { call: this.calls + call, when };
  }

  /** Disarms the crash; `kill` still works. */
  spare(): void {
    this.#crashPoint = undefined;
  }

  /**
   * The moment of the armed crash that has happened; undefined if it lives, or was killed from
   * outside.
   */
  get diedBy(): Death | undefined {
    return this.lastCall === "" ? undefined : this.#crashPoint?.when;
  }

  /** Kills it from outside, as a power cut would. */
  kill(): void {
    if (this.dead) return;
    this.dead = true;
    this.#onDeath();
  }

  async #call<T>(what: string, run: () => Promise<T>): Promise<T> {
    if (this.dead) return await forever();
    this.calls += 1;
    const mine = this.calls;
    this.#onCall(what);
    if (this.#crashPoint?.call === mine) this.lastCall = what;
    if (this.#crashPoint?.call === mine && this.#crashPoint.when === "before") {
      this.kill();
      return await forever();
    }
    if (this.#crashPoint?.call === mine && this.#crashPoint.when === "during") {
      run().catch(() => undefined);
      this.kill();
      return await forever();
    }
    const result = await run();
    if (this.#crashPoint?.call === mine) this.kill();
    return this.dead ? await forever() : result;
  }

  #disk(real: Disk): Disk {
    return {
      read: (name) => this.#call(`read ${name}`, () => real.read(name)),
      list: (prefix) => this.#call(`list ${prefix}`, () => real.list(prefix)),
      append: (name, bytes) => this.#call(`append ${name}`, () => real.append(name, bytes)),
      replace: (name, bytes) => this.#call(`replace ${name}`, () => real.replace(name, bytes)),
    };
  }

  #dial(real: Dialer): Dialer {
    return {
      http: (request, signal) =>
        this.#call(`${request.method} ${request.path}`, () => real.http(request, signal)),
      routeTo: (address, signal) =>
        this.#call(`route to ${address}`, () => real.routeTo(address, signal)),
      resolve: (host, signal) => this.#call(`resolve ${host}`, () => real.resolve(host, signal)),
      exec: (argv, stdin, signal) =>
        this.#call(`run ${argv[0]}`, () => real.exec(argv, stdin, signal)),
      framed: (question, signal) =>
        this.#call(`ask ${question.path}`, () => real.framed(question, signal)),
      stream: (path, signal) => this.#call(`open ${path}`, () => real.stream(path, signal)),
      channel: (to, kind, signal) =>
        this.#call(`${kind} of ${to.device}`, async () =>
          this.#channel(to.device, await real.channel(to, kind, signal)),
        ),
      snmp: (to, question, signal) =>
        this.#call(`snmp of ${to.device}`, () => real.snmp(to, question, signal)),
    };
  }

  #channel(device: string, real: ByteChannel): ByteChannel {
    return {
      write: (text, signal) => this.#call(`write to ${device}`, () => real.write(text, signal)),
      read: (signal) => this.#call(`read from ${device}`, () => real.read(signal)),
      [Symbol.asyncDispose]: () => real[Symbol.asyncDispose](),
    };
  }
}
