// The file that keeps the answers of an interview until its config is written.

import { constants } from "node:fs";
import { open, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { keptBytesMax, keptTextOf, readKept } from "../operate/init/kept-answers.ts";
import { errnoOf, openFolder, ownUid } from "./folder.ts";
import { agentPlaces } from "./places.ts";

/** Answers by the name of their question, and the file that keeps them. */
export interface KeptFile {
  readonly path: string;
  /** What an earlier run kept; empty = nothing, or nothing that can be used. */
  readonly kept: ReadonlyMap<string, string>;
  /** Why what the file contains is not used; undefined = it is used, or there is no file. */
  readonly fault: string | undefined;
  /** Adds an answer and writes all of them; the file has mode 0600. */
  readonly keep: (id: string, answer: string) => Promise<void>;
  /** Removes the file. */
  readonly drop: () => Promise<void>;
}

/**
 * Opens the file in the state folder of this user.
 * @throws LinksealError with `usage` if the folder is not safe
 */
export async function openKept(begin: "resume" | "fresh"): Promise<KeptFile> {
  const folder = await openFolder(agentPlaces().state, "private");
  const path = join(folder, "init-answers.json");
  const found = begin === "fresh" ? noAnswers : await readAnswers(path);
  const answers = new Map(found.kept);
  return {
    path,
    ...found,
    async keep(id, answer) {
      answers.set(id, answer);
      await writeWhole(path, keptTextOf(answers));
    },
    drop: () => rm(path, { force: true }),
  };
}

const noAnswers = { kept: new Map<string, string>(), fault: undefined } as const;

async function readAnswers(path: string): Promise<Pick<KeptFile, "kept" | "fault">> {
  const unusable = (fault: string) => ({ kept: noAnswers.kept, fault });
  try {
    await using file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW);
    const stat = await file.stat();
    if (!stat.isFile() || stat.uid !== ownUid()) return unusable("it is not a file of this user");
    if (stat.size > keptBytesMax) return unusable("it is too large");
    const kept = readKept(await file.readFile("utf8"));
    return kept === undefined ? unusable("init did not write it") : { kept, fault: undefined };
  } catch (error) {
    return errnoOf(error) === "ENOENT" ? noAnswers : unusable(errnoOf(error));
  }
}

// A run that is killed leaves the answers before or after, never half of them.
async function writeWhole(path: string, text: string): Promise<void> {
  const beside = `${path}.new`;
  await rm(beside, { force: true });
  const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL;
  {
    await using file = await open(beside, flags, 0o600);
    await file.writeFile(text);
  }
  await rename(beside, path);
}
