//! Searching a range for pages that were used.

use super::super::model::Search;
use crate::any::AnyMemory;
use portolan::{
    AccessBits, Error, Flush, Mapping, PageTable, PagingMode, Preset, Tracking, UsedBits, VirtAddr,
    VirtRange,
};

/// The pages that a table's search for used ones gives, and the flush for them.
type UsedPages<'m, A> = (Vec<(u64, Mapping)>, Option<Flush<AnyMemory<'m>, A>>);

/// Tables that look after accessed and dirty bits, or don't.
pub(super) trait Used: AccessBits {
    /// Searches a range for pages that were used.
    fn harvest<'m, A: PagingMode>(
        table: &mut PageTable<AnyMemory<'m>, A, Self>,
        range: VirtRange<A>,
        bits: UsedBits,
        by: Search,
    ) -> Result<UsedPages<'m, A>, Error>;
}

/// One flush for two, of which there may be none.
fn merged<'m, A: PagingMode>(
    one: Option<Flush<AnyMemory<'m>, A>>,
    other: Flush<AnyMemory<'m>, A>,
) -> Option<Flush<AnyMemory<'m>, A>> {
    match one {
        // Both are of one range, so they lie in one half, and neither keeps tables
        Some(one) => Some(one.merge(other).0),
        None => Some(other),
    }
}

/// Asks for the next used page until there is none.
fn one_by_one<'m, A: PagingMode>(
    table: &mut PageTable<AnyMemory<'m>, A, Tracking>,
    range: VirtRange<A>,
    bits: UsedBits,
) -> Result<UsedPages<'m, A>, Error> {
    let (start, size) = (range.start().as_u64(), range.size());
    let (mut pages, mut flush, mut rest) = (Vec::new(), None, range);
    while let Some((va, page, due)) = table.test_and_clear_next(rest, bits)? {
        pages.push((va.as_u64(), page));
        flush = merged(flush, due);
        let done = va.as_u64() - start + page.size.bytes();
        if done == size {
            break;
        }
        rest = VirtRange::new(VirtAddr::new(start + done)?, size - done)?;
    }
    Ok((pages, flush))
}

/// Asks of each page that is mapped.
fn each_page<'m, A: PagingMode>(
    table: &mut PageTable<AnyMemory<'m>, A, Tracking>,
    range: VirtRange<A>,
    bits: UsedBits,
) -> Result<UsedPages<'m, A>, Error> {
    let mapped: Vec<_> = table.mappings(range)?.collect();
    let (mut pages, mut flush) = (Vec::new(), None);
    for (va, page) in mapped {
        let (page, due) = table.test_and_clear(va, page.size, bits)?;
        if due.size() > 0 {
            pages.push((va.as_u64(), page));
            flush = merged(flush, due);
        }
    }
    Ok((pages, flush))
}

impl Used for Tracking {
    fn harvest<'m, A: PagingMode>(
        table: &mut PageTable<AnyMemory<'m>, A, Self>,
        range: VirtRange<A>,
        bits: UsedBits,
        by: Search,
    ) -> Result<UsedPages<'m, A>, Error> {
        match by {
            Search::Harvest => {
                let mut search = table.harvest(range, bits)?;
                let pages = search.by_ref().map(|(va, page)| (va.as_u64(), page));
                let pages = pages.collect();
                Ok((pages, Some(search.finish())))
            }
            Search::Next => one_by_one(table, range, bits),
            Search::Each => each_page(table, range, bits),
        }
    }
}

impl Used for Preset {
    fn harvest<'m, A: PagingMode>(
        _: &mut PageTable<AnyMemory<'m>, A, Self>,
        _: VirtRange<A>,
        _: UsedBits,
        _: Search,
    ) -> Result<UsedPages<'m, A>, Error> {
        Ok((Vec::new(), None))
    }
}
