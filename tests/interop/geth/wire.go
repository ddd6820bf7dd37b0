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

// errGone is a driver's error when the connection ends before the answer.
var errGone = errors.New("the connection ended before the answer")

// breach logs the remote's mistake and returns the reason for the disconnect.
func breach(format string, args ...any) error {
	log.Printf("breach of protocol: "+format, args...)
	return p2p.DiscProtocolError
}

// receive reads one whole message: the payload must always be consumed.
func receive(rw p2p.MsgReadWriter) (code uint64, payload []byte, err error) {
	msg, err := rw.ReadMsg()
	if err != nil {
		return 0, nil, err
	}
	payload, err = whole(msg, nil)
	return msg.Code, payload, err
}

// whole reads a message's payload into buffer, which grows if necessary.
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

// decodeString decodes a payload that is exactly one RLP byte string.
func decodeString(payload []byte) ([]byte, error) {
	content, rest, err := rlp.SplitString(payload)
	if err == nil && len(rest) != 0 {
		err = fmt.Errorf("%d bytes after the string", len(rest))
	}
	return content, err
}

// questions delivers answers to the driver. At most one question is open at a time; an answer
// without a question is a breach by the remote.
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

// ask sends a question and returns the payload of its answer.
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

// answered reports whether the answer was expected.
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
