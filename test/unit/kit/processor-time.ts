// What some work takes of a processor, whatever else the machine does meanwhile.

/** Milliseconds of this process, all of its threads. */
export function processorMs(work: () => void): number {
  const since = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(since);
  return (user + system) / 1_000;
}
