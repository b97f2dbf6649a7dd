//! All that a page can be.

use portolan::{CachePolicy, PageProperty};

const POLICIES: [CachePolicy; 6] = [
    CachePolicy::WriteBack,
    CachePolicy::WriteThrough,
    CachePolicy::UncacheableMinus,
    CachePolicy::Uncacheable,
    CachePolicy::WriteCombining,
    CachePolicy::WriteProtected,
];

/// All properties there are.
pub fn properties() -> impl Iterator<Item = PageProperty> {
    (0..128u32).flat_map(|bits| {
        let bit = move |n: u32| bits & 1 << n != 0;
        POLICIES.into_iter().map(move |cache| PageProperty {
            read: bit(0),
            write: bit(1),
            execute: bit(2),
            user: bit(3),
            global: bit(4),
            accessed: bit(5),
            dirty: bit(6),
            cache,
        })
    })
}
