package main

import (
	"fmt"
	"os"
	"runtime"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"
)

const (
	// batch is the maximum interval between packets that are delivered joined.
	batch = int64(500 * time.Microsecond)

	// early is how much too early a packet may be delivered: a shorter sleep is not worth it.
	early = int64(30 * time.Microsecond)

	prSetTimerSlack = 29
)

// pump carries packets in one direction: one goroutine reads, decides and queues, another delivers
// on time.
type pump struct {
	from, to int
	delay    int64
	link     *link
	began    time.Time
	queue    queue
	buffers  buffers

	packets, bytes, lost, refused, overflowed atomic.Uint64
}

type packet struct {
	at   int64 // nanoseconds since the pump began
	data []byte
}

func newPump(from, to int, delay time.Duration, link *link) *pump {
	return &pump{from: from, to: to, delay: int64(delay), link: link, began: time.Now()}
}

func (p *pump) now() int64 {
	return int64(time.Since(p.began))
}

func (p *pump) counters() map[string]uint64 {
	return map[string]uint64{
		"packets": p.packets.Load(), "bytes": p.bytes.Load(), "lost": p.lost.Load(), "refused": p.refused.Load(), "overflowed": p.overflowed.Load(),
	}
}

// read reads what the kernel sends until the device is gone.
func (p *pump) read() {
	buffer := make([]byte, largestRaw)
	for {
		n, errno := raw(syscall.SYS_READ, uintptr(p.from), uintptr(unsafe.Pointer(&buffer[0])), uintptr(len(buffer)))
		switch errno {
		case 0:
			p.arrive(parse(buffer[:n]))
		case syscall.EINTR, syscall.EAGAIN:
		default:
			fail(errno)
		}
	}
}

// arrive decides about each packet and queues those that leave, with as few entries as possible.
func (p *pump) arrive(j joined) {
	now := p.now()
	p.packets.Add(uint64(j.count))
	p.bytes.Add(uint64(len(j.raw) - vnetSize))
	if p.link.isPlain() {
		p.send(&j, 0, j.count, now)
		return
	}
	first, since, last := 0, int64(0), int64(0) // the run of packets to be delivered together
	for i := range j.count {
		at, fate := p.link.admit(now, j.size(i))
		if i > first && (fate != leaves || at-since > batch) {
			p.send(&j, first, i, last)
			first = i
		}
		switch fate {
		case leaves:
			if i == first {
				since = at
			}
			last = at
			continue
		case lost:
			p.lost.Add(1)
		case refused:
			p.refused.Add(1)
		}
		first = i + 1
	}
	if first < j.count {
		p.send(&j, first, j.count, last)
	}
}

// send queues the packets from first up to, but without, end.
func (p *pump) send(j *joined, first, end int, at int64) {
	var data []byte
	if first == 0 && end == j.count {
		data = p.buffers.get(len(j.raw))
		copy(data, j.raw)
	} else {
		data = j.cut(p.buffers.get(vnetSize+j.headers+(end-first)*j.segment), first, end)
	}
	if !p.queue.push(packet{at + p.delay, data}) {
		p.overflowed.Add(1)
		p.buffers.put(data)
	}
}

// write delivers the queued packets.
func (p *pump) write() {
	// The timer slack belongs to the thread, and would lengthen each sleep by 50 µs.
	runtime.LockOSThread()
	raw(syscall.SYS_PRCTL, prSetTimerSlack, 1, 0)
	for {
		next := p.queue.pop()
		for wait := next.at - p.now(); wait > early; wait = next.at - p.now() {
			request := syscall.NsecToTimespec(wait)
			raw(syscall.SYS_NANOSLEEP, uintptr(unsafe.Pointer(&request)), 0, 0)
		}
		p.deliver(next.data)
		p.buffers.put(next.data)
	}
}

func (p *pump) deliver(data []byte) {
	for {
		_, errno := raw(syscall.SYS_WRITE, uintptr(p.to), uintptr(unsafe.Pointer(&data[0])), uintptr(len(data)))
		switch errno {
		case 0:
			return
		case syscall.EINTR, syscall.EAGAIN:
		default:
			fail(errno)
		}
	}
}

// raw makes a system call that may block, without the runtime's knowledge. Otherwise the runtime
// would take the processor from the goroutine and check every 20 µs for others to take, which costs
// more than the packets. There are enough processors, and nothing has to stop the goroutines.
func raw(number, a, b, c uintptr) (uintptr, syscall.Errno) {
	n, _, errno := syscall.RawSyscall(number, a, b, c)
	return n, errno
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "carrying packets:", err)
	os.Exit(1)
}
