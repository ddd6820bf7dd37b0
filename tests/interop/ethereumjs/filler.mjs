// Contents that do not compress, at no cost each: windows into random bytes.

import { randomBytes } from 'node:crypto'

// So many different contents there are, and steps that reach all of them.
const VARIETY = 4096
const STEP = 1021

export class Filler {
  #random
  #size
  #at = 0

  constructor(size) {
    this.#random = new Uint8Array(randomBytes(size + VARIETY - 1))
    this.#size = size
  }

  next() {
    this.#at = (this.#at + STEP) % VARIETY
    return this.#random.subarray(this.#at, this.#at + this.#size)
  }
}
