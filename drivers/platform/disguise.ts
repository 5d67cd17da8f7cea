// Makes replies of devices fit to show outside. It is an allow-list: words of a platform's grammar
// and numbers stay, everything else becomes `w1`, `w2`, ..., the same word for the same text, and a
// line that may hold a secret is cut. The class of each word is kept, so that a reader can be given
// a word of the same class.

import { isIPv4, isIPv6 } from "node:net";

/** The class of a disguised word: `hex24` = 24 hexadecimal digits. */
export type WordClass =
  | ("name" | "ipv4" | "ipv6" | "mac" | "macDotted" | "number")
  /** A number of JSON, which has no quotes. */
  | "jsonNumber"
  | `hex${number}`;

const classPattern = /^(?:name|ipv4|ipv6|mac|macDotted|number|jsonNumber|hex[1-9]\d{0,2})$/;

/** Returns whether a text names a class of words. */
export function isWordClass(text: unknown): text is WordClass {
  return typeof text === "string" && classPattern.test(text);
}

/**
 * Statements that hold a secret, in whatever form: plain, of type 5 to 9, `$9$`. Transforms of ESP
 * name MD5 without a secret.
 */
const secretPattern = new RegExp(
  [
    "pass(?:word|phrase|wd)",
    "secret",
    "key[- ]?(?:string|octet)",
    "pre[- ]?shared",
    "shared[- ]?key",
    String.raw`\bpsk\b|-psk\b`,
    String.raw`\$\d{1,2}\$`,
    // Type 5 to 9 in front of a text that has letters and digits.
    String.raw`\b[5-9] (?=\S*[A-Za-z])(?=\S*\d)\S{6,}`,
    "communit",
    String.raw`(?<!esp-|hmac-)\bmd5\b`,
    "radius|tacacs|kerberos|ldap",
    "auth(?:entication)?[- ]?(?:key|phrase)",
    "priv(?:ate)?[- ]?key",
    "certificate|credential|hash-algorithm",
    String.raw`\bsnmp`,
  ].join("|"),
  "i",
);

/** Returns whether a line may hold a secret. */
export function maybeSecret(line: string): boolean {
  return secretPattern.test(line);
}

/** What identifies a site or a device although it is a number. */
const identifiers = new RegExp(
  String.raw`\b(?:(?:peer|local|remote)?-?asn?(?: number)?|SCI|RxSC \d{1,6}|router ID|serial)\b` +
    String.raw`\W{0,40}$`,
  "i",
);

