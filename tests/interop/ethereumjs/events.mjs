// JSON lines on standard output; everything else goes to standard error.

import { DisconnectReasonNames } from '@ethereumjs/devp2p'
import { keccak256 } from 'ethereum-cryptography/keccak.js'

/** Writes one event as one line. Writes to a pipe are synchronous on Linux and macOS. */
export function emit(event) {
  const json = JSON.stringify(event, (_, value) => (typeof value === 'bigint' ? Number(value) : value))
  process.stdout.write(`${json}\n`)
}

export function log(...words) {
  console.error(...words)
}

/** The node id in hex of a public key of 64 bytes. */
export function nodeId(publicKey) {
  return publicKey ? Buffer.from(keccak256(publicKey)).toString('hex') : null
}

export function peerAdd(peer) {
  emit({
    event: 'peer_add',
    node_id: nodeId(peer.getId()),
    client: peer.getHelloMessage().clientId,
    capabilities: peer.getProtocols().map((protocol) => protocol.label),
  })
}

/**
 * Reports the end of a connection. `code` is undefined if no Disconnect was seen, and `byUs` is null if
 * neither side requested the end.
 */
export function peerDrop(publicKey, code, byUs, text) {
  emit({
    event: 'peer_drop',
    node_id: nodeId(publicKey),
    reason_code: code ?? null,
    reason: reasonText(code) ?? text ?? 'connection closed',
    requested_by: byUs === true ? 'local' : byUs === false ? 'remote' : 'unknown',
  })
}

function reasonText(code) {
  if (code === undefined) return undefined
  const name = DisconnectReasonNames[code]
  return name ? name.toLowerCase().replaceAll('_', ' ') : `unknown disconnect reason ${code}`
}
