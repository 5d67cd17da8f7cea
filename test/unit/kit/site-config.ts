// One valid config that the config tests edit.

export const siteConfig = `version: 1
site: demo
azure:
  cloud: sim
  vault: unix:/run/site.sock
  farEnd: agent
devices:
  - name: edge-a
    driver: sim
    address: unix:/run/site.sock
  - name: edge-b
    driver: sim
    address: unix:/run/site.sock
groups:
  - name: erd-demo
    expressRoutePort: erd-demo
    drain: prepend
    order: [secondary, primary]
    links:
      - name: primary
        device: edge-a
        port: et-0/0/0
        azureLink: link1
        speed: 100G
        macsec: { suite: gcm-aes-xpn-256, offset: 0, replayWindow: 64, sakRekey: 8h }
        key: { cak: erd-demo-1-cak, ckn: erd-demo-1-ckn }
      - name: secondary
        device: edge-b
        port: et-0/0/1
        azureLink: link2
        speed: 100G
        macsec: { suite: gcm-aes-xpn-256 }
        key: { cak: erd-demo-2-cak, ckn: erd-demo-2-ckn }
tunnels:
  - name: hub-1
    device: edge-a
    local: { address: 198.51.100.1 }
    remote: { address: 203.0.113.1 }
    protects: { local: [10.1.0.0/16], remote: [10.100.0.0/16] }
    auth: { psk: hub-1-psk }
    insideMacsec: erd-demo
repair: off
health: { poll: 5s, staleAfter: 30s, evidence: 90s }
rotation: { settle: 18s, verify: 60s, confirm: 5m, farEnd: 30m, putGrace: 90s }
acceptRisks:
  - { risk: breakBeforeMake, until: 2027-01-31 }
`;
