// How much a test does: `npm run test:long` takes the second, larger one. Only in test files, each
// of which is in one of its parts (long.ts).

export function effort<T>(usual: T, long: T): T {
  return process.env["LINKSEAL_LONG"] === "1" ? long : usual;
}
