//! Whose call it is, and the key that makes of it: looked up without copying, copied when it is kept.

use std::borrow::Borrow;
use std::hash::{BuildHasher, Hash, Hasher, RandomState};
use std::sync::Arc;

use exec_core::{Context, Request};

use super::config::Per;

/// Whose call it is.
#[derive(Clone, Copy, Default)]
pub(super) struct Who<'a> {
    pub(super) tenant: Option<&'a Arc<str>>,
    pub(super) model: Option<&'a Arc<str>>,
    pub(super) provider: Option<&'a Arc<str>>,
}

impl<'a> Who<'a> {
    pub(super) fn of(request: &'a Request, context: &'a Context) -> Self {
        Self {
            tenant: context.tenant(),
            model: request.model.as_ref(),
            provider: request.options.provider.as_ref(),
        }
    }
}

/// The same for a call that is under way.
#[derive(Clone, Default)]
pub(super) struct Owner {
    tenant: Option<Arc<str>>,
    model: Option<Arc<str>>,
    provider: Option<Arc<str>>,
}

/// What of a caller the limits look at: only that is kept of one that is under way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Uses {
    tenant: bool,
    model: bool,
    provider: bool,
}

impl Uses {
    pub(super) fn of(kinds: &[Per]) -> Self {
        let any = |these: &[Per]| kinds.iter().any(|per| these.contains(per));
        Self {
            tenant: any(&[Per::Tenant, Per::TenantModel]),
            model: any(&[Per::Model, Per::TenantModel]),
            provider: any(&[Per::Provider]),
        }
    }
}

impl Owner {
    pub(super) fn of(who: Who<'_>, uses: Uses) -> Self {
        Self {
            tenant: who.tenant.filter(|_| uses.tenant).cloned(),
            model: who.model.filter(|_| uses.model).cloned(),
            provider: who.provider.filter(|_| uses.provider).cloned(),
        }
    }

    pub(super) fn who(&self) -> Who<'_> {
        Who { tenant: self.tenant.as_ref(), model: self.model.as_ref(), provider: self.provider.as_ref() }
    }
}

/// The key of one call among those of one kind, with its hash.
pub(super) struct Name<'a> {
    pub(super) hash: u64,
    first: Option<&'a Arc<str>>,
    second: Option<&'a Arc<str>>,
}

impl<'a> Name<'a> {
    /// Names come from callers, so the hash is keyed.
    pub(super) fn of(who: Who<'a>, per: Per, hasher: &RandomState) -> Self {
        let (first, second) = match per {
            // There is one key: nothing to tell apart.
            Per::Global => return Self { hash: 0, first: None, second: None },
            Per::Tenant => (who.tenant, None),
            Per::Model => (who.model, None),
            Per::Provider => (who.provider, None),
            Per::TenantModel => (who.tenant, who.model),
        };
        let mut state = hasher.build_hasher();
        state.write(first.map_or(&[], |part| part.as_bytes()));
        if let Some(part) = second {
            state.write_u8(0xff);
            state.write(part.as_bytes());
        }
        Self { hash: state.finish(), first, second }
    }

    pub(super) fn to_owned(&self) -> Key {
        Key { hash: self.hash, first: self.first.cloned(), second: self.second.cloned() }
    }

    pub(super) fn as_key(&self) -> &(dyn Named + 'a) {
        self
    }
}

/// A key that is kept.
pub(super) struct Key {
    hash: u64,
    first: Option<Arc<str>>,
    second: Option<Arc<str>>,
}

/// What a name that is looked up and a key that is kept have in common.
pub(super) trait Named {
    fn parts(&self) -> (u64, Option<&str>, Option<&str>);
}

impl Named for Name<'_> {
    fn parts(&self) -> (u64, Option<&str>, Option<&str>) {
        (self.hash, self.first.map(|part| &**part), self.second.map(|part| &**part))
    }
}

impl Named for Key {
    fn parts(&self) -> (u64, Option<&str>, Option<&str>) {
        (self.hash, self.first.as_deref(), self.second.as_deref())
    }
}

impl Hash for dyn Named + '_ {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.parts().0);
    }
}

impl PartialEq for dyn Named + '_ {
    fn eq(&self, other: &Self) -> bool {
        self.parts() == other.parts()
    }
}

impl Eq for dyn Named + '_ {}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.hash);
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.parts() == other.parts()
    }
}

impl Eq for Key {}

impl<'a> Borrow<dyn Named + 'a> for Key {
    fn borrow(&self) -> &(dyn Named + 'a) {
        self
    }
}

/// Hands on the hash a name has already.
#[derive(Default)]
pub(super) struct Known(u64);

impl Hasher for Known {
    fn write(&mut self, _: &[u8]) {}

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
