// The two local sockets of the agent: one for questions, one for changes.

import { chmod, chown, readFile } from "node:fs/promises";
import { LinksealError } from "#hal/error.ts";
import { encodeJson } from "#hal/json.ts";
import type { World } from "#hal/world.ts";
import { answer } from "../api/api.ts";
import type { SocketRole } from "../api/route.ts";
import { SharedReports } from "../api/shared-reports.ts";
import { WaitLimit } from "../api/wait-limit.ts";
import { unknownClient } from "../model/client.ts";
import { errorShape } from "../model/error-shape.ts";
import type { Agent } from "../runtime/agent.ts";
import { type CredentialReader, clientOf } from "./clients.ts";
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

/** What the sockets need of this host. */
export interface ApiParts {
  /** Reads who connects; undefined = there is no addon, so that users stay unknown. */
  readonly native: CredentialReader | undefined;
  /** Called with a defect in the agent, after which no reply can be trusted. */
  readonly broken: (error: unknown) => void;
}

/**
 * Serves the agent at the two sockets of its folders, and replaces those of a killed agent.
 * @throws LinksealError with `journal.locked` if another agent answers there
 */
export async function serveApi(
  agent: Agent,
  world: Pick<World, "clock" | "log">,
  { kind, runtime }: Pick<Places, "kind" | "runtime">,
  parts: ApiParts,
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
      served.push(await serveUnix(serviceFor(agent, world, { ...parts, path, role, reports })));
      if (kind === "system") await openToGroup(path, groupOf[role], world);
    }
  } catch (error) {
    await close();
    throw error;
  }
  return { close };
}

interface Role extends ApiParts {
  readonly path: string;
  readonly role: SocketRole;
  readonly reports: SharedReports;
}

function serviceFor(
  agent: Agent,
  { clock }: Pick<World, "clock">,
  { path, role, native, reports, broken }: Role,
): UnixService {
  const waits = new WaitLimit();
  return {
    path,
    broken,
    // No request to the view socket has a body.
    requestBytesMax: role === "view" ? 0 : requestBytesMax,
    refused,
    identify: (socket) => clientOf(native, role, socket),
    async answer({ client = unknownClient(role), ...call }, gone) {
      const own = { now: clock.wall(), sleep: clock.sleep.bind(clock), reports, waits };
      return await answer(agent, { ...call, client }, own, gone);
    },
  };
}

function refused(why: "long" | "busy"): HttpReply {
  const details = { effect: "none", where: "socket" } as const;
  const error =
    why === "long"
      ? new LinksealError("usage", `the request is longer than ${requestBytesMax} bytes`, {
          ...{ ...details, next: "linkseal validate FILE" },
        })
      : new LinksealError("agent.busy", "other long requests are being answered", {
          ...{ ...details, next: "try again in a minute" },
        });
  return { status: why === "long" ? 413 : 429, body: encodeJson(errorShape(error)) };
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
