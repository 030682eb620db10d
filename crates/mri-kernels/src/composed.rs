//! Every operation composed from Candle's own: the reference, and the path of devices without a kernel of ours.

use candle_core::{Result, Tensor};

/// Placeholder signature set; see ARCHITECTURE.md.
pub fn conv2d(
    x: &Tensor,
    weight: &Tensor,
    bias: Option<&Tensor>,
    stride: usize,
    padding: usize,
) -> Result<Tensor> {
    let y = x.conv2d(weight, padding, stride, 1, 1)?;
    match bias {
        Some(b) => y.broadcast_add(&b.reshape((1, (), 1, 1))?),
        None => Ok(y),
    }
}

/// y
pub fn conv_transpose2d(
    x: &Tensor,
    weight: &Tensor,
    bias: Option<&Tensor>,
    stride: usize,
    padding: usize,
    output_padding: usize,
) -> Result<Tensor> {
    let y = x.conv_transpose2d(weight, padding, output_padding, stride, 1)?;
    match bias {
        Some(b) => y.broadcast_add(&b.reshape((1, (), 1, 1))?),
        None => Ok(y),
    }
}

/// y
pub fn instance_norm(x: &Tensor, affine: Option<(&Tensor, &Tensor)>, eps: f64) -> Result<Tensor> {
    let (n, c, h, w) = x.dims4()?;
    let x = x.reshape((n, c, h * w))?;
    let centered = x.broadcast_sub(&x.mean_keepdim(2)?)?;
    let var = centered.sqr()?.mean_keepdim(2)?;
    let y = centered.broadcast_div(&(var + eps)?.sqrt()?)?;
    let y = match affine {
        Some((gamma, beta)) => {
            y.broadcast_mul(&gamma.reshape((1, c, 1))?)?.broadcast_add(&beta.reshape((1, c, 1))?)?
        }
        None => y,
    };
    y.reshape((n, c, h, w))
}

/// max(x, 0) + slope * min(x, 0)
pub fn leaky_relu(x: &Tensor, slope: f64) -> Result<Tensor> {
    if slope == 0. { x.relu() } else { x.relu()? - (x.neg()?.relu()? * slope)? }
}

/// Reflection padding without repeating the border; `[left, right, top, bottom]`, each less than the side.
pub fn reflection_pad2d(x: &Tensor, pad: [usize; 4]) -> Result<Tensor> {
    let (_, _, h, w) = x.dims4()?;
    let index = |n: usize, before: usize, after: usize| -> Result<Tensor> {
        let i: Vec<u32> = (0..before + n + after)
            .map(|i| {
                let p = (i as i64 - before as i64).unsigned_abs() as usize;
                (if p < n { p } else { 2 * (n - 1) - p }) as u32
            })
            .collect();
        Tensor::new(i, x.device())
    };
    let [l, r, t, b] = pad;
    let x = if l + r > 0 { x.index_select(&index(w, l, r)?, 3)? } else { x.clone() };
    if t + b > 0 { x.index_select(&index(h, t, b)?, 2) } else { Ok(x) }
}

/// Inverted dropout by a counter-based generator: element i is kept where hash(key, i) >= p.
pub fn dropout(x: &Tensor, p: f64, key: u64) -> Result<Tensor> {
    let keep: Vec<f32> = (0..x.elem_count() as u64)
        .map(|i| {
            let mut z = key.wrapping_add(i.wrapping_mul(0x9E37_79B9_7F4A_7C15));
            z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            z ^= z >> 31;
            let u = (z >> 40) as f64 / (1u64 << 24) as f64;
            if u < p { 0. } else { (1. / (1. - p)) as f32 }
        })
        .collect();
    x.mul(&Tensor::from_vec(keep, x.shape(), x.device())?.to_dtype(x.dtype())?)
}

/// mean((x - target)^2)
pub fn mse(x: &Tensor, target: f64) -> Result<Tensor> {
    (x - target)?.sqr()?.mean_all()
}

/// mean(max(x,0) - x*target + ln(1 + exp(-|x|)))
pub fn bce_with_logits(x: &Tensor, target: f64) -> Result<Tensor> {
    ((x.relu()? - (x * target)?)? + (x.abs()?.neg()?.exp()? + 1.)?.log()?)?.mean_all()
}

/// mean(|a - b|)
pub fn l1(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    (a - b)?.abs()?.mean_all()
}
