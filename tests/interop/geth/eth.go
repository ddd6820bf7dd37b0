package main

import (
	"bufio"
	"flag"
	"fmt"
	"io"
	"log"
	"log/slog"
	"math/big"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/consensus/ethash"
	"github.com/ethereum/go-ethereum/core"
	"github.com/ethereum/go-ethereum/core/rawdb"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/eth/protocols/eth"
	ethlog "github.com/ethereum/go-ethereum/log"
	"github.com/ethereum/go-ethereum/p2p"
	"github.com/ethereum/go-ethereum/p2p/enode"
	"github.com/ethereum/go-ethereum/params"
)

// The chain of the eth command forks at these blocks. It never reaches the second one.
const (
	passedFork = 5
	futureFork = 1_000_000
)

// How long a peer may take to answer.
const answerTimeout = 30 * time.Second

// ethNode speaks the eth protocol of go-ethereum, on a chain of a few blocks in memory.
type ethNode struct {
	chain   *core.BlockChain
	network uint64
	server  *p2p.Server

	mu    sync.Mutex
	peers map[string]*eth.Peer
}

func ethMain(args []string) int {
	flags := flag.NewFlagSet("eth", flag.ExitOnError)
	network := flags.Uint64("network", 1337, "the network's number")
	blocks := flags.Int("blocks", 20, "blocks after the first one")
	version := flags.Uint("version", 70, "the version of the protocol")
	flags.Parse(args)
	chain, err := newChain(*blocks)
	if err != nil {
		log.Fatal(err)
	}
	n := &ethNode{chain: chain, network: *network, peers: make(map[string]*eth.Peer)}
	if err := n.start(*version); err != nil {
		log.Fatal(err)
	}
	head, genesis := chain.CurrentBlock(), chain.Genesis()
	emit(chainEvent{
		Event: "chain", Network: n.network, Genesis: genesis.Hash().Hex(), Forks: []uint64{passedFork, futureFork},
		Number: head.Number.Uint64(), Time: head.Time, Hash: head.Hash().Hex(),
	})
	id := crypto.FromECDSAPub(&n.server.PrivateKey.PublicKey)[1:]
	emit(listeningEvent{"listening", fmt.Sprintf("enode://%x@%s", id, n.server.ListenAddr)})
	untilStopped(n.obey)
	return 0
}

// newChain makes blocks without transactions.
func newChain(blocks int) (*core.BlockChain, error) {
	config := *params.TestChainConfig
	config.ArrowGlacierBlock = big.NewInt(passedFork)
	config.GrayGlacierBlock = big.NewInt(futureFork)
	spec := &core.Genesis{Config: &config, Timestamp: 1_700_000_000}
	engine := ethash.NewFaker()
	chain, err := core.NewBlockChain(rawdb.NewMemoryDatabase(), spec, engine, nil)
	if err != nil {
		return nil, err
	}
	_, made, _ := core.GenerateChainWithGenesis(spec, engine, blocks, nil)
	_, err = chain.InsertChain(made)
	return chain, err
}

