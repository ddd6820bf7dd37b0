package main

import (
	"errors"
	"fmt"

	"github.com/ethereum/go-ethereum/rlp"
)

// drive runs one mode against the remote.
func (b *bench) drive(mode string, size, count uint64) error {
	switch mode {
	case "sink":
		return b.sink(size, count)
	case "source":
		return b.source(size, count)
	case "echo":
		return roundTrips(b.rw, b.questions, codeEcho, codeEchoed, size, count)
	}
	return errors.New("unknown mode " + mode)
}

func (b *bench) sink(size, count uint64) error {
	for range count {
		if err := sendValue(b.rw, codeData, randomBytes(size)); err != nil {
			return err
		}
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
