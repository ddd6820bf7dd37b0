package main

import (
	"crypto/ecdsa"
	"encoding/hex"
	"flag"
	"io"
	"log"
	"math/rand"
	"net"
	"strings"

	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/p2p/discover/v4wire"
	"github.com/ethereum/go-ethereum/p2p/enode"
	"github.com/ethereum/go-ethereum/p2p/enr"
	"github.com/ethereum/go-ethereum/rlp"
)

const (
	discv4Head  = 32 + crypto.SignatureLength
	discv4Limit = 1280
)

type discv4Event struct {
	Event string `json:"event"`
	// Hex, one packet after the other.
	Packets []string `json:"packets"`
	// For each packet 1 if it is accepted, else 0.
	Accepted string `json:"accepted"`
}

// discv4Main prints packets of Node Discovery v4, most of them damaged, and whether v4wire accepts
// them.
func discv4Main(args []string) int {
	flags := flag.NewFlagSet("discv4", flag.ExitOnError)
	count := flags.Int("count", 100000, "number of packets")
	seed := flags.Int64("seed", 1, "seed of the random numbers")
	flags.Parse(args)
	key, err := crypto.ToECDSA(crypto.Keccak256([]byte("discv4")))
	if err != nil {
		log.Fatal(err)
	}
	maker := packetMaker{rand.New(rand.NewSource(*seed)), key}
	for made := 0; made < *count; {
		event := discv4Event{Event: "discv4"}
		var accepted strings.Builder
		for len(event.Packets) < 100 {
			packet := maker.packet()
			if len(packet) > discv4Limit {
				continue
			}
			event.Packets = append(event.Packets, hex.EncodeToString(packet))
			if accepts(packet) {
				accepted.WriteByte('1')
			} else {
				accepted.WriteByte('0')
			}
		}
		event.Accepted = accepted.String()
		emit(event)
		made += len(event.Packets)
	}
	return 0
}

// accepts runs v4wire's decoder, and for a record the check that go-ethereum makes right after it.
func accepts(packet []byte) bool {
	decoded, _, _, err := v4wire.Decode(packet)
	if err != nil {
		return false
	}
	if response, ok := decoded.(*v4wire.ENRResponse); ok {
		_, err = enode.New(enode.ValidSchemes, &response.Record)
	}
	return err == nil
}

type packetMaker struct {
	*rand.Rand
	key *ecdsa.PrivateKey
}

// packet makes a packet. It is mostly damaged before it is signed, so that the decoder reads on.
func (m packetMaker) packet() []byte {
	request := m.request()
	data, err := rlp.EncodeToBytes(request)
	if err != nil {
		log.Fatal(err)
	}
	kind := request.Kind()
	if m.Intn(10) == 0 {
		kind = byte(m.Intn(9))
	}
	switch m.Intn(8) {
	case 0:
		// Undamaged.
	case 1:
		data = m.damaged(data)
	case 2:
		data = append(data, m.junk(20)...)
	default:
		content, _, err := rlp.SplitList(data)
		if err != nil {
			log.Fatal(err)
		}
		content = m.damaged(content)
		if m.Intn(4) == 0 {
			content = append(content, m.junk(12)...)
		}
		data, err = rlp.EncodeToBytes(listOf(content))
		if err != nil {
			log.Fatal(err)
		}
	}
	packet := m.signed(kind, data)
	switch m.Intn(20) {
	case 0:
		packet[m.Intn(len(packet))] ^= 1 << m.Intn(8)
	case 1:
		packet[32+m.Intn(len(packet)-32)] ^= 1 << m.Intn(8)
		copy(packet, crypto.Keccak256(packet[32:]))
	case 2:
		packet = packet[:m.Intn(len(packet))]
	}
	return packet
}

// listOf is a list with these bytes as its content, well-formed or not.
type listOf []byte

