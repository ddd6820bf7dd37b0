package main

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"

	"github.com/ethereum/go-ethereum/p2p"
	"github.com/ethereum/go-ethereum/p2p/enode"
)

// dynDialed is p2p's flag for an outbound connection to a node that is not static.
const dynDialed = 1

// driveOptions is the drive command's command line.
type driveOptions struct {
	enode, mode, protocol, caps, key string
	size, count, warmUp              uint64
	concurrency                      int
	timeout                          time.Duration
	log                              slog.Level
}

// drive dials a node, runs one mode against it, prints the result and returns the exit code.
func drive(o driveOptions, stop <-chan struct{}) int {
	if o.mode == "handshake" {
		keys, err := newKeys(o.count)
		result := measure(o, func() ([]time.Duration, error) {
			if err != nil {
				return nil, err
			}
			return nil, handshakes(o, keys)
		})
		emit(result)
		return exitCode(result.OK)
	}
	n, conn, err := connect(o)
	if err == nil && o.mode == "hold" {
		return hold(n, conn, stop)
	}
	if err == nil && o.warmUp > 0 {
		_, err = runMode(o, o.warmUp, conn, stop)
	}
	result := measure(o, func() ([]time.Duration, error) {
		if err != nil {
			return nil, err
		}
		return runMode(o, o.count, conn, stop)
	})
	if o.mode != "hold" {
		emit(result)
	}
	if conn != nil {
		finish(conn)
	}
	var reason p2p.DiscReason
	return exitCode(result.OK || o.mode == "hold" && errors.As(err, &reason))
}

// measure runs a mode and measures it.
func measure(o driveOptions, run func() ([]time.Duration, error)) resultEvent {
	begin, cpu := time.Now(), cpuSeconds()
	took, err := run()
	result := resultEvent{Event: "result", Mode: o.mode, Protocol: o.protocol, Size: o.size, Count: o.count}
	result.Seconds, result.CPUSeconds = time.Since(begin).Seconds(), cpuSeconds()-cpu
	result.percentiles(took)
	if result.OK = err == nil; err != nil {
		result.Error = err.Error()
	}
	return result
}

func exitCode(ok bool) int {
	if ok {
		return 0
	}
	return 1
}

// connect dials and waits for the peer; a refusal is printed as a peer_drop.
func connect(o driveOptions) (*node, *connection, error) {
	target, err := enode.ParseV4(o.enode)
	if err != nil {
		return nil, nil, err
	}
	key, err := parseKey(o.key)
	if err != nil {
		return nil, nil, err
	}
	caps, err := parseCaps(o.caps)
	if err != nil {
		return nil, nil, err
	}
	n, err := startNode(key, caps, "", 8, o.log, discovery{})
	if err != nil {
		return nil, nil, err
	}
	if err := n.dial(target); err != nil {
		emit(setupDrop(target.ID().String(), err))
		return nil, nil, err
	}
	return n, <-n.connected, nil
}

// dial connects to a node without the server's scheduler, which would hide the error and retry.
func (n *node) dial(target *enode.Node) error {
	address, ok := target.TCPEndpoint()
	if !ok {
		return fmt.Errorf("the enode URL has no TCP endpoint")
	}
	socket, err := net.DialTimeout("tcp", address.String(), 5*time.Second)
	if err != nil {
		return err
	}
	return n.server.SetupConn(socket, dynDialed, target)
}

// runMode runs a mode until it is done, the connection ends or the time limit expires. It returns
// the duration of each round trip, if there were any.
func runMode(o driveOptions, count uint64, conn *connection, stop <-chan struct{}) ([]time.Duration, error) {
	if !conn.peer.RunningCap(o.protocol, []uint{1}) {
		return nil, fmt.Errorf("%s/1 was not matched", o.protocol)
	}
	var took []time.Duration
	done := make(chan error, 1)
	go func() {
		var err error
		if o.protocol == "echo" {
			echo := <-conn.echo
			took, err = echo.drive(o.size, count)
			conn.echo <- echo
		} else {
			bench := <-conn.bench
			took, err = bench.drive(o.mode, o.size, count)
			conn.bench <- bench
		}
		done <- err
	}()
	select {
	case err := <-done:
		return took, err
	case <-conn.gone:
		return nil, errGone
	case <-stop:
		return nil, errors.New("interrupted")
	case <-time.After(o.timeout):
		return nil, fmt.Errorf("not done within %v", o.timeout)
	}
}

// hold waits until the remote disconnects or the caller stops it.
func hold(n *node, conn *connection, stop <-chan struct{}) int {
	select {
	case <-conn.gone:
	case <-stop:
		finish(conn)
	}
	return 0
}

// finish disconnects with "client quitting" and waits until the drop is printed.
func finish(conn *connection) {
	select {
	case <-conn.gone:
		return
	default:
	}
	conn.disconnect(p2p.DiscQuitting)
	select {
	case <-conn.gone:
	case <-time.After(3 * time.Second):
	}
}
