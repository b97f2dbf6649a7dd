//! Single loads, stores and exchanges, of user memory and of the kernel's.

use super::pod::{from_word, to_word};
use super::{PodAtomic, PodOnce, Sink, Source, UserMemory, Width};
#[cfg(verus_only)]
use super::{bytes_of, is_lower};
use core::sync::atomic::{AtomicU8, AtomicU16, AtomicU32, AtomicU64, Ordering};
use vstd::prelude::*;

verus! {

/// Whether an access of one instruction can be at `at`, for a value of type `T`: where the right says, in one piece.
pub(crate) open spec fn can_be_once<T>(at: *mut u8, user: bool, extent: super::Extent) -> bool {
    let bytes = vstd::layout::size_of::<T>() as int;
    &&& at@.addr as int % bytes == 0
    &&& if user {
        is_lower(at@.addr as int, bytes)
    } else {
        extent.has(at, bytes)
    }
}

/// A value by one load; `None` if it is user memory that the program could not read.
/// Trusted because the right covers its bytes, or the machine promises it ([`UserMemory`]), and a volatile load of an aligned
/// number is one instruction, as Linux's `READ_ONCE` relies on, too.
///
/// Exercised by `io_once::what_is_loaded_once_is_never_torn`.
#[verifier::external_body]
#[inline(always)]
pub(crate) fn load_once<T: PodOnce, U: UserMemory>(
    user: Option<&U>,
    at: *mut u8,
    Tracked(source): Tracked<&mut Source<'_>>,
) -> (r: Option<T>)
    requires
        old(source).is_user() == user is Some,
        can_be_once::<T>(at, user is Some, old(source).extent()),
    ensures
        match r {
            Some(value) => {
                &&& bytes_of(value).len() == vstd::layout::size_of::<T>()
                &&& final(source).loaded(*old(source), at@.addr as int, bytes_of(value), true)
            },
            None => user is Some && *final(source) == *old(source),
        },
    opens_invariants none
    no_unwind
{
    let width = const { Width::of::<T>() };
    // SAFETY: the address is in the lower half, or the right shows that the memory is valid for reads; it is aligned
    let word = unsafe {
        match user {
            Some(user) => user.load(at.addr(), width)?,
            None => load_word(at, width),
        }
    };
    Some(from_word(word))
}

/// Puts a value into memory by one store; `false` if it is user memory that the program could not write.
/// Trusted for the reason of [`load_once`].
///
/// Exercised by `io_once::what_is_stored_once_is_never_torn`.
#[verifier::external_body]
#[inline(always)]
pub(crate) fn store_once<T: PodOnce, U: UserMemory>(
    user: Option<&U>,
    at: *mut u8,
    value: T,
    Tracked(sink): Tracked<&mut Sink<'_>>,
) -> (r: bool)
    requires
        old(sink).is_user() == user is Some,
        can_be_once::<T>(at, user is Some, old(sink).extent()),
    ensures
        bytes_of(value).len() == vstd::layout::size_of::<T>(),
        if r {
            final(sink).stored(*old(sink), at@.addr as int, bytes_of(value), true)
        } else {
            user is Some && *final(sink) == *old(sink)
        },
    opens_invariants none
    no_unwind
{
    let width = const { Width::of::<T>() };
    let word = to_word(value);
    // SAFETY: the address is in the lower half, or the right shows that the memory is valid for writes; it is aligned
    unsafe {
        match user {
            Some(user) => user.store(at.addr(), width, word),
            None => {
                store_word(at, width, word);
                true
            },
        }
    }
}

/// Puts `new` into memory if `current` is there, by one access. What was there; `None` if it is user memory that the program
/// could not read or write.
/// Trusted for the reason of [`load_once`]; what is there is `current` exactly if the bytes are the same.
///
/// Exercised by `io_once::only_what_is_expected_is_exchanged`.
#[verifier::external_body]
#[inline]
pub(crate) fn exchange<T: PodAtomic, U: UserMemory>(
    user: Option<&U>,
    at: *mut u8,
    current: T,
    new: T,
    Tracked(sink): Tracked<&mut Sink<'_>>,
) -> (r: Option<Result<T, T>>)
    requires
        old(sink).is_user() == user is Some,
        can_be_once::<T>(at, user is Some, old(sink).extent()),
    ensures
        match r {
            Some(Ok(found)) => {
                &&& bytes_of(found) == bytes_of(current)
                &&& bytes_of(new).len() == vstd::layout::size_of::<T>()
                &&& final(sink).exchanged(
                    *old(sink),
                    at@.addr as int,
                    bytes_of(found),
                    Some(bytes_of(new)),
                )
            },
            Some(Err(found)) => {
                &&& bytes_of(found) != bytes_of(current)
                &&& bytes_of(found).len() == vstd::layout::size_of::<T>()
                &&& final(sink).exchanged(*old(sink), at@.addr as int, bytes_of(found), None)
            },
            None => user is Some && *final(sink) == *old(sink),
        },
    opens_invariants none
    no_unwind
{
    let width = const { Width::of::<T>() };
    let (current, new) = (to_word(current), to_word(new));
    // SAFETY: the address is in the lower half, or the right shows that the memory is valid for both; it is aligned
    let found = unsafe {
        match user {
            Some(user) => user.compare_exchange(at.addr(), width, current, new)?,
            None => exchange_word(at, width, current, new),
        }
    };
    Some(
        if found == current {
            Ok(from_word(found))
        } else {
            Err(from_word(found))
        },
    )
}

} // verus!
/// The number at `at`, by one load. It is a volatile one: an atomic type's wants memory that can be written, too.
///
/// # Safety
/// `at` is valid for reads of so many bytes, and a multiple of that.
#[inline(always)]
unsafe fn load_word(at: *mut u8, width: Width) -> u64 {
    // SAFETY: the caller promises it
    unsafe {
        match width {
            Width::One => at.read_volatile().into(),
            Width::Two => at.cast::<u16>().read_volatile().into(),
            Width::Four => at.cast::<u32>().read_volatile().into(),
            Width::Eight => at.cast::<u64>().read_volatile(),
        }
    }
}

