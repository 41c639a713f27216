//! The words a simulator answers with. They begin by saying that no model was asked.

use exec_core::chat::Sampling;
use exec_core::{Chunk, Finish};

use super::rng::Rng;

/// How every answer begins. Each of the words is a token, so that even an answer of one token says what it is.
const OPENING: [&str; 10] =
    ["[simulator]", "no", "model", "was", "asked;", "these", "words", "are", "made", "up:"];

/// How an answer begins that goes on where the assistant's last turn stopped.
const CONTINUATION: [&str; 3] = [" [simulator]", "goes", "on:"];

/// Words of one to four bytes a character, so that whoever cuts bytes instead of characters is found out.
const WORDS: [&str; 40] = [
    "amber", "birch", "cedar", "delta", "ember", "fjord", "granite", "harbour", "island", "juniper",
    "kestrel", "lantern", "meadow", "north", "orchard", "pebble", "quartz", "river", "summit", "thistle",
    "umber", "valley", "willow", "yarrow", "zephyr", "and", "of", "the", "a", "with", "over", "near",
    "between", "under", "Straße", "naïve", "мост", "言葉", "숲", "🙂",
];

/// What was said and how it ended.
#[derive(Debug, PartialEq)]
pub(super) struct Said {
    /// A token each.
    pub(super) tokens: Vec<Chunk>,
    pub(super) finish: Finish,
    pub(super) stop_sequence: Option<String>,
}

/// Says `tokens` words, or fewer if `sampling` says so.
pub(super) fn say(rng: &mut Rng, tokens: u32, continues: bool, sampling: &Sampling) -> Said {
    let opening: &[&str] = if continues { &CONTINUATION } else { &OPENING };
    let (count, finish) = limit(tokens as usize, sampling.max_tokens);
    let mut words: Vec<String> = (0..count)
        .map(|at| match opening.get(at).or_else(|| rng.pick(&WORDS)) {
            Some(word) if at > 0 => format!(" {word}"),
            word => word.copied().unwrap_or_default().to_owned(),
        })
        .collect();
    let stop_sequence = stop_at(&mut words, &sampling.stop);
    let finish = if stop_sequence.is_some() { Finish::Stop } else { finish };
    Said { tokens: words.into_iter().map(Chunk::Text).collect(), finish, stop_sequence }
}

/// How many of `tokens` may be said, and how that ends.
pub(super) fn limit(tokens: usize, most: Option<u64>) -> (usize, Finish) {
    match most.and_then(|most| usize::try_from(most).ok()) {
        Some(most) if most < tokens => (most, Finish::Length),
        _ => (tokens, Finish::Stop),
    }
}

/// Cuts `words` before the first of the `stops` that occurs in them, and says which it was.
fn stop_at(words: &mut Vec<String>, stops: &[String]) -> Option<String> {
    let text = words.concat();
    let found =
        stops.iter().filter(|stop| !stop.is_empty()).filter_map(|stop| Some((text.find(stop)?, stop)));
    let (mut left, stop) = found.min()?;
    words.retain_mut(|word| {
        let kept = left.min(word.len());
        word.truncate(kept);
        left -= kept;
        kept > 0
    });
    Some(stop.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(tokens: u32, sampling: &Sampling) -> (String, Said) {
        let said = say(&mut Rng::of(&[1]), tokens, false, sampling);
        let text =
            said.tokens.iter().map(|c| if let Chunk::Text(t) = c { t.as_str() } else { "?" }).collect();
        (text, said)
    }

    #[test]
    fn it_says_what_it_is_and_is_as_long_as_told() {
        let (text, said) = with(40, &Sampling::default());
        assert!(text.starts_with("[simulator] no model was asked;"), "{text}");
        assert_eq!((said.tokens.len(), text.split(' ').count()), (40, 40));
        assert_eq!(with(1, &Sampling::default()).0, "[simulator]");
        assert_eq!(said.finish, Finish::Stop);
    }

    #[test]
    fn max_tokens_ends_it_for_its_length() {
        let (short, said) = with(40, &Sampling { max_tokens: Some(5), ..Sampling::default() });
        assert_eq!((said.tokens.len(), said.finish), (5, Finish::Length));
        assert!(with(40, &Sampling::default()).0.starts_with(&short));
        let exact = with(40, &Sampling { max_tokens: Some(40), ..Sampling::default() }).1;
        assert_eq!((exact.tokens.len(), exact.finish), (40, Finish::Stop));
        assert!(with(40, &Sampling { max_tokens: Some(0), ..Sampling::default() }).1.tokens.is_empty());
    }

    #[test]
    fn the_first_stop_sequence_ends_it_also_inside_a_token() {
        let stop = ["words", "asked; th", "nowhere", ""].map(str::to_owned).to_vec();
        let (text, said) = with(40, &Sampling { stop, ..Sampling::default() });
        assert_eq!(text, "[simulator] no model was ");
        assert_eq!((said.finish, said.stop_sequence.as_deref()), (Finish::Stop, Some("asked; th")));
    }

    #[test]
    fn long_answers_hold_characters_of_every_width() {
        let (text, _) = with(1_000, &Sampling::default());
        for width in 1..=4 {
            assert!(text.chars().any(|c| c.len_utf8() == width), "{width}");
        }
    }
}