const separators = /[^\s,;()[\]{}"'<>=|*#]+/g;
const margins = /^([!-/:-@[-`{-~]*)(.*?)([!-/:-@[-`{-~]*)$/s;
const address = /^(\d{1,3}(?:\.\d{1,3}){3}|[0-9a-fA-F:]*:[0-9a-fA-F:.]*)([/+:]\d{1,5})?$/;
const dottedMac = /^([0-9a-f]{4}(?:\.[0-9a-f]{4}){2})(\/\d{1,5})?$/i;
const mac = /^([0-9a-f]{2}(?::[0-9a-f]{2}){5})((?:\/|::)\d{1,5})?$/i;
const hexadecimal = /^([0-9a-f]{8,512})(\/\d{1,10})?$/i;
const shortHex = /^0x[0-9a-f]{1,8}$/i;
/** The id of a configuration session of IOS XR. */
const sessionId = /^[0-9a-f]{8}(?:-[0-9a-f]{8}){2}$/i;
const plainNumber = /^\d{1,20}(?:[./:-]\d{1,20}){0,5}%?$/;
const withUnit = /^(?:\d{1,4}[ywdhms]){1,3}(?:\d{2}[hms])?$|^\d{1,12}(?:[KMG]b?|[kmg])(?:\/s)?$/;
const release =
  /^\d{1,2}(?:\.\d{1,3}){1,3}[A-Za-z]?$|^\d{2}\.\d[RFX]\d{1,2}(?:[.-]S?\d{1,3})*(?:-EVO)?$/;
const digitsMax = 20;

type Json = { readonly [name: string]: Json } | readonly Json[] | string | number | boolean | null;

/** The words of one bundle, which its replies share. */
interface Shared {
  readonly byText: Map<string, string>;
  readonly classes: WordClass[];
}

/** Disguises the words of texts, all of one bundle alike. */
export class Disguise {
  readonly #shared: Shared;
  readonly #vocabulary: ReadonlySet<string>;

  constructor(
    shared: Shared = { byText: new Map(), classes: [] },
    vocabulary: ReadonlySet<string> = new Set(),
  ) {
    this.#shared = shared;
    this.#vocabulary = vocabulary;
  }

  /** Returns the words of a text: runs of letters, in either case. */
  static vocabulary(text: string): ReadonlySet<string> {
    return new Set((text.match(/[A-Za-z]+/g) ?? []).map((word) => word.toLowerCase()));
  }

  /** Returns a disguise with the same disguised words, under which these words stay. */
  knowing(vocabulary: ReadonlySet<string>): Disguise {
    return new Disguise(this.#shared, vocabulary);
  }

  /** The classes of the disguised words: that of `w1` first. */
  get classes(): readonly WordClass[] {
    return this.#shared.classes;
  }

  /** Disguises a text line by line; lines that may hold a secret are left out. */
  lines(text: string): string {
    return text
      .split("\n")
      .filter((line) => !maybeSecret(line))
      .map((line) => this.line(line))
      .join("\n");
  }

  /** Disguises one line; `before`: a name in front of it, which is known to stay. */
  line(text: string, before = ""): string {
    const full = `${before} ${text}`;
    const knows = (full.match(/[A-Za-z]{2,}/g) ?? []).some((word) => this.#isKnown(word));
    return text.replaceAll(separators, (token, index: number) => {
      const prefix = `${before} ${text.slice(0, index)}`;
      return this.#token(token, knows && !identifiers.test(prefix));
    });
  }

  /** Returns whether every part of a name is a word of the grammar. */
  knows(name: string): boolean {
    return this.#isGrammar(name);
  }

  /** Disguises a JSON value; members whose name may hold a secret are left out. */
  json(value: Json, name = ""): Json {
    if (value === null || typeof value === "boolean") return value;
    if (typeof value === "string") return this.line(value, name);
    if (typeof value === "number") {
      const stays = this.#isGrammar(name) && !identifiers.test(name);
      return stays ? value : this.#word(String(value), "jsonNumber");
    }
    if (isList(value)) {
      return value.filter((one) => !maybeSecret(textOf(one))).map((one) => this.json(one, name));
    }
    return Object.fromEntries(
      Object.entries(value)
        .filter(([key, inner]) => !maybeSecret(key) && !maybeSecret(textOf(inner)))
        .map(([key, inner]) => [this.line(key, "key"), this.json(inner, key)]),
    );
  }

  #token(token: string, numbersStay: boolean): string {
    const whole = this.#address(token);
    if (whole !== undefined) return whole;
    const [, lead = "", core = "", tail = ""] = margins.exec(token) ?? [];
    if (core === "") return token;
    return `${lead}${this.#core(core, numbersStay)}${tail}`;
  }

  #core(core: string, numbersStay: boolean): string {
    const found = this.#address(core);
    if (found !== undefined) return found;
    if (/^w\d+$/i.test(core)) return this.#word(core, "name");
    if (this.#isGrammar(core)) return core;
    const [, digits = "", index = ""] = hexadecimal.exec(core) ?? [];
    const isLong = digits.length > digitsMax || (digits !== "" && /[a-f]/i.test(digits));
    if (isLong) return /^0+$/.test(digits) ? core : this.#hex(digits) + index;
    // A table of routes has the name of its routing instance in front: `NAME.inet.0`.
    const [, owner = "", table = "", family = ""] =
      /^(.{1,200})(\.([A-Za-z]{2,20})\d?\.\d{1,2})$/.exec(core) ?? [];
    if (this.#isKnown(family)) return this.#word(owner, "name") + table;
    // The path of a file has the name of its disk or its protocol in front.
    const [, place = "", path = ""] = /^([a-z]{3,12}-?\d{0,2}:)(.{1,200})$/.exec(core) ?? [];
    if (path !== "" && this.#isGrammar(place)) return place + this.#word(path, "name");
    if (isNumber(core)) {
      if (numbersStay) return core;
      return /^\d{12,}$/.test(core) ? this.#hex(core) : this.#word(core, "number");
    }
    return this.#word(core, "name");
  }

  #address(text: string): string | undefined {
    const [, hexDotted, dottedIndex = ""] = dottedMac.exec(text) ?? [];
    if (hexDotted !== undefined) return this.#word(hexDotted, "macDotted") + dottedIndex;
    const [, hexMac, index = ""] = mac.exec(text) ?? [];
    if (hexMac !== undefined) return this.#word(hexMac, "mac") + index;
    const [, found = "", rest = ""] = address.exec(text) ?? [];
    // The address that means every address names no one.
    if (found === "0.0.0.0" || found === "::") return text;
    if (isIPv4(found)) return this.#word(found, "ipv4") + rest;
    if (isIPv6(found)) return this.#word(found, "ipv6") + rest;
    return isIPv6(text) ? this.#word(text, "ipv6") : undefined;
  }

  /** Words of the grammar with numbers in and between them: `GCM-AES-256`, `et-0/0/0`, `sha384`. */
  #isGrammar(core: string): boolean {
    const parts = core.split(/[-_/.:+&]/).filter((part) => part !== "");
    const isAll = parts.every((part) => {
      const [, before = "", word = "", after = ""] =
        /^(\d{0,6})([A-Za-z]{1,60})(\d{0,6})$/.exec(part) ?? [];
      if (word === "") return /^\d{1,6}$/.test(part);
      const isCode = word.length === 1 && (before !== "" || after !== "");
      return !isCode && this.#isKnown(word);
    });
    return isAll && /[A-Za-z]/.test(core);
  }

  #isKnown(word: string): boolean {
    return this.#vocabulary.has(word.toLowerCase());
  }

  #hex(digits: string): string {
    return this.#word(digits, `hex${digits.length}`);
  }

  #word(text: string, kind: WordClass): string {
    const { byText, classes } = this.#shared;
    const key = `${kind} ${text.toLowerCase()}`;
    const known = byText.get(key);
    if (known !== undefined) return known;
    classes.push(kind);
    const word = `w${classes.length}`;
    byText.set(key, word);
    return word;
  }
}

const isList = (value: Json): value is readonly Json[] => Array.isArray(value);

const textOf = (value: Json): string => (typeof value === "string" ? value : "");

function isNumber(core: string): boolean {
  return [shortHex, sessionId, plainNumber, withUnit, release].some((pattern) =>
    pattern.test(core),
  );
}

/**
 * Gives each disguised word of a text a word of its class, so that a reader reads the text as the
 * device's own; a name stays as it is.
 */
export function restored(text: string, classes: readonly WordClass[]): string {
  const word = /"w(\d{1,6})"|\bw(\d{1,6})\b/g;
  return text.replaceAll(word, (found, quoted?: string, bare?: string) => {
    const number = Number(quoted ?? bare);
    const kind = classes[number - 1];
    if (kind === undefined || kind === "name") return found;
    const given = substituteOf(kind, number);
    return quoted === undefined || kind === "jsonNumber" ? given : `"${given}"`;
  });
}

function substituteOf(kind: Exclude<WordClass, "name">, number: number): string {
  const digits = (length: number): string =>
    number.toString(16).padStart(length, "0").slice(-length);
  switch (kind) {
    case "ipv4":
      // RFC 2544: addresses that no network has.
      return `198.${18 + ((number >> 16) & 1)}.${(number >> 8) & 255}.${number & 255}`;
    case "ipv6":
      return `2001:db8::${number.toString(16)}`;
    case "mac":
      return `02:00:00:00:${digits(4).replace(/^(..)/, "$1:")}`;
    case "macDotted":
      return `0200.0000.${digits(4)}`;
    case "number":
    case "jsonNumber":
      return String(number);
    default:
      return digits(Number(kind.slice("hex".length)));
  }
}
