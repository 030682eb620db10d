//! Anatomical slices are the same whatever the order and direction of the axes in the file.

use mri_data::volume::{Affine, Orientation, SliceAxis, Volume};
use ndarray::{Array3, Axis};

/// Where each voxel of a grid of 3 x 4 x 5 voxels to the right, front and head lies, as one number.
fn value_at(ras_mm: [f64; 3]) -> f32 {
    let [right, front, head] = ras_mm.map(|mm| mm.round());
    (100.0 * right + 10.0 * front + head) as f32
}

fn stored(order: [usize; 3], reversed: [bool; 3]) -> Volume<()> {
    let lengths = [3, 4, 5];
    let shape = order.map(|toward| lengths[toward]);
    let mut rows = [[0.0; 4]; 3];
    for (storage, &toward) in order.iter().enumerate() {
        rows[toward][storage] = if reversed[storage] { -1.0 } else { 1.0 };
        rows[toward][3] = if reversed[storage] { (lengths[toward] - 1) as f64 } else { 0.0 };
    }
    let affine = Affine::from_rows(rows);
    let voxels =
        Array3::from_shape_fn(shape, |(i, j, k)| value_at(affine.ras_mm([i as f64, j as f64, k as f64])));
    Volume { voxels, affine, header: () }
}

fn all_48() -> impl Iterator<Item = Volume<()>> {
    let orders = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];
    orders
        .into_iter()
        .flat_map(|order| (0..8).map(move |bits| stored(order, [bits & 1 > 0, bits & 2 > 0, bits & 4 > 0])))
}

#[test]
fn the_48_orders_and_flips_give_the_same_slices() {
    // value = 100 right + 10 front + head, of 3 x 4 x 5 voxels
    let axial = Array3::from_shape_fn((5, 4, 3), |(s, r, c)| (100 * (2 - c) + 10 * (3 - r) + s) as f32);
    let coronal = Array3::from_shape_fn((4, 5, 3), |(s, r, c)| (100 * (2 - c) + 10 * s + (4 - r)) as f32);
    let sagittal =
        Array3::from_shape_fn((3, 5, 4), |(s, r, c)| (100 * (2 - s) + 10 * (3 - c) + (4 - r)) as f32);
    let mut seen = 0;
    for volume in all_48() {
        assert_eq!(volume.slices(SliceAxis::Axial), axial);
        assert_eq!(volume.slices(SliceAxis::Coronal), coronal);
        assert_eq!(volume.slices(SliceAxis::Sagittal), sagittal);
        seen += 1;
    }
    assert_eq!(seen, 48);
}

#[test]
fn what_is_written_into_the_slices_lies_where_it_was_read() {
    for mut volume in all_48() {
        let before = volume.voxels.clone();
        let slices = volume.slices(SliceAxis::Coronal).to_owned();
        volume.voxels.fill(-1.0);
        volume.slices_mut(SliceAxis::Coronal).assign(&slices);
        assert_eq!(volume.voxels, before);
    }
}

#[test]
fn an_oblique_volume_is_taken_by_its_nearest_axes() {
    let turned = |degrees: f64| {
        let (sin, cos) = degrees.to_radians().sin_cos();
        // About the left-right axis, as when the chin is lifted.
        Affine::from_rows([[1.0, 0.0, 0.0, 0.0], [0.0, cos, -sin, 0.0], [0.0, sin, cos, 0.0]])
    };
    let axial = |degrees| Orientation::of(&turned(degrees), SliceAxis::Axial).storage_axes();
    assert_eq!(axial(0.0), [2, 1, 0]);
    assert_eq!(axial(44.0), [2, 1, 0]);
    assert_eq!(axial(46.0), [1, 2, 0]);
    assert_eq!(axial(-44.0), [2, 1, 0]);
}

#[test]
fn slices_of_a_wide_voxel_are_not_resampled() {
    let affine = Affine::scaling([0.5, 0.5, 6.0]);
    let voxels = Array3::from_shape_fn((4, 6, 2), |(i, j, k)| (i + 10 * j + 100 * k) as f32);
    let volume = Volume { voxels, affine, header: () };
    assert_eq!(volume.affine.voxel_mm(), [0.5, 0.5, 6.0]);
    let axial = volume.slices(SliceAxis::Axial);
    assert_eq!(axial.shape(), [2, 6, 4]);
    let lowest = axial.index_axis(Axis(0), 0);
    assert_eq!((lowest[[0, 0]], lowest[[5, 3]]), (53.0, 0.0));
}
