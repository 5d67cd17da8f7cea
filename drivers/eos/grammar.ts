// Words in the replies of EOS that its readers know, beside the words of the queries. Only these
// stay in a bundle that is made to be shown outside.

/** In either case; the order has no meaning. */
export const grammar = `
  version modelName utcTime resetCauses timestamp bootupTimestamp uptime sessions state pending
  pendingCommitTimer completed commitTimerSessionName commitBy commitTimerExpireTime instances
  interfaces Ethernet Management Tunnel Loopback Vlan Port Channel lineProtocolStatus
  interfaceStatus up down connected notconnect disabled errdisabled bandwidth
  interfaceStatistics updateInterval inPktsRate outPktsRate inBitsRate outBitsRate name key mtu
  hardware forwardingModel routed controlledPort keyMsgId keyNum portId address details
  keyServerPriority sessionReKeyPeriod traffic Protected Unprotected Dropped latestKeyMsgId
  latestKeyMsgNum latestKeyReceiving latestKeyTransmitting oldKeyMsgId oldKeyMsgNum
  oldKeyReceiving oldKeyTransmitting latestKey oldKey msgId rxInstalled txInstalled
  fipsPostStatus localSsci none participants success principalActor defaultActor electedSelf
  livePeerList potentialPeerList keyServerMsgId keyServerAddr keyServerPortId sakTransmit
  llpnExhaustion outPktsEncrypted outOctetsEncrypted inPktsDecrypted inOctetsDecrypted
  countersDetail inPktsOK inPktsUnchecked inPktsNotUsingSA inPktsNoTag inPktsTagged inPktsBadTag
  inPktsNoSCI inPktsNotValid inPktsLate inPktsCtrl outPktsUntagged outPktCtrl outPktsTooLong
  Interface Rx Tx Failure licenseEnabled securedInterfaces fipsMode activeProfiles
  delayProtection vrfs vrf default peers peerState Established Active Idle Connect OpenSent
  OpenConfirm peerStateIdleReason Admin peerAsn asn routerId bgpRouteEntries bgpRoutePaths
  routeType valid ecmp ecmpHead ecmpContributor backup stale nextHop maskLength routes vias
  nexthopAddr static kernelProgrammed routingDisabled Source Destination policyBasedTunnel
  Uptime minutes seconds hours days hour minute day Type Remote IP Role responder initiator
  Selectors prefix Inbound Outbound SPI Request Mode transport Replay window size Seq Errors
  Packets outside Integrity failed Lifetime config Soft Hard byte limit packet time secs current
  bytes SA add last use N A Mon Tue Wed Thu Fri Sat Sun Jan Feb Mar Apr May Jun Jul Aug Sep Oct
  Nov Dec PING data transmitted received loss statistics of
  bfd timers
`;
