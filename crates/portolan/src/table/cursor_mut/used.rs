//! A cursor that takes note of accessed and dirty bits.

use super::super::used::UsedPage;
use super::CursorMut;
use crate::arch::{PagingMode, Tracking};
use crate::error::Error;
use crate::hw::TableMemory;
use crate::prop::UsedBits;
#[cfg(verus_only)]
use crate::spec::request;
use vstd::prelude::*;

verus! {

impl<'a, M: TableMemory, A: PagingMode> CursorMut<'a, M, A, Tracking> {
    /// Clears these bits of the first page from the position on within `len` bytes that has one of them set, and moves past
    /// it; answers with where it is, what it was, and the flush for it. `None` if no page has: then the cursor is at the end
    /// of these bytes, or of its range if that comes first.
    ///
    /// # Errors
    /// [`Error::CoveredByHugePage`] if the page lies partly outside of these bytes; the cursor stays where it is.
    pub fn test_and_clear_next(&mut self, len: u64, bits: UsedBits) -> (r: Result<
        Option<UsedPage<M, A>>,
        Error,
    >)
        ensures
            final(self).is_of(*old(self)),
            ({
                let (from, end) = (old(self).position(), old(self).after(len as int));
                match r {
                    Ok(Some((va, was, flush))) => {
                        &&& from <= va@ && va@ + was.size.bytes() <= end
                        &&& old(self).space().is_unused(from, va@, bits)
                        &&& final(self).table().is_harvested_from(old(self).table(), va, bits, was)
                        &&& final(self).table().is_changed_from(
                            old(self).table(),
                            va,
                            was.size,
                            flush,
                        )
                        &&& final(self).position() == va@ + was.size.bytes()
                    },
                    Ok(None) => {
                        &&& old(self).space().is_unused(from, end, bits)
                        &&& final(self).table().is_seen_from(old(self).table())
                        &&& final(self).position() == end
                    },
                    Err(e) => {
                        &&& e matches Error::CoveredByHugePage { addr, size }
                        &&& request::names_cut::<A>(old(self).space(), from, end, addr, size)
                        &&& final(self).table().is_seen_from(old(self).table())
                        &&& final(self).position() == from
                    },
                }
            }),
    {
        proof {
            use_type_invariant(&*self);
        }
        let end = self.ahead(len);
        let near = self.known();
        self.near = None;
        let (near, r) = self.table.clear_first(Ghost(self.at as int), near, self.at, end, bits);
        self.near = Some(near);
        let page = r?;
        self.at = match &page {
            Some((va, was, _)) => va.offset() + was.size.bytes(),
            None => end,
        };
        Ok(page)
    }
}

} // verus!
