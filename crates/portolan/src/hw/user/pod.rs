//! Plain old data: values that are their bytes.

use super::Width;
use core::mem::MaybeUninit;
use vstd::prelude::*;
use zerocopy::{FromBytes, Immutable, IntoBytes};

verus! {

/// Plain old data: any bytes are a value, and all bytes of a value are there. Each type that implements
/// [`FromBytes`], [`IntoBytes`] and [`Immutable`] of [`zerocopy`] is one, and no other; they can be derived.
///
/// ```
/// use portolan::io::{VmReader, zerocopy};
/// use zerocopy::{FromBytes, Immutable, IntoBytes};
///
/// #[derive(FromBytes, IntoBytes, Immutable, Debug, PartialEq)]
/// #[repr(C)]
/// struct Timespec {
///     seconds: u64,
///     nanoseconds: u64,
/// }
///
/// let bytes = [1u64, 500].map(u64::to_ne_bytes).concat();
/// let mut reader = VmReader::from(&bytes[..]);
/// assert_eq!(reader.read_val(), Ok(Timespec { seconds: 1, nanoseconds: 500 }));
/// ```
///
/// # Safety
/// The type implements these traits.
pub unsafe trait Pod: Sized {

}

/// Plain old data that one instruction loads or stores: of 1, 2, 4 or 8 bytes.
///
/// It is implemented for all plain old data. That the size fits is checked when a call is compiled:
/// ```compile_fail,E0080
/// use portolan::io::VmReader;
///
/// let _ = VmReader::from(&[0; 16][..]).read_once::<[u32; 3]>();
/// ```
///
/// # Safety
/// As for [`Pod`].
pub unsafe trait PodOnce: Pod {

}

/// Plain old data that one instruction compares and exchanges: as for [`PodOnce`].
///
/// # Safety
/// As for [`Pod`].
pub unsafe trait PodAtomic: PodOnce {

}

/// Byte `n` of a value.
pub uninterp spec fn byte_of<T>(value: T, n: int) -> u8;

/// The bytes of a value.
pub open spec fn bytes_of<T>(value: T) -> Seq<u8> {
    Seq::new(vstd::layout::size_of::<T>(), |n: int| byte_of(value, n))
}

/// The bytes of values that follow each other.
pub open spec fn bytes_of_all<T>(values: Seq<T>) -> Seq<u8> {
    values.map_values(|value: T| bytes_of(value)).flatten()
}

/// The value that is all zeros.
/// Trusted because any bytes are a value of plain old data.
///
/// Exercised by `io_frames::values_are_read_at_offsets`.
#[verifier::external_body]
#[inline(always)]
pub(crate) fn zero<T: Pod>() -> T
    opens_invariants none
    no_unwind
{
    // SAFETY: any bytes are a value of plain old data
    unsafe { MaybeUninit::zeroed().assume_init() }
}

/// The bytes of a value, to read.
/// Trusted because all bytes of a value of plain old data are there.
///
/// Exercised by `io_frames::values_are_read_at_offsets`.
#[verifier::external_body]
#[inline(always)]
pub(crate) fn bytes_ref<T: Pod>(value: &T) -> (r: &[u8])
    ensures
        r@ == bytes_of(*value),
        r@.len() == vstd::layout::size_of::<T>(),
    opens_invariants none
    no_unwind
{
    // SAFETY: as many bytes are there, all with values, and can't be changed as long as they are borrowed
    unsafe { core::slice::from_raw_parts(core::ptr::from_ref(value).cast(), size_of::<T>()) }
}

/// The bytes of a value, to write.
/// Trusted because any bytes are a value of plain old data.
///
/// Exercised by `io_frames::values_are_read_at_offsets`.
#[verifier::external_body]
#[inline(always)]
pub(crate) fn bytes_mut<T: Pod>(value: &mut T) -> (r: &mut [u8])
    ensures
        r@ == bytes_of(*old(value)),
        r@.len() == vstd::layout::size_of::<T>(),
        final(r)@ == bytes_of(*final(value)),
    opens_invariants none
    no_unwind
{
    // SAFETY: as many bytes are there, nobody else uses them as long as they are borrowed, and any are a value
    unsafe { core::slice::from_raw_parts_mut(core::ptr::from_mut(value).cast(), size_of::<T>()) }
}

/// The bytes of values that follow each other, to read.
/// Trusted for the reason of [`bytes_ref`].
///
/// Exercised by `io_frames::slices_are_read_and_written`.
#[verifier::external_body]
#[inline(always)]
pub(crate) fn slice_bytes<T: Pod>(values: &[T]) -> (r: &[u8])
    ensures
        r@ == bytes_of_all(values@),
        r@.len() == values@.len() * vstd::layout::size_of::<T>(),
    opens_invariants none
    no_unwind
{
    // SAFETY: as for one value, one after the other
    unsafe { core::slice::from_raw_parts(values.as_ptr().cast(), size_of_val(values)) }
}

/// The bytes of values that follow each other, to write.
/// Trusted for the reason of [`bytes_mut`].
///
/// Exercised by `io_frames::slices_are_read_and_written`.
#[verifier::external_body]
#[inline(always)]
pub(crate) fn slice_bytes_mut<T: Pod>(values: &mut [T]) -> (r: &mut [u8])
    ensures
        r@ == bytes_of_all(old(values)@),
        r@.len() == old(values)@.len() * vstd::layout::size_of::<T>(),
        final(r)@ == bytes_of_all(final(values)@),
        final(values)@.len() == old(values)@.len(),
    opens_invariants none
    no_unwind
{
    // SAFETY: as for one value, one after the other
    unsafe { core::slice::from_raw_parts_mut(values.as_mut_ptr().cast(), size_of_val(values)) }
}

} // verus!
// SAFETY: it is what the trait demands
unsafe impl<T: FromBytes + IntoBytes + Immutable> Pod for T {}

