// The listening node: the package's RLPx server, and commands on standard input.

import { once } from 'node:events'
import readline from 'node:readline'

import { RLPx } from '@ethereumjs/devp2p'

import { received } from './bench.mjs'
import { emit, log, peerAdd, peerDrop } from './events.mjs'
import { capabilities, CLIENT, enodeUrl, identity } from './identity.mjs'

/** Longer than the two seconds for which the package waits after a Disconnect. */
const STOP_TIMEOUT_MS = 3000

/** Serves until `stopped` resolves or standard input ends. */
export async function serve(options, stopped) {
  const { privateKey, publicKey } = identity(options.key)
  const rlpx = new RLPx(privateKey, {
    clientId: CLIENT,
    maxPeers: Number(options['max-peers'] ?? 50),
    capabilities: capabilities(options.caps),
  })
  const peers = new Set()
  rlpx.events.on('error', (error) => log(`server: ${error.message}`))
  rlpx.events.on('peer:error', (_, error) => log(`peer: ${error.message}`))
  rlpx.events.on('peer:added', (peer) => {
    // The package writes a frame's header and body separately, which Nagle's algorithm delays by 40
    // ms.
    peer._socket.setNoDelay(true)
    peers.add(peer)
    peerAdd(peer)
  })
  rlpx.events.on('peer:removed', (peer, code, byUs) => {
    // A second connection of a known node is removed without having been added.
    if (peers.delete(peer)) peerDrop(peer.getId(), code, byUs)
  })
  rlpx.listen(0, '127.0.0.1')
  await once(rlpx.events, 'listening')
  emit({ event: 'listening', enode: enodeUrl(publicKey, rlpx._server.address().port) })

  const lines = readline.createInterface({ input: process.stdin })
  lines.on('line', (line) => obey(line, peers))
  await Promise.race([stopped, once(lines, 'close')])
  rlpx.destroy()
  await Promise.race([
    Promise.all([...peers].map((peer) => once(peer._socket, 'close'))),
    new Promise((resolve) => setTimeout(resolve, STOP_TIMEOUT_MS)),
  ])
  return 0
}

function obey(line, peers) {
  const [command, argument] = line.trim().split(/\s+/)
  const code = Number(argument)
  if (command === 'stats') {
    emit({ event: 'stats', peers: peers.size, ...received })
  } else if (command === 'disconnect' && Number.isInteger(code) && code >= 0 && code <= 255) {
    for (const peer of peers) peer.disconnect(code)
  } else {
    log(`not a command: ${line}`)
  }
}
