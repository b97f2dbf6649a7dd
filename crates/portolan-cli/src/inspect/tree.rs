//! The tables as a tree, each once.

use super::image::Image;
use super::summary::Page;
use super::survey::Survey;
use super::target::{Entry, Place, Target};
use super::text::{bytes, colour};
use crate::text::style::{ASCII, BAD, DIM, DRAWN, Signs, paint};
use std::collections::HashSet;
use std::io::{self, Write};

/// Where the addresses of entries begin.
const ADDRESSES: usize = 27;

/// A tree at work.
struct Tree<'a, W> {
    out: W,
    signs: Signs,
    image: &'a mut Image,
    target: &'a Target,
    survey: &'a Survey,
    /// The tables that are shown, and their levels.
    shown: HashSet<(u64, u8)>,
    /// How many lines may follow.
    room: usize,
    /// How many lines there was no room for.
    left_out: u64,
}

/// Entries that follow each other and are alike.
struct Group {
    first: usize,
    last: usize,
    word: u64,
    entry: Entry,
    /// The last page, if these are pages.
    end: Option<Page>,
}

/// Writes the tables in at most `limit` lines. The result is how many more there would be.
///
/// # Errors
/// The image can't be read, or the output not written.
pub fn show<W: Write>(
    out: W,
    is_terminal: bool,
    image: &mut Image,
    target: &Target,
    survey: &Survey,
    limit: usize,
) -> io::Result<u64> {
    let mut tree = Tree {
        out,
        signs: if is_terminal { DRAWN } else { ASCII },
        image,
        target,
        survey,
        shown: HashSet::new(),
        room: limit,
        left_out: 0,
    };
    let root = target.start();
    let level = root.level;
    tree.line(|_| format!("  root {:#x}, level {level}", root.table))?;
    tree.table(root, 0, "  ")?;
    Ok(tree.left_out)
}

impl<W: Write> Tree<'_, W> {
    fn line(&mut self, line: impl FnOnce(&Signs) -> String) -> io::Result<()> {
        if self.room == 0 {
            self.left_out += 1;
            return Ok(());
        }
        self.room -= 1;
        writeln!(self.out, "{}", line(&self.signs).trim_end())
    }

    fn table(&mut self, place: Place, base: u64, prefix: &str) -> io::Result<()> {
        self.shown.insert((place.table, place.level));
        let words = self.image.words(place.table, self.target.entries(place))?;
        let groups = groups(self.target, place, &words.words);
        for (at, group) in groups.iter().enumerate() {
            let va = base.wrapping_add(self.target.offset(place, group.first));
            let is_last = at + 1 == groups.len();
            let goes_on = match group.entry {
                Entry::Table(below) => {
                    self.survey.has(below) && !self.shown.contains(&(below.table, below.level))
                }
                _ => false,
            };
            self.line(|signs| {
                let branch = if is_last { signs.corner } else { signs.tee };
                let index = match group.last {
                    last if last == group.first => format!("[{last}]"),
                    last => format!("[{}..{last}]", group.first),
                };
                let left = format!("{prefix}{branch}{index}");
                let word = paint(DIM, format!("{:016x}", group.word));
                let what = what(signs, group, goes_on);
                format!("{left:<ADDRESSES$}  {va:016x}  {word}  {what}")
            })?;
            if let (Entry::Table(below), true) = (&group.entry, goes_on) {
                let bar = if is_last { "   " } else { self.signs.bar };
                self.table(*below, va, &format!("{prefix}{bar}"))?;
            }
        }
        Ok(())
    }
}

/// The entries that are present, those together that make a run or are the same.
fn groups(target: &Target, place: Place, words: &[u64]) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for (index, &word) in words.iter().enumerate() {
        let Some(entry) = target.entry(place, index, word) else {
            continue;
        };
        let end = match entry {
            Entry::Page(page) => Some(page),
            _ => None,
        };
        match groups.last_mut() {
            Some(last) if last.last + 1 == index && last.goes_on_with(&entry, word) => {
                last.last = index;
                last.end = end;
            }
            _ => groups.push(Group {
                first: index,
                last: index,
                word,
                entry,
                end,
            }),
        }
    }
    groups
}

impl Group {
    fn goes_on_with(&self, entry: &Entry, word: u64) -> bool {
        match (entry, &self.end) {
            (Entry::Page(page), Some(last)) => page.follows(last),
            _ => word == self.word,
        }
    }
}

/// What entries say.
fn what(signs: &Signs, group: &Group, goes_on: bool) -> String {
    let count = 1 + group.last - group.first;
    match &group.entry {
        Entry::Reserved { bits: 0 } => paint(BAD, "reserved encoding"),
        Entry::Reserved { bits } => paint(BAD, format!("reserved bits {bits:#x}")),
        Entry::Table(below) => {
            let rest = if goes_on { "" } else { ", see there" };
            format!("level {} at {:#x}{rest}", below.level, below.table)
        }
        Entry::Page(page) => {
            let rights = format!("{} {}", page.rights.kernel, page.rights.user);
            let (rights, times) = (paint(colour(page.rights, page.cache), rights), signs.times);
            let size = bytes(page.size);
            format!("{rights} {count} {times} {size} at {:#x}", page.frame)
        }
    }
}
