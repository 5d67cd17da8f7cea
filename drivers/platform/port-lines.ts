// Compares the lines that are configured for a port with those that its driver would write. The
// renderer of the driver writes both sides: all lines of the wanted port, and those that are due.

import type { LineDifferences, WantedPort } from "#hal/device.ts";
import { withheldKey, withoutKeys } from "#hal/key-lines.ts";
import type { CipherSuite, MacsecSettings, PortName } from "#hal/model.ts";
import { Secret } from "#hal/secret.ts";
import type { Block } from "./block.ts";
import { maybeSecret } from "./disguise.ts";

/** Configured lines, and where they are: in these modes, which belong to others as well. */
interface ConfiguredPart {
  /** The line of the mode; empty = the lines are at the top. */
  readonly at: string;
  /** Lines with the lines inside of them. */
  readonly lines: readonly Block[];
}

/** The configured lines of a port, and those of its driver. */
export interface PortLines {
  /** The port. */
  readonly port: PortName;
  /** The objects that are the port's alone, and its own lines about MACsec. */
  readonly configured: readonly ConfiguredPart[];
  /** All lines of the wanted port, as the driver would write them where nothing is configured. */
  readonly whole: readonly string[];
  /** What the driver would send now for settings and keys. */
  readonly due: readonly string[];
  /** What the driver would send now to drain the port as wanted, or to end its drain. */
  readonly drain: readonly string[];
  /** Configured lines that have lines inside of them: the driver sends them to get there. */
  readonly heads: ReadonlySet<string>;
  /** Returns the same text for lines that mean the same; absent = the line itself. */
  readonly normal?: (line: string) => string;
}

const separator = " > ";
/** They only lead out of a mode. */
const isLeaving = (line: string): boolean => /^(?:root|exit|end)$/.test(line);

/** Returns what is foreign and what is missing. */
export function differencesOf(lines: PortLines): LineDifferences {
  const { port, configured, whole, due, drain, normal = (line) => line } = lines;
  const ours = new Set(whole.map(normal));
  const here = new Set<string>();
  const foreign: string[] = [];
  const judge = ({ line, children }: Block, above: string, isInOurs: boolean): void => {
    const place = placed({ line: withoutSecret(line), inside: above });
    const isOurs = isInOurs && ours.has(normal(line));
    if (isOurs) here.add(normal(line));
    // A line that is ours in the wrong object is foreign with that object.
    if (!ours.has(normal(line))) foreign.push(place);
    for (const one of children) judge(one, place, isOurs);
  };
  for (const { at, lines: all } of configured) for (const one of all) judge(one, at, true);
  const change = sentIn(due, lines);
  const turn = sentIn(drain, lines);
  const added = change.added.filter(({ line }) => !here.has(normal(line)));
  return {
    port,
    foreign: [...foreign, ...turn.removed.map(placed)],
    // The renderer writes a label in the place of a key.
    missing: [...added, ...turn.added].map(placed),
  };
}

interface Sent {
  readonly line: string;
  readonly inside: string;
}

const placed = ({ line, inside }: Sent): string =>
  inside === "" ? line : `${inside}${separator}${line}`;

/** Returns the lines that are added and removed, each with the modes that were entered. */
function sentIn(texts: readonly string[], { heads }: Pick<PortLines, "heads">) {
  const [added, removed]: [Sent[], Sent[]] = [[], []];
  let inside = "";
  for (const line of texts) {
    if (isLeaving(line)) inside = "";
    else if (heads.has(line)) inside = placed({ line, inside });
    else if (line.startsWith("no ")) removed.push({ line: line.slice("no ".length), inside });
    else added.push({ line, inside });
  }
  return { added, removed };
}

/** Words that begin as those before a key do, and have the name of a key or a chain behind them. */
const names = new RegExp(
  String.raw`\bauthentication-key-chains |` +
    String.raw`\b(?:fallback-)?(?:psk-keychain|pre-shared-key(?:-chain| key-chain| ckn)) `,
  "g",
);
/** Returns a configured line without what may be a secret in it. */
function withoutSecret(line: string): string {
  const isOpen = !maybeSecret(line.replaceAll(names, ""));
  const first = line.split(" ", 1).join();
  return isOpen ? withoutKeys(line) : `${first} ${withheldKey}`;
}

/** Returns the wanted settings as a device reports them. */
export function settingsOf({ settings }: WantedPort): MacsecSettings {
  return { ...settings, policy: "mustSecure" };
}

/** Returns what stands for the octets of a key: only its label and its length are ever used. */
export function keyInPlace({ settings }: WantedPort): Secret {
  return Secret.take("cak", new Uint8Array(octetsFor(settings.suite)));
}

const octetsFor = (suite: CipherSuite): 16 | 32 => (suite.endsWith("256") ? 32 : 16);

/** Returns the lines of configured blocks that have lines inside of them. */
export function headsIn(blocks: readonly Block[]): ReadonlySet<string> {
  const heads = new Set<string>();
  const add = ({ line, children }: Block): void => {
    if (children.length === 0) return;
    heads.add(line);
    for (const one of children) add(one);
  };
  for (const one of blocks) add(one);
  return heads;
}
