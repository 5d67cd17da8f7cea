// The end that a person or a supervisor asks for.

/** Aborts at SIGINT, SIGTERM or SIGHUP; a second one ends the process at once. */
export function stopAsked(): AbortSignal {
  const stop = new AbortController();
  for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.once(name, () => stop.abort());
  }
  return stop.signal;
}
