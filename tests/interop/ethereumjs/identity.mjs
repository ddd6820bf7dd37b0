// Keys, capabilities and enode URLs.

import { genPrivateKey, pk2id } from '@ethereumjs/devp2p'
import { secp256k1 } from 'ethereum-cryptography/secp256k1.js'

import { Bench, BENCH_LENGTH } from './bench.mjs'
import { Echo, ECHO_LENGTH } from './echo.mjs'
import { Silent } from './subprotocol.mjs'

export const CLIENT = new TextEncoder().encode('ethereumjs-peer/devp2p')

/** A private key from hex, or a fresh one, with its public key of 64 bytes. */
export function identity(hex) {
  const privateKey = hex ? new Uint8Array(Buffer.from(hex.replace(/^0x/, ''), 'hex')) : genPrivateKey()
  return { privateKey, publicKey: pk2id(secp256k1.getPublicKey(privateKey, false)) }
}

/** Reads a list such as "bench/1,echo/1" into what the package registers. */
export function capabilities(text) {
  return text.split(',').map((item) => {
    const [, name, version] = /^([^/]+)\/(\d+)$/.exec(item) ?? []
    if (name === undefined) throw new Error(`capability "${item}" is not NAME/VERSION`)
    const [Base, length] =
      name === 'bench' ? [Bench, BENCH_LENGTH] : name === 'echo' ? [Echo, ECHO_LENGTH] : [Silent, BENCH_LENGTH]
    const constructor = class extends Base {
      constructor(...args) {
        super(name, ...args)
      }
    }
    return { name, version: Number(version), length, constructor }
  })
}

export function enodeUrl(publicKey, port) {
  return `enode://${Buffer.from(publicKey).toString('hex')}@127.0.0.1:${port}`
}

export function parseEnode(text) {
  const url = new URL(text)
  if (url.protocol !== 'enode:' || !/^[0-9a-f]{128}$/i.test(url.username) || !url.port) {
    throw new Error(`not an enode URL: ${text}`)
  }
  const host = url.hostname.replace(/^\[|\]$/g, '')
  return { publicKey: new Uint8Array(Buffer.from(url.username, 'hex')), host, port: Number(url.port) }
}
