//! How many rows a condition holds for, and what it costs to check it on a row.

use crate::condition::{Condition, Mode, Text};
use crate::cost::CostModel;
use crate::schema::{Field, Schema};
use crate::statistics::{FieldStatistics, Frequency, GUESS, Share, Statistics};

use crate::statistics::UNKNOWN_BYTES;

/// Of a page in SQLite.
const PAGE_BYTES: f64 = 4_096.0;
/// Of what is no prose, roughly.
const FIELD_BYTES: f64 = 8.0;
/// Characters of a piece that a trigram index can help with.
const TRIGRAM: usize = 3;

/// Whoever looks for a phrase mostly means one that is there: it is nearly as frequent as its rarest word.
const PHRASE: f64 = 0.15;
/// Of longer lists FTS5 reads the page around each entry of the shortest: about so many entries.
pub(crate) const READ_AROUND: f64 = 512.0;
/// The trigrams of a piece of text depend on each other, but less.
const PIECE: f64 = 0.5;

/// What is expected of one condition.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Expected {
    /// The share of rows it holds for.
    pub(crate) share: f64,
    /// The share may be so many times larger or smaller.
    pub(crate) doubt: f64,
    /// Nanoseconds to check it on a row, words by the program's function.
    pub(crate) row_cost: f64,
    /// Nanoseconds to check it on a row, words by asking the text index.
    pub(crate) probe_cost: f64,
    /// Words are looked for in it.
    pub(crate) has_words: bool,
    /// How many of its conditions nothing is known of.
    pub(crate) guesses: u32,
}

impl Expected {
    fn certain(share: f64) -> Self {
        Self { share, doubt: 1.0, row_cost: 0.0, probe_cost: 0.0, has_words: false, guesses: 0 }
    }

    fn plain(share: f64, doubt: f64, cost: f64) -> Self {
        Self { share, doubt, row_cost: cost, probe_cost: cost, has_words: false, guesses: guesses(doubt) }
    }
}

/// Estimates that are off by this much rest on nothing.
fn guesses(doubt: f64) -> u32 {
    u32::from(doubt >= GUESS)
}

/// What estimates are made from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Estimator<'a> {
    pub(crate) schema: &'a Schema,
    pub(crate) statistics: &'a Statistics,
    pub(crate) model: &'a CostModel,
}

