// geth-peer is a devp2p node on go-ethereum's p2p package. It serves and drives bench/1 and echo/1
// for peermux's interop tests; ../README.md describes its command line and output.
package main

import (
	"bufio"
	"flag"
	"fmt"
	"io"
	"log"
	"log/slog"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/p2p"
	"github.com/ethereum/go-ethereum/p2p/enode"
)

const usage = `usage: geth-peer serve [--addr HOST:PORT] [--max-peers N] [--caps LIST] [--key HEX] [--log LEVEL]
                       [--bootnode NODE [--node-database FOLDER]]
       geth-peer drive --enode URL --mode sink|source|echo|hold|handshake [--size N] [--count N]
                       [--warm-up N] [--concurrency N] [--protocol bench|echo] [--caps LIST]
                       [--key HEX] [--timeout SECONDS] [--log LEVEL]
       geth-peer packets
       geth-peer discv4 [--count N] [--seed N]
       geth-peer eth [--network N] [--blocks N] [--version N]
       geth-peer dns
       geth-peer dns-key HEX PASSWORD FILE`

func main() {
	log.SetOutput(os.Stderr)
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, usage)
		os.Exit(2)
	}
	switch os.Args[1] {
	case "serve":
		os.Exit(serveMain(os.Args[2:]))
	case "drive":
		os.Exit(driveMain(os.Args[2:]))
	case "packets":
		os.Exit(packetsMain())
	case "discv4":
		os.Exit(discv4Main(os.Args[2:]))
	case "eth":
		os.Exit(ethMain(os.Args[2:]))
	case "dns":
		os.Exit(dnsMain())
	case "dns-key":
		os.Exit(dnsKeyMain(os.Args[2:]))
	default:
		fmt.Fprintln(os.Stderr, usage)
		os.Exit(2)
	}
}

func driveMain(args []string) int {
	var o driveOptions
	flags := flag.NewFlagSet("drive", flag.ExitOnError)
	flags.StringVar(&o.enode, "enode", "", "the node to dial")
	flags.StringVar(&o.mode, "mode", "echo", "sink, source, echo, hold or handshake")
	flags.StringVar(&o.protocol, "protocol", "bench", "bench or echo")
	flags.Uint64Var(&o.size, "size", 1024, "bytes per message")
	flags.Uint64Var(&o.count, "count", 100, "messages")
	flags.Uint64Var(&o.warmUp, "warm-up", 0, "messages before the measured ones")
	flags.IntVar(&o.concurrency, "concurrency", 1, "handshakes at once")
	flags.TextVar(&o.log, "log", slog.LevelDebug, "debug, info, warn or error")
	flags.StringVar(&o.caps, "caps", "bench/1,echo/1", "capabilities to offer")
	flags.StringVar(&o.key, "key", "", "private key in hex; a fresh one by default")
	seconds := flags.Uint("timeout", 60, "time limit of the mode, in seconds")
	flags.Parse(args)
	o.timeout = time.Duration(*seconds) * time.Second
	stop := newStopper()
	if o.mode == "hold" {
		go func() {
			io.Copy(io.Discard, os.Stdin)
			stop.stop()
		}()
	}
	return drive(o, stop.stopped)
}

func serveMain(args []string) int {
	flags := flag.NewFlagSet("serve", flag.ExitOnError)
	address := flags.String("addr", "127.0.0.1:0", "where to listen; port 0 picks a free one")
	maxPeers := flags.Int("max-peers", 50, "peers to admit")
	capsText := flags.String("caps", "bench/1,echo/1", "capabilities to offer")
	keyText := flags.String("key", "", "private key in hex; a fresh one by default")
	bootnode := flags.String("bootnode", "", "the bootnode for discovery; without one there is no discovery")
	var find discovery
	flags.StringVar(&find.database, "node-database", "", "a folder for the known nodes")
	var level slog.Level
	flags.TextVar(&level, "log", slog.LevelDebug, "debug, info, warn or error")
	flags.Parse(args)
	key, err := parseKey(*keyText)
	if err != nil {
		log.Fatal(err)
	}
	caps, err := parseCaps(*capsText)
	if err != nil {
		log.Fatal(err)
	}
	if *bootnode != "" {
		parsed, err := enode.Parse(enode.ValidSchemes, *bootnode)
		if err != nil {
			log.Fatal(err)
		}
		find.bootnodes = []*enode.Node{parsed}
	}
	n, err := startNode(key, caps, *address, *maxPeers, level, find)
	if err != nil {
		log.Fatal(err)
	}
	// Node.URLv4 would add "?discport=0", since there is no discovery.
	id := crypto.FromECDSAPub(&key.PublicKey)[1:]
	emit(listeningEvent{"listening", fmt.Sprintf("enode://%x@%s", id, n.server.ListenAddr)})
	untilStopped(n.obey)
	n.stop()
	return 0
}

// obey runs the commands on standard input until its end.
func (n *node) obey(input io.Reader) {
	lines := bufio.NewScanner(input)
	for lines.Scan() {
		words := strings.Fields(lines.Text())
		switch {
		case len(words) == 1 && words[0] == "stats":
			emit(statsEvent{"stats", len(n.live()), n.messages.Load(), n.size.Load()})
		case len(words) == 2 && words[0] == "disconnect":
			code, err := strconv.ParseUint(words[1], 0, 8)
			if err != nil {
				log.Printf("not a disconnect reason: %q", words[1])
				continue
			}
			for _, conn := range n.live() {
				conn.disconnect(p2p.DiscReason(code))
			}
		default:
			log.Printf("not a command: %q", lines.Text())
		}
	}
}

// stopper closes a channel once, at SIGTERM, SIGINT or a call.
type stopper struct {
	once    sync.Once
	stopped chan struct{}
}

// untilStopped runs the commands on standard input until its end, or until a signal.
func untilStopped(obey func(io.Reader)) {
	stop := newStopper()
	go func() {
		obey(os.Stdin)
		stop.stop()
	}()
	<-stop.stopped
}

func newStopper() *stopper {
	s := &stopper{stopped: make(chan struct{})}
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	go func() {
		<-signals
		s.stop()
	}()
	return s
}

func (s *stopper) stop() {
	s.once.Do(func() { close(s.stopped) })
}
