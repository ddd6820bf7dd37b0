package main

import (
	"encoding/json"
	"errors"
	"log"
	"math"
	"os"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/ethereum/go-ethereum/p2p"
)

// Which side ended a connection, as far as this side knows.
const (
	byLocal   = "local"
	byRemote  = "remote"
	byUnknown = "unknown"
)

type listeningEvent struct {
	Event string `json:"event"`
	Enode string `json:"enode"`
}

type peerAddEvent struct {
	Event        string   `json:"event"`
	NodeID       string   `json:"node_id"`
	Client       string   `json:"client"`
	Capabilities []string `json:"capabilities"`
}

type peerDropEvent struct {
	Event       string `json:"event"`
	NodeID      string `json:"node_id"`
	ReasonCode  *uint8 `json:"reason_code"`
	Reason      string `json:"reason"`
	RequestedBy string `json:"requested_by"`
}

type statsEvent struct {
	Event    string `json:"event"`
	Peers    int    `json:"peers"`
	Messages uint64 `json:"messages"`
	Bytes    uint64 `json:"bytes"`
}

type resultEvent struct {
	Event      string  `json:"event"`
	OK         bool    `json:"ok"`
	Error      string  `json:"error,omitempty"`
	Mode       string  `json:"mode"`
	Protocol   string  `json:"protocol"`
	Size       uint64  `json:"size"`
	Count      uint64  `json:"count"`
	Seconds    float64 `json:"seconds"`
	CPUSeconds float64 `json:"cpu_seconds"`
	P50        float64 `json:"p50_us,omitempty"`
	P99        float64 `json:"p99_us,omitempty"`
	P999       float64 `json:"p999_us,omitempty"`
}

// percentiles sets the 50th, 99th and 99.9th percentile of the round trips.
func (r *resultEvent) percentiles(took []time.Duration) {
	if len(took) == 0 {
		return
	}
	slices.Sort(took)
	at := func(part float64) float64 {
		return float64(took[int(math.Round(part*float64(len(took)-1)))].Nanoseconds()) / 1e3
	}
	r.P50, r.P99, r.P999 = at(0.5), at(0.99), at(0.999)
}

// cpuSeconds returns the CPU time of this process in seconds.
func cpuSeconds() float64 {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		log.Fatalf("getrusage: %v", err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano()).Seconds()
}

var stdout sync.Mutex

// emit writes one event as one line. os.Stdout is unbuffered, so the line is written when emit
// returns.
func emit(event any) {
	line, err := json.Marshal(event)
	if err != nil {
		log.Fatalf("encoding an event: %v", err)
	}
	stdout.Lock()
	defer stdout.Unlock()
	os.Stdout.Write(append(line, '\n'))
}

// reasonFromText finds the reason for the error in a peer event, which has only its text.
func reasonFromText(text string) *uint8 {
	for code := range 256 {
		if p2p.DiscReason(code).String() == text {
			found := uint8(code)
			return &found
		}
	}
	return nil
}

// setupDrop describes a connection that ended before it became a peer. The server's own checks
// return a bare reason; one that the remote sent is wrapped in a handshake error.
func setupDrop(nodeID string, err error) peerDropEvent {
	drop := peerDropEvent{Event: "peer_drop", NodeID: nodeID, Reason: err.Error(), RequestedBy: byUnknown}
	var reason p2p.DiscReason
	if errors.As(err, &reason) {
		code := uint8(reason)
		drop.ReasonCode, drop.Reason, drop.RequestedBy = &code, reason.String(), byRemote
		if err == error(reason) {
			drop.RequestedBy = byLocal
		}
	}
	return drop
}
