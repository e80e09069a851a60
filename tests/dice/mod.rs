//! A deterministic random number generator.

use std::cell::Cell;
use std::rc::Rc;

/// xorshift64*, from a seed.
pub(crate) fn loaded(seed: u64) -> Rc<dyn Fn() -> u64> {
    // A state of 0 would only yield zeros.
    let state = Cell::new(seed | 1);
    Rc::new(move || {
        let mut x = state.get();
        x ^= x >> 12;
        x ^= x << 25;
        x ^= x >> 27;
        state.set(x);
        x.wrapping_mul(0x2545_F491_4F6C_DD1D)
    })
}
