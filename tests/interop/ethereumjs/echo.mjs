// echo/1: the receiver of a Request sends a Response with the same byte string.

import { decodeString, Subprotocol } from './subprotocol.mjs'

const REQUEST = 0
const RESPONSE = 1
export const ECHO_LENGTH = 2

export class Echo extends Subprotocol {
  handle(code, payload) {
    const content = decodeString(payload)
    if (code === REQUEST) this.reply(RESPONSE, content)
    else this.answered(code, payload)
  }

  drive(_mode, size, count) {
    return this.roundTrips(REQUEST, RESPONSE, size, count)
  }
}
