// A test that this computer cannot run counts as not run, with the reason, and never as passed.

import type { TestContext } from "vitest";

declare module "vitest" {
  interface TaskMeta {
    /** The reason why this computer cannot run it. */
    whyNot?: string;
  }
}

/** Ends the test at once. */
export function cannotRun(context: TestContext, whyNot: string): never {
  context.task.meta.whyNot = whyNot;
  return context.skip(whyNot);
}
