// The hub's page in a browser: draws each view of all sites that comes from the hub.

import { h } from "preact";
import { ageOf } from "../../web/model.ts";
import { showPage } from "../../web/shell.ts";
import type { FleetView } from "../fleet-shape.ts";
import { Fleet } from "./fleet.ts";

showPage<FleetView>({
  ...{ sender: "the hub", host: "the hub's host" },
  command: "linkseal page code --socket PATH",
  take: () => undefined,
  forget: () => undefined,
  draw: (received, connection, line) => {
    const view = received.snapshot;
    const age = ageOf(received, connection, performance.now());
    const page = h(Fleet, { view, age, connection, leave: () => void line.leave() });
    return { title: `${age.isStale ? "unknown" : view.verdict} · linkseal hub`, page };
  },
});
