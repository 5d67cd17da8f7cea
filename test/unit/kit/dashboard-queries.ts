// The queries of a Grafana dashboard as Prometheus gets them, with values for its variables.

interface Dashboard {
  readonly panels: readonly { readonly targets: readonly { readonly expr: string }[] }[];
}

export function queriesOf(text: string): readonly string[] {
  const { panels } = JSON.parse(text) as Dashboard;
  return panels
    .flatMap(({ targets }) => targets.map(({ expr }) => expr))
    .map((expr) =>
      expr.replaceAll("$__rate_interval", "5m").replaceAll(/\$(site|group|link)/g, ".+"),
    );
}
