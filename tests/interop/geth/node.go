package main

import (
	"crypto/ecdsa"
	"log/slog"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ethereum/go-ethereum/log"
	"github.com/ethereum/go-ethereum/p2p"
	"github.com/ethereum/go-ethereum/p2p/enode"
)

// noReason stands for a disconnect that this side did not request.
const noReason = -1

// node is a p2p server that prints the events of its peers.
type node struct {
	server *p2p.Server
	caps   []p2p.Cap

	mu    sync.Mutex
	peers map[string]*connection // by remote address, which distinguishes two connections of one node

	connected      chan *connection // the newest one, for the caller that dialled it
	messages, size atomic.Uint64    // Data received by all connections
}

// connection is one peer from its first handler's start to its drop.
type connection struct {
	peer  *p2p.Peer
	bench chan *bench
	echo  chan *echo
	ours  atomic.Int32  // the reason with which this side requested a disconnect, or noReason
	gone  chan struct{} // closed once the drop was printed
}

// discovery is how a node finds others, if it has bootnodes.
type discovery struct {
	bootnodes []*enode.Node
	database  string // the folder for the known nodes; empty for none
}

// startNode starts a server with the given capabilities; an empty address means no listener.
func startNode(key *ecdsa.PrivateKey, caps []p2p.Cap, address string, maxPeers int, level slog.Level, find discovery) (*node, error) {
	alone := len(find.bootnodes) == 0
	n := &node{caps: caps, peers: make(map[string]*connection), connected: make(chan *connection, 1)}
	n.server = &p2p.Server{Config: p2p.Config{
		PrivateKey:  key,
		Name:        "geth-peer/go-ethereum",
		MaxPeers:    maxPeers,
		ListenAddr:  address,
		NoDiscovery: alone,
		DiscoveryV4: !alone,
		DiscoveryV5: !alone,
		NoDial:      alone,
		Logger:      log.NewLogger(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: level})),

		BootstrapNodes:   find.bootnodes,
		BootstrapNodesV5: find.bootnodes,
		NodeDatabase:     find.database,
	}}
	for _, capability := range caps {
		n.server.Protocols = append(n.server.Protocols, n.protocol(capability))
	}
	events := make(chan *p2p.PeerEvent, 16)
	n.server.SubscribeEvents(events)
	go n.watch(events)
	return n, n.server.Start()
}

// protocol registers a capability: bench and echo by name, any other as eight unused codes, so that
// a test can offer an unshared one.
func (n *node) protocol(capability p2p.Cap) p2p.Protocol {
	protocol := p2p.Protocol{Name: capability.Name, Version: capability.Version, Length: benchLength}
	protocol.Run = func(peer *p2p.Peer, rw p2p.MsgReadWriter) error {
		conn := n.announce(peer)
		err := n.handle(capability.Name, conn, rw)
		if reason, ok := err.(p2p.DiscReason); ok {
			conn.ours.Store(int32(reason))
		}
		return err
	}
	if capability.Name == "echo" {
		protocol.Length = echoLength
	}
	return protocol
}

func (n *node) handle(name string, conn *connection, rw p2p.MsgReadWriter) error {
	switch name {
	case "bench":
		b := newBench(rw, n)
		conn.bench <- b
		return b.run()
	case "echo":
		e := newEcho(rw)
		conn.echo <- e
		return e.run()
	}
	for {
		msg, err := rw.ReadMsg()
		if err != nil {
			return err
		}
		msg.Discard()
	}
}

// announce prints peer_add for the first of a peer's handlers. A peer always has one, and its drop
// is only reported after all of them have returned, so the two lines keep their order.
func (n *node) announce(peer *p2p.Peer) *connection {
	n.mu.Lock()
	defer n.mu.Unlock()
	address := peer.RemoteAddr().String()
	if conn, ok := n.peers[address]; ok {
		return conn
	}
	conn := &connection{peer: peer, bench: make(chan *bench, 1), echo: make(chan *echo, 1), gone: make(chan struct{})}
	conn.ours.Store(noReason)
	n.peers[address] = conn
	var matched []string
	for _, capability := range n.caps {
		if peer.RunningCap(capability.Name, []uint{capability.Version}) {
			matched = append(matched, capability.String())
		}
	}
	slices.Sort(matched)
	emit(peerAddEvent{"peer_add", peer.ID().String(), peer.Fullname(), matched})
	select {
	case n.connected <- conn:
	default:
	}
	return conn
}

// watch prints peer_drop. The server's event does not have the requesting side: if this side
// requested the disconnect, its reason is recorded; any other reason came from the remote.
func (n *node) watch(events <-chan *p2p.PeerEvent) {
	for event := range events {
		if event.Type != p2p.PeerEventTypeDrop {
			continue
		}
		n.mu.Lock()
		conn := n.peers[event.RemoteAddress]
		delete(n.peers, event.RemoteAddress)
		n.mu.Unlock()
		drop := peerDropEvent{"peer_drop", event.Peer.String(), reasonFromText(event.Error), event.Error, byUnknown}
		if drop.ReasonCode != nil {
			drop.RequestedBy = byRemote
			if conn != nil && conn.ours.Load() == int32(*drop.ReasonCode) {
				drop.RequestedBy = byLocal
			}
		}
		emit(drop)
		if conn != nil {
			close(conn.gone)
		}
	}
}

// live returns the open connections.
func (n *node) live() []*connection {
	n.mu.Lock()
	defer n.mu.Unlock()
	var all []*connection
	for _, conn := range n.peers {
		all = append(all, conn)
	}
	return all
}

// disconnect ends a connection with our reason, without waiting for its end.
func (c *connection) disconnect(reason p2p.DiscReason) {
	c.ours.Store(int32(reason))
	c.peer.Disconnect(reason)
}

// stop disconnects all peers ("client quitting") and waits until their drops are printed. It does
// not wait for Server.Stop, which takes as long as any unfinished handshake.
func (n *node) stop() {
	conns := n.live()
	for _, conn := range conns {
		conn.ours.Store(int32(p2p.DiscQuitting))
	}
	go n.server.Stop()
	deadline := time.After(3 * time.Second)
	for _, conn := range conns {
		select {
		case <-conn.gone:
		case <-deadline:
			return
		}
	}
}
