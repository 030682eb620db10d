//! The measures of lesions and tissues on the phantom, with outputs whose fault is known.

use super::*;
use mri_data::image::read_image;
use mri_data::phantom::{DatasetOptions, Existing, Lesions, write_dataset};
use mri_eval::lesions::LesionReport;

/// The same two test subjects, eight slices each, in `ill/` with lesions and in `healthy/` without.
fn phantoms() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, lesions) in [("ill", Lesions::Test), ("healthy", Lesions::Absent)] {
        let options = DatasetOptions {
            train_subjects: 1,
            validation_subjects: 0,
            test_subjects: 2,
            lesions,
            ..Default::default()
        };
        write_dataset(&folder.path().join(name), &options, Existing::Refuse).unwrap();
    }
    folder
}

fn evaluated(folder: &Path, output: impl Fn(&PairedSlice, usize) -> Array2<f32>) -> Evaluation {
    let pairs = Pairs::list(&folder.join("ill/test/pairs.csv"), ["t1", "t2"]).unwrap();
    let translate = |slice: &PairedSlice, to: usize| Ok(Estimate { mean: output(slice, to), sd: None });
    evaluate_with(["t1", "t2"], &DataSettings::for_tests(), translate, &pairs, None, folder).unwrap()
}

fn lesions(evaluation: &Evaluation) -> [&LesionReport; 2] {
    [0, 1].map(|direction| evaluation.report.directions[direction].lesions.as_ref().unwrap())
}

fn truth(slice: &PairedSlice, to: usize) -> Array2<f32> {
    slice.images[to].pixels.clone()
}

/// The healthy images of both domains by the noise of their first row, which lesions do not touch.
fn healthy(folder: &Path) -> Vec<[Array2<f32>; 2]> {
    let files = std::fs::read_dir(folder.join("healthy/test/t1")).unwrap();
    let names = files.map(|file| file.unwrap().file_name());
    let read = |name: &std::ffi::OsStr, contrast: &str| {
        read_image(&folder.join("healthy/test").join(contrast).join(name)).unwrap().pixels
    };
    names.map(|name| [read(&name, "t1"), read(&name, "t2")]).collect()
}

#[test]
fn the_truth_passes_and_copying_has_every_sign_wrong() {
    let folder = phantoms();
    let exact = evaluated(folder.path(), truth);
    for report in lesions(&exact) {
        assert!(report.judged >= 8 && report.unclear == 0, "{} {}", report.judged, report.unclear);
        assert_eq!((report.model.contrast_kept, report.model.erased.count), (Some(1.0), 0));
        assert_eq!((report.model.sign_kept.share(), report.model.invented), (Some(1.0), Some(0)));
        let copied = report.baselines.copy.as_ref().unwrap();
        assert_eq!(copied.sign_kept.count, 0, "lesions are dark in T1 and bright in T2");
    }
    for direction in &exact.report.directions {
        let tissues = direction.tissues.as_ref().unwrap();
        assert_eq!(tissues.model, tissues.ceiling);
        assert!(tissues.model.mean().unwrap() > 0.85, "{tissues:?}");
        assert!(tissues.baselines.copy.unwrap().mean().unwrap() < 0.4);
    }
}

#[test]
fn twice_the_noise_neither_invents_nor_erases() {
    let folder = phantoms();
    let noise = |r: usize, c: usize| ((r * 7919 + c * 104_729 + r * c * 31) % 256) as f32 / 127.5 - 1.0;
    // White matter in T1 and fluid in T2 are 147 and 237 of 255, of which 1 % is the noise of the phantom.
    let noisy = evaluated(folder.path(), |slice, to| {
        let sd = [1.47, 2.37][to];
        let mut output = truth(slice, to);
        output.indexed_iter_mut().for_each(|((r, c), value)| *value += sd * 3_f32.sqrt() * noise(r, c));
        output
    });
    for report in lesions(&noisy) {
        assert_eq!((report.model.invented, report.model.erased.count), (Some(0), 0));
        assert_eq!(report.model.sign_kept.count, report.judged);
    }
}

#[test]
fn the_healthy_twin_has_the_lesions_erased() {
    let folder = phantoms();
    let healthy = healthy(folder.path());
    let healed = evaluated(folder.path(), |slice, to| {
        let is_twin = |twin: &&[Array2<f32>; 2]| twin[to].row(0) == slice.images[to].pixels.row(0);
        healthy.iter().find(is_twin).unwrap()[to].clone()
    });
    for report in lesions(&healed) {
        assert!(report.model.erased.share().unwrap() > 0.8, "{:?}", report.each);
        assert!(report.model.contrast_kept.unwrap().abs() < 0.15, "{:?}", report.model);
        assert_eq!(report.model.invented, Some(0), "a lesion that is gone is no invention");
    }
}

#[test]
fn spots_painted_where_lesions_would_lie_on_the_other_side_are_found() {
    let folder = phantoms();
    let exact = evaluated(folder.path(), truth);
    let of_t2 = lesions(&exact)[0];
    let slices: Vec<_> =
        of_t2.each.iter().map(|lesion| folder.path().join("ill/test").join(&lesion.case)).collect();
    let slices: Vec<_> = slices.iter().map(|path| read_image(path).unwrap().pixels).collect();
    let painted = evaluated(folder.path(), |slice, to| {
        let mut output = truth(slice, to);
        for (lesion, t1) in of_t2.each.iter().zip(&slices).filter(|(_, t1)| **t1 == slice.images[0].pixels) {
            let (row, column) = (lesion.row as isize, t1.ncols() as isize - 1 - lesion.column as isize);
            for ((r, c), value) in output.indexed_iter_mut() {
                let distance = (r as isize - row).pow(2) + (c as isize - column).pow(2);
                *value += if distance <= 4 { [-20.0, 100.0][to] } else { 0.0 };
            }
        }
        output
    });
    let found = lesions(&painted)[0].model.invented.unwrap();
    assert!(3 * found >= 2 * of_t2.judged, "{found} of {}", of_t2.judged);

    let page = crate::evaluation_page::page(&painted).unwrap();
    assert_eq!(page.matches("alt=\"lesions\"").count(), 2, "a picture a direction");
    assert!(page.contains("<h2>Lesions</h2>") && page.contains("<h2>Tissues</h2>"));
}
