//! Receives packets: makes cheap checks, then checks the signature, then handles the packet.

use std::net::{IpAddr, SocketAddr};

use super::query::Stage;
use super::{Dropped, Event, Found, Machine, Now, Observation};
use crate::discv4::contact::{Contact, may_tell};
use crate::discv4::error::Discv4Error;
use crate::discv4::lookup::NEAREST;
use crate::discv4::networks::{network_of, sender_of};
use crate::discv4::packet::{Datagram, EnrResponse, Neighbors, Packet, Pong, kind};
use crate::discv4::table::Seen;
use crate::ip::canonical;
use crate::node::{Host, PublicKey, Reach};
use crate::time::after;

/// A `Neighbors` packet with fewer nodes ends an answer, since it has room for more.
const FULL: usize = 12;

/// The last packet of an answer may overtake others. The machine then waits for the others, for the
/// request timeout divided by this number.
const OVERTAKEN: u32 = 10;

impl Machine {
    /// Handles a datagram that arrived from `from`.
    ///
    /// # Errors
    /// The reason why the datagram had no effect. The cheapest checks come first; the signature is
    /// checked only if everything else is valid.
    pub fn received(&mut self, from: SocketAddr, datagram: &[u8], now: Now) -> Result<(), Dropped> {
        let from = canonical(from);
        let ip = from.ip();
        if !self.admits(ip) || from.port() == 0 {
            return Err(Dropped::Address { ip });
        }
        // Nodes of private networks, if they take part, are trusted not to flood.
        if is_limited(ip) && !self.packets.take(sender_of(ip), now.at) {
            return Err(Dropped::TooOften { ip });
        }
        let datagram = Datagram::check(datagram)?;
        self.is_expected(&datagram, ip, now)?;
        let packet = datagram.packet()?;
        if let Some(expiration) = packet.expiration()
            && is_over(expiration, now.unix)
        {
            return Err(Dropped::Expired {
                expiration,
                now: now.unix,
            });
        }
        if let Packet::Pong(pong) = &packet {
            self.is_expected_pong(pong, ip)?;
        }
        let sender = datagram.sender()?;
        if sender.node_id() == self.own {
            return Err(Dropped::Own);
        }
        match packet {
            Packet::Ping(ping) => {
                let contact = Contact::new(sender, from, ping.from.tcp);
                self.answer_ping(contact, &ping, datagram.hash(), now)
            }
            Packet::Pong(pong) => self.take_pong(from, &sender, &pong, now),
            Packet::FindNode(find) => self.answer_find_node(from, &sender, &find, now),
            Packet::Neighbors(neighbors) => self.take_neighbors(from, &sender, &neighbors, now),
            Packet::EnrRequest(_) => self.answer_enr_request(from, &sender, datagram.hash(), now),
            Packet::EnrResponse(response) => self.take_record(from, &sender, response, now),
        }
    }

    /// Rejects packets that can be rejected before their data is read.
    ///
    /// These are unsolicited answers, requests from unproven addresses, and Pings from such
    /// addresses beyond the rate limit.
    fn is_expected(
        &mut self,
        datagram: &Datagram<'_>,
        ip: IpAddr,
        now: Now,
    ) -> Result<(), Dropped> {
        let asked = |machine: &Self, nodes| {
            let mut queries = machine.queries.values();
            queries.any(|query| {
                query.is_asked() && query.wants_nodes() == nodes && query.contact.ip() == ip
            })
        };
        let unsolicited = |packet| Err(Dropped::Unsolicited { packet, ip });
        let unproven = |packet| Err(Dropped::Unproven { packet, ip });
        match datagram.kind() {
            kind::PING if !self.bonds.is_known(ip, now.at) => self.admit_stranger(ip, now),
            kind::FIND_NODE if !self.bonds.is_known(ip, now.at) => unproven("FindNode"),
            kind::ENR_REQUEST if !self.bonds.is_known(ip, now.at) => unproven("ENRRequest"),
            kind::NEIGHBORS if !asked(self, true) => unsolicited("Neighbors"),
            kind::ENR_RESPONSE if !asked(self, false) => unsolicited("ENRResponse"),
            _ => Ok(()),
        }
    }

    /// Counts a Ping from an unproven address against its rate limits.
    ///
    /// This is necessary because the answer is larger than the Ping, and anybody may have forged
    /// the address.
    pub(super) fn admit_stranger(&mut self, ip: IpAddr, now: Now) -> Result<(), Dropped> {
        let admitted = !is_limited(ip)
            || (self.strangers.take(sender_of(ip), now.at)
                && self.stranger_networks.take(network_of(ip), now.at));
        if admitted {
            Ok(())
        } else {
            Err(Dropped::TooOften { ip })
        }
    }

