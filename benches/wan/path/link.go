package main

import (
	"math/rand/v2"
	"sync/atomic"
)

// link decides when a packet leaves, or that it is lost.
type link struct {
	perByte float64 // nanoseconds; 0 without a limit
	queue   float64 // nanoseconds until a full queue is empty; 0 without a limit
	loss    float64
	seed    uint64
	random  *rand.Rand
	again   atomic.Bool // set to restart the random numbers
	free    float64     // when all admitted packets have left
}

type fate int

const (
	leaves fate = iota
	lost
	refused // by the full queue
)

func newLink(rate float64, queue int64, loss float64, seed uint64) *link {
	l := &link{loss: loss, seed: seed}
	l.again.Store(true)
	if rate > 0 {
		l.perByte = 8e9 / rate
		l.queue = float64(queue) * l.perByte
	}
	return l
}

// isPlain reports whether every packet leaves at once.
func (l *link) isPlain() bool {
	return l.perByte == 0 && l.loss == 0
}

// admit decides about a packet that arrives now. Times are in nanoseconds.
func (l *link) admit(now int64, size int) (int64, fate) {
	if l.loss > 0 && l.again.CompareAndSwap(true, false) {
		l.random = rand.New(rand.NewPCG(l.seed, l.seed))
	}
	if l.loss > 0 && l.random.Float64() < l.loss {
		return 0, lost
	}
	if l.perByte == 0 {
		return now, leaves
	}
	arrival, takes := float64(now), float64(size)*l.perByte
	start := max(l.free, arrival)
	if l.queue > 0 && start-arrival+takes > l.queue {
		return 0, refused
	}
	l.free = start + takes
	return int64(l.free), leaves
}