func (l listOf) EncodeRLP(w io.Writer) error {
	head := []byte{0xc0 + byte(len(l))}
	switch {
	case len(l) > 255:
		head = []byte{0xf9, byte(len(l) >> 8), byte(len(l))}
	case len(l) > 55:
		head = []byte{0xf8, byte(len(l))}
	}
	_, err := w.Write(append(head, l...))
	return err
}

func (m packetMaker) signed(kind byte, data []byte) []byte {
	packet := append(make([]byte, discv4Head), kind)
	packet = append(packet, data...)
	signature, err := crypto.Sign(crypto.Keccak256(packet[discv4Head:]), m.key)
	if err != nil {
		log.Fatal(err)
	}
	copy(packet[32:], signature)
	copy(packet, crypto.Keccak256(packet[32:]))
	return packet
}

func (m packetMaker) junk(limit int) []byte {
	junk := make([]byte, m.Intn(limit))
	m.Read(junk)
	return junk
}

// damaged changes a few bytes, mostly to values that occur in headers.
func (m packetMaker) damaged(data []byte) []byte {
	const headers = "\x00\x01\x7f\x80\x81\x82\xb7\xb8\xb9\xc0\xc1\xc2\xf7\xf8\xf9\xff"
	data = append([]byte{}, data...)
	for range m.Intn(3) {
		if len(data) == 0 {
			break
		}
		at := m.Intn(len(data))
		if m.Intn(2) == 0 {
			at = m.Intn(min(len(data), 12))
		}
		value := headers[m.Intn(len(headers))]
		switch m.Intn(5) {
		case 0:
			data[at] = value
		case 1:
			data[at] += byte(m.Intn(5)) - 2
		case 2:
			data = append(data[:at], data[at+1:]...)
		case 3:
			data = append(data[:at], append([]byte{value}, data[at:]...)...)
		case 4:
			data = data[:at]
		}
	}
	return data
}

func (m packetMaker) ip() net.IP {
	ip := make(net.IP, []int{0, 3, 4, 4, 4, 16, 16, 17}[m.Intn(8)])
	m.Read(ip)
	return ip
}

func (m packetMaker) endpoint() v4wire.Endpoint {
	return v4wire.Endpoint{IP: m.ip(), UDP: uint16(m.Uint32()), TCP: uint16(m.Intn(200))}
}

func (m packetMaker) number() uint64 {
	return m.Uint64() >> m.Intn(64)
}

func (m packetMaker) request() v4wire.Packet {
	switch m.Intn(6) {
	case 0:
		return &v4wire.Ping{
			Version: uint(m.number()), From: m.endpoint(), To: m.endpoint(), Expiration: m.number(), ENRSeq: m.number() * uint64(m.Intn(2)),
		}
	case 1:
		token := make([]byte, []int{0, 1, 31, 32, 32, 32, 33}[m.Intn(7)])
		m.Read(token)
		return &v4wire.Pong{To: m.endpoint(), ReplyTok: token, Expiration: m.number(), ENRSeq: m.number() * uint64(m.Intn(2))}
	case 2:
		request := &v4wire.Findnode{Expiration: m.number()}
		m.Read(request.Target[:])
		return request
	case 3:
		answer := &v4wire.Neighbors{Expiration: m.number()}
		for range m.Intn(12) {
			node := v4wire.Node{IP: m.ip(), UDP: uint16(m.Uint32()), TCP: uint16(m.Uint32())}
			m.Read(node.ID[:])
			answer.Nodes = append(answer.Nodes, node)
		}
		return answer
	case 4:
		return &v4wire.ENRRequest{Expiration: m.number()}
	default:
		token := make([]byte, 32)
		m.Read(token)
		answer := &v4wire.ENRResponse{ReplyTok: token}
		answer.Record.Set(enr.UDP(uint16(m.Uint32())))
		answer.Record.SetSeq(m.number())
		if err := enode.SignV4(&answer.Record, m.key); err != nil {
			log.Fatal(err)
		}
		return answer
	}
}
