//! Answers to other nodes.

use std::net::SocketAddr;

use super::{Dropped, Machine, Now, PINGS_TO_STRANGERS, expiration};
use crate::discv4::contact::{Contact, may_tell};
use crate::discv4::packet::{
    EnrResponse, FindNode, Neighbors, Packet, PacketHash, Ping, Pong, WireEndpoint,
};
use crate::discv4::table::BUCKET;
use crate::keccak::keccak256;
use crate::node::{NodeId, PublicKey};

impl Machine {
    /// Answers a Ping with a Pong.
    ///
    /// Also pings the node if it has no endpoint proof or is not in the table.
    pub(super) fn answer_ping(
        &mut self,
        contact: Contact,
        ping: &Ping,
        hash: PacketHash,
        now: Now,
    ) -> Result<(), Dropped> {
        let (id, ip) = (contact.node_id(), contact.ip());
        let proven = self.bonds.is_proven(id, ip, now.at);
        if !proven && self.bonds.is_known(ip, now.at) {
            // `is_expected` did not count this Ping against the rate limits, because another node
            // has proven this address.
            self.admit_stranger(ip, now)?;
        }
        let pong = Packet::Pong(Pong {
            to: WireEndpoint::new(contact.udp_addr(), contact.tcp()),
            ping_hash: Some(hash),
            expiration: expiration(now),
            enr_seq: Some(self.record.seq()),
        });
        self.send(contact.udp_addr(), &pong);
        self.bonds.pinged(id, ip, now.at);
        if proven {
            self.note_sequence(&contact, ping.enr_seq, now);
        }
        if !proven || !self.table.is_at(&contact) {
            self.ping(contact, PINGS_TO_STRANGERS, now);
        }
        self.note_pinged(&contact, now);
        self.pinged_by(&contact, now);
        Ok(())
    }

    pub(super) fn answer_find_node(
        &mut self,
        from: SocketAddr,
        sender: &PublicKey,
        find: &FindNode,
        now: Now,
    ) -> Result<(), Dropped> {
        let asker = self.proven_asker("FindNode", from, sender, now)?;
        let target = NodeId::from_bytes(keccak256(&[&find.target]));
        let nodes = self.table.nearest(&target, BUCKET, |contact| {
            contact.node_id() != asker && may_tell(from.ip(), contact.ip())
        });
        let nodes: Vec<_> = nodes.into_iter().map(Contact::to_neighbor).collect();
        for neighbors in Neighbors::split(&nodes, expiration(now)) {
            self.send(from, &Packet::Neighbors(neighbors));
        }
        Ok(())
    }

    pub(super) fn answer_enr_request(
        &mut self,
        from: SocketAddr,
        sender: &PublicKey,
        hash: PacketHash,
        now: Now,
    ) -> Result<(), Dropped> {
        self.proven_asker("ENRRequest", from, sender, now)?;
        let response = Packet::EnrResponse(EnrResponse {
            request_hash: Some(hash),
            record: self.record.clone(),
        });
        self.send(from, &response);
        Ok(())
    }

    /// Rejects a node without an endpoint proof, since answers may be larger than requests.
    fn proven_asker(
        &self,
        packet: &'static str,
        from: SocketAddr,
        sender: &PublicKey,
        now: Now,
    ) -> Result<NodeId, Dropped> {
        let (id, ip) = (sender.node_id(), from.ip());
        if self.bonds.is_proven(id, ip, now.at) {
            Ok(id)
        } else {
            Err(Dropped::Unproven { packet, ip })
        }
    }
}
