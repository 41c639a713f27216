//! Words as the text index sees them: FTS5's `unicode61` and `porter`, reproduced so that a row can be checked without
//! asking the index, and both verdicts are the same.

mod fold;
mod letters;
mod phrase;
mod porter;

use serde::{Deserialize, Serialize};

pub use phrase::Phrase;

/// What becomes of diacritics: the option `remove_diacritics` of `unicode61`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Diacritics {
    /// `0`: é is not e.
    Keep,
    /// `1`, which is what FTS5 does unless told otherwise: letters with one diacritic lose it.
    #[default]
    RemoveSimple,
    /// `2`: letters with several lose them too.
    Remove,
}

/// The tokenizer of a text index. It must be the one that the FTS5 table was created with.
///
/// ```
/// use exec_query::Tokenizer;
/// let words = |tokenizer: Tokenizer| tokenizer.words("Crème brûlée, TIMED-out").join("|");
/// assert_eq!(words(Tokenizer::default()), "creme|brulee|timed|out");
/// assert_eq!(words(Tokenizer::porter()), "creme|brule|time|out");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Tokenizer {
    stem: bool,
    diacritics: Diacritics,
    /// Characters that part words although they are letters, and the other way round.
    exceptions: Vec<char>,
}

impl Tokenizer {
    /// `tokenize = 'unicode61'`, what FTS5 uses unless told otherwise.
    #[must_use]
    pub fn unicode61() -> Self {
        Self::default()
    }

    /// `tokenize = 'porter'`: `unicode61`, then English stems.
    #[must_use]
    pub fn porter() -> Self {
        Self { stem: true, ..Self::default() }
    }

    /// `remove_diacritics`.
    #[must_use]
    pub fn diacritics(self, diacritics: Diacritics) -> Self {
        Self { diacritics, ..self }
    }

    /// `tokenchars`: these are parts of words as well.
    #[must_use]
    pub fn token_chars(self, chars: &str) -> Self {
        self.except(chars, true)
    }

    /// `separators`: these part words.
    #[must_use]
    pub fn separators(self, chars: &str) -> Self {
        self.except(chars, false)
    }

    fn except(mut self, chars: &str, in_words: bool) -> Self {
        let differ = |c: &char| is_letter(*c) != in_words && !fold::is_mark(*c) && *c != '\0';
        self.exceptions.extend(chars.chars().filter(differ));
        self.exceptions.sort_unstable();
        self.exceptions.dedup();
        self
    }

    /// The words of a text, in order. O(n).
    #[must_use]
    pub fn words(&self, text: &str) -> Vec<String> {
        let mut words = Vec::new();
        self.each(text, |word| {
            // A stem may end inside a character; FTS5 then keeps the broken one, and so does `each`.
            words.push(std::str::from_utf8(word).unwrap_or_default().to_owned());
            true
        });
        words
    }

    /// Whether the text has a word at all.
    #[must_use]
    pub fn has_word(&self, text: &str) -> bool {
        text.chars().any(|c| self.starts(c))
    }

    /// Hands over each word in turn, until `take` has enough.
    pub(crate) fn each(&self, text: &str, mut take: impl FnMut(&[u8]) -> bool) {
        let mut word = Vec::with_capacity(32);
        let mut inside = false;
        for c in text.chars() {
            if self.starts(c) || (inside && fold::is_mark(c)) {
                inside = true;
                push(&mut word, c, self.diacritics);
            } else if inside {
                inside = false;
                if !self.finish(&mut word, &mut take) {
                    return;
                }
            }
        }
        if inside {
            self.finish(&mut word, &mut take);
        }
    }

    fn finish(&self, word: &mut Vec<u8>, take: &mut impl FnMut(&[u8]) -> bool) -> bool {
        if self.stem {
            porter::stem(word);
        }
        let more = take(word);
        word.clear();
        more
    }

    fn starts(&self, c: char) -> bool {
        is_letter(c) != (!self.exceptions.is_empty() && self.exceptions.binary_search(&c).is_ok())
    }
}

fn is_letter(c: char) -> bool {
    if c.is_ascii() { c.is_ascii_alphanumeric() } else { letters::is_letter(c) }
}

fn push(word: &mut Vec<u8>, c: char, diacritics: Diacritics) {
    if c.is_ascii() {
        word.push(c.to_ascii_lowercase() as u8);
    } else if let Some(c) = fold::fold(c, diacritics) {
        word.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
    }
}
