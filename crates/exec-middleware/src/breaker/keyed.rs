//! One breaker for each of many keys, and no more of them than allowed.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use exec_core::{Context, Middleware, Next, Request, Response, Result};

use super::{CircuitBreaker, State, Stats};
use crate::sync::lock;

/// How many keys are looked at for one that can go.
const LOOKS: usize = 64;

type Key = dyn Fn(&Request, &Context) -> Arc<str> + Send + Sync;

/// A breaker for each key: by default for each operation, or as [`by`](Self::by) says.
///
/// When there are as many keys as allowed, a new one takes the place of one that was not asked for lately and whose
/// breaker is closed, if such a one is found soon; else of any. Calls under way keep the breaker they have.
///
/// ```
/// use std::num::NonZeroUsize;
/// use exec_middleware::{BreakerConfig, Breakers, CircuitBreaker};
///
/// let breakers = Breakers::new(CircuitBreaker::new(BreakerConfig::rate()).unwrap(), NonZeroUsize::MIN);
/// breakers.get("gpt-4o").open();
/// assert!(breakers.get("gpt-4o").acquire().is_err());
/// ```
pub struct Breakers {
    like: CircuitBreaker,
    most: NonZeroUsize,
    key: Arc<Key>,
    all: Mutex<All>,
}

#[derive(Default)]
struct All {
    breakers: HashMap<Arc<str>, (CircuitBreaker, bool)>,
    /// The keys in the order in which they may have to go.
    order: VecDeque<Arc<str>>,
}

impl Breakers {
    /// Breakers like `like`, each with a state of its own, at most `most` at once.
    #[must_use]
    pub fn new(like: CircuitBreaker, most: NonZeroUsize) -> Self {
        let key = |request: &Request, _: &Context| Arc::from(request.operation.as_str());
        Self { like, most, key: Arc::new(key), all: Mutex::default() }
    }

    /// The same with the key that `key` says.
    #[must_use]
    pub fn by(mut self, key: impl Fn(&Request, &Context) -> Arc<str> + Send + Sync + 'static) -> Self {
        self.key = Arc::new(key);
        self
    }

    /// The breaker of `key`, made if there is none.
    #[must_use]
    pub fn get(&self, key: &str) -> CircuitBreaker {
        let mut all = lock(&self.all);
        if let Some((breaker, used)) = all.breakers.get_mut(key) {
            *used = true;
            return breaker.clone();
        }
        while all.breakers.len() >= self.most.get() {
            all.evict();
        }
        let (key, breaker) = (Arc::<str>::from(key), self.like.named(key));
        all.order.push_back(key.clone());
        all.breakers.insert(key, (breaker.clone(), false));
        breaker
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        lock(&self.all).breakers.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What each knows about itself, by key.
    #[must_use]
    pub fn stats(&self) -> Vec<(Arc<str>, Stats)> {
        let all: Vec<_> = lock(&self.all).breakers.values().map(|(breaker, _)| breaker.clone()).collect();
        let mut stats: Vec<_> = all.iter().map(|breaker| (breaker.name().clone(), breaker.stats())).collect();
        stats.sort_by(|one, other| one.0.cmp(&other.0));
        stats
    }
}

impl All {
    /// Takes one away: the first that nobody asked for since it was last looked at and that is closed.
    fn evict(&mut self) {
        for look in (0..LOOKS).rev() {
            let Some(key) = self.order.pop_front() else { return self.breakers.clear() };
            let spare = self.breakers.get_mut(&key).is_none_or(|(breaker, used)| {
                !std::mem::replace(used, false) && breaker.state() == State::Closed
            });
            if spare || look == 0 {
                self.breakers.remove(&key);
                return;
            }
            self.order.push_back(key);
        }
    }
}

#[async_trait]
impl Middleware for Breakers {
    async fn handle(&self, request: Request, context: &Context, next: Next<'_>) -> Result<Response> {
        let breaker = self.get(&(self.key)(&request, context));
        breaker.handle(request, context, next).await
    }

    fn name(&self) -> &'static str {
        "breakers"
    }
}

impl fmt::Debug for Breakers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Breakers({} of {})", self.len(), self.most)
    }
}
