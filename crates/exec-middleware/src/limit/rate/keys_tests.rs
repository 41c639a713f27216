//! What holds for keys of several kinds together, and how many of them are remembered.

use std::sync::Arc;

use proptest::prelude::*;

use super::super::meter::Mode;
use super::*;

const WINDOW: Nanos = 1000;

fn scope(per: Per, rules: &[(Unit, u64)], keys: usize) -> Scope {
    let rule = |limit| Rule { limit, window: WINDOW, mode: Mode::Exact, burst: 0 };
    Scope::new(per, rules.iter().map(|(unit, limit)| (*unit, rule(*limit))).collect(), keys)
}

fn tenant(name: &str) -> Arc<str> {
    name.into()
}

fn who(tenant: &Arc<str>) -> Who<'_> {
    Who { tenant: Some(tenant), ..Who::default() }
}

fn ask(scopes: &[Scope], tenant: &Arc<str>, tokens: u64, now: Nanos) -> Result<Nanos, Denial> {
    let mut call = Call { who: who(tenant), charge: Charge { tokens, ..Charge::CALL }, now };
    match admit(scopes, &mut call) {
        None => Ok(call.now),
        Some(denial) => Err(denial),
    }
}

proptest! {
    /// Invariants 55 and 56: a denial charges nothing anywhere, and names the earliest time.
    #[test]
    fn all_or_nothing_and_the_exact_wait(
        limits in (1u64..6, 1u64..40, 1u64..9, 1u64..60),
        steps in prop::collection::vec((0u64..300, 0usize..3, 1u64..20), 1..80),
    ) {
        let (requests, tokens, all, all_tokens) = limits;
        let scopes = [
            scope(Per::Global, &[(Unit::Requests, all), (Unit::Tokens, all_tokens)], 10),
            scope(Per::Tenant, &[(Unit::Requests, requests), (Unit::Tokens, tokens)], 10),
        ];
        let tenants = ["a", "b", "c"].map(tenant);
        let left = |now| {
            let of = |unit| move |scope: &Scope, tenant| scope.left(who(tenant), unit, now);
            let (calls, words) = (of(Unit::Requests), of(Unit::Tokens));
            let all = scopes.iter().flat_map(|scope| tenants.iter().map(move |tenant| (scope, tenant)));
            all.map(|(scope, tenant)| (calls(scope, tenant), words(scope, tenant))).collect::<Vec<_>>()
        };
        let mut now = 0;
        for (step, index, amount) in steps {
            now += step;
            let before = left(now);
            match ask(&scopes, &tenants[index], amount, now) {
                Ok(_) => prop_assert_ne!(left(now), before),
                Err(Denial { why: Why::Never(..), .. }) => prop_assert!(amount > tokens || amount > all_tokens),
                Err(Denial { wait, .. }) => {
                    prop_assert_eq!(left(now), before);
                    let early = ask(&scopes, &tenants[index], amount, now + wait - 1);
                    prop_assert_eq!(early.map_err(|denial| denial.wait), Err(1));
                    prop_assert!(ask(&scopes, &tenants[index], amount, now + wait).is_ok());
                    now += wait;
                }
            }
        }
    }

    /// Invariant 59: a clock that goes backwards, stands still or jumps by years.
    #[test]
    fn a_clock_that_misbehaves_lets_nothing_more_through(
        limit in 1usize..10,
        steps in prop::collection::vec(prop_oneof![-2000i64..2000, Just(0), Just(i64::MAX), Just(i64::MIN)], 1..200),
    ) {
        let scopes = [scope(Per::Tenant, &[(Unit::Requests, limit as u64)], 10)];
        let (mut now, mut latest, mut admitted) = (0u64, 0, Vec::new());
        for step in steps {
            now = now.saturating_add_signed(step);
            latest = now.max(latest);
            if let Ok(at) = ask(&scopes, &tenant("a"), 0, now) {
                prop_assert_eq!(at, latest);
                admitted.push(at);
            }
        }
        let too_many = admitted.windows(limit + 1);
        prop_assert!(too_many.into_iter().all(|run| run[run.len() - 1] - run[0] >= WINDOW || run[0] > u64::MAX - WINDOW));
    }
}

/// Invariant 58.
#[test]
fn millions_of_keys_take_the_room_of_those_in_use() {
    let keys: u64 = if cfg!(debug_assertions) { 300_000 } else { 10_000_000 };
    let scopes = [scope(Per::Tenant, &[(Unit::Requests, 2)], 5000)];
    for n in 0..keys {
        ask(&scopes, &tenant(&n.to_string()), 0, n).unwrap();
        assert!(scopes[0].keys() <= 5000);
    }
    let shard = scopes[0].shards[0].lock().unwrap();
    assert!(shard.keys.capacity() <= 4 * 5000, "{}", shard.keys.capacity());
}

#[test]
fn a_key_in_use_is_never_forgotten_and_a_new_one_is_told_when_there_is_room() {
    let scopes = [scope(Per::Tenant, &[(Unit::Requests, 1)], 100)];
    for n in 0..100 {
        ask(&scopes, &tenant(&n.to_string()), 0, n).unwrap();
    }
    let full = ask(&scopes, &tenant("new"), 0, 150).unwrap_err();
    assert_eq!(full, Denial { wait: 850, per: Per::Tenant, why: Why::Keys });
    assert!(matches!(ask(&scopes, &tenant("7"), 0, 150).unwrap_err().why, Why::Spent(..)), "still counted");
    assert!(ask(&scopes, &tenant("new"), 0, 999).is_err());
    assert!(ask(&scopes, &tenant("new"), 0, 1000).is_ok());
    assert!(
        matches!(ask(&scopes, &tenant("1"), 0, 1000).unwrap_err().why, Why::Spent(..)),
        "only what was idle went"
    );
}

#[test]
fn a_key_that_owes_is_remembered_until_it_has_paid() {
    let scopes = [scope(Per::Tenant, &[(Unit::Tokens, 10)], 64)];
    let debtor = tenant("debtor");
    let at = ask(&scopes, &debtor, 1, 0).unwrap();
    // Its entry is gone when it is settled, and there is no room; what it owes is kept all the same.
    for n in 0..64 {
        ask(&scopes, &tenant(&n.to_string()), 1, 2000).unwrap();
    }
    let call = Call { who: who(&debtor), charge: Charge { tokens: 1, ..Charge::CALL }, now: at };
    scopes[0].settle(&call, &Charge { tokens: 31, ..Charge::CALL }, 2500);
    for n in 0..640 {
        let _full = ask(&scopes, &tenant(&n.to_string()), 1, 3000 + n);
    }
    assert_eq!(ask(&scopes, &debtor, 1, 3700).unwrap_err().wait, 2500 + 4 * WINDOW - 3700);
    assert!(ask(&scopes, &debtor, 1, 2500 + 4 * WINDOW).is_ok());
}
