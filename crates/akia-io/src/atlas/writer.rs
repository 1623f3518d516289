//! Writes files of MaxMind's form, for tests: a tree of 128 levels whose leaves point at values, and a description.
//!
//! Made from the published specification, version 2.0: <https://maxmind.github.io/MaxMind-DB/>

use std::net::IpAddr;

/// Where a bit of an address leads.
#[derive(Clone, Copy)]
enum Way {
    Nowhere,
    Node(usize),
    Value(usize),
}

/// A file that is being written.
pub(super) struct Writer {
    nodes: Vec<[Way; 2]>,
    values: Vec<u8>,
}

impl Writer {
    pub(super) fn new() -> Self {
        Self { nodes: vec![[Way::Nowhere; 2]], values: Vec::new() }
    }

    /// Adds a value for the addresses that share so many leading bits. IPv4 lies in the first 32 bits behind 96 zeros.
    pub(super) fn add(mut self, first: &str, bits: usize, value: &[u8]) -> Self {
        let (first, bits) = match first.parse().unwrap() {
            IpAddr::V4(address) => (u128::from(address.to_bits()), bits + 96),
            IpAddr::V6(address) => (address.to_bits(), bits),
        };
        let at = self.values.len();
        self.values.extend(value);
        let mut node = 0;
        for level in 0..bits {
            let side = usize::from(first >> (127 - level) & 1 == 1);
            if level + 1 == bits {
                self.nodes[node][side] = Way::Value(at);
            } else {
                node = match self.nodes[node][side] {
                    Way::Node(next) => next,
                    Way::Nowhere | Way::Value(_) => {
                        self.nodes.push([Way::Nowhere; 2]);
                        let next = self.nodes.len() - 1;
                        self.nodes[node][side] = Way::Node(next);
                        next
                    }
                };
            }
        }
        self
    }

    /// The file, with records of 24 bits.
    pub(super) fn bytes(&self) -> Vec<u8> {
        let count = self.nodes.len();
        let record = |way: &Way| {
            let number = match way {
                Way::Nowhere => count,
                Way::Node(node) => *node,
                Way::Value(at) => count + 16 + at,
            };
            u32::try_from(number).unwrap().to_be_bytes()[1..].to_vec()
        };
        let mut bytes: Vec<u8> = self.nodes.iter().flatten().flat_map(record).collect();
        bytes.extend([0; 16]);
        bytes.extend(&self.values);
        bytes.extend(b"\xab\xcd\xefMaxMind.com");
        bytes.extend(map(&[
            ("binary_format_major_version", number(UINT16, 2)),
            ("binary_format_minor_version", number(UINT16, 0)),
            ("build_epoch", number(UINT64, 1_790_812_800)),
            ("database_type", text("Example")),
            ("description", map(&[])),
            ("ip_version", number(UINT16, 6)),
            ("languages", control(ARRAY, 0)),
            ("node_count", number(UINT32, count as u64)),
            ("record_size", number(UINT16, 24)),
        ]));
        bytes
    }
}

const TEXT: u8 = 2;
const DOUBLE: u8 = 3;
pub(super) const UINT16: u8 = 5;
pub(super) const UINT32: u8 = 6;
const MAP: u8 = 7;
const UINT64: u8 = 9;
const ARRAY: u8 = 11;

/// The type and size of what follows; types above 7 take a byte of their own.
fn control(kind: u8, size: usize) -> Vec<u8> {
    let head = if kind > MAP { 0 } else { kind << 5 };
    let (size, more) = match u8::try_from(size).unwrap() {
        size @ 0..29 => (size, None),
        size => (29, Some(size - 29)),
    };
    let kind = (kind > MAP).then(|| kind - MAP);
    [Some(head | size), kind, more].into_iter().flatten().collect()
}

pub(super) fn text(text: &str) -> Vec<u8> {
    [control(TEXT, text.len()), text.as_bytes().to_vec()].concat()
}

pub(super) fn map(fields: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let fields: Vec<Vec<u8>> = fields.iter().flat_map(|(name, value)| [text(name), value.clone()]).collect();
    [control(MAP, fields.len() / 2), fields.concat()].concat()
}

pub(super) fn number(kind: u8, value: u64) -> Vec<u8> {
    let bytes: Vec<u8> = value.to_be_bytes().into_iter().skip_while(|byte| *byte == 0).collect();
    [control(kind, bytes.len()), bytes].concat()
}

pub(super) fn double(value: f64) -> Vec<u8> {
    [control(DOUBLE, 8), value.to_be_bytes().to_vec()].concat()
}
