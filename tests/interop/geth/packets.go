package main

import (
	"bufio"
	"encoding/hex"
	"log"
	"math/big"
	"os"
	"reflect"
	"strings"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/forkid"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/eth/protocols/eth"
	"github.com/ethereum/go-ethereum/eth/protocols/snap"
	"github.com/ethereum/go-ethereum/rlp"
)

// packet is a message of a real protocol. ../cases/packets has the same values.
type packet struct {
	name  string
	code  uint64
	value any
}

type packetEvent struct {
	Event   string `json:"event"`
	Name    string `json:"name"`
	Code    uint64 `json:"code"`
	Payload string `json:"payload"`
	Error   string `json:"error,omitempty"`
}

// packetsMain prints all packets. Then it decodes each "NAME|HEX" on standard input, and prints the
// value's encoding.
func packetsMain() int {
	known := make(map[string]packet)
	for _, p := range packets() {
		known[p.name] = p
		emit(encoded("packet", p, p.value))
	}
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		name, text, _ := strings.Cut(lines.Text(), "|")
		p, found := known[name]
		payload, err := hex.DecodeString(text)
		if !found || err != nil {
			log.Printf("not a packet: %q", lines.Text())
			return 2
		}
		emit(decoded(p, payload))
	}
	return 0
}

func encoded(event string, p packet, value any) packetEvent {
	payload, err := rlp.EncodeToBytes(value)
	if err != nil {
		return packetEvent{event, p.name, p.code, "", err.Error()}
	}
	return packetEvent{event, p.name, p.code, hex.EncodeToString(payload), ""}
}

func decoded(p packet, payload []byte) packetEvent {
	value := reflect.New(reflect.TypeOf(p.value).Elem()).Interface()
	err := rlp.DecodeBytes(payload, value)
	if err == nil {
		err = readLists(value)
	}
	if err != nil {
		return packetEvent{"decoded", p.name, p.code, "", err.Error()}
	}
	return encoded("decoded", p, value)
}

// readLists decodes the lists that a packet leaves encoded, and inserts them again.
func readLists(value any) error {
	switch value := value.(type) {
	case *eth.BlockHeadersPacket:
		return readList(&value.List)
	case *eth.BlockBodiesPacket:
		bodies, err := value.List.Items()
		if err != nil {
			return err
		}
		for i := range bodies {
			if err := readList(&bodies[i].Transactions); err != nil {
				return err
			}
			if err := readList(&bodies[i].Uncles); err != nil {
				return err
			}
			if bodies[i].Withdrawals != nil {
				if err := readList(bodies[i].Withdrawals); err != nil {
					return err
				}
			}
		}
		value.List, err = rlp.EncodeToRawList(bodies)
		return err
	case *eth.ReceiptsPacket70:
		return readList(&value.List)
	case *snap.GetTrieNodesPacket:
		return readList(&value.Paths)
	}
	return nil
}

func readList[T any](list *rlp.RawList[T]) error {
	items, err := list.Items()
	if err != nil {
		return err
	}
	*list = rawList(items...)
	return nil
}

func rawList[T any](items ...T) rlp.RawList[T] {
	list, err := rlp.EncodeToRawList(items)
	if err != nil {
		log.Fatal(err)
	}
	return list
}

func hashOf(n byte) (hash common.Hash) {
	for i := range hash {
		hash[i] = n
	}
	return hash
}

func addressOf(n byte) common.Address {
	return common.BytesToAddress(hashOf(n).Bytes())
}

func some[T any](value T) *T {
	return &value
}

// header has the fields up to a fork: 0 for none, 1 for London, 2 for Prague.
func header(forks int) *types.Header {
	h := &types.Header{
		ParentHash: hashOf(1), UncleHash: hashOf(2), Coinbase: addressOf(3), Root: hashOf(4),
		TxHash: hashOf(5), ReceiptHash: hashOf(6), Bloom: types.BytesToBloom([]byte{7}),
		Difficulty: new(big.Int).Lsh(big.NewInt(5), 70), Number: big.NewInt(1_920_000),
		GasLimit: 30_000_000, GasUsed: 21_000, Time: 1_700_000_000, Extra: []byte("extra"),
		MixDigest: hashOf(8), Nonce: types.EncodeNonce(9),
	}
	if forks > 0 {
		h.BaseFee = big.NewInt(7)
	}
	if forks > 1 {
		h.WithdrawalsHash, h.BlobGasUsed, h.ExcessBlobGas = some(hashOf(10)), some(uint64(0)), some(uint64(131_072))
		h.ParentBeaconRoot, h.RequestsHash = some(hashOf(11)), some(hashOf(12))
	}
	return h
}

func packets() []packet {
	return append(ethPackets(), snapPackets()...)
}

