//! The loss terms of a step: first on the device, then read.

use crate::{Error, Result};
use candle_core::{DType, Tensor};
use serde::{Deserialize, Serialize};

/// The loss terms of one step, unweighted.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Losses {
    /// Adversarial loss of the generator A to B.
    pub adversarial_ab: f32,
    /// Adversarial loss of the generator B to A.
    pub adversarial_ba: f32,
    /// Mean |A - cycled A|.
    pub cycle_a: f32,
    /// Mean |B - cycled B|.
    pub cycle_b: f32,
    /// Mean |G_ba(A) - A|, where its weight is not zero.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity_a: Option<f32>,
    /// Mean |G_ab(B) - B|, where its weight is not zero.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity_b: Option<f32>,
    /// Half the sum of the real and the fake loss of the discriminator of A.
    pub discriminator_a: f32,
    /// The same of B.
    pub discriminator_b: f32,
}

/// What a step computes, in the order in which it lies on the device. The sums are what the optimizers go by: they can
/// overflow where no term does.
const TERMS: [&str; 10] = [
    "adversarial_ab",
    "adversarial_ba",
    "cycle_a",
    "cycle_b",
    "weighted sum of the generators",
    "discriminator_a",
    "discriminator_b",
    "sum of the discriminators",
    "identity_a",
    "identity_b",
];

/// The loss terms of one step, still on the device: to read them is to wait until the device has done the step.
#[derive(Debug, Clone)]
#[must_use = "whether the step went well is known once its losses are read"]
pub struct PendingLosses {
    step: u64,
    /// Of [`TERMS`] all, or all but the identities.
    terms: Tensor,
}

impl PendingLosses {
    /// Detached scalars in the order of [`TERMS`], the identities where there are any.
    pub(crate) fn new(step: u64, terms: &[Tensor]) -> Result<Self> {
        Ok(Self { step, terms: Tensor::stack(terms, 0)?.to_dtype(DType::F32)? })
    }

    /// The losses.
    ///
    /// # Errors
    /// [`Error::NonFinite`] where one is infinite or not a number.
    pub fn read(self) -> Result<Losses> {
        Self::read_all(&[self])?.pop().unwrap_or_else(|| Err(Error::Data("a step without losses".into())))
    }

    /// The losses of several steps of one training, by one copy from the device; of each what [`PendingLosses::read`]
    /// gives.
    ///
    /// # Errors
    /// Those of the device.
    pub fn read_all(pending: &[Self]) -> Result<Vec<Result<Losses>>> {
        if pending.is_empty() {
            return Ok(Vec::new());
        }
        let terms: Vec<&Tensor> = pending.iter().map(|losses| &losses.terms).collect();
        let rows = Tensor::stack(&terms, 0)?.to_vec2::<f32>()?;
        Ok(pending.iter().zip(rows).map(|(losses, row)| checked(losses.step, &row)).collect())
    }
}

fn checked(step: u64, values: &[f32]) -> Result<Losses> {
    if let Some((&term, &value)) = TERMS.iter().zip(values).find(|(_, value)| !value.is_finite()) {
        return Err(Error::NonFinite { step, term, value });
    }
    let &[
        adversarial_ab,
        adversarial_ba,
        cycle_a,
        cycle_b,
        _,
        discriminator_a,
        discriminator_b,
        _,
        ref identities @ ..,
    ] = values
    else {
        return Err(Error::Data(format!("a step of {} loss terms", values.len())));
    };
    let (identity_a, identity_b) = (identities.first().copied(), identities.get(1).copied());
    Ok(Losses {
        adversarial_ab,
        adversarial_ba,
        cycle_a,
        cycle_b,
        identity_a,
        identity_b,
        discriminator_a,
        discriminator_b,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    fn pending(step: u64, terms: &[f32]) -> PendingLosses {
        let terms: Vec<_> = terms.iter().map(|&term| Tensor::new(term, &Device::Cpu).unwrap()).collect();
        PendingLosses::new(step, &terms).unwrap()
    }

    #[test]
    fn terms_come_back_under_their_names() {
        let losses = pending(1, &[1., 2., 3., 4., 50., 5., 6., 11., 7., 8.]).read().unwrap();
        assert_eq!(
            [losses.adversarial_ab, losses.adversarial_ba, losses.cycle_a, losses.cycle_b],
            [1., 2., 3., 4.]
        );
        assert_eq!([losses.discriminator_a, losses.discriminator_b], [5., 6.]);
        assert_eq!([losses.identity_a, losses.identity_b], [Some(7.), Some(8.)]);
        let without = pending(1, &[1., 2., 3., 4., 50., 5., 6., 11.]).read().unwrap();
        assert_eq!([without.identity_a, without.identity_b], [None, None]);
    }

    #[test]
    fn a_sum_that_overflows_is_named_too() {
        let steps = [
            pending(4, &[1., 2., 3., 4., 50., 5., 6., 11.]),
            pending(5, &[1., 2., 3., 4., f32::INFINITY, 5., 6., 11.]),
            pending(6, &[1., f32::NAN, 3., 4., f32::NAN, 5., 6., 11.]),
        ];
        let read = PendingLosses::read_all(&steps).unwrap();
        assert_eq!(read[0].as_ref().unwrap().cycle_b, 4.);
        let named = |result: &Result<Losses>| match result {
            Err(Error::NonFinite { step, term, .. }) => (*step, *term),
            other => panic!("{other:?}"),
        };
        assert_eq!(named(&read[1]), (5, "weighted sum of the generators"));
        assert_eq!(named(&read[2]), (6, "adversarial_ba"));
    }
}
