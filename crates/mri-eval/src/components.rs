//! Connected pieces of a mask.

use ndarray::{Array2, ArrayView2};

/// The pixels (row, column) of each piece, 8-connected; pieces in the order of their first pixel, row by row.
pub(crate) fn components(mask: ArrayView2<'_, bool>) -> Vec<Vec<(usize, usize)>> {
    let mut seen = Array2::from_elem(mask.dim(), false);
    let mut pieces = Vec::new();
    for (start, selected) in mask.indexed_iter() {
        if !selected || seen[start] {
            continue;
        }
        seen[start] = true;
        let mut piece = vec![start];
        let mut next = 0;
        while let Some(&(row, column)) = piece.get(next) {
            next += 1;
            for neighbour_row in row.saturating_sub(1)..=row + 1 {
                for neighbour in (column.saturating_sub(1)..=column + 1).map(|c| (neighbour_row, c)) {
                    if mask.get(neighbour) == Some(&true) && !seen[neighbour] {
                        seen[neighbour] = true;
                        piece.push(neighbour);
                    }
                }
            }
        }
        pieces.push(piece);
    }
    pieces
}

/// The middle of a piece, rounded to a pixel.
pub(crate) fn centre(piece: &[(usize, usize)]) -> (usize, usize) {
    let mean = |of: fn(&(usize, usize)) -> usize| {
        let sum: usize = piece.iter().map(of).sum();
        (sum as f64 / piece.len().max(1) as f64).round() as usize
    };
    (mean(|at| at.0), mean(|at| at.1))
}

/// Row and column steps to every pixel whose distance lies above `from_px` and not above `to_px`.
pub(crate) fn ring(from_px: f64, to_px: f64) -> Vec<(isize, isize)> {
    let reach = to_px.max(0.0) as isize;
    let steps = (-reach..=reach).flat_map(|row| (-reach..=reach).map(move |column| (row, column)));
    steps
        .filter(|(row, column)| {
            let distance = ((row * row + column * column) as f64).sqrt();
            distance > from_px && distance <= to_px
        })
        .collect()
}

/// Row and column steps to every pixel not further than `radius_px`, the middle included.
pub(crate) fn disc(radius_px: f64) -> Vec<(isize, isize)> {
    ring(-1.0, radius_px)
}

/// The pixel that many steps away; it may lie outside of the image.
pub(crate) fn stepped((row, column): (usize, usize), (down, right): (isize, isize)) -> (usize, usize) {
    (row.wrapping_add_signed(down), column.wrapping_add_signed(right))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn pieces_touch_at_corners_too() {
        let mask = array![[1, 0, 0, 1], [0, 1, 0, 0], [0, 0, 0, 1]].mapv(|value| value == 1);
        let pieces = components(mask.view());
        assert_eq!(pieces, [vec![(0, 0), (1, 1)], vec![(0, 3)], vec![(2, 3)]]);
        assert_eq!(centre(&pieces[0]), (1, 1), "half a pixel is rounded up");
    }

    #[test]
    fn a_disc_and_its_ring_are_a_larger_disc() {
        assert_eq!((disc(0.0).len(), disc(1.0).len(), disc(1.5).len()), (1, 5, 9));
        assert_eq!(disc(2.0).len() + ring(2.0, 5.0).len(), disc(5.0).len());
    }
}
