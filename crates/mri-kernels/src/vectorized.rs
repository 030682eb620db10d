//! Vector instructions chosen at run time.

use pulp::{Arch, Simd, WithSimd};

/// Runs `f` compiled for the best vector instructions of this machine (AVX-512, AVX2, NEON or the baseline). The closure
/// and what it calls must be `#[inline(always)]` to be compiled so.
#[inline(always)]
pub(crate) fn vectorized<R>(f: impl FnMut() -> R) -> R {
    /// Not given to `dispatch` as a closure: by-value calls go through a shim that is not inlined.
    struct Run<F>(F);

    impl<R, F: FnMut() -> R> WithSimd for Run<F> {
        type Output = R;

        #[inline(always)]
        fn with_simd<S: Simd>(mut self, _: S) -> R {
            (self.0)()
        }
    }

    Arch::new().dispatch(Run(f))
}