/// Puts the lower bytes of a number at `at`, by one store.
///
/// # Safety
/// `at` is valid for writes of so many bytes, and a multiple of that.
#[inline(always)]
unsafe fn store_word(at: *mut u8, width: Width, word: u64) {
    // SAFETY: the caller promises it
    unsafe {
        match width {
            Width::One => AtomicU8::from_ptr(at).store(word as u8, Ordering::Relaxed),
            Width::Two => AtomicU16::from_ptr(at.cast()).store(word as u16, Ordering::Relaxed),
            Width::Four => AtomicU32::from_ptr(at.cast()).store(word as u32, Ordering::Relaxed),
            Width::Eight => AtomicU64::from_ptr(at.cast()).store(word, Ordering::Relaxed),
        }
    }
}

/// Exchanges the number at `at` if it is `current`; answers with what it was.
///
/// # Safety
/// `at` is valid for reads and writes of so many bytes, and a multiple of that.
#[inline]
unsafe fn exchange_word(at: *mut u8, width: Width, current: u64, new: u64) -> u64 {
    const ORDER: Ordering = Ordering::SeqCst;
    macro_rules! exchange {
        ($atomic:ident, $word:ident) => {{
            // SAFETY: the caller promises it
            let word = unsafe { $atomic::from_ptr(at.cast()) };
            let (Ok(was) | Err(was)) =
                word.compare_exchange(current as $word, new as $word, ORDER, ORDER);
            u64::from(was)
        }};
    }
    match width {
        Width::One => exchange!(AtomicU8, u8),
        Width::Two => exchange!(AtomicU16, u16),
        Width::Four => exchange!(AtomicU32, u32),
        Width::Eight => exchange!(AtomicU64, u64),
    }
}
