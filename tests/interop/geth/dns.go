package main

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/ethereum/go-ethereum/accounts/keystore"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/p2p/dnsdisc"
	"github.com/google/uuid"
	"golang.org/x/net/dns/dnsmessage"
)

// maxUDP is the longest answer over UDP; a longer one must be requested over TCP.
const maxUDP = 1232

type dnsListeningEvent struct {
	Event   string `json:"event"`
	Address string `json:"address"`
}

type dnsSetEvent struct {
	Event string `json:"event"`
	Name  string `json:"name"`
}

type dnsSyncedEvent struct {
	Event string   `json:"event"`
	Seq   uint     `json:"seq"`
	Nodes []string `json:"nodes"`
	Links []string `json:"links"`
	Error string   `json:"error,omitempty"`
}

// dnsKeyMain writes a private key in the form that "devp2p dns sign" reads.
func dnsKeyMain(args []string) int {
	if len(args) != 3 {
		fmt.Fprintln(os.Stderr, usage)
		return 2
	}
	key, err := parseKey(args[0])
	if err != nil {
		log.Fatal(err)
	}
	stored := &keystore.Key{Id: uuid.New(), Address: crypto.PubkeyToAddress(key.PublicKey), PrivateKey: key}
	encrypted, err := keystore.EncryptKey(stored, args[1], 2, 1)
	if err != nil {
		log.Fatal(err)
	}
	if err := os.WriteFile(args[2], encrypted, 0600); err != nil {
		log.Fatal(err)
	}
	return 0
}

// zone is the content of a DNS server: the text under each name, in lower case.
type zone struct {
	mu    sync.Mutex
	texts map[string]string
}

// dnsMain serves texts over UDP and TCP, and runs the commands on standard input: "set NAME TEXT"
// and "sync LINK".
func dnsMain() int {
	z := &zone{texts: make(map[string]string)}
	packets, streams := listenBoth()
	go z.servePackets(packets)
	go z.serveStreams(streams)
	address := packets.LocalAddr().String()
	emit(dnsListeningEvent{"listening", address})

	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		command, rest, _ := strings.Cut(lines.Text(), " ")
		switch command {
		case "set":
			name, text, _ := strings.Cut(rest, " ")
			z.mu.Lock()
			z.texts[strings.ToLower(name)] = text
			z.mu.Unlock()
			emit(dnsSetEvent{"set", name})
		case "sync":
			emit(syncTree(address, rest))
		default:
			log.Printf("not a command: %q", lines.Text())
		}
	}
	return 0
}

// listenBoth finds a port that is free for both.
func listenBoth() (net.PacketConn, net.Listener) {
	for range 100 {
		streams, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			log.Fatal(err)
		}
		packets, err := net.ListenPacket("udp", streams.Addr().String())
		if err == nil {
			return packets, streams
		}
		streams.Close()
	}
	log.Fatal("no port is free for both UDP and TCP")
	return nil, nil
}

// syncTree reads a list with go-ethereum's own client from the server at an address.
func syncTree(address, link string) dnsSyncedEvent {
	dial := func(ctx context.Context, network, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, network, address)
	}
	client := dnsdisc.NewClient(dnsdisc.Config{
		Resolver:  &net.Resolver{PreferGo: true, Dial: dial},
		RateLimit: 1000,
		Timeout:   20 * time.Second,
	})
	tree, err := client.SyncTree(link)
	if err != nil {
		return dnsSyncedEvent{Event: "synced", Error: err.Error()}
	}
	event := dnsSyncedEvent{Event: "synced", Seq: tree.Seq(), Links: tree.Links()}
	for _, n := range tree.Nodes() {
		event.Nodes = append(event.Nodes, n.String())
	}
	return event
}

func (z *zone) servePackets(packets net.PacketConn) {
	query := make([]byte, 1<<16)
	for {
		n, from, err := packets.ReadFrom(query)
		if err != nil {
			return
		}
		if answer := z.answer(query[:n], maxUDP); answer != nil {
			packets.WriteTo(answer, from)
		}
	}
}

func (z *zone) serveStreams(streams net.Listener) {
	for {
		stream, err := streams.Accept()
		if err != nil {
			return
		}
		go z.serveStream(stream)
	}
}

func (z *zone) serveStream(stream net.Conn) {
	defer stream.Close()
	for {
		var length [2]byte
		if _, err := io.ReadFull(stream, length[:]); err != nil {
			return
		}
		query := make([]byte, binary.BigEndian.Uint16(length[:]))
		if _, err := io.ReadFull(stream, query); err != nil {
			return
		}
		answer := z.answer(query, 1<<16-1)
		binary.BigEndian.PutUint16(length[:], uint16(len(answer)))
		stream.Write(append(length[:], answer...))
	}
}

// answer is the response to a query, without its texts if they are too long.
func (z *zone) answer(packet []byte, limit int) []byte {
	var query dnsmessage.Message
	if err := query.Unpack(packet); err != nil || len(query.Questions) != 1 {
		return nil
	}
	question := query.Questions[0]
	z.mu.Lock()
	text, found := z.texts[strings.ToLower(strings.TrimSuffix(question.Name.String(), "."))]
	z.mu.Unlock()
	response := dnsmessage.Message{
		Header: dnsmessage.Header{
			ID:                 query.ID,
			Response:           true,
			Authoritative:      true,
			RecursionDesired:   query.RecursionDesired,
			RecursionAvailable: true,
		},
		Questions: query.Questions,
	}
	switch {
	case !found:
		response.RCode = dnsmessage.RCodeNameError
	case question.Type == dnsmessage.TypeTXT:
		response.Answers = []dnsmessage.Resource{{
			Header: dnsmessage.ResourceHeader{Name: question.Name, Class: dnsmessage.ClassINET, TTL: 1},
			Body:   &dnsmessage.TXTResource{TXT: parts(text)},
		}}
	}
	packed, err := response.Pack()
	if err == nil && len(packed) > limit {
		response.Answers = nil
		response.Truncated = true
		packed, err = response.Pack()
	}
	if err != nil {
		log.Printf("no answer for %v: %v", question.Name, err)
		return nil
	}
	return packed
}

// parts splits a text into the strings of a record, of at most 255 bytes.
func parts(text string) []string {
	var all []string
	for len(text) > 255 {
		all = append(all, text[:255])
		text = text[255:]
	}
	return append(all, text)
}
