// Words in the replies of IOS XR that its readers know, beside the words of the queries. Only these
// stay in a bundle that is made to be shown outside.

/** In either case; the order has no meaning. */
export const grammar = `
  administratively up down is line protocol Interface state transitions Hardware address MTU
  bytes BW Kbit Max reliability txload rxload Encapsulation ARPA loopback not set Full duplex Mb
  s link type force second minute input output rate bits sec packets total drops no
  GigabitEthernet TenGigE TwentyFiveGigE FortyGigE FiftyGigE HundredGigE TwoHundredGigE
  FourHundredGigE EightHundredGigE Gi Te TF Fo Fi Hu TH FH EH MgmtEth Mg RP CPU Bundle Ether BE
  Cisco IOS XR Software Version LNT Build Information System uptime weeks week days day hours
  hour minutes UTC GMT Mon Tue Wed Thu Fri Sat Sun Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov
  Dec Time Cause Code String Reload command issued CommitId Label UserId Client Comment NONE CLI
  Rollback There are active configuration sessions Current Session User Date Lock con vty MKA
  Detailed Status for SECURED Init Pending INITIALIZING Suspended Searching Peer Waiting to
  receive first MKPDU Marked as Live generation distribution with MACsec Local Tx Rx SCI SSCI
  MAC Port Identifier Name CAK CKN CA Authentication Mode PRIMARY FALLBACK PSK Keychain Member
  MI Message Number MN Role Authenticator Key Server YES Cipher Suite Configured AES CMAC GCM
  XPN NULL Latest Old SAK AN KI KN RETIRED and Transmit Wait Retire any peers respond Policy
  Priority Delay Protection Replay Window Size Include ICV Indicator Confidentiality Offset
  Algorithm Agility Capability Integrity Desired Capable Responded List Potential KS Data of has
  Statistics on Reauthentication Attempts Pairwise CAKs Derived Rekeys Group Generated Received
  SA SAKs Rekeyed Responses MKPDUs Transmitted Validated Distributed IDB Success Fail Pkt
  Invalid Length Error Failures Validation Bad Non recent Peerlist Drop SAKUSE Mismatch Packet
  Stats SC TxSC RxSC TxSA RxSA InPktsUntagged InPktsNoTag InPktsBadTag InPktsUnknownSCI
  InPktsNoSCI InPktsOverrun InOctetsValidated InOctetsDecrypted OutPktsUntagged OutPktsTooLong
  OutOctetsProtected OutOctetsEncrypted OutPktsProtected OutPktsEncrypted InPktsUnchecked
  InPktsDelayed InPktsLate InPktsOK InPktsInvalid InPktsNotValid InPktsNotUsingSA InPktsUnusedSA
  NextPN BGP neighbor Remote internal external router ID Established Idle OpenSent OpenConfirm
  Connect shut Last read reset due Notification hold expired keepalive interval seconds vrf
  requested families instance default generic scan secs stop routing enabled table RD main codes
  suppressed damped history valid best RIB failure stale Nexthop discard Origin IGP EGP
  incomplete Network Next Hop Metric LocPrf Weight Path Processed prefixes paths Route
  Distinguisher entry Known via static connected distance candidate Descriptor Blocks directly
  advertising protos in the from Installed percent Sending ICMP Echos timeout d h i r N e a x
  BFD enabled session mininterval multiplier created Hold
`;
