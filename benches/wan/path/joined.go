package main

import "encoding/binary"

// The header that the kernel puts before each packet: struct virtio_net_hdr of linux/virtio_net.h, in the byte order
// of the machine.
const (
	vnetSize      = 10
	vnetFlags     = 0
	vnetKind      = 1
	vnetHeaders   = 2
	vnetSegment   = 4
	vnetSumStart  = 6
	vnetSumOffset = 8

	kindSingle = 0
	kindTCP4   = 1
)

const (
	ipLength   = 2
	ipID       = 4
	ipSum      = 10
	ipSource   = 12
	ipAddress  = 4
	tcpNumber  = 4
	tcpOffset  = 12
	tcpFlags   = 13
	tcpSum     = 16
	flagFIN    = 0x01
	flagPSH    = 0x08
	flagCWR    = 0x80
	protoTCP   = 6
	largestRaw = 64<<10 + 256
)

// joined is the result of one read: one packet, or several TCP segments in one.
type joined struct {
	raw      []byte // with the kernel's header
	ipHeader int
	headers  int // IP and TCP
	segment  int // payload length of each but the last
	count    int
}

func parse(raw []byte) joined {
	j := joined{raw: raw, count: 1}
	if len(raw) < vnetSize+40 || raw[vnetKind] != kindTCP4 {
		return j
	}
	ip := raw[vnetSize:]
	j.ipHeader = int(ip[0]&0x0f) * 4
	j.headers = j.ipHeader + int(ip[j.ipHeader+tcpOffset]>>4)*4
	j.segment = int(binary.NativeEndian.Uint16(raw[vnetSegment:]))
	if payload := len(ip) - j.headers; j.segment > 0 && payload > j.segment {
		j.count = (payload + j.segment - 1) / j.segment
	}
	return j
}

// size is the length of a packet on the link.
func (j *joined) size(index int) int {
	whole := len(j.raw) - vnetSize
	switch {
	case j.count == 1:
		return whole
	case index < j.count-1:
		return j.headers + j.segment
	}
	return whole - (j.count-1)*j.segment
}

// cut writes the packets from first up to, but without, end to buffer, as one joined packet. It
// does what the kernel does for a network card that cannot segment.
func (j *joined) cut(buffer []byte, first, end int) []byte {
	head := vnetSize + j.headers
	from := head + first*j.segment
	to := min(head+end*j.segment, len(j.raw))
	out := buffer[:head+to-from]
	copy(out, j.raw[:head])
	copy(out[head:], j.raw[from:to])
	if end-first == 1 {
		out[vnetKind] = kindSingle
		binary.NativeEndian.PutUint16(out[vnetSegment:], 0)
	}
	binary.NativeEndian.PutUint16(out[vnetHeaders:], uint16(j.headers))

	ip := out[vnetSize:]
	binary.BigEndian.PutUint16(ip[ipLength:], uint16(len(ip)))
	add16(ip[ipID:], uint16(first))
	binary.BigEndian.PutUint16(ip[ipSum:], 0)
	binary.BigEndian.PutUint16(ip[ipSum:], ^fold(sum(ip[:j.ipHeader])))

	tcp := ip[j.ipHeader:]
	number := binary.BigEndian.Uint32(tcp[tcpNumber:])
	binary.BigEndian.PutUint32(tcp[tcpNumber:], number+uint32(first*j.segment))
	if first > 0 {
		tcp[tcpFlags] &^= flagCWR
	}
	if end < j.count {
		tcp[tcpFlags] &^= flagFIN | flagPSH
	}
	// The kernel completes the checksum; so far it covers only the pseudo header.
	pseudo := sum(ip[ipSource:ipSource+2*ipAddress]) + protoTCP + uint32(len(tcp))
	binary.BigEndian.PutUint16(tcp[tcpSum:], fold(pseudo))
	return out
}

func add16(field []byte, more uint16) {
	binary.BigEndian.PutUint16(field, binary.BigEndian.Uint16(field)+more)
}

// sum adds up 16-bit words; the length is even.
func sum(bytes []byte) (total uint32) {
	for i := 0; i < len(bytes); i += 2 {
		total += uint32(binary.BigEndian.Uint16(bytes[i:]))
	}
	return total
}

func fold(total uint32) uint16 {
	for total>>16 != 0 {
		total = total&0xffff + total>>16
	}
	return uint16(total)
}
