// Where state and sockets live. Loaded by the quick `status` path: it may load nothing heavy.

import { lstatSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";

/** What decides about places: these variables, this process's uid, and two folders. */
export interface PlaceSource {
  readonly environment: {
    readonly LINKSEAL_HOME?: string | undefined;
    readonly RUNTIME_DIRECTORY?: string | undefined;
    readonly STATE_DIRECTORY?: string | undefined;
    readonly XDG_RUNTIME_DIR?: string | undefined;
    readonly XDG_STATE_HOME?: string | undefined;
  };
  readonly uid: number;
  readonly home: string;
  readonly temporary: string;
}

export interface Places {
  readonly kind: "home" | "system" | "xdg" | "temporary";
  /** What `plan` and `apply` read when no file is given. */
  readonly config: string;
  readonly state: string;
  readonly runtime: string;
}

export type SocketRole = "view" | "admin";

export type SocketSearch =
  /** Existing sockets in the order to try: a killed agent may have left the first one behind. */
  | { readonly kind: "found"; readonly paths: readonly [string, ...string[]] }
  | { readonly kind: "none"; readonly looked: readonly string[] };

const system: Places = {
  kind: "system",
  config: "/etc/linkseal",
  state: "/var/lib/linkseal",
  runtime: "/run/linkseal",
};

/** This process's own source. */
export function placeSource(): PlaceSource {
  return {
    environment: process.env,
    uid: process.geteuid?.() ?? 0,
    home: homedir(),
    temporary: tmpdir(),
  };
}

/** Where an agent started here keeps its things. */
export function agentPlaces(source: PlaceSource = placeSource()): Places {
  return (
    homePlaces(source) ??
    (isOurUnit(source) ? system : undefined) ??
    xdgPlaces(source) ??
    temporaryPlaces(source)
  );
}

export interface NetPlaces {
  readonly socket: string;
  readonly state: string;
}

const netSystem: NetPlaces = {
  socket: "/run/linkseal-net/net.sock",
  state: "/var/lib/linkseal-net",
};

/** Where a linkseal-net started here keeps its things; `socket`: as somebody asks for it. */
export function netPlaces(
  socket: string | undefined,
  source: PlaceSource = placeSource(),
): NetPlaces {
  const state = source.environment.STATE_DIRECTORY ?? "";
  const isUnit = homePlaces(source) === undefined && state.split(":").includes(netSystem.state);
  const places = isUnit ? netSystem : netPlacesBeside(source);
  return socket === undefined ? places : { ...places, socket };
}

function netPlacesBeside(source: PlaceSource): NetPlaces {
  const { runtime, state } = agentPlaces(source);
  return { socket: join(runtime, "net.sock"), state: `${state}-net` };
}

/** Where the MKA process of a port answers; `socket`: as somebody asks for it. */
export function mkaSocket(
  port: string,
  socket: string | undefined,
  source: PlaceSource = placeSource(),
): string {
  if (socket !== undefined) return socket;
  const home = homePlaces(source);
  // The unit has no other sign than its runtime directory: it keeps no state.
  const runtime = source.environment.RUNTIME_DIRECTORY ?? "";
  if (home === undefined && runtime.split(":").includes(mkaRuntime)) {
    return join(mkaRuntime, `${port}.sock`);
  }
  return join(agentPlaces(source).runtime, "mka", `${port}.sock`);
}

const mkaRuntime = "/run/linkseal-mka";
const mkaStates = "/var/lib/linkseal-mka";

/** Where the MKA process of a port keeps what outlives a boot. */
export function mkaState(port: string, source: PlaceSource = placeSource()): string {
  const state = source.environment.STATE_DIRECTORY ?? "";
  const isUnit = homePlaces(source) === undefined && state.split(":").includes(mkaStates);
  return join(isUnit ? mkaStates : `${agentPlaces(source).state}-mka`, port);
}

export function socketPath(places: Pick<Places, "runtime">, role: SocketRole): string {
  return join(places.runtime, `${role}.sock`);
}

/**
 * Where a client looks for the agent's socket. A flag or LINKSEAL_HOME names one agent and no
 * other.
 */
export function findSocket(
  role: SocketRole,
  flag: string | undefined,
  source: PlaceSource = placeSource(),
): SocketSearch {
  const looked = candidates(role, flag, source);
  const [first, ...more] = looked.filter(isSocket);
  return first === undefined
    ? { kind: "none", looked }
    : { kind: "found", paths: [first, ...more] };
}

function candidates(
  role: SocketRole,
  flag: string | undefined,
  source: PlaceSource,
): readonly string[] {
  if (flag !== undefined) return [flag];
  const home = homePlaces(source);
  if (home !== undefined) return [socketPath(home, role)];
  const xdg = xdgPlaces(source);
  const temporary = temporaryPlaces(source);
  return [
    ...(xdg === undefined ? [] : [socketPath(xdg, role)]),
    // Anybody may create a folder of this name, and a socket in it that only looks like the
    // agent's.
    ...(isOurs(temporary.runtime, source.uid) ? [socketPath(temporary, role)] : []),
    socketPath(system, role),
  ];
}

function homePlaces({ environment }: PlaceSource): Places | undefined {
  const home = absolute(environment.LINKSEAL_HOME);
  return home === undefined ? undefined : treeUnder(home, "home");
}

// The XDG specification: a path that is not absolute is ignored; state has a default, runtime has
// none.
function xdgPlaces({ environment, home }: PlaceSource): Places | undefined {
  const runtime = absolute(environment.XDG_RUNTIME_DIR);
  if (runtime === undefined) return undefined;
  const state = absolute(environment.XDG_STATE_HOME) ?? join(home, ".local/state");
  return {
    kind: "xdg",
    config: system.config,
    state: join(state, "linkseal"),
    runtime: join(runtime, "linkseal"),
  };
}

function temporaryPlaces({ temporary, uid }: PlaceSource): Places {
  return treeUnder(join(temporary, `linkseal-${uid}`), "temporary");
}

// Short names below: a socket path holds 107 bytes.
function treeUnder(folder: string, kind: Places["kind"]): Places {
  return {
    kind,
    config: join(folder, "etc"),
    state: join(folder, "state"),
    runtime: join(folder, "run"),
  };
}

// systemd.exec(5) names the state directory of the unit; another service's shell inherits its own.
function isOurUnit({ environment }: PlaceSource): boolean {
  return (environment.STATE_DIRECTORY ?? "").split(":").includes(system.state);
}

function absolute(path: string | undefined): string | undefined {
  return path?.startsWith("/") === true ? path : undefined;
}

function isSocket(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false })?.isSocket() === true;
}

function isOurs(runtime: string, uid: number): boolean {
  const folder = lstatSync(join(runtime, ".."), { throwIfNoEntry: false });
  return folder?.isDirectory() === true && folder.uid === uid && (folder.mode & 0o077) === 0;
}
