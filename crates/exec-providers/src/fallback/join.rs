//! Puts what one says after what another has said, without a word twice.
//!
//! What goes on from a text may repeat its end, or all of it. It is taken to repeat when it begins with the whole text,
//! or with an end of it, word for word, at least [`LEAST`] characters long, that is nowhere else in it and does not repeat
//! itself. Anything else may be meant: who counts "1, 1, 1" must be let.

/// A shorter repetition is taken to be meant.
const LEAST: usize = 16;

/// A longer end, unless it is the whole text, is not looked for. In bytes.
const MOST: usize = 512;

/// Joins one text to another as it comes.
#[derive(Debug)]
pub(super) struct Join {
    said: String,
    state: State,
}

#[derive(Debug)]
enum State {
    /// It should go on. Not yet known is whether it repeats; `whole` is whether it may still be the whole text again.
    Seeking { head: String, whole: bool },
    /// It should begin with what was said, of which so many bytes came.
    Repeating { seen: usize },
    /// All that follows is new.
    Through,
}

/// The text that should be said again is another.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Differs;

impl Join {
    /// For an answer that should go on from `said`, or rather from `said` without the white space at its end, because
    /// that is what a provider can be asked.
    pub(super) fn going_on(said: &str) -> Self {
        let whole = said.chars().nth(LEAST - 1).is_some();
        Self { said: said.to_owned(), state: State::Seeking { head: String::new(), whole } }
    }

    /// For an answer that should begin with `said`.
    pub(super) fn repeating(said: &str) -> Self {
        Self { said: said.to_owned(), state: State::Repeating { seen: 0 } }
    }

    /// The next piece; what of it and of those before is new, perhaps nothing yet.
    pub(super) fn push(&mut self, piece: &str) -> Result<String, Differs> {
        match &mut self.state {
            State::Through => return Ok(piece.to_owned()),
            State::Repeating { seen } => {
                let rest = &self.said[*seen..];
                if rest.len() > piece.len() {
                    *seen += piece.len();
                    return if rest.starts_with(piece) { Ok(String::new()) } else { Err(Differs) };
                }
                let new = piece.strip_prefix(rest).ok_or(Differs)?.to_owned();
                self.state = State::Through;
                return Ok(new);
            }
            State::Seeking { head, whole } => {
                if *whole && let Some(rest) = self.said.get(head.len()..) {
                    *whole = rest.starts_with(piece) || piece.starts_with(rest);
                }
                head.push_str(piece);
            }
        }
        Ok(self.decide(false))
    }

    /// Nothing more will come, or something that is no text comes: what was held back of the new text.
    pub(super) fn finish(&mut self) -> Result<String, Differs> {
        match &self.state {
            State::Seeking { .. } => Ok(self.decide(true)),
            State::Repeating { seen } if *seen < self.said.len() => Err(Differs),
            State::Repeating { .. } | State::Through => Ok(String::new()),
        }
    }

    /// What is new of the head, as soon as it is known or must be.
    fn decide(&mut self, last: bool) -> String {
        let State::Seeking { head, whole } = &self.state else { return String::new() };
        let new = match self.repeated(head, *whole, last) {
            Some(repeated) => head[repeated..].to_owned(),
            None => return String::new(),
        };
        self.state = State::Through;
        new
    }

    /// How many bytes of `head` were said before; `None` while that is not known.
    fn repeated(&self, head: &str, whole: bool, last: bool) -> Option<usize> {
        if whole && head.len() >= self.said.len() {
            return Some(self.said.len());
        }
        if whole && (!last || head.chars().nth(LEAST - 1).is_some()) {
            // At the end: everything that came was said before.
            return last.then_some(head.len());
        }
        let mut ends = self.ends();
        if !last && ends.clone().any(|end| end.len() > head.len() && end.starts_with(head)) {
            return None;
        }
        let last_words = ends.clone().last().unwrap_or_default();
        let once = |end: &&str| comes_once(end, &self.said) && comes_once(last_words, end);
        if let Some(end) = ends.find(|end| head.starts_with(end)).filter(once) {
            return Some(end.len());
        }
        let space = &self.said[self.said.trim_end().len()..];
        let same = space.chars().zip(head.chars()).take_while(|(a, b)| a == b);
        let same: usize = same.map(|(a, _)| a.len_utf8()).sum();
        (last || same < head.len() || same == space.len()).then_some(same)
    }

    /// The ends of what was said that count as repeated, the longest first.
    fn ends(&self) -> impl Iterator<Item = &str> + Clone {
        let said = self.said.as_str();
        let shortest = said.char_indices().rev().nth(LEAST - 1).map_or(0, |(at, _)| at);
        let from = said.len().saturating_sub(MOST);
        let long_enough = said.chars().nth(LEAST - 1).is_some();
        let starts = (from..=shortest).filter(move |at| long_enough && said.is_char_boundary(*at));
        starts.map(move |at| &said[at..])
    }
}

