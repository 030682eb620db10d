use serde::Serialize;

/// Magnetic properties of one tissue at 1.5 T.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Relaxation {
    /// Longitudinal relaxation time, in ms.
    pub t1_ms: f32,
    /// Transverse relaxation time, in ms.
    pub t2_ms: f32,
    /// Transverse relaxation time with field inhomogeneity (T2*), in ms.
    pub t2_star_ms: f32,
    /// Proton density, 0 to 1 (CSF is 1).
    pub proton_density: f32,
}

const fn relaxation(t1_ms: f32, t2_ms: f32, t2_star_ms: f32, proton_density: f32) -> Relaxation {
    Relaxation { t1_ms, t2_ms, t2_star_ms, proton_density }
}

/// What a point of the phantom is made of. The discriminant is the value in label maps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum Tissue {
    /// Air around the head: no signal.
    Background = 0,
    /// Cerebrospinal fluid: ventricles, cisterns, sulci.
    Csf = 1,
    /// Cortical grey matter.
    GreyMatter = 2,
    /// White matter.
    WhiteMatter = 3,
    /// Subcutaneous fat of the scalp.
    Fat = 4,
    /// Temporalis muscle and the galea under the scalp.
    Muscle = 5,
    /// Skin.
    Skin = 6,
    /// Compact bone of the skull: no signal.
    Bone = 7,
    /// Marrow of the diploe between the two tables of the skull.
    Marrow = 8,
    /// Falx cerebri.
    Falx = 9,
    /// Blood of the superior sagittal sinus.
    Sinus = 10,
    /// Caudate nucleus and putamen.
    Striatum = 11,
    /// Thalamus.
    Thalamus = 12,
    /// Globus pallidus.
    Pallidum = 13,
    /// Demyelinated lesion of the white matter (multiple sclerosis or small-vessel disease).
    WhiteMatterLesion = 14,
    /// A larger lesion with much free water, as an old infarct or a low-grade tumour.
    FocalLesion = 15,
}

impl Tissue {
    /// All tissues in the order of their label values.
    pub const ALL: [Self; 16] = [
        Self::Background,
        Self::Csf,
        Self::GreyMatter,
        Self::WhiteMatter,
        Self::Fat,
        Self::Muscle,
        Self::Skin,
        Self::Bone,
        Self::Marrow,
        Self::Falx,
        Self::Sinus,
        Self::Striatum,
        Self::Thalamus,
        Self::Pallidum,
        Self::WhiteMatterLesion,
        Self::FocalLesion,
    ];

    /// The value that stands for this tissue in a label map.
    pub const fn label(self) -> u8 {
        self as u8
    }

    /// Whether this tissue is a lesion, so that a lesion mask holds it.
    pub const fn is_lesion(self) -> bool {
        matches!(self, Self::WhiteMatterLesion | Self::FocalLesion)
    }

    /// Relaxation times and proton density at 1.5 T: BrainWeb's where it has the tissue, else ours.
    ///
    /// CSF, grey and white matter, fat, muscle, skin (there "muscle/skin"), bone (no signal) and the white-matter lesion
    /// are from BrainWeb's table, the striatum being its grey matter. Ours, and not published, are the others: marrow
    /// (the times of white matter at a proton density of 0.4), the falx (the times of muscle at 0.5), thalamus and
    /// pallidum (grey matter crossed by fibres, between grey and white matter), the sinus (venous blood, whose signal
    /// partly flows away, as muscle) and the focal lesion (between the white-matter lesion and CSF, by hand).
    ///
    /// R. K.-S. Kwan, A. C. Evans, G. B. Pike: MRI simulation-based evaluation of image-processing and
    /// classification methods, IEEE Trans. Med. Imaging 18(11), 1999. D. L. Collins et al.: Design and
    /// construction of a realistic digital brain phantom, IEEE Trans. Med. Imaging 17(3), 1998.
    pub const fn relaxation(self) -> Relaxation {
        match self {
            Self::Background | Self::Bone => relaxation(0.0, 0.0, 0.0, 0.0),
            Self::Csf | Self::Skin => relaxation(2569.0, 329.0, 58.0, 1.0),
            Self::GreyMatter | Self::Striatum => relaxation(833.0, 83.0, 69.0, 0.86),
            Self::WhiteMatter => relaxation(500.0, 70.0, 61.0, 0.77),
            Self::Fat => relaxation(350.0, 70.0, 58.0, 1.0),
            Self::Muscle | Self::Sinus => relaxation(900.0, 47.0, 30.0, 1.0),
            Self::Marrow => relaxation(500.0, 70.0, 61.0, 0.4),
            Self::Falx => relaxation(900.0, 47.0, 30.0, 0.5),
            Self::Thalamus => relaxation(660.0, 76.0, 65.0, 0.82),
            Self::Pallidum => relaxation(590.0, 70.0, 58.0, 0.80),
            Self::WhiteMatterLesion => relaxation(752.0, 237.0, 204.0, 0.76),
            Self::FocalLesion => relaxation(1200.0, 220.0, 110.0, 0.88),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_label_of_a_tissue_is_its_place_in_the_list() {
        for (place, tissue) in Tissue::ALL.iter().enumerate() {
            assert_eq!(usize::from(tissue.label()), place, "{tissue:?}");
        }
    }

    #[test]
    fn free_precession_dephases_no_slower_than_the_spins_relax() {
        for tissue in Tissue::ALL {
            let r = tissue.relaxation();
            assert!(r.t2_star_ms <= r.t2_ms && r.t2_ms <= r.t1_ms, "{tissue:?}");
        }
    }
}
