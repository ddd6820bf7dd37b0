// Incompressible contents without generating each one: windows into random bytes.

import { randomBytes } from 'node:crypto'

// The number of different contents, and a step that reaches all of them.
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
