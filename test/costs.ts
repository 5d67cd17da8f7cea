// The cost of each test file and of each tier: `npm test -- --slowest`.

/**
 * Name of the variable with the path of the file to which costs are written, one JSON object a
 * line.
 */
export const costsTo = "LINKSEAL_COSTS";

export interface Cost {
  readonly file: string;
  /** Milliseconds from the start of its process. */
  readonly wallMs: number;
  /**
   * Processor time of the file's process and of those that it started and saw end, with loading.
   */
  readonly processorMs: number;
}

export function readCosts(text: string): readonly Cost[] {
  const lines = text.split("\n").filter((line) => line !== "");
  return lines.map((line) => JSON.parse(line) as Cost);
}

const total = (name: string, costs: readonly Cost[]): Cost => ({
  file: name,
  wallMs: costs.reduce((sum, { wallMs }) => sum + wallMs, 0),
  processorMs: costs.reduce((sum, { processorMs }) => sum + processorMs, 0),
});

const line = (processor: string, wall: string, what: string): string =>
  `${processor.padStart(11)}${wall.padStart(9)}  ${what}`;
const head = (what: string): string => line("processor s", "wall s", what);
const seconds = (ms: number): string => (ms / 1000).toFixed(1);
const row = ({ file, wallMs, processorMs }: Cost): string =>
  line(seconds(processorMs), seconds(wallMs), file);

const dearest = (costs: readonly Cost[]): readonly Cost[] =>
  costs.toSorted((a, b) => b.processorMs - a.processorMs || b.wallMs - a.wallMs);

/**
 * Formats tiers, then files, the most expensive ones first. `tierOf`: name of the tier of a file.
 */
export function formatCosts(costs: readonly Cost[], tierOf: (file: string) => string): string {
  const tiers = [...Map.groupBy(costs, ({ file }) => tierOf(file))];
  return [
    head("tier"),
    ...dearest(tiers.map(([name, own]) => total(name, own))).map(row),
    "",
    head("file"),
    ...dearest(costs).map(row),
  ].join("\n");
}
