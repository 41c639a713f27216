//! Words that must not be in any file: machine paths, hosts of package registries, notes to oneself.

use super::Problem;
use super::tree::Tree;

/// The word, and what is wrong with it. Written in two parts, so that this file passes its own rule.
const WORDS: &[(&str, &str)] = &[
    (concat!("/wo", "rk/"), "a path of one machine"),
    (concat!("TO", "DO"), "a note to oneself: do it, or open an issue"),
    (concat!("FIX", "ME"), "a note to oneself: do it, or open an issue"),
    (concat!("index.", "crates.io"), "the host of a registry"),
    (concat!("static.", "crates.io"), "the host of a registry"),
    (concat!("crates.io", "-index"), "the host of a registry"),
    (concat!("pypi", ".org"), "the host of a registry"),
    (concat!("files.python", "hosted.org"), "the host of a registry"),
    (concat!("registry.", "npmjs"), "the host of a registry"),
    (concat!("artifact", "ory"), "the host of a registry"),
];

pub(super) fn check(tree: &Tree) -> Vec<Problem> {
    tree.iter()
        .filter(|(path, _)| *path != "Cargo.lock")
        .flat_map(|(path, text)| of_file(path, text))
        .collect()
}

fn of_file(path: &str, text: &str) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (at, line) in text.lines().enumerate() {
        for (word, why) in WORDS.iter().filter(|(word, _)| has_word(line, word)) {
            problems.push(Problem::new(path, at + 1, format!("contains {word:?}: {why}")));
        }
    }
    problems
}

/// Whether `word` stands in the line by itself, not as a part of a longer word.
fn has_word(line: &str, word: &str) -> bool {
    let part = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back().is_some_and(part);
        let after = line[at + word.len()..].chars().next().is_some_and(part);
        let (first, last) = (word.starts_with(part), word.ends_with(part));
        !(first && before || last && after)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_is_found_with_its_line() {
        for (word, _) in WORDS {
            let text = format!("fine\nsee {word} there\n");
            let found = check(&Tree::of(&[("docs/a.md", &text)]));
            assert_eq!(found.len(), 1, "{word}");
            assert_eq!(found[0].line, 2);
        }
    }

    #[test]
    fn a_part_of_a_longer_word_and_the_lock_file_are_fine() {
        let text = format!("{}S and {}_LIST", WORDS[1].0, WORDS[1].0);
        assert!(check(&Tree::of(&[("a.md", &text)])).is_empty());
        assert!(check(&Tree::of(&[("Cargo.lock", WORDS[5].0)])).is_empty());
    }
}
