package main

import (
	"sync/atomic"
	"syscall"
	"unsafe"
)

const (
	// places is the maximum number of packets in transit, far above any window.
	places = 1 << 16

	futexWait = 128 // and private to this process
	futexWake = 129
)

// queue is a ring between one goroutine that pushes and one that pops. The goroutine
// that pops sleeps in the kernel, see raw.
type queue struct {
	ring     [places]packet
	pushed   atomic.Uint64
	popped   atomic.Uint64
	sleeping atomic.Uint32
}

// push reports whether there was room.
func (q *queue) push(p packet) bool {
	at := q.pushed.Load()
	if at-q.popped.Load() == places {
		return false
	}
	q.ring[at%places] = p
	q.pushed.Store(at + 1)
	if q.sleeping.Swap(0) == 1 {
		raw(syscall.SYS_FUTEX, q.word(), futexWake, 1)
	}
	return true
}

// pop waits for a packet.
func (q *queue) pop() packet {
	at := q.popped.Load()
	for q.pushed.Load() == at {
		q.sleeping.Store(1)
		if q.pushed.Load() == at {
			// Returns at once if push has already changed the word.
			syscall.RawSyscall6(syscall.SYS_FUTEX, q.word(), futexWait, 1, 0, 0, 0)
		}
		q.sleeping.Store(0)
	}
	p := q.ring[at%places]
	q.popped.Store(at + 1)
	return p
}

func (q *queue) word() uintptr {
	return uintptr(unsafe.Pointer(&q.sleeping))
}
