//! Batches on their way to the device before they are needed.

use candle_core::{Device, Result, Tensor};

type Batch = Result<(Tensor, Tensor)>;

/// `batches`, which lie on the CPU, on `device`: in their order, errors among them. Each is sent off before the one ahead of
/// it is handed out, so that a GPU finds the next one there when it has done with that.
///
/// This happens on the caller's thread: what the device is told must come in one order.
pub fn upload_ahead(batches: impl Iterator<Item = Batch>, device: &Device) -> impl Iterator<Item = Batch> {
    let uploaded = batches.map(|batch| {
        let (a, b) = batch?;
        Ok((mri_kernels::upload(&a, device)?, mri_kernels::upload(&b, device)?))
    });
    let mut uploaded = uploaded.peekable();
    std::iter::from_fn(move || {
        let present = uploaded.next()?;
        uploaded.peek();
        Some(present)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    fn numbered(n: u32) -> Batch {
        let of = |value: u32| Tensor::new(value, &Device::Cpu);
        if n == 3 { candle_core::bail!("batch 3 is broken") } else { Ok((of(n)?, of(n + 100)?)) }
    }

    fn named(batch: Batch) -> std::result::Result<(u32, u32), String> {
        let (a, b) = batch.map_err(|error| error.to_string())?;
        Ok((a.to_scalar().unwrap(), b.to_scalar().unwrap()))
    }

    #[test]
    fn order_number_and_errors_are_kept() {
        let seen: Vec<_> = upload_ahead((0..5).map(numbered), &Device::Cpu).map(named).collect();
        let [Ok(zero), Ok(one), Ok(two), Err(broken), Ok(four)] = &seen[..] else { panic!("{seen:?}") };
        assert_eq!([zero, one, two, four], [&(0, 100), &(1, 101), &(2, 102), &(4, 104)]);
        assert!(broken.contains("batch 3 is broken"), "{broken}");
        assert_eq!(upload_ahead((0..0).map(numbered), &Device::Cpu).count(), 0);
    }

    #[test]
    fn the_next_is_on_its_way_and_no_other() {
        let asked_for = Cell::new(0);
        let counted = (0..5).inspect(|_| asked_for.set(asked_for.get() + 1)).map(numbered);
        let mut batches = upload_ahead(counted, &Device::Cpu);
        assert_eq!(asked_for.get(), 0);
        for ahead in [2, 3, 4] {
            batches.next().unwrap().unwrap();
            assert_eq!(asked_for.get(), ahead);
        }
    }
}
