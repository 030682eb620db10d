//! What the libraries may do for speed.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::Arithmetic;

static TF32: AtomicBool = AtomicBool::new(true);
static DETERMINISTIC: AtomicBool = AtomicBool::new(false);

pub(crate) fn set_arithmetic(arithmetic: Arithmetic) {
    TF32.store(arithmetic.tf32, Ordering::Relaxed);
    DETERMINISTIC.store(arithmetic.deterministic, Ordering::Relaxed);
    // Candle's own products of f32 matrices.
    candle_core::cuda_backend::set_gemm_reduced_precision_f32(arithmetic.tf32);
}

pub(super) fn arithmetic() -> Arithmetic {
    Arithmetic { tf32: TF32.load(Ordering::Relaxed), deterministic: DETERMINISTIC.load(Ordering::Relaxed) }
}
