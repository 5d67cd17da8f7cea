// The verb page code: a login code for the status page.

import type { Command } from "commander";
import { spanText } from "../model/text.ts";
import { type Common, Session } from "./session.ts";
import { verb } from "./shape.ts";

export function registerPage(program: Command): void {
  const page = program.command("page").description("the status page of the agent");
  verb(
    page.command("code").description("a code that opens the status page in one browser, once"),
    "linkseal page code",
  ).action(showCode);
}

interface CodeAnswer {
  readonly schema: "linkseal.page-code/1";
  readonly url: string;
  readonly code: string;
  readonly validMs: number;
}

async function showCode(options: Common): Promise<void> {
  const session = new Session(options);
  const answer = await session.get<CodeAnswer>("/v1/page/code");
  await session.show(answer, ({ url, code, validMs }) =>
    // The browser does not send what follows #.
    [`${url}#${code}`, `or open ${url} and type ${code}; good once, for ${spanText(validMs)}`].join(
      "\n",
    ),
  );
}
