//! How deep each pixel lies below the outline of the head.

/// The part of the way from air (-1) to the brightest pixels at which tissue begins.
const TISSUE_FROM: f32 = 0.1;
/// "The brightest": the level that this share of the pixels reaches.
const BRIGHTEST_SHARE: f64 = 0.02;

/// The distance of each pixel from the nearest one outside of the head, as a part of the radius of a disk of the
/// head's area; 0 outside. Row by row, as `pixels`, whose values are in [-1,1].
///
/// Outside is what can be reached from the border of the frame through air. Distances are counted in steps of 3 along
/// and 4 across (Borgefors 1986), within 6 % of the Euclidean.
pub(super) fn depth(pixels: &[f32], width: usize) -> Vec<f32> {
    let outside = outside(pixels, width);
    let area_px = outside.iter().filter(|&&outside| !outside).count();
    let radius_px = (area_px as f32 / std::f32::consts::PI).sqrt().max(1.);
    let steps = chamfer(&outside, width);
    steps.into_iter().map(|steps| steps as f32 / 3. / radius_px).collect()
}

fn outside(pixels: &[f32], width: usize) -> Vec<bool> {
    let mut sorted = pixels.to_vec();
    sorted.sort_unstable_by(f32::total_cmp);
    let brightest = sorted[((1. - BRIGHTEST_SHARE) * (sorted.len() - 1) as f64) as usize];
    let tissue = -1. + TISSUE_FROM * (brightest + 1.);
    let height = pixels.len() / width;
    let is_border = |i: usize| {
        let (row, column) = (i / width, i % width);
        row == 0 || column == 0 || row + 1 == height || column + 1 == width
    };
    let mut outside = vec![false; pixels.len()];
    let mut reached: Vec<usize> = (0..pixels.len()).filter(|&i| is_border(i)).collect();
    while let Some(i) = reached.pop() {
        if outside[i] || pixels[i] > tissue {
            continue;
        }
        outside[i] = true;
        let column = i % width;
        reached.extend((i >= width).then(|| i - width));
        reached.extend((i + width < pixels.len()).then(|| i + width));
        reached.extend((column > 0).then(|| i - 1));
        reached.extend((column + 1 < width).then(|| i + 1));
    }
    outside
}

fn chamfer(outside: &[bool], width: usize) -> Vec<u32> {
    let height = outside.len() / width;
    // Beyond the frame is outside: the first pixel of a head that touches the border is one step deep.
    let mut steps: Vec<u32> = outside.iter().map(|&outside| if outside { 0 } else { u32::MAX }).collect();
    let at = |steps: &[u32], row: isize, column: isize| {
        let inside = row >= 0 && column >= 0 && (row as usize) < height && (column as usize) < width;
        if inside { steps[row as usize * width + column as usize] } else { 0 }
    };
    let mut pass = |order: &mut dyn Iterator<Item = usize>, side: isize| {
        for i in order {
            let (row, column) = ((i / width) as isize, (i % width) as isize);
            let nearest = [(side, -1, 4), (side, 0, 3), (side, 1, 4), (0, side, 3)]
                .map(|(down, right, step)| at(&steps, row + down, column + right).saturating_add(step));
            steps[i] = nearest.into_iter().fold(steps[i], u32::min);
        }
    };
    pass(&mut (0..outside.len()), -1);
    pass(&mut (0..outside.len()).rev(), 1);
    steps
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_is_as_deep_as_its_radius_and_its_hole_belongs_to_it() {
        let (side, radius) = (64, 24.);
        let at = |i: usize| ((i / side) as f32 - 32.).hypot((i % side) as f32 - 32.);
        let pixels: Vec<f32> =
            (0..side * side).map(|i| if (6. ..radius).contains(&at(i)) { 0.4 } else { -1. }).collect();
        let depth = depth(&pixels, side);
        for (i, depth) in depth.into_iter().enumerate() {
            let expected = ((radius - at(i)) / radius).max(0.);
            assert!((depth - expected).abs() < 0.1, "{i}: {depth} and not {expected}");
        }
    }

    #[test]
    fn a_head_that_fills_the_frame_is_deepest_in_its_middle() {
        let depth = depth(&[0.5; 9 * 7], 7);
        let deepest = depth.iter().copied().fold(0., f32::max);
        assert_eq!(depth[4 * 7 + 3], deepest);
        assert!(depth.iter().all(|&depth| depth > 0.));
    }
}
