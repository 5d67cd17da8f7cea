// The amount of work of a test: `npm run test:long` takes the second, larger number, in one of the
// parts of long.ts.

export function effort<T>(usual: T, long: T): T {
  return process.env["LINKSEAL_LONG"] === "1" ? long : usual;
}
