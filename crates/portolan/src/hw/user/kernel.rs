//! Bytes of the kernel's own memory: of slices, of frames, and of what a kernel says to be such.

#[cfg(verus_only)]
use super::{Access, bytes_of};
use super::{Pod, Sink, Source};
use crate::addr::PhysAddr;
use crate::frame::{FrameAllocator, UFrame, USegment};
use vstd::prelude::*;

verus! {

/// Where the kernel sees the bytes of frames: its direct map of memory. Whoever allocates frames knows.
///
/// # Safety
/// [`bytes`](DirectMap::bytes) answers with a pointer that is valid for reads and writes of all the frames' bytes, one after
/// the other, as long as the frames are in use. No Rust object is there. It doesn't unwind.
pub unsafe trait DirectMap {
    /// Where the kernel sees the frames from `addr` on, which follow each other and have `bytes` bytes together.
    fn bytes(&self, addr: PhysAddr, bytes: u64) -> *mut u8;
}

/// The bytes of a slice, to read.
/// Trusted because a slice is valid for reads as long as it is borrowed, nobody changes it meanwhile, and it doesn't wrap.
///
/// Exercised by `io::bytes_of_a_slice_are_read_one_after_the_other`.
#[verifier::external_body]
#[inline(always)]
pub(crate) fn read_slice<'a>(slice: &'a [u8]) -> (r: (*mut u8, Tracked<Source<'a>>))
    ensures
        r.1@.extent().has(r.0, slice@.len() as int),
        r.1@.extent().start == r.0@.addr,
        r.0@.addr + slice@.len() <= usize::MAX,
        r.1@.bytes() == Some(slice@),
        r.1@.wf(),
        !r.1@.is_user(),
        r.1@.root() is None,
        r.1@.log().len() == 0,
    opens_invariants none
    no_unwind
{
    (slice.as_ptr().cast_mut(), Tracked(Source::any()))
}

/// The bytes of a slice, to write.
/// Trusted because a mutable slice is valid for writes as long as it is borrowed, nobody else sees or changes it meanwhile, and
/// it doesn't wrap.
///
/// Exercised by `io::bytes_are_written_one_after_the_other`.
#[verifier::external_body]
#[inline(always)]
pub(crate) fn write_slice<'a>(slice: &'a mut [u8]) -> (r: (*mut u8, Tracked<Sink<'a>>))
    ensures
        r.1@.extent().has(r.0, old(slice)@.len() as int),
        r.1@.extent().start == r.0@.addr,
        r.0@.addr + old(slice)@.len() <= usize::MAX,
        r.1@.bytes() == Some(old(slice)@),
        r.1@.fin() == Some(final(slice)@),
        r.1@.wf(),
        !r.1@.is_user(),
        r.1@.root() is None,
        r.1@.log().len() == 0,
    opens_invariants none
    no_unwind
{
    (slice.as_mut_ptr(), Tracked(Sink::any()))
}

/// How many bytes at a time go from one program's memory to another's.
pub(crate) const CHUNK: usize = 512;

/// The bytes of an array.
/// Trusted because an array is its bytes.
///
/// Exercised by `io_user::bytes_go_from_one_program_to_the_other`.
#[verifier::external_body]
#[inline(always)]
pub(crate) fn room(bytes: &mut [u8; CHUNK]) -> (r: &mut [u8])
    ensures
        r@ == old(bytes)@,
        final(r)@ == final(bytes)@,
    opens_invariants none
    no_unwind
{
    bytes
}

/// A pointer that reaches nothing.
/// Trusted because it is made of the address only.
///
/// Exercised by `io_user::a_program_reads_and_writes_what_the_kernel_does`.
#[verifier::external_body]
#[inline(always)]
pub(crate) fn address(addr: usize) -> (r: *mut u8)
    ensures
        r@.addr == addr,
    opens_invariants none
    no_unwind
{
    core::ptr::without_provenance_mut(addr)
}

/// The caller says that memory can be read.
/// Trusted because only `VmReader::from_kernel_space` calls it, whose caller promises it by `unsafe`.
///
/// Exercised by `io::memory_that_the_kernel_vouches_for_is_read_and_written`.
#[verifier::external_body]
#[inline(always)]
pub(crate) fn trust_readable<'a>(at: *mut u8, bytes: usize) -> (r: Tracked<Source<'a>>)
    ensures
        r@.extent().has(at, bytes as int),
        at@.addr + bytes <= usize::MAX,
        r@.bytes() is None,
        !r@.is_user(),
        r@.root() is None,
        r@.wf(),
        r@.log().len() == 0,
    opens_invariants none
    no_unwind
{
    let _ = (at, bytes);
    Tracked(Source::any())
}

/// The caller says that memory can be written.
/// Trusted because only `VmWriter::from_kernel_space` calls it, whose caller promises it by `unsafe`.
///
/// Exercised by `io::memory_that_the_kernel_vouches_for_is_read_and_written`.
#[verifier::external_body]
#[inline(always)]
pub(crate) fn trust_writable<'a>(at: *mut u8, bytes: usize) -> (r: Tracked<Sink<'a>>)
    ensures
        r@.extent().has(at, bytes as int),
        at@.addr + bytes <= usize::MAX,
        r@.bytes() is None,
        r@.fin() is None,
        !r@.is_user(),
        r@.root() is None,
        r@.wf(),
        r@.log().len() == 0,
    opens_invariants none
    no_unwind
{
    let _ = (at, bytes);
    Tracked(Sink::any())
}

/// The bytes of a frame.
/// Trusted because a frame of plain bytes is in use as long as it is borrowed, and the allocator promises where its bytes are
/// ([`DirectMap`]). Others may change them at any time.
///
/// Exercised by `io_frames::a_frame_keeps_what_was_written`.
#[verifier::external_body]
#[inline]
pub(crate) fn bytes_of_frame<'b, F: FrameAllocator + DirectMap>(frame: &'b UFrame<'_, F>) -> (r: (
    *mut u8,
    usize,
    Tracked<Source<'b>>,
    Tracked<Sink<'b>>,
))
    ensures
        r.1 == 0x1000,
        are_bytes(r.0, r.1, r.2@, r.3@),
    opens_invariants none
    no_unwind
{
    let (addr, frames) = (frame.paddr(), frame.frames());
    (frames.allocator().bytes(addr, 0x1000), 0x1000, Tracked(Source::any()), Tracked(Sink::any()))
}

