// Full connects, in order or several at once: RLPx handshake, Hello both ways, Disconnect.

import { DISCONNECT_REASON } from '@ethereumjs/devp2p'

import { dial } from './dial.mjs'

/** Makes one with each of the `identities`; fails with the first that does. */
export async function handshakes(options, identities, concurrency) {
  let begun = 0
  const task = async () => {
    while (begun < identities.length) {
      const { peer, connected, closed } = await dial(options, identities[begun++])
      const ended = closed.then(() => {
        throw new Error(`the connection ended with reason ${peer._disconnectReason}`)
      })
      await Promise.race([connected, ended])
      ended.catch(() => {})
      peer.disconnect(DISCONNECT_REASON.CLIENT_QUITTING)
      // The package would wait two seconds.
      peer._socket.end()
    }
  }
  await Promise.all(Array.from({ length: concurrency }, task))
}
