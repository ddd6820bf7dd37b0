package main

import (
	"crypto/ecdsa"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/p2p"
	"github.com/ethereum/go-ethereum/p2p/enode"
	"github.com/ethereum/go-ethereum/p2p/rlpx"
	"github.com/ethereum/go-ethereum/rlp"
)

// The base protocol's messages and version that a full connect needs.
const (
	codeHello       = 0
	codeDisconnect  = 1
	baseVersion     = 5
	handshakePeriod = 10 * time.Second
)

// hello is the Hello of the base protocol, which package p2p does not export.
type hello struct {
	Version    uint64
	Name       string
	Caps       []p2p.Cap
	ListenPort uint64
	ID         []byte
	Rest       []rlp.RawValue `rlp:"tail"`
}

// newKeys returns a key for each handshake. A node has its key from the start, so they are made
// before the measurement.
func newKeys(count uint64) ([]*ecdsa.PrivateKey, error) {
	keys := make([]*ecdsa.PrivateKey, count)
	for i := range keys {
		key, err := crypto.GenerateKey()
		if err != nil {
			return nil, err
		}
		keys[i] = key
	}
	return keys, nil
}

// handshakes makes full connects: RLPx handshake, Hello both ways, Disconnect. A node accepts no
// second connection of a key, and a p2p.Server has only one key, so they are made with package rlpx
// below it.
func handshakes(o driveOptions, keys []*ecdsa.PrivateKey) error {
	target, err := enode.ParseV4(o.enode)
	if err != nil {
		return err
	}
	address, ok := target.TCPEndpoint()
	if !ok {
		return fmt.Errorf("the enode URL has no TCP endpoint")
	}
	caps, err := parseCaps(o.caps)
	if err != nil {
		return err
	}
	var begun atomic.Uint64
	var tasks sync.WaitGroup
	failed := make(chan error, o.concurrency)
	for range o.concurrency {
		tasks.Go(func() {
			for n := begun.Add(1); n <= uint64(len(keys)); n = begun.Add(1) {
				if err := handshake(keys[n-1], address.String(), target.Pubkey(), caps); err != nil {
					failed <- err
					return
				}
			}
		})
	}
	tasks.Wait()
	select {
	case err := <-failed:
		return err
	default:
		return nil
	}
}

func handshake(key *ecdsa.PrivateKey, address string, remote *ecdsa.PublicKey, caps []p2p.Cap) error {
	socket, err := net.DialTimeout("tcp", address, handshakePeriod)
	if err != nil {
		return err
	}
	defer socket.Close()
	conn := rlpx.NewConn(socket, remote)
	conn.SetDeadline(time.Now().Add(handshakePeriod))
	if _, err := conn.Handshake(key); err != nil {
		return err
	}
	ours := hello{Version: baseVersion, Name: "geth-peer/go-ethereum", Caps: caps, ID: crypto.FromECDSAPub(&key.PublicKey)[1:]}
	payload, err := rlp.EncodeToBytes(&ours)
	if err != nil {
		return err
	}
	if _, err := conn.Write(codeHello, payload); err != nil {
		return err
	}
	code, payload, _, err := conn.Read()
	if err != nil {
		return err
	}
	var theirs hello
	if code != codeHello {
		return fmt.Errorf("message %d with payload %x instead of Hello", code, payload)
	}
	if err := rlp.DecodeBytes(payload, &theirs); err != nil {
		return err
	}
	conn.SetSnappy(theirs.Version >= baseVersion)
	quitting, err := rlp.EncodeToBytes([]p2p.DiscReason{p2p.DiscQuitting})
	if err != nil {
		return err
	}
	_, err = conn.Write(codeDisconnect, quitting)
	return err
}