impl Estimator<'_> {
    pub(crate) fn rows(&self) -> f64 {
        (self.statistics.rows() as f64).max(1.0)
    }

    /// Pages of the table, from what its rows hold.
    pub(crate) fn pages(&self) -> f64 {
        let prose = |field| self.statistics.field(field).map_or(UNKNOWN_BYTES, FieldStatistics::bytes);
        let bytes: f64 = self.schema.prose().map(prose).sum();
        let others = self.schema.fields().count() as f64 * FIELD_BYTES;
        (self.rows() * (bytes + others) / PAGE_BYTES).max(1.0)
    }

    pub(crate) fn estimate(&self, condition: &Condition) -> Expected {
        match condition {
            Condition::Always => Expected::certain(1.0),
            Condition::Never => Expected::certain(0.0),
            Condition::Within(field, spans) => {
                let share = match (spans.point_count(), self.statistics.field(*field)) {
                    // A key has one row, if it has any.
                    (Some(keys), _) if *field == Field::KEY => {
                        Share { of: (keys as f64 / self.rows()).min(1.0), doubt: 1.0 }
                    }
                    (_, Some(field)) => field.within(spans),
                    (_, None) => FieldStatistics::guess(spans),
                };
                // SQLite looks a value up in a list by halving it.
                let steps = (spans.spans().len() as f64).log2() + 1.0;
                Expected::plain(share.of, share.doubt, self.model.compare * steps)
            }
            Condition::Present(field) => {
                let share = self
                    .statistics
                    .field(*field)
                    .map_or_else(FieldStatistics::guess_present, FieldStatistics::present);
                Expected::plain(share.of, share.doubt, self.model.compare)
            }
            Condition::Text(text) => self.text(text),
            Condition::Not(inner) => {
                let inner = self.estimate(inner);
                Expected { share: (1.0 - inner.share).max(0.0), ..inner }
            }
            Condition::And(parts) => self.all(parts),
            Condition::Or(parts) => self.any(parts),
        }
    }

    fn all(&self, parts: &[Condition]) -> Expected {
        let mut all = Expected::certain(1.0);
        for part in parts.iter().map(|part| self.estimate(part)) {
            all.row_cost += part.row_cost * all.share;
            all.probe_cost += part.probe_cost * all.share;
            all.share *= part.share;
            all.doubt *= part.doubt;
            all.has_words |= part.has_words;
            all.guesses += part.guesses;
        }
        all
    }

    fn any(&self, parts: &[Condition]) -> Expected {
        let mut none = Expected::certain(1.0);
        for part in parts.iter().map(|part| self.estimate(part)) {
            none.row_cost += part.row_cost * none.share;
            none.probe_cost += part.probe_cost * none.share;
            none.share *= 1.0 - part.share;
            none.doubt = none.doubt.max(part.doubt);
            none.has_words |= part.has_words;
            none.guesses += part.guesses;
        }
        Expected { share: 1.0 - none.share, ..none }
    }

    /// The bytes of a row that it is looked for in.
    fn bytes(&self, text: &Text) -> f64 {
        let bytes = |field| self.statistics.field(field).map_or(UNKNOWN_BYTES, FieldStatistics::bytes);
        self.schema.scope(text.field).map(bytes).sum()
    }

    fn text(&self, text: &Text) -> Expected {
        let bytes = self.bytes(text);
        match text.mode {
            Mode::Words => {
                let found = self.words(text);
                Expected {
                    share: (found.rows / self.rows()).min(1.0),
                    doubt: found.doubt,
                    row_cost: self.model.check + bytes * self.model.check_byte,
                    probe_cost: self.model.probe,
                    has_words: true,
                    guesses: guesses(found.doubt),
                }
            }
            Mode::Substring => {
                let found = self.substring(text);
                let cost = bytes * self.model.substring_byte;
                Expected::plain((found.rows / self.rows()).min(1.0), found.doubt, cost)
            }
        }
    }

    /// How many rows hold the words, and how many entries of the text index have to be read for them.
    pub(crate) fn words(&self, text: &Text) -> Matches {
        let mut words = Vec::new();
        let terms = self.statistics.words();
        self.schema.tokenizer().each(&text.text, |word| {
            words.push(terms.estimate(word, self.rows()));
            true
        });
        self.together(&words, text, PHRASE)
    }

    /// The same for a piece of text, by its trigrams.
    pub(crate) fn substring(&self, text: &Text) -> Matches {
        // FTS5 folds more than this, but the frequent trigrams are mostly plain letters.
        let folded: Vec<char> = text.text.to_lowercase().chars().filter(|c| *c != '\0').collect();
        if folded.len() < TRIGRAM || self.schema.trigrams.is_none() {
            // Unknown: the longer, the rarer.
            let rows = self.rows() * 0.2_f64.powi(folded.len().min(4) as i32);
            return Matches { rows, entries: 0.0, doubt: GUESS };
        }
        let terms = self.statistics.trigrams();
        let all: Vec<_> = folded
            .windows(TRIGRAM)
            .map(|three| terms.estimate(three.iter().collect::<String>().as_bytes(), self.rows()))
            .collect();
        self.together(&all, text, PIECE)
    }

    /// Terms that all occur: between what chance would have it and what the rarest allows.
    fn together(&self, terms: &[Frequency], text: &Text, by_chance: f64) -> Matches {
        let least = terms.iter().map(|term| term.rows).fold(self.rows(), f64::min);
        let chance: f64 = terms.iter().map(|term| term.rows / self.rows()).product::<f64>() * self.rows();
        let rows = least * (chance / least).min(1.0).powf(by_chance);
        let entries = terms.iter().map(|term| term.rows.min(least * READ_AROUND)).sum();
        let doubt =
            terms.iter().map(|term| term.doubt).fold(1.0, f64::max) * (1.0 + (terms.len() as f64).ln());
        // One column of several holds most of what all of them hold.
        let fields = if text.field.is_some() { self.schema.prose().count().max(1) as f64 } else { 1.0 };
        Matches { rows: (rows / fields.sqrt()).max(0.1), entries, doubt }
    }
}

/// What a search in a text index finds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Matches {
    pub(crate) rows: f64,
    pub(crate) entries: f64,
    pub(crate) doubt: f64,
}
