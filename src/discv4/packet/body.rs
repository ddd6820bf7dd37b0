//! The data of packets.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use bytes::{BufMut, BytesMut};

use super::{
    EnrRequest, EnrResponse, FindNode, KIND, MAX_PACKET, Neighbor, Neighbors, Packet, PacketError,
    Ping, Pong, WireEndpoint,
};
use crate::node::{NodeRecord, PublicKey};
use crate::rlp::write::{put_list, put_number, put_string};
use crate::rlp::{Reader, RlpError};

/// The packet types, each sent as the byte before the data.
pub(in crate::discv4) mod kind {
    pub(in crate::discv4) const PING: u8 = 1;
    pub(in crate::discv4) const PONG: u8 = 2;
    pub(in crate::discv4) const FIND_NODE: u8 = 3;
    pub(in crate::discv4) const NEIGHBORS: u8 = 4;
    pub(in crate::discv4) const ENR_REQUEST: u8 = 5;
    pub(in crate::discv4) const ENR_RESPONSE: u8 = 6;
}

impl Packet {
    pub(super) fn kind(&self) -> u8 {
        match self {
            Self::Ping(_) => kind::PING,
            Self::Pong(_) => kind::PONG,
            Self::FindNode(_) => kind::FIND_NODE,
            Self::Neighbors(_) => kind::NEIGHBORS,
            Self::EnrRequest(_) => kind::ENR_REQUEST,
            Self::EnrResponse(_) => kind::ENR_RESPONSE,
        }
    }

    pub(super) fn put_body(&self, out: &mut BytesMut) {
        put_list(out, |list| match self {
            Self::Ping(ping) => {
                put_number(list, ping.version);
                put_endpoint(list, &ping.from);
                put_endpoint(list, &ping.to);
                put_number(list, ping.expiration);
                put_optional(list, ping.enr_seq);
            }
            Self::Pong(pong) => {
                put_endpoint(list, &pong.to);
                put_hash(list, pong.ping_hash.as_ref());
                put_number(list, pong.expiration);
                put_optional(list, pong.enr_seq);
            }
            Self::FindNode(find) => {
                put_string(list, &find.target);
                put_number(list, find.expiration);
            }
            Self::Neighbors(neighbors) => {
                put_list(list, |list| {
                    neighbors
                        .nodes
                        .iter()
                        .for_each(|node| put_neighbor(list, node));
                });
                put_number(list, neighbors.expiration);
            }
            Self::EnrRequest(request) => put_number(list, request.expiration),
            Self::EnrResponse(response) => {
                put_hash(list, response.request_hash.as_ref());
                list.put_slice(&response.record.encode());
            }
        });
    }

    pub(super) fn read_body(kind: u8, data: &[u8]) -> Result<Self, PacketError> {
        match kind {
            kind::PING => read_ping(data).map(Self::Ping),
            kind::PONG => read_pong(data).map(Self::Pong),
            kind::FIND_NODE => read_find_node(data).map(Self::FindNode),
            kind::NEIGHBORS => read_neighbors(data).map(Self::Neighbors),
            kind::ENR_REQUEST => read_enr_request(data).map(Self::EnrRequest),
            kind::ENR_RESPONSE => read_enr_response(data).map(Self::EnrResponse),
            found => Err(PacketError::Kind { found }),
        }
    }
}

impl Neighbors {
    /// Splits nodes, in order, into the fewest packets of at most [`MAX_PACKET`] bytes.
    ///
    /// Returns at least one packet.
    #[must_use]
    pub fn split(nodes: &[Neighbor], expiration: u64) -> Vec<Self> {
        // The bytes of a packet that are not nodes: hash, signature and type; the headers of two
        // lists of more than 255 bytes; the expiration.
        const BESIDE: usize = KIND + 1 + 3 + 3 + 9;
        let mut packets = vec![Self {
            nodes: Vec::new(),
            expiration,
        }];
        let mut room = MAX_PACKET - BESIDE;
        for node in nodes {
            let mut encoded = BytesMut::new();
            put_neighbor(&mut encoded, node);
            if encoded.len() > room {
                room = MAX_PACKET - BESIDE;
                packets.push(Self {
                    nodes: Vec::new(),
                    expiration,
                });
            }
            room = room.saturating_sub(encoded.len());
            if let Some(packet) = packets.last_mut() {
                packet.nodes.push(*node);
            }
        }
        packets
    }
}