    fn is_expected_pong(&self, pong: &Pong, ip: IpAddr) -> Result<(), Dropped> {
        let ping = pong.ping_hash.and_then(|hash| self.pings.get(&hash));
        if ping.is_some_and(|ping| ping.contact.ip() == ip) {
            Ok(())
        } else {
            Err(Dropped::Unsolicited { packet: "Pong", ip })
        }
    }

    fn take_pong(
        &mut self,
        from: SocketAddr,
        sender: &PublicKey,
        pong: &Pong,
        now: Now,
    ) -> Result<(), Dropped> {
        let ip = from.ip();
        let unsolicited = Dropped::Unsolicited { packet: "Pong", ip };
        let Some(hash) = pong.ping_hash else {
            return Err(unsolicited);
        };
        let ping = self.pings.get(&hash);
        if ping.is_none_or(|ping| ping.contact.public_key() != sender) {
            return Err(unsolicited);
        }
        let Some(ping) = self.remove_ping(&hash) else {
            return Err(unsolicited);
        };
        let (contact, id) = (ping.contact, ping.contact.node_id());
        let known = self.bonds.is_proven(id, ip, now.at);
        self.bonds.ponged(id, ip, ping.pinged, now.at);
        let seen = self.table.seen(contact, pong.enr_seq, now.at);
        if !known {
            self.events.push_back(Event::Found(Found {
                contact,
                record: None,
            }));
        }
        if let Some(seen_as) = pong.to.socket_addr() {
            self.events.push_back(Event::Observed(Observation {
                seen_as: canonical(seen_as),
                by: id,
                at: from,
            }));
        }
        self.fetch_newer_record(&id, now);
        if seen == Seen::Added && self.is_first_seed(&id) {
            self.hurry_refresh(now);
        }
        self.proven(&contact, now);
        Ok(())
    }

    fn take_neighbors(
        &mut self,
        from: SocketAddr,
        sender: &PublicKey,
        neighbors: &Neighbors,
        now: Now,
    ) -> Result<(), Dropped> {
        let (ip, own, private) = (from.ip(), self.own, self.config.private_networks());
        let told = neighbors.nodes.iter().filter_map(|neighbor| {
            let contact = Contact::of_neighbor(neighbor, ip)?;
            let admitted = private || Reach::of(contact.ip()) == Reach::Public;
            (admitted && contact.node_id() != own).then_some(contact)
        });
        let mut queries = self.queries.iter_mut();
        let asked = queries.find(|(_, query)| {
            let node = &query.contact;
            query.wants_nodes()
                && query.is_asked()
                && node.ip() == ip
                && node.public_key() == sender
        });
        let Some((&id, query)) = asked else {
            return Err(Dropped::Unsolicited {
                packet: "Neighbors",
                ip,
            });
        };
        let Stage::Asked {
            answered, nodes, ..
        } = &mut query.stage
        else {
            return Ok(());
        };
        *answered = true;
        let room = NEAREST.saturating_sub(nodes.len());
        // Nodes beyond the first `NEAREST` are ignored.
        let full = neighbors.nodes.len() >= room;
        nodes.extend(told.take(room));
        if full {
            self.finish_asked(id, now);
        } else if neighbors.nodes.len() < FULL {
            let wait = crate::time::part(self.config.request_timeout(), OVERTAKEN);
            self.hasten(id, after(now.at, wait));
        }
        Ok(())
    }

    fn take_record(
        &mut self,
        from: SocketAddr,
        sender: &PublicKey,
        response: EnrResponse,
        now: Now,
    ) -> Result<(), Dropped> {
        let ip = from.ip();
        let asked = response.request_hash.and_then(|hash| {
            let mut queries = self.queries.iter();
            queries.find(|(_, query)| {
                query.has_hash(&hash)
                    && query.contact.ip() == ip
                    && query.contact.public_key() == sender
            })
        });
        let Some((&id, query)) = asked else {
            return Err(Dropped::Unsolicited {
                packet: "ENRResponse",
                ip,
            });
        };
        let contact = query.contact;
        let record = response.record;
        let its_own = record.public_key() == sender;
        let told = match record.endpoint().map(|endpoint| endpoint.host) {
            Some(Host::Ip(there)) => may_tell(ip, there),
            _ => true,
        };
        if !its_own || !told {
            let error = Discv4Error::BadRecord {
                id: contact.node_id(),
                addr: contact.udp_addr(),
            };
            self.finish_record(id, Err(error), now);
            return Ok(());
        }
        if self.table.set_record(record.clone()) {
            self.events.push_back(Event::Found(Found {
                contact,
                record: Some(record.clone()),
            }));
        }
        self.finish_record(id, Ok(record), now);
        Ok(())
    }
}

/// Returns whether rate limits apply to an address.
fn is_limited(ip: IpAddr) -> bool {
    Reach::of(ip) == Reach::Public
}

/// Returns whether a time has passed.
///
/// A value that does not fit a signed 64-bit number counts as a time before 1970, which has passed.
fn is_over(expiration: u64, now: u64) -> bool {
    i64::try_from(expiration).is_err() || expiration < now
}
