// Words in the replies of Cisco's platforms that their readers know, beside those of each platform.

/** In either case; the order has no meaning. */
export const ciscoWords = `
  administratively up down is line protocol connected suspended Hardware address MTU bytes BW Kbit
  sec reliability txload rxload Encapsulation ARPA loopback not set Full Duplex link type minute
  second input output rate bits packets no GigabitEthernet TwentyFiveGigE FiftyGigE HundredGigE
  FourHundredGigE Gi Te Fo Fi Hu FH Cisco IOS Software Version uptime weeks days hours minutes week
  day hour System reload UTC GMT Mon Tue Wed Thu Fri Sat Sun Jan Feb Mar Apr May Jun Jul Aug Sep Oct
  Nov Dec with of The There are next be Name Recent enabled Time configured idle User Rollback
  pending Lock State Session MKA Detailed Status for SECURED INITIALIZING ACTIVE Searching Peer
  Waiting to receive first MKPDU MACsec Local Tx Rx SCI Interface MAC Port Identifier ID CAK CKN
  Member MI Message Number MN Role Key Server YES Cipher Suite AES CMAC Latest Old SAK AN KI KN
  RETIRED Transmit Wait Retire On Live Peers List Potential Policy Priority Delay Protection
  Confidentiality Offset Algorithm Agility Capability Desired SSCI GCM XPN NULL Capable Responded KS
  RxSA Installed and any respond has Statistics Reauthentication Attempts CA Pairwise CAKs Derived
  Rekeys SA SAKs Generated Rekeyed Received Responses MKPDUs Validated Transmitted Distributed
  Failures Bad In SC Invalid Valid ICV length Data Replay Window Include BGP neighbor remote AS
  external internal vrf router Established OpenSent OpenConfirm Connect Last read reset due
  Notification hold expired keepalive interval seconds table codes suppressed damped history best
  Stale path Origin IGP EGP incomplete validation Network Hop Metric LocPrf Weight Total prefixes
  Route Distinguisher default nexthop via drop Success percent Sending ICMP Echos timeout BFD none
  current idb N group size S R directly d h i x a e
`;