/// Whether `end`, with which `text` ends, is nowhere else in it.
fn comes_once(end: &str, text: &str) -> bool {
    text.find(end) == Some(text.len() - end.len())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What follows `said` when `more` comes in pieces of `size` characters.
    fn joined(mut join: Join, said: &str, more: &str, size: usize) -> Result<String, Differs> {
        let mut text = said.to_owned();
        let characters: Vec<char> = more.chars().collect();
        for piece in characters.chunks(size.max(1)) {
            text += &join.push(&piece.iter().collect::<String>())?;
        }
        text += &join.finish()?;
        Ok(text)
    }

    fn going_on(said: &str, more: &str) -> String {
        let all: Vec<String> =
            (1..40).map(|size| joined(Join::going_on(said), said, more, size).unwrap()).collect();
        assert!(all.windows(2).all(|pair| pair[0] == pair[1]), "how it is cut makes no difference: {all:?}");
        all[0].clone()
    }

    #[test]
    fn what_goes_on_goes_on() {
        assert_eq!(going_on("The Zugspitze is", " 2962 m high"), "The Zugspitze is 2962 m high");
        assert_eq!(going_on("1", "1 apples"), "11 apples");
        assert_eq!(going_on("very ", "very good"), "very very good");
    }

    #[test]
    fn white_space_that_could_not_be_asked_for_comes_once() {
        assert_eq!(going_on("one\n\n", "\n\ntwo"), "one\n\ntwo");
        assert_eq!(going_on("one\n", "\n\ntwo"), "one\n\ntwo");
        assert_eq!(going_on("one ", "two"), "one two");
        assert_eq!(going_on("one \n", " two"), "one \ntwo");
        assert_eq!(going_on("one ", " "), "one ");
    }

    #[test]
    fn what_is_said_again_is_left_out() {
        let text = "The Zugspitze is the highest mountain of Germany.";
        for at in LEAST..text.len() {
            let said = &text[..at];
            assert_eq!(going_on(said, text), text, "all again after {said:?}");
            for from in 0..=at.saturating_sub(LEAST) {
                assert_eq!(going_on(said, &text[from..]), text, "from {from} after {said:?}");
            }
        }
        assert_eq!(going_on(text, &text[..20]), text, "nothing new came");
    }

    #[test]
    fn a_text_that_repeats_itself_is_let() {
        let line = "row, row, row your boat, row, row, ";
        assert_eq!(going_on(line, "row, row, row away"), format!("{line}row, row, row away"));
        let rule = "-".repeat(40);
        assert_eq!(going_on(&format!("x{rule}"), &rule), format!("x{rule}{rule}"));
    }

    #[test]
    fn a_text_begun_anew_is_passed_over_until_it_is_new() {
        for size in 1..9 {
            let again = |more| joined(Join::repeating("one two"), "one two", more, size);
            assert_eq!(again("one two three").unwrap(), "one two three");
            assert_eq!(again("one two").unwrap(), "one two");
            assert_eq!(again("one to three"), Err(Differs));
            assert_eq!(again("one"), Err(Differs), "it ends too early");
        }
        assert_eq!(joined(Join::repeating(""), "", "all of it", 3).unwrap(), "all of it");
    }

    proptest! {
        /// Exact continuations are never touched, unless they say again what is nowhere else.
        #[test]
        fn nothing_is_lost_and_nothing_comes_twice(
            words in prop::collection::vec("[a-zé汉🦀 \n]{1,6}", 2..60),
            cut in 0usize..60,
            back in 0usize..40,
            size in 1usize..30,
        ) {
            // Every word has a number, as in prose no long piece comes twice.
            let words: Vec<String> = words.iter().enumerate().map(|(n, word)| format!("{word}{n}")).collect();
            let cut = cut % words.len();
            let (said, rest) = (words[..cut].concat(), words[cut..].concat());
            let whole = words.concat();
            // From the text without the white space at its end.
            let asked = said.trim_end();
            let exact = &whole[asked.len()..];
            prop_assert_eq!(joined(Join::going_on(&said), &said, exact, size).unwrap(), whole.clone());
            // From some way back, if it is far enough to be seen.
            let from = said.char_indices().rev().nth(LEAST - 1 + back).map(|(at, _)| at);
            if let Some(from) = from.filter(|from| said.len() - from <= MOST) {
                let again = format!("{}{rest}", &said[from..]);
                prop_assert_eq!(joined(Join::going_on(&said), &said, &again, size).unwrap(), whole.clone());
            }
            prop_assert_eq!(joined(Join::repeating(&said), &said, &whole, size).unwrap(), whole);
        }
    }
}
