// What systemd holds of a linkseal-mka that ends: the memory that its successor begins with.

import { closeSync } from "node:fs";
import { native } from "../lab.ts";

/** What the manager sends itself: a read beyond the last notification would wait for seconds. */
const end = "END";

export class ServiceManager implements Disposable {
  /** What a process gets as NOTIFY_SOCKET. */
  readonly address: string;
  readonly #notices: number;
  #held: number | undefined;

  constructor(address: string) {
    this.address = address;
    this.#notices = native.listenNotices(address);
  }

  /** Returns the descriptor that a process handed over; undefined = none did. */
  held(): number | undefined {
    native.notify(this.address, end, []);
    for (;;) {
      const { text, descriptors } = native.takeNotice(this.#notices);
      if (text === end) return this.#held;
      for (const descriptor of descriptors) {
        this.#close();
        this.#held = descriptor;
      }
    }
  }

  /** Forgets what it holds, as the end of the host does. */
  forget(): void {
    this.held();
    this.#close();
  }

  #close(): void {
    if (this.#held !== undefined) closeSync(this.#held);
    this.#held = undefined;
  }

  [Symbol.dispose](): void {
    this.forget();
    closeSync(this.#notices);
  }
}

/** Runs its arguments as the process whose number the variables name. */
export const knowingItself = ["sh", "-c", 'LISTEN_PID=$$ exec "$@"', "sh"] as const;

/** The variables that name the manager, and the memory as the first descriptor behind stderr. */
export function handed(
  address: string | undefined,
  held: number | undefined,
): Readonly<Record<string, string>> {
  return {
    ...(address === undefined ? {} : { NOTIFY_SOCKET: address }),
    ...(held === undefined ? {} : { LISTEN_FDS: "1", LISTEN_FDNAMES: "mka-memory" }),
  };
}
