// Messages of eth/68, encoded and decoded by the package. ../cases/packets has the same values.

import readline from 'node:readline'

import { Common, Hardfork, Mainnet } from '@ethereumjs/common'
import { ETH } from '@ethereumjs/devp2p'
import { RLP } from '@ethereumjs/rlp'

import { emit, log } from './events.mjs'

const hash = (n) => new Uint8Array(32).fill(n)
const address = (n) => new Uint8Array(20).fill(n)

/** A header with the fields up to one of its forks: 0 of none, 1 of London, 2 of Prague. */
function header(forks) {
  const bloom = new Uint8Array(256)
  bloom[255] = 7
  const nonce = new Uint8Array(8)
  nonce[7] = 9
  const fields = [
    hash(1), hash(2), address(3), hash(4), hash(5), hash(6), bloom, 5n << 70n, 1_920_000n, 30_000_000n,
    21_000n, 1_700_000_000n, 'extra', hash(8), nonce,
  ]
  if (forks > 0) fields.push(7n)
  if (forks > 1) fields.push(hash(10), 0n, 131_072n, hash(11), hash(12))
  return fields
}

const hashes = [hash(1), hash(2)]
const PACKETS = [
  ['eth/68 Status', 0x00, null],
  ['eth/68 GetBlockHeaders by number', 0x03, [1111n, [9_999n, 192n, 1n, 1n]]],
  ['eth/68 GetBlockHeaders by hash', 0x03, [1111n, [hash(9), 192n, 1n, 1n]]],
  ['eth/68 BlockHeaders', 0x04, [1111n, [header(0), header(1), header(2)]]],
  ['eth/68 NewPooledTransactionHashes', 0x08, [new Uint8Array([0, 2]), [127n, 131_072n], hashes]],
]

/** The package's protocol on a peer that is not there; `send` gets what it sends, without Snappy. */
function protocol(send) {
  const common = new Common({ chain: Mainnet, hardfork: Hardfork.Shanghai })
  const peer = { common, _socket: {}, _hello: null, disconnect: () => {} }
  const eth = new ETH(68, peer, send)
  clearTimeout(eth._statusTimeoutId)
  return eth
}

function sendStatus(eth) {
  eth.sendStatus({ td: new Uint8Array([1, 0]), bestHash: hash(2), genesisHash: hash(1) })
}

function encoded(event, name, code, run) {
  try {
    emit({ event, name, code, payload: Buffer.from(run()).toString('hex') })
  } catch (error) {
    emit({ event, name, code, payload: '', error: error.message })
  }
}

/** What the package makes of a message. */
function encode(code, values) {
  let sent
  const eth = protocol((_, payload) => (sent = payload))
  if (code === 0) sendStatus(eth)
  else eth.sendMessage(code, values)
  return sent
}

/** What the package reads, encoded again. */
function decode(code, payload) {
  const eth = protocol(() => {})
  let read
  eth.events.on('message', (_, values) => (read = values))
  eth.events.on('status', () => (read = eth._peerStatus))
  if (code === 0) sendStatus(eth)
  eth._handleMessage(code, payload)
  if (read === undefined) throw new Error('the package passed it over')
  return RLP.encode(read)
}

/** Prints all packets, and then what is decoded of each `NAME|HEX` on standard input. */
export async function packets() {
  for (const [name, code, values] of PACKETS) encoded('packet', name, code, () => encode(code, values))
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const [name, text] = line.split('|')
    const packet = PACKETS.find(([known]) => known === name)
    if (packet === undefined) {
      log(`not a packet: ${line}`)
      return 2
    }
    encoded('decoded', name, packet[1], () => decode(packet[1], Buffer.from(text, 'hex')))
  }
  return 0
}