func (n *ethNode) start(version uint) error {
	key, err := crypto.GenerateKey()
	if err != nil {
		return err
	}
	eth.ProtocolVersions = []uint{version}
	n.server = &p2p.Server{Config: p2p.Config{
		PrivateKey:  key,
		Name:        "geth-peer/go-ethereum",
		MaxPeers:    8,
		ListenAddr:  "127.0.0.1:0",
		NoDiscovery: true,
		NoDial:      true,
		Protocols:   eth.MakeProtocols(n, n.network, nil),
		Logger:      ethlog.NewLogger(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}}
	return n.server.Start()
}

// obey runs the commands on standard input until its end.
func (n *ethNode) obey(input io.Reader) {
	lines := bufio.NewScanner(input)
	for lines.Scan() {
		words := strings.Fields(lines.Text())
		var err error
		switch {
		case len(words) == 2 && words[0] == "dial":
			err = n.dial(words[1])
		case len(words) == 5 && words[0] == "ask":
			err = n.ask(words[1:])
		default:
			err = fmt.Errorf("not a command: %q", lines.Text())
		}
		if err != nil {
			log.Print(err)
		}
	}
}

func (n *ethNode) dial(url string) error {
	target, err := enode.ParseV4(url)
	if err != nil {
		return err
	}
	return (&node{server: n.server}).dial(target)
}

// ask requests headers from all peers: the first number or hash, the limit, the number to skip, and
// whether backwards.
func (n *ethNode) ask(words []string) error {
	var numbers [2]int
	for i, word := range words[1:3] {
		number, err := strconv.Atoi(word)
		if err != nil {
			return err
		}
		numbers[i] = number
	}
	amount, skip, reverse := numbers[0], numbers[1], words[3] == "true"
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, peer := range n.peers {
		sink := make(chan *eth.Response, 1)
		var err error
		if strings.HasPrefix(words[0], "0x") {
			_, err = peer.RequestHeadersByHash(common.HexToHash(words[0]), amount, skip, reverse, sink)
		} else {
			var from uint64
			if from, err = strconv.ParseUint(words[0], 10, 64); err == nil {
				_, err = peer.RequestHeadersByNumber(from, amount, skip, reverse, sink)
			}
		}
		if err != nil {
			return err
		}
		select {
		case response := <-sink:
			emit(headersEvent{"headers", hexOf(response.Meta.([]common.Hash))})
			response.Done <- nil
		case <-time.After(answerTimeout):
			return fmt.Errorf("%s did not answer", peer.ID())
		}
	}
	return nil
}

func hexOf(hashes []common.Hash) []string {
	texts := make([]string, len(hashes))
	for i, hash := range hashes {
		texts[i] = hash.Hex()
	}
	return texts
}

// RunPeer is called for each peer, before its messages are handled.
func (n *ethNode) RunPeer(peer *eth.Peer, handler eth.Handler) error {
	head := n.chain.CurrentBlock()
	blocks := eth.BlockRangeUpdatePacket{LatestBlock: head.Number.Uint64(), LatestBlockHash: head.Hash()}
	if err := peer.Handshake(n.network, n.chain, blocks); err != nil {
		emit(ethRefusedEvent{"eth_refused", err.Error()})
		return err
	}
	n.mu.Lock()
	n.peers[peer.ID()] = peer
	n.mu.Unlock()
	theirs := peer.BlockRange()
	emit(ethPeerEvent{"eth_peer", peer.Version(), theirs.EarliestBlock, theirs.LatestBlock, theirs.LatestBlockHash.Hex()})
	defer func() {
		n.mu.Lock()
		defer n.mu.Unlock()
		delete(n.peers, peer.ID())
	}()
	return handler(peer)
}

func (n *ethNode) Chain() *core.BlockChain            { return n.chain }
func (n *ethNode) TxPool() eth.TxPool                 { return nil }
func (n *ethNode) BlobPool() eth.BlobPool             { return nil }
func (n *ethNode) AcceptTxs() bool                    { return false }
func (n *ethNode) PeerInfo(enode.ID) interface{}      { return nil }
func (n *ethNode) Handle(*eth.Peer, eth.Packet) error { return nil }

type chainEvent struct {
	Event   string   `json:"event"`
	Network uint64   `json:"network"`
	Genesis string   `json:"genesis"`
	Forks   []uint64 `json:"forks"`
	Number  uint64   `json:"number"`
	Time    uint64   `json:"time"`
	Hash    string   `json:"hash"`
}

type ethPeerEvent struct {
	Event      string `json:"event"`
	Version    uint   `json:"version"`
	Earliest   uint64 `json:"earliest"`
	Latest     uint64 `json:"latest"`
	LatestHash string `json:"latest_hash"`
}

type ethRefusedEvent struct {
	Event string `json:"event"`
	Error string `json:"error"`
}

type headersEvent struct {
	Event  string   `json:"event"`
	Hashes []string `json:"hashes"`
}
