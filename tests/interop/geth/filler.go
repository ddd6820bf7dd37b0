package main

import (
	"crypto/rand"

	"github.com/ethereum/go-ethereum/p2p"
	"github.com/ethereum/go-ethereum/rlp"
)

// The number of different contents of a filler, and a step that reaches all of them.
const (
	variety = 4096
	step    = 1021
)

// filler makes incompressible contents without generating each one: windows into random bytes.
type filler struct {
	random   []byte
	size, at uint64
}

func newFiller(size uint64) *filler {
	f := &filler{random: make([]byte, size+variety-1), size: size}
	rand.Read(f.random)
	return f
}

func (f *filler) next() []byte {
	f.at = (f.at + step) % variety
	return f.random[f.at : f.at+f.size]
}

// sendData streams the ordered messages through one buffer.
func sendData(rw p2p.MsgWriter, o order) error {
	contents := newFiller(o.Size)
	// A single byte may be its own encoding, so the header is not always the same.
	var header []byte
	if o.Size != 1 {
		encoded, err := rlp.EncodeToBytes(contents.next())
		if err != nil {
			return err
		}
		header = encoded[:len(encoded)-int(o.Size)]
	}
	var payload []byte
	for range o.Count {
		if o.Size == 1 {
			payload, _ = rlp.EncodeToBytes(contents.next())
		} else {
			payload = append(append(payload[:0], header...), contents.next()...)
		}
		if err := send(rw, codeData, payload); err != nil {
			return err
		}
	}
	return nil
}
