//! The name somebody may have meant.

/// Names further away than this are not suggested.
const FURTHEST: usize = 3;
/// Longer words are nobody's typing mistake.
const LONGEST: usize = 40;

/// The name nearest to `word` by edits (Levenshtein), if it is near enough; the first of several.
pub(crate) fn nearest<'a>(word: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    if word.chars().count() > LONGEST {
        return None;
    }
    let word = word.to_lowercase();
    let reach = FURTHEST.min(word.chars().count().div_ceil(2));
    names
        .map(|name| (distance(&word, name), name))
        .filter(|(far, _)| *far <= reach)
        .min()
        .map(|(_, name)| name)
}

fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        for (cell, cb) in row.iter_mut().skip(1).zip(&b) {
            let replaced = diagonal + usize::from(ca != *cb);
            diagonal = *cell;
            left = replaced.min(diagonal + 1).min(left + 1);
            *cell = left;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_are_levenshtein_s() {
        for (a, b, far) in [("kitten", "sitting", 3), ("", "abc", 3), ("abc", "abc", 0), ("flaw", "lawn", 2)]
        {
            assert_eq!(distance(a, b), far, "{a} {b}");
        }
    }

    #[test]
    fn only_near_names_are_suggested() {
        assert_eq!(nearest("statsu", ["cost", "status"].into_iter()), Some("status"));
        assert_eq!(nearest("http", ["cost", "status"].into_iter()), None);
    }
}
