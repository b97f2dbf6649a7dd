//! Facts about words, addresses and sizes that the proofs of several formats use.

use super::super::entry::is_frame_address;
use super::super::geometry::Geometry;
use super::super::geometry::proof::{lemma_mask, lemma_shl};
use super::{is_sign_extended, page_size};
use crate::addr::{PageSize, PhysAddr};
use vstd::arithmetic::power2::{lemma2_to64, lemma2_to64_rest, pow2};
use vstd::prelude::*;

verus! {

/// A page is 2 to the power of this many bytes.
pub open spec fn bits(size: PageSize) -> u64 {
    match size {
        PageSize::Size4K => 12,
        PageSize::Size16K => 14,
        PageSize::Size64K => 16,
        PageSize::Size2M => 21,
        PageSize::Size32M => 25,
        PageSize::Size512M => 29,
        PageSize::Size1G => 30,
    }
}

/// A page's size as a power of two.
pub(in super::super) proof fn lemma_bits(size: PageSize)
    ensures
        12 <= bits(size) <= 30,
        pow2(bits(size) as nat) == size.bytes(),
        1u64 << bits(size) == size.bytes(),
{
    lemma2_to64();
    lemma2_to64_rest();
    lemma_shl(bits(size));
}

/// The sizes of tables of 4 KiB and of what they cover.
pub(in super::super) proof fn lemma_sizes(g: Geometry)
    requires
        g == (Geometry { page_bits: 12, index_bits: 9, levels: g.levels, root_bits: 9 }),
        3 <= g.levels <= 5,
    ensures
        g.wf(),
        pow2(12) == 0x1000,
        forall|l: nat| 1 <= l <= g.levels ==> #[trigger] g.entries(l) == 512,
        forall|l: nat| (#[trigger] page_size(l)) matches Some(size) ==> size.bytes() == g.span(l),
        g.limit() == pow2((12 + 9 * g.levels) as nat),
{
    lemma2_to64();
    lemma2_to64_rest();
    g.lemma_powers(1);
    g.lemma_powers(2);
    g.lemma_powers(3);
    assert forall|l: nat| 1 <= l <= g.levels implies #[trigger] g.entries(l) == 512 by {
        g.lemma_powers(l);
    }
}

/// Whether an address is a multiple of 2 to the power of `n` below 2 to the power of `phys_bits`, for statements about bit
/// vectors.
#[verifier::inline]
pub open spec fn fits(addr: u64, phys_bits: u64, n: u64) -> bool {
    &&& n <= phys_bits
    &&& addr & !sub(1u64 << phys_bits, 1) == 0
    &&& addr & sub(1u64 << n, 1) == 0
}

/// [`flag`](super::flag), for statements about bit vectors.
#[verifier::inline]
pub open spec fn set_if(set: bool, bit: u64) -> u64 {
    if set {
        bit
    } else {
        0
    }
}

/// Bits as the manuals number them.
pub(in super::super) proof fn lemma_single_bits()
    by (bit_vector)
    ensures
        1u64 << 0u64 == 0x1,
        1u64 << 1u64 == 0x2,
        1u64 << 2u64 == 0x4,
        1u64 << 3u64 == 0x8,
        1u64 << 4u64 == 0x10,
        1u64 << 5u64 == 0x20,
        1u64 << 6u64 == 0x40,
        1u64 << 7u64 == 0x80,
        1u64 << 8u64 == 0x100,
        1u64 << 11u64 == 0x800,
        1u64 << 12u64 == 0x1000,
        1u64 << 51u64 == 0x0008_0000_0000_0000,
        1u64 << 53u64 == 0x0020_0000_0000_0000,
        1u64 << 54u64 == 0x0040_0000_0000_0000,
        1u64 << 59u64 == 0x0800_0000_0000_0000,
        1u64 << 60u64 == 0x1000_0000_0000_0000,
        1u64 << 61u64 == 0x2000_0000_0000_0000,
        1u64 << 62u64 == 0x4000_0000_0000_0000,
        1u64 << 63u64 == 0x8000_0000_0000_0000,
{
}

/// What is a multiple of a page has the bits clear that make an entry present, in every format.
pub(in super::super) proof fn lemma_absent(word: u64)
    by (bit_vector)
    requires
        word % 4096 == 0,
    ensures
        word & 0x1 == 0,
        word & 0x7 == 0,
{
}

/// Copies of the top bit don't change the bits below.
pub(super) proof fn lemma_sign_extend(offset: u64, width: u64, r: u64)
    requires
        1 <= width < 64,
        offset < pow2(width as nat),
        r == if offset >> sub(width, 1) == 0 {
            offset
        } else {
            offset | u64::MAX << width
        },
    ensures
        is_sign_extended(r, width),
        r as int % pow2(width as nat) as int == offset,
{
    lemma_mask(r, width);
    assert((r >> sub(width, 1) == 0 || r >> sub(width, 1) == u64::MAX >> sub(width, 1)) && r & sub(
        1u64 << width,
        1,
    ) == offset) by (bit_vector)
        requires
            1 <= width < 64,
            offset < 1u64 << width,
            r == if offset >> sub(width, 1) == 0 {
                offset
            } else {
                offset | u64::MAX << width
            },
    ;
}

/// Aligning down to a page leaves the upper bits as they are.
pub(in super::super) proof fn lemma_align_down(raw: u64, size: PageSize, n: u64)
    requires
        30 <= n < 64,
    ensures
        (raw - raw as int % size.bytes() as int) as u64 >> n == raw >> n,
{
    let k = bits(size);
    lemma_bits(size);
    lemma_mask(raw, k);
    assert(sub(raw, raw & sub(1u64 << k, 1)) >> n == raw >> n) by (bit_vector)
        requires
            k <= 30 <= n < 64,
    ;
}

/// The address of a page or table that exists, in bits.
pub(in super::super) proof fn lemma_exists(frame: PhysAddr, phys_bits: u64, size: PageSize)
    requires
        phys_bits <= 56,
        is_frame_address(frame, phys_bits, size.bytes() as int),
    ensures
        fits(frame.0, phys_bits, bits(size)),
        frame.0 & !sub(1u64 << bits(size), 1) == frame.0,
{
    let (n, addr) = (bits(size), frame.0);
    lemma_bits(size);
    lemma_shl(phys_bits);
    lemma_mask(addr, n);
    assert(n <= phys_bits && addr & !sub(1u64 << phys_bits, 1) == 0 && addr & !sub(1u64 << n, 1)
        == addr) by (bit_vector)
        requires
            12 <= n <= 30,
            phys_bits <= 56,
            addr & sub(1u64 << n, 1) == 0,
            addr < 1u64 << phys_bits,
            1u64 << n <= 1u64 << phys_bits,
    ;
}

} // verus!
