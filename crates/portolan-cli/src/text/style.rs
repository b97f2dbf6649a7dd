//! Colours and signs.

use anstyle::{AnsiColor, Style};
use portolan::{CachePolicy, PageProperty};

/// Columns that a line may fill.
pub const WIDTH: usize = 100;

/// Headings.
pub const TITLE: Style = Style::new().bold();
/// What is beside the point.
pub const DIM: Style = Style::new().dimmed();
/// As it had to be.
pub const GOOD: Style = AnsiColor::Green.on_default();
/// Not as it had to be.
pub const BAD: Style = AnsiColor::Red.on_default().bold();
/// A fault or an error, which is the right answer.
pub const FAULT: Style = AnsiColor::Yellow.on_default();
/// Plain.
pub const PLAIN: Style = Style::new();

/// The colour of a page: what may be done there.
pub fn of_page(prop: PageProperty) -> Style {
    let colour = match prop {
        PageProperty {
            cache: CachePolicy::Uncacheable,
            ..
        } => AnsiColor::Yellow,
        PageProperty { user: false, .. } => AnsiColor::Magenta,
        PageProperty { execute: true, .. } => AnsiColor::Green,
        PageProperty { write: true, .. } => AnsiColor::Blue,
        _ => AnsiColor::Cyan,
    };
    colour.on_default()
}

/// Text in a style.
pub fn paint(style: Style, text: impl std::fmt::Display) -> String {
    format!("{style}{text}{style:#}")
}

/// Text in a style and at least so wide.
pub fn padded(style: Style, text: &str, width: usize) -> String {
    format!("{style}{text:<width$}{style:#}")
}

/// Signs.
pub struct Signs {
    /// What an entry that is not the last hangs on.
    pub tee: &'static str,
    /// What the last entry hangs on.
    pub corner: &'static str,
    /// Beside what hangs on an entry that is not the last.
    pub bar: &'static str,
    /// Between a number and what there are so many of.
    pub times: &'static str,
    /// From a page to its frame.
    pub arrow: &'static str,
    /// Headings are underlined with it.
    pub rule: &'static str,
    /// A piece of the map.
    pub block: &'static str,
    /// A piece of the map where there is nothing.
    pub hole: &'static str,
    /// As it had to be.
    pub good: &'static str,
    /// Not as it had to be.
    pub bad: &'static str,
}

/// For terminals.
pub const DRAWN: Signs = Signs {
    tee: "├─",
    corner: "└─",
    bar: "│  ",
    times: "×",
    arrow: "→",
    rule: "─",
    block: "█",
    hole: "┊",
    good: "✓",
    bad: "✗",
};

/// For everything else.
pub const ASCII: Signs = Signs {
    tee: "|-",
    corner: "`-",
    bar: "|  ",
    times: "x",
    arrow: "->",
    rule: "-",
    block: "#",
    hole: ":",
    good: " ",
    bad: "!",
};