func ethPackets() []packet {
	status := func(version uint32) *eth.StatusPacket {
		return &eth.StatusPacket{
			ProtocolVersion: version, NetworkID: 11_155_111, Genesis: hashOf(1),
			ForkID:        forkid.ID{Hash: [4]byte{0xed, 0x88, 0xb5, 0xfd}, Next: 1_760_427_360},
			EarliestBlock: 0, LatestBlock: 23_000_000, LatestBlockHash: hashOf(2),
		}
	}
	query := func(origin eth.HashOrNumber) *eth.GetBlockHeadersPacket {
		request := &eth.GetBlockHeadersRequest{Origin: origin, Amount: 192, Skip: 1, Reverse: true}
		return &eth.GetBlockHeadersPacket{RequestId: 1111, GetBlockHeadersRequest: request}
	}
	to := addressOf(3)
	legacy := types.NewTx(&types.LegacyTx{
		Nonce: 1, GasPrice: big.NewInt(2), Gas: 21_000, To: &to, Value: big.NewInt(4), Data: []byte{5},
		V: big.NewInt(27), R: big.NewInt(6), S: big.NewInt(7),
	})
	dynamic := types.NewTx(&types.DynamicFeeTx{
		ChainID: big.NewInt(1), Nonce: 8, GasTipCap: big.NewInt(9), GasFeeCap: big.NewInt(10), Gas: 11,
		To: &to, Value: big.NewInt(0), V: big.NewInt(1), R: big.NewInt(12), S: big.NewInt(13),
	})
	old := eth.BlockBody{Transactions: rawList(legacy), Uncles: rawList(header(0))}
	recent := eth.BlockBody{
		Transactions: rawList(legacy, dynamic), Uncles: rawList[*types.Header](),
		Withdrawals: some(rawList(&types.Withdrawal{Index: 1, Validator: 2, Address: addressOf(3), Amount: 4})),
	}
	receipts := eth.NewReceiptList([]*types.Receipt{
		{
			Type: types.DynamicFeeTxType, Status: 1, CumulativeGasUsed: 21_000,
			Logs: []*types.Log{{Address: addressOf(1), Topics: []common.Hash{hashOf(2)}, Data: []byte{3}}},
		},
		{CumulativeGasUsed: 42_000, Logs: []*types.Log{}},
	})
	hashes := []common.Hash{hashOf(1), hashOf(2)}
	return []packet{
		{"eth/69 Status", eth.StatusMsg, status(69)},
		{"eth/69 GetBlockHeaders by number", eth.GetBlockHeadersMsg, query(eth.HashOrNumber{Number: 9_999})},
		{"eth/69 GetBlockHeaders by hash", eth.GetBlockHeadersMsg, query(eth.HashOrNumber{Hash: hashOf(9)})},
		{"eth/69 BlockHeaders", eth.BlockHeadersMsg, &eth.BlockHeadersPacket{
			RequestId: 1111, List: rawList(header(0), header(1), header(2)),
		}},
		{"eth/69 GetBlockBodies", eth.GetBlockBodiesMsg, &eth.GetBlockBodiesPacket{
			RequestId: 1111, GetBlockBodiesRequest: hashes,
		}},
		{"eth/69 BlockBodies", eth.BlockBodiesMsg, &eth.BlockBodiesPacket{
			RequestId: 1111, List: rawList(old, recent),
		}},
		{"eth/69 NewPooledTransactionHashes", eth.NewPooledTransactionHashesMsg, &eth.NewPooledTransactionHashesPacket71{
			Types: []byte{0, 2}, Sizes: []uint32{127, 131_072}, Hashes: hashes,
		}},
		{"eth/69 BlockRangeUpdate", eth.BlockRangeUpdateMsg, &eth.BlockRangeUpdatePacket{
			EarliestBlock: 15, LatestBlock: 16, LatestBlockHash: hashOf(3),
		}},
		{"eth/70 Status", eth.StatusMsg, status(70)},
		{"eth/70 GetReceipts", eth.GetReceiptsMsg, &eth.GetReceiptsPacket70{
			RequestId: 1111, FirstBlockReceiptIndex: 3, GetReceiptsRequest: hashes,
		}},
		{"eth/70 Receipts", eth.ReceiptsMsg, &eth.ReceiptsPacket70{
			RequestId: 1111, LastBlockIncomplete: true, List: rawList(receipts),
		}},
	}
}

func snapPackets() []packet {
	// A slim account: nonce, balance, and empty strings for an empty root and no code.
	slim := []byte{0xc4, 0x05, 0x06, 0x80, 0x80}
	hashes := []common.Hash{hashOf(1), hashOf(2)}
	proof := [][]byte{{0xc1, 0x80}, {}}
	return []packet{
		{"snap/1 GetAccountRange", snap.GetAccountRangeMsg, &snap.GetAccountRangePacket{
			ID: 1111, Root: hashOf(1), Origin: hashOf(0), Limit: hashOf(255), Bytes: 512 << 10,
		}},
		{"snap/1 AccountRange", snap.AccountRangeMsg, &snap.AccountRangePacket{
			ID: 1111, Accounts: []*snap.AccountData{{Hash: hashOf(1), Body: slim}}, Proof: proof,
		}},
		{"snap/1 GetStorageRanges", snap.GetStorageRangesMsg, &snap.GetStorageRangesPacket{
			ID: 1111, Root: hashOf(1), Accounts: hashes, Origin: []byte{}, Limit: hashOf(255).Bytes(), Bytes: 512 << 10,
		}},
		{"snap/1 StorageRanges", snap.StorageRangesMsg, &snap.StorageRangesPacket{
			ID: 1111, Slots: [][]*snap.StorageData{{{Hash: hashOf(1), Body: []byte{5}}}, {}}, Proof: proof,
		}},
		{"snap/1 GetByteCodes", snap.GetByteCodesMsg, &snap.GetByteCodesPacket{
			ID: 1111, Hashes: hashes, Bytes: 512 << 10,
		}},
		{"snap/1 ByteCodes", snap.ByteCodesMsg, &snap.ByteCodesPacket{
			ID: 1111, Codes: [][]byte{{0x60, 0x00}, {}},
		}},
		{"snap/1 GetTrieNodes", snap.GetTrieNodesMsg, &snap.GetTrieNodesPacket{
			ID: 1111, Root: hashOf(1), Paths: rawList(snap.TrieNodePathSet{{1}, {2, 3}}), Bytes: 512 << 10,
		}},
		{"snap/1 TrieNodes", snap.TrieNodesMsg, &snap.TrieNodesPacket{
			ID: 1111, Nodes: [][]byte{{0xc0}, {}},
		}},
	}
}