fn put_ip(out: &mut BytesMut, ip: Option<IpAddr>) {
    match ip.map(|ip| ip.to_canonical()) {
        Some(IpAddr::V4(ip)) => put_string(out, &ip.octets()),
        Some(IpAddr::V6(ip)) => put_string(out, &ip.octets()),
        None => put_string(out, &[]),
    }
}

fn put_parts(out: &mut BytesMut, endpoint: &WireEndpoint) {
    put_ip(out, endpoint.ip);
    put_number(out, endpoint.udp.into());
    put_number(out, endpoint.tcp.into());
}

fn put_endpoint(out: &mut BytesMut, endpoint: &WireEndpoint) {
    put_list(out, |list| put_parts(list, endpoint));
}

fn put_neighbor(out: &mut BytesMut, node: &Neighbor) {
    put_list(out, |list| {
        put_parts(list, &node.endpoint);
        put_string(list, &node.key);
    });
}

fn put_hash(out: &mut BytesMut, hash: Option<&[u8; 32]>) {
    put_string(out, hash.map_or(&[], |hash| &hash[..]));
}

fn put_optional(out: &mut BytesMut, number: Option<u64>) {
    if let Some(number) = number {
        put_number(out, number);
    }
}

/// Reads elements of a packet, and reports which one is invalid.
struct Fields<'a> {
    packet: &'static str,
    list: Reader<'a>,
}

impl<'a> Fields<'a> {
    fn of(packet: &'static str, data: &'a [u8]) -> Result<Self, PacketError> {
        // Bytes after the list are ignored.
        let list = Reader::new(data)
            .list()
            .map_err(|source| PacketError::Field {
                packet,
                field: "list",
                source,
            })?;
        Ok(Self { packet, list })
    }

