// The settings that npm needs to reach its registry from another root, as this machine's npm is
// configured.

export const asked = ["registry", "cafile", "proxy", "https-proxy", "noproxy", "strict-ssl"];

export interface NpmNeeds {
  /** Leaves out the file of certificates, whose path differs in the other root. */
  readonly environment: Readonly<Record<string, string>>;
  /**
   * Path on this machine of the certificates that npm trusts; undefined = those that npm brings.
   */
  readonly certificates: string | undefined;
}

const unset = new Set(["", "null", "undefined"]);

/** `printed`: what `npm config get ...asked` prints, a `key=value` a line. */
export function npmNeeds(printed: string): NpmNeeds {
  const pairs = printed.split("\n").flatMap((line): [string, string][] => {
    const [, key = "", value = ""] = /^([a-z-]+)=(.*)$/.exec(line.trim()) ?? [];
    return asked.includes(key) && !unset.has(value) ? [[key, value]] : [];
  });
  const certificates = pairs.find(([key]) => key === "cafile")?.[1];
  const others = pairs.filter(([key]) => key !== "cafile");
  const name = (key: string): string => `npm_config_${key.replaceAll("-", "_")}`;
  return {
    environment: Object.fromEntries(others.map(([key, value]) => [name(key), value])),
    certificates,
  };
}
