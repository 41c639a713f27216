//! A phrase looked for in a text: its words, one after the other, whatever stands between them.

use super::Tokenizer;

/// The words of a phrase, ready to be looked for in many texts.
///
/// This is what a program registers as an SQL function, so that plans can check a row without asking the text index;
/// see [`Schema::check_function`](crate::SchemaBuilder::check_function). A phrase without words is in no text, as in
/// FTS5.
///
/// ```
/// use exec_query::{Phrase, Tokenizer};
/// let phrase = Phrase::new(&Tokenizer::default(), "time out");
/// assert!(phrase.is_in("The provider's call has run into a Time-Out."));
/// assert!(!phrase.is_in("out of time"));
/// ```
#[derive(Clone, Debug)]
pub struct Phrase {
    tokenizer: Tokenizer,
    words: Vec<Vec<u8>>,
    /// For each word, how many words of the phrase's beginning also end there (Knuth, Morris and Pratt).
    overlaps: Vec<usize>,
}

impl Phrase {
    /// Reads the words of a phrase. O(n).
    #[must_use]
    pub fn new(tokenizer: &Tokenizer, phrase: &str) -> Self {
        let mut words: Vec<Vec<u8>> = Vec::new();
        tokenizer.each(phrase, |word| {
            words.push(word.to_vec());
            true
        });
        let overlaps = overlaps(&words);
        Self { tokenizer: tokenizer.clone(), words, overlaps }
    }

    /// Whether the text holds the phrase. O(n), whatever the phrase; stops at the first find.
    #[must_use]
    pub fn is_in(&self, text: &str) -> bool {
        let mut matched = 0;
        let mut found = false;
        self.tokenizer.each(text, |word| {
            matched = self.step(matched, word);
            found = matched > 0 && matched == self.words.len();
            !found
        });
        found
    }

    /// How many words match after one more.
    fn step(&self, mut matched: usize, word: &[u8]) -> usize {
        loop {
            if self.words.get(matched).is_some_and(|wanted| wanted == word) {
                return matched + 1;
            }
            let Some(before) = matched.checked_sub(1) else { return 0 };
            matched = self.overlaps.get(before).copied().unwrap_or(0);
        }
    }
}

fn overlaps(words: &[Vec<u8>]) -> Vec<usize> {
    let mut overlaps: Vec<usize> = vec![0; words.len()];
    let mut length = 0;
    for at in 1..words.len() {
        while length > 0 && words.get(at) != words.get(length) {
            length = overlaps.get(length - 1).copied().unwrap_or(0);
        }
        if words.get(at) == words.get(length) {
            length += 1;
        }
        if let Some(place) = overlaps.get_mut(at) {
            *place = length;
        }
    }
    overlaps
}
