// The two local sockets of the agent: one for questions, one for changes.

import { chmod, chown, readFile } from "node:fs/promises";
import { LinksealError } from "#hal/error.ts";
import { encodeJson } from "#hal/json.ts";
import type { World } from "#hal/world.ts";
import { answer } from "../api/api.ts";
import type { SocketRole } from "../api/route.ts";
import { SharedReports } from "../api/shared-reports.ts";
import { WaitLimit } from "../api/wait-limit.ts";
import { errorShape } from "../model/error-shape.ts";
import type { Agent } from "../runtime/agent.ts";
import { userOf } from "./clients.ts";
import { errnoOf, openFolder } from "./folder.ts";
import type { HttpReply } from "./listener.ts";
import { lockState } from "./lock.ts";
import { type Places, socketPath } from "./places.ts";
import { serveUnix, type UnixService } from "./unix-server.ts";

const requestBytesMax = 2_000_000;

export interface ServedApi {
  /** Cuts off every client and removes the sockets. */
  close(): Promise<void>;
}

/**
 * Serves the agent at the two sockets of its folders, and replaces those of a killed agent.
 * `broken` is called with a defect in the agent, after which no reply can be trusted.
 * @throws LinksealError with `journal.locked` if another agent answers there
 */
export async function serveApi(
  agent: Agent,
  world: Pick<World, "clock" | "log">,
  { kind, runtime, native }: ApiPlace,
  broken: (error: unknown) => void,
): Promise<ServedApi> {
  const folder = await openFolder(runtime, "reachable");
  const lock = await lockState(folder);
  const served: ServedApi[] = [];
  const reports = new SharedReports(agent, world.clock);
  const close = async (): Promise<void> => {
    await Promise.all(served.map((one) => one.close()));
    await lock[Symbol.asyncDispose]();
  };
  try {
    for (const role of ["view", "admin"] as const) {
      const path = socketPath({ runtime: folder }, role);
      const parts = { path, role, broken, reports, native };
      served.push(await serveUnix(serviceFor(agent, world, parts)));
      if (kind === "system") await openToGroup(path, groupOf[role], world);
    }
  } catch (error) {
    await close();
    throw error;
  }
  return { close };
}

/** Where the sockets are, and how the kernel is asked who their clients are. */
interface ApiPlace extends Pick<Places, "kind" | "runtime"> {
  /** undefined = there is no addon, so the kernel is not asked. */
  readonly native: Parameters<typeof userOf>[0] | undefined;
}

interface Role extends Pick<UnixService, "path" | "broken">, Pick<ApiPlace, "native"> {
  readonly role: SocketRole;
  readonly reports: SharedReports;
}

function serviceFor(
  agent: Agent,
  { clock }: Pick<World, "clock">,
  { path, role, broken, reports, native }: Role,
): UnixService {
  const waits = new WaitLimit();
  return {
    path,
    broken,
    ...(native === undefined ? {} : { userOf: (socket) => userOf(native, socket) }),
    // No request to the view socket has a body.
    requestBytesMax: role === "view" ? 0 : requestBytesMax,
    tooLong,
    async answer(call, gone) {
      const own = { now: clock.wall(), sleep: clock.sleep.bind(clock), reports, waits };
      return await answer(agent, { ...call, role, who: `${role} socket` }, own, gone);
    },
  };
}

function tooLong(): HttpReply {
  const text = `the request is longer than ${requestBytesMax} bytes`;
  const details = { effect: "none", where: "socket", next: "linkseal validate FILE" } as const;
  return { status: 413, body: encodeJson(errorShape(new LinksealError("usage", text, details))) };
}

const groupOf = { view: "linkseal", admin: "linkseal-admin" } as const;

export async function openToGroup(
  path: string,
  group: string,
  { log }: Pick<World, "log">,
): Promise<void> {
  const groups = await readFile("/etc/group", "utf8").catch(() => "");
  const id = new RegExp(`^${group}:[^:]*:(\\d+):`, "m").exec(groups)?.[1];
  try {
    if (id === undefined) throw new Error("there is no such group");
    await chown(path, process.geteuid?.() ?? 0, Number(id));
    await chmod(path, 0o660);
  } catch (error) {
    const why = error instanceof Error && !("code" in error) ? error.message : errnoOf(error);
    log.write("warn", "socket-private", `only this user can open ${path}: group ${group}: ${why}`);
  }
}
