//! Links to Rust items, which only rustdoc can resolve, become plain text; links to pages stay.

/// Markdown without links to Rust items. Code spans stay as they are.
pub(super) fn flatten(prose: &str) -> String {
    let kept: Vec<&str> = prose.lines().filter(|line| !defines_item(line)).collect();
    let text = kept.join("\n") + if prose.ends_with('\n') { "\n" } else { "" };
    let mut out = String::new();
    let mut rest = text.as_str();
    while let Some(at) = rest.find(['`', '[']) {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let (shown, length) = if rest.starts_with('`') { code_span(rest) } else { link(rest) };
        out.push_str(shown);
        rest = &rest[length..];
    }
    out + rest
}

/// A reference definition whose target is an item: ``[`Plan`]: crate::Plan``.
fn defines_item(line: &str) -> bool {
    let target = line.strip_prefix('[').and_then(|line| line.split_once("]: "));
    target.is_some_and(|(_, target)| is_item(target.trim()))
}

/// The code span that opens the text, whole; a lone tick stands for itself.
fn code_span(text: &str) -> (&str, usize) {
    let ticks = text.len() - text.trim_start_matches('`').len();
    let end = text[ticks..].find(&text[..ticks]).map_or(ticks, |at| at + 2 * ticks);
    (&text[..end], end)
}

/// What is shown for the bracket that opens the text, and how much text it stands for.
fn link(text: &str) -> (&str, usize) {
    let Some(close) = closing(text) else {
        return (&text[..1], 1);
    };
    let (label, after) = (&text[1..close], &text[close + 1..]);
    for (open, shut) in [('(', ')'), ('[', ']')] {
        let target = after.strip_prefix(open).and_then(|after| after.split_once(shut));
        if let Some((target, _)) = target {
            let whole = close + 1 + target.len() + 2;
            return if is_item(target) { (label, whole) } else { (&text[..whole], whole) };
        }
    }
    let code = label.strip_prefix('`').and_then(|label| label.strip_suffix('`'));
    let flat = code.map_or_else(|| label.contains("::") && is_item(label), is_item);
    if flat { (label, close + 1) } else { (&text[..1], 1) }
}

/// Where the bracket that opens the text is closed, code spans and inner brackets passed over.
fn closing(text: &str) -> Option<usize> {
    let (mut depth, mut at) = (0_usize, 0);
    while let Some(char) = text[at..].chars().next() {
        match char {
            '`' => at += code_span(&text[at..]).1,
            other => {
                depth = match other {
                    '[' => depth + 1,
                    ']' => depth - 1,
                    _ => depth,
                };
                if depth == 0 {
                    return Some(at);
                }
                at += other.len_utf8();
            }
        }
    }
    None
}

/// Whether a link target is a path to a Rust item, and no address, file or anchor.
fn is_item(target: &str) -> bool {
    let path = target.split_once('@').map_or(target, |(_, path)| path);
    let path = path.trim_end_matches("()").trim_end_matches('!');
    let part = |part: &str| {
        let part = part.split('<').next().unwrap_or(part);
        !part.is_empty() && part.chars().all(|c| c.is_alphanumeric() || c == '_')
    };
    !path.is_empty() && path.split("::").all(part)
}

#[cfg(test)]
mod tests {
    use super::flatten;

    #[test]
    fn links_to_items_become_text() {
        for (docs, page) in [
            ("see [`Plan`].", "see `Plan`."),
            ("see [`Plan`](crate::Plan), then", "see `Plan`, then"),
            ("see [the plan](struct@Plan) and", "see the plan and"),
            ("see [`Plan`][crate::Plan]", "see `Plan`"),
            ("see [crate::Plan]", "see crate::Plan"),
            ("[`run()`] and [`select!`]", "`run()` and `select!`"),
            ("a\n[`Plan`]: crate::Plan\nb\n", "a\nb\n"),
            ("[a plan over\ntwo lines](crate::Plan)", "a plan over\ntwo lines"),
        ] {
            assert_eq!(flatten(docs), page);
        }
    }

    #[test]
    fn other_links_and_code_stay() {
        for text in [
            "[book](https://example.com/a_(b))",
            "[file](docs/a.md) [up](../x.md) [here](#use)",
            "`[x]` and ``[`y`]`` and [ ] and [0, 1]",
            "[x]: https://example.com\n",
            "an open [ bracket and a lone ` tick",
        ] {
            assert_eq!(flatten(text), text);
        }
    }
}
