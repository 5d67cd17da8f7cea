// Paths of state and sockets. The quick `status` path loads this module, so it may load nothing
// heavy.

import { lstatSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { foreignOwner } from "#drivers/transport/socket-owner.ts";

/** What decides about paths: these variables, this process's uid, and three folders. */
export interface PlaceSource {
  /** The variables of the process. */
  readonly environment: {
    readonly LINKSEAL_HOME?: string | undefined;
    readonly RUNTIME_DIRECTORY?: string | undefined;
    readonly STATE_DIRECTORY?: string | undefined;
    readonly XDG_RUNTIME_DIR?: string | undefined;
    readonly XDG_STATE_HOME?: string | undefined;
  };
  /** Number of the effective user. */
  readonly uid: number;
  /** The user's home. */
  readonly home: string;
  /** The folder for temporary files. */
  readonly temporary: string;
  /** The working folder, an absolute path. */
  readonly working: string;
}

/** The folders of one agent. */
export interface Places {
  /**
   * Which rule chose them: LINKSEAL_HOME, the systemd unit, the XDG variables, or the temporary
   * folder.
   */
  readonly kind: "home" | "system" | "xdg" | "temporary";
  /** The folder of the config file that `plan` and `apply` read when no file is given. */
  readonly config: string;
  /** The folder of journal, intent and keys. */
  readonly state: string;
  /** The folder of the sockets. */
  readonly runtime: string;
}

/** `view` answers questions, `admin` also changes. */
export type SocketRole = "view" | "admin";

export type SocketSearch =
  /** Existing sockets in the order to try: a killed agent may have left the first one behind. */
  | { readonly kind: "found"; readonly paths: readonly [string, ...string[]] }
  | {
      readonly kind: "none";
      readonly looked: readonly string[];
      readonly foreign: readonly ForeignSocket[];
    };

/** A socket that is not believed, because another user can answer at it. */
export interface ForeignSocket {
  readonly path: string;
  /** The user who owns the socket or its folder. */
  readonly uid: number;
}

const system: Places = {
  kind: "system",
  config: "/etc/linkseal",
  state: "/var/lib/linkseal",
  runtime: "/run/linkseal",
};

/** Returns this process's own source. */
export function placeSource(): PlaceSource {
  return {
    environment: process.env,
    uid: process.geteuid?.() ?? 0,
    home: homedir(),
    temporary: tmpdir(),
    working: process.cwd(),
  };
}

/** Returns the folders of an agent that is started here. */
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

/**
 * Returns the paths of a linkseal-net that is started here; `socket` = a path that an option names.
 */
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

/** Returns the socket of the MKA process of a port; `socket` = a path that an option names. */
export function mkaSocket(
  port: string,
  socket: string | undefined,
  source: PlaceSource = placeSource(),
): string {
  if (socket !== undefined) return socket;
  const home = homePlaces(source);
  // Only its runtime directory shows that this is the unit: it keeps no state.
  const runtime = source.environment.RUNTIME_DIRECTORY ?? "";
  if (home === undefined && runtime.split(":").includes(mkaRuntime)) {
    return join(mkaRuntime, `${port}.sock`);
  }
  return join(agentPlaces(source).runtime, "mka", `${port}.sock`);
}

const peerRuntime = "/run/linkseal-peer";

/** Returns the socket of `linkseal peer --serve`; `socket` = a path that an option names. */
export function peerSocket(
  socket: string | undefined,
  source: PlaceSource = placeSource(),
): string {
  if (socket !== undefined) return socket;
  const home = homePlaces(source);
  return home === undefined ? join(peerRuntime, "peer.sock") : join(home.runtime, "peer.sock");
}

/**
 * Returns the socket at which a hub gives login codes of its page; `socket` = a path that an option
 * names.
 */
export function hubSocket(socket: string | undefined, source: PlaceSource = placeSource()): string {
  if (socket !== undefined) return socket;
  const unit = "/run/linkseal-hub";
  const isUnit = (source.environment.RUNTIME_DIRECTORY ?? "").split(":").includes(unit);
  return join(isUnit ? unit : agentPlaces(source).runtime, "hub.sock");
}

/**
 * Returns the socket of linkseal-net that `linkseal peer --serve` asks; `socket` = a path that an
 * option names. Its unit has no state folder, by which linkseal-net knows its own.
 */
export function peerNet(socket: string | undefined, source: PlaceSource = placeSource()): string {
  if (socket !== undefined) return socket;
  return homePlaces(source) === undefined ? netSystem.socket : netPlacesBeside(source).socket;
}

const mkaRuntime = "/run/linkseal-mka";
const mkaStates = "/var/lib/linkseal-mka";

/** Returns the folder in which the MKA process of a port keeps what survives a boot. */
export function mkaState(port: string, source: PlaceSource = placeSource()): string {
  const state = source.environment.STATE_DIRECTORY ?? "";
  const isUnit = homePlaces(source) === undefined && state.split(":").includes(mkaStates);
  return join(isUnit ? mkaStates : `${agentPlaces(source).state}-mka`, port);
}

export function socketPath(places: Pick<Places, "runtime">, role: SocketRole): string {
  return join(places.runtime, `${role}.sock`);
}

/**
 * Finds the agent's socket for a client. A flag or LINKSEAL_HOME names one agent and no other. A
 * socket counts only if it has no foreign owner: sudo may keep the XDG_RUNTIME_DIR of another user.
 */
export function findSocket(
  role: SocketRole,
  flag: string | undefined,
  source: PlaceSource = placeSource(),
): SocketSearch {
  const looked = candidates(role, flag, source);
  const paths: string[] = [];
  const foreign: ForeignSocket[] = [];
  for (const path of looked.filter(isSocket)) {
    const uid = foreignOwner(path, source.uid);
    if (uid === undefined) paths.push(path);
    else foreign.push({ path, uid });
  }
  const [first, ...more] = paths;
  return first === undefined
    ? { kind: "none", looked, foreign }
    : { kind: "found", paths: [first, ...more] };
}

/** Returns the state folders that an agent of this host may use, in the order to try. */
export function stateFolders(source: PlaceSource = placeSource()): readonly string[] {
  const home = homePlaces(source);
  if (home !== undefined) return [home.state];
  const xdg = xdgPlaces(source);
  return [system, ...(xdg === undefined ? [] : [xdg]), temporaryPlaces(source)].map(
    ({ state }) => state,
  );
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
    // Any user may create a folder of this name, and a socket in it that only looks like the
    // agent's.
    ...(isOurs(temporary.runtime, source.uid) ? [socketPath(temporary, role)] : []),
    socketPath(system, role),
  ];
}

// A path from the working folder counts: if it were ignored, what is meant for an agent of one's
// own would reach the one of the host.
function homePlaces({ environment, working }: PlaceSource): Places | undefined {
  const { LINKSEAL_HOME: home = "" } = environment;
  return home === "" ? undefined : treeUnder(resolve(working, home), "home");
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

// Short names below: a socket path has at most 107 bytes.
function treeUnder(folder: string, kind: Places["kind"]): Places {
  return {
    kind,
    config: join(folder, "etc"),
    state: join(folder, "state"),
    runtime: join(folder, "run"),
  };
}

// systemd.exec(5) names the state directory of the unit; a shell of another service inherits that
// service's.
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
