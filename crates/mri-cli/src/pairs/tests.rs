use super::*;
use mri_data::image::{Image, write_image};
use ndarray::Array2;

fn folder_with(csv: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let save = |name: &str, size: (usize, usize), value: f32, depth| {
        let pixels = Array2::from_shape_fn(size, |(row, _)| value + row as f32 / 10.0);
        write_image(&folder.path().join(name), &Image { pixels, depth }).unwrap();
    };
    save("a.png", (20, 30), 60.0, BitDepth::Eight);
    save("b.png", (20, 30), 200.0, BitDepth::Eight);
    save("small.png", (20, 29), 60.0, BitDepth::Eight);
    save("deep.png", (20, 30), 60.0, BitDepth::Sixteen);
    std::fs::write(folder.path().join("pairs.csv"), csv).unwrap();
    folder
}

/// What a reader of the lines in order finds.
fn read(csv: &str) -> Result<Vec<String>> {
    let folder = folder_with(csv);
    let pairs = Pairs::list(&folder.path().join("pairs.csv"), ["t1", "t2"])?;
    let settings = DataSettings::for_tests();
    let text = |read: std::result::Result<(&Line, PairedSlices), BadPair>| match read {
        Ok((line, _)) => format!("{} of {:?}", line.name, line.subject),
        Err(bad) => bad.to_string().replace(&format!("{}/", folder.path().display()), ""),
    };
    Ok(pairs.read_each(&settings).map(text).collect())
}

#[test]
fn columns_are_found_by_name_and_others_ignored() {
    let pairs = read("\u{feff}z, t2 ,subject,t1\n3,b.png,s-1,a.png\n4,b.png,,a.png\n").unwrap();
    assert_eq!(pairs, ["a.png of Some(\"s-1\")", "a.png of None"]);
}

#[test]
fn a_bad_line_is_named_and_the_others_are_read() {
    let pairs = read(
        "t1,t2\na.png,b.png\na.png,b.png,c.png\na.png,missing.png\na.png,small.png\na.png,\na.png,deep.png\nb.png,a.png\n",
    )
    .unwrap();
    assert_eq!(pairs[0], "a.png of None");
    assert_eq!(pairs[1], "line 3: 3 fields where the header has 2");
    assert!(pairs[2].starts_with("line 4: ") && pairs[2].contains("missing.png"), "{}", pairs[2]);
    assert_eq!(pairs[3], "line 5: the sizes differ: a.png is 30x20 px, small.png is 29x20 px");
    assert_eq!(pairs[4], "line 6: no t2 image is named");
    assert_eq!(pairs[5], "line 7: the t2 image has 16 bits, those before it 8");
    assert_eq!(pairs[6], "b.png of None");
}

#[test]
fn a_csv_without_the_columns_or_without_pairs_is_an_error() {
    let error = read("t1,T3\na.png,b.png\n").unwrap_err().to_string();
    assert!(error.ends_with("pairs.csv: no column `t2`; its columns are: t1, T3"), "{error}");
    let error = read("t1,t2\n").unwrap_err().to_string();
    assert!(error.ends_with("pairs.csv: no pairs below its header"), "{error}");
    let error = read("").unwrap_err().to_string();
    assert!(error.contains("no column `t1`"), "{error}");
    let error = Pairs::list(Path::new("nowhere/pairs.csv"), ["t1", "t2"]).err().unwrap();
    assert!(error.to_string().contains("cannot read nowhere/pairs.csv"));
}

#[test]
fn reading_all_stops_at_the_first_bad_line() {
    let folder = folder_with("t1,t2\na.png,b.png\na.png,small.png\n");
    let pairs = Pairs::list(&folder.path().join("pairs.csv"), ["t1", "t2"]).unwrap();
    let error = format!("{:#}", pairs.read_all(&DataSettings::for_tests(), |_, _| Ok(())).unwrap_err());
    assert!(error.contains("pairs.csv, line 3: the sizes differ"), "{error}");
}

#[test]
fn neighbours_are_the_lines_beside_of_the_same_subject() {
    let folder = folder_with(
        "t1,t2,subject\na.png,b.png,x\nb.png,a.png,x\na.png,b.png,y\nb.png,a.png,\nb.png,a.png,\n",
    );
    let pairs = Pairs::list(&folder.path().join("pairs.csv"), ["t1", "t2"]).unwrap();
    let settings = DataSettings { neighbours: 1, ..DataSettings::for_tests() };
    // The mean grey value tells a (60) from b (200).
    let mut seen = Vec::new();
    let look = |_: &Line, slices: PairedSlices| {
        let [t1, _] = slices.slice(0)?.units;
        seen.push(t1.outer_iter().map(|c| if c.mean() > Some(0.0) { 'b' } else { 'a' }).collect::<String>());
        Ok(())
    };
    pairs.read_all(&settings, look).unwrap();
    assert_eq!(seen, ["aab", "abb", "aaa", "bbb", "bbb"]);
}

#[test]
fn labels_and_lesions_are_images_of_the_size_of_the_pair() {
    let folder = folder_with("");
    let maps = |labels: &str, lesions: &str| -> Result<(bool, bool)> {
        let refs = crate::anatomy_maps::AnatomyRefs::list([labels, lesions], folder.path())?;
        let maps = refs.read((20, 30))?;
        Ok((maps.labels.is_some(), maps.lesions.is_some()))
    };
    assert_eq!(maps("", "a.png").unwrap(), (false, true));
    assert_eq!(maps("b.png", "").unwrap(), (true, false));
    let error = |labels, lesions| format!("{:#}", maps(labels, lesions).unwrap_err());
    assert!(
        error("small.png", "").ends_with("small.png is 29x20 px, the pair 30x20 px"),
        "{}",
        error("small.png", "")
    );
    assert!(error("", "missing.png").contains("missing.png"));
    let deep = Image { pixels: Array2::from_elem((20, 30), 300.0), depth: BitDepth::Sixteen };
    write_image(&folder.path().join("deep.png"), &deep).unwrap();
    let error = error("deep.png", "");
    assert!(error.ends_with("deep.png holds 300; labels are whole numbers from 0 to 255"), "{error}");

    let pairs = read("t1,t2,labels,lesions\na.png,b.png,,\na.png,b.png,missing.png,\n").unwrap();
    assert_eq!(pairs[0], "a.png of None", "an empty field names nothing");
    assert!(pairs[1].starts_with("line 3: ") && pairs[1].contains("missing.png"), "{}", pairs[1]);
}
