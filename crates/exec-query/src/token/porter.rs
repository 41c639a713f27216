//! Porter's stemmer as FTS5 has it.
//!
//! M. F. Porter, "An algorithm for suffix stripping", Program 14 (1980), with the departures of SQLite's
//! `fts5_tokenize.c`: the index decides what a word's stem is, so its quirks are kept. It works on bytes; whatever is
//! not an ASCII vowel is a consonant.

/// Longer words, and shorter than three bytes, are their own stem.
const LONGEST: usize = 64;

/// When a suffix may go.
type Condition = fn(&[u8]) -> bool;
/// A suffix, what must hold for the rest, and what takes its place.
type Rule = (&'static str, Condition, &'static str);

const STEP_1B: &[Rule] = &[("eed", positive, "ee"), ("ed", has_vowel, ""), ("ing", has_vowel, "")];

const STEP_1B_AFTER: &[Rule] = &[("at", always, "ate"), ("bl", always, "ble"), ("iz", always, "ize")];

const STEP_2: &[Rule] = &[
    ("ational", positive, "ate"),
    ("tional", positive, "tion"),
    ("enci", positive, "ence"),
    ("anci", positive, "ance"),
    ("izer", positive, "ize"),
    ("logi", positive, "log"),
    ("bli", positive, "ble"),
    ("alli", positive, "al"),
    ("entli", positive, "ent"),
    ("eli", positive, "e"),
    ("ousli", positive, "ous"),
    ("ization", positive, "ize"),
    ("ation", positive, "ate"),
    ("ator", positive, "ate"),
    ("alism", positive, "al"),
    ("iveness", positive, "ive"),
    ("fulness", positive, "ful"),
    ("ousness", positive, "ous"),
    ("aliti", positive, "al"),
    ("iviti", positive, "ive"),
    ("biliti", positive, "ble"),
];

const STEP_3: &[Rule] = &[
    ("ical", positive, "ic"),
    ("ness", positive, ""),
    ("icate", positive, "ic"),
    ("iciti", positive, "ic"),
    ("ful", positive, ""),
    ("ative", positive, ""),
    ("alize", positive, "al"),
];

const STEP_4: &[Rule] = &[
    ("al", above_one, ""),
    ("ance", above_one, ""),
    ("ence", above_one, ""),
    ("er", above_one, ""),
    ("ic", above_one, ""),
    ("able", above_one, ""),
    ("ible", above_one, ""),
    ("ant", above_one, ""),
    ("ement", above_one, ""),
    ("ment", above_one, ""),
    ("ent", above_one, ""),
    ("ion", above_one_after_s_or_t, ""),
    ("ou", above_one, ""),
    ("ism", above_one, ""),
    ("ate", above_one, ""),
    ("iti", above_one, ""),
    ("ous", above_one, ""),
    ("ive", above_one, ""),
    ("ize", above_one, ""),
];

/// Replaces a word by its stem.
pub(super) fn stem(word: &mut Vec<u8>) {
    if !(3..=LONGEST).contains(&word.len()) {
        return;
    }
    plural(word);
    if matches!(apply(word, STEP_1B), Some("ed" | "ing")) && apply(word, STEP_1B_AFTER).is_none() {
        mend(word);
    }
    if let [rest @ .., b'y'] = word.as_slice()
        && has_vowel(rest)
    {
        word.pop();
        word.push(b'i');
    }
    apply(word, STEP_2);
    apply(word, STEP_3);
    apply(word, STEP_4);
    final_letter(word);
}

/// Applies the first rule whose suffix fits, if its condition holds; the suffix that went.
fn apply(word: &mut Vec<u8>, rules: &[Rule]) -> Option<&'static str> {
    let fits = |rule: &&Rule| word.len() > rule.0.len() && word.ends_with(rule.0.as_bytes());
    let (suffix, condition, instead) = rules.iter().find(fits)?;
    let rest = word.len() - suffix.len();
    if !word.get(..rest).is_some_and(condition) {
        return None;
    }
    word.truncate(rest);
    word.extend_from_slice(instead.as_bytes());
    Some(suffix)
}

/// Step 1a.
fn plural(word: &mut Vec<u8>) {
    let cut = match word.as_slice() {
        [_, .., b's', b's', b'e', b's'] | [.., _, b'i', b'e', b's'] => 2,
        [.., b'e', b's'] => 1,
        [.., last, b's'] if *last != b's' => 1,
        _ => 0,
    };
    word.truncate(word.len() - cut);
}

/// The end of step 1b: a doubled consonant is halved, a short word gets its `e` back.
fn mend(word: &mut Vec<u8>) {
    match word.as_slice() {
        [.., a, b] if a == b && !is_vowel(*b, false) && !matches!(b, b'l' | b's' | b'z') => {
            word.pop();
        }
        whole if is_one(whole) && ends_cvc(whole) => word.push(b'e'),
        _ => {}
    }
}

/// Steps 5a and 5b.
fn final_letter(word: &mut Vec<u8>) {
    if let [rest @ .., b'e'] = word.as_slice()
        && (above_one(rest) || (is_one(rest) && !ends_cvc(rest)))
    {
        word.pop();
    }
    if let [rest @ .., b'l'] = word.as_slice()
        && rest.ends_with(b"l")
        && above_one(rest)
    {
        word.pop();
    }
}

fn is_vowel(c: u8, y_counts: bool) -> bool {
    matches!(c, b'a' | b'e' | b'i' | b'o' | b'u') || (y_counts && c == b'y')
}

/// What follows the first run of vowels and the consonant behind it; `None` when there is no such run.
fn after_vc(word: &[u8], mut consonant: bool) -> Option<&[u8]> {
    let mut seen_vowel = false;
    for (at, c) in word.iter().enumerate() {
        consonant = !is_vowel(*c, consonant);
        match (seen_vowel, consonant) {
            (true, true) => return word.get(at + 1..),
            (false, false) => seen_vowel = true,
            _ => {}
        }
    }
    None
}

fn always(_: &[u8]) -> bool {
    true
}

/// m > 0
fn positive(word: &[u8]) -> bool {
    after_vc(word, false).is_some()
}

/// m > 1
fn above_one(word: &[u8]) -> bool {
    after_vc(word, false).is_some_and(|rest| after_vc(rest, true).is_some())
}

/// m = 1
fn is_one(word: &[u8]) -> bool {
    after_vc(word, false).is_some_and(|rest| after_vc(rest, true).is_none())
}

/// m > 1 and (*S or *T)
fn above_one_after_s_or_t(word: &[u8]) -> bool {
    matches!(word.last(), Some(b's' | b't')) && above_one(word)
}

/// *v*
fn has_vowel(word: &[u8]) -> bool {
    word.iter().enumerate().any(|(at, c)| is_vowel(*c, at > 0))
}

/// *o
fn ends_cvc(word: &[u8]) -> bool {
    if matches!(word.last(), None | Some(b'w' | b'x' | b'y')) {
        return false;
    }
    let mut consonant = false;
    let mut last_three = 0_u8;
    for c in word {
        consonant = !is_vowel(*c, consonant);
        last_three = (last_three << 1 | u8::from(consonant)) & 0b111;
    }
    last_three == 0b101
}
