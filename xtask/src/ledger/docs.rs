//! Documentation comments, as the ledger quotes them.

/// A documentation comment's lines, in parts.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Doc {
    /// The first paragraph.
    pub first: String,
    /// The section `# Safety`.
    pub safety: String,
    /// The tests that `Exercised by` names.
    pub tests: Vec<String>,
}

/// Reads the lines of a documentation comment.
pub fn read<'a>(lines: impl IntoIterator<Item = &'a str>) -> Doc {
    let mut doc = Doc::default();
    let mut section = None;
    let mut first_is_over = false;
    for line in lines {
        let line = line.trim();
        if let Some(named) = line.strip_prefix("Exercised by ") {
            doc.tests
                .extend(named.split('`').skip(1).step_by(2).map(str::to_owned));
        } else if let Some(title) = line.strip_prefix("# ") {
            section = Some(title.to_owned());
        } else if section.as_deref() == Some("Safety") {
            append(&mut doc.safety, line);
        } else if section.is_none() && line.is_empty() {
            first_is_over = first_is_over || !doc.first.is_empty();
        } else if section.is_none() && !first_is_over {
            append(&mut doc.first, line);
        }
    }
    doc
}

/// The comment `// SAFETY:` right above line `line` (from 1) of a text.
pub fn safety_comment(text: &str, line: usize) -> String {
    let lines: Vec<&str> = text.lines().take(line.saturating_sub(1)).collect();
    let above = lines
        .iter()
        .rev()
        .take_while(|line| line.trim().starts_with("//"))
        .count();
    let mut reason = String::new();
    for line in &lines[lines.len() - above..] {
        let comment = line.trim().trim_start_matches('/').trim();
        match comment.strip_prefix("SAFETY:") {
            Some(start) => reason = plain(start.trim()),
            None if !reason.is_empty() => append(&mut reason, comment),
            None => {}
        }
    }
    reason
}

/// Adds a line of a paragraph, or an item of a list.
fn append(text: &mut String, line: &str) {
    if line.starts_with("- ") {
        text.push_str("\n  ");
    } else if !text.is_empty() && !line.is_empty() {
        text.push(' ');
    }
    text.push_str(&plain(line));
}

/// Links to items, which lead nowhere outside of rustdoc, as plain names.
fn plain(line: &str) -> String {
    let mut text = String::new();
    let mut rest = line;
    while let Some((before, name, after)) = link(rest) {
        text.push_str(before);
        text.push_str(name);
        rest = after;
    }
    text + rest
}

/// The text before the first link to an item, the link's name, and the text after it.
fn link(line: &str) -> Option<(&str, &str, &str)> {
    let start = line.find("[`")?;
    let end = start + line[start..].find("`]")?;
    let after = &line[end + 2..];
    let target = after
        .strip_prefix('(')
        .and_then(|rest| rest.find(')'))
        .map_or(0, |length| length + 2);
    Some((&line[..start], &line[start + 1..=end], &after[target..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comment_falls_into_parts() {
        let doc = read([
            " Reads a word,",
            " as [`Mmu::may_become`] and [`read`](TableMemory::read) say.",
            " Exercised by `conformance::reads` and `soft::reads`.",
            "",
            " More.",
            "",
            " # Safety",
            " It is ours:",
            " - to read,",
            " - to write.",
        ]);
        assert_eq!(
            doc.first,
            "Reads a word, as `Mmu::may_become` and `read` say."
        );
        assert_eq!(doc.safety, "It is ours:\n  - to read,\n  - to write.");
        assert_eq!(doc.tests, ["conformance::reads", "soft::reads"]);
    }

    #[test]
    fn a_safety_comment_is_the_one_right_above() {
        let text = "// SAFETY: old\n\nfn f() {\n    // SAFETY: the frame\n    // is ours\n    unsafe { g() }\n}\n";
        assert_eq!(safety_comment(text, 6), "the frame is ours");
        assert_eq!(safety_comment(text, 3), "");
    }
}
