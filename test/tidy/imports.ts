// The permitted imports and the reasons.

import { posix } from "node:path";
import { type Graph, whyNotDown } from "./layers.ts";
import { developmentPackages, runtimePackages } from "./packages.ts";
import { isEdge, type Offence, type Rule, type Source } from "./source.ts";

interface Import {
  readonly specifier: string | undefined;
  readonly line: number;
  /** Imported names of a braced list; empty for the other forms. */
  readonly names: readonly string[];
}

interface TableRow {
  /** Matched against `FROM -> TO`. */
  readonly edge: RegExp;
  readonly why: string;
}

/** Every import that is not in this table is forbidden. */
const importTable: readonly TableRow[] = [
  { edge: /^hal\/.* -> hal\//, why: "the contract explains itself with its own nouns" },
  { edge: /^(drivers|agent|sim)\/.* -> hal\//, why: "everybody speaks the contract" },
  {
    edge: /^agent\/.* -> agent\/programs\.json$/,
    why: "which words belong to which program, and which package has it",
  },
  {
    edge: /^drivers\/(index|registry)\.ts -> drivers\/(?!transport\/)/,
    why: "the table from driver name to driver",
  },
  {
    edge: /^drivers\/([a-z0-9]+)[-\w./]* -> drivers\/\1[-./]/,
    why: "one platform may have several files; platforms never take each other",
  },
  {
    edge: /^drivers\/(?!transport\/)[a-z]+\/.* -> drivers\/platform\/(?!cisco-)/,
    why: "what is alike is read, asked and changed in one way, whatever the vendor",
  },
  {
    edge: /^drivers\/(iosx[er]|nxos|platform)\/.* -> drivers\/platform\/cisco-/,
    why: "pure: what the platforms of one maker say alike",
  },
  {
    edge: /^drivers\/(sim|linux|local)\/.* -> drivers\/local\//,
    why: "what answers in the contract's own words behind a socket of this host is asked alike",
  },
  {
    edge: /^drivers\/(?!transport\/).* -> drivers\/transport\/(cli|cli-saved|netconf)\.ts$/,
    why: "pure code over a byte channel; sockets are dialled through the World",
  },
  {
    edge: /^drivers\/(?!transport\/).* -> drivers\/transport\/(fill|vici|vici-wire|xml)\.ts$/,
    why: "pure: how documents are read, and how holes of a command become octets",
  },
  {
    edge: /^drivers\/linux\/.* -> drivers\/transport\/(netlink-wire|octets|receive-buffer)\.ts$/,
    why: "pure: how messages of the kernel and of a session with another host are framed",
  },
  {
    edge: /^agent\/bin\/peer\.ts -> drivers\/linux\/(peer\/|driver\/mka-clients\.ts)/,
    why: "the end of an agent's session on another host is a root of its own",
  },
  { edge: /^agent\/bin\.js -> agent\/launcher\.js$/, why: "finds the Node to run on" },
  { edge: /^agent\/(hub\/)?web\/.* -> agent\/(hub\/)?web\//, why: "what a browser runs" },
  {
    edge: /^agent\/(hub\/)?web\/.* -> agent\/(page\/(shape|feed)|.*-shape)\.ts$/,
    why: "a browser gets shapes, and nothing that reaches out",
  },
  {
    edge: /^agent\/(hub\/)?web\/.* -> agent\/(model|runtime\/health)\//,
    why: "a browser gets words, and nothing that reaches out",
  },
  {
    edge: /^agent\/web\/detail\.ts -> agent\/explain\/explain\.ts$/,
    why: "a browser shows what to do: texts alone, without commands of drivers",
  },
  { edge: /^agent\/.* -> drivers\/index\.ts$/, why: "drivers are rows of one table" },
  {
    edge: /^(agent|drivers)\/.* -> drivers\/azure\/(azure-url|api-versions|connections)\.ts$/,
    why: "pure: URLs, addresses, ids and API versions of Azure, one place for all",
  },
  {
    edge: /^agent\/host\/[a-z-]+\.ts -> drivers\/transport\//,
    why: "agent/host/ alone reaches out of this process",
  },
  { edge: /^agent\/model\/version\.ts -> package\.json$/, why: "the version number stands once" },
  {
    edge: /^agent\/explain\/explain\.ts -> agent\/explain\/[a-z]+\.json$/,
    why: "what codes mean is data, and comes with the bundle",
  },
  {
    edge: /^drivers\/azure\/expressroute[-a-z]*\.ts -> drivers\/transport\/arm(-json)?\.ts$/,
    why: "the far end is a document behind the management API",
  },
  {
    edge: /^agent\/bin\/mka\.ts -> drivers\/linux\/mka/,
    why: "the MKA process is a root of its own",
  },
  {
    edge: /^agent\/bin\/(net|guard)\.ts -> drivers\/linux\/(net|ipsec)\//,
    why: "the kernel writer is a root of its own, and tells charon what it takes back",
  },
  {
    edge: /^agent\/bin\/(net|guard|mka)\.ts -> drivers\/transport\/(native|netlink|frames|memory)/,
    why: "roots that own kernel sockets, which the agent itself never opens",
  },
  {
    edge: /^agent\/bin\/net\.ts -> drivers\/transport\/stream\.ts$/,
    why: "the kernel writer reads what charon holds, at its socket",
  },
  {
    edge: /^agent\/bin\/peer\.ts -> drivers\/transport\/socket-owner\.ts$/,
    why: "the login's command believes the socket of its server alone",
  },
  {
    edge: /^sim\/lab\/.* -> (agent\/(?!hub\/|web\/)|agent\/hub\/cli\/main\.ts|drivers\/index\.ts)/,
    why: "where agent and simulator meet: to show, to test, to try before it is done",
  },
  { edge: /^sim\/.* -> sim\//, why: "a shared parser would share its misunderstandings" },
  { edge: /^vitest\.config\.ts -> test\/patience\.ts$/, why: "how long a test may wait" },
  { edge: /^(test|bench)\/.* -> (hal|drivers|agent|sim|test|bench)\//, why: "they look at all" },
  { edge: /^\.ci\/.* -> \.ci\//, why: "builds, and knows no product code" },
  {
    edge: /^\.ci\/(node\.js -> agent\/launcher\.js|package\/layout\.ts -> agent\/flags\.json)$/,
    why: "scripts, the package and the command find their Node, and start it, in one way",
  },
  { edge: /^\.ci\/(bundle|size)\.ts -> agent\/programs\.json$/, why: "a bundle for each program" },
  {
    edge: /^test\/peers\/addon-sanitizers\.test\.ts -> \.ci\/compile\.ts$/,
    why: "compiles the addon with the flags that ship, and sanitizers",
  },
  {
    edge: /^test\/.* -> \.ci\/package\//,
    why: "what the package is made of is looked at without building it",
  },
  {
    edge: /^test\/(unit\/house\/fresh\.test|machine\/root)\.ts -> \.ci\/fresh\//,
    why: "a fresh Debian is made in one way, and its parts are looked at without making it",
  },
];

/** Builtins without a clock, a file, a socket or randomness; for the others see `isEdge`. */
const pureBuiltins: Readonly<Record<string, readonly string[] | "all">> = {
  "node:assert": "all",
  "node:assert/strict": "all",
  "node:buffer": "all",
  "node:crypto": [
    "constants",
    "createHash",
    "createHmac",
    "createPublicKey",
    "KeyObject",
    "timingSafeEqual",
    "verify",
    "X509Certificate",
  ],
  "node:events": "all",
  "node:net": ["isIP", "isIPv4", "isIPv6", "BlockList"],
  "node:util": "all",
};

interface BuiltinRow {
  readonly path: string;
  readonly specifier: string;
  readonly names: readonly string[];
  readonly why: string;
}

/** These builtins are pure too, and dangerous enough to have one place. */
const builtinPlaces: readonly BuiltinRow[] = [
  {
    path: "agent/store/journal/chain-file.ts",
    specifier: "node:crypto",
    names: ["createSecretKey"],
    why: "one key object for all MACs of a process: made for each it cost five times the MAC",
  },
  {
    path: "agent/evidence/report/sign.ts",
    specifier: "node:crypto",
    names: ["createPrivateKey", "sign"],
    why: "the one place that signs evidence; nothing else needs the private half",
  },
  {
    path: "drivers/linux/ipsec/certificate.ts",
    specifier: "node:crypto",
    names: ["createPrivateKey"],
    why: "tells whether a private key is the certificate's, before anything is sent",
  },
  {
    path: "drivers/linux/mka/keys.ts",
    specifier: "node:crypto",
    names: ["createCipheriv", "createDecipheriv"],
    why: "AES under AES-CMAC and key wrap, which the library has no better name for",
  },
];

function importsOf(source: Source): Import[] {
  return source.code.flatMap((token, index): Import[] => {
    const next = source.code[index + 1];
    const before = source.code[index - 1];
    if (token.kind !== "name" || before?.text === "." || next === undefined) return [];
    if (token.text === "import" && next.text === "(" && next.kind === "punctuator") {
      const argument = source.code[index + 2];
      const specifier = argument?.kind === "string" ? argument.text : undefined;
      return [{ specifier, line: token.line, names: [] }];
    }
    const opens = token.text === "import" ? next.text !== "." : false;
    const passes = token.text === "export" && /^(\*|\{|type)$/.test(next.text);
    return opens || passes ? staticImport(source, index) : [];
  });
}

// Reads from `import` or `export` up to `from "…"`; an export without `from` is not an import.
function staticImport(source: Source, start: number): Import[] {
  const names: string[] = [];
  for (let at = start + 1; at < source.code.length; at += 1) {
    const token = source.code[at];
    if (token === undefined || /^[;=(]$/.test(token.text)) return [];
    if (token.kind === "name") names.push(token.text);
    const direct = at === start + 1 || source.code[at - 1]?.text === "from";
    if (token.kind === "string" && direct) {
      return [{ specifier: token.text, line: token.line, names: bracedNames(source, start) }];
    }
    if (token.text === "}" && source.code[at + 1]?.text !== "from") return [];
  }
  return [];
}

function bracedNames(source: Source, start: number): string[] {
  const rest = source.code.slice(start + 1);
  const open = rest.findIndex((token) => token.text === "{");
  const from = rest.findIndex((token) => token.text === "from");
  if (open === -1 || open > from) return [];
  return rest
    .slice(open + 1, from - 1)
    .flatMap((token, index, list) =>
      token.kind === "name" && token.text !== "type" && list[index - 1]?.text !== "as"
        ? [token.text]
        : [],
    )
    .filter((name) => name !== "as");
}

/** True for agent/, except the files that start it and those that a browser runs. */
const isProgram = (path: string): boolean => /^agent\/(?!(hub\/)?web\/).*\.ts$/.test(path);

/** Relative to the root of the repository. */
function targetOf({ path }: Pick<Source, "path">, specifier: string): string {
  return specifier.startsWith("#")
    ? specifier.slice(1)
    : posix.join(posix.dirname(path), specifier);
}

/** Returns every import of these sources that leads to one of them. */
export function graphOf(sources: readonly Source[]): Graph {
  const paths = new Set(sources.map(({ path }) => path));
  return new Map(
    sources.map((source) => {
      const targets = importsOf(source).map(({ specifier = "" }) => targetOf(source, specifier));
      return [source.path, new Set(targets.filter((target) => paths.has(target)))];
    }),
  );
}

/** Returns the imports of a graph that go up in agent/. */
export function upward(graph: Graph): readonly string[] {
  return [...graph].flatMap(([from, targets]) =>
    [...targets]
      .filter((to) => isProgram(from) && isProgram(to) && whyNotDown(from, to) !== undefined)
      .map((to) => `${from} -> ${to}`),
  );
}

function checkTarget(source: Source, found: Import): string | undefined {
  const { specifier } = found;
  if (specifier === undefined) {
    return isEdge(source.path) ? undefined : "write the module's name as a literal";
  }
  if (specifier.startsWith("node:")) return checkBuiltin(source, specifier, found.names);
  const subpath = specifier.startsWith("#");
  if (!subpath && !specifier.startsWith(".")) return checkPackage(source, specifier);
  return checkEdge(source, specifier, subpath);
}

function checkEdge(source: Source, specifier: string, subpath: boolean): string | undefined {
  const to = targetOf(source, specifier);
  const folder = source.path.split("/")[0];
  const leaves = !subpath && to.split("/")[0] !== folder;
  if (leaves && /^(hal|drivers|agent|sim)\//.test(to)) {
    return `leaves ${folder}/ by a relative path: use #${to}`;
  }
  if (isProgram(source.path) && isProgram(to)) return whyNotDown(source.path, to);
  const edge = `${source.path} -> ${to}`;
  return importTable.some((row) => row.edge.test(edge)) ? undefined : `not in the table: ${edge}`;
}

function checkBuiltin(
  source: Source,
  specifier: string,
  names: readonly string[],
): string | undefined {
  if (source.path.startsWith("hal/") && specifier !== "node:util") {
    return `${specifier}: hal imports nothing but node:util`;
  }
  if (isEdge(source.path)) return undefined;
  const pure = pureBuiltins[specifier];
  if (pure === "all") return undefined;
  const own = builtinPlaces.find(
    (row) => row.path === source.path && row.specifier === specifier,
  )?.names;
  const bad = names.filter((name) => !pure?.includes(name) && own?.includes(name) !== true);
  if (pure !== undefined && names.length > 0 && bad.length === 0) return undefined;
  return `${specifier} {${bad.join(", ")}}: outside the edge take a World`;
}

function checkPackage(source: Source, specifier: string): string | undefined {
  const parts = specifier.split("/");
  const name = specifier.startsWith("@") ? parts.slice(0, 2).join("/") : (parts[0] ?? "");
  const row = [...runtimePackages, ...developmentPackages].find((one) => one.name === name);
  if (row === undefined) return `${name} is no allowed package: add a row with the reason`;
  return row.where.test(source.path) ? undefined : `${name} may be imported by ${row.where} only`;
}

export const importRule: Rule = {
  name: "imports",
  check: (source): Offence[] =>
    importsOf(source).flatMap((found) => {
      const text = checkTarget(source, found);
      return text === undefined ? [] : [{ line: found.line, text }];
    }),
};
