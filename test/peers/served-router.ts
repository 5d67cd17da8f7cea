// A simulated router behind an SSH server of this host, and OpenSSH's client with a key of its own.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll } from "vitest";
import { paceClock } from "#sim/serve/site.ts";
import { type SshServed, serveSsh } from "#sim/serve/ssh.ts";
import { type Platform, placeOf } from "../conformance/place.ts";
import { run } from "./run.ts";

export const login = "linkseal@127.0.0.1";

type Options = Omit<Parameters<typeof serveSsh>[0], "port" | "connect">;

/** Serves the router for the tests of one `describe`. */
export function serveRouter<F extends ReturnType<Platform["emulatorOf"]>>(
  platform: Platform<F>,
  optionsOf: (emulator: F) => Options,
) {
  const place = placeOf(platform);
  const { emulator } = place;
  let folder = "";
  let served: SshServed | undefined;
  let pace: ReturnType<typeof paceClock> | undefined;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "linkseal-peers-"));
    await run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", join(folder, "key")], "");
    const connect: typeof emulator.connect = (wire) => emulator.connect(wire);
    served = await serveSsh({ port: 0, connect, ...optionsOf(emulator) });
    pace = paceClock(place.rig.clock, { speed: 20 });
  });
  afterAll(async () => {
    await pace?.stop();
    await served?.close();
    await rm(folder, { recursive: true });
  });
  const server = (): SshServed => {
    if (served === undefined) throw new Error("the router is not served");
    return served;
  };
  const ssh = (...words: readonly string[]): readonly string[] => [
    "ssh",
    ...["-F", "none", "-i", join(folder, "key"), "-o", "BatchMode=yes"],
    ...["-o", "StrictHostKeyChecking=accept-new", "-o", "LogLevel=ERROR"],
    ...["-o", `UserKnownHostsFile=${join(folder, "known")}`, "-p", String(server().port)],
    ...words,
  ];
  return {
    ...{ place, server, ssh },
    typed: (...lines: readonly string[]) =>
      run(ssh("-T", login), [...lines, "exit", ""].join("\n")),
    /** Prints the server's key as the client has recorded it. */
    keyShown: () => run(["ssh-keygen", "-l", "-f", join(folder, "known")], ""),
  };
}
