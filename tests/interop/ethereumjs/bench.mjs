// bench/1, server and driver in one.

import { Filler } from './filler.mjs'
import { Breach, decodeIntegers, decodeString, Subprotocol } from './subprotocol.mjs'

const DATA = 0
const ASK = 1
const DONE = 2
const ECHO = 3
const ECHOED = 4
const FLUSH = 5
const STATS = 6
export const BENCH_LENGTH = 8

// The largest Ask that is served. The margin is for incompressible data, which grows under Snappy.
const MAX_ASK_COUNT = 2n ** 32n
const MAX_ASK_SIZE = 16n * 1024n * 1024n - 1024n

/** Data received by all connections. */
export const received = { messages: 0, bytes: 0 }

class Totals {
  messages = 0
  bytes = 0

  add(content) {
    this.messages += 1
    this.bytes += content.length
  }
}

export class Bench extends Subprotocol {
  #sinceFlush = new Totals()
  /** Our own Ask while the remote answers it. */
  #asked = null
  /** The remote's Asks are answered in order; its other messages do not wait for them. */
  #orders = Promise.resolve()

  handle(code, payload) {
    switch (code) {
      case DATA:
        return this.#countData(decodeString(payload))
      case ASK:
        return this.#accept(decodeIntegers(payload, 2))
      case ECHO:
        return this.reply(ECHOED, decodeString(payload))
      case FLUSH: {
        decodeIntegers(payload, 0)
        const { messages, bytes } = this.#sinceFlush
        this.#sinceFlush = new Totals()
        return this.reply(STATS, [messages, bytes])
      }
      case DONE:
      case ECHOED:
      case STATS:
        return this.answered(code, payload)
      default:
        throw new Breach(`code ${code}`)
    }
  }

  /** Counts for our own Ask if there is one, else for the next Stats. */
  #countData(content) {
    received.messages += 1
    received.bytes += content.length
    if (this.#asked === null) return this.#sinceFlush.add(content)
    const { count, size, got } = this.#asked
    got.add(content)
    if (content.length !== size || got.messages > count) {
      throw new Breach(`Data ${got.messages} of ${content.length} bytes for an Ask of ${count} of ${size}`)
    }
  }

  #accept([count, size]) {
    if (count > MAX_ASK_COUNT || size > MAX_ASK_SIZE) throw new Breach(`an Ask of ${count} of ${size} bytes`)
    this.#orders = this.#orders
      .then(() => this.#answer(Number(count), Number(size)))
      .catch((error) => this.fail(error))
  }

  async #answer(count, size) {
    await this.#stream(count, size)
    await this.send(DONE, [count, count * size])
  }

  /** Runs a mode; resolves to the milliseconds of each round trip, if there were any. */
  async drive(mode, size, count) {
    if (mode === 'sink') return this.#sink(size, count)
    if (mode === 'source') return this.#source(size, count)
    return this.roundTrips(ECHO, ECHOED, size, count)
  }

  async #stream(count, size) {
    const contents = new Filler(size)
    for (let i = 0; i < count; i++) await this.send(DATA, contents.next())
  }

  async #sink(size, count) {
    await this.#stream(count, size)
    verifyTotals('Stats', await this.ask(FLUSH, [], STATS), size, count)
  }

  async #source(size, count) {
    const got = new Totals()
    this.#asked = { count, size, got }
    const done = await this.ask(ASK, [count, size], DONE)
    this.#asked = null
    if (got.messages !== count || got.bytes !== count * size) {
      throw new Error(`asked for ${count} Data of ${size} bytes, got ${got.messages} with ${got.bytes} bytes in total`)
    }
    verifyTotals('Done', done, size, count)
  }
}

function verifyTotals(name, payload, size, count) {
  const [messages, bytes] = decodeIntegers(payload, 2)
  if (messages !== BigInt(count) || bytes !== BigInt(count * size)) {
    throw new Error(`${name} says ${messages} messages, ${bytes} bytes for ${count} of ${size}`)
  }
}
