// Serves the agent's status page at the address of the accepted config.

import type { World } from "#hal/world.ts";
import type { PageSettings } from "../model/desired.ts";
import { Days } from "../page/day.ts";
import { pageText } from "../page/snapshot.ts";
import type { Agent } from "../runtime/agent.ts";
import type { AgentView } from "../runtime/agent-view.ts";
import { keepServed, type Served } from "./kept-served.ts";
import type { ReceiveLimiter } from "./listener.ts";
import { openShownPage } from "./page-listener.ts";

export interface PageParts {
  readonly agent: AgentView & Pick<Agent, "pageLogin">;
  /** Its clock is the agent's, which may be that of a simulated site. */
  readonly world: World;
  readonly native: ReceiveLimiter | undefined;
  /** Called with a defect, after which nothing on the page can be trusted. */
  readonly broken: (error: unknown) => void;
}

/** Serves until the signal aborts. */
export async function servePage(parts: PageParts, end: AbortSignal): Promise<void> {
  const kept = {
    wanted: (serve: { readonly page?: PageSettings }) => serve.page,
    open: (settings: PageSettings) => openPage(parts, settings),
    code: "page-not-served",
    failed: "the page cannot be served as serve.page says",
  };
  await keepServed(parts.agent, parts.world, kept, end);
}

/**
 * Opens the page.
 * @throws Error of Node if the port cannot be bound, or LinksealError that says what is wrong with
 * the certificate
 */
export async function openPage(
  { agent, world, native, broken }: PageParts,
  settings: PageSettings,
): Promise<Served & { readonly port: number }> {
  const days = new Days(agent, world.clock);
  const shown = {
    program: "agent",
    ...{ days, world, native, broken },
    turn: () => days.turn(),
    opening: () => pageText(agent, "withHistory"),
    snapshot: () => pageText(agent, "newest"),
  } as const;
  const page = await openShownPage(shown, settings);
  const deaf = agent.events.listen((event) => {
    days.heard(event);
    page.wake();
  });
  const { login, port } = page;
  agent.pageLogin = login;
  const close = async (): Promise<void> => {
    if (agent.pageLogin === login) agent.pageLogin = undefined;
    deaf();
    await page.close();
  };
  return { port, close };
}
