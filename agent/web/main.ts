// The status page in a browser: draws each snapshot that comes from the agent.

import { h } from "preact";
import type { PageSnapshot } from "../page/shape.ts";
import { History } from "./history.ts";
import { momentOf } from "./model.ts";
import { showPage } from "./shell.ts";
import { Watch } from "./watch.ts";

let history = new History();

showPage<PageSnapshot>({
  ...{ sender: "the agent", host: "the agent's host", command: "linkseal page code" },
  take: (snapshot) => history.take(snapshot),
  forget: () => {
    history = new History();
  },
  draw: (received, connection, line) => {
    const moment = momentOf(received, connection, performance.now());
    const { site, verdict } = moment.snapshot.status;
    const page = h(Watch, {
      ...{ moment, connection, history },
      fragment: location.hash,
      readDay: (path) => line.day(path),
      leave: () => void line.leave(),
    });
    return { title: `${moment.isStale ? "unknown" : verdict} · ${site ?? "linkseal"}`, page };
  },
});
