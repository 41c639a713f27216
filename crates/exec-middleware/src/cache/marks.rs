//! What was made wrong, and when: an answer whose reading began before that is never used again.
//!
//! Every mark gets the next number of one clock, and every read notes the clock before it asks. So a read that began
//! before a write can neither be kept after it nor, if it was kept, be found. Marks are bounded: the older ones are
//! replaced by one that covers everything before them, which can make more wrong than was asked for and never less.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use exec_core::Operation;

use crate::sync::{Mutex, lock};

/// Which answers are meant: a kind of them, of one tenant or of all.
///
/// ```
/// use exec_middleware::cache::Target;
/// use exec_core::Operation;
/// let listings = Target::operation(Operation::MODELS).of_tenant("acme");
/// let family = Target::pattern("chat:gpt-4*");
/// assert_ne!(listings, family);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Target {
    what: What,
    tenant: Option<Arc<str>>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum What {
    All,
    Operation(Operation),
    Tag(Arc<str>),
    Pattern(Arc<str>),
}

impl Target {
    /// Every answer.
    #[must_use]
    pub fn all() -> Self {
        Self { what: What::All, tenant: None }
    }

    /// The answers of one operation.
    #[must_use]
    pub fn operation(operation: Operation) -> Self {
        Self { what: What::Operation(operation), ..Self::all() }
    }

    /// The answers with this tag.
    #[must_use]
    pub fn tag(tag: impl Into<Arc<str>>) -> Self {
        Self { what: What::Tag(tag.into()), ..Self::all() }
    }

    /// The answers whose `operation:model` matches: `*` stands for any text, everything else for itself. Of a request
    /// without a model the part behind the colon is empty.
    #[must_use]
    pub fn pattern(pattern: impl Into<Arc<str>>) -> Self {
        Self { what: What::Pattern(pattern.into()), ..Self::all() }
    }

    /// Of these, the answers of one tenant. Those that everybody shares are nobody's.
    #[must_use]
    pub fn of_tenant(self, tenant: impl Into<Arc<str>>) -> Self {
        Self { tenant: Some(tenant.into()), ..self }
    }

    /// Whether an answer about `subject` is meant. For stores that look through what they hold.
    #[must_use]
    pub fn covers(&self, subject: &Subject) -> bool {
        let ours = self.tenant.is_none() || self.tenant == subject.tenant;
        ours && match &self.what {
            What::All => true,
            What::Operation(operation) => *operation == subject.operation,
            What::Tag(tag) => subject.tags.contains(tag),
            What::Pattern(pattern) => matches(pattern, &subject.label()),
        }
    }

    /// Whether it means everything there is.
    #[must_use]
    pub fn is_all(&self) -> bool {
        *self == Self::all()
    }

    fn is_pattern(&self) -> bool {
        matches!(self.what, What::Pattern(_))
    }
}

/// What an answer is about, by which it is found when it has become wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    /// Whose it is; `None` when everybody shares it.
    pub tenant: Option<Arc<str>>,
    /// The operation it answers.
    pub operation: Operation,
    /// The model that was asked for.
    pub model: Option<Arc<str>>,
    /// What the program calls it.
    pub tags: Vec<Arc<str>>,
}

impl Subject {
    fn label(&self) -> String {
        format!("{}:{}", self.operation, self.model.as_deref().unwrap_or_default())
    }

    /// Every target that means it, besides patterns.
    fn targets(&self) -> impl Iterator<Item = Target> {
        let whats = [What::All, What::Operation(self.operation.clone())]
            .into_iter()
            .chain(self.tags.iter().cloned().map(What::Tag));
        whats.flat_map(|what| {
            let everybody = Target { what: what.clone(), tenant: None };
            let own = self.tenant.clone().map(|tenant| Target { what, tenant: Some(tenant) });
            [Some(everybody), own].into_iter().flatten()
        })
    }
}

/// Whether `text` is `pattern` with any texts in the place of its stars. Linear in the text for each star.
fn matches(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = text.strip_prefix(parts.next().unwrap_or_default()) else { return false };
    let mut parts = parts.peekable();
    if parts.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    true
}

/// So many patterns are kept: each is tried on every answer that is older than it.
const PATTERNS: usize = 64;

/// The marks, at most so many.
pub(crate) struct Marks {
    /// The number of the newest mark.
    clock: AtomicU64,
    made: Mutex<Made>,
    most: usize,
}

#[derive(Default)]
struct Made {
    /// Everything up to here is wrong.
    floor: u64,
    exact: HashMap<Target, u64>,
    patterns: Vec<(Target, u64)>,
}

impl Marks {
    pub(crate) fn new(most: usize) -> Self {
        Self { clock: AtomicU64::new(1), made: Mutex::default(), most }
    }

