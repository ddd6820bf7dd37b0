package main

import (
	"bytes"
	"fmt"
	"time"

	"github.com/ethereum/go-ethereum/p2p"
)

// The codes of echo/1: the receiver of a Request sends a Response with the same byte string.
const (
	codeRequest = iota
	codeResponse
	echoLength
)

// echo is one connection's side of echo/1.
type echo struct {
	rw        p2p.MsgReadWriter
	questions *questions
}

func newEcho(rw p2p.MsgReadWriter) *echo {
	return &echo{rw: rw, questions: newQuestions()}
}

// run answers requests until the connection ends.
func (e *echo) run() error {
	defer close(e.questions.closed)
	for {
		code, payload, err := receive(e.rw)
		if err != nil {
			return err
		}
		if _, err := decodeString(payload); err != nil {
			return breach("echo code %d: %v", code, err)
		}
		if code == codeRequest {
			err = send(e.rw, codeResponse, payload)
		} else if !e.questions.answered(code, payload) {
			err = breach("a Response without a Request")
		}
		if err != nil {
			return err
		}
	}
}

// drive makes sequential round trips, verifies each content and returns the durations.
func (e *echo) drive(size, count uint64) ([]time.Duration, error) {
	return roundTrips(e.rw, e.questions, codeRequest, codeResponse, size, count)
}

func roundTrips(rw p2p.MsgReadWriter, q *questions, askCode, answerCode, size, count uint64) ([]time.Duration, error) {
	contents := newFiller(size)
	var took []time.Duration
	for i := range count {
		content := contents.next()
		begin := time.Now()
		payload, err := q.ask(answerCode, func() error { return sendValue(rw, askCode, content) })
		if err != nil {
			return nil, err
		}
		took = append(took, time.Since(begin))
		if got, err := decodeString(payload); err != nil || !bytes.Equal(got, content) {
			return nil, fmt.Errorf("round trip %d: the answer of %d bytes differs from the %d bytes sent (%v)", i, len(got), size, err)
		}
	}
	return took, nil
}