// SAFETY: as above
unsafe impl<T: Pod> PodOnce for T {}

// SAFETY: as above
unsafe impl<T: PodOnce> PodAtomic for T {}

impl Width {
    /// The width of a type, if one instruction loads it.
    pub(super) const fn of<T>() -> Self {
        match size_of::<T>() {
            1 => Width::One,
            2 => Width::Two,
            4 => Width::Four,
            8 => Width::Eight,
            _ => panic!("one load or store has 1, 2, 4 or 8 bytes"),
        }
    }

    /// How many bytes it is.
    #[must_use]
    pub const fn bytes(self) -> usize {
        match self {
            Width::One => 1,
            Width::Two => 2,
            Width::Four => 4,
            Width::Eight => 8,
        }
    }
}

/// The bytes of a value as a number, which has them first in memory where it is as wide.
pub(super) fn to_word<T: Pod>(value: T) -> u64 {
    let at = (&raw const value).cast::<u8>();
    // SAFETY: all bytes of a value of plain old data are there, and as many are read
    unsafe {
        match const { Width::of::<T>() } {
            Width::One => u64::from(at.read()),
            Width::Two => u64::from(at.cast::<u16>().read_unaligned()),
            Width::Four => u64::from(at.cast::<u32>().read_unaligned()),
            Width::Eight => at.cast::<u64>().read_unaligned(),
        }
    }
}

/// The value whose bytes [`to_word`] made a number of.
pub(super) fn from_word<T: Pod>(word: u64) -> T {
    let mut value = MaybeUninit::<T>::uninit();
    let at = value.as_mut_ptr().cast::<u8>();
    // SAFETY: all bytes of the value are written, and any are a value of plain old data
    unsafe {
        match const { Width::of::<T>() } {
            Width::One => at.write(word as u8),
            Width::Two => at.cast::<u16>().write_unaligned(word as u16),
            Width::Four => at.cast::<u32>().write_unaligned(word as u32),
            Width::Eight => at.cast::<u64>().write_unaligned(word),
        }
        value.assume_init()
    }
}
