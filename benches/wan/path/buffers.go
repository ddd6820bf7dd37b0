package main

import "sync"

// sizes are the buffer sizes: an acknowledgement or a packet, a few packets, as many as the kernel
// joins.
var sizes = [...]int{2 << 10, 16 << 10, largestRaw}

// buffers keeps buffers for packets. The last one used is returned first, since it is still in the
// cache.
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

// put returns a buffer.
func (b *buffers) put(buffer []byte) {
	class := 0
	for sizes[class] < cap(buffer) {
		class++
	}
	b.mutex.Lock()
	b.free[class] = append(b.free[class], buffer)
	b.mutex.Unlock()
}