/// The bytes of a segment.
/// Trusted for the reason of [`bytes_of_frame`].
///
/// Exercised by `io_frames::a_segment_is_one_run_of_bytes`.
#[verifier::external_body]
#[inline]
pub(crate) fn bytes_of_segment<'b, F: FrameAllocator + DirectMap>(
    segment: &'b USegment<'_, F>,
) -> (r: (*mut u8, usize, Tracked<Source<'b>>, Tracked<Sink<'b>>))
    ensures
        r.1 == segment.end() - segment.start(),
        are_bytes(r.0, r.1, r.2@, r.3@),
    opens_invariants none
    no_unwind
{
    let (addr, bytes) = (segment.paddr(), segment.size());
    let at = segment.frames().allocator().bytes(addr, bytes);
    (at, bytes as usize, Tracked(Source::any()), Tracked(Sink::any()))
}

/// Both rights to bytes that others may change.
pub(crate) open(crate) spec fn are_bytes(
    at: *mut u8,
    bytes: usize,
    source: Source,
    sink: Sink,
) -> bool {
    &&& source.extent().has(at, bytes as int)
    &&& sink.extent().has(at, bytes as int)
    &&& at@.addr + bytes <= usize::MAX
    &&& source.bytes() is None
    &&& sink.bytes() is None
    &&& sink.wf()
    &&& !source.is_user() && source.root() is None
    &&& !sink.is_user() && sink.root() is None
    &&& source.wf()
    &&& source.log().len() == 0
    &&& sink.log().len() == 0
}

/// The same right, for as long as it is lent.
/// Trusted because it isn't used meanwhile, and no slice changes its length. The prover can't follow a mutable borrow out of a
/// value that has an invariant.
///
/// Exercised by `io::a_writer_is_lent`.
#[verifier::external_body]
#[inline(always)]
pub(crate) fn lend<'b>(sink: &'b mut Tracked<Sink<'_>>) -> (r: Tracked<Sink<'b>>)
    requires
        old(sink)@.wf(),
    ensures
        r@.wf(),
        r@.extent() == old(sink)@.extent(),
        r@.is_user() == old(sink)@.is_user(),
        r@.root() == old(sink)@.root(),
        r@.bytes() == old(sink)@.bytes(),
        r@.log() == old(sink)@.log(),
        final(sink)@.wf(),
        final(sink)@.extent() == old(sink)@.extent(),
        final(sink)@.is_user() == old(sink)@.is_user(),
        final(sink)@.root() == old(sink)@.root(),
        final(sink)@.bytes() == r@.fin(),
        final(sink)@.bytes() is Some == old(sink)@.bytes() is Some,
        final(sink)@.fin() == old(sink)@.fin(),
        final(sink)@.log() == old(sink)@.log(),
    opens_invariants none
    no_unwind
{
    let _ = sink;
    Tracked(Sink::any())
}

