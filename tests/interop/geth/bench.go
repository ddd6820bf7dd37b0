package main

import (
	"sync"

	"github.com/ethereum/go-ethereum/p2p"
	"github.com/ethereum/go-ethereum/rlp"
)

// The codes of bench/1.
const (
	codeData = iota
	codeAsk
	codeDone
	codeEcho
	codeEchoed
	codeFlush
	codeStats
	codeReserved
	benchLength
)

// The largest Ask that is served. The margin is for incompressible data, which grows under Snappy.
const (
	maxAskCount = 1 << 32
	maxAskSize  = 16<<20 - 1<<10
)

// order is an Ask's payload.
type order struct{ Count, Size uint64 }

// totals is the payload of Done and Stats.
type totals struct{ Messages, Bytes uint64 }

func (t *totals) add(size int) {
	t.Messages++
	t.Bytes += uint64(size)
}

// bench is one connection's side of bench/1, server and driver in one.
type bench struct {
	rw        p2p.MsgReadWriter
	node      *node
	orders    chan order
	questions *questions
	received  totals // since the last Flush; used only by run
	buffer    []byte // for the payloads of Data; used only by run

	mu    sync.Mutex
	asked *asked // the driver's Ask while it is being answered
}

// asked is what has arrived for our own Ask.
type asked struct {
	order order
	got   totals
}

func newBench(rw p2p.MsgReadWriter, n *node) *bench {
	return &bench{rw: rw, node: n, orders: make(chan order, 64), questions: newQuestions()}
}

// run serves the remote until the connection ends. Asks are answered concurrently and in order, so
// the remote may be sink and source at the same time.
func (b *bench) run() error {
	defer close(b.questions.closed)
	failed := make(chan error, 1)
	go func() {
		failed <- b.answerOrders()
		// The loop below may be sending an order at this moment.
		for range b.orders {
		}
	}()
	defer close(b.orders)
	for {
		if err := b.next(); err != nil {
			return err
		}
		select {
		case err := <-failed:
			return err
		default:
		}
	}
}

// next handles one message. Data are frequent, so they are read into a reused buffer.
func (b *bench) next() error {
	msg, err := b.rw.ReadMsg()
	if err != nil {
		return err
	}
	if msg.Code != codeData {
		payload, err := whole(msg, nil)
		if err != nil {
			return err
		}
		return b.handle(msg.Code, payload)
	}
	if b.buffer, err = whole(msg, b.buffer); err != nil {
		return err
	}
	return b.countData(b.buffer)
}

func (b *bench) handle(code uint64, payload []byte) error {
	switch code {
	case codeAsk:
		var o order
		if err := rlp.DecodeBytes(payload, &o); err != nil {
			return breach("Ask: %v", err)
		}
		if o.Count > maxAskCount || o.Size > maxAskSize {
			return breach("an Ask of %d messages of %d bytes", o.Count, o.Size)
		}
		b.orders <- o
		return nil
	case codeEcho:
		if _, err := decodeString(payload); err != nil {
			return breach("Echo: %v", err)
		}
		return send(b.rw, codeEchoed, payload)
	case codeFlush:
		if err := rlp.DecodeBytes(payload, &struct{}{}); err != nil {
			return breach("Flush: %v", err)
		}
		stats := b.received
		b.received = totals{}
		return sendValue(b.rw, codeStats, &stats)
	case codeDone, codeEchoed, codeStats:
		if !b.questions.answered(code, payload) {
			return breach("an answer with code %d without a request", code)
		}
		return nil
	}
	return breach("code %d", code)
}

// countData counts for the driver's Ask if there is one, else for the next Stats.
func (b *bench) countData(payload []byte) error {
	content, err := decodeString(payload)
	if err != nil {
		return breach("Data: %v", err)
	}
	b.node.messages.Add(1)
	b.node.size.Add(uint64(len(content)))
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.asked == nil {
		b.received.add(len(content))
		return nil
	}
	b.asked.got.add(len(content))
	if uint64(len(content)) != b.asked.order.Size || b.asked.got.Messages > b.asked.order.Count {
		return breach("Data %d of %d bytes for an Ask of %v", b.asked.got.Messages, len(content), b.asked.order)
	}
	return nil
}

func (b *bench) answerOrders() error {
	for o := range b.orders {
		if err := sendData(b.rw, o); err != nil {
			return err
		}
		if err := sendValue(b.rw, codeDone, &totals{o.Count, o.Count * o.Size}); err != nil {
			return err
		}
	}
	return nil
}
