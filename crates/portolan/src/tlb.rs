//! TLB shootdown: telling every processor that uses a table what it must not use any longer.
