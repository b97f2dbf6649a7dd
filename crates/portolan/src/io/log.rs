//! What accesses tell of bytes.

use crate::addr::PhysAddr;
use crate::hw::user::Access;
use crate::io::IoError;
use vstd::prelude::*;

verus! {

/// The accesses of `log` that are not in `before` are of exactly these bytes from `at` on, as far as they go: each byte was
/// accessed, and whichever access had it, read or wrote what is here.
pub open spec fn tells(log: Seq<Access>, before: Seq<Access>, at: int, bytes: Seq<u8>) -> bool {
    let since = before.len() as int;
    &&& before.is_prefix_of(log)
    &&& forall|i: int| 0 <= i < bytes.len() ==> #[trigger] is_in(log, since, at + i)
    &&& forall|k: int, i: int|
        since <= k < log.len() && 0 <= i < bytes.len() && #[trigger] log[k].has(at + i)
            ==> log[k].byte(at + i) == bytes[i]
}

/// One of the accesses from number `since` on is of the byte at `va`.
pub open spec fn is_in(log: Seq<Access>, since: int, va: int) -> bool {
    exists|k: int| since <= k < log.len() && #[trigger] log[k].has(va)
}

/// All accesses from number `since` on are of bytes from `lo` to below `hi`.
pub open spec fn is_within(log: Seq<Access>, since: int, lo: int, hi: int) -> bool {
    forall|k: int|
        since <= k < log.len() ==> lo <= (#[trigger] log[k]).first() && log[k].first()
            + log[k].data().len() <= hi
}

/// Whether an access of one instruction for a value of `bytes` bytes at `at`, where `left` are left, is rightly refused with `e`.
pub open spec fn refuses_once(
    root: Option<PhysAddr>,
    at: int,
    left: int,
    bytes: int,
    e: IoError,
) -> bool {
    match e {
        IoError::TooShort { needed, left: l } => needed == bytes && l == left && left < bytes,
        IoError::NotAligned { addr, align } => {
            &&& addr == at && align == bytes && left >= bytes
            &&& bytes == 0 || at % bytes != 0
        },
        IoError::PageFault { addr } => {
            addr == at && root is Some && left >= bytes && bytes > 0 && at % bytes == 0
        },
        _ => false,
    }
}

/// One access tells of its bytes.
pub(crate) proof fn lemma_one(log: Seq<Access>, before: Seq<Access>, access: Access, bytes: Seq<u8>)
    requires
        log == before.push(access),
        bytes.is_prefix_of(access.data()),
    ensures
        tells(log, before, access.first(), bytes),
        is_within(log, before.len() as int, access.first(), access.first() + access.data().len()),
{
    let n = before.len() as int;
    assert(log[n] == access);
    assert forall|i: int| 0 <= i < bytes.len() implies #[trigger] is_in(
        log,
        n,
        access.first() + i,
    ) by {
        assert(log[n].has(access.first() + i));
    }
}

/// Accesses of some bytes, and then of those that follow, tell of all of them.
pub(crate) proof fn lemma_join(
    log: Seq<Access>,
    between: Seq<Access>,
    before: Seq<Access>,
    at: int,
    bytes: Seq<u8>,
    more: Seq<u8>,
    end: int,
)
    requires
        tells(between, before, at, bytes),
        is_within(between, before.len() as int, at, at + bytes.len()),
        tells(log, between, at + bytes.len(), more),
        is_within(log, between.len() as int, at + bytes.len(), end),
        end >= at + bytes.len(),
    ensures
        tells(log, before, at, bytes + more),
        is_within(log, before.len() as int, at, end),
{
    let since = before.len() as int;
    let n = between.len() as int;
    let middle = at + bytes.len();
    let all = bytes + more;
    assert forall|k: int| 0 <= k < n implies log[k] == #[trigger] between[k] by {}
    assert forall|i: int| 0 <= i < all.len() implies #[trigger] is_in(log, since, at + i) by {
        if i < bytes.len() {
            assert(is_in(between, since, at + i));
            let k = choose|k: int| since <= k < n && #[trigger] between[k].has(at + i);
            assert(log[k].has(at + i));
        } else {
            let rest = i - bytes.len();
            assert(is_in(log, n, middle + rest));
            let k = choose|k: int| n <= k < log.len() && #[trigger] log[k].has(middle + rest);
            assert(log[k].has(at + i));
        }
    }
    assert forall|k: int, i: int|
        since <= k < log.len() && 0 <= i < all.len() && #[trigger] log[k].has(
            at + i,
        ) implies log[k].byte(at + i) == all[i] by {
        if k < n {
            assert(between[k].has(at + i));
        } else {
            assert(log[k].has(middle + (i - bytes.len())));
        }
    }
    assert forall|k: int| since <= k < log.len() implies at <= (#[trigger] log[k]).first()
        && log[k].first() + log[k].data().len() <= end by {
        if k < n {
            assert(log[k] == between[k]);
        }
    }
}

/// One more access tells of the bytes that follow.
pub(crate) proof fn lemma_more(
    log: Seq<Access>,
    old: Seq<Access>,
    before: Seq<Access>,
    at: int,
    bytes: Seq<u8>,
    access: Access,
    more: Seq<u8>,
)
    requires
        tells(old, before, at, bytes),
        is_within(old, before.len() as int, at, at + bytes.len()),
        log == old.push(access),
        access.first() == at + bytes.len(),
        more.is_prefix_of(access.data()),
    ensures
        tells(log, before, at, bytes + more),
        is_within(log, before.len() as int, at, access.first() + access.data().len()),
{
    lemma_one(log, old, access, more);
    lemma_join(log, old, before, at, bytes, more, access.first() + access.data().len());
}

} // verus!
