//! Signal equations of the two sequences, and the fixed grey scale of each contrast.

use serde::Serialize;

use super::tissue::{Relaxation, Tissue};

/// Spoiled gradient echo (FLASH, SPGR), the usual 3-D T1-weighted sequence.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct SpoiledGradientEcho {
    /// Repetition time, in ms.
    pub tr_ms: f32,
    /// Echo time, in ms.
    pub te_ms: f32,
    /// Flip angle, in degrees.
    pub flip_deg: f32,
}

/// Spin echo, T2-weighted at a late echo.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct SpinEcho {
    /// Repetition time, in ms.
    pub tr_ms: f32,
    /// Echo time, in ms.
    pub te_ms: f32,
}

/// BrainWeb's T1-weighted protocol: TR 18 ms, TE 10 ms, flip 30 degrees.
pub const BRAINWEB_T1W: SpoiledGradientEcho =
    SpoiledGradientEcho { tr_ms: 18.0, te_ms: 10.0, flip_deg: 30.0 };

/// BrainWeb's T2-weighted protocol: TR 3300 ms, late echo at 120 ms.
pub const BRAINWEB_T2W: SpinEcho = SpinEcho { tr_ms: 3300.0, te_ms: 120.0 };

/// Signal that is shown as white in every T1-weighted slice: somewhat above fat (0.119).
pub const T1W_WHITE: f32 = 0.122;

/// Signal that is shown as white in every T2-weighted slice: somewhat above CSF (0.502).
pub const T2W_WHITE: f32 = 0.54;

impl SpoiledGradientEcho {
    /// Steady-state signal for an equilibrium magnetization of 1 at unit proton density:
    /// `PD sin(a) (1 - E1) / (1 - E1 cos(a)) exp(-TE / T2*)` with `E1 = exp(-TR / T1)` (Ernst angle equation).
    pub fn signal(&self, tissue: Relaxation) -> f32 {
        if tissue.proton_density == 0.0 {
            return 0.0;
        }
        let (sin, cos) = self.flip_deg.to_radians().sin_cos();
        let e1 = (-self.tr_ms / tissue.t1_ms).exp();
        let recovered = sin * (1.0 - e1) / (1.0 - e1 * cos);
        tissue.proton_density * recovered * (-self.te_ms / tissue.t2_star_ms).exp()
    }
}

impl SpinEcho {
    /// Signal for TE much shorter than TR: `PD (1 - exp(-TR / T1)) exp(-TE / T2)`.
    pub fn signal(&self, tissue: Relaxation) -> f32 {
        if tissue.proton_density == 0.0 {
            return 0.0;
        }
        let recovered = 1.0 - (-self.tr_ms / tissue.t1_ms).exp();
        tissue.proton_density * recovered * (-self.te_ms / tissue.t2_ms).exp()
    }
}

/// Signals of all tissues in both contrasts as grey values, 0 for no signal and 1 for white, by label.
pub(crate) fn grey_values() -> [[f32; 2]; Tissue::ALL.len()] {
    Tissue::ALL.map(|tissue| {
        let r = tissue.relaxation();
        [BRAINWEB_T1W.signal(r) / T1W_WHITE, BRAINWEB_T2W.signal(r) / T2W_WHITE]
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    // By hand, for white matter (T1 500, T2 70, T2* 61, PD 0.77):
    //   E1 = exp(-18/500) = 0.964640; sin 30 = 0.5; cos 30 = 0.866025
    //   0.77 * 0.5 * 0.035360 / (1 - 0.964640 * 0.866025) * exp(-10/61) = 0.070208
    //   0.77 * (1 - exp(-6.6)) * exp(-120/70) = 0.138489
    // and for CSF (2569, 329, 58, 1): 0.020980 and 0.502177.
    #[test]
    fn the_equations_give_the_values_worked_by_hand() {
        for (tissue, t1w, t2w) in
            [(Tissue::WhiteMatter, 0.070_208, 0.138_489), (Tissue::Csf, 0.020_980, 0.502_177)]
        {
            let r = tissue.relaxation();
            assert!((BRAINWEB_T1W.signal(r) - t1w).abs() < 2e-5, "{tissue:?} {}", BRAINWEB_T1W.signal(r));
            assert!((BRAINWEB_T2W.signal(r) - t2w).abs() < 2e-4, "{tissue:?} {}", BRAINWEB_T2W.signal(r));
        }
    }

    #[test]
    fn a_right_angle_pulse_at_long_tr_excites_everything() {
        let sequence = SpoiledGradientEcho { tr_ms: 1e6, te_ms: 0.0, flip_deg: 90.0 };
        let signal = sequence.signal(Tissue::GreyMatter.relaxation());
        assert!((signal - 0.86).abs() < 1e-6);
    }

    #[test]
    fn the_contrasts_are_those_that_radiologists_know() {
        let grey = grey_values();
        let of = |tissue: Tissue, contrast: usize| grey[usize::from(tissue.label())][contrast];
        let descending = |tissues: &[Tissue], contrast| {
            assert!(tissues.windows(2).all(|w| of(w[0], contrast) > of(w[1], contrast)), "{tissues:?}");
        };
        use Tissue::*;
        descending(&[Fat, WhiteMatter, Thalamus, GreyMatter, Csf, Bone], 0);
        descending(&[Csf, FocalLesion, GreyMatter, Thalamus, WhiteMatter, Muscle, Bone], 1);
        descending(&[WhiteMatter, WhiteMatterLesion, FocalLesion, Csf], 0);
        assert!(grey.iter().flatten().all(|v| (0.0..1.0).contains(v)), "white leaves room for all tissues");
    }
}
