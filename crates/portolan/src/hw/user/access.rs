//! Copies between user memory and the kernel's.

use super::{Pod, Sink, Source, UserMemory};
#[cfg(verus_only)]
use super::{bytes_of, is_lower};
use core::mem::MaybeUninit;
use vstd::prelude::*;

verus! {

/// Copies bytes from user memory, as far as the program could read them.
/// Trusted because the machine promises it ([`UserMemory`]) of the table in use, which the right shows; that the code runs on
/// that processor is what the reader was made with. Bytes that change meanwhile arrive as they were at some moment, each.
///
/// Exercised by `io_user::a_page_that_is_missing_in_the_middle_ends_the_copy`.
#[verifier::external_body]
#[inline]
pub(crate) fn copy_from_user<U: UserMemory>(
    user: &U,
    from: usize,
    to: *mut u8,
    bytes: usize,
    Tracked(source): Tracked<&mut Source<'_>>,
    Tracked(sink): Tracked<&mut Sink<'_>>,
) -> (r: (usize, Ghost<Seq<u8>>))
    requires
        old(source).is_user(),
        !old(sink).is_user(),
        is_lower(from as int, bytes as int),
        old(sink).extent().has(to, bytes as int),
    ensures
        r.0 <= bytes,
        r.1@.len() == r.0,
        final(source).loaded(*old(source), from as int, r.1@, false),
        final(sink).stored(*old(sink), to@.addr as int, r.1@, false),
    opens_invariants none
    no_unwind
{
    // SAFETY: the addresses are in the lower half, and the right shows that `to` is valid for writes of that many bytes
    let done = unsafe { user.read(from, to, bytes) };
    (done, Ghost(arbitrary()))
}

/// Copies bytes to user memory, as far as the program could write them.
/// Trusted for the reason of [`copy_from_user`].
///
/// Exercised by `io_user::a_page_that_is_read_only_in_the_middle_ends_the_copy`.
#[verifier::external_body]
#[inline]
pub(crate) fn copy_to_user<U: UserMemory>(
    user: &U,
    from: *mut u8,
    to: usize,
    bytes: usize,
    Tracked(source): Tracked<&mut Source<'_>>,
    Tracked(sink): Tracked<&mut Sink<'_>>,
) -> (r: (usize, Ghost<Seq<u8>>))
    requires
        !old(source).is_user(),
        old(sink).is_user(),
        is_lower(to as int, bytes as int),
        old(source).extent().has(from, bytes as int),
    ensures
        r.0 <= bytes,
        r.1@.len() == r.0,
        final(source).loaded(*old(source), from@.addr as int, r.1@, false),
        final(sink).stored(*old(sink), to as int, r.1@, false),
    opens_invariants none
    no_unwind
{
    // SAFETY: the addresses are in the lower half, and the right shows that `from` is valid for reads of that many bytes
    let done = unsafe { user.write(to, from, bytes) };
    (done, Ghost(arbitrary()))
}

/// Sets bytes of user memory, as far as the program could write them.
/// Trusted for the reason of [`copy_from_user`].
///
/// Exercised by `io_user::a_fill_ends_where_nothing_is_mapped`.
#[verifier::external_body]
#[inline]
pub(crate) fn fill_user<U: UserMemory>(
    user: &U,
    to: usize,
    byte: u8,
    bytes: usize,
    Tracked(sink): Tracked<&mut Sink<'_>>,
) -> (r: usize)
    requires
        old(sink).is_user(),
        is_lower(to as int, bytes as int),
    ensures
        r <= bytes,
        final(sink).stored(*old(sink), to as int, Seq::new(r as nat, |i| byte), false),
    opens_invariants none
    no_unwind
{
    // SAFETY: the addresses are in the lower half
    unsafe { user.fill(to, byte, bytes) }
}

/// A value of user memory, or how many of its bytes the program could read.
/// Trusted for the reason of [`copy_from_user`]; any bytes are a value.
///
/// Exercised by `io_user::a_value_that_faults_leaves_the_cursor`.
#[verifier::external_body]
#[inline]
pub(crate) fn load_user<T: Pod, U: UserMemory>(
    user: &U,
    from: usize,
    Tracked(source): Tracked<&mut Source<'_>>,
) -> (r: Result<T, usize>)
    requires
        old(source).is_user(),
        is_lower(from as int, vstd::layout::size_of::<T>() as int),
    ensures
        match r {
            Ok(value) => {
                &&& bytes_of(value).len() == vstd::layout::size_of::<T>()
                &&& final(source).loaded(*old(source), from as int, bytes_of(value), false)
            },
            Err(done) => {
                &&& done < vstd::layout::size_of::<T>()
                &&& final(source).loads_part(*old(source), from as int, done as nat)
            },
        },
    opens_invariants none
    no_unwind
{
    let mut value = MaybeUninit::<T>::uninit();
    // SAFETY: the addresses are in the lower half, and there is room for the bytes of a value
    let done = unsafe { user.read(from, value.as_mut_ptr().cast(), size_of::<T>()) };
    if done == size_of::<T>() {
        // SAFETY: all its bytes were written, and any are a value of plain old data
        Ok(unsafe { value.assume_init() })
    } else {
        Err(done)
    }
}

/// Puts a value into user memory; answers with how many of its bytes.
/// Trusted for the reason of [`copy_from_user`].
///
/// Exercised by `io_user::a_value_that_faults_leaves_the_cursor`.
#[verifier::external_body]
#[inline]
pub(crate) fn store_user<T: Pod, U: UserMemory>(
    user: &U,
    to: usize,
    value: &T,
    Tracked(sink): Tracked<&mut Sink<'_>>,
) -> (r: usize)
    requires
        old(sink).is_user(),
        is_lower(to as int, vstd::layout::size_of::<T>() as int),
    ensures
        bytes_of(*value).len() == vstd::layout::size_of::<T>(),
        r <= vstd::layout::size_of::<T>(),
        final(sink).stored(*old(sink), to as int, bytes_of(*value).take(r as int), false),
    opens_invariants none
    no_unwind
{
    // SAFETY: the addresses are in the lower half, and all bytes of a value of plain old data are there
    unsafe { user.write(to, core::ptr::from_ref(value).cast(), size_of::<T>()) }
}

} // verus!
