// wan-path joins two network namespaces by a path with delay, rate, queue and loss. It opens a TUN device
// in each and carries packets from one to the other until its standard input ends.
//
//	wan-path -a NAMESPACE -b NAMESPACE -delay 50ms [-rate 100e6] [-queue 250000] [-loss 0.001] [-seed 1]
//
// Each direction has its own link: loss, a queue in front of the rate, the rate, then the delay. A
// link counts IP packets of at most 1500 bytes. The kernel passes joined packets, as it does to a
// network card, so forwarding is cheap. Links treat the packets separately and cut out lost ones.
// Packets that leave within batch of each other are delivered joined, as by a network card.
//
// Standard input takes "again", which restarts the losses: the next connection loses the same
// packets as the last one. Standard output has one JSON object per line: "up" when packets are
// carried, "carried" at the end. GODEBUG=asyncpreemptoff=1 in its environment saves some signals.
package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"time"
)

func main() {
	var a, b end
	flag.StringVar(&a.namespace, "a", "", "namespace of one end")
	flag.StringVar(&b.namespace, "b", "", "namespace of the other end")
	flag.StringVar(&a.address, "address-a", "10.198.0.1", "IPv4 address of one end")
	flag.StringVar(&b.address, "address-b", "10.198.0.2", "IPv4 address of the other end")
	delay := flag.Duration("delay", 50*time.Millisecond, "one way")
	rate := flag.Float64("rate", 0, "bits per second; 0 means no limit")
	queue := flag.Int64("queue", 0, "queue length in bytes; 0 means no limit")
	loss := flag.Float64("loss", 0, "share of packets lost at random, 0 to 1")
	seed := flag.Uint64("seed", 1, "seed of the losses")
	flag.Parse()
	// Four goroutines keep a processor of the runtime each, see raw.
	runtime.GOMAXPROCS(8)
	// Buffers are reused, so there is no garbage, and the collector would wait for those four forever.
	debug.SetGCPercent(-1)

	fds, err := join(a, b)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	there := newPump(fds[0], fds[1], *delay, newLink(*rate, *queue, *loss, *seed))
	back := newPump(fds[1], fds[0], *delay, newLink(*rate, *queue, *loss, *seed+1))
	for _, pump := range []*pump{there, back} {
		go pump.read()
		go pump.write()
	}
	emit(map[string]any{"event": "up"})
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		switch lines.Text() {
		case "again":
			there.link.again.Store(true)
			back.link.again.Store(true)
		default:
			fmt.Fprintf(os.Stderr, "not a command: %q\n", lines.Text())
		}
	}
	emit(map[string]any{"event": "carried", "there": there.counters(), "back": back.counters()})
}

func emit(event map[string]any) {
	line, err := json.Marshal(event)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Stdout.Write(append(line, '\n'))
}
