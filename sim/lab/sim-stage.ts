// Shows a running demo: on a terminal a picture that is redrawn in place, else one line per event.

import { join } from "node:path";
import { type Paint, paintFor } from "#agent/cli/paint.ts";
import { shortCkn } from "#agent/model/ckn-text.ts";
import type { Verdict } from "#agent/model/health.ts";
import { isoTime } from "#agent/model/iso-time.ts";
import { reasonText } from "#agent/model/reason-text.ts";
import { stateText } from "#agent/model/state-text.ts";
import { spanText, visible } from "#agent/model/text.ts";
import type { AgentView } from "#agent/runtime/agent-view.ts";
import { openCampaign } from "#agent/store/journal/memory.ts";
import {
  drawScene,
  type Happening,
  happeningLine,
  type Scene,
  type SceneLink,
} from "./sim-view.ts";
import type { EffectEvent, StaffedSite } from "./simulate.ts";

export interface StageParts {
  readonly staff: StaffedSite;
  readonly agent: AgentView;
  readonly folder: string;
  /** Port of the status page; undefined = there is none. */
  readonly pagePort: number | undefined;
  /** undefined = no socket is served. */
  readonly places: { readonly runtime: string } | undefined;
  readonly once?: true;
  readonly json?: true;
  readonly speed: number;
  readonly start: "clear" | "protected";
}

const drawMs = 200;
const happeningsMax = 200;
const esc = String.fromCharCode(27);
const cursor = { hide: `${esc}[?25l`, show: `${esc}[?25h` };

interface Sample {
  readonly atMs: number;
  readonly protectedFrames: bigint;
  readonly clearFrames: bigint;
  readonly protectedPps: number;
  readonly clearPps: number;
}

