package main

import (
	"crypto/ecdsa"
	"fmt"
	"strconv"
	"strings"

	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/p2p"
)

// parseCaps reads a list such as "bench/1,echo/1".
func parseCaps(text string) ([]p2p.Cap, error) {
	var caps []p2p.Cap
	for _, item := range strings.Split(text, ",") {
		name, version, ok := strings.Cut(item, "/")
		number, err := strconv.ParseUint(version, 10, 32)
		if !ok || err != nil || name == "" {
			return nil, fmt.Errorf("capability %q is not NAME/VERSION", item)
		}
		caps = append(caps, p2p.Cap{Name: name, Version: uint(number)})
	}
	return caps, nil
}

// parseKey reads a private key in hex; an empty text means a fresh one.
func parseKey(text string) (*ecdsa.PrivateKey, error) {
	if text == "" {
		return crypto.GenerateKey()
	}
	return crypto.HexToECDSA(strings.TrimPrefix(text, "0x"))
}