    fn take<T>(
        &mut self,
        field: &'static str,
        read: impl FnOnce(&mut Reader<'a>) -> Result<T, RlpError>,
    ) -> Result<T, PacketError> {
        read(&mut self.list).map_err(|source| PacketError::Field {
            packet: self.packet,
            field,
            source,
        })
    }

    fn expiration(&mut self) -> Result<u64, PacketError> {
        self.take("expiration", Reader::number)
    }

    fn sequence(&mut self) -> Result<Option<u64>, PacketError> {
        if self.list.is_empty() {
            return Ok(None);
        }
        self.take("record's sequence number", Reader::number)
            .map(Some)
    }

    fn hash(&mut self, field: &'static str) -> Result<Option<[u8; 32]>, PacketError> {
        self.take(field, |list| Ok(list.string()?.try_into().ok()))
    }

    /// Skips the elements of later versions.
    ///
    /// Each must be complete, but its content is not checked.
    fn end(self) -> Result<(), PacketError> {
        let mut list = self.list;
        while !list.is_empty() {
            // Accept a single byte that is encoded with an unnecessary header, which `raw` would
            // reject.
            if let [0x81, _, rest @ ..] = list.rest() {
                list = Reader::new(rest);
                continue;
            }
            list.raw().map_err(|source| PacketError::Field {
                packet: self.packet,
                field: "further elements",
                source,
            })?;
        }
        Ok(())
    }
}

fn read_ping(data: &[u8]) -> Result<Ping, PacketError> {
    let mut fields = Fields::of("Ping", data)?;
    let ping = Ping {
        version: fields.take("version", Reader::number)?,
        from: fields.take("sender's endpoint", read_endpoint)?,
        to: fields.take("recipient's endpoint", read_endpoint)?,
        expiration: fields.expiration()?,
        enr_seq: fields.sequence()?,
    };
    fields.end()?;
    Ok(ping)
}

fn read_pong(data: &[u8]) -> Result<Pong, PacketError> {
    let mut fields = Fields::of("Pong", data)?;
    let pong = Pong {
        to: fields.take("recipient's endpoint", read_endpoint)?,
        ping_hash: fields.hash("hash of the Ping")?,
        expiration: fields.expiration()?,
        enr_seq: fields.sequence()?,
    };
    fields.end()?;
    Ok(pong)
}

fn read_find_node(data: &[u8]) -> Result<FindNode, PacketError> {
    let mut fields = Fields::of("FindNode", data)?;
    let find = FindNode {
        target: fields.take("target", read_key)?,
        expiration: fields.expiration()?,
    };
    fields.end()?;
    Ok(find)
}

fn read_neighbors(data: &[u8]) -> Result<Neighbors, PacketError> {
    let mut fields = Fields::of("Neighbors", data)?;
    let neighbors = Neighbors {
        nodes: fields.take("nodes", read_nodes)?,
        expiration: fields.expiration()?,
    };
    fields.end()?;
    Ok(neighbors)
}

fn read_enr_request(data: &[u8]) -> Result<EnrRequest, PacketError> {
    let mut fields = Fields::of("ENRRequest", data)?;
    let expiration = fields.expiration()?;
    fields.end()?;
    Ok(EnrRequest { expiration })
}

fn read_enr_response(data: &[u8]) -> Result<EnrResponse, PacketError> {
    let mut fields = Fields::of("ENRResponse", data)?;
    let request_hash = fields.hash("hash of the request")?;
    let record = fields.take("record", Reader::raw)?;
    fields.end()?;
    let record = NodeRecord::decode(record).map_err(PacketError::Record)?;
    Ok(EnrResponse {
        request_hash,
        record,
    })
}

fn read_nodes(list: &mut Reader<'_>) -> Result<Vec<Neighbor>, RlpError> {
    let mut list = list.list()?;
    let mut nodes = Vec::new();
    while !list.is_empty() {
        let mut node = list.list()?;
        let (endpoint, key) = (read_parts(&mut node)?, read_key(&mut node)?);
        node.end()?;
        nodes.push(Neighbor { endpoint, key });
    }
    Ok(nodes)
}

fn read_endpoint(list: &mut Reader<'_>) -> Result<WireEndpoint, RlpError> {
    let mut list = list.list()?;
    let endpoint = read_parts(&mut list)?;
    list.end()?;
    Ok(endpoint)
}

fn read_parts(list: &mut Reader<'_>) -> Result<WireEndpoint, RlpError> {
    Ok(WireEndpoint {
        ip: read_ip(list.string()?),
        udp: read_port(list)?,
        tcp: read_port(list)?,
    })
}

fn read_ip(bytes: &[u8]) -> Option<IpAddr> {
    let v4 = || Some(Ipv4Addr::from(<[u8; 4]>::try_from(bytes).ok()?).into());
    let v6 = || Some(Ipv6Addr::from(<[u8; 16]>::try_from(bytes).ok()?).into());
    v4().or_else(v6).map(|ip: IpAddr| ip.to_canonical())
}

fn read_port(list: &mut Reader<'_>) -> Result<u16, RlpError> {
    let number = list.number()?;
    number
        .try_into()
        .map_err(|_| RlpError::NumberTooLarge { bits: 16 })
}

fn read_key(list: &mut Reader<'_>) -> Result<[u8; PublicKey::LENGTH], RlpError> {
    let key = list.string()?;
    key.try_into().map_err(|_| RlpError::Bytes {
        wanted: PublicKey::LENGTH,
        count: key.len(),
    })
}
