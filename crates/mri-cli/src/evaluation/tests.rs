use super::*;
use crate::training_data::Unpaired;
use mri_data::image::{Image, write_image};
use ndarray::Array2;

fn image(values: impl Fn(usize, usize) -> f32, depth: BitDepth) -> Image {
    Image { pixels: Array2::from_shape_fn((24, 24), |(row, column)| values(row, column)), depth }
}

/// Heads of 8 bits in t1, their negatives of 8 or 16 bits in t2, one that cannot be translated and a CSV of `lines`.
fn folder_with(depth: BitDepth, lines: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let scale = depth.max_value() / 255.0;
    let save = |name: &str, image: &Image| write_image(&folder.path().join(name), image).unwrap();
    for name in ["a", "b"] {
        let t1 = image(|row, column| (row * 7 + column * 3) as f32, BitDepth::Eight);
        let t2 = image(|row, column| (255.0 - (row * 7 + column * 3) as f32) * scale, depth);
        save(&format!("{name}1.png"), &t1);
        save(&format!("{name}2.png"), &t2);
    }
    save("odd.png", &image(|row, column| 9.0 + (row + column) as f32, BitDepth::Eight));
    std::fs::write(folder.path().join("pairs.csv"), format!("t1,t2\n{lines}")).unwrap();
    folder
}

/// The negative, a little off: 0.4 grey levels are lost when the file is written.
fn negative(slice: &PairedSlice, to: usize) -> Result<Image> {
    let image = &slice.images[1 - to];
    ensure!(image.pixels[[0, 0]] != 9.0, "an odd image");
    let max = image.depth.max_value();
    Ok(Image { pixels: image.pixels.mapv(|value| max - value + 0.4), depth: image.depth })
}

fn evaluated(
    folder: &tempfile::TempDir,
    translate: impl Fn(&PairedSlice, usize) -> Result<Image>,
    training: Option<&TrainingData>,
) -> Result<Evaluation> {
    let pairs = Pairs::list(&folder.path().join("pairs.csv"), ["t1", "t2"]).unwrap();
    let settings = DataSettings::for_tests();
    let certain = |slice: &PairedSlice, to| Ok(Estimate { mean: translate(slice, to)?.pixels, sd: None });
    evaluate_with(["t1", "t2"], &settings, certain, &pairs, training, folder.path())
}

#[test]
fn the_model_is_judged_on_what_the_file_would_hold() {
    let folder = folder_with(BitDepth::Eight, "a1.png,a2.png\nb1.png,b2.png\n");
    for report in &evaluated(&folder, negative, None).unwrap().report.directions {
        assert_eq!(report.model.frame.mae.mean, Some(0.0));
    }
}

#[test]
fn domains_may_differ_in_depth() {
    let folder = folder_with(BitDepth::Sixteen, "a1.png,a2.png\n");
    let evaluation = evaluated(&folder, negative, None).unwrap();
    let [there, back] = evaluation.report.directions.try_into().unwrap();
    assert_eq!(there.model.frame.mae.mean, Some(0.0));
    assert_eq!(back.model.frame.mae.mean, Some(0.0));
    assert_eq!((there.direction.target_range.max(), back.direction.target_range.max()), (65535.0, 255.0));
}

#[test]
fn a_bad_pair_costs_itself_alone() {
    let folder = folder_with(BitDepth::Eight, "a1.png,a2.png\na1.png,gone.png\nodd.png,b2.png\n");
    let evaluation = evaluated(&folder, negative, None).unwrap();
    let failed: Vec<_> =
        evaluation.report.failed.iter().map(|f| format!("{}: {}", f.name, f.reason)).collect();
    assert!(failed[0].starts_with("line 3: ") && failed[0].contains("gone.png"), "{}", failed[0]);
    assert_eq!(failed[1..], ["odd.png: an odd image"]);
    assert_eq!(evaluation.report.directions[0].cases.len(), 1);

    let folder = folder_with(BitDepth::Eight, "a1.png,gone.png\n");
    let error = evaluated(&folder, negative, None).err().unwrap();
    assert!(error.to_string().starts_with("none of 1 pairs could be evaluated"), "{error}");
}

#[test]
fn the_oracles_see_the_training_pairs_in_the_right_direction_and_at_the_depth_of_the_cases() {
    let elsewhere = folder_with(BitDepth::Eight, "a1.png,a2.png\n");
    let pairs = || Pairs::list(&elsewhere.path().join("pairs.csv"), ["t1", "t2"]).unwrap();
    for depth in [BitDepth::Eight, BitDepth::Sixteen] {
        let folder = folder_with(depth, "b1.png,b2.png\n");
        let training = TrainingData {
            origin: "elsewhere".into(),
            unpaired: Unpaired::Slices([Vec::new(), Vec::new()]),
            pairs: Some(pairs()),
        };
        let copy = |slice: &PairedSlice, to: usize| Ok(slice.images[1 - to].clone());
        let evaluation = evaluated(&folder, copy, Some(&training)).unwrap();
        for report in &evaluation.report.directions {
            assert_eq!(report.baselines.lut.as_ref().unwrap().frame.mae.mean, Some(0.0));
            assert_eq!(report.baselines.retrieval.as_ref().unwrap().frame.mae.mean, Some(0.0));
            assert_eq!(report.fitted_on.lut, "elsewhere");
            assert!(report.baselines.histogram.is_none(), "one case and no unpaired images");
        }
    }
}
