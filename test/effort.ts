// How many runs a test that draws at random takes: `npm run test:long` takes the larger number.

export function effort(runs: number, longRuns: number): number {
  return process.env["LINKSEAL_LONG"] === "1" ? longRuns : runs;
}
