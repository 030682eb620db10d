//! The types that instructions name.

/// What stands behind the last dot of an instruction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Pred,
    B8,
    B16,
    B32,
    B64,
    U8,
    U16,
    U32,
    U64,
    S8,
    S16,
    S32,
    S64,
    F16,
    F16x2,
    Bf16,
    Bf16x2,
    F32,
    F64,
    E4m3x2,
    E5m2x2,
}

impl Kind {
    pub(super) fn parse(name: &str) -> Option<Kind> {
        Some(match name {
            "pred" => Kind::Pred,
            "b8" => Kind::B8,
            "b16" => Kind::B16,
            "b32" => Kind::B32,
            "b64" => Kind::B64,
            "u8" => Kind::U8,
            "u16" => Kind::U16,
            "u32" => Kind::U32,
            "u64" => Kind::U64,
            "s8" => Kind::S8,
            "s16" => Kind::S16,
            "s32" => Kind::S32,
            "s64" => Kind::S64,
            "f16" => Kind::F16,
            "f16x2" => Kind::F16x2,
            "bf16" => Kind::Bf16,
            "bf16x2" => Kind::Bf16x2,
            "f32" => Kind::F32,
            "f64" => Kind::F64,
            "e4m3x2" => Kind::E4m3x2,
            "e5m2x2" => Kind::E5m2x2,
            _ => return None,
        })
    }

    /// size in a register and in memory; a predicate counts as 8
    pub(super) fn bits(self) -> u32 {
        match self {
            Kind::Pred | Kind::B8 | Kind::U8 | Kind::S8 => 8,
            Kind::B16 | Kind::U16 | Kind::S16 | Kind::F16 | Kind::Bf16 | Kind::E4m3x2 | Kind::E5m2x2 => 16,
            Kind::B32 | Kind::U32 | Kind::S32 | Kind::F32 | Kind::F16x2 | Kind::Bf16x2 => 32,
            Kind::B64 | Kind::U64 | Kind::S64 | Kind::F64 => 64,
        }
    }

    pub(super) fn bytes(self) -> usize {
        self.bits() as usize / 8
    }

    pub(super) fn is_signed(self) -> bool {
        matches!(self, Kind::S8 | Kind::S16 | Kind::S32 | Kind::S64)
    }

    pub(super) fn is_float(self) -> bool {
        matches!(
            self,
            Kind::F16
                | Kind::F16x2
                | Kind::Bf16
                | Kind::Bf16x2
                | Kind::F32
                | Kind::F64
                | Kind::E4m3x2
                | Kind::E5m2x2
        )
    }
}
