//! The column matrix of a convolution: row (c, ky, kx), column (oy, ox) holds the input pixel under that tap.

use std::ops::Range;

use super::geometry::Geometry;
use crate::vectorized::vectorized;

/// Writes the columns of `channels` and output `rows` of one image (ci, h, w): row j of the matrix starts at
/// `columns[j * stride]`.
pub(crate) fn gather(
    g: &Geometry,
    image: &[f32],
    channels: Range<usize>,
    rows: Range<usize>,
    columns: &mut [f32],
    stride: usize,
) {
    vectorized(
        #[inline(always)]
        || {
            for (c, matrix_rows) in channels.clone().zip(columns.chunks_mut(g.taps() * stride)) {
                let plane = &image[c * g.area()..][..g.area()];
                for (tap, line) in matrix_rows.chunks_mut(stride).enumerate().take(g.taps()) {
                    gather_tap(g, plane, tap / g.kw, tap % g.kw, rows.clone(), line);
                }
            }
        },
    );
}

#[inline(always)]
fn gather_tap(g: &Geometry, plane: &[f32], ky: usize, kx: usize, rows: Range<usize>, line: &mut [f32]) {
    let inside = g.columns_inside(kx);
    for (oy, out) in rows.zip(line.chunks_exact_mut(g.ow)) {
        let Some(iy) = g.input_row(oy, ky) else {
            out.fill(0.);
            continue;
        };
        out[..inside.start].fill(0.);
        out[inside.end..].fill(0.);
        if inside.is_empty() {
            continue;
        }
        let first = inside.start * g.stride + kx - g.pad;
        let source = &plane[iy * g.w + first..(iy + 1) * g.w];
        let out = &mut out[inside.clone()];
        match g.stride {
            1 => out.copy_from_slice(&source[..out.len()]),
            2 => {
                let (last, most) = match out.split_last_mut() {
                    Some(parts) => parts,
                    None => continue,
                };
                for (o, pair) in most.iter_mut().zip(source.as_chunks::<2>().0) {
                    *o = pair[0];
                }
                *last = source[most.len() * 2];
            }
            s => out.iter_mut().zip(source.iter().step_by(s)).for_each(|(o, &v)| *o = v),
        }
    }
}

/// Floats of one channel's accumulation planes for `rows` input rows: each row is kept as `stride` lines, one for
/// each residue of the column, so that adding a tap is adding contiguous lines.
pub(crate) fn planes_len(g: &Geometry, rows: usize) -> usize {
    rows * g.stride * g.w.div_ceil(g.stride)
}

/// Adds columns (as `gather` lays them out) to the pixels that they were taken from: input rows `input_rows` of each
/// channel, in planes of `planes_len`.
pub(crate) fn scatter_add(
    g: &Geometry,
    columns: &[f32],
    stride: usize,
    rows: Range<usize>,
    planes: &mut [f32],
    input_rows: Range<usize>,
) {
    let plane_len = planes_len(g, input_rows.len());
    let line_len = g.w.div_ceil(g.stride);
    vectorized(
        #[inline(always)]
        || {
            for (plane, matrix_rows) in
                planes.chunks_exact_mut(plane_len).zip(columns.chunks(g.taps() * stride))
            {
                for (tap, line) in matrix_rows.chunks(stride).enumerate().take(g.taps()) {
                    let (ky, kx) = (tap / g.kw, tap % g.kw);
                    let inside = g.columns_inside(kx);
                    if inside.is_empty() {
                        continue;
                    }
                    let first = inside.start * g.stride + kx - g.pad;
                    let (residue, at) = (first % g.stride, first / g.stride);
                    for (oy, from) in rows.clone().zip(line.chunks_exact(g.ow)) {
                        let Some(iy) = g.input_row(oy, ky).filter(|iy| input_rows.contains(iy)) else {
                            continue;
                        };
                        let row = (iy - input_rows.start) * g.stride + residue;
                        let to = &mut plane[row * line_len + at..][..inside.len()];
                        to.iter_mut().zip(&from[inside.clone()]).for_each(|(t, f)| *t += f);
                    }
                }
            }
        },
    );
}

/// Writes one channel's accumulated planes as ordinary rows of w pixels, plus `bias`.
pub(crate) fn interleave(g: &Geometry, plane: &[f32], bias: f32, out: &mut [f32]) {
    let line_len = g.w.div_ceil(g.stride);
    vectorized(
        #[inline(always)]
        || {
            for (row, lines) in out.chunks_exact_mut(g.w).zip(plane.chunks_exact(g.stride * line_len)) {
                match g.stride {
                    1 => row.iter_mut().zip(lines).for_each(|(o, v)| *o = v + bias),
                    2 => {
                        let (even, odd) = lines.split_at(line_len);
                        let (pairs, rest) = row.as_chunks_mut::<2>();
                        for ((pair, e), o) in pairs.iter_mut().zip(even).zip(odd) {
                            *pair = [e + bias, o + bias];
                        }
                        if let [last] = rest {
                            *last = even[line_len - 1] + bias;
                        }
                    }
                    s => {
                        for (ix, o) in row.iter_mut().enumerate() {
                            *o = lines[ix % s * line_len + ix / s] + bias;
                        }
                    }
                }
            }
        },
    );
}
