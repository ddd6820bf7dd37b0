package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/ethereum/go-ethereum/rlp"
)

// drive runs one mode against the remote. It returns the duration of each round trip, if there were
// any.
func (b *bench) drive(mode string, size, count uint64) ([]time.Duration, error) {
	switch mode {
	case "sink":
		return nil, b.sink(size, count)
	case "source":
		return nil, b.source(size, count)
	case "echo":
		return roundTrips(b.rw, b.questions, codeEcho, codeEchoed, size, count)
	}
	return nil, errors.New("unknown mode " + mode)
}

func (b *bench) sink(size, count uint64) error {
	if err := sendData(b.rw, order{count, size}); err != nil {
		return err
	}
	payload, err := b.questions.ask(codeStats, func() error { return sendValue(b.rw, codeFlush, &struct{}{}) })
	if err != nil {
		return err
	}
	return verifyTotals("Stats", payload, size, count)
}

func (b *bench) source(size, count uint64) error {
	b.mu.Lock()
	b.asked = &asked{order: order{count, size}}
	b.mu.Unlock()
	payload, err := b.questions.ask(codeDone, func() error { return sendValue(b.rw, codeAsk, &order{count, size}) })
	if err != nil {
		return err
	}
	b.mu.Lock()
	got := b.asked.got
	b.asked = nil
	b.mu.Unlock()
	if got != (totals{count, count * size}) {
		return fmt.Errorf("asked for %d Data of %d bytes, got %+v", count, size, got)
	}
	return verifyTotals("Done", payload, size, count)
}

func verifyTotals(name string, payload []byte, size, count uint64) error {
	var told totals
	if err := rlp.DecodeBytes(payload, &told); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if told != (totals{count, count * size}) {
		return fmt.Errorf("%s says %+v for %d messages of %d bytes", name, told, count, size)
	}
	return nil
}
