//! tmp
#[path = "cache/key.rs"]
mod key;
use std::time::Instant;
#[expect(clippy::disallowed_methods, reason = "a bench measures the clock on the wall")]
fn nanos(calls: usize, mut call: impl FnMut(usize)) -> f64 {
    let start = Instant::now();
    (0..calls).for_each(&mut call);
    start.elapsed().as_nanos() as f64 / calls as f64
}
fn main() {
    for b in [1024, 16 * 1024] {
        println!("{b} {} {:?}", key::body(b).len(), key::measure(101, b).unwrap());
    }
}