    /// Now, for a read that begins.
    pub(crate) fn now(&self) -> u64 {
        self.clock.load(Ordering::SeqCst)
    }

    /// Makes everything wrong that `target` means and whose reading began before now.
    pub(crate) fn mark(&self, target: Target) {
        let mut made = lock(&self.made);
        let now = self.clock.fetch_add(1, Ordering::SeqCst) + 1;
        if target.is_pattern() {
            made.patterns.retain(|(known, _)| *known != target);
            made.patterns.push((target, now));
        } else {
            made.exact.insert(target, now);
        }
        made.bound(self.most);
    }

    /// Whether nothing has made wrong what was read from `born` on. Without a lock when there was no mark since.
    pub(crate) fn good(&self, born: u64, subject: &Subject) -> bool {
        if self.now() == born {
            return true;
        }
        let made = lock(&self.made);
        let since = |mark: u64| mark > born;
        !(since(made.floor)
            || subject.targets().any(|target| made.exact.get(&target).is_some_and(|mark| since(*mark)))
            || made.patterns.iter().any(|(target, mark)| since(*mark) && target.covers(subject)))
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        let made = lock(&self.made);
        made.exact.len() + made.patterns.len()
    }
}

impl Made {
    /// Replaces the older half of too many by the floor.
    fn bound(&mut self, most: usize) {
        if self.exact.len() > most {
            let mut ages: Vec<u64> = self.exact.values().copied().collect();
            let middle = ages.len() / 2;
            let floor = *ages.select_nth_unstable(middle).1;
            self.floor = self.floor.max(floor);
            self.exact.retain(|_, mark| *mark > floor);
        }
        if self.patterns.len() > PATTERNS {
            let (_, mark) = self.patterns.remove(0);
            self.floor = self.floor.max(mark);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn subject(tenant: Option<&str>, model: &str) -> Subject {
        Subject {
            tenant: tenant.map(Arc::from),
            operation: Operation::CHAT,
            model: Some(model.into()),
            tags: vec!["red".into()],
        }
    }

    #[test]
    fn a_mark_makes_wrong_what_it_means_and_nothing_else() {
        let (ours, shared) = (subject(Some("a"), "gpt-4o"), subject(None, "gpt-4o"));
        for (target, own, everybodys) in [
            (Target::all(), true, true),
            (Target::all().of_tenant("a"), true, false),
            (Target::all().of_tenant("b"), false, false),
            (Target::operation(Operation::CHAT), true, true),
            (Target::operation(Operation::EMBED), false, false),
            (Target::tag("red").of_tenant("a"), true, false),
            (Target::tag("blue"), false, false),
            (Target::pattern("chat:gpt-*"), true, true),
            (Target::pattern("chat:gpt-").of_tenant("a"), false, false),
        ] {
            let marks = Marks::new(10);
            let born = marks.now();
            marks.mark(target.clone());
            assert_eq!(
                (!marks.good(born, &ours), !marks.good(born, &shared)),
                (own, everybodys),
                "{target:?}"
            );
            assert_eq!((target.covers(&ours), target.covers(&shared)), (own, everybodys), "{target:?}");
            assert!(marks.good(marks.now(), &ours), "what is read afterwards is good");
        }
    }

    #[test]
    fn patterns_have_stars_and_nothing_else() {
        for (pattern, text, matched) in [
            ("a*", "abc", true),
            ("*c", "abc", true),
            ("a*c", "ac", true),
            ("a*b*c", "axxbyybc", true),
            ("ab*ba", "aba", false),
            ("a", "ab", false),
            ("*", "", true),
            ("", "a", false),
            ("a.c", "abc", false),
            ("*b*", "abc", true),
        ] {
            assert_eq!(matches(pattern, text), matched, "{pattern} {text}");
        }
    }

    proptest! {
        /// Against every mark that was ever made: what should be wrong is; with room for all, nothing else.
        #[test]
        fn bounded_marks_never_forget(most in 1_usize..8, steps in prop::collection::vec((0_u8..6, any::<bool>()), 1..60)) {
            let (few, all) = (Marks::new(most), Marks::new(1000));
            let mut read = Vec::new();
            for (n, mark) in steps {
                let subject = Subject { tags: vec![n.to_string().into()], ..subject(None, "m") };
                if mark {
                    few.mark(Target::tag(n.to_string()));
                    all.mark(Target::tag(n.to_string()));
                    let newest = few.now();
                    prop_assert!(few.good(newest, &subject));
                } else {
                    read.push((few.now(), all.now(), subject));
                }
                for (few_born, all_born, subject) in &read {
                    prop_assert!(!few.good(*few_born, subject) || all.good(*all_born, subject));
                }
                prop_assert!(few.len() <= most);
            }
        }
    }
}
