package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log"
	"sync"

	"github.com/ethereum/go-ethereum/p2p"
	"github.com/ethereum/go-ethereum/rlp"
)

// errGone is what a driver gets when the connection ends before the answer.
var errGone = errors.New("the connection ended before the answer")

// breach logs what the remote did wrong and returns the reason to disconnect with.
func breach(format string, args ...any) error {
	log.Printf("breach of protocol: "+format, args...)
	return p2p.DiscProtocolError
}

// receive reads one message whole: the payload must be consumed in any case.
func receive(rw p2p.MsgReadWriter) (code uint64, payload []byte, err error) {
	msg, err := rw.ReadMsg()
	if err != nil {
		return 0, nil, err
	}
	payload, err = whole(msg, nil)
	return msg.Code, payload, err
}

// whole reads a message's payload into buffer, which grows if it must.
func whole(msg p2p.Msg, buffer []byte) ([]byte, error) {
	if cap(buffer) < int(msg.Size) {
		buffer = make([]byte, msg.Size)
	}
	buffer = buffer[:msg.Size]
	_, err := io.ReadFull(msg.Payload, buffer)
	return buffer, err
}

func send(rw p2p.MsgWriter, code uint64, payload []byte) error {
	return rw.WriteMsg(p2p.Msg{Code: code, Size: uint32(len(payload)), Payload: bytes.NewReader(payload)})
}

func sendValue(rw p2p.MsgWriter, code uint64, value any) error {
	payload, err := rlp.EncodeToBytes(value)
	if err != nil {
		return err
	}
	return send(rw, code, payload)
}

// decodeString takes a payload that is exactly one RLP byte string.
func decodeString(payload []byte) ([]byte, error) {
	content, rest, err := rlp.SplitString(payload)
	if err == nil && len(rest) != 0 {
		err = fmt.Errorf("%d bytes behind the string", len(rest))
	}
	return content, err
}

// questions hands answers to the driver: at most one question is open at a time, and an answer to
// none is the remote's mistake.
type questions struct {
	mu     sync.Mutex
	open   *question
	closed chan struct{}
}

type question struct {
	code   uint64 // of the answer
	answer chan []byte
}

func newQuestions() *questions {
	return &questions{closed: make(chan struct{})}
}

// ask sends a question and waits for the payload of its answer.
func (q *questions) ask(answerCode uint64, sendQuestion func() error) ([]byte, error) {
	open := &question{code: answerCode, answer: make(chan []byte, 1)}
	q.mu.Lock()
	q.open = open
	q.mu.Unlock()
	if err := sendQuestion(); err != nil {
		return nil, fmt.Errorf("%w: %w", errGone, err)
	}
	select {
	case payload := <-open.answer:
		return payload, nil
	case <-q.closed:
		return nil, errGone
	}
}

// answered reports whether somebody had asked for this answer.
func (q *questions) answered(code uint64, payload []byte) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.open == nil || q.open.code != code {
		return false
	}
	q.open.answer <- payload
	q.open = nil
	return true
}