export class Stage {
  readonly #parts: StageParts;
  readonly #out: NodeJS.WriteStream;
  readonly #paint: Paint;
  /** True = redrawn in place; a pipe gets lines instead. */
  readonly #isLive: boolean;
  readonly #happenings: Happening[] = [];
  readonly #samples = new Map<string, Sample>();
  #drawn = 0;
  #tick = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(parts: StageParts) {
    this.#parts = parts;
    // Standard output is for JSON alone.
    this.#out = parts.json === true ? process.stderr : process.stdout;
    this.#isLive = parts.json !== true && process.stdout.isTTY;
    this.#paint = paintFor(this.#out);
  }

  begin(): void {
    const { agent, staff } = this.#parts;
    agent.events.listen(({ code, about, text }) => this.#happened(code, about, text));
    staff.site.attach({
      fault: (text, link) => this.#happened("fault", link, text),
      effect: (effect) => this.#happened("effect", effect.link ?? effect.place, effectText(effect)),
    });
    this.#opening();
    if (!this.#isLive) return;
    this.#out.write(cursor.hide);
    // The cursor is shown again, however the process ends.
    process.once("exit", this.#showCursor);
    this.#timer = setInterval(() => this.#draw(), drawMs);
  }

  end(): void {
    clearInterval(this.#timer);
    if (!this.#isLive) return;
    this.#draw();
    process.off("exit", this.#showCursor);
    this.#showCursor();
  }

  readonly #showCursor = (): void => {
    this.#out.write(cursor.show);
  };

  #opening(): void {
    const { folder, places, once, pagePort } = this.#parts;
    const { site } = this.#parts.staff;
    const lines = [
      `simulated site ${site.plan.name}, seed ${site.seed}, at ${this.#speedText()}`,
      `state and log in ${folder}`,
      ...(places === undefined || once === true
        ? []
        : [`sockets in ${places.runtime}; next: ${this.#hint()}`]),
      ...(pagePort === undefined
        ? []
        : [`page at http://127.0.0.1:${pagePort}/; login code: npx --no -- linkseal page code`]),
    ];
    this.#out.write(`${lines.join("\n")}\n\n`);
  }

  #speedText(): string {
    const { speed } = this.#parts;
    return speed === Number.POSITIVE_INFINITY ? "full speed" : `${speed}x real time`;
  }

  #hint(): string {
    const { start, folder } = this.#parts;
    if (start === "protected") {
      const file = join(folder, "demo.yaml");
      return `npx --no -- linkseal apply ${file}, then npx --no -- linkseal adopt erd-demo`;
    }
    return "npx --no -- linkseal status, or npx --no -- linkseal sim fault peer-silent";
  }

  #happened(code: string, about: string, text: string): void {
    const atMs = this.#parts.staff.site.clock.now();
    const happening = { atMs, code: visible(code), about: visible(about), text: visible(text) };
    this.#happenings.push(happening);
    if (this.#happenings.length > happeningsMax) this.#happenings.shift();
    if (!this.#isLive) this.#out.write(`${happeningLine(happening)}\n`);
  }

  #draw(): void {
    const size = { columns: this.#out.columns || 80, rows: this.#out.rows || 24 };
    const lines = drawScene(this.#scene(), this.#paint, size, this.#tick);
    this.#tick += 1;
    const up = this.#drawn === 0 ? "" : `${esc}[${this.#drawn}A`;
    this.#drawn = lines.length;
    this.#out.write(`${up}${lines.map((line) => `${line}${esc}[K\n`).join("")}${esc}[J`);
  }

  #scene(): Scene {
    const { staff, agent, once } = this.#parts;
    const { site } = staff;
    const status = agent.status();
    const verdicts = new Map<string, Verdict>(
      status.groups.flatMap((group) =>
        group.links.map(({ name, verdict }) => [`${group.name}/${name}`, verdict] as const),
      ),
    );
    return {
      title: `linkseal · site ${site.plan.name}, simulated`,
      at: isoTime(site.clock.wall()),
      sinceStartMs: site.clock.now(),
      speed: this.#speedText(),
      links: site.groups.flatMap((group) =>
        site.groupTruth(group).links.map((link): SceneLink => {
          const { protectedPps, clearPps } = this.#rates(link);
          const planned = site.link(link.id);
          return {
            name: link.id,
            edge: link.device,
            far: `MSEE ${planned?.azureLink ?? ""}`,
            state: !link.carries ? "dark" : link.secured ? "protected" : "clear",
            drained: link.drained,
            verdict: verdicts.get(link.id),
            protectedPps,
            clearPps,
          };
        }),
      ),
      tunnels: status.tunnels,
      campaigns: this.#campaigns(),
      happenings: this.#happenings,
      hint: once === true ? "ends by itself" : `Ctrl-C ends it · ${this.#hint()}`,
    };
  }

  #rates(link: { readonly id: string; protectedFrames: bigint; clearFrames: bigint }): Sample {
    const atMs = this.#parts.staff.site.clock.now();
    const { protectedFrames, clearFrames } = link;
    const before = this.#samples.get(link.id);
    if (before !== undefined && before.atMs === atMs) return before;
    const seconds = before === undefined ? 0 : (atMs - before.atMs) / 1000;
    const rate = (now: bigint, then: bigint | undefined): number =>
      seconds === 0 ? 0 : Number(now - (then ?? 0n)) / seconds;
    const sample: Sample = {
      atMs,
      protectedFrames,
      clearFrames,
      protectedPps: rate(protectedFrames, before?.protectedFrames),
      clearPps: rate(clearFrames, before?.clearFrames),
    };
    this.#samples.set(link.id, sample);
    return sample;
  }

  #campaigns(): readonly string[] {
    const { agent, staff } = this.#parts;
    const wall = staff.site.clock.wall();
    return staff.site.groups.flatMap((group) => {
      const campaign = openCampaign(agent.memory, group);
      if (campaign === undefined) return [];
      const { kind, links, at, state, reason, since } = campaign;
      const link = `${group}/${links[at]?.name ?? ""}`;
      const age = spanText(wall - since);
      const shown = this.#paint.strong(stateText(state, age));
      return [`${kind} ${link}: ${shown}: ${visible(reasonText(reason))}`];
    });
  }
}

function effectText({ by, what, ckn, place }: EffectEvent): string {
  const key = ckn === undefined ? "" : ` with key ${shortCkn(ckn)}`;
  return `${by}: ${what}${key} at ${what === "peer.put" ? "the far end" : place}`;
}
