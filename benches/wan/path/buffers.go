package main

import "sync"

// sizes are those of buffers: an acknowledgement or a packet, a few packets, as many as the kernel joins.
var sizes = [...]int{2 << 10, 16 << 10, largestRaw}

// buffers keeps what packets are stored in. The one used last comes first, as it is still in the processor's cache.
type buffers struct {
	mutex sync.Mutex
	free  [len(sizes)][][]byte
}

// get returns a buffer of length n, at most largestRaw.
func (b *buffers) get(n int) []byte {
	class := 0
	for sizes[class] < n {
		class++
	}
	b.mutex.Lock()
	defer b.mutex.Unlock()
	free := b.free[class]
	if len(free) == 0 {
		return make([]byte, n, sizes[class])
	}
	last := len(free) - 1
	buffer := free[last]
	b.free[class] = free[:last]
	return buffer[:n]
}

// put takes a buffer back.
func (b *buffers) put(buffer []byte) {
	class := 0
	for sizes[class] < cap(buffer) {
		class++
	}
	b.mutex.Lock()
	b.free[class] = append(b.free[class], buffer)
	b.mutex.Unlock()
}
