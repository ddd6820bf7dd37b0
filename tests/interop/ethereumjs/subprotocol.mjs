// Shared parts of bench and echo: sending with back-pressure, decoding, requests and their answers.

import { DISCONNECT_REASON, ProtocolType, SNAP } from '@ethereumjs/devp2p'
import { RLP } from '@ethereumjs/rlp'
import snappy from 'snappyjs'

import { log } from './events.mjs'
import { Filler } from './filler.mjs'

// The package does not export the base class of its protocols, so take it from one of them.
const Protocol = Object.getPrototypeOf(SNAP)

/** From this base protocol version on, everything after Hello is compressed. */
const SNAPPY_VERSION = 5

/** A breach by the remote, which is disconnected with "breach of protocol". */
export class Breach extends Error {}

/** The connection ended before an answer came. */
export class Gone extends Error {
  constructor() {
    super('the connection ended before the answer')
  }
}

export class Subprotocol extends Protocol {
  #open = null

  /** Called by the package's peer when the capability has matched. */
  constructor(name, version, peer, send) {
    // SNAP is the type that does not expect eth's Status within five seconds.
    super(peer, send, ProtocolType.SNAP, version, {})
    this.label = `${name}/${version}`
    peer._socket.once('close', () => this.#open?.reject(new Gone()))
  }

  /** Called for each message, with the payload decompressed. */
  _handleMessage(code, payload) {
    if (this._peer._closed) return
    try {
      this.handle(code, payload)
    } catch (error) {
      this.fail(error)
    }
  }

  fail(error) {
    if (error instanceof Gone) return
    log(`${this.label}: ${error.message}`)
    const breach = error instanceof Breach
    this._peer.disconnect(breach ? DISCONNECT_REASON.PROTOCOL_ERROR : DISCONNECT_REASON.SUBPROTOCOL_ERROR)
  }

  /** Sends a message at once; the promise resolves when the socket wants more. */
  async send(code, value) {
    if (this._peer._closed) throw new Gone()
    const payload = RLP.encode(value)
    const compress = this._peer.getHelloMessage().protocolVersion >= SNAPPY_VERSION
    this._send(code, compress ? snappy.compress(payload) : payload)
    const socket = this._peer._socket
    if (!socket.writableNeedDrain) return
    await new Promise((resolve) => {
      const done = () => {
        socket.off('drain', done)
        socket.off('close', done)
        resolve()
      }
      socket.on('drain', done)
      socket.on('close', done)
    })
  }

  /** Sends as an answer to the remote: nobody waits for it, and a failure ends the peer. */
  reply(code, value) {
    this.send(code, value).catch((error) => this.fail(error))
  }

  /** Asks and waits for the payload of the answer; at most one question is open at a time. */
  ask(code, value, answerCode) {
    return new Promise((resolve, reject) => {
      this.#open = { answerCode, resolve, reject }
      this.send(code, value).catch(reject)
    })
  }

  /** Hands an answer to whoever asked; an answer to nobody is the remote's mistake. */
  answered(code, payload) {
    if (this.#open?.answerCode !== code) throw new Breach(`an answer with code ${code} without a request`)
    this.#open.resolve(payload)
    this.#open = null
  }

  /** Makes sequential round trips, verifies each content and resolves to the milliseconds of each. */
  async roundTrips(askCode, answerCode, size, count) {
    const contents = new Filler(size)
    const took = []
    for (let i = 0; i < count; i++) {
      const content = contents.next()
      const begin = performance.now()
      const answer = await this.ask(askCode, content, answerCode)
      took.push(performance.now() - begin)
      const got = decodeString(answer)
      if (Buffer.compare(got, content) !== 0) {
        throw new Error(`round trip ${i}: the answer of ${got.length} bytes differs from the ${size} bytes sent`)
      }
    }
    return took
  }
}

/** A capability that matches and then ignores all messages, so that a test can offer what nobody shares. */
export class Silent extends Subprotocol {
  handle() {}
}

/** Decodes exactly one RLP item. */
function decode(payload) {
  if (payload.length === 0) throw new Breach('an empty payload')
  try {
    return RLP.decode(payload)
  } catch (error) {
    throw new Breach(error.message)
  }
}

export function decodeString(payload) {
  const content = decode(payload)
  if (!(content instanceof Uint8Array)) throw new Breach('a list instead of a string')
  return content
}

/** Decodes a list of unsigned integers, as BigInt each. */
export function decodeIntegers(payload, length) {
  const list = decode(payload)
  if (!Array.isArray(list) || list.length !== length) throw new Breach(`not a list of ${length} items`)
  return list.map((item) => {
    if (!(item instanceof Uint8Array) || item.length > 8 || item[0] === 0) throw new Breach('not an unsigned integer')
    return item.length === 0 ? 0n : BigInt(`0x${Buffer.from(item).toString('hex')}`)
  })
}
