// What an OpenSSH client can ask of a login, and how to tell that it was granted: each try names
// the protection without which it is.

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { userInfo } from "node:os";
import type { Program } from "../process/program.ts";

/**
 * What refuses a try: in the line of authorized_keys the forced command, or `restrict`; the script
 * that starts `linkseal peer` without the variables of the client; that the login is not root.
 */
export const protections = ["command", "restrict", "script", "login"] as const;
type Protection = (typeof protections)[number];

/** The place at which the tries are made. */
export interface TryPlace {
  readonly at: (name: string) => string;
  /** Address and port of a server that must not be reached. */
  readonly target: string;
  /** The command line of linkseal. */
  readonly program: string;
  /** How many connections came to that server, and to the one of a socket. */
  readonly reached: () => number;
}

export interface LoginTry {
  readonly what: string;
  /** The protection that refuses it, and without which it is granted. */
  readonly by: Protection;
  /** The options of the client, and after the host its command. */
  readonly options?: (place: TryPlace) => readonly string[];
  readonly command?: (place: TryPlace) => string;
  readonly stdin?: Uint8Array;
  /** Returns true once it was granted. */
  readonly granted: (tried: Program, place: TryPlace) => boolean;
}

const prints =
  (pattern: RegExp): LoginTry["granted"] =>
  ({ output }) =>
    pattern.test(output);

/** Variables of the process that the forced command starts, before the script drops them. */
const outside =
  (name: string): LoginTry["granted"] =>
  (_tried, { at }) =>
    hasVariable(at("outside"), name);

/** Variables of `linkseal peer` itself. */
const inside =
  (name: string): LoginTry["granted"] =>
  (_tried, { at }) =>
    hasVariable(at("inside"), name);

function hasVariable(file: string, name: string): boolean {
  return existsSync(file) && new RegExp(`^${name}=`, "m").test(readFileSync(file, "utf8"));
}

const uid = prints(/uid=\d+\(/);
const reaches: LoginTry["granted"] = (_tried, { reached }) => reached() > 0;
const isDevice =
  (name: string): LoginTry["granted"] =>
  () =>
    readdirSync("/sys/class/net").includes(name);
const typed = new TextEncoder().encode("id\nuname -a\n");
/** SSH_FXP_INIT of version 3, which a server of SFTP answers with SSH_FXP_VERSION. */
const sftpInit = Uint8Array.of(0, 0, 0, 5, 1, 0, 0, 0, 3);
const isSftp: LoginTry["granted"] = ({ output }) => output.includes("\x02\0\0\0\x03");

const commands: readonly LoginTry[] = [
  { what: "a shell", by: "command", stdin: typed, granted: uid },
  { what: "another command", by: "command", command: () => "id", granted: uid },
  ...[
    { what: "a shell as the command", by: "command", command: () => "bash -i" } as const,
    { what: "a shell with its own profile", by: "command", command: () => "bash -l -s" } as const,
  ].map((row) => ({ ...row, stdin: typed, granted: uid })),
  {
    ...{ what: "another verb", by: "command" },
    command: ({ program }) => `${program} --version`,
    granted: prints(/^linkseal \d/m),
  },
  {
    ...{ what: "an option of the forced command", by: "command" },
    command: ({ program }) => `${program} peer --help`,
    granted: prints(/^Usage: /m),
  },
  {
    ...{ what: "a command behind it", by: "command" },
    command: () => "/usr/bin/linkseal peer; id",
    granted: uid,
  },
  { what: "a command inside it", by: "command", command: () => "$(id)", granted: uid },
  { what: "a command on a second line", by: "command", command: () => "true\nid", granted: uid },
  {
    ...{ what: "the variables there", by: "command" },
    command: () => "env",
    granted: prints(/^PATH=/m),
  },
];

const subsystems: readonly LoginTry[] = [
  {
    ...{ what: "sftp as a subsystem", by: "command", stdin: sftpInit },
    options: () => ["-s"],
    command: () => "sftp",
    granted: isSftp,
  },
  {
    ...{ what: "sftp as a command", by: "command", stdin: sftpInit },
    command: () => "/usr/lib/openssh/sftp-server",
    granted: isSftp,
  },
  {
    ...{ what: "another subsystem", by: "command" },
    options: () => ["-s"],
    command: () => "netconf",
    granted: prints(/reached/),
  },
];

const forwards: readonly LoginTry[] = [
  {
    ...{ what: "a port there", by: "restrict", granted: reaches },
    options: ({ target }) => ["-W", target],
  },
  {
    ...{ what: "a socket of a path there", by: "restrict", granted: reaches },
    options: ({ at }) => ["-N", "-L", `${at("l.sock")}:${at("lure.sock")}`],
  },
  {
    ...{ what: "a listening port there", by: "restrict", granted: prints(/Allocated port \d+/) },
    options: ({ target }) => ["-N", "-R", `0:${target}`],
  },
  {
    ...{ what: "a listening proxy there", by: "restrict", granted: prints(/Allocated port \d+/) },
    options: () => ["-N", "-R", "0"],
  },
  {
    ...{ what: "a listening socket there", by: "restrict" },
    options: ({ at, target }) => ["-N", "-R", `${at("r.sock")}:${target}`],
    granted: (_tried, { at }) => existsSync(at("r.sock")),
  },
];

const surroundings: readonly LoginTry[] = [
  {
    ...{ what: "a terminal", by: "restrict", granted: outside("SSH_TTY") },
    options: () => ["-tt"],
  },
  {
    ...{ what: "the user's display", by: "restrict", granted: outside("DISPLAY") },
    options: () => ["-Y"],
  },
  {
    ...{ what: "the user's own agent", by: "restrict", granted: outside("SSH_AUTH_SOCK") },
    options: () => ["-A"],
  },
];

// No option of a key forbids these: sshd needs PermitTunnel, and the login the right to make them.
// A client that is not root can open none at its own end.
const devices: readonly LoginTry[] = (
  [
    ["point-to-point", "tun91"],
    ["ethernet", "tap91"],
  ] as const
).map(([kind, name]) => ({
  ...{ what: `a tunnel device, ${kind}`, by: "login", granted: isDevice(name) },
  options: () => ["-N", "-o", `Tunnel=${kind}`, "-w", "90:91"],
}));

const variables: readonly LoginTry[] = [
  ["NODE_OPTIONS", "--inspect=127.0.0.1:0"],
  ["NODE_V8_COVERAGE", "/nowhere"],
  ["LD_PRELOAD", "/nowhere/x.so"],
  ["LINKSEAL_HOME", "/nowhere"],
  ["BASH_ENV", "/nowhere"],
].map(([name = "", value]) => ({
  ...{ what: `the variable ${name}`, by: "script", granted: inside(name) },
  options: () => ["-o", `SetEnv=${name}=${value}`],
}));

/** All tries. */
export const loginTries: readonly LoginTry[] = [
  ...[...commands, ...subsystems, ...forwards, ...surroundings],
  ...(userInfo().uid === 0 ? devices : []),
  ...variables,
];
