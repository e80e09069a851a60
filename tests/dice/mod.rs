//! Random numbers that are the same every time.

use std::cell::Cell;
use std::rc::Rc;

/// xorshift64*, from a seed.
pub(crate) fn loaded(seed: u64) -> Rc<dyn Fn() -> u64> {
    // Of 0 nothing else would ever come.
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