/// A value of the kernel's memory.
/// Trusted because the right covers its bytes. It is one load, or a few, that the compiler neither repeats nor leaves out, so
/// that bytes that change meanwhile do no harm.
///
/// Exercised by `io::values_are_read_from_their_bytes`.
#[verifier::external_body]
#[inline(always)]
pub(crate) fn load_kernel<T: Pod>(at: *mut u8, Tracked(source): Tracked<&mut Source<'_>>) -> (r: T)
    requires
        !old(source).is_user(),
        old(source).extent().has(at, vstd::layout::size_of::<T>() as int),
    ensures
        bytes_of(r).len() == vstd::layout::size_of::<T>(),
        final(source).loaded(*old(source), at@.addr as int, bytes_of(r), false),
    opens_invariants none
    no_unwind
{
    // SAFETY: the right shows that the memory is valid for reads of the bytes of a `T`, and any bytes are one
    unsafe { at.cast::<Packed<T>>().read_volatile().0 }
}

/// Puts a value into the kernel's memory.
/// Trusted because the right covers its bytes.
///
/// Exercised by `io::values_are_written_as_their_bytes`.
#[verifier::external_body]
#[inline(always)]
pub(crate) fn store_kernel<T: Pod>(at: *mut u8, value: &T, Tracked(sink): Tracked<&mut Sink<'_>>)
    requires
        !old(sink).is_user(),
        old(sink).extent().has(at, vstd::layout::size_of::<T>() as int),
    ensures
        bytes_of(*value).len() == vstd::layout::size_of::<T>(),
        final(sink).stored(*old(sink), at@.addr as int, bytes_of(*value), false),
    opens_invariants none
    no_unwind
{
    // SAFETY: the right shows that the memory is valid for writes of the bytes of a `T`; plain old data can be copied byte by
    // byte
    unsafe { at.copy_from(core::ptr::from_ref(value).cast(), size_of::<T>()) }
}

/// Copies bytes of the kernel's memory.
/// Trusted because the rights cover them. Bytes that others change meanwhile, or that are in both ranges, arrive as any bytes;
/// the compiler knows nothing of what they were, as the copy is a call.
///
/// Exercised by `io::bytes_of_a_slice_are_read_one_after_the_other`.
#[verifier::external_body]
#[inline]
pub(crate) fn copy_kernel(
    from: *mut u8,
    to: *mut u8,
    bytes: usize,
    Tracked(source): Tracked<&mut Source<'_>>,
    Tracked(sink): Tracked<&mut Sink<'_>>,
) -> (r: Ghost<Seq<u8>>)
    requires
        !old(source).is_user(),
        !old(sink).is_user(),
        old(source).extent().has(from, bytes as int),
        old(sink).extent().has(to, bytes as int),
    ensures
        r@.len() == bytes,
        final(source).loaded(*old(source), from@.addr as int, r@, false),
        final(sink).stored(*old(sink), to@.addr as int, r@, false),
    opens_invariants none
    no_unwind
{
    // SAFETY: the rights show that `from` is valid for reads, and `to` for writes, of that many bytes
    unsafe { copy_opaque(from, to, bytes) };
    Ghost(arbitrary())
}

/// Sets bytes of the kernel's memory.
/// Trusted because the right covers them.
///
/// Exercised by `io::zeros_are_filled_in`.
#[verifier::external_body]
#[inline]
pub(crate) fn fill_kernel(
    to: *mut u8,
    byte: u8,
    bytes: usize,
    Tracked(sink): Tracked<&mut Sink<'_>>,
)
    requires
        !old(sink).is_user(),
        old(sink).extent().has(to, bytes as int),
    ensures
        final(sink).stored(*old(sink), to@.addr as int, Seq::new(bytes as nat, |i| byte), false),
    opens_invariants none
    no_unwind
{
    // SAFETY: the right shows that the memory is valid for writes of that many bytes
    unsafe { fill_opaque(to, byte, bytes) }
}

/// So many zeros; `None` if there is no memory for them.
/// Trusted because the standard library promises it: what is asked for can't be had, or is there.
///
/// Exercised by `io::all_that_is_left_is_collected`.
#[cfg(feature = "alloc")]
#[verifier::external_body]
pub(crate) fn zeroed(bytes: usize) -> (r: Option<alloc::vec::Vec<u8>>)
    ensures
        r matches Some(all) ==> all@ == Seq::new(bytes as nat, |i| 0u8),
{
    let mut all = alloc::vec::Vec::new();
    all.try_reserve_exact(bytes).ok()?;
    all.resize(bytes, 0);
    Some(all)
}

} // verus!
/// A value at any address.
#[repr(C, packed)]
struct Packed<T>(T);

/// Copies bytes, by a call of which the caller's code knows nothing.
///
/// # Safety
/// As for [`core::ptr::copy`].
#[inline(never)]
unsafe fn copy_opaque(from: *const u8, to: *mut u8, bytes: usize) {
    // SAFETY: the caller promises it
    unsafe { from.copy_to(to, bytes) }
}

/// Sets bytes, by a call of which the caller's code knows nothing.
///
/// # Safety
/// As for [`core::ptr::write_bytes`].
#[inline(never)]
unsafe fn fill_opaque(to: *mut u8, byte: u8, bytes: usize) {
    // SAFETY: the caller promises it
    unsafe { to.write_bytes(byte, bytes) }
}
