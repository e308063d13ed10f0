//! `xxhash64(binary)`, `murmur3(binary)`.

use datafusion::common::Result;
use datafusion::logical_expr::ColumnarValue;

use crate::functions::Function;
use crate::functions::support::{Rows, Scalar, Takes, varbinary};

pub(super) fn functions() -> Vec<Function> {
    let function = |name, syntax, doc, invoke: fn(&Rows) -> Result<ColumnarValue>| Function {
        family: "binary",
        syntax,
        doc,
        url: super::URL,
        udf: Scalar::new(name, &[Takes::Binary], varbinary, invoke).udf(),
    };
    vec![
        function("xxhash64", "xxhash64(binary)", "The xxHash64 hash, 8 bytes.", |rows| {
            apply(rows, |bytes| xxhash64(bytes).to_be_bytes().to_vec())
        }),
        function("murmur3", "murmur3(binary)", "The MurmurHash3 hash of 128 bits.", |rows| {
            apply(rows, murmur3)
        }),
    ]
}

fn apply(rows: &Rows, hash: fn(&[u8]) -> Vec<u8>) -> Result<ColumnarValue> {
    let bytes = rows.binary(0)?;
    rows.binaries(|row| Ok(bytes.get(row).map(hash)))
}

fn word(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte))
}

const PRIMES: [u64; 5] = [
    0x9e37_79b1_85eb_ca87,
    0xc2b2_ae3d_27d4_eb4f,
    0x1656_67b1_9e37_79f9,
    0x85eb_ca77_c2b2_ae63,
    0x27d4_eb2f_1656_67c5,
];

/// xxHash64 with seed 0: <https://github.com/Cyan4973/xxHash/blob/dev/doc/xxhash_spec.md>.
pub(crate) fn xxhash64(bytes: &[u8]) -> u64 {
    let [p1, p2, p3, p4, p5] = PRIMES;
    let round = |lane: u64, input: u64| {
        lane.wrapping_add(input.wrapping_mul(p2)).rotate_left(31).wrapping_mul(p1)
    };
    let stripes = bytes.chunks_exact(32);
    let mut rest = stripes.remainder();
    let mut hash = p5;
    if bytes.len() >= 32 {
        let mut lanes = [p1.wrapping_add(p2), p2, 0, 0_u64.wrapping_sub(p1)];
        for stripe in stripes {
            for (lane, input) in lanes.iter_mut().zip(stripe.chunks_exact(8)) {
                *lane = round(*lane, word(input));
            }
        }
        let [a, b, c, d] = lanes;
        hash = a
            .rotate_left(1)
            .wrapping_add(b.rotate_left(7))
            .wrapping_add(c.rotate_left(12))
            .wrapping_add(d.rotate_left(18));
        for lane in lanes {
            hash = (hash ^ round(0, lane)).wrapping_mul(p1).wrapping_add(p4);
        }
    }
    hash = hash.wrapping_add(bytes.len() as u64);
    while let Some((input, after)) = rest.split_at_checked(8) {
        hash = (hash ^ round(0, word(input))).rotate_left(27).wrapping_mul(p1).wrapping_add(p4);
        rest = after;
    }
    if let Some((input, after)) = rest.split_at_checked(4) {
        hash ^= word(input).wrapping_mul(p1);
        hash = hash.rotate_left(23).wrapping_mul(p2).wrapping_add(p3);
        rest = after;
    }
    for byte in rest {
        hash = (hash ^ u64::from(*byte).wrapping_mul(p5)).rotate_left(11).wrapping_mul(p1);
    }
    hash = (hash ^ hash >> 33).wrapping_mul(p2);
    hash = (hash ^ hash >> 29).wrapping_mul(p3);
    hash ^ hash >> 32
}

/// MurmurHash3_x64_128 with seed 0: <https://github.com/aappleby/smhasher>, public domain.
fn murmur3(bytes: &[u8]) -> Vec<u8> {
    let (c1, c2) = (0x87c3_7b91_1142_53d5_u64, 0x4cf5_ad43_2745_937f_u64);
    let first = |input: u64| input.wrapping_mul(c1).rotate_left(31).wrapping_mul(c2);
    let second = |input: u64| input.wrapping_mul(c2).rotate_left(33).wrapping_mul(c1);
    let (mut h1, mut h2) = (0_u64, 0_u64);
    let blocks = bytes.chunks_exact(16);
    let tail = blocks.remainder();
    for block in blocks {
        h1 ^= first(word(&block[..8]));
        h1 = h1.rotate_left(27).wrapping_add(h2).wrapping_mul(5).wrapping_add(0x52dc_e729);
        h2 ^= second(word(&block[8..]));
        h2 = h2.rotate_left(31).wrapping_add(h1).wrapping_mul(5).wrapping_add(0x3849_5ab5);
    }
    let (low, high) = tail.split_at(tail.len().min(8));
    h2 ^= second(word(high));
    h1 ^= first(word(low));
    h1 ^= bytes.len() as u64;
    h2 ^= bytes.len() as u64;
    h1 = h1.wrapping_add(h2);
    h2 = h2.wrapping_add(h1);
    (h1, h2) = (mixed(h1), mixed(h2));
    h1 = h1.wrapping_add(h2);
    h2 = h2.wrapping_add(h1);
    [h1.to_le_bytes(), h2.to_le_bytes()].concat()
}

fn mixed(value: u64) -> u64 {
    let value = (value ^ value >> 33).wrapping_mul(0xff51_afd7_ed55_8ccd);
    let value = (value ^ value >> 33).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    value ^ value >> 33
}
