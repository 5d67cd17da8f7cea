// Key material as a private byte field, because printing, inspecting, cloning and encoding a value
// do not reveal one.

import { inspect } from "node:util";

/** Bytes that cannot be printed, compared by accident or coerced to text, and that can be wiped. */
export class Secret implements Disposable {
  #bytes: Uint8Array | undefined;
  readonly label: string;
  readonly byteLength: number;

  private constructor(label: string, bytes: Uint8Array) {
    this.#bytes = bytes;
    this.label = label;
    this.byteLength = bytes.length;
  }

  /** Copies the bytes into a new Secret and wipes the source. */
  static take(label: string, bytes: Uint8Array): Secret {
    const own = Uint8Array.from(bytes);
    bytes.fill(0);
    return new Secret(label, own);
  }

  /**
   * Lends the bytes to `f`. A test lists the files that may call it.
   * @throws Error if the secret was already wiped.
   */
  use<T>(f: (bytes: Readonly<Uint8Array>) => T): T {
    if (this.#bytes === undefined) throw new Error(`the secret ${this.label} was already wiped`);
    return f(this.#bytes);
  }

  /** Returns an independent copy with its own lifetime. */
  copy(): Secret {
    return this.use((bytes) => new Secret(this.label, Uint8Array.from(bytes)));
  }

  /** Returns whether both have the same bytes, in constant time for equal lengths. */
  equals(other: Secret): boolean {
    return this.use((mine) =>
      other.use((theirs) => {
        if (mine.length !== theirs.length) return false;
        let difference = 0;
        for (let i = 0; i < mine.length; i += 1) difference |= (mine[i] ?? 0) ^ (theirs[i] ?? 0);
        return difference === 0;
      }),
    );
  }

  /** Wipes the bytes; later uses throw. */
  [Symbol.dispose](): void {
    this.#bytes?.fill(0);
    this.#bytes = undefined;
  }

  /** Returns the label, so that JSON never contains the bytes. */
  toJSON(): string {
    return `[secret ${this.label}]`;
  }

  [inspect.custom](): string {
    return `[secret ${this.label}]`;
  }

  // A silent placeholder would be sent to a router as the key, so coercion is an error.
  [Symbol.toPrimitive](): never {
    throw new TypeError(`the secret ${this.label} cannot become text`);
  }
}

/** How a transport writes the bytes of a hole; `json`: printable ASCII inside a JSON string. */
export type SecretForm = "raw" | "hex" | "HEX" | "json";

/** A place in a text that only a transport fills. */
export interface SecretHole {
  /** The secret that fills it. */
  readonly secret: Secret;
  /** The form in which it is written. */
  readonly as: SecretForm;
}

/** Text with holes: previews and logs print the segments, and only a transport fills the holes. */
export type Command = readonly (string | SecretHole)[];

/** Builds a Command from a template; numbers and strings are text, holes stay holes. */
export function command(
  text: TemplateStringsArray,
  ...values: readonly (string | number | SecretHole)[]
): Command {
  const segments: (string | SecretHole)[] = [];
  text.forEach((piece, index) => {
    if (piece !== "") segments.push(piece);
    const value = values[index];
    if (value !== undefined) segments.push(typeof value === "number" ? String(value) : value);
  });
  return segments;
}

/** Returns the text of a command with every secret replaced by its label. */
export function preview(lines: Command): string {
  return lines.map((part) => (typeof part === "string" ? part : part.secret.toJSON())).join("");
}
