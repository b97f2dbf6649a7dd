//! The address space as a map, and the tables as a tree.

use super::Text;
use super::step::rights;
use super::style::{BAD, DIM, of_page, padded, paint};
use crate::tour::record::{Page, Run, Space, Tables, cache_name};
use crate::tour::tree::{Entry, Table, Target, follows};
use portolan::CachePolicy;
use std::io::{self, Write};
use std::ops::RangeInclusive;

/// Where the addresses of entries begin.
const ADDRESSES: usize = 27;

impl<W: Write> Text<W> {
    pub(super) fn space(&mut self, space: &Space) -> io::Result<()> {
        self.line("")?;
        let ranges = &space.ranges;
        let end_of = |range: &RangeInclusive<u64>| u128::from(*range.end()) + 1;
        let gap = match &ranges[..] {
            [low, high] => Some((end_of(low), u128::from(*high.start()))),
            _ => None,
        };
        let mut from = ranges.first().map_or(0, |range| u128::from(*range.start()));
        for run in &space.runs {
            self.hole(from, run.start.0.into(), gap)?;
            self.run(run)?;
            from = u128::from(run.end.0) + 1;
        }
        self.hole(from, ranges.last().map_or(from, end_of), gap)?;
        self.instead(space.ok, "what was asked for, and what query says")
    }

    fn run(&mut self, run: &Run) -> io::Result<()> {
        let Run {
            start,
            end,
            pages,
            first: Page(page),
            region,
        } = run;
        let (block, times, arrow) = (self.signs.block, self.signs.times, self.signs.arrow);
        let prop = page.prop;
        let global = if prop.global { "global" } else { "" };
        let cache = match prop.cache {
            CachePolicy::WriteBack => "",
            cache => cache_name(cache),
        };
        let style = of_page(prop);
        let count = format!("{pages} {times} {}", page.size);
        let frame = format!("{:#x}", page.frame.as_u64());
        self.line(format!(
            "{} {:016x}-{:016x} {count:>9} {} {global:<6} {cache:<11} {arrow} {frame:<11}{}",
            paint(style, block.repeat(2)),
            start.0,
            end.0,
            padded(style, &rights(prop), 10),
            paint(style, region),
        ))
    }

    /// A part of the address space where nothing is mapped, perhaps around the `gap` between the halves.
    fn hole(&mut self, from: u128, to: u128, gap: Option<(u128, u128)>) -> io::Result<()> {
        if from >= to {
            return Ok(());
        }
        let sign = self.signs.hole.repeat(2);
        let words = match gap {
            Some((low, high)) if from <= low && high <= to => {
                let (below, above) = (amount(low - from), amount(to - high));
                format!("{below}, the gap where no address is canonical, {above}")
            }
            _ => amount(to - from),
        };
        self.line(paint(DIM, format!("{sign} {words}")))
    }

    pub(super) fn tables(&mut self, tables: &Tables) -> io::Result<()> {
        self.line("")?;
        let Table {
            level,
            addr,
            entries,
            ..
        } = &tables.root;
        let root = format!("root {addr}");
        let used = entries.len();
        let [address, word] = ["address", "word"].map(|name| padded(DIM, name, 16));
        let left = format!("  {root:<0$}  {address}  {word}", ADDRESSES - 2);
        let room = tables.root.room;
        self.line(format!("{left}  level {level}, {used} of {room} used"))?;
        self.entries(entries, "  ")?;
        for problem in &tables.problems {
            self.line(paint(BAD, format!("  MISMATCH, {problem}")))?;
        }
        Ok(())
    }

    fn entries(&mut self, entries: &[Entry], prefix: &str) -> io::Result<()> {
        let mut rest = entries;
        while let Some(first) = rest.first() {
            let (group, others) = rest.split_at(run_length(rest));
            rest = others;
            let last = group.last().map_or(first.index, |entry| entry.index);
            let index = match last {
                last if last == first.index => format!("[{last}]"),
                last => format!("[{}..{last}]", first.index),
            };
            let branch = if rest.is_empty() {
                self.signs.corner
            } else {
                self.signs.tee
            };
            let bar = if rest.is_empty() {
                "   "
            } else {
                self.signs.bar
            };
            let left = format!("{prefix}{branch}{index}");
            let (va, word) = (
                format!("{:016x}", first.va.0),
                format!("{:016x}", first.word.0),
            );
            let word = paint(DIM, word);
            let what = self.target(first, group.len());
            self.line(format!("{left:<ADDRESSES$}  {va}  {word}  {what}"))?;
            if let Target::Table(table) = &first.target {
                self.entries(&table.entries, &format!("{prefix}{bar}"))?;
            }
        }
        Ok(())
    }

    fn target(&self, entry: &Entry, count: usize) -> String {
        match &entry.target {
            Target::Table(Table {
                level,
                addr,
                entries,
                ..
            }) => {
                format!("level {level} at {addr}, {} used", entries.len())
            }
            Target::Page(Page(page)) => {
                let (times, frame) = (self.signs.times, page.frame.as_u64());
                let rights = paint(of_page(page.prop), rights(page.prop));
                format!("{rights} {count} {times} {} at {frame:#x}", page.size)
            }
            Target::Nothing => paint(BAD, "makes no sense"),
        }
    }
}

/// How many of the first entries are pages that make one run.
fn run_length(entries: &[Entry]) -> usize {
    let page = |entry: &Entry| match entry.target {
        Target::Page(Page(page)) => Some((entry.va.0, page)),
        _ => None,
    };
    let joined = |pair: &&[Entry]| match (page(&pair[0]), page(&pair[1])) {
        (Some(last), Some(next)) => follows(last, next),
        _ => false,
    };
    1 + entries.windows(2).take_while(joined).count()
}

/// So many bytes, rounded to the largest unit of which there is at least one.
fn amount(bytes: u128) -> String {
    let units = ["bytes", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    let unit = bytes.max(1).ilog2() / 10;
    let size = 1u128 << (10 * unit);
    let about = if bytes.is_multiple_of(size) {
        ""
    } else {
        "about "
    };
    format!(
        "{about}{:.0} {}",
        bytes as f64 / size as f64,
        units[unit as usize]
    )
}
