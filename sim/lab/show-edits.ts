// `linkseal driver edits`: what a driver sends to a device for each change, before the first login.

import { labelOf } from "#agent/cli/driver-read.ts";
import { usage } from "#agent/cli/failure.ts";
import { type Common, Session } from "#agent/cli/session.ts";
import { visible, visibleLines } from "#agent/model/text.ts";
import { routerNames } from "#drivers/index.ts";
import { LinksealError } from "#hal/error.ts";
import { driverEdits } from "./driver-edits.ts";
import type { Edit, EditList } from "./edit-list.ts";

export interface EditOptions extends Common {
  readonly driver: string;
  readonly model?: string;
  readonly release?: string;
}

export async function showEdits(options: EditOptions): Promise<void> {
  const driver = routerNames.find((name) => name === options.driver);
  if (driver === undefined) {
    const text = `no driver ${JSON.stringify(options.driver)} sends texts to a device`;
    throw usage(`${text}: ${routerNames.join(", ")} do`, "linkseal driver list");
  }
  const [model, release] = [labelOf(options.model), labelOf(options.release)];
  if (model === null || release === null) {
    const text = "what a driver sends depends on the model and the release";
    throw usage(text, `linkseal driver edits --driver ${driver} --model MODEL --release RELEASE`);
  }
  const session = new Session(options);
  const list = await editsOf({ driver, model, release });
  if (!list.edits.some(({ change }) => change.startsWith("macsec."))) {
    session.note(`${model} with ${release}: no source says that it has MACsec, so it is observed`);
  }
  // The texts have line feeds of their own.
  await session.show(list, () => list.edits.map(editText).join("\n\n"));
}

async function editsOf(platform: Parameters<typeof driverEdits>[0]): Promise<EditList> {
  try {
    return await driverEdits(platform);
  } catch (error) {
    if (!(error instanceof LinksealError) || !error.code.startsWith("device.")) throw error;
    const text = `the driver ${platform.driver} does not understand this model or release`;
    throw usage(text, "--model C9500-48Y4C --release 17.12.1");
  }
}

const editText = ({ change, channel, text }: Edit): string =>
  `${visible(change)} (${channel})\n${visibleLines(text)}`;
